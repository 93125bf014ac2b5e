# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the lists of docs/messages.md and docs/ko/messages.md: each message that a page explains, and where.

`python tests/tools/message_index.py` writes both; tests/meta/test_messages.py compares. A message gets into the list by a row of a table whose first column is
one of FIRST on any page of docs/, by a check of docs/preflight.md, or by TEXT below. What to do comes from the same row of the page, so there is one place to
write it.

The tables of a Korean page are found by their number on the English page, because their headers are translated; tests/meta/test_languages.py keeps both pages
alike. A page that has no Korean text yet is left out of the Korean list.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
INDEX = "messages.md"
CHECKS = "preflight.md"

FIRST = {"tables": ("message",), "states": ("refused", "state", "kind")}
"""First headers of the tables that explain what a program prints, by the list of the index that they are in."""

TEXT = (
    ("airflow.md", "needs a queue, but no host has the label redis"),
    ("airflow.md", "refused by the proxy of skp.cluster"),
    ("airflow.md", "skp-airflow: the metadata is at revision"),
    ("custom_services.md", "Error saving credentials: error storing credentials"),
    ("custom_services.md", "Read-only file system"),
    ("custom_services.md", "exec format error"),
    ("hosts_json.md", "invalid JSON: found"),
    ("hosts_json.md", "is not a service; it is set on the swarm node unchanged"),
    ("portainer.md", "can neither be found nor pulled on"),
    ("portainer.md", "Portainer: its environment shows"),
    ("registry.md", "Method not allowed"),
    ("registry.md", "blob does not match its digest"),
    ("registry.md", "filesystem layer verification failed for digest"),
    ("registry.md", "manifest unknown"),
)
"""Messages that a page explains in its text, as (page, words that are on it)."""

WORDS = {
    "en": {"tables": "message", "states": "state, kind or refused change", "checks": "check of preflight", "next": "what to do", "page": "page"},
    "ko": {"tables": "메시지", "states": "상태, 종류, 거부된 변경", "checks": "preflight 점검 항목", "next": "조치", "page": "문서"},
}


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of a page: its header, its rows, and the number of its section (0: before the first heading)."""

    header: list[str]
    rows: list[list[str]]
    section: int


@dataclasses.dataclass(frozen=True)
class Page:
    """A page: its file name, the headings, the texts of the sections with their code blocks, and the tables."""

    name: str
    headings: list[str]
    sections: list[str]
    tables: list[Table]

    def link(self, section: int) -> str:
        """Return the link to a section, or to the page if the section is that of its title."""
        title = plain(self.headings[0])
        if section < 2:
            return "[%s](%s)" % (title, self.name)
        return "[%s: %s](%s#%s)" % (title, plain(self.headings[section - 1]), self.name, slug(self.headings[section - 1]))


def plain(heading: str) -> str:
    """Return a heading as the text of a link: without marks of code."""
    return heading.replace("`", "")


def slug(heading: str) -> str:
    """Return the anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


def cells(line: str) -> list[str]:
    """Return the cells of a row."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def read(path: pathlib.Path) -> Page:
    """Read a page. Headings and tables inside of code blocks are none."""
    headings: list[str] = []
    sections = [""]
    tables: list[Table] = []
    code, inside = False, False
    for line in path.read_text(encoding="utf-8").splitlines():
        fence = line.lstrip().startswith("```")
        code ^= fence
        row = not code and not fence and line.startswith("|")
        if not code and not fence and re.match(r"#{1,6} ", line):
            headings.append(line.lstrip("#").strip())
            sections.append("")
            continue
        sections[-1] += line + "\n"
        if row and not inside:
            tables.append(Table(cells(line), [], len(headings)))
        elif row and not re.match(r"\|[-| :]+\|$", line):
            tables[-1].rows.append(cells(line))
        inside = row
    return Page(path.name, headings, sections, tables)


def pages(folder: pathlib.Path) -> dict[str, Page]:
    """Return the pages of a folder by their file names, without the index."""
    return {path.name: read(path) for path in sorted(folder.glob("*.md")) if path.name != INDEX}


def here(cell: str, page: Page) -> str:
    """Return a cell as it can stand on the index: links to the page's own headings name the page."""
    return cell.replace("](#", "](%s#" % page.name)


def explained(english: Page, page: Page, first: tuple[str, ...]) -> list[list[str]]:
    """Return a row for each row of the tables of a page whose first header is one of `first`. `english` says which tables these are."""
    found = []
    for number, theirs in enumerate(english.tables):
        if theirs.header[0] in first:
            if number >= len(page.tables):
                raise ValueError("the page %s in another language has %d tables, expected %d" % (page.name, len(page.tables), len(english.tables)))
            own = page.tables[number]
            found += [[here(row[0], page), "; ".join(here(cell, page) for cell in row[1:] if cell), page.link(own.section)] for row in own.rows]
    return found


def checked(english: Page, page: Page) -> list[list[str]]:
    """Return a row for each check of preflight: its last paragraph that begins with bold words says what to do."""
    found = []
    for number, name in enumerate(english.headings[1:], 2):
        paragraphs = [part for part in re.split(r"\n\s*\n", page.sections[number]) if part.lstrip().startswith("**")]
        if not paragraphs:
            raise ValueError("docs/%s: the section %s does not say what to do" % (page.name, name))
        text = re.sub(r"^\*\*[^*]+\*\*", "", " ".join(paragraphs[-1].split())).strip()
        found.append(["`%s`" % name, here(text, page), page.link(number)])
    return found


def told(english: Page, page: Page, words: str) -> list[str]:
    """Return the row of a message in the text of a page."""
    number = next((number for number, text in enumerate(english.sections) if words in " ".join(text.split())), None)
    if number is None:
        raise ValueError("docs/%s does not say %r any more; see TEXT in tests/tools/message_index.py" % (english.name, words))
    return ["`%s`" % words, page.link(number)]


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table as text."""
    lines = ["| %s |" % " | ".join(row) for row in [header, *rows]]
    return "\n".join([lines[0], "|---" * len(header) + "|", *lines[1:]])


def lists(docs: pathlib.Path, language: str) -> dict[str, str]:
    """Return the lists of the index in a language, by the names of their places.

    :param docs: the folder docs; the Korean pages are in its folder ko
    :raises ValueError: a page does not say what TEXT names, or a check does not say what to do
    """
    english = pages(docs)
    there = english if language == "en" else pages(docs / language)
    both = [(page, there[name]) for name, page in english.items() if name in there]
    words = WORDS[language]
    rows = {name: [row for pair in both for row in explained(*pair, first)] for name, first in FIRST.items()}
    told_of = [told(english[name], there[name], message) for name, message in TEXT if name in there]
    checks = checked(english[CHECKS], there[CHECKS]) if CHECKS in there else []
    return {
        **{name: table([words[name], words["next"], words["page"]], found) for name, found in rows.items()},
        "text": table([words["tables"], words["page"]], told_of),
        "checks": table([words["checks"], words["next"], words["page"]], checks),
    }


def place(name: str) -> re.Pattern[str]:
    """Return the pattern of a list's place on the index: between two comments."""
    return re.compile(r"(<!-- %s: [^\n]*-->\n)(.*?)(<!-- end of %s -->)" % (name, name), re.DOTALL)


def written(docs: pathlib.Path, language: str) -> tuple[pathlib.Path, str]:
    """Return the path of the index in a language, and the text it must have."""
    path = (docs if language == "en" else docs / language) / INDEX
    text = path.read_text(encoding="utf-8")
    for name, rows in lists(docs, language).items():
        text = place(name).sub(lambda found, rows=rows: "%s\n%s\n\n%s" % (found.group(1), rows, found.group(3)), text)
    return path, text


def main() -> None:
    """Write the lists of both languages."""
    for language in WORDS:
        path, text = written(DOCS, language)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
