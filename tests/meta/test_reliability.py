# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of public faults names tests that exist, counts right, and lists the exceptions to the rules for containers as the tests have them."""

from __future__ import annotations

import re
import sys

import pytest
from tree import COLLECTION, ROOT

sys.path.insert(0, str(ROOT / "tests" / "lab"))

import hardening  # noqa: E402  (the path above comes first)

TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
PLACES = {"lab": ROOT / "tests" / "lab", "unit": COLLECTION / "tests" / "unit"}
ROWS = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.*?) \| (.*?) ?\|$", TEXT, re.MULTILINE)
OUT_OF_SCOPE: set[int] = set()


def test_every_fault_is_in_the_table_once():
    assert [int(row[0]) for row in ROWS] == [number for number in range(1, 68) if number not in OUT_OF_SCOPE]


def test_the_counts_are_right():
    counts = tuple(sum(row[2] == word for row in ROWS) for word in ("covered", "partly", "not yet"))
    assert "**Covered %d, partly %d, not yet %d, of %d.**" % (*counts, len(ROWS)) in TEXT
    assert sum(counts) == len(ROWS)


@pytest.mark.parametrize("number, fault, state, tests, missing", ROWS, ids=lambda value: value if value.isdigit() else "")
def test_a_row_names_tests_that_exist(number, fault, state, tests, missing):
    found = re.findall(r"`(lab|unit)/([\w/]+\.py)::(\w+)`", tests)
    assert len(found) == len([part for part in tests.split("<br>") if part.strip()])
    for place, path, name in found:
        assert re.search(r"^def %s\(" % name, (PLACES[place] / path).read_text(encoding="utf-8"), re.MULTILINE), (number, path, name)
    assert bool(found) is (state != "not yet") and bool(missing.strip()) is (state != "covered"), (number, fault)


def test_the_exceptions_for_containers_are_those_of_the_test():
    section = TEXT.partition("## Rules for containers")[2]
    rows = [row for row in re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE) if row[0] in hardening.RULES]
    assert {(rule, service): reason for rule, services, reason in rows for service in services.split(", ")} == hardening.EXCEPTIONS
