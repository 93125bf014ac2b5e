# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services need on a node, what their data says, and what is to be done about secrets."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.skp.cluster.plugins.filter.found_facts import found_facts
from ansible_collections.skp.cluster.plugins.filter.found_ids import found_ids
from ansible_collections.skp.cluster.plugins.filter.node_needs import node_needs
from ansible_collections.skp.cluster.plugins.filter.secrets_behind import secrets_behind
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
    def visit(*identities):
        return {"__service_visit": {"services": {"kafka": {"id": None, "directories": [{"identity": identity} for identity in identities]}}}}

    hostvars = {"c01": visit({"node.id": "1", "cluster.id": "x"}), "c02": visit({}), "c03": {}, "c04": visit({"broker.id": "4"}, {"cluster.id": "y"})}
    facts = {"mode": {"node.id": "kraft", "broker.id": "old"}, "cluster": "cluster.id"}
    assert found_facts(sorted(hostvars), hostvars, "kafka", facts) == {
        "c01": {"mode": "kraft", "cluster": "x"}, "c02": {}, "c04": {"mode": "old", "cluster": "y"}}


def asked(**answers):
    """Results of a loop over managers: their secrets, or None for one that did not answer."""
    return [{"item": host, "unreachable": True} if secrets is None else {"item": host, "secrets": secrets} for host, secrets in answers.items()]


@pytest.mark.parametrize(
    ("answers", "fetched", "make"),
    [
        ({}, {}, ["a", "b"]),
        ({"c02": {}}, {}, ["a", "b"]),
        ({"c02": {"a": "1"}}, {"a": "1"}, ["b"]),
        ({"c02": {"a": "1", "b": "2", "here": "differs"}, "c03": None}, {"a": "1", "b": "2"}, []),
        ({"c02": {"a": "1", "b": "2"}, "c03": {"of another service": "3"}}, {"a": "1", "b": "2", "of another service": "3"}, []),
        ({"c02": {"a": "1"}, "c03": {"a": "differs", "b": "2"}}, {"a": "1", "b": "2"}, []),
    ],
)
def test_missing_secrets(answers, fetched, make):
    assert secrets_plan(["a", "b"], ["here"], asked(**answers)) == {"fetched": fetched, "make": make, "problem": ""}


def test_no_secret_is_made_while_a_manager_does_not_answer():
    plan = secrets_plan(["a", "b", "here"], ["here"], asked(c02=None, c03={"b": "1"}))
    assert "No manager that answered has the secrets a, and c02 did not answer" in plan["problem"]


def test_managers_that_need_a_copy():
    digest = hashlib.sha256(b"1").hexdigest()
    hostvars = {
        "same": {"__service_visit": {"services": {}, "secrets": {"a": digest, "more": "0"}}},
        "lacks": {"__service_visit": {"services": {}, "secrets": {}}},
        "other": {"__service_visit": {"services": {}, "secrets": {"a": "0"}}},
        "unknown": {},
        "asked": {},
    }
    assert secrets_behind({"a": "1"}, sorted(hostvars), hostvars) == ["lacks", "other"]
    assert secrets_behind({"a": "1"}, sorted(hostvars), hostvars, asked(asked={}, lacks={"a": "1"})) == ["asked", "other"]
