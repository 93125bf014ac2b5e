# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dry run tells the truth: what --check --diff lists is what the real run then changes."""
from __future__ import annotations

import uuid

import lablib
import notebooks
import sparks

EXTRA = '{"kafka_config": {"log.cleaner.threads": 1, "num.recovery.threads.per.data.dir": 2}}'


def agree(predicted, applied):
    """Figure for the note: how many tasks were predicted, how many of them changed, how many changed unannounced."""
    return f"{len(predicted)} predicted / {len(applied)} applied / {len(applied - predicted)} unannounced"


def test_config_value_changed(figures):
    """A Kafka setting: the dry run shows it in its diff and names the same task; nothing moves until the real run; only Kafka restarts."""
    before = lablib.snapshot()
    dry = lablib.play("site.yml", "--check", "--diff", "-e", EXTRA)
    assert lablib.snapshot() == before
    assert "num.recovery.threads.per.data.dir" in dry.text
    assert dry.changed
    try:
        real = lablib.play("site.yml", "-e", EXTRA)
        figures["config value changed"] = agree(dry.changed, real.changed)
        assert real.changed == dry.changed
        after = lablib.snapshot()
        moved = {name for name in after["services"] if after["services"][name] != before["services"].get(name)}
        assert moved == {n for n in after["services"] if n.startswith("kafka-skp-")}
        assert lablib.play("site.yml", "-e", EXTRA).changed == set()
    finally:
        lablib.play("site.yml")


def ids_in_the_data():
    """Member ids as the members' own data say, per node."""
    look = "cat /var/lib/skp/zookeeper/data/myid; grep id= /var/lib/skp/kafka/data/meta.properties"
    return {node: lablib.on(node, "sh", "-c", look) for node in sorted(lablib.hosts())}


def test_label_taken_and_given_back(figures):
    """kafka leaves c03 and returns: predicted equals applied both times, the id stays, the data stays."""
    ids = ids_in_the_data()

    with lablib.edited_hosts(lablib.without("kafka", "c03")):
        dry = lablib.play("site.yml", "--check", "--diff")
        assert "kafka-skp-3" in lablib.services()
        real = lablib.play("site.yml")
        figures["label taken away"] = agree(dry.changed, real.changed)
        assert real.changed == dry.changed and real.changed
        assert "kafka-skp-3" not in lablib.services()
    dry = lablib.play("site.yml", "--check", "--diff")
    real = lablib.play("site.yml")
    figures["label given back"] = agree(dry.changed, real.changed)
    assert real.changed == dry.changed and real.changed
    assert lablib.tasks("kafka-skp-3")
    assert ids_in_the_data() == ids


def test_stopped_by_hand_is_repaired():
    """A registry container stopped by hand: the run repairs exactly that."""
    lablib.on("c02", "docker", "stop", "-t", "5", "registry-skp")
    result = lablib.play("site.yml")
    assert {host for _, host in result.changed} == {"c02"}
    assert "registry-skp" in lablib.on("c02", "docker", "ps", "--format", "{{.Names}}")
    assert lablib.play("site.yml").changed == set()


def moved(labels, source, target):
    """A change of hosts.json that takes labels from one node to another."""
    def change(data):
        for label in labels:
            data = lablib.without(label, source)(data)
            data[target]["labels"].append({label: "enable"})
        return data
    return change


def logged_in():
    """A session with JupyterLab, wherever it runs now, or None while it does not let anybody in."""
    try:
        session = notebooks.login()
        session.get(notebooks.lab_url() + "/api/contents", timeout=30).raise_for_status()
    except OSError:  # requests' errors are
        return None
    return session


def text_of(session, name):
    """The content of a text file, through JupyterLab's API."""
    answer = session.get(f"{notebooks.lab_url()}/api/contents/{name}", timeout=30)
    answer.raise_for_status()
    return answer.json()["content"]


def spark_computes():
    """Id of an application whose result was right, once the master has all workers and the history server lists the application."""
    lablib.wait("the master has all workers", sparks.whole, 180)
    return sparks.compute_pi()


def test_jupyter_and_the_spark_master_move(figures):
    """Their labels go from c01 to c02 and back: predicted equals applied, one of each at a time, same password, same files, same history."""
    name, where = f"move-{uuid.uuid4().hex[:8]}.txt", notebooks.node()
    path = f"{notebooks.WORK}/{name}"
    theirs = ("jupyter-skp", "jupyter-skp-gateway", "spark-skp-master", "spark-skp-history")
    lablib.on(where, "sh", "-c", f"echo before > {path} && chown 1000:1000 {path}")
    try:
        earlier = spark_computes()
        with lablib.edited_hosts(moved(("jupyter", "spark-master"), "c01", "c02")):
            dry = lablib.play("site.yml", "--check", "--diff")
            assert all(lablib.tasks(service) == ["c01"] for service in theirs)
            real = lablib.play("site.yml")
            figures["jupyter and spark-master moved"] = agree(dry.changed, real.changed)
            assert real.changed == dry.changed and real.changed
            session, _ = lablib.wait("a login on c02", logged_in, 90)
            assert text_of(session, name) == "before\n"
            assert all(lablib.tasks(service) == ["c02"] for service in theirs)
            left = lablib.on("c01", "docker", "ps", "--format", "{{.Names}}")
            assert not any(service in left for service in theirs)
            spark_computes()
            assert sparks.finished(earlier)
        lablib.play("site.yml")
        session, _ = lablib.wait("a login on c01", logged_in, 90)
        assert text_of(session, name) == "before\n"
        assert all(lablib.tasks(service) == ["c01"] for service in theirs)
        spark_computes()
    finally:
        lablib.on(where, "rm", "-f", path)


def test_jupyter_taken_down_keeps_files_and_password():
    """down.yml removes both services and nothing else; the next run brings them back as they were."""
    name = f"down-{uuid.uuid4().hex[:8]}.txt"
    path = f"{notebooks.WORK}/{name}"
    password = notebooks.secret("jupyter_password")
    others = {service: state for service, state in lablib.services().items() if not service.startswith("jupyter")}
    lablib.on("c01", "sh", "-c", f"echo kept > {path} && chown 1000:1000 {path}")
    try:
        lablib.play("playbooks/down.yml", "--tags", "jupyter")
        assert lablib.services() == others
        assert lablib.play("playbooks/down.yml", "--tags", "jupyter").changed == set()
        lablib.play("site.yml", "--tags", "jupyter")
        session, _ = lablib.wait("a login", logged_in, 90)
        assert text_of(session, name) == "kept\n" and notebooks.secret("jupyter_password") == password
        assert lablib.play("site.yml").changed == set()
    finally:
        lablib.on("c01", "rm", "-f", path)


def test_a_gpu_node_without_its_tools_is_refused():
    """The label gpu on a node that lacks NVIDIA's runtime: preflight says what is missing there, and nothing is touched."""
    def labelled(data):
        data["c03"]["labels"].append({"gpu": "enable"})
        return data

    before = lablib.snapshot()
    with lablib.edited_hosts(labelled):
        result = lablib.play("site.yml", check=False)
    assert result.rc != 0 and result.changed == set()
    assert "c03" in result.text and "no nvidia-container-runtime" in result.text and "remove the label gpu" in result.text
    assert lablib.snapshot() == before
