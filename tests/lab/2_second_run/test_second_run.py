# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second run changes nothing, costs little, and comes out the same from the installed collection."""
from __future__ import annotations

import itertools
import json

import lablib
import pytest

MASTER = "c01"


# What a second run asks of a node, and of the master for the swarm as a whole; each is one module call.
EVERYWHERE = ("preflight", "engine", "registry", "images")
WITH_DATA = ("zookeeper", "kafka", "spark-worker")
ON_MANAGERS = ("secrets",)
THROUGH_THE_MASTER = ("swarm", "registry image", "images", "zookeeper", "kafka ids", "kafka", "spark directories", "spark", "jupyter directories", "jupyter")


def budget(node):
    """How many calls a second run of the site may make on a node."""
    host = lablib.hosts()[node]
    labels = {name for entry in host["labels"] for name, value in entry.items() if value == "enable"}
    calls = len(EVERYWHERE) + len(labels.intersection(WITH_DATA))
    calls += len(ON_MANAGERS) if {"master", "manager"}.intersection(host["groups"]) else 0
    return calls + (len(THROUGH_THE_MASTER) if node == MASTER else 0)


def test_site_again_changes_nothing(figures):
    """changed=0, and by another path: every container, service version and managed file as before."""
    before = lablib.snapshot()
    result = lablib.play("site.yml")
    assert result.changed == set()
    assert lablib.snapshot() == before
    per_node = {n: len(result.calls(n)) for n in sorted(lablib.hosts())}
    figures["site.yml second run, seconds"] = round(result.seconds, 1)
    figures["site.yml second run, module calls per node"] = per_node
    for node, count in per_node.items():
        assert count <= budget(node), result.calls(node)


# Besides the services themselves: Kafka's ids and directories; Spark's and Jupyter's secrets and directories.
@pytest.mark.parametrize(("tag", "on_master", "elsewhere"), [("kafka", 3, 1), ("spark", 4, 2), ("jupyter", 3, 1)])
def test_one_service_again_stays_in_its_budget(tag, on_master, elsewhere, figures):
    """--tags <service> on a cluster that is as it should be: a handful of calls, nothing changed."""
    result = lablib.play("site.yml", "--tags", tag)
    assert result.changed == set()
    per_node = {n: len(result.calls(n)) for n in sorted(lablib.hosts())}
    figures[f"--tags {tag} second run, seconds"] = round(result.seconds, 1)
    figures[f"--tags {tag} second run, module calls per node"] = per_node
    assert all(count <= elsewhere for node, count in per_node.items() if node != MASTER), per_node
    assert per_node[MASTER] <= on_master, result.calls(MASTER)


def test_order_of_hosts_json_does_not_matter(figures):
    """All permutations of the file: no id moves, nothing restarts; the file backwards: nothing of the site changes."""
    before = lablib.snapshot()
    names = sorted(lablib.hosts())
    backwards = tuple(reversed(names))
    orders = list(itertools.permutations(names)) if len(names) <= 3 else [backwards]
    for order in orders:
        with lablib.edited_hosts(lambda data, order=order: {n: data[n] for n in order}):
            result = lablib.play("site.yml", *([] if order == backwards else ["--tags", "zookeeper,kafka,spark,jupyter"]))
            assert result.changed == set(), order
    assert lablib.snapshot() == before
    figures["orders of hosts.json tried, changes"] = f"{len(orders)}, 0"


def test_limit_to_one_host_changes_nothing_elsewhere():
    """--limit c02 on a cluster that is as it should be: nothing changes, and the member lists still name everybody."""
    before = lablib.snapshot()
    result = lablib.play("site.yml", "--limit", "c02")
    assert result.changed == set()
    assert lablib.snapshot() == before


def test_installed_collection_gives_the_same(tmp_path):
    """Built, installed into an empty directory and run by its full name from elsewhere: changed=0."""
    out = tmp_path / "dist"
    lablib.run(lablib.BIN / "ansible-galaxy", "collection", "build", "--output-path", out, cwd=lablib.ROOT / "collections/ansible_collections/skp/cluster")
    tarball = next(out.glob("skp-cluster-*.tar.gz"))
    (tmp_path / "ansible.cfg").write_text("[ssh_connection]\npipelining = true\n", encoding="utf-8")
    alone = {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "installed"), "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg")}
    lablib.run(lablib.BIN / "ansible-galaxy", "collection", "install", "--offline", "--no-deps", "-p", tmp_path / "installed", tarball, cwd=tmp_path, env=alone)
    result = lablib.play("skp.cluster.site", "-i", str(lablib.ROOT / "inventory/lab/skp.yml"), cwd=tmp_path, env=alone)
    assert result.changed == set()


def test_fault_free_containers_carry_no_privilege():
    """No container of the cluster is privileged, none holds the engine's socket."""
    for node in sorted(lablib.hosts()):
        ids = lablib.on(node, "docker", "ps", "-q").split()
        if not ids:
            continue
        for c in json.loads(lablib.on(node, "docker", "inspect", *ids)):
            assert not c["HostConfig"]["Privileged"], c["Name"]
            assert not any("docker.sock" in m.get("Source", "") for m in c["Mounts"]), c["Name"]


@pytest.mark.parametrize("node", ["c01", "c02", "c03"])
def test_zookeeper_is_reachable_from_the_overlay_only(node):
    """2181 is not published: a connection to the node's address is refused."""
    code = lablib.run("bash", "-c", f"timeout 3 bash -c '</dev/tcp/{lablib.address(node)}/2181'", check=False).returncode
    assert code != 0
