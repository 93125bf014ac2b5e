# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make pictures`: the documents' pictures as SVG, drawn from text that is in the repository already.

- cluster.svg from docs/pictures/cluster.yml
- run.svg from the collection's playbooks/site.yml
- benchmarks.svg from the tables of docs/benchmarks.md, which `make bench` writes

The same text gives the same bytes on every machine, so a test compares the pictures in git with their sources. That is why no layout program draws
them: the places that Graphviz or matplotlib compute differ with their versions and with the fonts of the machine.

A diagram is a dictionary: ``title``, ``description`` (both for people who cannot see it), ``size`` [width, height], ``boxes`` and ``arrows``, in pixels.
A box has ``kind`` (see KINDS), ``at`` [x, y], ``size``, and ``title`` or ``lines`` or both; ``id`` if an arrow names it. An arrow has ``from`` and ``to``,
each a point [x, y] or a side of a box (``hosts.bottom``), and may have a ``text``.
"""

from __future__ import annotations

import dataclasses
import html
import math
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs/pictures"
SITE = ROOT / "collections/ansible_collections/skp/cluster/playbooks/site.yml"
BENCHMARKS = ROOT / "docs/benchmarks.md"

FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
SIZE = 13
LINE = 19
# Width of a character in parts of the font's size: more than the mean of DejaVu Sans, the widest of the fonts above.
CHARACTER = 0.6
INK, GREY = "#1f2933", "#5f6c7b"
KINDS = {
    "plain": ("#ffffff", "#7b8794"),
    "file": ("#fdf6e3", "#b58900"),
    "person": ("#f5f0fa", "#7e57c2"),
    "node": ("#f4f6f8", "#52606d"),
    "service": ("#e3f2fd", "#1976d2"),
    "bar": ("#e0f2f1", "#00796b"),
    "disk": ("#fbe9e7", "#bf5b3d"),
}
"""Kind of box: colour of its surface, colour of its line."""


def width(text: str, size: float = SIZE) -> float:
    """Return the width in pixels that a text needs at most, as estimated."""
    return len(text) * size * CHARACTER


def number(value: float) -> str:
    """Return a coordinate: at most one decimal, none where it is whole."""
    return ("%.1f" % value).removesuffix(".0")


def label(x: float, y: float, text: str, anchor: str = "start", colour: str = INK, bold: bool = False) -> str:
    """Return one line of text. ``anchor``: start, middle or end, the part of the text that is at x. ``y``: the base line."""
    weight = ' font-weight="bold"' if bold else ""
    place = 'x="%s" y="%s" text-anchor="%s" fill="%s"%s' % (number(x), number(y), anchor, colour, weight)
    return '<text %s xml:space="preserve">%s</text>' % (place, html.escape(text, quote=False))


def rectangle(x: float, y: float, wide: float, high: float, fill: str, line: str = "none", radius: int = 0) -> str:
    """Return a rectangle."""
    sizes = 'x="%s" y="%s" width="%s" height="%s"' % (number(x), number(y), number(wide), number(high))
    return '<rect %s rx="%d" fill="%s" stroke="%s"/>' % (sizes, radius, fill, line)


def frame(title: str, description: str, wide: int, high: int, parts: list[str]) -> str:
    """Return the whole SVG document. Its background is white, also on a dark page."""
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" font-family="%s" font-size="%d">'
    tip = '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
    named = "<title>%s</title>\n<desc>%s</desc>" % (html.escape(title, quote=False), html.escape(description.strip(), quote=False))
    return "\n".join([head % (wide, high, wide, high, FONT, SIZE), named, tip, rectangle(0, 0, wide, high, "#ffffff"), *parts, "</svg>"]) + "\n"


def box(entry: dict) -> list[str]:
    """Return a box with its text. Raises ValueError if the text does not fit: nobody would see it on the machine where it does."""
    (x, y), (wide, high), lines = entry["at"], entry["size"], list(entry.get("lines", []))
    words = ([entry["title"]] if "title" in entry else []) + lines
    tall = LINE * len(words) + 6
    too_wide = [text for text in words if width(text) + 12 > wide]
    if too_wide or tall > high:
        raise ValueError("the box at %s, %d by %d, is too small for %r" % (entry["at"], wide, high, too_wide or words))
    fill, line = KINDS[entry["kind"]]
    first = y + LINE if entry["kind"] in ("node", "file") else y + (high - LINE * len(words)) / 2 + LINE - 5
    parts = [rectangle(x, y, wide, high, fill, line, radius=6)]
    for row, text in enumerate(words):
        bold = "title" in entry and row == 0
        if entry["kind"] == "file" and not bold:
            parts.append(label(x + 10, first + LINE * row, text))
        else:
            parts.append(label(x + wide / 2, first + LINE * row, text, "middle", bold=bold))
    return parts


def point(place: str | list[float], boxes: dict[str, dict]) -> tuple[float, float]:
    """Return where an arrow begins or ends. Raises KeyError for a box or a side that is not there."""
    if not isinstance(place, str):
        return place[0], place[1]
    name, _, side = place.partition(".")
    (x, y), (wide, high) = boxes[name]["at"], boxes[name]["size"]
    return {"top": (x + wide / 2, y), "bottom": (x + wide / 2, y + high), "left": (x, y + high / 2), "right": (x + wide, y + high / 2)}[side]


def diagram(drawn: dict) -> str:
    """Return the SVG of a diagram."""
    boxes = {entry["id"]: entry for entry in drawn["boxes"] if "id" in entry}
    parts = [part for entry in drawn["boxes"] for part in box(entry)]
    for arrow in drawn["arrows"]:
        (x1, y1), (x2, y2) = point(arrow["from"], boxes), point(arrow["to"], boxes)
        ends = tuple(map(number, (x1, y1, x2, y2)))
        parts.append('<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="%s" stroke-width="1.5" marker-end="url(#tip)"/>' % (*ends, INK))
        if "text" in arrow:
            beside = x1 == x2
            anchor = "start" if beside else "middle"
            parts.append(label((x1 + x2) / 2 + (8 if beside else 0), (y1 + y2) / 2 + (4 if beside else -7), arrow["text"], anchor, GREY))
    return frame(drawn["title"], drawn["description"], *drawn["size"], parts)


def run(imports: list[tuple[str, str]]) -> dict:
    """Return the diagram of a run. ``imports``: (name of the playbook, what it is for) in the order of site.yml.

    Up to the images one below the other with their purpose, then the services in rows, then the end. Raises ValueError if the order is another:
    this picture would not show it.
    """
    names = [name for name, _ in imports]
    if names[-1:] != ["summary"] or "images" not in names:
        raise ValueError("expected images among the playbooks of site.yml and summary as the last, found %s" % ", ".join(names))
    split = names.index("images") + 1
    first, services = imports[:split], imports[split:-1]
    boxes, y = [], 16
    for name, purpose in first:
        boxes.append({"id": name, "kind": "bar", "at": [20, y], "size": [130, 32], "title": name})
        boxes.append({"kind": "plain", "at": [165, y], "size": [695, 32], "lines": [purpose]})
        y += 48
    columns, step = 6, 140
    rows = math.ceil(len(services) / columns)
    title = "one service after the other, those whose label is in hosts.json"
    area = {"id": "services", "kind": "node", "at": [20, y], "size": [840, 34 + 44 * rows], "title": title}
    boxes.append(area)
    for place, (name, _) in enumerate(services):
        boxes.append({"kind": "service", "at": [32 + step * (place % columns), y + 32 + 44 * (place // columns)], "size": [116, 32], "lines": [name]})
    y += area["size"][1] + 16
    name, purpose = imports[-1]
    boxes.append({"id": name, "kind": "bar", "at": [20, y], "size": [130, 32], "title": name})
    boxes.append({"kind": "plain", "at": [165, y], "size": [695, 32], "lines": [purpose]})
    arrows = [{"from": "%s.bottom" % one, "to": "%s.top" % two} for one, two in zip(names[:split], names[1:split])]
    arrows.append({"from": "images.bottom", "to": [85, area["at"][1]]})
    arrows.append({"from": [85, area["at"][1] + area["size"][1]], "to": "%s.top" % name})
    description = "The playbooks of site.yml in their order: %s." % ", ".join(names)
    return {"title": "The order of a run", "description": description, "size": [880, y + 48], "boxes": boxes, "arrows": arrows}


@dataclasses.dataclass(frozen=True)
class Figure:
    """One line of a table of docs/benchmarks.md: what was measured; median, fastest and slowest in seconds."""

    name: str
    median: float
    fastest: float
    slowest: float


ROW = re.compile(r"^\| (?P<name>.+?) \| (?P<median>[\d.]+) s \| (?P<fastest>[\d.]+) to (?P<slowest>[\d.]+) s \| [\d.]+ \|$", re.MULTILINE)


def figures(page: str) -> dict[str, list[Figure]]:
    """Return the tables of docs/benchmarks.md: heading -> figures. Raises ValueError when a section has none."""
    found = {}
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        heading = section.splitlines()[0]
        rows = [match.groupdict() for match in ROW.finditer(section)]
        if not rows:
            raise ValueError("docs/benchmarks.md: no table of figures below %r" % heading)
        found[heading] = [Figure(row["name"].replace("`", ""), *(float(row[key]) for key in ("median", "fastest", "slowest"))) for row in rows]
    return found


def folded(text: str, most: float) -> list[str]:
    """Return a text in lines of at most ``most`` pixels; a longer word has a line of its own."""
    lines: list[str] = []
    for word in text.split():
        if lines and width(lines[-1] + " " + word) <= most:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return lines


def plot(tables: dict[str, list[Figure]]) -> str:
    """Return the SVG of the benchmarks: one part per table with a scale of its own from 0; bars are medians, thin lines go from fastest to slowest."""
    left, right, bar = 330, 560, 16
    parts, y = [], 12
    for heading, rows in tables.items():
        scale = right / max(row.slowest for row in rows)
        y += 24
        parts.append(label(20, y, heading, bold=True))
        y += 12
        for place, row in enumerate(rows):
            lines = folded(row.name, left - 40)
            high = max(LINE * len(lines), bar) + 8
            middle = y + high / 2
            for line, text in enumerate(lines):
                parts.append(label(left - 10, middle + LINE * (line - (len(lines) - 1) / 2) + 4.5, text, "end"))
            fill = "#90a4ae" if place < 2 else "#1976d2"
            parts.append(rectangle(left, middle - bar / 2, row.median * scale, bar, fill))
            ends = (number(left + row.fastest * scale), number(middle), number(left + row.slowest * scale), number(middle))
            parts.append('<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="%s" stroke-width="2"/>' % (*ends, INK))
            parts.append(label(left + row.slowest * scale + 8, middle + 4.5, "%.2f s" % row.median, colour=GREY))
            y += high
        parts.append('<line x1="%d" y1="%s" x2="%d" y2="%s" stroke="%s"/>' % (left, number(y), left + right, number(y), GREY))
        parts.append(label(left, y + 16, "0", "middle", GREY))
        parts.append(label(left + right, y + 16, "%.1f s" % (right / scale), "middle", GREY))
        y += 30
    parts.append(label(20, y + 12, "bar: median; line: fastest to slowest; grey: what the others are compared with, and the same once more", colour=GREY))
    description = "; ".join("%s: %s" % (heading, ", ".join("%s %.2f s" % (row.name, row.median) for row in rows)) for heading, rows in tables.items())
    return frame("Benchmarks", description, left + right + 90, y + 26, parts)


def drawn() -> dict[pathlib.Path, str]:
    """Return every picture from its source: path -> SVG."""
    imports = yaml.safe_load(SITE.read_text(encoding="utf-8"))
    steps = [(play["ansible.builtin.import_playbook"].rpartition(".")[2], play["name"]) for play in imports]
    return {
        PICTURES / "cluster.svg": diagram(yaml.safe_load((PICTURES / "cluster.yml").read_text(encoding="utf-8"))),
        PICTURES / "run.svg": diagram(run(steps)),
        PICTURES / "benchmarks.svg": plot(figures(BENCHMARKS.read_text(encoding="utf-8"))),
    }


def main() -> int:
    """Write the pictures; say which are new. Returns the exit code."""
    for path, text in drawn().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print("pictures: %s" % path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
