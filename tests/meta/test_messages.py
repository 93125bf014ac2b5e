# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/messages.md lists every message that a page explains in a table, and no other; so does the Korean page.

The lists are written by tests/tools/message_index.py. Here the pages are read in a second way, line by line, so that a fault of the tool is seen too.
"""

from __future__ import annotations

import re
import shutil
import sys

import pytest
from tree import ROOT

sys.path.insert(0, str(ROOT / "tests/tools"))

import message_index as messages  # noqa: E402  (needs the path above)

DOCS = ROOT / "docs"
LANGUAGES = ["en", "ko"]
TROUBLE = re.compile(r"error|trouble|fails?\b|does not (work|start)|refused", re.IGNORECASE)
NO_MESSAGES = {"question"}
"""First headers of tables in sections about trouble that explain no message."""


def prose(path):
    """Return the lines of a page, those inside of code blocks emptied."""
    lines, code = [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        fence = line.lstrip().startswith("```")
        code ^= fence
        lines.append("" if code or fence else line)
    return lines


def tables(path):
    """Return for each table of a page its heading, its first header and the first cells of its rows."""
    found, heading, inside = [], "", False
    for line in prose(path):
        if line.startswith("#"):
            heading = line.lstrip("# ")
        first = re.match(r"\|((?:[^|\\]|\\.)*)\|", line)
        if first and not inside:
            found.append((heading, first.group(1).strip(), []))
        elif first and not line.startswith("|-"):
            found[-1][2].append(first.group(1).strip())
        inside = line.startswith("|")
    return found


def listed(path):
    """Return the rows of an index as (message, file, anchor), those of tables whose last cell is a link."""
    rows = re.findall(r"^\| (.+?) \| (?:.* \| )?\[[^\]]+\]\(([\w.]+)(?:#([^)]+))?\) \|$", "\n".join(prose(path)), re.MULTILINE)
    return {tuple(row) for row in rows}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_index_is_up_to_date(language):
    path, text = messages.written(DOCS, language)
    assert path.read_text(encoding="utf-8") == text, "run: python tests/tools/message_index.py"


@pytest.mark.parametrize("page", sorted(path for path in DOCS.glob("*.md") if path.name != messages.INDEX), ids=lambda path: path.name)
def test_every_row_of_a_table_of_messages_is_on_the_index(page):
    there = {(message, name) for message, name, _anchor in listed(DOCS / messages.INDEX)}
    known = {word for words in messages.FIRST.values() for word in words}
    assert [cell for _heading, first, cells in tables(page) if first in known for cell in cells if (cell, page.name) not in there] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_row_of_the_index_is_on_its_page_under_its_heading(language):
    index = (DOCS if language == "en" else DOCS / language) / messages.INDEX
    rows = listed(index)
    assert len(rows) >= (100 if language == "en" else 10)
    lost = []
    for message, name, anchor in rows:
        path = index.parent / name
        parts = re.split(r"^#+ (.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        texts = dict(zip(map(messages.slug, parts[1::2]), parts[2::2]))
        text = texts.get(anchor, "") if anchor else parts[2]
        words = " ".join(text.split())
        if name == messages.CHECKS:
            good = anchor == message.strip("`") or (language != "en" and anchor in texts)
        else:
            good = message in words or message.strip("`") in words
        lost += [] if good else [(message, name, anchor)]
    assert lost == []


@pytest.mark.parametrize("page", sorted(path for path in DOCS.glob("*.md") if path.name != messages.INDEX), ids=lambda path: path.name)
def test_a_table_about_trouble_is_known_to_the_index(page):
    """A new table with another first header would be left out without a word."""
    known = {word for words in messages.FIRST.values() for word in words} | NO_MESSAGES
    assert [(heading, first) for heading, first, _cells in tables(page) if TROUBLE.search(heading) and first not in known] == []


@pytest.fixture
def docs(tmp_path):
    """A copy of the pages."""
    shutil.copytree(DOCS, tmp_path / "docs")
    return tmp_path / "docs"


def test_a_new_row_comes_into_the_index(docs):
    page = docs / "lab.md"
    page.write_text(page.read_text(encoding="utf-8") + "| `the lab is on fire` | see [above](#files-volumes-and-containers) |\n", encoding="utf-8")
    added = set(messages.written(docs, "en")[1].splitlines()) - set((DOCS / messages.INDEX).read_text(encoding="utf-8").splitlines())
    where = "[The lab: When the lab does not start](lab.md#when-the-lab-does-not-start)"
    assert added == {"| `the lab is on fire` | see [above](lab.md#files-volumes-and-containers) | %s |" % where}


def test_a_row_that_is_gone_leaves_the_index(docs):
    page = docs / "quickstart.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(re.sub(r"^\| `Missing sudo password`.*\n", "", text, flags=re.MULTILINE), encoding="utf-8")
    assert "Missing sudo password" in text and "Missing sudo password" not in messages.written(docs, "en")[1]


def test_a_korean_page_is_found_by_the_number_of_its_table(docs):
    """Headers, headings and explanations are translated."""
    text = (docs / "ko/quickstart.md").read_text(encoding="utf-8")
    assert "| message |" not in text
    rows = [row for row in messages.lists(docs, "ko")["tables"].splitlines() if row.startswith("| `Missing sudo password`")]
    assert rows == ["| `Missing sudo password` | [sudo 비밀번호](quickstart.md#sudo-비밀번호) 참고 | [빠른 시작: 실패할 때](quickstart.md#실패할-때) |"]


def test_a_message_that_a_page_no_longer_says_is_named(docs):
    page = docs / "registry.md"
    page.write_text(page.read_text(encoding="utf-8").replace("manifest unknown", "unknown manifest"), encoding="utf-8")
    with pytest.raises(ValueError, match="docs/registry.md does not say 'manifest unknown' any more"):
        messages.lists(docs, "en")


def test_a_table_in_a_code_block_is_none(docs):
    page = docs / "store.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n```\n| message | what |\n|---|---|\n| `no row` | x |\n```\n", encoding="utf-8")
    assert "no row" not in messages.written(docs, "en")[1]
