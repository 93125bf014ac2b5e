# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dry run tells the truth: what --check --diff lists is what the real run then changes."""
from __future__ import annotations

import lablib

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
