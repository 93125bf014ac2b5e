# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services need on a node, what their data says, and what is to be done about secrets."""

from __future__ import annotations


import pytest

from ansible_collections.skp.cluster.plugins.filter.found_facts import found_facts
from ansible_collections.skp.cluster.plugins.filter.found_ids import found_ids
from ansible_collections.skp.cluster.plugins.filter.node_needs import node_needs
from ansible_collections.skp.cluster.plugins.filter.secrets_plan import secrets_plan

DATA = [{"path": "/var/lib/skp/kafka"}]
SHARED = [{"path": "/srv/skp/spark"}]
NEEDS = {
    "kafka": {"hosts": ["c01", "c03"], "directories": DATA},
    "spark": {"hosts": [], "enabled": True, "shared_directories": SHARED},
    "jupyter": {"hosts": [], "shared_directories": SHARED},
}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("c01", [("kafka", DATA, []), ("spark", [], SHARED)]),
        ("c02", []),
        ("c03", [("kafka", DATA, [])]),
        ("c04", []),
    ],
)
def test_needs_of_a_node(host, expected):
    assert [tuple(entry.values()) for entry in node_needs(NEEDS, host, "c01")] == expected


def test_the_manager_tells_member_ids_also_without_a_directory():
    needs = {"kafka": {"hosts": ["c03"], "directories": DATA, "members": True}}
    assert node_needs(needs, "c01", "c01") == [{"name": "kafka", "directories": [], "shared_directories": []}]
    assert node_needs(needs, "c02", "c01") == []
    assert node_needs({"kafka": {"hosts": [], "members": True}}, "c01", "c01") == []


def test_ids_of_hosts_that_were_visited():
    hostvars = {
        "c01": {"__service_visit": {"services": {"kafka": {"id": 3}}}},
        "c02": {"__service_visit": {"services": {"kafka": {"id": None}}}},
        "c03": {"__service_visit": {"unreachable": True}},
        "c04": {},
        "c05": {"__service_visit": {"services": {"spark": {"id": None}}}},
    }
    assert found_ids(sorted(hostvars), hostvars, "kafka") == {"c01": 3, "c02": None}


def test_facts_in_the_data_of_hosts_that_were_visited():
    def found(*identities):
        return {"__service_visit": {"services": {"kafka": {"id": None, "directories": [{"identity": identity} for identity in identities]}}}}

    hostvars = {"c01": found({"node.id": "1", "cluster.id": "x"}), "c02": found({}), "c03": {}, "c04": found({"broker.id": "4"}, {"cluster.id": "y"})}
    facts = {"mode": {"node.id": "kraft", "broker.id": "old"}, "cluster": "cluster.id"}
    assert found_facts(sorted(hostvars), hostvars, "kafka", facts) == {
        "c01": {"mode": "kraft", "cluster": "x"}, "c02": {}, "c04": {"mode": "old", "cluster": "y"}}


def copy(value, generation=1):
    return {"fingerprint": value, "generation": generation, "time": 100}


def visit(**secrets):
    """Host variables of a manager that was visited."""
    return {"__service_visit": {"services": {}, "secrets": {name: copy(*value) for name, value in secrets.items()}}}


def read(host, **secrets):
    """The answer of a manager whose secrets were read."""
    return {"item": host, "secrets": {name: value[0] for name, value in secrets.items()}, "history": {name: copy(*value) for name, value in secrets.items()}}


HERE = read("c01", a=("1",))


def test_all_managers_have_the_same():
    hostvars = {"c01": visit(a=("1",)), "c02": visit(a=("1",)), "c03": visit(a=("1",))}
    plan = secrets_plan(["a"], "c01", sorted(hostvars), hostvars, [HERE])
    assert plan == {"unseen": [], "fetch": [], "newer": {}, "history": {}, "make": [], "next": {}, "behind": [], "share": ["a"], "problem": ""}


def test_newer_secrets_are_fetched_from_the_manager_that_has_them():
    """A visit tells hashes only; the values are read, and a wiped manager gets all of them."""
    hostvars = {"c01": visit(), "c02": visit(a=("2", 2), b=("3",)), "c03": visit(a=("1", 1), b=("3",))}
    before = secrets_plan(["a"], "c01", sorted(hostvars), hostvars, [HERE])
    assert (before["fetch"], before["newer"], before["behind"]) == (["c02"], {}, ["c03"])
    after = secrets_plan(["a"], "c01", sorted(hostvars), hostvars, [HERE, read("c02", a=("2", 2), b=("3",))])
    assert (after["fetch"], after["newer"], after["history"]) == ([], {"a": "2", "b": "3"}, {"a": copy("2", 2), "b": copy("3")})


def test_managers_outside_the_limit_are_asked():
    """With --limit c01 only one manager is visited; the others may have what it lacks, or something newer."""
    hostvars = {"c01": visit(), "c02": {}, "c03": {}}
    here = read("c01")
    assert secrets_plan(["a"], "c01", sorted(hostvars), hostvars, [here])["unseen"] == ["c02", "c03"]
    assert secrets_plan(["a"], "c01", sorted(hostvars), hostvars, [HERE], limited=True)["unseen"] == ["c02", "c03"]
    assert secrets_plan(["a"], "c01", sorted(hostvars), hostvars, [HERE])["unseen"] == [], "a run of one service: nothing has to be made"
    silent = secrets_plan(["a"], "c01", sorted(hostvars), hostvars, [here, read("c02"), {"item": "c03", "unreachable": True}])
    assert silent["unseen"] == [] and "c03 did not answer" in silent["problem"]
    found = secrets_plan(["a"], "c01", sorted(hostvars), hostvars, [here, {"item": "c02", "unreachable": True}, read("c03", a=("1",))])
    assert (found["newer"], found["make"], found["problem"]) == ({"a": "1"}, [], "")


def test_a_secret_that_nobody_has_is_made_for_all():
    hostvars = {"c01": visit(), "c02": visit(), "c03": visit()}
    plan = secrets_plan(["a"], "c01", sorted(hostvars), hostvars, [read("c01")])
    assert (plan["make"], plan["next"], plan["behind"], plan["share"]) == (["a"], {"a": 1}, ["c02", "c03"], ["a"])
