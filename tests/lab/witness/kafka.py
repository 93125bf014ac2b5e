# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of Kafka: messages sent and read back with kafka-python from outside."""
from __future__ import annotations

import uuid

import lablib
import messages

from witness.base import REMOVED, Change, Witness


class Kafka(Witness):
    """A broker on every node of the label; topics have a replica on each."""

    name = "kafka"
    data = ("/var/lib/skp/kafka/data/meta.properties",)

    def services(self):
        return {f"kafka-skp-{node.removeprefix('c0')}" for node in self.nodes()}

    def healthy(self):
        return messages.in_sync({int(node.removeprefix("c0")) for node in self.nodes()})

    def keep(self):
        topic = f"kept-{uuid.uuid4().hex[:8]}"
        lablib.wait("brokers take a topic", lambda: messages.create_topic(topic, replication=len(self.nodes())) is None, 90, every=1)
        acknowledged = messages.produce_outside(topic, range(2000))
        assert acknowledged == set(range(2000)), "not all messages were acknowledged"
        return topic

    def check(self, kept):
        return messages.read_outside(kept) == set(range(2000))

    def ports(self):
        return {9094: set(self.nodes())}

    def change(self):
        return Change(
            variables={"kafka_config": {"log.cleaner.threads": 1, "num.recovery.threads.per.data.dir": 2}},
            labels={"kafka": ["c01", "c02"]},
            diff=("num.recovery.threads.per.data.dir=2",),
            parts={"kafka-skp-1": {"config /etc/kafka/server.properties"}, "kafka-skp-2": {"config /etc/kafka/server.properties"}, "kafka-skp-3": REMOVED},
        )
