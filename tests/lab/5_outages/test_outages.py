# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power: nodes die and come back without a person or a playbook; a wiped node is made whole by site.yml alone."""
from __future__ import annotations

import uuid

import lablib
import messages
import pytest
import znodes

WHOLE = 240


@pytest.fixture(scope="module")
def kept():
    """A topic and a tree of znodes written before any fault; returns (topic, numbers, prefix, names)."""
    ident = uuid.uuid4().hex[:8]
    topic, prefix = f"power-{ident}", f"p{ident}"
    lablib.wait("brokers take a topic", lambda: messages.create_topic(topic) is None, 90, every=2)
    acked = messages.produce_outside(topic, range(2000))
    assert len(acked) == 2000
    znodes.write(prefix, 50)
    return topic, acked, prefix, {f"n{i}" for i in range(50)}


def cluster_is_whole():
    """Every node is ready, every service runs all its tasks, every registry answers, the ensemble has one leader."""
    return lablib.cluster_is_healthy() and znodes.whole()


def everything_is_there(kept):
    """All acknowledged messages and all znodes, read through clients that are not ours."""
    topic, numbers, prefix, names = kept
    return messages.read_outside(topic) == numbers and znodes.names(prefix) == names


@pytest.mark.parametrize("node", ["c01", "c02", "c03"])
def test_one_node_loses_power(node, kept, figures):
    """Killed and started again: whole again with nobody doing anything."""
    lablib.kill(node)
    lablib.start(node)
    _, seconds = lablib.wait(f"cluster whole after {node}", cluster_is_whole, WHOLE, every=2)
    figures[f"power: {node} killed and started, whole after seconds"] = seconds
    lablib.wait("all messages and znodes read", lambda: everything_is_there(kept), 120, every=2)


def test_all_nodes_lose_power_at_once(kept, figures):
    """All of them at once."""
    nodes = sorted(lablib.hosts())
    lablib.kill(*nodes)
    lablib.start(*nodes)
    _, seconds = lablib.wait("cluster whole after all nodes", cluster_is_whole, WHOLE, every=2)
    figures["power: all nodes killed and started, whole after seconds"] = seconds
    lablib.wait("all messages and znodes read", lambda: everything_is_there(kept), 120, every=2)


@pytest.mark.parametrize("node", ["c03", "c01"])
def test_wiped_node_is_made_whole_by_site(node, kept, figures):
    """A node (the master too) re-created empty under its name: site.yml alone; ids as before, one swarm entry per name."""
    topic, numbers, prefix, names = kept
    ids = member_labels()
    secrets = secret_sums("c02")
    lablib.run(lablib.BIN / "ansible-playbook", "-i", "localhost,", "roles/lab/playbooks/recreate.yml", "-e", f"lab_node={node}", timeout=300)
    result = lablib.play("site.yml")
    figures[f"power: {node} wiped, site.yml alone, seconds"] = round(result.seconds, 1)
    lablib.wait("cluster whole", cluster_is_whole, WHOLE, every=2)
    assert member_labels() == ids
    assert secret_sums(node) == secrets
    lablib.wait("all messages and znodes read", lambda: messages.read_outside(topic) == numbers and znodes.names(prefix) == names, 180, every=2)
    lablib.wait("all replicas in sync", lambda: no_partition_behind(), 240, every=3)
    assert lablib.play("site.yml").changed == set()


def secret_sums(node):
    """Checksums of the secrets a manager keeps; there are some."""
    sums = lablib.on(node, "sh", "-c", "cd /etc/skp/secrets && sha256sum * | sort -k2")
    assert sums
    return sums


def member_labels():
    """{inventory name: {label: id}} as the swarm's nodes carry them; fails when a name is there twice."""
    node = lablib.manager()
    seen = {}
    for ident in lablib.on(node, "docker", "node", "ls", "-q").split():
        labels = dict(part.split("=", 1) for part in lablib.on(
            node, "docker", "node", "inspect", ident, "--format", "{{range $k, $v := .Spec.Labels}}{{$k}}={{$v}}\n{{end}}").split())
        name = labels["skp.host"]
        assert name not in seen, f"{name} is in the swarm twice"
        seen[name] = {k: v for k, v in labels.items() if k.endswith(".id")}
    return seen


def no_partition_behind():
    """True when Kafka's own tool lists no under-replicated partition."""
    node, ident = lablib.task_container("kafka-skp-2")
    text = lablib.on(node, "docker", "exec", ident, "kafka-topics.sh", "--bootstrap-server", "kafka-skp-2:9092", "--describe", "--under-replicated-partitions")
    return "Partition:" not in text


def test_label_removed_while_its_node_is_down(kept):
    """The service is gone although its node cannot be reached, and stays gone when the node returns."""
    with lablib.edited_hosts(lablib.without("kafka", "c03")):
        lablib.kill("c03")
        try:
            lablib.play("site.yml", "--tags", "swarm,kafka", check=False)
            assert "kafka-skp-3" not in lablib.services()
        finally:
            lablib.start("c03")
        lablib.wait("c03 is back", lambda: "Ready" in lablib.on("c01", "docker", "node", "ls"), 120)
        lablib.wait("the ensemble is whole", znodes.whole, 180, every=2)
        assert "kafka-skp-3" not in lablib.services()
        assert "kafka-skp-3" not in lablib.on("c03", "docker", "ps", "--format", "{{.Names}}")
    lablib.play("site.yml")
    lablib.wait("cluster whole", cluster_is_whole, WHOLE, every=2)
    lablib.wait("all messages read", lambda: messages.read_outside(kept[0]) == kept[1], 120, every=2)
