# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of the dearest tests and playbook runs, and the file they come from."""

from __future__ import annotations

import durations


def test_the_longest_come_first_and_the_sum_is_of_all():
    records = [{"test": "a", "when": "call", "seconds": 1.0}, {"test": "b", "when": "setup", "seconds": 30.26}, {"test": "c", "when": "call", "seconds": 2.0}]
    assert durations.dearest("tests", records, durations.describe_test, count=2) == [
        "",
        "tests (the 2 longest of 3, 33 s in all)",
        "   30.3 s  b (setup)",
        "    2.0 s  c",
    ]


def test_a_playbook_run_says_what_it_asked_of_each_node():
    record = {"test": "tests/lab/x.py::test_it", "args": ["site.yml", "--tags", "kafka"], "seconds": 5.0, "calls": {"c02": 1, "c01": 3}}
    assert durations.describe_play(record) == "site.yml --tags kafka  [c01:3 c02:1]  test_it"
    assert durations.describe_play({**record, "calls": {}, "test": ""}) == "site.yml --tags kafka  [no calls]"


def test_what_is_kept_is_read_back(tmp_path):
    path = tmp_path / "log" / "plays.jsonl"
    assert durations.read(path) == []
    durations.keep(path, {"seconds": 1})
    durations.keep(path, {"seconds": 2, "args": ["한글\n"]})
    assert durations.read(path) == [{"seconds": 1}, {"seconds": 2, "args": ["한글\n"]}]
