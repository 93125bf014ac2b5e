# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What skp_service refuses before it plans."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
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
