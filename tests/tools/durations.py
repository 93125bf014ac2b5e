# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long every test and every playbook run took: kept as JSON lines in build/log, the dearest printed at the end of a suite.

``python tests/tools/durations.py`` prints what the last run kept.
"""

from __future__ import annotations

import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOG = ROOT / "build" / "log"
TESTS = LOG / "durations.jsonl"
PLAYS = LOG / "plays.jsonl"
COUNT = 20


def keep(path: pathlib.Path, record: dict) -> None:
    """Append one record as a line. Several processes may do so at once: a line is one write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", buffering=1) as stream:
        stream.write(json.dumps(record, ensure_ascii=False) + "\n")


def read(path: pathlib.Path) -> list[dict]:
    """Return the records of a file, none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def forget() -> None:
    """Remove the records of the last run."""
    for path in (TESTS, PLAYS):
        path.unlink(missing_ok=True)


def describe_test(record: dict) -> str:
    """Say which test a record is of, and in which part of it the time went where that is not the test itself."""
    return record["test"] + ("" if record["when"] == "call" else " (%s)" % record["when"])


def describe_play(record: dict) -> str:
    """Say what was run, how many module calls each node saw, and by which test."""
    calls = " ".join("%s:%d" % (node, count) for node, count in sorted(record["calls"].items()))
    test = record["test"].split("::")[-1]
    return "%s  [%s]%s" % (" ".join(record["args"]), calls or "no calls", "  " + test if test else "")


def dearest(title: str, records: list[dict], describe, count: int = COUNT) -> list[str]:
    """Return the lines of one list: the `count` longest records, then how many there were and what they took together."""
    longest = sorted(records, key=lambda record: -record["seconds"])[:count]
    lines = ["", "%s (the %d longest of %d, %.0f s in all)" % (title, len(longest), len(records), sum(r["seconds"] for r in records))]
    return lines + ["%7.1f s  %s" % (record["seconds"], describe(record)[:140]) for record in longest]


def report() -> str:
    """Return both lists of what is kept; an empty text where nothing is."""
    lines = []
    for title, path, describe in (("tests", TESTS, describe_test), ("playbook runs", PLAYS, describe_play)):
        records = read(path)
        lines += dearest(title, records, describe) if records else []
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
