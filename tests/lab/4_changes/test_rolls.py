# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members, and engines under them, are changed one at a time, whoever runs at the same time, whatever interrupts the run, and not without a quorum."""
from __future__ import annotations

import concurrent.futures
import contextlib
import json
import subprocess
import threading
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


# `make test` has a roll that ends after its first member, in 3_services/zookeeper.
@pytest.mark.soak
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


GATED = ("kafka-skp-", "zookeeper-skp-")
# Which of them has a healthy container on a node, as its engine says. An engine that restarts says nothing, and nothing of what it ended: no events here.
HEALTHY = f"""
for name in {" ".join(GATED)}; do
    [ -z "$(timeout 5 docker ps -q -f name=$name -f health=healthy 2>/dev/null)" ] || echo $name
done
"""
ENGINES = "systemctl show -p ActiveEnterTimestampMonotonic docker"


def engines(size, **more):
    """Arguments of a run that gives all engines another size of log files, which needs a restart, as nothing that an engine can reload does."""
    config = {"log-driver": "json-file", "log-opts": {"max-size": size, "max-file": "3"}}
    return "--tags", "engine", "-e", json.dumps({"engine_daemon_config": config, **more})


@contextlib.contextmanager
def looked_at():
    """Within the block the health of the members is asked for, about once a second. Yields [(prefix, nodes without a healthy member), ...]."""
    rows, ended = [], threading.Event()

    def ask():
        while not ended.wait(0.3):
            seen = lablib.look(HEALTHY, NODES, check=False, timeout=30)
            rows.extend((prefix, {node for node in NODES if prefix not in seen[node].split()}) for prefix in GATED)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield rows
    finally:
        ended.set()
        thread.join(60)


@contextlib.contextmanager
def creating(prefix):
    """Within the block znodes are created below /prefix, each by a client of its own on a member that answers. Yields the set of the acknowledged names."""
    acked, ended = set(), threading.Event()

    def ask():
        number = 0
        while not ended.wait(0.3):
            # A member that was chosen may be gone when it is asked, and for a moment none may answer.
            with contextlib.suppress(lablib.Failed, StopIteration, subprocess.TimeoutExpired):
                if f"Created /{prefix}/n{number}" in znodes.cli(f"create /{prefix}/n{number} {number}", check=False, timeout=30):
                    acked.add(f"n{number}")
            number += 1

    znodes.cli(f"create /{prefix}")
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield acked
    finally:
        ended.set()
        thread.join(120)


@pytest.mark.soak
def test_engines_are_restarted_one_after_the_other(site, figures):
    """A setting that needs a restart of all engines. With a broker cut off, no engine is restarted. Without: one after the other, never two members of Kafka or
    ZooKeeper are away, and all that was acknowledged meanwhile is there. Then back.
    """
    running, started = lablib.look(RUNNING, NODES), lablib.look(ENGINES, NODES)
    with faults.cut_off("kafka-skp-3"):
        lablib.wait("the others know", lambda: messages.in_sync({1, 2}), 120)
        refused = lablib.play(site, *engines("51m", engine_restart_timeout=20), check=False)
    assert refused.rc != 0 and "services of this node may not stop now" in faults.words(refused.text), refused.text[-3000:]
    assert (lablib.look(RUNNING, NODES), lablib.look(ENGINES, NODES)) == (running, started)
    witness.healthy()

    topic = f"engines-{uuid.uuid4().hex[:8]}"
    messages.create_topic(topic, min_insync_replicas=2)
    with looked_at() as rows, creating(topic) as created, messages.producing(topic) as acked:
        result = lablib.play(site, *engines("51m"))
    later = lablib.look(ENGINES, NODES)
    assert [node for node in NODES if later[node] == started[node]] == []
    for prefix in GATED:
        seen = [nodes for name, nodes in rows if name == prefix]
        assert set().union(*seen) == set(NODES), f"{prefix}: the looks are too rare to see a restart"
        assert max(map(len, seen)) == 1, (prefix, seen)
    assert acked and acked <= messages.read_outside(topic)
    assert created and created <= znodes.names(topic)
    figures["engines restarted: seconds, messages acked / lost, znodes acked / lost"] = f"{round(result.seconds)}, {len(acked)} / 0, {len(created)} / 0"
    lablib.play(site, "--tags", "engine")
    assert lablib.play(site, "--tags", "engine").changed == set()
    messages.delete_topic(topic)
    witness.healthy()
