# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Down keeps data, purge removes it, and the brokers work without ZooKeeper. Last, because it gives Kafka's data up.

Spark's tests of this phase run at the same time: what must not move is looked at for Kafka and ZooKeeper alone.
"""
from __future__ import annotations

import uuid

import lablib
import messages
import pytest

LABELS = "docker node ls -q | xargs docker node inspect --format '{{json .Spec.Labels}}' | tr ',{}' '\\n\\n\\n' | grep skp.kafka.id | sort"
KEPT = f"kept-{uuid.uuid4().hex[:8]}"


def running(name):
    """What runs of the services whose names begin so: their versions and containers."""
    shown = lablib.look(f"docker ps -q --no-trunc -f name={name}")
    return {service: version for service, version in lablib.services().items() if service.startswith(name)}, shown


def test_down_keeps_data_and_site_brings_it_back():
    """`down --tags kafka`: services gone, ZooKeeper untouched, data there; site.yml: the messages are back."""
    lablib.wait("brokers take a topic", lambda: messages.create_topic(KEPT) is None, 90, every=1)
    acked = messages.produce_outside(KEPT, range(500))
    ensemble = running("zookeeper")
    lablib.play("playbooks/down.yml", "--tags", "kafka")
    assert not [n for n in lablib.services() if n.startswith("kafka")]
    assert running("zookeeper") == ensemble
    assert "meta.properties" in lablib.on("c02", "ls", "/var/lib/skp/kafka/data")
    lablib.play("site.yml", "--tags", "kafka")
    lablib.wait("the messages are back", lambda: messages.read_outside(KEPT) == acked, 120, every=1)


def test_mode_is_not_switched_over_data():
    """kafka_mode changed on brokers that hold data: refused, nothing restarts."""
    before = running("kafka")
    result = lablib.play("site.yml", "--tags", "kafka", "-e", "kafka_mode=kraft", check=False)
    assert result.rc != 0 and "made with zookeeper" in result.text and result.changed == set()
    assert running("kafka") == before


REFUSED = {
    "another directory": ("kafka_data_dir=/var/lib/skp/kafka-other", "back to /var/lib/skp/kafka"),
    "another name": ("kafka_name=other", "kafka_name back to kafka-skp"),
    "another inside port": ("kafka_inside_port=9192", "kafka_inside_port back to 9092"),
    "another chroot": ("kafka_zookeeper_chroot=/other", "back to /kafka"),
    "a setting that moves the data": ('{"kafka_config": {"log.dirs": "/tmp/kafka-logs"}}', "must not set log.dirs"),
    "Kafka 4 with ZooKeeper": ("kafka_image=localhost:5000/skp/docker-kafka:4.0.0", "Kafka 4 has no ZooKeeper mode"),
}


# The plan's own tests have the others.
KINDS = ("another directory", "Kafka 4 with ZooKeeper")


@pytest.mark.parametrize("what", [what if what in KINDS else pytest.param(what, marks=pytest.mark.soak) for what in REFUSED])
def test_what_would_lose_the_data_is_refused(what):
    """Each with one message that says the way back; no broker is touched."""
    variable, text = REFUSED[what]
    before = running("kafka")
    result = lablib.play("site.yml", "--tags", "kafka", "-e", variable, check=False)
    lablib.look("rmdir /var/lib/skp/kafka-other", check=False)
    assert result.rc != 0 and text in result.text, result.text[-3000:]
    assert running("kafka") == before


def forget(service):
    """Remove the record of member ids from the swarm."""
    lablib.ask_manager(f"docker config ls -q --filter label=skp.members={service} | xargs docker config rm")


def test_a_lost_record_comes_back_with_limit():
    """The record is removed, then a run for one host: all ids as before, nothing restarts."""
    before = running("kafka")
    labels = lablib.ask_manager(LABELS)[1]
    forget("kafka")
    lablib.play("site.yml", "--tags", "kafka", "--limit", "c02")
    assert running("kafka") == before and lablib.ask_manager(LABELS)[1] == labels
    assert lablib.play("site.yml", "--tags", "kafka").changed <= {("Record that the brokers have data", "c01")}
    assert lablib.play("site.yml", "--tags", "kafka").changed == set()


def wipe(*nodes):
    """Kill the broker of each node and remove its data, before swarm starts it again."""
    for node in nodes:
        lablib.on(node, "sh", "-c", "docker kill -s KILL $(docker ps -q -f name=kafka-skp) && rm -rf /var/lib/skp/kafka/data")


def test_kraft(figures):
    """Purged and started again in mode kraft: 1,000 messages written and read, a broker killed, still all there; then back to the default."""
    lablib.play("playbooks/down.yml", "--tags", "kafka", "-e", "skp_purge=true", "-e", "skp_confirm=lab")
    assert "meta.properties" not in lablib.on("c02", "sh", "-c", "ls -R /var/lib/skp/kafka 2>/dev/null || true")
    assert lablib.play("playbooks/down.yml", "--tags", "kafka", "-e", "skp_purge=true", "--check").changed == set(), "nothing is left to forget"
    # A broker that has lost its quorum does not end before its time is over.
    kraft = ("--tags", "kafka", "-e", "kafka_mode=kraft", "-e", "kafka_stop_grace_period=30s")
    try:
        lablib.play("site.yml", *kraft)
        assert lablib.play("site.yml", *kraft).changed == set()
        lablib.wait("brokers answer", lambda: messages.create_topic("kraft") is None, 90, every=1)
        acked = messages.produce_outside("kraft", range(1000))
        assert len(acked) == 1000
        node, ident = lablib.task_container("kafka-skp-2")
        lablib.on(node, "docker", "kill", "-s", "KILL", ident)
        lablib.wait("all messages read with a broker killed", lambda: messages.read_outside("kraft") == acked, 120, every=1)
        figures["kafka, mode kraft: acked / lost with one broker killed"] = "1000 / 0"

        forget("kafka")
        lablib.play("site.yml", *kraft, "--limit", "c02")
        lablib.wait("all messages read after the record was lost", lambda: messages.read_outside("kraft") == acked, 60, every=1)
        lablib.play("site.yml", *kraft)

        wipe("c02")
        lablib.play("site.yml", *kraft)
        lablib.wait("the wiped voter has copied all", lambda: messages.in_sync({1, 2, 3}), 180, every=1)
        assert messages.read_outside("kraft") == acked
        assert lablib.play("site.yml", *kraft).changed == set()
        figures["kafka, mode kraft: acked / lost with one voter wiped"] = "1000 / 0"

        wipe("c02", "c03")
        result = lablib.play("site.yml", *kraft, check=False)
        assert result.rc != 0 and "no data was found for id 2 (c02), id 3 (c03)" in result.text, result.text[-3000:]
        for node in ("c02", "c03"):
            assert "meta.properties" not in lablib.on(node, "sh", "-c", "ls -R /var/lib/skp/kafka 2>/dev/null || true"), "a wiped voter was formatted"
        figures["kafka, mode kraft: wiped voters formatted without a majority"] = 0
    finally:
        lablib.play("playbooks/down.yml", "--tags", "kafka", "-e", "skp_purge=true", "-e", "skp_confirm=lab")
        lablib.play("site.yml", "--tags", "kafka")


def test_purged_brokers_know_no_old_topics():
    """After a purge nothing of the old brokers is left in ZooKeeper either: the topic of the first test is unknown."""
    lablib.wait("all brokers are back", lambda: messages.in_sync({1, 2, 3}), 120, every=1)
    assert KEPT not in messages.topics()
    lablib.wait("brokers take a topic", lambda: messages.create_topic("new") is None, 90, every=1)
    assert messages.produce_outside("new", range(100)) == messages.read_outside("new") == set(range(100))
    assert "new" in messages.topics()
