# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services need on a node, what their data says, and what is to be done about secrets."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.filter.found_ids import found_ids
from ansible_collections.skp.cluster.plugins.filter.node_needs import node_needs
from ansible_collections.skp.cluster.plugins.filter.secrets_plan import secrets_plan

DATA = [{"path": "/var/lib/skp/kafka"}]
SHARED = [{"path": "/srv/skp/spark"}]
NEEDS = {
    "kafka": {"hosts": ["c01", "c03"], "directories": DATA},
    "spark": {"hosts": [], "enabled": True, "shared_directories": SHARED, "secrets": ["spark_auth_secret"]},
    "jupyter": {"hosts": [], "shared_directories": SHARED, "secrets": ["jupyter_password"]},
}
MANAGERS = ["c01", "c02"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("c01", [("kafka", DATA, []), ("spark", [], SHARED)]),
        ("c02", [("spark", [], [])]),
        ("c03", [("kafka", DATA, [])]),
        ("c04", []),
    ],
)
def test_needs_of_a_node(host, expected):
    assert [tuple(entry.values()) for entry in node_needs(NEEDS, host, "c01", MANAGERS)] == expected


def visit(**secrets):
    return {"__service_visit": {"services": {}, "secrets": secrets}}


def test_ids_of_hosts_that_were_visited():
    hostvars = {
        "c01": {"__service_visit": {"services": {"kafka": {"id": 3}}}},
        "c02": {"__service_visit": {"services": {"kafka": {"id": None}}}},
        "c03": {"__service_visit": {"unreachable": True}},
        "c04": {},
        "c05": {"__service_visit": {"services": {"spark": {"id": None}}}},
    }
    assert found_ids(sorted(hostvars), hostvars, "kafka") == {"c01": 3, "c02": None}


@pytest.mark.parametrize(
    ("hostvars", "fetch", "make", "behind"),
    [
        ({"c01": visit(a="1"), "c02": visit(a="1")}, {}, [], []),
        ({"c01": visit(), "c02": visit()}, {}, ["a"], ["c02"]),
        ({"c01": visit(), "c02": visit(a="1")}, {"c02": ["a"]}, [], []),
        ({"c01": visit(), "c02": visit(a="1"), "c03": visit()}, {"c02": ["a"]}, [], ["c03"]),
        ({"c01": visit(a="1", b="2"), "c02": visit(a="1")}, {}, [], ["c02"]),
        ({"c01": visit(a="1"), "c02": visit(a="other")}, {}, [], ["c02"]),
        ({"c01": visit(a="1"), "c02": {}}, {}, [], []),
    ],
)
def test_secrets(hostvars, fetch, make, behind):
    assert secrets_plan(sorted(hostvars), hostvars, "c01", ["a"]) == {"fetch": fetch, "make": make, "behind": behind, "problem": ""}


def test_no_secret_is_made_while_a_manager_was_not_asked():
    plan = secrets_plan(["c01", "c02", "c03"], {"c01": visit(), "c02": {}, "c03": visit(b="1")}, "c01", ["a", "b"])
    assert "The secrets a are on none of the managers that were asked (c01, c03), and c02 could not be asked" in plan["problem"]


def test_nothing_is_done_where_the_manager_was_not_asked():
    plan = secrets_plan(["c01", "c02"], {"c01": {}, "c02": visit(a="1")}, "c01", ["a"])
    assert "The secrets on the manager c01 were not read in this run" in plan["problem"]
