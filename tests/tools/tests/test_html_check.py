# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of built pages finds what it is for, and nothing else."""

from __future__ import annotations

import html_check
import pytest

GOOD = {
    "index.html": '<a href="docs/a.html#one">1</a><img src="p.svg"><a href="https://example.com/x#y">w</a><a href="#">top</a><a href="mailto:a@b">m</a>',
    "docs/a.html": '<h1 id="one">1</h1><a name="old"></a><a href="../index.html">i</a><a href="#old">o</a><a href="%23.txt">t</a><a href="../sub/">s</a>',
    "sub/index.html": '<p id="한국어">k</p><a href="#%ED%95%9C%EA%B5%AD%EC%96%B4">k</a>',
    "p.svg": "",
    "docs/#.txt": "",
}


def write(root, tree):
    """Write files and return their root."""
    for name, text in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_good_links(tmp_path):
    assert html_check.check(write(tmp_path, GOOD)) == (3, [], [])


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ('<a href="docs/b.html">', "docs/b.html (no such file)"),
        ('<a href="docs/a.html#two">', "docs/a.html#two (no such anchor)"),
        ('<a href="#two">', "#two (no such anchor)"),
        ('<img src="q.svg">', "q.svg (no such file)"),
        ('<link href="_static/x.css?v=1">', "_static/x.css?v=1 (no such file)"),
        ('<a href="docs/">', "docs/ (no such file)"),
    ],
)
def test_broken_links(tmp_path, link, why):
    tree = GOOD | {"index.html": GOOD["index.html"] + link}
    assert html_check.check(write(tmp_path, tree)) == (3, ["index.html -> " + why], [])


@pytest.mark.parametrize(
    "text",
    [
        "The documentation for the module plugin, skp.cluster.skp_service,  was malformed.",
        "The documentation for the filter plugin, skp.cluster.from_text,\nwas malformed.",
        "<p>There were some errors parsing the documentation for this role. Please</p>",
        '<aside class="admonition system-message">',
        "<span>ERROR: Adding a table of contents in Furo-based documentation is unnecessary</span>",
    ],
)
def test_error_pages(tmp_path, text):
    assert html_check.check(write(tmp_path, GOOD | {"docs/a.html": GOOD["docs/a.html"] + text}))[2] == ["docs/a.html"]


def test_a_page_that_speaks_of_errors_is_none():
    assert not html_check.read("<p>The documentation was malformed. A message of the system.</p>").error
