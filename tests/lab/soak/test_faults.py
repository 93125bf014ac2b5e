# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults twenty times over, and rare ones that take minutes. Twenty rounds without a loss bound the chance of one below 14 % (95 %)."""
from __future__ import annotations

import json
import os
import random
import statistics
import time
import uuid

import faults
import lablib
import messages
import sweeps
import witness
import znodes

ROUNDS = int(os.environ.get("SKP_SOAK_ROUNDS", "20"))


def kill(service):
    """SIGKILL to the container of a service."""
    node, ident = lablib.task_container(service)
    lablib.on(node, "docker", "kill", "-s", "KILL", ident)


def test_killed_leaders(figures):
    """The leader of ZooKeeper gets SIGKILL, again and again, while a client writes: every acknowledged znode is there."""
    prefix, seconds = f"t{uuid.uuid4().hex[:8]}", []
    with znodes.writing(prefix) as written:
        for _round in range(ROUNDS):
            kill(znodes.leader())
            count = len(written.acked)
            lablib.wait("writes go on", lambda count=count: len(written.acked) > count + 5, 60)
            seconds.append(lablib.wait("three members, one leader", znodes.healthy, 120)[1])
    assert written.names() <= znodes.names(prefix)
    figures["zookeeper: leader killed, acked / lost, median and longest seconds until healthy"] = (
        f"{len(written.acked)} / 0, {statistics.median(seconds)}, {max(seconds)}; longest time without a write {written.longest_gap()}")


def test_the_leader_dies_in_the_middle_of_a_roll():
    """At a random moment of a roll. The run may be refused, as two members are down then; the next one ends the change, and nothing is lost."""
    prefix = f"t{uuid.uuid4().hex[:8]}"
    with znodes.writing(prefix) as written:
        for keep in (4, 5, 3):
            with faults.watched("zookeeper-skp-") as seen, faults.started("site.yml", "--tags", "zookeeper", "-e", f"zookeeper_autopurge_keep={keep}") as run:
                lablib.wait("the first member is stopped", seen.stopped, 60, every=0.1)
                time.sleep(random.uniform(0, 8))  # no wait for anything: the moment is what is tried
                if znodes.leader():
                    kill(znodes.leader())
                run.wait(300)
            lablib.wait("three members, one leader", znodes.healthy, 120)
            again = ("site.yml", "--tags", "zookeeper", "-e", f"zookeeper_autopurge_keep={keep}")
            lablib.play(*again)
            assert lablib.play(*again).changed == set()
    assert written.names() <= znodes.names(prefix)


def test_killed_writers(figures):
    """The registry's process gets SIGKILL at another moment of each push: pushed again, every node pulls it, and no link file is empty."""
    for number in range(ROUNDS):
        assert set(faults.push_with_a_killed_writer(number).values()) == {None}, number
    figures["registry: writer killed during a push, then pulled by all nodes"] = f"{ROUNDS} of {ROUNDS}"


def test_a_broker_with_a_full_disk(figures):
    """A small disk in place of a broker's, which fills it: the others serve, a run names the broker and its disk, and nothing is lost."""
    topic, data = f"full-{uuid.uuid4().hex[:8]}", "/var/lib/skp/kafka"
    messages.create_topic(topic, min_insync_replicas=2)
    lablib.on("c03", "sh", "-ec", f"mount -t tmpfs -o size=1g tmpfs {data} && chown 61001:61001 {data} && chmod 750 {data}")
    try:
        kill("kafka-skp-3")
        lablib.wait("it has copied everything", lambda: messages.in_sync({1, 2, 3}), 300, every=1)
        lablib.on("c03", "sh", "-c", f"dd if=/dev/zero of={data}/filler bs=1M; true", check=False)
        acked = messages.produce_outside(topic, range(20000))
        assert acked == set(range(20000)) == messages.read_outside(topic)
        result = lablib.play("site.yml", "--tags", "kafka", "-e", json.dumps({"kafka_config": {"log.cleaner.threads": 2}}), check=False)
        assert result.rc != 0 and f"the disk of {data} is full on c03" in faults.words(result.text), result.text[-3000:]
    finally:
        lablib.on("c03", "sh", "-c", f"umount -l {data}; docker kill $(docker ps -q -f name=kafka-skp-3)", check=False)
    _, seconds = lablib.wait("all replicas in sync", lambda: messages.in_sync({1, 2, 3}), 300, every=1)
    figures["kafka: its disk is back, in sync after seconds"] = seconds
    assert messages.read_outside(topic) == acked


LOSE_SWARM = "systemctl stop docker.socket docker; rm -rf /var/lib/docker/swarm; systemctl start docker"
FORCE = "docker swarm init --force-new-cluster --advertise-addr {address}"


def test_the_majority_of_managers_is_lost(site, figures):
    """Two managers lose the swarm's state. A run is refused and makes no new swarm; after the command of docs/swarm.md, one run brings both back: the same
    services, ids and secrets, and all data.
    """
    witness.healthy()
    kept, services, secrets = witness.keep(), set(lablib.services()), sweeps.secrets()
    identity = lablib.on("c01", "docker", "info", "--format", "{{.Swarm.Cluster.ID}}")
    for node in ("c02", "c03"):
        lablib.on(node, "sh", "-c", LOSE_SWARM)
    refused = lablib.play(site, check=False)
    assert refused.rc != 0 and "fewer than a majority" in faults.words(refused.text), refused.text[-5000:]
    began = time.monotonic()
    lablib.on("c01", "sh", "-c", FORCE.format(address=lablib.address("c01")))
    lablib.play(site)
    witness.healthy()
    figures["swarm: majority lost, from the command to healthy, seconds"] = round(time.monotonic() - began)
    assert lablib.on("c01", "docker", "info", "--format", "{{.Swarm.Cluster.ID}}") == identity
    assert set(lablib.services()) == services and sweeps.secrets() == secrets
    witness.check(kept)
    assert lablib.play(site).changed == set()


def test_a_build_that_is_interrupted(site):
    """Ctrl-C while the images are built anew: the next run ends it, the one after it changes nothing, and the images of before can be had again."""
    build = (site, "--tags", "images", "-e", "skp_image_refresh=interrupted")
    with faults.started(*build) as run:
        time.sleep(30)  # no wait for anything: the moment is what is tried
        run.interrupt()
        run.wait(300)
    lablib.play(*build, timeout=5400)
    assert lablib.play(*build).changed == set()
    lablib.play(site, timeout=5400)
    witness.healthy()


def test_kafka_without_a_published_port():
    """kafka_publish none: nobody outside reaches a broker, also not through IPv6 or docker-proxy; services inside do. Then back."""
    closed, port = ("site.yml", "--tags", "kafka", "-e", "kafka_publish=none"), messages.OUTSIDE_PORT
    lablib.play(*closed)
    try:
        assert {node: sweeps.answers(node, port) for node in lablib.hosts()} == dict.fromkeys(lablib.hosts(), False)
        node, ident = lablib.task_container("kafka-skp-1")
        lablib.on(node, "docker", "exec", ident, "kafka-topics.sh", "--bootstrap-server", "kafka-skp:9092", "--list")
        assert not lablib.on(node, "ss", "-Htln", f"sport = :{port}").strip()
        assert lablib.play(*closed).changed == set()
    finally:
        lablib.play("site.yml", "--tags", "kafka")
    assert sweeps.answers("c01", port)
