# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kafka round trip: one task writes a message, the next one finds it."""

import os
import time

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException

TOPIC = "airflow-example"


def brokers():
    """The brokers on the overlay."""
    if not os.environ.get("SKP_KAFKA"):
        raise AirflowSkipException("this cluster has no Kafka")
    return {"bootstrap.servers": os.environ["SKP_KAFKA"]}


@dag(schedule=None, catchup=False, tags=["example"], doc_md=__doc__)
def example_kafka():
    @task(retries=1)
    def send(run_id=None):
        from confluent_kafka import Producer
        from confluent_kafka.admin import AdminClient, NewTopic

        settings = brokers()
        admin = AdminClient(settings)
        if TOPIC not in admin.list_topics(timeout=30).topics:
            for made in admin.create_topics([NewTopic(TOPIC, num_partitions=1)]).values():
                made.result()
        producer = Producer(settings | {"acks": "all"})
        found = []
        producer.produce(TOPIC, run_id, on_delivery=lambda error, message: found.append(error or (message.partition(), message.offset())))
        producer.flush(30)
        if not found or not isinstance(found[0], tuple):
            raise RuntimeError("the message was not taken: %s" % found)
        return list(found[0])

    @task(retries=1)
    def receive(place, run_id=None):
        from confluent_kafka import Consumer, TopicPartition

        consumer = Consumer(brokers() | {"group.id": "airflow-example", "enable.auto.commit": "false"})
        consumer.assign([TopicPartition(TOPIC, *place)])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            message = consumer.poll(1)
            if message and not message.error():
                assert message.value().decode() == run_id, message.value()
                print("found the message at %s" % place)
                return
        raise RuntimeError("the message is not at %s" % place)

    receive(send())


example_kafka()
