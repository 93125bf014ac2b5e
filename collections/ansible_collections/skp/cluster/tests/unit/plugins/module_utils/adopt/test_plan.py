# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose data it is, what is in the way, which steps take it over."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.adopt import plan
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure


def container(name, **more):
    """A container of docker run."""
    return {"name": name, "id": "f00", "image": "x", "state": "running", "restart": "always", "hostname": "0a1b2c3d4e5f", "labels": {}, "env": {}, "mounts": {},
            **more}


ZOOKEEPER = {"name": "zookeeper-skp", "numbered": True, "rename": False, "timeout": 60}
REGISTRY = {"name": "registry-skp", "numbered": False, "rename": True, "timeout": 60}


@pytest.mark.parametrize("name, labels, expected", [
    ("zookeeper-skp-2", {}, True),
    ("zookeeper-skp", {}, False),
    ("zookeeper-skp-2-old", {}, False),
    ("my-zookeeper-skp-2", {}, False),
    ("zookeeper-skp-2", {"com.docker.swarm.service.id": "x"}, False),
    ("zookeeper-skp-2", {"skp.role": "zookeeper"}, False),
])
def test_which_containers_are_the_originals(name, labels, expected):
    assert plan.is_original(container(name, labels=labels), ZOOKEEPER) is expected


def test_a_stopped_container_stays_stopped():
    """`always` starts a container with the engine, also one that was stopped by hand."""
    assert plan.stop_steps([container("zookeeper-skp-1")], [ZOOKEEPER]) == [("restart", "zookeeper-skp-1", "no"), ("stop", "zookeeper-skp-1", 60)]
    assert plan.stop_steps([container("zookeeper-skp-1", state="exited")], [ZOOKEEPER]) == [("restart", "zookeeper-skp-1", "no")]
    assert plan.stop_steps([container("zookeeper-skp-1", state="exited", restart="no"), container("other")], [ZOOKEEPER]) == []


def test_a_name_that_the_collection_needs_is_freed():
    ours = container("registry-skp", labels={"skp.role": "registry"})
    assert plan.stop_steps([container("registry-skp")], [REGISTRY])[-1] == ("rename", "registry-skp", "registry-skp-before-skp")
    assert plan.stop_steps([ours], [REGISTRY]) == []


FOUND = {
    "zookeeper": {"exists": True, "fstype": "ext4", "myid": "2\n", "snapshots": 1, "logs": 3},
    "kafka": {"exists": True, "fstype": "ext4", "meta": {"/var/kafka/c01/kafka-logs-0a1b2c3d4e5f": {"broker.id": "3", "cluster.id": "abc"}},
              "partitions": {"/var/kafka/c01/kafka-logs-0a1b2c3d4e5f": 51}},
    "mysql": {"exists": True, "fstype": "ext4", "moved": False, "here": True, "staged": False, "dictionary": True, "version": "9.7.0"},
    "notebooks": {"exists": True, "fstype": "nfs4", "notebooks": 6, "files": 20},
}
PATHS = {"zookeeper": "/var/zookeeper", "kafka": "/var/kafka", "mysql": "/data/mysql", "notebooks": "/home/skp/volume"}
OLD = {
    "zookeeper": container("zookeeper-skp-2", mounts={"/opt/zookeeper/data": "/var/zookeeper/data"}),
    "kafka": container("kafka-skp", mounts={"/kafka": "/var/kafka/c01"}, env={"KAFKA_BROKER_ID": "3"}),
    "mysql": container("mysql-skp", mounts={"/var/lib/mysql": "/data/mysql"}),
    "notebooks": container("jupyter-skp"),
}


def judged(name, **more):
    """The judgement of one service as the original leaves it, with differences."""
    return plan.judge(name, PATHS[name], {**FOUND[name], **more}, OLD[name])


def test_data_as_the_original_leaves_it():
    looks = {name: judged(name) for name in FOUND}
    assert {name: look["problems"] for name, look in looks.items()} == {name: [] for name in FOUND}
    assert looks["zookeeper"]["id"] == 2 and looks["kafka"]["id"] == 3 and looks["kafka"]["cluster_id"] == "abc"
    assert looks["kafka"]["source"] == "/var/kafka/c01/kafka-logs-0a1b2c3d4e5f" and looks["mysql"]["version"] == "9.7.0"


TWO = {"/var/kafka/kafka-logs-aaa": {"broker.id": "3"}, "/var/kafka/kafka-logs-bbb": {"broker.id": "3"}}


@pytest.mark.parametrize("name, more, old, word", [
    ("zookeeper", {"exists": False}, {}, "does not exist"),
    ("zookeeper", {"fstype": "nfs4"}, {}, "nfs4"),
    ("zookeeper", {"myid": ""}, {}, "expected a number"),
    ("zookeeper", {"myid": "3"}, {}, "another member"),
    ("zookeeper", {"snapshots": 0}, {}, "no snapshot"),
    ("zookeeper", {}, {"mounts": {"/opt/zookeeper/data": "/elsewhere/data"}}, "/elsewhere/data"),
    ("zookeeper", {}, {"mounts": {}}, "docker cp"),
    ("kafka", {"meta": {}}, {}, "no meta.properties"),
    ("kafka", {"meta": TWO}, {}, "more than one"),
    ("kafka", {"meta": {"/var/kafka/c01/kafka-logs-x": {"cluster.id": "abc"}}}, {}, "expected a number"),
    ("kafka", {}, {"env": {"KAFKA_BROKER_ID": "1"}}, "was started as 1"),
    ("mysql", {"here": False}, {}, "no ibdata1"),
    ("mysql", {"moved": True}, {}, "both have a database"),
    ("mysql", {"dictionary": False}, {}, "mysql.ibd"),
])
def test_what_is_in_the_way(name, more, old, word):
    look = plan.judge(name, PATHS[name], {**FOUND[name], **more}, {**OLD[name], **old})
    assert any(word in text for text in look["problems"]), look


def test_the_container_says_which_of_kafkas_directories_counts():
    meta = {**TWO, "/var/kafka/kafka-logs-0a1b2c3d4e5f": {"broker.id": "3"}}
    assert plan.kafka_directory(meta, OLD["kafka"]) == ("/var/kafka/kafka-logs-0a1b2c3d4e5f", [])
    assert plan.kafka_directory(meta, None)[0] is None


def service(name, **more):
    """One service of the plan."""
    return {"name": name, "path": PATHS[name], "uid": 7, **more}


def test_steps():
    steps = {name: plan.take_steps(service(name), judged(name), list(PATHS.values())) for name in FOUND}
    assert steps["zookeeper"] == [("own", "/var/zookeeper/data", 7, [])]
    assert steps["kafka"] == [("rename", "/var/kafka/c01/kafka-logs-0a1b2c3d4e5f", "/var/kafka/data"), ("own", "/var/kafka/data", 7, [])]
    assert steps["mysql"] == [("gather", "/data/mysql"), ("own", "/data/mysql/data", 7, [])]
    assert steps["notebooks"] == [("own", "/home/skp/volume", 7, [])]


def test_data_that_leaves_the_notebooks():
    old = "/home/skp/volume/var/mysql"
    look = plan.judge("mysql", old, FOUND["mysql"], container("mysql-skp", mounts={"/var/lib/mysql": old}))
    new = service("mysql", path="/home/skp/skp-mysql", **{"from": old})
    assert plan.take_steps(new, look, []) == [
        ("make", "/home/skp/skp-mysql"), ("rename", old, "/home/skp/skp-mysql/data"), ("own", "/home/skp/skp-mysql/data", 7, [])]
    assert plan.place(new, True) == old and plan.place(new, False) == "/home/skp/skp-mysql"


def test_nothing_to_do_after_it_was_done():
    moved = {**FOUND["mysql"], "moved": True, "here": False}
    assert plan.take_steps(service("mysql"), plan.judge("mysql", "/data/mysql", moved, None), []) == [("own", "/data/mysql/data", 7, [])]
    done = {**FOUND["kafka"], "meta": {"/var/kafka/data": {"broker.id": "3"}}}
    assert plan.take_steps(service("kafka"), plan.judge("kafka", "/var/kafka", done, None), []) == [("own", "/var/kafka/data", 7, [])]


@pytest.mark.parametrize("path, expected", [
    ("/v/var/mysql/ibdata1", True), ("/v/var/mysql", True), ("/v/var", True), ("/v", True), ("/v/var/airflow", False), ("/v/var/mysql2", False)])
def test_what_keeps_its_owner_below_the_notebooks(path, expected):
    assert plan.kept(path, ["/v/var/mysql"]) is expected


@pytest.mark.parametrize("source, refused", [
    ("/var/kafka", True), ("/var/kafka/c01", True), ("/var", True), ("/", False), ("/var/kafka2", False)])
def test_data_in_use_is_not_moved(source, refused):
    running = [container("somebody", mounts={"/x": source})]
    if refused:
        with pytest.raises(Failure, match="docker stop somebody"):
            plan.refuse_running("kafka", "/var/kafka", running)
    else:
        plan.refuse_running("kafka", "/var/kafka", running)
    plan.refuse_running("kafka", "/var/kafka", [dict(running[0], state="exited")])


@pytest.mark.parametrize("version, image, own, word", [
    ("9.7.0", "", True, ""),
    ("8.4.3", "", True, ""),
    ("8.0.32", "", True, "docker.io/library/mysql:8.0"),
    ("8.0.32", "docker.io/library/mysql:8.0.44", False, ""),
    ("8.0.32", "docker.io/library/mysql:8.4", False, ""),
    ("8.0.32", "docker.io/library/mysql:latest", False, "no version"),
    ("8.4.3", "registry:5000/mysql:8.0", False, "reads data of 8.0 only"),
    ("", "", True, "docker start"),
])
def test_versions_of_mysql(version, image, own, word):
    """From one long-term version to the next: MySQL's own rule for upgrades in place."""
    found = plan.mysql_problem(version, image, own)
    assert bool(found) is bool(word) and word in found


PLANNED = [service("zookeeper", hosts=["c01", "c02"]), service("kafka", hosts=["c01", "c02"]), service("mysql", hosts=["c01"])]


def looks():
    """Two nodes as they should be."""
    both = {name: judged(name) for name in ("zookeeper", "kafka")}
    other = {"zookeeper": {**both["zookeeper"], "id": 1}, "kafka": {**both["kafka"], "id": 1}}
    return {"c01": {"services": {**both, "mysql": judged("mysql")}, "stops": ["kafka-skp"], "network": {"subnet": "10.0.9.0/24"}},
            "c02": {"services": other, "stops": [], "network": None}}


def test_all_nodes_together():
    verdict = plan.verdict(PLANNED, looks(), "", True)
    assert verdict["problems"] == [] and verdict["settings"] == {"skp_net_subnet": "10.0.9.0/24"}
    assert "c01: stops the container kafka-skp" in verdict["lines"] and any(line.startswith("c02: zookeeper  ") and "id 1" in line for line in verdict["lines"])


def test_what_only_all_nodes_show():
    same = looks()
    same["c02"]["services"]["zookeeper"]["id"] = 2
    assert "c01 and c02 have the id 2" in plan.verdict(PLANNED, same, "", True)["problems"][0]
    strange = looks()
    strange["c02"]["services"]["kafka"]["cluster_id"] = "xyz"
    assert "2 clusters" in plan.verdict(PLANNED, strange, "", True)["problems"][0]
    absent = looks()
    del absent["c02"]
    assert [text for text in plan.verdict(PLANNED, absent, "", True)["problems"] if "not looked at" in text][0].startswith("c02: zookeeper")
