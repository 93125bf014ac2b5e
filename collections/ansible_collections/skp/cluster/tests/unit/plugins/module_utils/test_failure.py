# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error: its two parts, and what a module ends with."""

from __future__ import annotations

import pathlib

from ansible_collections.skp.cluster.plugins.module_utils.engine.client import EngineError
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail, json_able


class Module:
    """Keeps what it was ended with."""

    def fail_json(self, **result):
        self.result = result


def test_a_failure_has_a_sentence_and_a_machine_part():
    failure = Failure("c01: no disk.", "no_disk", host="c01")
    assert str(failure) == failure.msg == "c01: no disk."
    assert failure.failure == {"kind": "no_disk", "host": "c01"}


def test_a_subclass_is_caught_as_a_failure():
    try:
        raise EngineError("no answer", kind="api", status=404)
    except Failure as exc:
        assert exc.failure == {"kind": "api", "status": 404}


def test_the_machine_part_can_be_sent_as_json():
    value = {1: (2, 3), "set": {"b", "a"}, "path": pathlib.PurePosixPath("/x"), "none": None, "deep": [{"t": ()}]}
    assert json_able(value) == {"1": [2, 3], "set": ["a", "b"], "path": "/x", "none": None, "deep": [{"t": []}]}


def test_a_module_ends_with_both_parts_and_more():
    module = Module()
    fail(module, Failure("c01: no disk.", kind="no_disk"), changed=True)
    assert module.result == {"msg": "c01: no disk.", "failure": {"kind": "no_disk"}, "changed": True}
