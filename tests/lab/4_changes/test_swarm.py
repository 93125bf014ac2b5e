# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of the swarm: one loses its place and gets it back, hosts get other names, one takes no tasks, two runs come at once."""
from __future__ import annotations

import concurrent.futures
import json
import uuid

import faults
import lablib
import messages
import pytest
import witness
import znodes

NODES = ("c01", "c02", "c03")
# Every container of the cluster, and since when it runs.
RUNNING = "docker ps -q --no-trunc | xargs -r docker inspect --format '{{.Id}} {{.State.StartedAt}}' | sort"


def test_a_node_that_left_the_swarm_joins_again(site):
    """The fault of molecule's scenario default, here with services on the node: they run again, and every label is there."""
    joined = lablib.play("molecule/default/side_effect.yml").changed
    assert joined
    lablib.wait("the cluster is healthy", lablib.cluster_is_healthy, 240, every=1)
    lablib.play("molecule/default/verify.yml", env={"MOLECULE_PROJECT_DIRECTORY": str(lablib.ROOT)})
    assert lablib.play(site).changed == set()


def renamed(names):
    """A change of hosts.json after which hosts have other names. names: {old: new}."""
    def change(data):
        return {names.get(name, name): host for name, host in data.items()}
    return change


@pytest.mark.parametrize("names", [{"c03": "n03"}, {"c01": "m01", "c02": "m02", "c03": "m03"}], ids=["one", "all"])
def test_a_renamed_host_keeps_its_services_and_data(site, names):
    """The same machines under other names: no container stops, ids and data stay, and a second run changes nothing. Then back again."""
    witness.healthy()
    kept, before = witness.keep(), lablib.look(RUNNING, NODES)
    with lablib.edited_hosts(renamed(names)):
        result = lablib.play(site)
        assert "docker node rm" not in result.text
        assert lablib.look(RUNNING, NODES) == before
        assert lablib.play(site).changed == set()
    lablib.play(site)
    assert lablib.look(RUNNING, NODES) == before
    assert lablib.play(site).changed == set()
    witness.healthy()
    witness.check(kept)


def test_nothing_is_stopped_on_a_paused_node(site):
    """A node set to pause for maintenance: a change that would stop its broker is refused before the first stop; without a change the run goes through."""
    before = lablib.look(RUNNING, NODES)
    lablib.ask_manager("docker node update --availability pause c02")
    try:
        result = lablib.play(site, "--tags", "kafka", "-e", json.dumps({"kafka_config": {"log.cleaner.threads": 2}}), check=False)
        assert result.rc != 0 and "kafka-skp-2 on c02, which is set to pause" in result.text, result.text[-3000:]
        assert lablib.look(RUNNING, NODES) == before
        assert lablib.play(site, "--tags", "kafka").changed == set()
    finally:
        lablib.ask_manager("docker node update --availability active c02")


def test_two_runs_at_once_change_one_after_the_other(site, figures):
    """Two people start the same change: both end well, each broker stops once and never two, and a third run takes it back. A producer loses nothing of what
    was acknowledged meanwhile. A topic with one replica, which can never have the two in sync that it wants, holds nobody up.
    """
    def run(_number):
        return lablib.play(site, "--tags", "kafka", "-e", json.dumps({"kafka_config": {"log.cleaner.threads": 2}}))

    topic, before = f"rolled-{uuid.uuid4().hex[:8]}", versions("kafka-skp-")
    messages.create_topic(topic, min_insync_replicas=2)
    messages.create_topic(topic + "-alone", 3, 1, min_insync_replicas=2)
    with faults.watched("kafka-skp-") as rolled, messages.producing(topic) as acked:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            first, second = pool.map(run, range(2))
    assert sorted([bool(first.changed), bool(second.changed)]) == [False, True]
    assert len(versions("kafka-skp-") - before) == len(before)
    assert sorted(rolled.stopped()) == ["kafka-skp-1", "kafka-skp-2", "kafka-skp-3"] and rolled.most_down() == 1, rolled.rows
    assert acked and acked <= messages.read_outside(topic)
    figures["kafka: acked / lost while the brokers were rolled"] = f"{len(acked)} / 0"
    assert lablib.play(site, "--tags", "kafka").changed
    witness.healthy()


def test_without_a_quorum_no_broker_is_stopped(site):
    """Two of three ZooKeeper members reach nobody: brokers still answer, but one that was stopped could not start. The run ends within its time and says so."""
    before = lablib.look(RUNNING, NODES)
    with faults.cut_off("zookeeper-skp-2", "zookeeper-skp-3"):
        lablib.wait("no member serves", lambda: not znodes.modes(), 60)
        change = ("-e", json.dumps({"kafka_config": {"log.cleaner.threads": 2}}), "-e", "kafka_update_timeout=20")
        result = lablib.play(site, "--tags", "kafka", *change, check=False, timeout=180)
        assert result.rc != 0 and "ZooKeeper at zookeeper-skp-1:2181" in faults.words(result.text), result.text[-3000:]
    witness.healthy()
    assert lablib.look(RUNNING, NODES) == before


def sshd_dies():
    """All processes of the SSH server of the master end, with every session; then it starts again."""
    lablib.on("c01", "sh", "-c", "kill -9 $(pgrep -x 'sshd|sshd-session|sshd-auth'); systemctl reset-failed ssh; systemctl start ssh", check=False)
    lablib.close_ssh()


@pytest.mark.parametrize("how, wanted", [("Ctrl-C", ["-e", "zookeeper_autopurge_keep=4"]), ("sshd", [])])
def test_a_roll_that_is_interrupted(site, how, wanted):
    """Ctrl-C, or the master's SSH server dies, after the first member of ZooKeeper was stopped: never two are down, the next run ends the change, and the one
    after it finds nothing to do.
    """
    command = (site, "--tags", "zookeeper", *wanted)
    with faults.watched("zookeeper-skp-") as seen:
        with faults.started(*command) as run:
            lablib.wait("the first member is stopped", seen.stopped, 60, every=0.1)
            run.interrupt() if how == "Ctrl-C" else sshd_dies()
            assert run.wait(120) != 0
        lablib.play(*command)
    assert seen.most_down() == 1 and set(seen.stopped()) == set(znodes.members()), seen.rows
    assert lablib.play(*command).changed == set()
    witness.healthy()


def versions(prefix):
    """Container ids of the services with this prefix, on all nodes."""
    return {line for text in lablib.look(f"docker ps -q --no-trunc -f name={prefix}", NODES).values() for line in text.split()}
