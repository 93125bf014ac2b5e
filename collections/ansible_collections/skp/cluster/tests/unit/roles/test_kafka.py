# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role kafka makes of its variables: what it refuses, what it stores of the data, the service of one broker."""

from __future__ import annotations

import pathlib

import pytest

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar, trust_as_template

ROLE = pathlib.Path(__file__).parents[3] / "roles/kafka"
HOSTS = ["c01", "c02", "c03"]
ZOOKEEPER = {"facts": {}, "ids": {"c01": 1, "c02": 2, "c03": 3}, "retired": {}, "others": {"zookeeper": {"c01": 1, "c02": 2, "c03": 3}}}
KRAFT = {"facts": {"voters": 3, "cluster_id": "abc"}, "ids": {"c01": 1, "c02": 2, "c03": 3, "c04": 4}, "retired": {"c05": 5}}


def visit(identity=None, free=10**10):
    """What skp_node found on a host."""
    number = (identity or {}).get("node.id") or (identity or {}).get("broker.id")
    return {"services": {"kafka": {"id": number and int(number), "directories": [{"free_bytes": free, "identity": identity or {}}]}}}


def variables(visits=None, **given):
    """The variables of the role on a cluster of three, with the role's defaults."""
    loader, values = DataLoader(), {}
    for path in (ROLE / "../_common/defaults/main.yml", ROLE / "defaults/main.yml", ROLE / "vars/main.yml"):
        values.update(loader.load_from_file(str(path.resolve()), trusted_as_template=True))
    visits = {host: visit() for host in HOSTS} if visits is None else visits
    hostvars = {host: {"ansible_host": "192.0.2.%d" % number, "__service_visit": visits.get(host)} for number, host in enumerate([*HOSTS, "c04"], 1)}
    values.update({"groups": {"kafka": HOSTS, "zookeeper": HOSTS}, "hostvars": hostvars, "__kafka_members": ZOOKEEPER})
    return dict(values, **given)


def value_of(name, **given):
    """A variable of the role, templated."""
    return Templar(loader=DataLoader(), variables=variables(**given)).template(trust_as_template("{{ %s }}" % name))


def test_the_defaults_are_no_problem():
    assert value_of("__kafka_problems") == []


@pytest.mark.parametrize("given, words", [
    ({"kafka_config": {"log.dirs": "/tmp/kafka-logs", "log.retention.hours": 24, "broker.id": 1}}, ["must not set log.dirs, broker.id", "kafka_data_dir"]),
    ({"kafka_config": {"node.id": 7}}, ["node.id"]),
    ({"kafka_config": {"process.roles": "broker"}}, ["process.roles"]),
    ({"kafka_config": {"zookeeper.connect": "other:2181"}}, ["zookeeper.connect"]),
    ({"kafka_config": {" log.dirs": "/tmp"}}, [" log.dirs"]),
    ({"kafka_config": {"a": "b\nlog.dirs=/tmp"}}, ["not set a:"]),
    ({"kafka_image": "apache/kafka:4.0.0"}, ["apache/kafka:4.0.0", "Kafka 4 has no ZooKeeper mode", "kraft"]),
    ({"kafka_image": "registry.example:5000/skp/kafka:v4.1-x@sha256:aa"}, ["Kafka 4"]),
    ({"visits": {"c01": visit(), "c02": visit(free=1000), "c03": visit()}}, ["/var/lib/skp/kafka is full on c02 ("]),
])
def test_what_cannot_work_is_refused(given, words):
    (problem,) = value_of("__kafka_problems", **given)
    assert [word for word in words if word not in problem] == []


@pytest.mark.parametrize("given", [
    {"kafka_config": {"num.io.threads": 4, "log.cleaner.enable": True, "listener.name.inside.ssl.key": "x"}},
    {"kafka_image": "apache/kafka:3.9.1"},
    {"kafka_image": "localhost:5000/skp/docker-kafka:20260101"},
    {"kafka_image": "registry:4000/skp/docker-kafka"},
    {"kafka_image": "apache/kafka:4.0.0", "kafka_mode": "kraft"},
    {"visits": {"c01": visit()}},
])
def test_what_can_work_is_not(given):
    assert value_of("__kafka_problems", **given) == []


def test_what_the_data_depends_on():
    assert value_of("__kafka_settings") == {"kafka_mode": "zookeeper", "kafka_zookeeper_chroot": "/kafka"}
    assert value_of("__kafka_settings", kafka_mode="kraft") == {"kafka_mode": "kraft"}
    assert value_of("__kafka_running_settings", kafka_inside_port="9192") == {"kafka_name": "kafka-skp", "kafka_inside_port": 9192}
    assert value_of("__kafka_facts") == {} and len(value_of("__kafka_facts", kafka_mode="kraft")["cluster_id"]) == 22
    assert [value_of("__kafka_first_voters", **given) for given in ({}, {"kafka_mode": "kraft"}, {"kafka_mode": "kraft", "groups": {"kafka": HOSTS[:2]}})] == [
        0, 3, 1]


def test_what_the_data_says():
    visits = {"c01": visit({"node.id": "1", "cluster.id": "abc"}), "c02": visit()}
    expected = {"c01": {"kafka_mode": "kraft", "cluster_id": "abc"}, "c02": {}}
    assert value_of("__kafka_found_facts", visits=visits) == expected
    assert value_of("__kafka_found", visits=visits) == {"c01": 1, "c02": None}
    expected["c01"]["voters"] = 3
    assert value_of("__kafka_found_facts", visits=visits, __kafka_found_voters={"c01": {"voters": 3}}) == expected
    assert value_of("__kafka_found_facts", visits={"c03": visit({"broker.id": "3", "cluster.id": "x"})})["c03"]["kafka_mode"] == "zookeeper"


def brokers(**given):
    """The services of all brokers, and the properties of each: [(service, {key: value})]."""
    values = dict(variables(**given), ansible_search_path=[str(ROLE)])
    lookup = lookup_loader.get("skp.cluster.per_member", loader=DataLoader(), templar=Templar(loader=DataLoader(), variables=values))
    services = lookup.run(["broker.yml"], values, ids=values["__kafka_members"]["ids"])
    return [(one, dict(line.split("=", 1) for line in one["configs"][0]["content"].splitlines())) for one in services]


def test_brokers_with_zookeeper():
    for number, (service, properties) in enumerate(brokers(), 1):
        assert (service["name"], properties["broker.id"], service["env"]["KAFKA_FORMAT"]) == ("kafka-skp-%d" % number, str(number), "allowed")
        assert properties["zookeeper.connect"] == "zookeeper-skp-1:2181,zookeeper-skp-2:2181,zookeeper-skp-3:2181/kafka"
        assert "node.id" not in properties and service["healthcheck"]["test"][3].endswith("/9092")


def test_brokers_with_their_own_quorum():
    """Only the voters wait for the mark; the others may always start empty."""
    made = brokers(kafka_mode="kraft", __kafka_members=KRAFT)
    assert [service["env"]["KAFKA_FORMAT"] for service, dummy in made] == ["marked"] * 3 + ["allowed"]
    assert {service["env"]["KAFKA_CLUSTER_ID"] for service, dummy in made} == {"abc"}
    assert [properties["process.roles"] for dummy, properties in made] == ["broker,controller"] * 3 + ["broker"]
    assert {properties["controller.quorum.voters"] for dummy, properties in made} == {"1@kafka-skp-1:9093,2@kafka-skp-2:9093,3@kafka-skp-3:9093"}


@pytest.mark.parametrize("given", [{}, {"kafka_mode": "kraft", "__kafka_members": KRAFT}], ids=["zookeeper", "kraft"])
def test_a_port_that_is_not_published_has_no_listener(given):
    """Two listeners with all, in the order and spelling that brokers of earlier versions have: they do not restart."""
    for service, properties in brokers(**given):
        assert service["ports"] == [{"target": 9094, "published": 9094}]
        assert properties["listeners"].startswith("INSIDE://:9092,OUTSIDE://:9094")
        assert properties["advertised.listeners"].endswith(":9092,OUTSIDE://%s:9094" % ("192.0.2." + service["host"][-1]))
        assert properties["listener.security.protocol.map"].startswith("INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT")
    for service, properties in brokers(kafka_publish="none", **given):
        assert service["ports"] == [] and "OUTSIDE" not in str(properties) and "9094" not in str(properties)


@pytest.mark.parametrize("given, last", [
    ({}, ["kafka-skp:9092", "", "ZooKeeper at zookeeper-skp-1:2181,zookeeper-skp-2:2181,zookeeper-skp-3:2181"]),
    ({"kafka_mode": "kraft", "__kafka_members": KRAFT},
     ["kafka-skp:9092", "5", "a majority of the voters 1@kafka-skp-1:9093,2@kafka-skp-2:9093,3@kafka-skp-3:9093"]),
])
def test_the_gate_knows_who_has_left(given, last):
    assert value_of("__kafka_gate", **given)["command"] == ["skp-kafka-gate", *last]


@pytest.mark.parametrize("image, parts", [
    ("localhost:5000/skp/docker-kafka:latest", ["docker-kafka", "latest"]),
    ("localhost:5000/skp/docker-kafka", ["docker-kafka", "latest"]),
    ("localhost:5000/skp/docker-kafka@sha256:aa", []),
    ("apache/kafka:3.9.1", []),
])
def test_a_purge_runs_the_image_of_the_ledger(image, parts):
    """A tag of the registry may have been moved by somebody else since."""
    known = {"images": {"docker-kafka": {"reference": "localhost:5000/skp/docker-kafka@sha256:ours"}} if parts else {}}
    assert value_of("__kafka_image_parts", kafka_image=image) == parts
    found = value_of("__kafka_forget_image", kafka_image=image, __kafka_image_known=known)
    assert found == ("localhost:5000/skp/docker-kafka@sha256:ours" if parts else image)


def test_a_purge_forgets_the_topics_before_it_removes_the_data():
    """Killed in between, brokers would start empty with the topics of those that are gone; so it leaves brokers that refuse to start."""
    names = [task["name"] for task in DataLoader().load_from_file(str(ROLE / "../_service/tasks/down.yml"))]
    assert names == ["Look at the data before anything is removed", "Remove the services", "Delete what the service keeps in other services", "Purge the data"]
    assert (ROLE / "tasks/forget.yml").exists()
    shells = [task["community.docker.docker_container"] for task in DataLoader().load_from_file(str(ROLE / "tasks/forget.yml"))
              if "community.docker.docker_container" in task]
    assert [(shell["image"], shell["command"][1], shell["read_only"]) for shell in shells] == [
        ("{{ __kafka_forget_image }}", verb, True) for verb in ("ls", "deleteall")]


def test_a_purge_replaces_no_container_of_somebody_else():
    """Modules replace a container of the wanted name, whoever made it: a name of its own for each call."""
    tasks = DataLoader().load_from_file(str(ROLE / "tasks/forget.yml"), trusted_as_template=True)
    names = [task["community.docker.docker_container"]["name"] for task in tasks if "community.docker.docker_container" in task]
    made = {Templar(loader=DataLoader()).template(trust_as_template(name)) for name in names for _time in range(2)}
    assert len(names) == 2 and len(made) == 4 and all(name.startswith("skp-kafka-forget-") for name in made)
