# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/index.md, where readers begin, leads to every page of docs/; the Korean one to the same pages in Korean."""

from __future__ import annotations

import re

import pytest
from tree import ROOT, files

DOCS = ROOT / "docs"
INDEX = "index.md"


def pages():
    """Return the file names of the English pages, without the index."""
    return {path.name for path in files() if path.parent == DOCS and path.suffix == ".md"} - {INDEX}


def listed(text):
    """Return the pages in the tables below the first, which lists readers."""
    return set(re.findall(r"\]\(([\w.-]+\.md)\)", text.split("\n## ", 1)[1]))


@pytest.mark.parametrize("folder", [DOCS, DOCS / "ko"], ids=["en", "ko"])
def test_every_page_is_listed(folder):
    assert sorted(pages() - listed((folder / INDEX).read_text(encoding="utf-8"))) == []


def test_a_page_that_only_a_reader_is_told_of_is_not_listed():
    text = "| you | [begin](begin.md) |\n\n## The pages\n\n| [Kafka](kafka.md) | ? |\n"
    assert listed(text) == {"kafka.md"}
