# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Member ids: what a run gives, keeps and refuses, case by case."""

from __future__ import annotations

import itertools
import json

import pytest

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.members.args import argument_spec
from ansible_collections.skp.cluster.plugins.module_utils.members.plan import (
    by_host, decide, describe, empty_record, known, natural_key, plan_facts, plan_members, plan_voters,
)


def record(members=None, retired=None, facts=None):
    return {"version": 1, "service": "kafka", "generation": 3, "members": members or {}, "retired": retired or {}, "nodes": {}, "facts": facts or {}}


def unseen(*hosts):
    return {host: None for host in hosts}


@pytest.mark.parametrize(
    "case, before, hosts, found, limit, ids, retired, not_seen",
    [
        (
            "first run, natural order of names",
            record(),
            ["c10", "c2", "c1"],
            unseen("c10", "c2", "c1"),
            [],
            {"c1": 1, "c2": 2, "c10": 3},
            {},
            [],
        ),
        ("second run", record({"c1": 1, "c2": 2}), ["c2", "c1"], unseen("c1", "c2"), [], {"c1": 1, "c2": 2}, {}, []),
        (
            "a new host goes above the highest",
            record({"c1": 1, "c3": 2}),
            ["c1", "c2", "c3"],
            unseen("c1", "c2", "c3"),
            [],
            {"c1": 1, "c3": 2, "c2": 3},
            {},
            [],
        ),
        ("a label left", record({"c1": 1, "c2": 2}), ["c1"], unseen("c1"), [], {"c1": 1}, {"c2": 2}, []),
        ("and its id is not reused", record({"c1": 1}, {"c2": 2}), ["c1", "c3"], unseen("c1", "c3"), [], {"c1": 1, "c3": 3}, {"c2": 2}, []),
        ("and comes back with the host", record({"c1": 1}, {"c2": 2}), ["c1", "c2"], unseen("c1", "c2"), [], {"c1": 1, "c2": 2}, {}, []),
        ("retired host that cannot be looked at", record({"c1": 1}, {"c2": 2}), ["c1", "c2"], unseen("c1"), [], {"c1": 1, "c2": 2}, {}, []),
        ("swarm lost, ids on disk count", record(), ["c1", "c2"], {"c1": 7, "c2": 2}, [], {"c2": 2, "c1": 7}, {}, []),
        ("swarm lost, new host above what is on disk", record(), ["c1", "c2"], {"c1": None, "c2": 5}, [], {"c2": 5, "c1": 6}, {}, []),
        ("id on the disk of a host without the label is not given away", record(), ["c1"], {"c1": None, "c2": 1}, [], {"c1": 2}, {}, []),
        ("unreachable member keeps its id", record({"c1": 1, "c2": 2}), ["c1", "c2"], unseen("c1"), [], {"c1": 1, "c2": 2}, {}, []),
        ("unreachable new host waits", record({"c1": 1}), ["c1", "c2"], unseen("c1"), [], {"c1": 1}, {}, ["c2"]),
        (
            "limit: another host's label left, but it stays for now",
            record({"c1": 1, "c2": 2}),
            ["c1"],
            unseen("c1"),
            ["c1"],
            {"c1": 1, "c2": 2},
            {},
            [],
        ),
        ("limit: the host that leaves is in it", record({"c1": 1, "c2": 2}), ["c1"], {}, ["c2"], {"c1": 1}, {"c2": 2}, []),
        ("everybody left", record({"c1": 1}), [], {}, [], {}, {"c1": 1}, []),
    ],
)
def test_ids(case, before, hosts, found, limit, ids, retired, not_seen):
    plan = plan_members(before, hosts, found, limit)
    assert (plan["ids"], plan["retired"], plan["unseen"]) == (ids, retired, not_seen)
    assert list(plan["ids"].values()) == sorted(plan["ids"].values())
    assert plan["record_changed"] == (before["members"] != ids or before["retired"] != retired)


@pytest.mark.parametrize(
    "case, before, hosts, found, kind, words",
    [
        (
            "data of another member",
            record({"c1": 1, "c2": 2}),
            ["c1", "c2"],
            {"c1": 2, "c2": None},
            "identity_conflict",
            ["c1", "id 2 ", "id 1", "belongs to c2"],
        ),
        ("data of an unknown member", record({"c1": 1}), ["c1"], {"c1": 9}, "identity_conflict", ["c1", "id 9", "id 1"]),
        ("a new host with a known id", record({"c1": 1}), ["c1", "c2"], {"c1": 1, "c2": 1}, "duplicate_identity", ["c1", "c2", "id 1"]),
        (
            "a new host with a member's id, member not seen",
            record({"c1": 1}),
            ["c1", "c2"],
            {"c2": 1},
            "identity_conflict",
            ["c2", "id 1 belongs to c1"],
        ),
        ("a new host with a retired id", record({}, {"c1": 1}), ["c2"], {"c2": 1}, "identity_conflict", ["c2", "c1"]),
        ("a copied disk", record(), ["c1", "c2"], {"c1": 4, "c2": 4}, "duplicate_identity", ["c1", "c2", "id 4"]),
        ("nonsense", record(), ["c1"], {"c1": "x7"}, "bad_identity", ["c1", "x7"]),
        ("zero", record(), ["c1"], {"c1": 0}, "bad_identity", ["c1"]),
    ],
)
def test_refusals_name_who_has_what(case, before, hosts, found, kind, words):
    with pytest.raises(Failure) as caught:
        plan_members(before, hosts, found)
    assert caught.value.failure["kind"] == kind
    for word in words:
        assert word in caught.value.msg


def test_no_order_of_hosts_changes_an_id():
    hosts = ["c01", "c02", "c03", "c10"]
    results = {tuple(plan_members(record(), list(order), unseen(*hosts))["ids"].items()) for order in itertools.permutations(hosts)}
    assert results == {(("c01", 1), ("c02", 2), ("c03", 3), ("c10", 4))}


def test_labels_are_set_where_they_differ_and_only_on_known_nodes():
    plan = plan_members(record({"c1": 1, "c2": 2, "c3": 3}), ["c1", "c2", "c3"], {}, node_labels={"c1": "1", "c2": None, "c9": "4"})
    assert plan["labels"] == {"c2": 2}
    assert plan["changed"] and not plan["record_changed"]


UNSEEN = [
    ("a first start while a host is away", {}, ["c1", "c2"], {"c1": None}, None, ["c2"]),
    ("record lost: the ids of two, the third is away", {}, ["c1", "c2", "c3", "c4"], {"c1": 1, "c2": 2, "c4": None}, None, ["c3"]),
    ("record lost, a run for one host", {}, ["c1", "c2", "c3"], {"c1": 1}, {"c1": None, "c2": None}, ["c2", "c3"]),
    ("record lost, the node of one has its label", {}, ["c1", "c2", "c3"], {"c1": 1}, {"c1": "1", "c2": "2"}, ["c3"]),
]


@pytest.mark.parametrize("case, before, hosts, found, labels, missing", UNSEEN, ids=[row[0] for row in UNSEEN])
def test_no_id_is_given_while_a_host_is_unseen_and_there_is_no_record(case, before, hosts, found, labels, missing):
    """c4 got id 3, which the data of c3 has."""
    with pytest.raises(Failure) as caught:
        plan_members(record(before), hosts, found, node_labels=labels)
    assert (caught.value.failure["kind"], caught.value.failure["hosts"]) == ("unseen", missing)
    assert "without --limit" in caught.value.msg


def test_a_run_that_concerns_no_host_of_the_service_gives_no_id():
    plan = plan_members(record(), ["c1", "c2"], {}, ["c9"])
    assert (plan["ids"], plan["unseen"], plan["changed"]) == ({}, ["c1", "c2"], False)


def test_ids_of_a_lost_record_are_on_the_nodes():
    """--limit c1 after the record was removed: all ids are there, that of a host without the label too."""
    plan = plan_members(record(), ["c1", "c2", "c4"], {"c1": 1}, ["c1"], {"c1": "1", "c2": "2", "c3": "3", "c4": "4", "c5": None})
    assert (plan["ids"], plan["retired"], plan["unseen"]) == ({"c1": 1, "c2": 2, "c4": 4}, {"c3": 3}, [])
    assert plan["record_changed"]


def test_a_label_of_two_nodes_proves_nothing():
    with pytest.raises(Failure, match="c1, c2"):
        plan_members(record(), ["c1", "c2", "c3"], {"c3": None}, node_labels={"c1": "1", "c2": "1"})


def test_an_id_follows_its_data_with_consent():
    """The disk of a dead node in a new machine."""
    plan = plan_members(record({"c1": 1, "c2": 2}), ["c1", "c5"], {"c1": 1, "c5": 2}, node_labels={"c1": "1", "c2": "2", "c5": None}, data_policy="moved")
    assert (plan["ids"], plan["retired"], plan["labels"]) == ({"c1": 1, "c5": 2}, {}, {"c5": 2, "c2": None})
    later = plan_members(record({"c1": 1, "c5": 3}, {"c2": 2}), ["c1", "c5", "c6"], {"c1": 1, "c5": 2, "c6": 6}, data_policy="moved")
    assert (later["ids"], later["retired"]) == ({"c1": 1, "c5": 2, "c6": 6}, {"c5#3": 3}), "its id from before the data came is not given again"
    limited = plan_members(record({"c1": 1, "c2": 2}), ["c1", "c5"], {"c5": 2}, ["c5"], data_policy="moved")
    assert limited["ids"] == {"c1": 1, "c5": 2}


@pytest.mark.parametrize("hosts, found, kind, words", [
    (["c1", "c2", "c5"], {"c1": 1, "c5": 2}, "identity_conflict", ["c5", "id 2 belongs to c2"]),
    (["c1", "c5"], {"c1": 1, "c5": None}, "not_moved", ["c5 has none", "kafka_data_policy=leave"]),
])
def test_what_consent_does_not_cover(hosts, found, kind, words):
    with pytest.raises(Failure) as caught:
        plan_members(record({"c1": 1, "c2": 2}), hosts, found, data_policy="moved")
    assert caught.value.failure["kind"] == kind
    assert [word for word in words if word not in caught.value.msg] == []


def test_the_refusal_says_how_an_id_can_follow():
    with pytest.raises(Failure, match="kafka_data_policy=moved"):
        plan_members(record({"c1": 1, "c2": 2}), ["c1", "c5"], {"c1": 1, "c5": 2})
    for hosts, policy in ((["c1", "c2", "c5"], "refuse"), (["c1", "c5"], None)):
        with pytest.raises(Failure) as caught:
            plan_members(record({"c1": 1, "c2": 2}), hosts, {"c1": 1, "c5": 2}, data_policy=policy)
        assert "data_policy" not in caught.value.msg


def members(ids, retired=None):
    return {"ids": ids, "retired": retired or {}}


TWO = members({"c1": 1, "c2": 2})
NO_DATA = {"c1": {}, "c2": {}}
DATA = {"c1": {"kafka_mode": "kraft", "cluster_id": "x"}, "c2": {"kafka_mode": "kraft", "cluster_id": "x"}}
GIVEN = {"settings": {"kafka_mode": "kraft"}, "facts": {"cluster_id": "new"}, "voters": 3}
STARTED = {"kafka_mode": "kraft", "cluster_id": "x", "voters": 1, "started": True}
FACTS = [
    ("first start", record(), TWO, GIVEN, NO_DATA, {"kafka_mode": "kraft", "cluster_id": "new", "voters": 3}, []),
    ("a first start that failed binds only what was made", record(facts={"kafka_mode": "zookeeper", "cluster_id": "x", "voters": 1}), TWO, GIVEN, NO_DATA,
     {"kafka_mode": "kraft", "cluster_id": "x", "voters": 3}, []),
    ("it had formatted one", record(facts={"kafka_mode": "kraft", "cluster_id": "x", "voters": 1}), TWO, GIVEN, dict(NO_DATA, c1=DATA["c1"]),
     {"kafka_mode": "kraft", "cluster_id": "x", "voters": 1}, []),
    ("one was not inspected", record(facts={"kafka_mode": "kraft", "cluster_id": "x", "voters": 1}), TWO, GIVEN, {"c1": {}},
     {"kafka_mode": "kraft", "cluster_id": "x", "voters": 1}, []),
    ("second run", record(facts=STARTED), TWO, GIVEN, DATA, STARTED, []),
    ("all wiped", record(facts=STARTED), TWO, GIVEN, NO_DATA, STARTED, []),
    ("record lost: read back from the data", dict(record(), generation=0), TWO, GIVEN, DATA,
     {"kafka_mode": "kraft", "cluster_id": "x", "started": True}, ["voters"]),
    ("and the number of voters too", dict(record(), generation=0), TWO, GIVEN, dict(DATA, c1=dict(DATA["c1"], voters=1)),
     dict(STARTED), []),
    ("the first attempt of that stopped", record(facts={"kafka_mode": "kraft", "cluster_id": "x", "started": True}), TWO, GIVEN, DATA,
     {"kafka_mode": "kraft", "cluster_id": "x", "started": True}, ["voters"]),
    ("without a member", record(), members({}), GIVEN, {}, {}, []),
    ("all retired", record({}, {"c1": 1}, STARTED), members({}), GIVEN, {}, STARTED, []),
    ("a service without facts", record(), TWO, {}, {}, {}, []),
    ("it runs", record(facts={"kafka_mode": "kraft"}), TWO, {"started": True}, {}, {"kafka_mode": "kraft", "started": True}, []),
    ("a directory that was moved", record(facts=dict(STARTED, kafka_data_dir="/a")), TWO,
     {"directories": {"kafka_data_dir": "/b"}, "data_policy": "moved"}, DATA, dict(STARTED, kafka_data_dir="/b"), []),
    ("a name while nothing runs", record(facts=dict(STARTED, kafka_name="a")), TWO, {"running_settings": {"kafka_name": "b"}, "running": False}, DATA,
     dict(STARTED, kafka_name="b"), []),
]


@pytest.mark.parametrize("case, before, who, given, found, kept, unknown", FACTS, ids=[row[0] for row in FACTS])
def test_facts(case, before, who, given, found, kept, unknown):
    assert plan_facts(before, who, found_facts=found, **given) == {"facts": kept, "unknown": unknown}


FACTS_REFUSED = [
    ("another mode over data", record(facts=STARTED), {"settings": {"kafka_mode": "zookeeper"}}, DATA, ["kafka_mode is zookeeper", "made with kraft"]),
    ("another mode over data, record lost", dict(record(), generation=0), {"settings": {"kafka_mode": "zookeeper"}}, DATA, ["made with kraft"]),
    ("another mode while all is wiped", record(facts=STARTED), {"settings": {"kafka_mode": "zookeeper"}}, NO_DATA, ["made with kraft"]),
    ("another directory", record(facts=dict(STARTED, kafka_data_dir="/a")), {"directories": {"kafka_data_dir": "/b"}}, NO_DATA,
     ["kafka_data_dir is /b", "back to /a", "kafka_data_policy=moved"]),
    ("another name while services run", record(facts=dict(STARTED, kafka_name="a")), {"running_settings": {"kafka_name": "b"}}, DATA,
     ["kafka_name is b", "back to a", "playbooks/down.yml --tags kafka;"]),
    ("data of another cluster", record(facts=STARTED), GIVEN, dict(DATA, c2={"cluster_id": "y"}), ["c2", "cluster_id is y", "record it is x"]),
    ("data of two clusters, record lost", dict(record(), generation=0), GIVEN, dict(DATA, c2={"cluster_id": "y"}), ["c2", "cluster_id is y", "on c1 it is x"]),
]


@pytest.mark.parametrize("case, before, given, found, words", FACTS_REFUSED, ids=[row[0] for row in FACTS_REFUSED])
def test_what_the_data_depends_on_is_not_changed(case, before, given, found, words):
    with pytest.raises(Failure) as caught:
        plan_facts(before, TWO, found_facts=found, **given)
    assert caught.value.failure["kind"] in ("setting_changed", "identity_conflict")
    assert [word for word in words if word not in caught.value.msg] == []


THREE = members({"c1": 1, "c2": 2, "c3": 3})
FIVE = members({"c%d" % number: number for number in range(1, 6)})
RUNS = {"voters": 3, "started": True}
VOTERS = [
    ("first start", THREE, {"voters": 3}, unseen("c1", "c2", "c3"), {"c1": "first", "c2": "first", "c3": "first"}),
    ("a first start that stopped half way", THREE, {"voters": 3}, {"c1": 1, "c2": None, "c3": None}, {"c2": "first", "c3": "first"}),
    ("second run", THREE, RUNS, {"c1": 1, "c2": 2, "c3": 3}, {}),
    ("one wiped", THREE, RUNS, {"c1": 1, "c2": None, "c3": 3}, {"c2": "again"}),
    ("a broker without a vote wiped", FIVE, RUNS, {"c1": 1, "c5": None}, {}),
    ("nobody was inspected", THREE, RUNS, {}, {}),
    ("a broker without a vote leaves", members({"c1": 1, "c2": 2, "c3": 3}, {"c4": 4}), RUNS, {}, {}),
    ("one voter of three leaves", members({"c1": 1, "c3": 3, "c4": 4}, {"c2": 2}), RUNS, {}, {}),
    ("all leave", members({}, {"c1": 1, "c2": 2, "c3": 3}), RUNS, {}, {}),
    ("no quorum of its own", THREE, {}, {"c1": None, "c2": None, "c3": None}, {}),
]


@pytest.mark.parametrize("case, who, facts, found, result", VOTERS, ids=[row[0] for row in VOTERS])
def test_voters_are_formatted_once(case, who, facts, found, result):
    assert plan_voters(record(), who, facts, found) == result


VOTERS_REFUSED = [
    ("two of three wiped", THREE, RUNS, {"c1": 1, "c2": None, "c3": None}, "data_lost", ["id 2 (c2), id 3 (c3)", "2 of 3", "id 1 (c1)", "skp_purge"]),
    ("one wiped, one away", THREE, RUNS, {"c1": 1, "c2": None}, "data_lost", ["id 2 (c2)", "id 1 (c1)", "without --limit"]),
    ("one wiped, a run for it alone", THREE, RUNS, {"c2": None}, "data_lost", ["have it: none", "without --limit"]),
    ("the only voter wiped", FIVE, {"voters": 1, "started": True}, dict({"c%d" % n: n for n in range(2, 6)}, c1=None), "data_lost", ["id 1 (c1)"]),
    ("two of three voters leave", members({"c1": 1, "c4": 4, "c5": 5}, {"c2": 2, "c3": 3}), RUNS, {}, "voters", ["id 2 (c2), id 3 (c3)", "c2, c3", "down.yml"]),
    ("the only voter leaves", members({"c2": 2}, {"c1": 1}), {"voters": 1, "started": True}, {}, "voters", ["id 1 (c1)", "none"]),
]


@pytest.mark.parametrize("case, who, facts, found, kind, words", VOTERS_REFUSED, ids=[row[0] for row in VOTERS_REFUSED])
def test_a_quorum_is_not_given_up(case, who, facts, found, kind, words):
    with pytest.raises(Failure) as caught:
        plan_voters(record(), who, facts, found)
    assert caught.value.failure["kind"] == kind
    assert [word for word in words if word not in caught.value.msg] == []


def test_natural_order():
    assert sorted(["c10", "c2", "b1", "c"], key=natural_key) == ["b1", "c", "c2", "c10"]


def test_description_shows_members_retired_and_labels():
    assert (
        describe(record({"c1": 1}, {"c2": 2}), {"c1": "1", "c3": None})
        == "c1: id 1\nc2: id 2 (retired)\nnode label of c1: skp.kafka.id=1\n"
    )


NODES = {"c01": "n1", "c02": "n2", "c03": "n3"}
KNOWN = dict(empty_record("kafka"), generation=4, members={"c01": 1, "c02": 2}, retired={"c03": 3}, nodes=NODES)


@pytest.mark.parametrize(
    "case, hosts, found, nodes, members, retired",
    [
        ("one renamed", ["c01", "b02"], {"c01": 1, "b02": 2}, {"c01": "n1", "b02": "n2", "c03": "n3"}, {"c01": 1, "b02": 2}, {"c03": 3}),
        ("all renamed", ["a", "b"], {"a": 1, "b": 2}, {"a": "n1", "b": "n2", "c": "n3"}, {"a": 1, "b": 2}, {"c": 3}),
        ("two swap their names", ["c01", "c02"], {"c01": 2, "c02": 1}, {"c01": "n2", "c02": "n1", "c03": "n3"}, {"c02": 1, "c01": 2}, {"c03": 3}),
        ("a retired one renamed, and back in use", ["c01", "c02", "x"], {"x": 3}, {"c01": "n1", "c02": "n2", "x": "n3"}, {"c01": 1, "c02": 2, "x": 3}, {}),
        ("renamed and not inspected", ["c01", "b02"], {"c01": 1}, {"c01": "n1", "b02": "n2", "c03": "n3"}, {"c01": 1, "b02": 2}, {"c03": 3}),
    ],
)
def test_a_renamed_host_keeps_its_id(case, hosts, found, nodes, members, retired):
    """It was refused as foreign data, with the advice to move the healthy data aside."""
    plan = plan_members(KNOWN, hosts, found, nodes=nodes)
    assert (plan["ids"], plan["retired"]) == (members, retired) and plan["record_changed"]
    again = plan_members(plan["record"], hosts, found, nodes=nodes)
    assert not again["record_changed"] and again["ids"] == members


def test_a_node_that_joined_again_has_the_id_of_its_host():
    plan = plan_members(KNOWN, ["c01", "c02"], {"c02": None}, nodes=dict(NODES, c02="n9"))
    assert plan["ids"] == {"c01": 1, "c02": 2} and plan["record"]["nodes"]["c02"] == "n9" and plan["record_changed"]


def test_a_new_name_that_another_machine_had_is_refused():
    with pytest.raises(Failure) as refused:
        plan_members(KNOWN, ["c01", "c02"], {}, nodes={"c01": "n1", "c03": "n2"})
    assert refused.value.failure["kind"] == "name_taken" and "calls c02 c03" in refused.value.msg


def node(host, ident, labels=None, state="ready", created="2026-01-01"):
    return {"ID": ident, "CreatedAt": created, "Status": {"State": state}, "Spec": {"Labels": {"skp.host": host, **(labels or {})}}}


def swarm(**changes):
    """What a visit sees of two brokers that are as they should be."""
    kept = dict(record({"c1": 1, "c2": 2}, facts={"kafka_mode": "zookeeper", "started": True}), nodes={"c1": "n1", "c2": "n2"})
    ensemble = dict(empty_record("zookeeper"), members={"c1": 1}, nodes={"c1": "n1"})
    return {
        "records": {"kafka": [{"id": "r3", "generation": 3, "content": kept}], "zookeeper": [{"id": "z", "generation": 5, "content": ensemble}]},
        "nodes": [node("c1", "n1", {"skp.kafka.id": "1"}), node("c2", "n2", {"skp.kafka.id": "2"})],
        "running": ["kafka", "zookeeper"],
        **changes,
    }


def wish(**changes):
    """The options of skp_members for these brokers, as the validation of the module leaves them."""
    given = {"service": "kafka", "hosts": ["c1", "c2"], "found": {"c1": 1, "c2": 2}, "settings": {"kafka_mode": "zookeeper"},
             "found_facts": {"c1": {"kafka_mode": "zookeeper"}, "c2": {}}, "others": {"zookeeper": ["c1"]}, **changes}
    return ArgumentSpecValidator(argument_spec()).validate(given).validated_parameters


def test_a_visit_shows_that_nothing_is_to_be_done():
    found = known(swarm(), wish())
    assert (found["changed"], found["seen"], found["ids"], found["others"]) == (False, True, {"c1": 1, "c2": 2}, {"zookeeper": {"c1": 1}})
    assert found["generations"] == {"kafka": 3, "zookeeper": 5} and found["diff"]["before"] == found["diff"]["after"]
    assert dict(found, seen=False) == decide(swarm(), wish())["result"], "the same as the module would return"


def test_a_service_without_hosts_that_never_ran_needs_nothing():
    found = known(swarm(records={}, nodes=[node("c1", "n1")]), wish(hosts=[], found={}, found_facts={}, others={}))
    assert (found["ids"], found["generations"]) == ({}, {"kafka": 0})


TWO_RECORDS = [{"id": "r2", "generation": 2, "content": record({"c1": 1})}, swarm()["records"]["kafka"][0]]


@pytest.mark.parametrize("seen, wanted", [
    ({}, wish()),
    (swarm(), wish(hosts=["c1", "c2", "c3"])),
    (swarm(), wish(hosts=["c1", "c2", "c3"], found={"c1": 1, "c2": 2, "c3": None})),
    (swarm(), wish(hosts=["c1"])),
    (swarm(), wish(found={"c1": 2, "c2": 1})),
    (swarm(), wish(settings={"kafka_mode": "kraft"})),
    (swarm(), wish(state="absent")),
    (swarm(records={}), wish()),
    (swarm(records={"kafka": TWO_RECORDS}), wish()),
    (swarm(nodes=[node("c1", "n1"), node("c2", "n2", {"skp.kafka.id": "2"})]), wish()),
    (swarm(nodes=[node("c1", "n1", {"skp.kafka.id": "1"}), node("c9", "n2", {"skp.kafka.id": "2"})]), wish(hosts=["c1", "c9"])),
], ids=["not seen", "a host that was not inspected", "a new host", "a host leaves", "an error", "a refused setting", "removal", "no record",
        "an old record to remove", "a label to set", "another name"])
def test_the_module_runs_where_anything_is_to_be_done_or_said(seen, wanted):
    assert known(seen, wanted) is None


@pytest.mark.parametrize("nodes, expected", [
    ([node("c1", "old", state="down"), node("c1", "new", state="down", created="2026-02-01")], {"c1": "new"}),
    ([node("c1", "old"), node("c1", "new", state="down", created="2026-02-01")], {"c1": "old"}),
    ([node("", "x"), node("c2", "n2")], {"c2": "n2"}),
])
def test_of_two_entries_with_one_name_the_ready_one_counts_then_the_newer(nodes, expected):
    assert {host: found["ID"] for host, found in by_host(nodes).items()} == expected


def test_names_that_check_mode_predicts():
    renamed = {"n2": "c9"}
    assert set(by_host(swarm()["nodes"], renamed)) == {"c1", "c9"}
    assert decide(swarm(), wish(hosts=["c1", "c9"], found={"c1": 1}, renamed=renamed), check_mode=True)["result"]["ids"] == {"c1": 1, "c9": 2}


def test_what_a_visit_has_seen_is_plain_data():
    """It goes through Ansible as JSON."""
    seen = json.loads(json.dumps(swarm()))
    assert known(seen, wish())["ids"] == {"c1": 1, "c2": 2}
