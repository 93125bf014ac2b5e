# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's Markdown pages as data: titles, order, and links of pages that leave the repository. Pure functions of text.

Pages leave it in two ways: as the documentation site (docs_site.py) and inside the collection's tarball (release.py).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
"""A link or a picture: mark of a picture, text, target. The text may hold brackets of one level (code)."""
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def title(text: str) -> str:
    """Return the first heading of a page without Markdown's marks. Raises ValueError for a page without one."""
    found = re.search(r"^# +(.+?)\s*$", FENCE.sub("", text), re.MULTILINE)
    if not found:
        raise ValueError("a page without a heading of the first level")
    return found.group(1).replace("`", "")


def targets(text: str) -> list[str]:
    """Return the targets of all links and pictures of a page, in order, except those inside code blocks."""
    return [match.group(3) for match in LINK.finditer(FENCE.sub("", text))]


def is_outside(target: str) -> bool:
    """Tell whether a target has a scheme (https:, mailto:): it is no file of the repository."""
    return bool(re.match(r"[a-z][a-z0-9+.-]*:", target))


def aim(page: str, target: str) -> str:
    """Return the path, from the repository's root, that a relative target of a page leads to; the page's own path for a bare anchor."""
    path = target.partition("#")[0]
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page


def relink(text: str, change: Callable[[str], str | None]) -> str:
    """Return a page with the target of each link exchanged by ``change(target)``; where that returns None, only the link's text stays.

    Code blocks and links with a scheme are left as they are.
    """

    def exchanged(match: re.Match[str]) -> str:
        mark, words, target = match.groups()
        if is_outside(target):
            return match.group()
        other = change(target)
        return words if other is None else "%s[%s](%s)" % (mark, words, other)

    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [LINK.sub(exchanged, text[end : fence.start()]), fence.group()]
        end = fence.end()
    return "".join([*parts, LINK.sub(exchanged, text[end:])])


def moved(page: str, places: dict[str, str], repository: str = "", ref: str = "") -> Callable[[str], str | None]:
    """Return the ``change`` of relink() for a page that goes to ``places[page]`` together with other files.

    ``places``: path in the repository -> path in the new tree, for all that goes along. A link to one of them is made to fit the new tree. Another
    link leads to the repository's address at a tag or branch (``ref``), as the usual hosts of Git have it, or is dropped if none is known.
    """

    def change(target: str) -> str | None:
        path, mark, anchor = target.partition("#")
        aimed = aim(page, target)
        if not path:
            return target
        if aimed in places:
            return posixpath.relpath(places[aimed], posixpath.dirname(places[page]) or ".") + mark + anchor
        return "%s/blob/%s/%s" % (repository.rstrip("/"), ref, aimed) + mark + anchor if repository else None

    return change


def is_korean(page: str) -> bool:
    """Tell whether a path is that of a Korean page: below docs/ko, or named x.ko.md."""
    return page.startswith("docs/ko/") or page.endswith(".ko.md")


def sections(pages: Iterable[str], readme: str) -> dict[str, list[str]]:
    """Return the pages in the groups of the site's contents.

    ``pages``: paths from the repository's root. ``readme``: text of README.md. It ends with the list of all pages, so the last link to a page says its
    place; pages that it does not name come last, by name. A group without pages is left out.
    """
    named = targets(readme)
    order = {aim("README.md", target): number for number, target in enumerate(named)}

    def place(page: str) -> tuple[int, str]:
        english = page.replace("docs/ko/", "docs/").replace(".ko.md", ".md")
        return (-1 if english == "README.md" else order.get(english, len(named)), page)

    groups: dict[str, list[str]] = {"Guide": [], "한국어": [], "Development": []}
    for page in sorted(pages, key=place):
        english = not is_korean(page)
        group = "한국어" if not english else "Guide" if page == "README.md" or page.startswith("docs/") else "Development"
        groups[group].append(page)
    return {name: found for name, found in groups.items() if found}
