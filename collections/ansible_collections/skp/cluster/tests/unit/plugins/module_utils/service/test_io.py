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


def test_networks_of_a_role_are_made_and_removed(monkeypatch):
    """A network is in use for a moment after its tasks have ended; one that stays in use stays, with a warning."""
    made, refusals, warnings = [], ["rpc error: network web-net is in use by task x"] * 2, []

    def delete(client, path, what):
        if refusals:
            raise io.engine.EngineError(refusals.pop(), kind="api")
        made.remove(path)

    monkeypatch.setattr(io.engine, "post", lambda client, path, body, what: made.append("/networks/n1") or {"Id": "n1"})
    monkeypatch.setattr(io.engine, "get", lambda client, path, params, what: [{"Id": "n1", "Name": "web-net"}])
    monkeypatch.setattr(io.engine, "delete", delete)
    monkeypatch.setattr(io.time, "sleep", lambda seconds: None)
    state = {"networks": {}}
    io.create_networks("client", [{"name": "web-net", "body": {}}], state)
    assert state["networks"] == {"n1": "web-net"}
    io.remove_networks("client", "web", warnings.append)
    assert (made, refusals, warnings) == ([], [], [])
    monkeypatch.setattr(io, "NETWORK_LIMIT", -1)
    refusals.append("network web-net has active endpoints")
    io.remove_networks("client", "web", warnings.append)
    assert len(warnings) == 1 and "web-net is still in use" in warnings[0]
    refusals.append("no such swarm")
    with pytest.raises(io.engine.EngineError):
        io.remove_networks("client", "web", warnings.append)
