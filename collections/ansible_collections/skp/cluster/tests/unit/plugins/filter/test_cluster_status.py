# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From Ansible's variables to the judgement: who is asked, what hosts.json wants."""

from __future__ import annotations

from ansible_collections.skp.cluster.plugins.filter.cluster_status import cluster_status, nodes_of
from ansible_collections.skp.cluster.plugins.filter.cluster_table import cluster_table
from ansible_collections.skp.cluster.plugins.filter.container_table import container_table

SETTINGS = {"cluster": "mine", "time": "now", "disk_free_percent": "5", "recent_seconds": "3600"}
GROUPS = {"skp": ["c1", "c2"], "master": ["c1"], "manager": []}
UNREACHABLE = {"unreachable": True, "msg": "Task failed: Failed to connect to the host via ssh:\nno route to host", "changed": False}


def variables():
    return {"c1": {"ansible_host": "10.0.0.1", "skp_labels": {"kafka": "enable", "mysql": "disable", "rack": "r1"}, "__status_node": {"skipped": True}},
            "c2": {"ansible_host": "10.0.0.2", "status_address": "c2.example", "skp_labels": {}, "__status_node": UNREACHABLE}}


def test_without_an_answer():
    """An error of Ansible is one line without Ansible's words; a host that was not asked has no answer."""
    document = cluster_status(["c1", "c2"], variables(), GROUPS, [{"host": "c1", "result": UNREACHABLE}], SETTINGS)
    assert [(item["kind"], item["where"]) for item in document["problems"]] == [("no_manager", ""), ("unreachable", "c2")]
    assert document["problems"][1]["found"] == "does not answer: Failed to connect to the host via ssh: no route to host"
    assert [(node["name"], node["role"], node["master"], node["labels"], node["address"], node["reached"]) for node in document["nodes"]] == [
        ("c1", "manager", True, ["kafka", "rack"], "10.0.0.1", None), ("c2", "worker", False, [], "c2.example", False)]
    assert cluster_table(document)[0] == "Cluster mine: 2 problems (now, NO MANAGER ANSWERS)"


def test_volumes_that_this_run_could_not_mount():
    hosts = variables()
    hosts["c1"]["__volumes_mounted"] = {"failed": {"lake": "no such bucket"}}
    document = cluster_status(["c1", "c2"], hosts, GROUPS, [], SETTINGS, volumes={"c1": ["lake"]})
    assert ("volume", "lake", "c1") in [(item["kind"], item["subject"], item["where"]) for item in document["problems"]]
    assert any("no such bucket" in line for line in cluster_table(document, "summary"))


def test_containers():
    hosts = variables()
    assert nodes_of(["c1", "c2"], hosts) == {"c2": {"answer": None, "error": "Failed to connect to the host via ssh: no route to host"}}
    assert container_table(["c1", "c2"], hosts)[1].split()[:4] == ["c2", "-", "NO", "ANSWER"]
