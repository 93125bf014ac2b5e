# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second run changes nothing, costs little, and comes out the same from the installed collection."""
from __future__ import annotations

import itertools
import json

import lablib
import pytest

MASTER = "c01"


def test_site_again_changes_nothing(figures):
    """changed=0, and by another path: every container, service version and managed file as before."""
    before = lablib.snapshot()
    result = lablib.play("site.yml")
    assert result.changed == set()
    assert lablib.snapshot() == before
    per_node = {n: len(result.calls(n)) for n in sorted(lablib.hosts())}
    figures["site.yml second run, seconds"] = round(result.seconds, 1)
    figures["site.yml second run, module calls per node"] = per_node
    assert all(count <= 6 for node, count in per_node.items() if node != MASTER), result.calls("c02")
    # What goes through the master: swarm, images, ZooKeeper, two each for the registry (its secret, its image) and Kafka (ids, services).
    assert per_node[MASTER] <= 6 + 7, result.calls(MASTER)


def test_tags_kafka_again_stays_in_its_budget(figures):
    """--tags kafka: at most 2 calls on the master and 1 on every node, nothing changed."""
    result = lablib.play("site.yml", "--tags", "kafka")
    assert result.changed == set()
    per_node = {n: len(result.calls(n)) for n in sorted(lablib.hosts())}
    figures["--tags kafka second run, seconds"] = round(result.seconds, 1)
    figures["--tags kafka second run, module calls per node"] = per_node
    assert all(count <= 1 for node, count in per_node.items() if node != MASTER), per_node
    assert per_node[MASTER] <= 3, result.calls(MASTER)


def test_order_of_hosts_json_does_not_matter(figures):
    """All permutations of the file: no id moves, nothing restarts."""
    before = lablib.snapshot()
    names = sorted(lablib.hosts())
    orders = list(itertools.permutations(names)) if len(names) <= 3 else [tuple(reversed(names))]
    for order in orders:
        with lablib.edited_hosts(lambda data, order=order: {n: data[n] for n in order}):
            result = lablib.play("site.yml", "--tags", "zookeeper,kafka")
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
