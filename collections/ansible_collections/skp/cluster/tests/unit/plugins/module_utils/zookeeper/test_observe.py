# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the swarm's state to the view the plan works on, and back to services."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service
from ansible_collections.skp.cluster.plugins.module_utils.service.spec import Spec
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.zookeeper import config, observe, plan, spec

COMMON = {"image": "zk:1", "env": {"ZOO_HEAP_OPTS": "-Xmx1g", "SERVER_JVMFLAGS": "-Dmine=1"}, "user": "1002",
          "mounts": [{"source": "/var/lib/skp/zookeeper", "target": "/var/lib/zookeeper"}],
          "healthcheck": {"test": ["CMD", "true"], "interval": "3s"}}
HOSTS = {1: "c01", 2: "c02", 3: "c03"}


def payload(number, servers, settings=None):
    text = config.render_zoo_cfg(settings or {"tickTime": 2000}, "zookeeper-skp", servers)
    return build_service(spec.member_service(COMMON, "zookeeper-skp", number, HOSTS[number], servers, text), "zookeeper", "net-skp", {})["payload"]


def state_of(servers=(1, 2, 3), nodes=("c01", "c02", "c03"), down=()):
    services = {"zookeeper-skp-%d" % n: {"id": "s%d" % n, "version": 1, "spec": payload(n, servers), "update_state": ""} for n in servers}
    return {"nodes": [{"host": host, "ready": host not in down, "active": True} for host in nodes], "networks": {}, "services": services,
            "configs": {}, "secrets": {}, "tasks": [task(1, servers), task(2, servers, desired="shutdown"), task(3, servers, state="failed")]}


def task(number, servers, state="running", desired="running", heap="-Xmx1g"):
    """A task as the engine gives it: with the template that its service had when it was made."""
    template = copy.deepcopy(payload(number, servers)["TaskTemplate"])
    template["ContainerSpec"]["Env"] = [line.replace("-Xmx1g", heap) for line in template["ContainerSpec"]["Env"]]
    return {"ID": "t%d%s" % (number, heap), "ServiceID": "s%d" % number, "Spec": template, "DesiredState": desired, "Status": {"State": state}}


def answer(mode, zxid=0x100000005):
    return {"mode": mode, "zxid": zxid, "version": "3.9.5"}


WHOLE = {1: answer("follower"), 2: answer("leader"), 3: answer("follower")}


def build(state, target=(1, 2, 3), found=None, facts=None, answers=None, **options):
    return observe.build_view(state, "zookeeper", "zookeeper-skp", list(target), HOSTS, found or {}, facts or {}, answers, **options)


SERVING = [
    ("whole", WHOLE, None, [1, 2, 3], 2),
    ("nobody answers", {1: None, 2: None, 3: None}, None, [], None),
    ("followers without a leader do not count", {1: answer("follower"), 2: None, 3: answer("follower")}, None, [], None),
    ("one is behind", {**WHOLE, 3: answer("follower", 0x100000001)}, None, [1, 2], 2),
    ("behind now, but past what the leader had at the last look", {**WHOLE, 3: answer("follower", 0x100000003)}, (2, 0x100000003), [1, 2, 3], 2),
    ("the last look was at another leader", {**WHOLE, 3: answer("follower", 0x100000003)}, (1, 0x100000003), [1, 2], 2),
    ("idle after an election", {1: answer("follower"), 2: answer("leader", 0x200000000), 3: answer("follower")}, None, [1, 2, 3], 2),
    ("a leader that was cut off", {1: answer("leader", 0x100000009), 2: answer("leader", 0x200000001), 3: answer("follower", 0x200000001)}, None,
     [2, 3], 2),
    ("an observer is no voter", {**WHOLE, 3: answer("observer")}, None, [1, 2], 2),
]


@pytest.mark.parametrize("title,answers,mark,ready,leader", SERVING, ids=[item[0] for item in SERVING])
def test_serving(title, answers, mark, ready, leader):
    assert observe.serving(answers, mark) == (ready, leader)


def test_view_of_a_whole_ensemble():
    view = build(state_of(), answers=WHOLE, facts={"bootstrapped": True, "formed": True, "servers": [1, 2, 3]},
                 found={"c01": 1, "c02": 2, "c03": 3})
    assert sorted(view["members"]) == [1, 2, 3] and view["members"][2]["leader"] and all(m["ready"] for m in view["members"].values())
    assert view["members"][1]["servers"] == [1, 2, 3] and view["members"][1]["host"] == "c01"
    assert [view["members"][n]["running"] for n in (1, 2, 3)] == [True, False, False]
    assert not view["empty"] and not view["down"] and view["bootstrapped"] and view["formed"]


OLD, PRESENT = {"heap": "-Xmx512m"}, {}
TASKS_OF_ONE = [
    ("swarm has not stopped it yet", [task(1, (1, 2, 3), **OLD)], False),
    ("it is stopping", [task(1, (1, 2, 3), desired="shutdown", **OLD), task(1, (1, 2, 3), state="preparing")], False),
    ("it was replaced", [task(1, (1, 2, 3), state="shutdown", desired="shutdown", **OLD), task(1, (1, 2, 3))], True),
    ("the last report of a node that was lost", [task(1, (1, 2, 3), desired="shutdown", **OLD), task(1, (1, 2, 3))], True),
    ("swarm has lost the task, but it answers", [], True),
]


@pytest.mark.parametrize("title, tasks, ready", TASKS_OF_ONE, ids=[item[0] for item in TASKS_OF_ONE])
def test_a_member_that_another_run_is_about_to_restart_does_not_count(title, tasks, ready):
    """A run over another manager has just changed member 1: it still answers, and stops within seconds. Then member 2 is not to be stopped too."""
    state = dict(state_of(), tasks=tasks + [task(2, (1, 2, 3)), task(3, (1, 2, 3))])
    view = build(state, answers=WHOLE, facts={"bootstrapped": True, "formed": True, "servers": [1, 2, 3]}, found={"c01": 1, "c02": 2, "c03": 3})
    assert [view["members"][number]["ready"] for number in (1, 2, 3)] == [ready, True, True]
    names = plan._Names("zookeeper-skp", HOSTS)

    def wanted(number, servers):
        """Only member 3 is still to be changed."""
        return "another" if number == 3 else view["members"][number]["hash"]

    if ready:
        assert plan.next_step(view, [1, 2, 3], wanted, names)["ids"] == [3]
    else:
        with pytest.raises(Failure) as refusal:
            plan.next_step(view, [1, 2, 3], wanted, names)
        assert (refusal.value.failure["kind"], refusal.value.failure["not_serving"]) == ("quorum", [1])


def test_down_nodes_wiped_data_and_what_was_not_looked_at():
    view = build(state_of(nodes=("c01", "c02"), down=("c02",)), answers=WHOLE, found={"c01": None})
    members = view["members"]
    assert (members[1]["empty"], members[2]["empty"]) == (True, False)
    assert [members[n]["node_up"] for n in (1, 2, 3)] == [True, False, False]
    assert build(state_of(nodes=("c01", "c02")), assume_nodes=True)["members"][3]["node_up"]


@pytest.mark.parametrize("found,bootstrapped,empty", [
    ({"c01": None, "c02": None, "c03": None}, False, [1, 2, 3]),
    ({"c01": 1, "c02": 2, "c03": None}, True, [3]),
    ({"c01": 1, "c02": 2, "c03": 3}, True, []),
])
def test_data_that_the_swarm_has_forgotten_is_adopted(found, bootstrapped, empty):
    state = dict(state_of(), services={})
    view = build(state, found=found)
    assert view["bootstrapped"] is bootstrapped and view["formed"] is bootstrapped and view["empty"] == empty
    assert view["servers"] == ([1, 2, 3] if bootstrapped else [])


def test_an_interrupted_bootstrap_is_no_ensemble_yet():
    state = dict(state_of(), services={})
    view = build(state, found={"c01": 1, "c02": 2, "c03": 3}, facts={"bootstrapped": True, "formed": False, "servers": [1, 2, 3]})
    assert view["bootstrapped"] and not view["formed"]


def test_a_first_start_that_stopped_half_way_is_no_lost_ensemble():
    """Ids were written on one node of three, then the run failed: nothing has ever run."""
    state = dict(state_of(), services={})
    view = build(state, found={"c01": 1, "c02": None, "c03": None}, facts={"bootstrapping": True, "servers": [1, 2, 3]})
    assert (view["bootstrapped"], view["formed"], view["adopted"]) == (False, False, False)


@pytest.mark.parametrize("facts, adopted", [({}, True), ({"bootstrapped": True, "formed": True, "servers": [1, 2, 3]}, False)])
def test_the_view_says_that_the_record_is_lost(facts, adopted):
    assert build(dict(state_of(), services={}), found={"c01": 1, "c02": 2, "c03": 3}, facts=facts)["adopted"] is adopted


def test_a_node_that_a_new_leader_of_the_swarm_has_not_heard_of_is_not_down():
    state = state_of(down=("c02", "c03"))
    for node, word in zip(state["nodes"], ("ready", "unknown", "down")):
        node["state"] = word
    assert observe.hosts_up(state) == {"c01": True, "c02": True, "c03": False}
    state["nodes"][1]["active"] = False
    assert not observe.hosts_up(state)["c02"], "a paused node can start nothing"


def test_services_of_another_prefix():
    state = state_of()
    state["services"]["zk-init-1"] = {"spec": {"Labels": {"skp.role": "zookeeper"}}}
    state["services"]["stranger-1"] = {"spec": {"Labels": {"skp.role": "other", "skp.zk.servers": "1"}}}
    assert observe.other_prefixes(state, "zookeeper", "zookeeper-skp") == {}
    assert observe.other_prefixes(state, "zookeeper", "zk") == {"zookeeper-skp": ["zookeeper-skp-1", "zookeeper-skp-2", "zookeeper-skp-3"]}


def test_leftovers_and_strangers():
    state = state_of()
    state["services"]["zookeeper-skp-init-2"] = {"spec": {"Labels": {"skp.role": "zookeeper"}}}
    state["services"]["zookeeper-skp-9"] = {"spec": {"Labels": {"skp.role": "other"}}}
    state["services"]["zookeeper-skp-init-3"] = {"spec": {}}
    assert observe.leftovers(state, "zookeeper", "zookeeper-skp") == ["zookeeper-skp-init-2"]
    assert sorted(observe.member_services(state, "zookeeper", "zookeeper-skp")) == [1, 2, 3]


def test_an_update_that_swarm_has_paused_counts_as_a_difference():
    state = state_of()
    state["services"]["zookeeper-skp-1"]["update_state"] = "paused"
    view = build(state)
    assert view["members"][1]["hash"] != Spec(payload(1, [1, 2, 3])).fingerprint and view["members"][2]["hash"] == Spec(payload(2, [1, 2, 3])).fingerprint
