# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ensemble loses nothing when its leader is killed."""
from __future__ import annotations

import uuid

import lablib
import znodes


def test_killed_leader_writes_resume_and_nothing_is_lost(figures):
    """kill -9 of the leader: another leads, writes go on, every znode is there; the killed one returns by itself."""
    prefix = f"t{uuid.uuid4().hex[:8]}"
    znodes.write(prefix, 100)
    assert znodes.names(prefix) == {f"n{i}" for i in range(100)}
    leading = znodes.leader()
    node, ident = lablib.task_container(leading)
    lablib.on(node, "docker", "kill", "-s", "KILL", ident)
    other = next(s for s in znodes.members() if s != leading)

    def writes():
        text = znodes.cli(f"create /{prefix}/nafter after", f"get /{prefix}/nafter", service=other, timeout=30)
        return "\nafter" in text

    _, seconds = lablib.wait("writes after the leader's death", writes, 150)
    figures["zookeeper: leader killed, a client's write done, seconds"] = seconds
    _, seconds = lablib.wait("three members, one leader", znodes.healthy, 120)
    figures["zookeeper: ensemble healthy again, seconds"] = seconds
    assert znodes.names(prefix) == {f"n{i}" for i in range(100)} | {"nafter"}


def ensemble():
    """Versions and containers of the members."""
    return {name: version for name, version in lablib.services().items() if name.startswith("zookeeper-skp")}, lablib.look(
        "docker ps -q --no-trunc -f name=zookeeper-skp")


def test_another_name_over_running_members_is_refused():
    """Second servers would write to the same data directories."""
    before = ensemble()
    result = lablib.play("site.yml", "--tags", "zookeeper", "-e", "zookeeper_name=other", check=False)
    assert result.rc != 0 and "Set zookeeper_name: zookeeper-skp again" in result.text, result.text[-3000:]
    assert ensemble() == before and "other-1" not in lablib.services()


def test_a_lost_record_comes_back_with_limit():
    """The record is removed, then a run for one host: no member restarts, and all znodes are there."""
    prefix = f"t{uuid.uuid4().hex[:8]}"
    znodes.write(prefix, 20)
    before = ensemble()
    lablib.ask_manager("docker config ls -q --filter label=skp.members=zookeeper | xargs docker config rm")
    lablib.play("site.yml", "--tags", "zookeeper", "--limit", "c02")
    lablib.play("site.yml", "--tags", "zookeeper")
    assert lablib.play("site.yml", "--tags", "zookeeper").changed == set()
    assert ensemble() == before and znodes.healthy()
    assert znodes.names(prefix) == {f"n{i}" for i in range(20)}
