# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""status.yml while nodes have no power: a row for each, no traceback, in a time that a monitor can wait for. Before the calendar of outages."""
from __future__ import annotations

import json

import lablib
import pytest
import witness

PATIENT = 90
"""Seconds. A node that does not answer costs its SSH time-out (20 s), a swarm without a leader the time of an election."""


@pytest.fixture
def look(site, tmp_path):
    """look() -> (result, document) of status.yml, whatever its exit code."""
    def ask():
        path = tmp_path / "status.json"
        result = lablib.play("playbooks/status.yml", "-e", f"status_file={path}", check=False, timeout=300)
        assert "Traceback" not in result.text and result.changed == set()
        return result, json.loads(path.read_text(encoding="utf-8"))
    witness.healthy()
    return ask


def kinds(document, where):
    """Kinds of the problems of one host."""
    return {item["kind"] for item in document["problems"] if item["where"] == where}


# `make test` asks while c03 is off in tests/lab/5_outages/test_outages.py.
@pytest.mark.soak
@pytest.mark.parametrize("node", ["c03", "c01"])
def test_a_node_without_power(look, figures, node):
    """Its row says so, and everything of the others is as it should be. Without the master another manager is asked."""
    lablib.kill(node)
    try:
        lablib.wait("the swarm knows it", lambda: "Down" in lablib.ask_manager(f"docker node ls -f name={node} --format '{{{{.Status}}}}'")[1], 90)
        result, document = look()
    finally:
        lablib.start(node)
    figures[f"status.yml without {node}, seconds"] = round(result.seconds)
    assert result.rc == 2 and result.seconds < PATIENT and document["swarm"]["answered"]
    assert {"unreachable", "node_down"} <= kinds(document, node)
    assert all(kinds(document, other) <= {"not_running", "manager_unreachable"} for other in lablib.hosts() if other != node), document["problems"]
    assert (document["swarm"]["asked"] == "c01") is (node != "c01")
    witness.healthy()
    assert look()[0].rc == 0


@pytest.mark.soak
def test_a_swarm_without_a_leader(look, figures):
    """Two of three managers are off: the table says so, and the node that is left has its row."""
    lablib.kill("c02", "c03")
    try:
        result, document = look()
    finally:
        lablib.start("c02", "c03")
    figures["status.yml without a leader, seconds"] = round(result.seconds)
    assert result.rc == 2 and result.seconds < PATIENT and not document["swarm"]["answered"]
    assert "no_leader" in {item["kind"] for item in document["problems"]} and "it has no leader" in result.text
    assert {node["name"]: node["reached"] for node in document["nodes"]} == {"c01": True, "c02": False, "c03": False}
    witness.healthy()
    assert look()[0].rc == 0
