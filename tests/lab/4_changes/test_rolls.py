# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members are changed one at a time, whoever runs at the same time, whatever interrupts the run, and not at all without a quorum."""
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


def versions(prefix):
    """Container ids of the services with this prefix, on all nodes."""
    return {line for text in lablib.look(f"docker ps -q --no-trunc -f name={prefix}", NODES).values() for line in text.split()}


@pytest.mark.soak
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
    # Its one replica is on some broker, whose absence other tests take for granted.
    messages.delete_topic(topic + "-alone")
    witness.healthy()


@pytest.mark.soak
def test_without_a_quorum_no_broker_is_stopped(site):
    """Two of three ZooKeeper members reach nobody: brokers still answer, but one that was stopped could not start. The run ends within its time and says so."""
    before, configs = lablib.look(RUNNING, NODES), lablib.ask_manager("docker config ls -q | sort")
    with faults.cut_off("zookeeper-skp-2", "zookeeper-skp-3"):
        lablib.wait("no member serves", lambda: not znodes.modes(), 60)
        change = ("-e", json.dumps({"kafka_config": {"log.cleaner.threads": 2}}), "-e", "kafka_update_timeout=20")
        result = lablib.play(site, "--tags", "kafka", *change, check=False, timeout=180)
        assert result.rc != 0 and "ZooKeeper at zookeeper-skp-1:2181" in faults.words(result.text), result.text[-3000:]
    witness.healthy()
    assert lablib.look(RUNNING, NODES) == before and lablib.ask_manager("docker config ls -q | sort") == configs


def sshd_dies():
    """All processes of the SSH server of the master end, with every session; then it starts again."""
    lablib.on("c01", "sh", "-c", "kill -9 $(pgrep -x 'sshd|sshd-session|sshd-auth'); systemctl reset-failed ssh; systemctl start ssh", check=False)
    lablib.close_ssh()


@pytest.mark.parametrize("how, wanted", [("Ctrl-C", ["-e", "zookeeper_autopurge_keep=4"]), pytest.param("sshd", [], marks=pytest.mark.soak)])
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
