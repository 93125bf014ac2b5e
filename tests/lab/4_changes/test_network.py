# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packet filter: who reaches published ports, what a notebook reaches. The controller is a neighbour of the nodes; JupyterLab's container is inside."""
from __future__ import annotations

import json
import socket

import lablib
import notebooks
import pytest

NODES = ("c01", "c02", "c03")
KAFKA = 9094
METADATA = "169.254.169.254"
ELSEWHERE = "192.0.2.0/24"
RULES = "(iptables-save -t filter; ip6tables-save -t filter) | grep -v '^#' | sed 's/\\[.*//' | grep SKP"


@pytest.fixture(autouse=True)
def as_it_was(site):
    """The filter of the lab's own variables, whatever a test left."""
    yield
    lablib.play("playbooks/nodes.yml")


def filtered(**variables):
    """Run the visit of the nodes with variables of the filter; a second run changes nothing."""
    words = ["playbooks/nodes.yml", "-e", json.dumps(variables)]
    lablib.play(*words)
    before = lablib.snapshot()
    assert lablib.play(*words).changed == set()
    assert lablib.snapshot() == before


def neighbour(node, port=KAFKA):
    """Whether the controller reaches a port of a node."""
    try:
        socket.create_connection((lablib.address(node), port), timeout=4).close()
    except OSError:
        return False
    return True


def own_address():
    """The address that nodes see of the controller."""
    with socket.create_connection((lablib.address("c01"), 22), timeout=4) as one:
        return one.getsockname()[0]


def notebook(address, port):
    """Whether a cell of a notebook reaches an address."""
    code = "import socket, sys\ntry: socket.create_connection((sys.argv[1], int(sys.argv[2])), 4)\nexcept OSError: print('no')\nelse: print('yes')"
    return notebooks.execute("jupyter-skp", "python3", "-c", code, address, str(port)).strip() == "yes"


def node_reaches(node, other, port=KAFKA):
    """Whether a program of a node itself reaches a port of a node."""
    text = f"timeout 4 bash -c 'exec 3<>/dev/tcp/{lablib.address(other)}/{port}' 2>/dev/null && echo yes || echo no"
    return lablib.on(node, "bash", "-c", text).strip() == "yes"


@pytest.mark.soak
def test_what_a_notebook_reaches():
    """Without any variable: published ports of every node and names, no port of a node itself, no metadata service."""
    home = notebooks.node()
    lablib.on(home, "ip", "addr", "add", METADATA + "/32", "dev", "lo")
    try:
        assert {node: notebook(lablib.address(node), 22) for node in NODES} == dict.fromkeys(NODES, False)
        assert not notebook(lablib.address("c01"), 2377) and not notebook(METADATA, 8010)
        assert {node: notebook(lablib.address(node), KAFKA) for node in lablib.labelled("kafka")} == dict.fromkeys(lablib.labelled("kafka"), True)
        assert notebook("kafka-skp", 9092)
        filtered(skp_container_closed_ports=[], skp_container_closed_networks=[], skp_registry_users=["all"])
        assert lablib.look(RULES, NODES, check=False) == dict.fromkeys(NODES, "")
        assert notebook(lablib.address(home), 22) and notebook(METADATA, 8010), "what was refused above was refused by the filter"
        assert not lablib.on(home, "bash", "-c", "ls /etc/skp/network.* /etc/systemd/system/skp-network.service 2>/dev/null || true").strip()
    finally:
        lablib.on(home, "ip", "addr", "del", METADATA + "/32", "dev", "lo")


# `make test` has the sweep of all ports.
@pytest.mark.soak
def test_who_reaches_published_ports():
    """An allowed source reaches Kafka, another does not, nodes and notebooks always do; open again, everybody does."""
    assert neighbour("c01")
    filtered(skp_allow_from=[ELSEWHERE])
    assert {node: neighbour(node) for node in NODES} == dict.fromkeys(NODES, False)
    assert not neighbour(notebooks.node(), 8010) and neighbour("c01", 22)
    assert node_reaches("c02", "c01") and node_reaches("c01", "c01") and notebook(lablib.address(notebooks.node()), KAFKA)
    lablib.wait("the cluster is healthy", lablib.cluster_is_healthy, 60)
    filtered(skp_allow_from=[own_address()])
    assert neighbour("c01") and neighbour(notebooks.node(), 8010)
    filtered(skp_allow_from=[own_address()], skp_allow_port_from={KAFKA: [ELSEWHERE]})
    assert not neighbour("c01") and neighbour(notebooks.node(), 8010)
    filtered()
    assert neighbour("c01")


@pytest.mark.soak
def test_who_reaches_the_ports_of_the_swarm():
    """Nobody but the nodes: the controller does not, the nodes do, and the overlay network still carries what they say."""
    assert neighbour("c01", 2377)
    filtered(skp_swarm_allow_from=["nodes"])
    assert {node: neighbour(node, 2377) or neighbour(node, 7946) for node in NODES} == dict.fromkeys(NODES, False)
    assert node_reaches("c02", "c01", 2377) and neighbour("c01", 22) and neighbour("c01")
    assert notebook("kafka-skp", 9092)
    lablib.wait("the cluster is healthy", lablib.cluster_is_healthy, 60)


@pytest.mark.soak
def test_who_of_a_node_uses_its_registry():
    """An account of the master neither pushes nor pulls; root, and so every engine, does. With skp_registry_users the account may."""
    ask = "setpriv --reuid 12345 --clear-groups curl -s -o /dev/null -m 4 -w '%{http_code}' http://127.0.0.1:5000/v2/ || true"
    root = "curl -s -o /dev/null -m 4 -w '%{http_code}' http://127.0.0.1:5000/v2/"
    assert lablib.look(ask, NODES) == dict.fromkeys(NODES, "000") and lablib.look(root, NODES) == dict.fromkeys(NODES, "200")
    filtered(skp_registry_users=[12345])
    assert lablib.look(ask, NODES) == dict.fromkeys(NODES, "200")
    lablib.wait("the cluster is healthy", lablib.cluster_is_healthy, 60)


@pytest.mark.soak
def test_published_ports_at_one_address():
    """A second address of the node: what it publishes is not reached there, its own ports are."""
    host, second = "c01", "172.31.251.1"
    lablib.on(host, "ip", "addr", "add", second + "/32", "dev", "lo")
    try:
        ask = f"ip route replace {second}/32 via {lablib.address(host)} && timeout 4 bash -c 'exec 3<>/dev/tcp/{second}/%d' 2>/dev/null && echo yes || echo no"
        assert lablib.on("c02", "bash", "-c", ask % KAFKA).strip() == "yes"
        filtered(skp_publish_addresses=["{{ ansible_host }}"])
        assert lablib.on("c02", "bash", "-c", ask % KAFKA).strip() == "no" and lablib.on("c02", "bash", "-c", ask % 22).strip() == "yes"
        assert neighbour(host) and node_reaches("c02", host)
    finally:
        lablib.on(host, "ip", "addr", "del", second + "/32", "dev", "lo")
        lablib.on("c02", "bash", "-c", f"ip route del {second}/32 || true")


@pytest.mark.soak
def test_the_filter_survives_restarts_and_hands():
    """A restart of the engine, the node's own reboot, and rules removed by hand: the next look shows the same rules, the last one after a run."""
    wish = {"skp_allow_from": [ELSEWHERE]}
    filtered(**wish)
    before = lablib.on("c03", "bash", "-c", RULES)
    lablib.on("c03", "bash", "-c", "iptables -F SKP-FORWARD; iptables -D INPUT -j SKP-INPUT")
    assert neighbour("c03")
    dry = lablib.play("playbooks/nodes.yml", "--check", "--diff", "-e", json.dumps(wish))
    assert {host for _task, host in dry.changed} == {"c03"} and "+-A SKP-FORWARD" in dry.text
    filtered(**wish)
    assert lablib.on("c03", "bash", "-c", RULES) == before and not neighbour("c03")
    lablib.on("c03", "systemctl", "restart", "docker")
    lablib.wait("the cluster is healthy", lablib.cluster_is_healthy, 240, every=1)
    assert lablib.on("c03", "bash", "-c", RULES) == before and not neighbour("c03")
    lablib.kill("c03")
    lablib.start("c03")
    lablib.wait("the cluster is healthy", lablib.cluster_is_healthy, 240, every=1)
    assert lablib.on("c03", "bash", "-c", RULES) == before and not neighbour("c03")
