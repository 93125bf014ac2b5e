# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that must not be visible and ports that must be closed, for all services, in one sweep over all nodes."""
from __future__ import annotations

import contextlib
import json

import hardening
import lablib
import pytest
import sweeps
import witness

# What every node of the lab answers on besides its services: SSH, the swarm's managers (all are), the swarm's gossip.
NODES = (22, 2377, 7946)

# A text that the search must find in each place, besides what the services' own traces are.
CONTROLS = {"containers": "kafka-skp-1", "services": "kafka-skp-1", "configs": "broker.id", "secrets' definitions": "spark_auth_secret", "journal": "Started"}


def test_no_secret_can_be_seen(site):
    """While every service works: no secret in a definition, a container, a log, a process's arguments or environment, an event log. What the same
    search must find, it finds in each of these places.
    """
    words = sweeps.secrets()
    for one in witness.ALL:
        words.update({f"{one.name}: {name}": word for name, word in one.derived().items()})
    assert set().union(*(one.secrets() for one in witness.ALL)) == {name for name in words if ":" not in name}
    assert all(len(word) >= 16 for word in words.values()), [name for name, word in words.items() if len(word) < 16]
    traces = {f"{one.name} in {place}": word for one in witness.ALL for place, word in one.traces().items()}
    known = {name: pattern for one in witness.ALL for name, pattern in one.known().items()}
    with contextlib.ExitStack() as stack:
        for one in witness.ALL:
            stack.enter_context(one.use())
        found = sweeps.search({**words, **traces, **{f"control of {place}": word for place, word in CONTROLS.items()}}, known)
        events = lablib.on(*client(), "bash", "-c", sweeps.EVENTS)
    found["events"] = {name for name, word in {**words, **traces}.items() if word in events}
    assert found.pop("kept") >= {name for name in words if ":" not in name}, "the search does not find the secrets where they are kept"
    assert found.pop("known", set()) == set(known), "what is documented as visible is not: the documents and the witness are to be changed"
    for one in witness.ALL:
        for place in one.traces():
            assert f"{one.name} in {place}" in found.get(place, ()), f"the search does not read the {place} of {one.name}"
    for place in CONTROLS:
        assert f"control of {place}" in found.get(place, ()), f"the search does not read the {place}"
    assert {place: seen for place, names in found.items() if (seen := names & words.keys())} == {}


def client():
    """Node and arguments that run a command in a container with Spark's image."""
    node, ident = lablib.task_container("spark-skp-history")
    return node, "docker", "exec", ident


def test_only_the_named_ports_answer(site):
    """From outside, of all that listens on a node or in a container: the ports the witnesses name answer on their nodes, and nothing else does."""
    allowed = {port: set(lablib.hosts()) for port in NODES}
    for one in witness.ALL:
        allowed.update(one.ports())
    assert sweeps.open_ports() == allowed


def test_containers_keep_the_rules(site):
    """Every container of every node against the rules for containers. What is broken is exactly what the written exceptions name, each with its reason."""
    containers = [one for text in lablib.look("docker ps -q | xargs -r docker inspect").values() for one in json.loads(text or "[]")]
    assert len(containers) >= len(witness.services())
    assert hardening.broken(containers) == set(hardening.EXCEPTIONS)


@pytest.mark.parametrize("service", ["zookeeper-skp-1", "kafka-skp-1", "spark-skp-history"])
def test_java_soon_forgets_where_a_name_was(service):
    """Java remembers an address for 2 s and a missing name for 1 s, in each image that has it: with its 10 s for the latter, Kafka's controller does not find
    brokers that start after it.
    """
    node, ident = lablib.task_container(service)
    settings = lablib.on(node, "docker", "exec", ident, "sh", "-c", "java -XshowSettings:security:properties -version 2>&1")
    caches = dict(line.strip().split("=") for line in settings.splitlines() if "networkaddress.cache" in line)
    assert caches == {"networkaddress.cache.ttl": "2", "networkaddress.cache.negative.ttl": "1"}
