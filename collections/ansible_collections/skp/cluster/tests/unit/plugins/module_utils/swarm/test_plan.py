# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who starts a swarm, who joins, and what is synced."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.engine import facts as engine_facts
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.swarm import plan

OUT = dict(engine_facts.EMPTY, installed=True, running=True)
NEW = dict(engine_facts.EMPTY)


def member(cluster="X", manager=False, **more):
    """Engine facts of a member of a swarm."""
    return dict(OUT, swarm_state="active", cluster_id=cluster, is_manager=manager, node_id="n", remote_managers=["10.0.0.1:2377"], **more)


def site(engines, managers=3, outside=(), unasked=()):
    """hosts as bootstrap takes them: c1, c2, ... in order, c1 the master."""
    return {"c%d" % number: {"role": "manager" if number <= managers else "worker", "master": number == 1, "addr": "10.0.0.%d" % number,
                             "joins": "c%d" % number not in outside, "asked": "c%d" % number not in unasked, "engine": engine}
            for number, engine in enumerate(engines, 1)}


DECISIONS = [
    # (case, hosts, options, {expected keys of the decision})
    ("first run", site([OUT, OUT, OUT]), {}, {"init": "c1", "manager": None, "join": ["c2", "c3"]}),
    ("all in", site([member(manager=True), member(manager=True), member()]), {},
     {"init": None, "manager": "c1", "join": [], "cluster_id": "X"}),
    ("a new worker", site([member(manager=True), OUT]), {}, {"init": None, "manager": "c1", "join": ["c2"]}),
    ("the master was wiped", site([OUT, member(manager=True), member(manager=True)]), {}, {"init": None, "manager": "c2", "join": ["c1"]}),
    ("the master does not answer", site([None, member(manager=True), member()]), {}, {"init": None, "manager": "c2", "join": []}),
    ("the master has lost the majority, another has not",
     site([member(manager=True, swarm_error="no leader"), member(manager=True), OUT]), {}, {"manager": "c2", "join": ["c3"]}),
    ("a worker does not answer", site([OUT, OUT, OUT, None]), {}, {"init": "c1", "join": ["c2", "c3"]}),
    ("an unreachable manager, told to go on", site([OUT, None]), {"without_unreachable": True}, {"init": "c1", "join": []}),
    ("limit to a member that is a manager",
     site([None, member(manager=True)], outside=["c1"], unasked=["c1"]), {}, {"manager": "c2", "probe": []}),
    ("limit to a worker: managers are asked first",
     site([None, None, member()], managers=2, outside=["c1", "c2"], unasked=["c1", "c2"]), {},
     {"probe": ["c1", "c2"], "init": None, "join": []}),
    ("limit to a new node: everybody is asked first", site([OUT, None, None], managers=1, outside=["c2", "c3"], unasked=["c2", "c3"]), {},
     {"probe": ["c2", "c3"], "init": None}),
    ("limit, asked: only the limited one joins",
     site([member(manager=True), OUT, OUT], outside=["c1", "c3"]), {}, {"manager": "c1", "join": ["c2"]}),
    ("abandoned swarm", site([OUT, member(), member()], managers=1), {"abandon": "X"},
     {"init": "c1", "join": ["c2", "c3"], "leave": ["c2", "c3"]}),
    ("check mode before the engine", site([NEW, NEW]), {"predict": True}, {"init": "c1", "join": ["c2"], "refused": {}}),
    ("check mode, a stopped engine is a member",
     site([member(manager=True), dict(NEW, swarm_state="stopped", cluster_id="X")]), {"predict": True},
     {"manager": "c1", "join": [], "refused": {}}),
]


@pytest.mark.parametrize("hosts, options, expected", [row[1:] for row in DECISIONS], ids=[row[0] for row in DECISIONS])
def test_bootstrap(hosts, options, expected):
    """The decision has the expected parts, and the facts are left as they are."""
    before = copy.deepcopy(hosts)
    decision = plan.bootstrap(hosts, **options)
    assert {key: decision[key] for key in expected} == expected
    assert hosts == before


REFUSALS = [
    ("two swarms", site([member("X", True), member("Y", True, swarm_error="")]), {}, ["c2", "Y", "X"]),
    ("a worker of another swarm", site([member("X", True), member("X", True), member("Z")]), {}, ["c3", "Z", "X", "10.0.0.1:2377"]),
    ("all managers wiped", site([OUT, OUT, OUT, member()]), {}, ["c4", "X", "swarm_abandon=X", "c1, c2, c3"]),
    ("another swarm is abandoned", site([OUT, member()], managers=1), {"abandon": "Y"}, ["swarm_abandon=X"]),
    ("majority lost", site([OUT, None, member(manager=True, swarm_error="no leader")]), {}, ["c3", "no leader", "c2"]),
    ("a stopped engine of a swarm and a wiped master", site([OUT, dict(NEW, swarm_state="stopped", cluster_id="X", installed=True)]), {},
     ["c2", "stopped", "X"]),
    ("master unreachable at first", site([None, OUT]), {}, ["master c1", "10.0.0.1"]),
    ("another manager unreachable at first", site([OUT, OUT, None]), {}, ["c3", "swarm_init_without_unreachable"]),
    ("no master", {name: dict(host, master=False) for name, host in site([OUT, OUT]).items()}, {}, ["hosts.json", "master"]),
    ("limit leaves out the master at first", site([OUT, OUT], outside=["c1"]), {}, ["c1", "--limit"]),
    ("the master's engine does not run", site([NEW, OUT]), {}, ["c1", "--tags engine"]),
]


@pytest.mark.parametrize("hosts, options, words", [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_bootstrap_refuses(hosts, options, words):
    """The message names hosts, swarms and the way out."""
    with pytest.raises(Failure) as caught:
        plan.bootstrap(hosts, **options)
    assert all(word in caught.value.msg for word in words), caught.value.msg


@pytest.mark.parametrize("state, words", [
    ("locked", "swarm unlock"), ("pending", "10.0.0.1:2377"), ("error", "swarm leave"), ("stopped", "--tags engine"),
])
def test_one_unfit_node_is_refused_alone(state, words):
    """The others go on."""
    unfit = dict(member(), swarm_state=state, running=state != "stopped")
    decision = plan.bootstrap(site([member(manager=True), unfit, OUT]))
    assert list(decision["refused"]) == ["c2"] and words in decision["refused"]["c2"]
    assert decision["join"] == ["c3"]


# --- the sync

def node(number, host="", role="worker", state="ready", labels=None, created="2026-01-01"):
    """A node of the swarm, as node_summary gives it."""
    names = dict(labels or {}, **({"skp.host": host} if host else {}))
    return {"id": "n%d" % number, "labels": names, "role": role, "state": state, "hostname": "h%d" % number, "addr": "10.0.0.%d" % number,
            "reachable": role == "manager" and state == "ready", "leader": False, "created": created}


def wish(hosts, subnet="10.200.0.0/20", encrypted=False, inventory=None):
    """desired as plan takes it. hosts: {name: (role, labels, node id)}."""
    return {"hosts": {name: {"role": role, "addr": "10.0.0.%s" % name[1:], "labels": labels, "node_id": node_id, "joining": False,
                             "encryption": "unknown"} for name, (role, labels, node_id) in hosts.items()},
            "inventory": inventory or list(hosts), "network": {"name": "net-skp", "subnet": subnet, "encrypted": encrypted}}


NETWORK = {"Name": "net-skp", "Driver": "overlay", "Scope": "swarm", "Attachable": True,
           "IPAM": {"Config": [{"Subnet": "10.200.0.0/20"}]}, "Options": {}}


def test_sync_and_second_run():
    """Labels come and go, others' stay; then nothing is left to do."""
    nodes = [node(1, role="manager", labels={"mine": "yes"}),
             node(2, "c2", labels={"old": "enable", "kafka": "enable", "skp.labels": "kafka,old", "skp.kafka.id": "3"})]
    desired = wish({"c1": ("manager", {"spark-master": "enable", "rack": "r1"}, "n1"), "c2": ("worker", {"kafka": "enable"}, "n2")})
    first = plan.plan(nodes, None, desired)
    assert first["create_network"] and [item["host"] for item in first["updates"]] == ["c1", "c2"]
    assert first["updates"][0]["after"]["labels"] == {"mine": "yes", "spark-master": "enable", "rack": "r1", "skp.host": "c1",
                                                      "skp.labels": "rack,spark-master"}
    assert first["updates"][1]["after"]["labels"] == {"kafka": "enable", "skp.kafka.id": "3", "skp.host": "c2", "skp.labels": "kafka"}
    after = [dict(item, labels=update["after"]["labels"]) for item, update in zip(nodes, first["updates"])]
    second = plan.plan(after, NETWORK, desired)
    assert (second["updates"], second["stale"], second["create_network"]) == ([], [], False)
    assert second["before"] == second["after"]


WEB = ({"id": "s4", "name": "web", "label": "web"}, {"id": "s5", "name": "db", "label": ""})


def after_with_web(label, wanted, in_use, services=WEB, carried=None):
    """The labels of a node after the update. label, wanted: whether the node and hosts.json have the label web; carried: those of its old entry."""
    labels = {"skp.labels": "web", **({"web": "enable"} if label else {})}
    nodes = [node(1, "c1", role="manager"), node(2, "" if carried else "c2", labels=labels)]
    nodes += [node(3, "c2", state="down", labels=carried)] if carried else []
    desired = wish({"c1": ("manager", {}, "n1"), "c2": ("worker", {"web": "enable"} if wanted else {}, "n2")})
    result = plan.plan(nodes, NETWORK, dict(desired, labels_in_use=in_use), services=services)
    return next((item["after"]["labels"] for item in result["updates"] if item["host"] == "c2"), labels)


def test_the_label_of_a_present_service_is_left_to_its_role():
    """Set here, the swarm started the old service there at once, and pulled its image."""
    assert "web" not in after_with_web(False, True, ["web"])
    assert after_with_web(True, False, ["web"])["web"] == "enable"
    assert "web" not in after_with_web(False, True, ["web"], carried={"web": "enable", "skp.labels": "web"})


def test_a_label_without_a_service_or_without_a_host_is_set_or_removed_here():
    """No role would do it: none has a service by this label, or no host is left in the group of the role."""
    assert after_with_web(False, True, ["web"], services=[])["web"] == "enable"
    assert "web" not in after_with_web(True, False, ["web"], services=[])
    assert "web" not in after_with_web(True, False, [])


def test_a_label_that_a_run_left_behind_is_ours():
    """A run that ended before the role left the label, and skp.labels no longer names it."""
    nodes = [node(1, "c1", role="manager"), node(2, "c2", labels={"web": "enable", "gpu": "enable", "skp.labels": ""})]
    result = plan.plan(nodes, NETWORK, wish({"c1": ("manager", {}, "n1"), "c2": ("worker", {}, "n2")}), services=WEB)
    assert [item["after"]["labels"] for item in result["updates"] if item["host"] == "c2"] == [{"gpu": "enable", "skp.host": "c2", "skp.labels": ""}]


def test_order_of_hosts_and_nodes_changes_nothing():
    """The plan does not depend on the order of the file."""
    nodes = [node(1, role="manager"), node(2), node(3)]
    hosts = {"c1": ("manager", {"a": "enable", "b": "enable"}, "n1"), "c2": ("worker", {}, "n2"), "c3": ("worker", {}, "n3")}
    forth = plan.plan(nodes, None, wish(hosts))
    back = plan.plan(nodes[::-1], None, wish({name: (hosts[name][0], dict(reversed(hosts[name][1].items())), hosts[name][2])
                                              for name in reversed(hosts)}))
    assert forth == back


def test_a_node_that_lost_its_state_gets_its_labels_back():
    """The old entry's labels go to the new one, the old entry goes."""
    old = {"skp.kafka.id": "2", "kafka": "enable", "gone": "enable", "own": "x", "skp.labels": "gone,kafka"}
    nodes = [node(1, "c1", role="manager"), node(2, "c2", state="down", labels=old), node(3)]
    result = plan.plan(nodes, NETWORK, wish({"c1": ("manager", {}, "n1"), "c2": ("worker", {"kafka": "enable"}, "n3")}))
    update = next(item for item in result["updates"] if item["host"] == "c2")
    assert update["id"] == "n3"
    assert update["after"]["labels"] == {"skp.kafka.id": "2", "kafka": "enable", "own": "x", "skp.host": "c2", "skp.labels": "kafka"}
    assert result["stale"] == [{"host": "c2", "id": "n2", "state": "down", "manager": False}]


def test_a_silent_host_is_found_by_its_label_and_keeps_its_entry():
    """A label that left is removed while the node is down; nobody takes its entry for a stale one."""
    nodes = [node(1, "c1", role="manager"), node(2, "c2", state="down", labels={"kafka": "enable", "skp.labels": "kafka"})]
    result = plan.plan(nodes, NETWORK, wish({"c2": ("worker", {}, "")}, inventory=["c1", "c2"]))
    assert result["stale"] == []
    assert [(item["id"], item["after"]["labels"]) for item in result["updates"]] == [("n2", {"skp.host": "c2", "skp.labels": ""})]


def test_check_mode_predicts_a_node_that_would_join():
    """In check mode the wiped node has no id yet: the old entry is stale, the labels move."""
    desired = wish({"c2": ("worker", {"kafka": "enable"}, "")}, inventory=["c1", "c2"])
    desired["hosts"]["c2"]["joining"] = True
    result = plan.plan([node(1, "c1", role="manager"), node(2, "c2", state="down", labels={"skp.kafka.id": "2"})], NETWORK, desired)
    assert [item["id"] for item in result["stale"]] == ["n2"]
    assert result["updates"][0]["after"]["labels"]["skp.kafka.id"] == "2"


def test_two_live_nodes_under_one_name_are_refused():
    """Nobody can tell which is right."""
    with pytest.raises(Failure, match="Two live nodes"):
        plan.plan([node(1, "c1", role="manager"), node(2, "c2"), node(3, "c2")], NETWORK,
                  wish({"c2": ("worker", {}, "n3")}, inventory=["c1", "c2"]))


def renamed(nodes, hosts, inventory=None):
    return plan.plan(nodes, NETWORK, wish({name: ("worker", {}, node_id) for name, node_id in hosts.items()}, inventory=inventory))


def test_a_renamed_host_is_the_same_node():
    """Its label follows, its other labels stay, and nobody is told to remove the live node."""
    nodes = [node(1, "c1", role="manager"), node(3, "c3", labels={"skp.kafka.id": "3"})]
    result = renamed(nodes, {"n3": "n3"}, ["c1", "n3"])
    assert result["renamed"] == {"n3": ("c3", "n3")} and result["stale"] == []
    assert result["updates"][0]["after"]["labels"] == {"skp.kafka.id": "3", "skp.host": "n3", "skp.labels": ""}
    assert [text for text in result["warnings"] if "docker node rm" in text] == []


def test_two_hosts_that_swap_their_names():
    result = renamed([node(2, "c2"), node(3, "c3")], {"c3": "n2", "c2": "n3"})
    assert result["renamed"] == {"n2": ("c2", "c3"), "n3": ("c3", "c2")} and result["stale"] == []


PINS = [
    {"id": "s1", "name": "kafka-1", "constraints": ["node.labels.skp.host==c1"]},
    {"id": "s2", "name": "kafka-2", "constraints": ["node.labels.skp.host==c2", "node.labels.gpu!=enable"]},
    {"id": "s3", "name": "kafka-3", "constraints": ["node.id==n3"]},
    {"id": "s4", "name": "web", "constraints": ["node.labels.web==enable"]},
]


def test_services_of_a_renamed_host_never_match_no_node():
    """The swarm stopped them within a second after the label changed. Now they are pinned to the node's id meanwhile."""
    first, then = plan.repin(PINS, {"n1": "c1", "n2": "b2", "n3": "c3"}, {"n2": ("c2", "b2")})
    assert first == [{"id": "s2", "name": "kafka-2", "constraints": ["node.labels.gpu!=enable", "node.id==n2"]}]
    assert then == [{"id": "s2", "name": "kafka-2", "constraints": ["node.labels.gpu!=enable", "node.labels.skp.host==b2"]},
                    # Left by a run that ended half-way.
                    {"id": "s3", "name": "kafka-3", "constraints": ["node.labels.skp.host==c3"]}]


def test_no_service_is_touched_without_a_rename():
    assert plan.repin([PINS[0], PINS[1], PINS[3]], {"n1": "c1", "n2": "c2"}, {}) == ([], [])


def test_nodes_of_nobody_are_reported_and_left():
    """A host that left hosts.json, and a node we never had."""
    result = plan.plan([node(1, "c1", role="manager"), node(7, "c7"), node(8)], NETWORK, wish({"c1": ("manager", {}, "n1")}))
    assert len(result["warnings"]) == 2 and "c7" in result["warnings"][0] and "n8" in result["warnings"][1]
    assert "swarm_rotate_join_tokens" in result["warnings"][0], "who removes a node is told to make new tokens"
    assert result["stale"] == []


@pytest.mark.parametrize("found, wanted, words", [
    (dict(NETWORK, IPAM={"Config": [{"Subnet": "10.9.0.0/24"}]}), {}, ["10.9.0.0/24", "10.200.0.0/20", "docker network rm net-skp"]),
    (dict(NETWORK, Attachable=False), {}, ["not attachable"]),
    (dict(NETWORK, Driver="bridge", Scope="local"), {}, ["bridge"]),
    (dict(NETWORK, Options={"encrypted": ""}), {}, ["encrypted", "skp_net_encrypted says false"]),
    (NETWORK, {"encrypted": True}, ["not encrypted"]),
    (None, {"subnet": "10.0.0.0/16"}, ["10.0.0.1 of c1"]),
    (None, {"subnet": "10.200.0.1/20"}, ["skp_net_subnet", "did you mean 10.200.0.0/20"]),
    (None, {"subnet": "10.200"}, ["skp_net_subnet", "expected an IPv4 network"]),
])
def test_network_that_cannot_be(found, wanted, words):
    """What is there differs, or cannot work: refused with the way out."""
    with pytest.raises(Failure) as caught:
        plan.plan([node(1, "c1", role="manager")], found, wish({"c1": ("manager", {}, "n1")}, **wanted))
    assert all(word in caught.value.msg for word in words), caught.value.msg


def test_encryption_is_refused_on_a_kernel_without_it():
    """The kernel's own words are in the message."""
    desired = wish({"c1": ("manager", {}, "n1")}, encrypted=True)
    desired["hosts"]["c1"]["encryption"] = "no: Requested AEAD algorithm not found."
    with pytest.raises(Failure, match="AEAD"):
        plan.plan([node(1, "c1", role="manager")], None, desired)
    desired["hosts"]["c1"]["encryption"] = "yes"
    assert plan.plan([node(1, "c1", role="manager")], None, desired)["create_network"]


@pytest.mark.parametrize("more, words", [
    ({"encryption": "unknown: the test needs ip"}, ["c1", "unknown: the test needs ip", "preflight_warn_only: [overlay]"]),
    ({"encryption": "yes", "version": "20.10.23"}, ["c1", "Docker 20.10.23", "plain text", "Upgrade"]),
    ({"encryption": "yes", "version": "23.0.2+dfsg1"}, ["23.0.2"]),
    ({"encryption": "yes", "version": "20.10.24+dfsg1"}, []),
    ({"encryption": "yes", "version": "26.1.5"}, []),
    # It did not answer: its own run asks it.
    ({"encryption": "", "version": ""}, []),
])
@pytest.mark.parametrize("network", [None, dict(NETWORK, Options={"encrypted": ""})])
def test_encryption_that_is_not_known_is_none(network, more, words):
    """Also without preflight. Who knows better than the test of the kernel says so with preflight's variable."""
    desired = wish({"c1": ("manager", {}, "n1")}, encrypted=True)
    desired["hosts"]["c1"].update(more)
    if words:
        with pytest.raises(Failure) as caught:
            plan.plan([node(1, "c1", role="manager")], network, desired)
        assert [word for word in words if word not in caught.value.msg] == []
    desired["network"]["unproven"] = bool(words)
    plan.plan([node(1, "c1", role="manager")], network, desired)


@pytest.mark.parametrize("roles, states, wanted, refused", [
    # roles and states of c1, c2, c3 now; which are to be managers
    (["manager"] * 3, ["ready"] * 3, ["c1"], False),
    (["manager"] * 3, ["ready"] * 3, [], True),
    (["manager"] * 3, ["ready", "ready", "down"], ["c1", "c3"], True),
    (["manager"] * 3, ["ready", "ready", "down"], ["c1", "c2"], False),
    (["manager", "worker", "worker"], ["ready"] * 3, ["c2"], False),
])
def test_demotions_keep_a_majority(roles, states, wanted, refused):
    """No demotion leaves fewer reachable managers than a majority."""
    nodes = [node(number, "c%d" % number, role=role, state=state) for number, (role, state) in enumerate(zip(roles, states), 1)]
    desired = wish({"c%d" % number: ("manager" if "c%d" % number in wanted else "worker", {}, "n%d" % number) for number in (1, 2, 3)})
    if refused:
        with pytest.raises(Failure, match="needed"):
            plan.plan(nodes, NETWORK, desired, "n1")
    else:
        assert plan.plan(nodes, NETWORK, desired, "n1")["demote_last"] == ("c1" not in wanted)


@pytest.mark.parametrize("reachable, refused", [
    ([True], False), ([True, True], False), ([True, False], False), ([True, True, True], False), ([True, True, False], True),
    ([True, True, True, True, False], False), ([True, True, True, False, False], True),
])
def test_restart_of_a_manager(reachable, refused):
    """The first is to be restarted: the others must be a majority of all, where there are three or more."""
    managers = [{"id": "n%d" % number, "name": "c%d" % number, "reachable": state} for number, state in enumerate(reachable)]
    assert bool(plan.restart_refusal(managers, "n0")) == refused


@pytest.mark.parametrize("address, listen", [("10.0.0.4", "10.0.0.4:2377"), ("fd00::4", "[fd00::4]:2377"), ("eth1", "eth1:2377")])
def test_a_member_listens_only_where_others_reach_it(address, listen):
    assert plan.addresses(address) == {"ListenAddr": listen, "AdvertiseAddr": address, "DataPathAddr": address}


LOCKED = {"Name": "default", "EncryptionConfig": {"AutoLockManagers": True}}
OPEN = {"Name": "default", "EncryptionConfig": {"AutoLockManagers": False}}


@pytest.mark.parametrize("spec, autolock, wanted", [
    (LOCKED, "leave", None), (OPEN, "leave", None), (LOCKED, "enabled", None), (OPEN, "disabled", None), ({}, "disabled", None),
    (OPEN, "enabled", LOCKED), (LOCKED, "disabled", OPEN), ({"Name": "default", "EncryptionConfig": None}, "enabled", LOCKED),
])
def test_autolock_is_changed_only_where_it_is_wished(spec, autolock, wanted):
    assert plan.settings_change(spec, autolock) == wanted
