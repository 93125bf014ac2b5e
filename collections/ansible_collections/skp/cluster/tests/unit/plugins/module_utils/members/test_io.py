# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of member ids, read from the swarm's configs."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.members import io


def config(name, service, text):
    return {"ID": "id-of-" + name, "Spec": {"Name": name, "Labels": {"skp.members": service}, "Data": base64.b64encode(text.encode()).decode()}}


CONFIGS = [
    config("skp-members-kafka-10", "kafka", json.dumps({"members": {"c1": 1}})), config("skp-members-kafka-9", "kafka", "{}"),
    config("skp-members-kafka-old", "kafka", "{}"), config("skp-members-spark-1", "spark", "no JSON"),
]
NODE = {"ID": "n1", "CreatedAt": "2026-01-01", "Status": {"State": "ready", "Addr": "10.0.0.4"}, "Description": {"Hostname": "h1"},
        "Spec": {"Role": "manager", "Labels": {"skp.host": "c1", "skp.kafka.id": "1", "rack": "7"}}}
SERVICES = [{"Spec": {"Labels": {"skp.role": "kafka"}}}, {"Spec": {"Labels": {"skp.role": "kafka"}}}, {"Spec": {}}]


@pytest.fixture(autouse=True)
def _swarm(monkeypatch):
    answers = {"/configs": CONFIGS, "/nodes": [NODE], "/services": SERVICES}
    monkeypatch.setattr(io.engine, "get", lambda client, path, **options: answers[path])


def test_what_decides_about_the_ids_of_a_service():
    assert io.look("client", ["kafka"]) == {
        "records": {"kafka": [{"id": "id-of-skp-members-kafka-9", "generation": 9, "content": {}},
                              {"id": "id-of-skp-members-kafka-10", "generation": 10, "content": {"members": {"c1": 1}}}]},
        "nodes": [{"ID": "n1", "CreatedAt": "2026-01-01", "Status": {"State": "ready"}, "Spec": {"Labels": {"skp.host": "c1", "skp.kafka.id": "1"}}}],
        "running": ["kafka"]}


def test_a_damaged_record_stops_only_the_service_that_needs_it():
    assert io.read_members("client", "kafka")[0]["members"] == {"c1": 1}
    with pytest.raises(Failure, match="skp-members-spark-1"):
        io.look("client")


def test_without_a_client_there_is_nothing():
    assert io.look(None) == {"records": {}, "nodes": [], "running": []}
