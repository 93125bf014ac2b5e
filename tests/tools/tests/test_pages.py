# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages as data: titles, order, links of pages that go elsewhere."""

from __future__ import annotations

import pages
import pytest


def test_the_title_is_the_first_heading_outside_code():
    assert pages.title("```\n# no\n```\n\n# The `hosts.json`\n## Later\n") == "The hosts.json"
    with pytest.raises(ValueError, match="without a heading"):
        pages.title("text\n## second level\n")


def test_targets_are_found_outside_code_only():
    text = "[a](a.md), ![p](p.svg), [`x[0]`](b.md#c)\n```\n[no](no.md)\n```\n[web](https://example.com)\n"
    assert pages.targets(text) == ["a.md", "p.svg", "b.md#c", "https://example.com"]


@pytest.mark.parametrize(
    ("page", "target", "expected"),
    [
        ("README.md", "docs/a.md#b", "docs/a.md"),
        ("docs/a.md", "../tests/b.py", "tests/b.py"),
        ("docs/ko/a.md", "../a.md", "docs/a.md"),
        ("docs/a.md", "#here", "docs/a.md"),
        ("docs/a.md", "../inventory/cluster/", "inventory/cluster"),
    ],
)
def test_where_a_link_leads(page, target, expected):
    assert pages.aim(page, target) == expected


PLACES = {"README.md": "docs/README.md", "docs/a.md": "docs/a.md", "product/README.md": "README.md", "docs/p.svg": "docs/p.svg"}


@pytest.mark.parametrize(
    ("page", "text", "with_address", "without"),
    [
        ("docs/a.md", "[r](../README.md#x)", "[r](README.md#x)", "[r](README.md#x)"),
        ("docs/a.md", "[own](#x)", "[own](#x)", "[own](#x)"),
        ("docs/a.md", "[c](../product/README.md)", "[c](../README.md)", "[c](../README.md)"),
        ("README.md", "![p](docs/p.svg)", "![p](p.svg)", "![p](p.svg)"),
        ("README.md", "[m](Makefile)", "[m](https://example.com/skp/blob/v1/Makefile)", "m"),
        ("README.md", "[`i[0]`](inventory/cluster)", "[`i[0]`](https://example.com/skp/blob/v1/inventory/cluster)", "`i[0]`"),
        ("README.md", "[w](https://example.org/a)", "[w](https://example.org/a)", "[w](https://example.org/a)"),
        ("README.md", "```\n[m](Makefile)\n```\n", "```\n[m](Makefile)\n```\n", "```\n[m](Makefile)\n```\n"),
    ],
)
def test_links_of_a_page_that_goes_elsewhere(page, text, with_address, without):
    assert pages.relink(text, pages.moved(page, PLACES, "https://example.com/skp/", "v1")) == with_address
    assert pages.relink(text, pages.moved(page, PLACES)) == without


def test_text_round_links_and_code_stays():
    text = "a [b](Makefile) c\n```sh\nx\n```\nd\n```\ny\n```\n"
    assert pages.relink(text, lambda target: target) == text
    assert pages.relink(text, lambda target: None) == text.replace("[b](Makefile)", "b")


def test_sections_follow_the_readme_and_forget_no_page():
    every = ["CONTRIBUTING.md", "README.ko.md", "README.md", "docs/a.md", "docs/b.md", "docs/ko/b.md", "docs/ko/a.md", "docs/unnamed.md", "tests/lab/README.md"]
    found = pages.sections(every, "[b](docs/b.md) [a](docs/a.md) [b](docs/b.md) [lab](tests/lab/README.md)")
    assert found == {
        "Guide": ["README.md", "docs/a.md", "docs/b.md", "docs/unnamed.md"],
        "한국어": ["README.ko.md", "docs/ko/a.md", "docs/ko/b.md"],
        "Development": ["tests/lab/README.md", "CONTRIBUTING.md"],
    }
    assert sorted(sum(found.values(), [])) == sorted(every)
    assert list(pages.sections(["README.md"], "")) == ["Guide"]
