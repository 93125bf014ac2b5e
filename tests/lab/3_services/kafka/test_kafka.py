# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages: 10,000 numbered ones from inside the overlay and from a node's address, all read back, also with one broker killed."""
from __future__ import annotations

import uuid

import lablib
import messages

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


def test_data_does_not_carry_names_of_containers_or_hosts():
    """The log directories hold the broker's own files and nothing that is named by a container or a host."""
    for node in sorted(lablib.hosts()):
        listing = lablib.on(node, "sh", "-c", "find /var/lib/skp/kafka -maxdepth 2 -printf '%P\\n'")
        ids = lablib.on(node, "docker", "ps", "-q").split()
        assert not any(i in listing for i in ids) and node not in listing.split("/")
