# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What skp_service refuses before it plans."""

from __future__ import annotations

import types

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service
from ansible_collections.skp.cluster.plugins.modules import skp_service


@pytest.fixture(autouse=True)
def _records(monkeypatch):
    generations = {"kafka": 3, "zookeeper": 5}
    monkeypatch.setattr(skp_service.members_io, "read_members", lambda client, name: ({"generation": generations[name]}, []))


def test_services_made_with_the_present_ids():
    skp_service.refuse_other_members("client", "kafka", {"kafka": 3, "zookeeper": "5"})
    skp_service.refuse_other_members("client", "spark", {})


def test_services_made_with_ids_that_another_run_has_changed():
    with pytest.raises(Failure, match="Role kafka: .* zookeeper from generation 4 to 5. Nothing was changed") as caught:
        skp_service.refuse_other_members("client", "kafka", {"kafka": 3, "zookeeper": 4})
    assert (caught.value.failure["kind"], caught.value.failure["generations"]) == ("members_changed", {"zookeeper": [4, 5]})


def test_check_mode_before_the_first_run():
    skp_service.refuse_other_members(None, "kafka", {"kafka": 0})


@pytest.mark.parametrize("params, generations, drops", [
    ({}, [{"id": "c1"}], True), ({}, [], False), ({"purge": False}, [{"id": "c1"}], False), ({"limit_hosts": ["c01"]}, [{"id": "c1"}], False),
    ({"state": "present"}, [{"id": "c1"}], False),
])
def test_a_purge_that_only_drops_a_record_is_a_change(params, generations, drops):
    assert skp_service.drops_placement(dict({"state": "absent", "purge": True, "limit_hosts": []}, **params), generations) is drops


def test_the_order_is_decided_when_a_service_that_starts_has_become_healthy(monkeypatch):
    io = skp_service.service_io
    task = {"ServiceID": "s1", "NodeID": "n1", "DesiredState": "running"}
    later = [[dict(task, Status={"State": "starting"})], [dict(task, Status={"State": "running"})]]
    monkeypatch.setattr(io, "_tasks", lambda client, ids: later.pop(0))
    monkeypatch.setattr(io.time, "sleep", lambda seconds: None)
    state = {"nodes": [{"id": "n1", "ready": True, "state": "ready"}], "services": {"kafka-skp-1": {"id": "s1"}},
             "tasks": [dict(task, Status={"State": "starting"})]}
    actions = [{"do": "update", "name": "kafka-skp-1", "id": "s1", "restarts": True}]
    assert io.service_plan.running_names(io._started("client", state, actions)) == {"kafka-skp-1"} and not later


IMAGE = "localhost:5000/web:1"
WEB = {"name": "web", "image": IMAGE, "label": "web", "secrets": [{"name": "token", "content": "x"}]}
GIVEN = {"role": "web", "members": {}, "renamed": {}, "label_hosts": {"web": ["c1", "c2"]}, "limit_hosts": [], "joining": [], "services": [WEB],
         "state": "present", "gate": None, "serial": 0, "registry": "localhost:5000", "rebuilt": [], "network": "net", "secret_generations": {"token": 2},
         "own_networks": {}, "data_policy": "refuse", "purge": False, "wait": True, "timeout": 1, "settle": 0}


def node(host, availability="active"):
    """A node of the swarm that has the label of the service."""
    return {"id": "node-" + host, "hostname": host, "host": host, "ready": True, "state": "ready", "active": availability == "active",
            "availability": availability, "engine": "28.5.2", "facts": {"node.role": "manager", "node.labels.skp.host": host, "node.labels.web": "enable"}}


@pytest.mark.parametrize("given, availability, kind", [
    ({"secret_generations": {"token": 1}}, "active", "old_secrets"),
    ({"label_hosts": {"web": ["c1", "c2"], "cache": ["c9"]}}, "active", "node_missing"),
    ({"state": "absent", "limit_hosts": ["c1"]}, "active", "limit"),
    ({"services": [dict(WEB, env={"A": "1"})]}, "pause", "paused"),
    ({}, "active", None),
], ids=["older secrets", "a label outside the swarm", "limit", "paused node", "nothing to refuse"])
def test_refused_before_anything_is_written(monkeypatch, given, availability, kind):
    """A service by label runs on c1 and c2, made with generation 2 of its secret. What would harm it ends the run before its first write."""
    written = []
    built = build_service(WEB, "web", "net", {IMAGE: "sha256:aa"}, engine=28, generations={"token": 2}, own_labels=["web"])
    tasks = [{"ID": host, "ServiceID": "s1", "NodeID": "node-" + host, "DesiredState": "running", "Status": {"State": "running"},
              "Spec": built["payload"]["TaskTemplate"]} for host in ("c1", "c2")]
    state = dict(skp_service.service_plan.EMPTY_STATE, nodes=[node("c1"), node("c2", availability)], tasks=tasks,
                 services={"web": {"id": "s1", "version": 1, "spec": built["payload"], "update_state": ""}})
    io = skp_service.service_io
    monkeypatch.setattr(skp_service.engine, "connect_or_predict", lambda module, manager: "client")
    monkeypatch.setattr(io, "read_state", lambda client, role, renamed: state)
    monkeypatch.setattr(io, "resolve_images", lambda *args, **options: {IMAGE: "sha256:aa"})
    for name in ("create_networks", "converge", "remove_networks"):
        monkeypatch.setattr(io, name, lambda *args, **options: written.append(args) or {})
    monkeypatch.setattr(skp_service.members_io, "set_node_labels", lambda *args: written.append(args))
    module = types.SimpleNamespace(params=dict(GIVEN, **given), check_mode=False, _diff=False, warn=print)
    if kind is None:
        skp_service.run(module, {})
        assert written, "the calls that this test looks at are those that write"
        return
    with pytest.raises(Failure) as refusal:
        skp_service.run(module, {})
    assert refusal.value.failure["kind"] == kind and not written
