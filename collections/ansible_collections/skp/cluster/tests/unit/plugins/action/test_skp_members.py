# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Member ids without a call: what a visit has seen decides, or the module runs."""

from __future__ import annotations

import types

import pytest

from ansible.plugins.loader import action_loader

RECORD = {"version": 1, "service": "kafka", "members": {"c1": 1}, "retired": {}, "nodes": {"c1": "n1"}, "facts": {}}
SEEN = {"records": {"kafka": [{"id": "r", "generation": 2, "content": RECORD}]}, "running": ["kafka"], "nodes": [
    {"ID": "n1", "CreatedAt": "2026", "Status": {"State": "ready"}, "Spec": {"Labels": {"skp.host": "c1", "skp.kafka.id": "1"}}}]}
WISH = {"service": "kafka", "hosts": ["c1"], "found": {"c1": 1}}


def run(monkeypatch, **arguments):
    """(result, options of the module that was called, None without a call)."""
    task = types.SimpleNamespace(args=arguments, check_mode=False, async_val=0, diff=False, action="skp.cluster.skp_members")
    plugin = action_loader.get("skp.cluster.skp_members", task=task, play_context=None, loader=None, templar=None,
                               connection=types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir="/nowhere")), shared_loader_obj=None)
    called = []
    monkeypatch.setattr(plugin, "_execute_module", lambda module_args, task_vars: called.append(module_args) or {"changed": True})
    return plugin.run(task_vars={}), (called or [None])[0]


def test_nothing_to_do_needs_no_call(monkeypatch):
    result, called = run(monkeypatch, **WISH, seen=SEEN)
    assert (result["ids"], result["changed"], result["generations"], called) == ({"c1": 1}, False, {"kafka": 2}, None)


@pytest.mark.parametrize("change", [{"seen": {}}, {"seen": SEEN, "hosts": ["c1", "c2"]}, {"seen": SEEN, "found": {"c1": "x"}}, {"seen": SEEN, "hosst": []}],
                         ids=["not seen", "a new member", "a wrong id", "an unknown option"])
def test_else_the_module_runs(monkeypatch, change):
    result, called = run(monkeypatch, **{**WISH, **change})
    assert result["changed"] and called == {name: value for name, value in {**WISH, **change}.items() if name != "seen"}
