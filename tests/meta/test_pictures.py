# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures in git are what their sources give, and pages show them with words for people who cannot see them."""

from __future__ import annotations

import pathlib
import re
import sys

import pytest
from tree import ROOT, files, relative

sys.path.insert(0, str(ROOT / "tests/tools"))

import pictures  # noqa: E402 (found by the line above)


@pytest.mark.parametrize("path", sorted(pictures.drawn()), ids=lambda path: path.name)
def test_a_picture_is_what_its_source_gives(path):
    assert path.read_text(encoding="utf-8") == pictures.drawn()[path], "run `make pictures` and commit %s" % relative(path)


def test_every_drawn_file_has_a_source():
    """A picture whose source is gone is never drawn again."""
    assert {path for path in files() if path.parent == pictures.PICTURES and path.suffix == ".svg"} == set(pictures.drawn())


def shown():
    """Yield (page, words, picture) of every picture in a page."""
    for page in files():
        if page.suffix == ".md":
            for words, target in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
                yield relative(page), words, pathlib.Path(page.parent / target).resolve()


def test_pictures_have_words_and_are_shown():
    assert [(page, picture.name) for page, words, picture in shown() if len(words) < 10] == []
    assert set(pictures.drawn()) - {picture for _page, _words, picture in shown()} == set(), "drawn, but on no page"
