# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbered Kafka messages, sent and read back by clients that are not ours: the console tools inside the overlay, kafka-python outside."""
from __future__ import annotations

import contextlib
import logging
import threading

import lablib
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, KafkaTimeoutError

OUTSIDE_PORT = 9094

# A line per retry while a broker is away, hundreds a second. What matters comes as an exception.
logging.getLogger("kafka").setLevel(logging.CRITICAL)


def outside():
    """Bootstrap addresses as a machine outside the overlay uses them."""
    return [f"{lablib.address(n)}:{OUTSIDE_PORT}" for n in sorted(lablib.hosts())]


@contextlib.contextmanager
def administration(what):
    """A client for what is no message; what Kafka says goes into Failed, so that brokers that are still coming can be waited for."""
    try:
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=outside(), request_timeout_ms=15000)) as admin:
            yield admin
    except (KafkaError, RuntimeError) as exc:
        raise lablib.Failed(f"{what}: {exc!r}") from exc


def create_topic(name, partitions=3, replication=3, **settings):
    """Create a topic through a node's address. settings: as Kafka calls them, with _ for each dot."""
    named = {key.replace("_", "."): str(value) for key, value in settings.items()}
    with administration(f"making the topic {name}") as admin:
        admin.create_topics([NewTopic(name, partitions, replication, topic_configs=named)])


def delete_topic(name):
    """Delete a topic through a node's address."""
    with administration(f"deleting the topic {name}") as admin:
        admin.delete_topics([name])


def advertised():
    """{broker id: address} that clients outside are told."""
    with administration("asking for the brokers") as admin:
        return {broker["broker_id"]: (broker["host"], broker["port"]) for broker in admin.describe_cluster()["brokers"]}


def written(topic):
    """{partition: number of messages} of a topic."""
    with contextlib.closing(KafkaConsumer(bootstrap_servers=outside(), request_timeout_ms=15000)) as consumer:
        return {part.partition: end for part, end in consumer.end_offsets([TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]).items()}


def topics():
    """Names of all topics."""
    with administration("listing the topics") as admin:
        return set(admin.list_topics())


def in_sync(brokers):
    """True when exactly these brokers are up and every replica that is on one of them is in sync."""
    with administration("describing the topics") as admin:
        present = {broker["broker_id"] for broker in admin.describe_cluster()["brokers"]}
        partitions = [partition for topic in admin.describe_topics() for partition in topic["partitions"]]
    return present == brokers and all(brokers & set(p["replica_nodes"]) <= set(p["isr_nodes"]) and p["leader_id"] in brokers for p in partitions)


def producer():
    """A client that sends from outside with acks=all and tries again for two minutes, its default: a partition's leader may still be on its way."""
    def made():
        # The first address it takes may be that of a broker that is cut off, and it waits for that one until its time is over.
        try:
            return KafkaProducer(bootstrap_servers=outside(), bootstrap_timeout_ms=10000, acks="all")
        except KafkaTimeoutError as exc:
            raise lablib.Failed(f"a producer: {exc!r}") from exc

    return lablib.wait("a broker answers", made, 120)[0]


def produce_outside(topic, numbers, partitions=None):
    """Send numbers from outside, to each of so many partitions in turn if given. Returns the set of them when all were acknowledged, else Failed says what
    Kafka answered.
    """
    with contextlib.closing(producer()) as client:
        futures = {n: client.send(topic, str(n).encode(), partition=n % partitions if partitions else None) for n in numbers}
        client.flush(timeout=120)
    answers = sorted({repr(f.exception) for f in futures.values() if not f.succeeded()})
    if answers:
        raise lablib.Failed(f"sending to {topic}: {sum(f.succeeded() for f in futures.values())} of {len(futures)} acknowledged; {'; '.join(answers)}")
    return set(futures)


@contextlib.contextmanager
def producing(topic, rate=100):
    """Within the block numbers are sent to a topic from outside with acks=all, `rate` per second. Yields a set: at the end of the block it holds all that
    were acknowledged.
    """
    client = producer()
    futures, acked, ended = {}, set(), threading.Event()

    def send():
        number = 0
        while not ended.wait(1 / rate):
            with contextlib.suppress(KafkaError):
                futures[number] = client.send(topic, str(number).encode())
            number += 1

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield acked
    finally:
        ended.set()
        thread.join(120)
        with contextlib.suppress(KafkaError):
            client.flush(timeout=120)
        client.close(timeout=30)
        acked.update(number for number, future in futures.items() if future.succeeded())


def produce_inside(topic, numbers, service="kafka-skp-1"):
    """Send numbers with the console producer of a broker's own container through the overlay name kafka-skp:9092."""
    node, ident = lablib.task_container(service)
    lablib.on(node, "docker", "exec", "-i", ident, "kafka-console-producer.sh", "--bootstrap-server", "kafka-skp:9092", "--topic", topic,
              "--producer-property", "acks=all", stdin="".join(f"{n}\n" for n in numbers), timeout=180)


def read_outside(topic, timeout_ms=60000):
    """All numbers of a topic, read from the beginning to the end offsets as they are now, from outside. Returns a set; Failed when Kafka does not answer."""
    try:
        return read_all(topic, timeout_ms)
    except KafkaError as exc:
        raise lablib.Failed(f"reading {topic}: {exc!r}") from exc


def read_all(topic, timeout_ms):
    """As read_outside, with Kafka's own errors."""
    consumer = KafkaConsumer(bootstrap_servers=outside(), enable_auto_commit=False, request_timeout_ms=15000)
    try:
        parts = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())]
        ends = consumer.end_offsets(parts)
        consumer.assign(parts)
        consumer.seek_to_beginning()
        seen, idle = set(), 0
        while any(consumer.position(p) < ends[p] for p in parts) and idle < timeout_ms:
            batch = consumer.poll(timeout_ms=1000)
            idle = 0 if batch else idle + 1000
            for records in batch.values():
                seen.update(int(r.value) for r in records)
        return seen
    finally:
        consumer.close()


def read_inside(topic, count, service="kafka-skp-1"):
    """The first `count` numbers of a topic, read with the console consumer inside the overlay. Returns a set."""
    node, ident = lablib.task_container(service)
    text = lablib.on(node, "docker", "exec", ident, "kafka-console-consumer.sh", "--bootstrap-server", "kafka-skp:9092", "--topic", topic,
                     "--from-beginning", "--max-messages", str(count), "--timeout-ms", "60000", timeout=180)
    return {int(line) for line in text.splitlines() if line.strip().isdigit()}
