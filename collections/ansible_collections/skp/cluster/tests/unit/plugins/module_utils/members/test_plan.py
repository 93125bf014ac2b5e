# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Member ids: what a run gives, keeps and refuses, case by case."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.members.plan import describe, natural_key, plan_members


def record(members=None, retired=None, facts=None):
    return {"version": 1, "service": "kafka", "generation": 3, "members": members or {}, "retired": retired or {}, "facts": facts or {}}


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


@pytest.mark.parametrize(
    "case, before, hosts, given, kept, changed",
    [
        ("given with the first id", record(), ["c1"], {"cluster": "x"}, {"cluster": "x"}, True),
        ("what is remembered wins", record({"c1": 1}, facts={"cluster": "x"}), ["c1"], {"cluster": "y"}, {"cluster": "x"}, False),
        ("a new key joins the old", record({"c1": 1}, facts={"cluster": "x"}), ["c1"], {"mode": "m"}, {"cluster": "x", "mode": "m"}, True),
        ("without a member none is set", record(), [], {"cluster": "x"}, {}, False),
        ("kept while all members are retired", record({}, {"c1": 1}, {"cluster": "x"}), [], {"cluster": "y"}, {"cluster": "x"}, False),
    ],
)
def test_facts_are_given_once(case, before, hosts, given, kept, changed):
    plan = plan_members(before, hosts, unseen(*hosts), facts=given)
    assert plan["record"]["facts"] == kept
    assert plan["record_changed"] is changed


def test_facts_are_carried_on():
    plan = plan_members(record({"c1": 1}, facts={"cluster": "x"}), ["c1", "c2"], unseen("c1", "c2"))
    assert plan["record"]["facts"] == {"cluster": "x"}


def test_natural_order():
    assert sorted(["c10", "c2", "b1", "c"], key=natural_key) == ["b1", "c", "c2", "c10"]


def test_description_shows_members_retired_and_labels():
    assert (
        describe(record({"c1": 1}, {"c2": 2}), {"c1": "1", "c3": None})
        == "c1: id 1\nc2: id 2 (retired)\nnode label of c1: skp.kafka.id=1\n"
    )
