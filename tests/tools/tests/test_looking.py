# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab tests' eyes make of the engine's output: a service that lacks a task is named, versions tell specs apart."""

from __future__ import annotations

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lab"))

import lablib  # noqa: E402  (the path above comes first)


def test_a_service_that_lacks_a_task_is_named():
    assert lablib.incomplete("a 1/1\nb 0/1\nc 2/3 (max 1 per node)\nd 3/3\ne 0/0\n") == ["b 0/1", "c 2/3", "e 0/0"]


def test_versions_differ_with_the_spec_and_no_services_are_none():
    def shown(version, args):
        return json.dumps([{"Version": {"Index": version}, "Spec": {"Name": "a", "Args": args}}])

    assert lablib.versions("\n") == {} == lablib.versions("[]")
    assert lablib.versions(shown(7, 1))["a"][0] == 7
    assert lablib.versions(shown(7, 1)) == lablib.versions(shown(7, 1)) != lablib.versions(shown(7, 2))
