# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first page of the site has every page once, and generated pages lose only their own contents."""

from __future__ import annotations

import re

import docs_site


def test_the_first_page_lists_every_group_once():
    groups = {"Guide": ["README.md", "docs/a.md"], "한국어": ["README.ko.md"], "Development": ["CONTRIBUTING.md", docs_site.COLLECTION + "/README.md"]}
    text = docs_site.index(groups, "1.2.3")
    assert re.findall(r":caption: (.*)", text) == ["Guide", "한국어", "Reference", "Development"]
    listed = re.findall(r"^(?:[^:`\n]+ <)?([\w./]+)>?$", text.split("```{toctree}", 1)[1], re.MULTILINE)
    assert listed == ["README", "docs/a", "README.ko", "reference/index", "CONTRIBUTING", docs_site.COLLECTION + "/README", docs_site.COLLECTION + "/CHANGELOG"]
    assert "Version 1.2.3." in text and "([한국어](README.ko.md))" in text
    assert "README.ko" not in docs_site.index({"Guide": ["README.md"]}, "1.2.3")


def test_only_the_list_of_headings_is_left_out():
    text = "Title\n=====\n\n.. contents::\n   :local:\n   :depth: 1\n\nSynopsis\n--------\n- a\n\n.. contents:: Topics\n\n.. note::\n    contents:: no\n"
    assert docs_site.without_contents(text) == "Title\n=====\n\n\nSynopsis\n--------\n- a\n\n\n.. note::\n    contents:: no\n"


def test_the_version_is_that_of_the_collection():
    assert re.fullmatch(r"\d+\.\d+\.\d+", docs_site.version())


def test_every_page_and_picture_of_git_is_staged(tmp_path):
    docs_site.stage(tmp_path, "")
    staged = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    wanted = {name for name in docs_site.tracked() if name.endswith((".md", ".svg", ".png"))}
    assert len(wanted) > 30 and wanted <= staged and staged - wanted == {"index.md", "conf.py", docs_site.CHANGELOG}
