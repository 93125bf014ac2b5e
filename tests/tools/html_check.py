# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a tree of HTML pages: every internal link and anchor leads somewhere, and no page is an error page. Nothing is fetched from a network."""

from __future__ import annotations

import dataclasses
import html.parser
import pathlib
import posixpath
import re
import urllib.parse

ERRORS = re.compile(
    # antsibull-docs: plugin-error.rst, and the end of a page of which parts are missing. Both end with the findings.
    r"The documentation for the [\w ]+ plugin, [\w.]+,\s+was malformed|There were some errors parsing the documentation for this (?:plugin|role)"
    # Furo: shown in place of, or above, what it does not like.
    r"|ERROR: Adding a table of contents"
    # docutils: a message in place of what it could not render.
    r'|class="[^"]*\bsystem-message\b'
)


@dataclasses.dataclass
class Page:
    """What one page offers and asks for: ids that a link may name, targets of its links, whether it is an error page."""

    ids: set[str]
    targets: list[str]
    error: bool


class _Reader(html.parser.HTMLParser):
    """Collects ids and targets."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: set[str] = set()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the ids, and what is linked, shown or loaded."""
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (name == "name" and tag == "a"):
                self.ids.add(value)
            if name in ("href", "src"):
                self.targets.append(value)


def read(text: str) -> Page:
    """Return what a page's text offers and asks for."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return Page(reader.ids, reader.targets, bool(ERRORS.search(text)))


def broken(pages: dict[str, Page], files: set[str]) -> list[str]:
    """Return the internal links that lead nowhere, as "page -> target (why)", sorted.

    ``pages``: path -> page; ``files``: paths of all files of the tree; both relative to its root, with slashes.
    """
    found = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urllib.parse.urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            name = urllib.parse.unquote(parts.path)
            aim = posixpath.normpath(posixpath.join(posixpath.dirname(path), name)) if name else path
            if name.endswith("/"):
                aim = posixpath.normpath(posixpath.join(aim, "index.html"))
            anchor = urllib.parse.unquote(parts.fragment)
            if aim not in files:
                found.append("%s -> %s (no such file)" % (path, target))
            elif anchor and aim in pages and anchor not in pages[aim].ids:
                found.append("%s -> %s (no such anchor)" % (path, target))
    return sorted(found)


def check(root: pathlib.Path) -> tuple[int, list[str], list[str]]:
    """Return the number of pages below a directory, their broken links, and their error pages."""
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    pages = {name: read((root / name).read_text(encoding="utf-8")) for name in sorted(files) if name.endswith(".html")}
    return len(pages), broken(pages, files), [name for name, page in pages.items() if page.error]
