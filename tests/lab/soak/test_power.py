# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power, for hours: each node alone, each node wiped alone, and rounds of random outages."""
from __future__ import annotations

import concurrent.futures
import json
import os
import random
import time

import lablib
import pytest
import witness

NODES = ("c01", "c02", "c03")
ROUNDS = int(os.environ.get("SKP_SOAK_ROUNDS", "10"))


@pytest.fixture(scope="module")
def kept(site):
    """Data of every service, written before the first outage."""
    witness.healthy()
    return witness.keep()


@pytest.mark.parametrize("node", NODES)
def test_one_node_loses_power(node, kept, figures):
    """Killed and started: healthy again unattended, all data there."""
    lablib.kill(node)
    lablib.start(node)
    figures[f"power: {node} killed and started, healthy after seconds"] = witness.healthy()
    witness.check(kept)


@pytest.mark.parametrize("node", NODES)
def test_one_node_is_wiped(node, kept, site, figures):
    """Wiped: site.yml restores it, all data that is not on this node alone is present, a second run changes nothing."""
    lablib.run(lablib.BIN / "ansible-playbook", "-i", "localhost,", "roles/lab/playbooks/recreate.yml", "-e", f"lab_node={node}", timeout=300)
    figures[f"power: {node} wiped, site.yml alone, seconds"] = round(lablib.play(site).seconds)
    witness.healthy()
    lost = [one for one in kept if node in one.alone()]
    witness.check({one: what for one, what in kept.items() if one not in lost})
    kept.update({one: one.keep() for one in lost})
    assert lablib.play(site).changed == set()


def other_leader():
    """A leader of the swarm that is not c01, where the modules run: a manager that is demoted gives the leadership away."""
    for _attempt in range(10):
        _, leader = lablib.ask_manager("docker node ls --format '{{.Hostname}} {{.ManagerStatus}}' | sed -n 's/ Leader$//p'")
        if leader.strip() not in ("", "c01"):
            return leader.strip()
        lablib.on("c02", "docker", "node", "demote", "c01")
        lablib.wait("c01 is a worker", lambda: not lablib.on("c02", "docker", "node", "inspect", "-f", "{{if .ManagerStatus}}x{{end}}", "c01").strip(), 60)
        lablib.on("c02", "docker", "node", "promote", "c01")
        lablib.wait("c01 is a manager", lambda: lablib.on("c01", "docker", "node", "ls", "-q", check=False).count("\n") == 3, 60)
    raise lablib.Failed("c01 stays the leader")


def test_the_swarms_leader_dies_in_a_rolling_update(kept, site):
    """The leader, and the broker on it, dies after the first broker was updated, and comes back: the run ends well, every broker was restarted once, and
    the data is there.
    """
    leader, before = other_leader(), lablib.services()
    change = json.dumps({"kafka_config": {"log.cleaner.threads": 2}})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        run = pool.submit(lablib.play, site, "--tags", "kafka", "-e", change)
        try:
            lablib.wait("the first broker was updated", lambda: lablib.services() != before, 120, every=0.2)
            lablib.kill(leader)
            lablib.wait("there is another leader", lambda: " Leader" in lablib.ask_manager("docker node ls --format '{{.Hostname}} {{.ManagerStatus}}'")[1], 60)
        finally:
            lablib.start(leader)
        run.result()
    witness.healthy()
    witness.check(kept)
    assert {name for name, seen in lablib.services().items() if seen != before[name]} == {name for name in before if name.startswith("kafka-skp-")}
    assert lablib.play(site, "--tags", "kafka").changed
    witness.healthy()
    witness.check(kept)


def test_rounds_of_outages(kept, site, figures):
    """Some nodes at random, off for a random time, again and again (SKP_SOAK_ROUNDS, SKP_SOAK_SEED): each round ends healthy with all data."""
    seed = int(os.environ.get("SKP_SOAK_SEED", random.randrange(10**6)))
    print(f"\n  SKP_SOAK_SEED={seed}")
    chance, seconds = random.Random(seed), []
    for number in range(ROUNDS):
        down = chance.sample(NODES, chance.randint(1, len(NODES)))
        lablib.kill(*down)
        time.sleep(chance.uniform(0, 30))  # no wait for anything: this is how long the power is away
        lablib.start(*down)
        seconds.append(witness.healthy())
        witness.check(kept)
        print(f"  round {number + 1}: {', '.join(sorted(down))}: {seconds[-1]} s", flush=True)
    assert lablib.play(site).changed == set()
    figures["power: rounds of outages, seconds until healthy"] = seconds
