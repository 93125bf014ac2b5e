# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures from text: what is drawn, and what is refused because nobody could read it."""

from __future__ import annotations

import xml.etree.ElementTree

import pictures
import pytest

SVG = "{http://www.w3.org/2000/svg}"
SMALL = {
    "title": "Two <boxes>",
    "description": "One leads to the other.",
    "size": [300, 100],
    "boxes": [
        {"id": "a", "kind": "plain", "at": [10, 10], "size": [80, 40], "title": "a & b"},
        {"id": "b", "kind": "disk", "at": [190, 10], "size": [80, 60], "lines": ["one", "two"]},
    ],
    "arrows": [{"from": "a.right", "to": "b.left", "text": "to"}, {"from": [0, 0], "to": "a.top"}],
}
PAGE = """# Benchmarks

## One

| what | median | fastest to slowest | ratio to the first |
|---|---|---|---|
| `a b` | 1.00 s | 0.90 to 2.00 s | 1.00 |
| `a b`, again (control) | 1.05 s | 1.00 to 1.20 s | 1.05 |
| c | 4.00 s | 3.90 to 5.00 s | 4.00 |
"""


def shapes(text, name):
    """Return the elements of one kind of an SVG document."""
    return list(xml.etree.ElementTree.fromstring(text).iter(SVG + name))


def test_a_diagram_has_its_boxes_text_and_arrows():
    drawn = pictures.diagram(SMALL)
    assert [text.text for text in shapes(drawn, "text")] == ["a & b", "one", "two", "to"]
    assert len(shapes(drawn, "rect")) == 3, "two boxes and the background"
    ends = [[line.get(key) for key in ("x1", "y1", "x2", "y2")] for line in shapes(drawn, "line")]
    assert ends == [["90", "30", "190", "40"], ["0", "0", "50", "10"]]
    assert shapes(drawn, "title")[0].text == "Two <boxes>" and shapes(drawn, "desc")[0].text == "One leads to the other."


@pytest.mark.parametrize("change", [{"title": "far too long a text"}, {"lines": ["1", "2", "3"]}])
def test_text_that_does_not_fit_is_refused(change):
    with pytest.raises(ValueError, match="too small for"):
        pictures.box(SMALL["boxes"][0] | change)


@pytest.mark.parametrize("place", ["c.top", "a.middle"])
def test_an_arrow_to_nothing_is_refused(place):
    with pytest.raises(KeyError):
        pictures.diagram(SMALL | {"arrows": [{"from": "a.top", "to": place}]})


def test_a_run_shows_every_playbook_once_and_in_order():
    services = ["s%02d" % count for count in range(8)]
    names = ["engine", "images", *services, "summary"]
    drawn = pictures.run([(name, "Do %s" % name) for name in names])
    shown = [entry.get("title") or entry["lines"][0] for entry in drawn["boxes"]]
    assert [name for name in shown if name in names] == names
    assert len({tuple(entry["at"]) for entry in drawn["boxes"]}) == len(drawn["boxes"]), "no box covers another one's place"
    assert all(entry["at"][1] + entry["size"][1] <= drawn["size"][1] and entry["at"][0] + entry["size"][0] <= 880 for entry in drawn["boxes"])
    assert pictures.diagram(drawn)


@pytest.mark.parametrize("names", [["engine", "summary"], ["images", "summary", "late"]])
def test_a_run_in_another_order_is_refused(names):
    with pytest.raises(ValueError, match="expected images among the playbooks"):
        pictures.run([(name, "") for name in names])


def test_figures_are_read_from_the_page():
    assert pictures.figures(PAGE) == {
        "One": [
            pictures.Figure("a b", 1.0, 0.9, 2.0),
            pictures.Figure("a b, again (control)", 1.05, 1.0, 1.2),
            pictures.Figure("c", 4.0, 3.9, 5.0),
        ]
    }
    with pytest.raises(ValueError, match="no table of figures below 'Empty'"):
        pictures.figures(PAGE + "\n## Empty\n\nNothing.\n")


def test_bars_have_the_lengths_of_the_medians():
    drawn = pictures.plot(pictures.figures(PAGE))
    bars = [float(bar.get("width")) for bar in shapes(drawn, "rect")[1:]]
    assert [round(bar / bars[0], 2) for bar in bars] == [1.0, 1.05, 4.0]
    lines = [(float(line.get("x1")), float(line.get("x2"))) for line in shapes(drawn, "line")]
    start = lines[3][0]
    assert [round((end - start) / bars[0], 2) for end in lines[2]] == [3.9, 5.0], "the thin line of the last bar: fastest to slowest"
    assert lines[3][1] - start == pytest.approx(lines[2][1] - start), "the scale ends at the slowest"


def test_a_long_name_is_folded_between_words():
    assert pictures.folded("one two three", pictures.width("one two")) == ["one two", "three"]
    assert pictures.folded("extraordinary", 10) == ["extraordinary"]
