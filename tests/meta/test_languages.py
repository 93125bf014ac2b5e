# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""README and every page of docs/ are there in English and in Korean, and say the same as far as a program can see.

Compared for each page: levels of the headings, code blocks byte for byte, tables, targets of links; names between
backticks for each section and each row of a table; numbers for each section.
So a change of a name, a figure or a command on one page fails until the other page has it too. That links lead somewhere: test_text.py, for both.
"""

from __future__ import annotations

import collections
import os
import pathlib
import re
import sys

import pytest
from tree import ROOT, files, relative, translations

sys.path.insert(0, str(ROOT / "tests/bench"))

import korean as korean_benchmarks  # noqa: E402  (needs the path above)

BLOCK = re.compile(r"^( *)```([\w-]*)\n(.*?)^\1```[ ]*$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
SPAN = re.compile(r"`((?:[^`\n]|\n(?!\s*\n))+)`")
TARGET = re.compile(r"\]\(([^)\s]+)\)")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
HANGUL = re.compile(r"[\uac00-\ud7a3]")
# CommonMark does not see the end of an emphasis where ** stands between a sign and a letter; a Korean particle follows without a space.
OPEN_EMPHASIS = re.compile(r"\*\*[^*\n]+[^\w\s*]\*\*(?=\w)")
# Four words in a row make a sentence; names in a list have commas between them.
SENTENCE = re.compile(r"(?:\b[a-z]{2,}\s+){3}[a-z]{2,}")
PAIRS = sorted(translations().items())


def prose(text):
    """Return a page without code blocks and comments."""
    return re.sub(r"<!--.*?-->", "", BLOCK.sub("", text), flags=re.DOTALL)


def headings(text):
    """Return the headings as (level, text), in order."""
    return [(len(marks), words) for marks, words in HEADING.findall(prose(text))]


def slug(heading):
    """Return the anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


def tables(text):
    """Return for each table its rows, as text."""
    return [table.splitlines() for table in re.findall(r"(?:^ *\|.*\n?)+", prose(text), re.MULTILINE)]


def cells(table):
    """Return the numbers of cells of the rows of a table. A sign | between backticks is no border."""
    return [len(re.findall(r"(?<!\\)\|", SPAN.sub("name", row))) - 1 for row in table]


def sections(text):
    """Return the text of each section, that before the first heading included."""
    return re.split(HEADING.pattern.replace("(", "(?:"), prose(text), flags=re.MULTILINE)


def names(section):
    """Return what stands between backticks."""
    return {" ".join(name.split()) for name in SPAN.findall(section)}


def numbers(section):
    """Return the numbers in digits, without those in names and addresses."""
    return set(NUMBER.findall(TARGET.sub("", SPAN.sub("", section))))


def left_in_english(text):
    """Return the paragraphs and rows of a Korean page that have an English sentence and no Hangul."""
    parts = [part for block in re.split(r"\n\s*\n", prose(text)) for part in (block.splitlines() if block.lstrip().startswith("|") else [block])]
    return [part.strip() for part in parts if not HANGUL.search(part) and SENTENCE.search(TARGET.sub("", SPAN.sub("`", part)))]


def differences(english, korean):
    """Return in what two texts of one page differ, links left out: a list of sentences."""
    found = []
    levels = [[level for level, _words in headings(text)] for text in (english, korean)]
    if levels[0] != levels[1]:
        found.append("levels of headings: %s in English, %s in Korean" % tuple(levels))
    blocks = [[(language, code) for _indent, language, code in BLOCK.findall(text)] for text in (english, korean)]
    found += ["code block %d differs" % number for number, (one, two) in enumerate(zip(*blocks), 1) if one != two]
    if len(blocks[0]) != len(blocks[1]):
        found.append("code blocks: %d in English, %d in Korean" % tuple(map(len, blocks)))
    both = [tables(text) for text in (english, korean)]
    if len(both[0]) != len(both[1]):
        found.append("tables: %d in English, %d in Korean" % tuple(map(len, both)))
    for number, (one, two) in enumerate(zip(*both), 1):
        if cells(one) != cells(two):
            found.append("table %d: cells of its rows %s in English, %s in Korean" % (number, cells(one), cells(two)))
        else:
            found += ["table %d: other names in the row %s" % (number, row) for row, other in zip(one, two) if names(row) != names(other)]
    titles = ["before the title", *(words for _level, words in headings(english))]
    for title, one, two in zip(titles, sections(english), sections(korean)):
        found += ["section %s: `%s` is on one page only" % (title, name) for name in sorted(names(one) ^ names(two))]
        found += ["section %s: the number %s is not on the Korean page" % (title, number) for number in sorted(numbers(one) - numbers(two))]
    found += ["left in English: %s" % part for part in left_in_english(korean)]
    found += ["** does not end here, put a space or a letter before it: %s" % part for part in OPEN_EMPHASIS.findall(prose(korean))]
    return found


def targets(path, other):
    """Count where the links of a page lead, as (path or URL, number of the heading or None), that to its other language left out.

    A page with two languages stands by its English path, so that the same link of both pages is the same here.
    """
    back = {korean: english for english, korean in PAIRS}
    found = collections.Counter()
    for target in TARGET.findall(prose(path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            found[target, None] += 1
            continue
        name, _sign, anchor = target.partition("#")
        aim = pathlib.Path(os.path.normpath(path.parent / name)) if name else path
        if aim != other:
            slugs = [slug(words) for _level, words in headings(aim.read_text(encoding="utf-8"))] if anchor and aim.exists() else []
            place = slugs.index(anchor) if anchor in slugs else anchor or None
            found[relative(back.get(aim, aim)), place] += 1
    return found


def first_line(path):
    """Return the first line below the title."""
    lines = [line for line in prose(path.read_text(encoding="utf-8")).splitlines() if line.strip()]
    return lines[1] if lines[0].startswith("# ") else ""


@pytest.mark.parametrize(("english", "korean"), PAIRS, ids=[relative(english) for english, _korean in PAIRS])
def test_both_languages_say_the_same(english, korean):
    assert korean.exists(), "no Korean page %s" % relative(korean)
    assert differences(english.read_text(encoding="utf-8"), korean.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(("english", "korean"), PAIRS, ids=[relative(english) for english, _korean in PAIRS])
def test_both_languages_have_the_same_links_and_lead_to_each_other(english, korean):
    assert korean.exists(), "no Korean page %s" % relative(korean)
    assert targets(korean, english) == targets(english, korean)
    assert first_line(english) == "[한국어](%s)" % os.path.relpath(korean, english.parent)
    assert first_line(korean) == "[English](%s)" % os.path.relpath(english, korean.parent)


def test_no_korean_page_is_left_over():
    there = {path for path in files() if path.suffix == ".md" and (path.is_relative_to(ROOT / "docs/ko") or path.name.endswith(".ko.md"))}
    assert sorted(map(relative, there - set(translations().values()))) == []


def test_both_pages_of_the_benchmarks_are_of_one_measurement():
    assert (ROOT / "docs/ko/benchmarks.md").read_text(encoding="utf-8") == korean_benchmarks.page((ROOT / "docs/benchmarks.md").read_text(encoding="utf-8"))


def test_a_new_figure_needs_its_korean():
    with pytest.raises(ValueError, match="no Korean for: a new line"):
        korean_benchmarks.page("# Benchmarks\n\n| what |\n|---|\n| a new line |\n")


ENGLISH = """# Kafka

The brokers of the cluster listen on port 9092. See `kafka_config`.

## Apply

```
ansible-playbook site.yml
```

| what | where |
|---|---|
| data | `/var/lib/skp` |
"""
KOREAN = """# Kafka

클러스터의 브로커는 9092 포트를 사용합니다. `kafka_config`를 참고합니다.

## 적용

```
ansible-playbook site.yml
```

| 항목 | 위치 |
|---|---|
| 데이터 | `/var/lib/skp` |
"""


@pytest.mark.parametrize(
    ("was", "now", "fault"),
    [
        ("## 적용", "### 적용", "levels of headings: [1, 2] in English, [1, 3] in Korean"),
        ("site.yml", "site.yaml", "code block 1 differs"),
        ("```\nansible-playbook site.yml\n```\n", "", "code blocks: 1 in English, 0 in Korean"),
        ("| 데이터 | `/var/lib/skp` |\n", "", "table 1: cells of its rows [2, 2, 2] in English, [2, 2] in Korean"),
        ("| 데이터 |", "|", "table 1: cells of its rows [2, 2, 2] in English, [2, 2, 1] in Korean"),
        ("| `/var/lib/skp` |", "| `/var/lib/kafka` |", "table 1: other names in the row | data | `/var/lib/skp` |"),
        ("`kafka_config`", "`kafka_settings`", "section Kafka: `kafka_config` is on one page only"),
        ("9092", "9094", "section Kafka: the number 9092 is not on the Korean page"),
        ("클러스터의", "The brokers of the cluster listen.\n\n클러스터의", "left in English: The brokers of the cluster listen."),
        ("9092 포트를", "**포트(9092)**를", "** does not end here, put a space or a letter before it: **포트(9092)**"),
    ],
)
def test_a_difference_is_found(was, now, fault):
    assert differences(ENGLISH, KOREAN) == []
    assert was in KOREAN and fault in differences(ENGLISH, KOREAN.replace(was, now))
