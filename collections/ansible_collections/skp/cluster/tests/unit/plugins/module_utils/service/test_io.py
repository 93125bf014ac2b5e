# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying a plan: what is asked of the swarm, and in which order. The engine is a list of what it was asked."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.service import io

NEW = {"config": {"create": {"kafka-conf-2": {"hash": "2", "data": "", "text": ""}}, "drop": {"kafka-conf-1": "c1"}}}
PLAN = {"configs": NEW["config"], "secrets": {"create": {}, "drop": {}},
        "actions": [{"do": "update", "name": "kafka-skp-1", "id": "s1", "fields": ["config"], "payload": {}, "host": "c01", "restarts": True}]}
STATE = {"services": {"kafka-skp-1": {"id": "s1"}}, "tasks": [{"ServiceID": "s1", "NodeID": "n1", "Status": {"State": "running"}, "DesiredState": "running"}],
         "nodes": [{"id": "n1", "ready": True, "state": "ready"}], "configs": {}, "secrets": {}, "networks": {}}


def test_a_gate_that_stays_closed_leaves_nothing_behind(monkeypatch):
    """The gate is asked before configs are made: those of a refused run would be removed by the next one, which would then report a change."""
    asked = []
    monkeypatch.setattr(io.engine, "post", lambda client, path, *args, **more: asked.append(path) or {"ID": "x"})
    monkeypatch.setattr(io, "wait_for", lambda *args: {})

    def closed(*args):
        raise Failure("a replica is not in sync", kind="gate")

    with pytest.raises(Failure, match="not in sync"):
        io.converge(None, "kafka", PLAN, STATE, ["kafka-skp-1"], serial=1, gate=closed)
    assert asked == []
