# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages: 10,000 numbered ones from inside the overlay and from a node's address, all read back, also with one broker killed."""
from __future__ import annotations

import uuid

import faults
import lablib
import messages
import pytest

INSIDE = range(0, 5000)
OUTSIDE = range(5000, 10000)


def test_ten_thousand_messages_survive_a_killed_broker(figures):
    """Every acknowledged number is read back from both sides, before and after kill -9 of one broker; then the broker is back by itself."""
    topic = f"numbers-{uuid.uuid4().hex[:8]}"
    lablib.wait("brokers take a topic", lambda: messages.create_topic(topic) is None, 90, every=1)
    messages.produce_inside(topic, INSIDE)
    acked = messages.produce_outside(topic, OUTSIDE)
    assert acked == set(OUTSIDE)
    everything = set(INSIDE) | set(OUTSIDE)
    assert messages.read_outside(topic) == everything
    assert messages.read_inside(topic, len(everything), service="kafka-skp-2") == everything

    node, ident = lablib.task_container("kafka-skp-3")
    lablib.on(node, "docker", "kill", "-s", "KILL", ident)
    _, seconds = lablib.wait("all read with a broker killed", lambda: messages.read_outside(topic) == everything, 90)
    figures["kafka: broker killed, a new reader has read all after seconds"] = seconds
    figures["kafka: acked / read back / lost with one broker killed"] = f"{len(everything)} / {len(everything)} / 0"

    _, seconds = lablib.wait("kafka-skp-3 runs again", lambda: lablib.tasks("kafka-skp-3") and lablib.task_container("kafka-skp-3")[1] != ident, 120)
    figures["kafka: killed broker runs again, seconds"] = seconds
    _, seconds = lablib.wait("all replicas in sync", lambda: messages.in_sync({1, 2, 3}), 180, every=1)
    figures["kafka: all replicas in sync again, seconds"] = seconds

    # The container is another one, the addresses are the same: each partition takes messages from both sides.
    assert messages.advertised() == {number: (lablib.address(f"c0{number}"), messages.OUTSIDE_PORT) for number in (1, 2, 3)}
    before, later = messages.written(topic), (range(10000, 10300), range(10300, 10600))
    messages.produce_inside(topic, later[0], service="kafka-skp-3")
    assert messages.produce_outside(topic, later[1], partitions=3) == set(later[1])
    after = messages.written(topic)
    assert len(after) == 3 and all(after[part] > before[part] > 0 for part in after), (before, after)
    assert messages.read_outside(topic) == everything.union(*later)


def test_data_does_not_carry_names_of_containers_or_hosts():
    """The log directories hold the broker's own files and nothing that is named by a container or a host."""
    for node in sorted(lablib.hosts()):
        listing = lablib.on(node, "sh", "-c", "find /var/lib/skp/kafka -maxdepth 2 -printf '%P\\n'")
        ids = lablib.on(node, "docker", "ps", "-q").split()
        assert not any(i in listing for i in ids) and node not in listing.split("/")


BROKERS = "docker ps -q --no-trunc -f name=kafka-skp-"


@pytest.mark.soak
def test_a_roll_with_a_broker_cut_off_is_refused(figures):
    """A broker reaches nobody: a run that would stop another one ends within its time, names the partitions, and stops none."""
    topic, before = f"late-{uuid.uuid4().hex[:8]}", lablib.look(BROKERS)
    lablib.wait("brokers take a topic", lambda: messages.create_topic(topic) is None, 60, every=1)
    with faults.cut_off("kafka-skp-3"):
        lablib.wait("two brokers are left", lambda: set(messages.advertised()) == {1, 2}, 120, every=1)
        change = ("-e", '{"kafka_config": {"log.cleaner.threads": 3}}', "-e", "kafka_update_timeout=30")
        result = lablib.play("site.yml", "--tags", "kafka", *change, check=False)
        assert result.rc != 0 and "not in sync" in result.text and topic in result.text, result.text[-3000:]
        assert lablib.look(BROKERS) == before
        acked = messages.produce_outside(topic, range(200))
    _, seconds = lablib.wait("all replicas in sync", lambda: messages.in_sync({1, 2, 3}), 120, every=1)
    figures["kafka: a broker back on the network, in sync after seconds"] = seconds
    assert acked == messages.read_outside(topic) == set(range(200))
    assert lablib.look(BROKERS) == before


def test_data_of_another_broker_is_refused():
    """meta.properties with another id: refused before anything stops, with both ids."""
    data, before = "/var/lib/skp/kafka/data/meta.properties", lablib.look(BROKERS)
    lablib.on("c03", "bash", "-ec", f"cp -a {data} /root/meta.properties && sed -i 's/^broker.id=.*/broker.id=9/' {data}")
    try:
        result = lablib.play("site.yml", "--tags", "kafka", check=False)
    finally:
        lablib.on("c03", "bash", "-ec", f"cp -a /root/meta.properties {data}")
    text = faults.words(result.text)
    assert result.rc != 0 and "member id 9" in text and "c03 has id 3" in text, result.text[-3000:]
    assert lablib.look(BROKERS) == before
