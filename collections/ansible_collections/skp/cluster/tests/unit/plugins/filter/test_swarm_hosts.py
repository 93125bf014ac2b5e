# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the swarm is told of every host."""

from __future__ import annotations

from ansible_collections.skp.cluster.plugins.filter.swarm_bootstrap import swarm_bootstrap
from ansible_collections.skp.cluster.plugins.filter.swarm_hosts import swarm_hosts
from ansible_collections.skp.cluster.plugins.module_utils.engine import facts as engine_facts

GROUPS = {"all": ["c1", "c2", "c3"], "master": ["c1"], "manager": ["c2"], "worker": ["c3"]}
ACTIVE = dict(engine_facts.EMPTY, running=True, swarm_state="active", node_id="n1", cluster_id="X", is_manager=True)
OUT = dict(engine_facts.EMPTY, running=True)
HOSTVARS = {
    "c1": {"ansible_host": "10.0.0.1", "__engine": {"engine": ACTIVE},
           "skp_labels": {"kafka": "enable", "spark-worker": "disable", "rack": "disable"}},
    "c2": {"ansible_host": "10.0.0.2", "__engine": {"unreachable": True}, "swarm_advertise_addr": "192.168.0.2"},
    "c3": {"ansible_host": "10.0.0.3", "__engine": {"engine": OUT}, "__swarm_join": {"node_id": "n3"}},
}


def test_roles_addresses_and_labels():
    """The master is a manager; a service switched off is no label, another label with that word is one."""
    hosts = swarm_hosts(GROUPS["all"], HOSTVARS, GROUPS, GROUPS["all"])
    assert [(host["role"], host["master"]) for host in hosts.values()] == [("manager", True), ("manager", False), ("worker", False)]
    assert [host["addr"] for host in hosts.values()] == ["10.0.0.1", "192.168.0.2", "10.0.0.3"]
    assert hosts["c1"]["labels"] == {"kafka": "enable", "rack": "disable"}
    assert [bool(host["engine"]) for host in hosts.values()] == [True, False, True]


def test_a_decision_follows_from_it():
    """The new node joins through the member that answers."""
    decision = swarm_bootstrap(swarm_hosts(GROUPS["all"], HOSTVARS, GROUPS, GROUPS["all"]))
    assert (decision["manager"], decision["join"], decision["error"]) == ("c1", ["c3"], "")


def test_an_error_is_returned_not_raised():
    """A task shows it as its message."""
    hosts = swarm_hosts(GROUPS["all"], {"c1": {}, "c2": {}, "c3": {"__engine": {"engine": OUT}}}, GROUPS, GROUPS["all"])
    decision = swarm_bootstrap(hosts)
    assert "c1" in decision["error"] and decision["join"] == []


def test_hosts_outside_the_run_count_only_once_asked():
    """With a limit, an answer of a loop over the others is used."""
    limited = swarm_hosts(GROUPS["all"], {"c1": {}, "c2": {}, "c3": HOSTVARS["c3"]}, GROUPS, ["c3"])
    assert [host["asked"] for host in limited.values()] == [False, False, True]
    probed = [{"item": "c1", "engine": ACTIVE}, {"item": "c2", "unreachable": True}]
    asked = swarm_hosts(GROUPS["all"], {"c1": {}, "c2": {}, "c3": HOSTVARS["c3"]}, GROUPS, ["c3"], probed=probed)
    assert [host["asked"] for host in asked.values()] == [True, True, True]
    assert (asked["c1"]["engine"], asked["c2"]["engine"], asked["c1"]["joins"]) == (ACTIVE, None, False)


def test_node_ids_of_nodes_that_have_just_joined():
    """The join's id counts, not the facts of before; in check mode there is none yet."""
    decision = {"join": ["c3"], "init": None}
    assert swarm_hosts(["c3"], HOSTVARS, GROUPS, ["c3"], decision=decision)["c3"]["node_id"] == "n3"
    failed = {"c3": {"__engine": {"engine": OUT}, "__swarm_join": {"failed": True}}}
    assert not swarm_hosts(["c3"], failed, GROUPS, ["c3"], decision=decision)["c3"]["joining"]
    assert swarm_hosts(["c3"], failed, GROUPS, ["c3"], decision=decision, predict=True)["c3"]["joining"]
    started = swarm_hosts(["c3"], failed, GROUPS, ["c3"], decision={"init": "c3"}, started={"node_id": "n9"})
    assert started["c3"]["node_id"] == "n9"


def test_whether_a_node_encrypts_is_known_only_of_nodes_that_answer():
    hostvars = {"c1": {"__engine": {"engine": dict(ACTIVE, encryption="yes", version="26.1.5")}}, "c2": {}}
    hosts = swarm_hosts(["c1", "c2"], hostvars, GROUPS, ["c1", "c2"])
    assert [(host["encryption"], host["version"]) for host in hosts.values()] == [("yes", "26.1.5"), ("", "")]
