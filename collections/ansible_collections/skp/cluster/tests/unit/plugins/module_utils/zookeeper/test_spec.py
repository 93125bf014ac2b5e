# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A member and its one-shot service as entries of skp_service, and what makes them safe."""

from __future__ import annotations

import copy
import itertools

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service
from ansible_collections.skp.cluster.plugins.module_utils.service.spec import Spec
from ansible_collections.skp.cluster.plugins.module_utils.zookeeper import config, spec

COMMON = {"image": "zk:1", "env": {"ZOO_HEAP_OPTS": "-Xmx1g", "SERVER_JVMFLAGS": "-Dmine=1"}, "user": "1002",
          "mounts": [{"source": "/var/lib/skp/zookeeper", "target": "/var/lib/zookeeper"}],
          "healthcheck": {"test": ["CMD", "true"], "interval": "3s"}}
HOSTS = {1: "c01", 2: "c02", 3: "c03"}


def payload(number, servers, settings=None):
    text = config.render_zoo_cfg(settings or {"tickTime": 2000}, "zookeeper-skp", servers)
    return build_service(spec.member_service(COMMON, "zookeeper-skp", number, HOSTS[number], servers, text), "zookeeper", "net-skp", {})["payload"]


def test_member_service_has_what_makes_it_safe():
    service = spec.member_service(COMMON, "zookeeper-skp", 2, "c02", [3, 1, 2], "text")
    assert service["name"] == service["hostname"] == "zookeeper-skp-2" and service["host"] == "c02"
    assert service["env"]["ZOO_MY_ID"] == "2"
    flags = service["env"]["SERVER_JVMFLAGS"].split()
    assert flags[0] == "-Dmine=1" and "-Dzookeeper.db.autocreate=false" in flags
    assert {item["target"]: item["content"] for item in service["configs"]}["/etc/zookeeper/zoo.cfg"] == "text"
    assert service["labels"]["skp.zk.servers"] == "1,2,3"
    assert "ZOO_MY_ID" not in COMMON["env"]


def test_the_safety_flag_is_not_doubled():
    common = dict(COMMON, env={"SERVER_JVMFLAGS": "-Dzookeeper.db.autocreate=false"})
    service = spec.member_service(common, "z", 1, "c01", [1], "text")
    assert service["env"]["SERVER_JVMFLAGS"].split().count("-Dzookeeper.db.autocreate=false") == 1


@pytest.mark.parametrize("marker,command", [(True, ["skp-zookeeper-init", "2", "initialize"]), (False, ["skp-zookeeper-init", "2"])])
def test_init_service(marker, command):
    service = spec.init_service(COMMON, "zookeeper-skp", 2, "c02", marker)
    assert service["command"] == command and service["restart"] == {"condition": "none"} and service["host"] == "c02"
    assert service["mounts"] == COMMON["mounts"] and "env" not in service and "healthcheck" not in service


def test_all_orders_of_hosts_give_the_same_specs():
    first = {n: payload(n, [1, 2, 3]) for n in HOSTS}
    for order in itertools.permutations([1, 2, 3]):
        assert {n: payload(n, list(order)) for n in order} == first


def test_fingerprint_sees_a_change_by_hand_and_a_changed_list():
    ours = payload(1, [1, 2, 3])
    scaled = copy.deepcopy(ours)
    assert Spec(scaled).fingerprint == Spec(ours).fingerprint
    scaled["Mode"]["Replicated"]["Replicas"] = 0
    assert Spec(scaled).fingerprint != Spec(ours).fingerprint
    assert Spec(payload(1, [1, 2])).fingerprint != Spec(ours).fingerprint
    assert Spec(payload(1, [1, 2, 3], {"tickTime": 3000})).fingerprint != Spec(ours).fingerprint
    assert Spec(dict(ours, TaskTemplate=dict(ours["TaskTemplate"], ForceUpdate=4))).fingerprint == Spec(ours).fingerprint
