# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of the swarm: one loses its place and gets it back, hosts get other names, one takes no tasks."""
from __future__ import annotations

import json

import lablib
import pytest
import witness

NODES = ("c01", "c02", "c03")
# Every container of the cluster, and since when it runs.
RUNNING = "docker ps -q --no-trunc | xargs -r docker inspect --format '{{.Id}} {{.State.StartedAt}}' | sort"
# Without the gateway, whose certificate has the names of its hosts: with another name it starts again.
BESIDE_THE_GATEWAY = RUNNING.replace("{{.Id}} {{.State.StartedAt}}'", "{{.Id}} {{.State.StartedAt}} {{.Name}}' | grep -v /gateway-skp")


@pytest.mark.soak
def test_a_node_that_left_the_swarm_joins_again(site):
    """The fault of molecule's scenario default, here with services on the node: they run again, and every label is there."""
    token = lablib.on(lablib.manager(), "docker", "swarm", "join-token", "-q", "worker").strip()
    joined = lablib.play("molecule/default/side_effect.yml").changed
    assert joined
    assert lablib.on(lablib.manager(), "docker", "swarm", "join-token", "-q", "worker").strip() != token, "the token of the join is of no use any more"
    lablib.wait("the cluster is healthy", lablib.cluster_is_healthy, 240, every=1)
    lablib.play("molecule/default/verify.yml", env={"MOLECULE_PROJECT_DIRECTORY": str(lablib.ROOT)})
    # The records of the members name the node's new id in the swarm.
    assert {task for task, _host in lablib.play(site).changed} <= {"skp.cluster.zookeeper : Converge the ensemble", "skp.cluster.kafka : Assign the broker ids"}
    assert lablib.play(site).changed == set()


def renamed(names):
    """A change of hosts.json after which hosts have other names. names: {old: new}."""
    def change(data):
        return {names.get(name, name): host for name, host in data.items()}
    return change


ONE = {"c03": "n03"}
ALL = {"c01": "m01", "c02": "m02", "c03": "m03"}


@pytest.mark.soak
def test_renamed_hosts_keep_their_services_and_data(site):
    """One host gets another name, then all of them, then the first names come back: the same machines, so no container stops (but the gateway's, when its
    own host is renamed), ids and data stay, nobody is told to remove a live node, and a second run changes nothing.
    """
    witness.healthy()
    kept, before = witness.keep(), {running: lablib.look(running, NODES) for running in (RUNNING, BESIDE_THE_GATEWAY)}
    for names, running in ((ONE, RUNNING), (ALL, BESIDE_THE_GATEWAY)):
        with lablib.edited_hosts(renamed(names)):
            assert "docker node rm" not in lablib.play(site).text
            assert lablib.look(running, NODES) == before[running]
            if names is ALL:
                assert lablib.play(site).changed == set()
    lablib.play(site)
    assert lablib.look(BESIDE_THE_GATEWAY, NODES) == before[BESIDE_THE_GATEWAY]
    assert lablib.play(site).changed == set()
    witness.healthy()
    witness.check(kept)


def test_nothing_is_stopped_on_a_paused_node(site):
    """A node set to pause for maintenance: a change that would stop its broker is refused before the first stop; without a change the run goes through."""
    before = lablib.look(RUNNING, NODES)
    lablib.ask_manager("docker node update --availability pause c02")
    try:
        result = lablib.play(site, "--tags", "kafka", "-e", json.dumps({"kafka_config": {"log.cleaner.threads": 2}}), check=False)
        assert result.rc != 0 and "kafka-skp-2 on c02, which is set to pause" in result.text, result.text[-3000:]
        assert lablib.look(RUNNING, NODES) == before
        assert lablib.play(site, "--tags", "kafka").changed == set()
    finally:
        lablib.ask_manager("docker node update --availability active c02")
