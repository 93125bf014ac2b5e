# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ensemble loses nothing when its leader is killed, when members are cut off, and while a run rolls it; what a run refuses, and what strangers may ask."""
from __future__ import annotations

import uuid

import faults
import lablib
import pytest
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
        text = znodes.cli(f"create /{prefix}/nafter after", f"get /{prefix}/nafter", service=other, alone=True, check=False, timeout=60)
        return "\nafter" in text

    _, seconds = lablib.wait("another member takes writes after the leader's death", writes, 150)
    figures["zookeeper: leader killed, another member has taken a write, seconds"] = seconds
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


@pytest.mark.soak
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


NO_START = ("-e", "zookeeper_jvm_flags=-XX:+NoSuchFlag", "-e", "zookeeper_update_timeout=20")


def test_a_roll_and_one_that_does_not_start(figures):
    """A setting changes while a client writes: each member stops once, never two, the leader last. Then a value with which no member starts: the run ends
    after the first, the others serve, and the run with the right value mends it. No acknowledged znode is lost in all this.
    """
    prefix, leading = f"t{uuid.uuid4().hex[:8]}", znodes.leader()
    with znodes.writing(prefix) as written:
        with faults.watched("zookeeper-skp-") as rolled:
            lablib.play("site.yml", "--tags", "zookeeper", "-e", "zookeeper_autopurge_keep=4")
        assert sorted(rolled.stopped()) == znodes.members() and rolled.stopped()[-1] == leading, rolled.rows
        assert rolled.most_down() == 1, rolled.rows

        with faults.watched("zookeeper-skp-") as failed:
            broken = lablib.play("site.yml", "--tags", "zookeeper", *NO_START, check=False)
        assert broken.rc != 0 and "no other member was changed" in faults.words(broken.text), broken.text[-3000:]
        assert len(set(failed.stopped())) == 1, failed.rows
        down = failed.stopped()[0]
        assert down not in znodes.modes() and len(znodes.modes()) == 2
        lablib.play("site.yml", "--tags", "zookeeper")
        lablib.wait("three members, one leader", znodes.healthy, 60)
    assert written.names() <= znodes.names(prefix)
    figures["zookeeper: acked / lost during two rolls, longest gap in seconds"] = f"{len(written.acked)} / 0, {written.longest_gap()}"


# `make test` has members that are killed, and nodes without power: tests/lab/5_outages.
@pytest.mark.soak
def test_a_member_that_is_cut_off(figures):
    """The leader reaches nobody: it stops serving, the others go on, and a run that would stop one of them is refused and names it. Back again, it follows.
    Then a follower is paused. Nothing that was acknowledged is lost.
    """
    prefix, leading, before = f"t{uuid.uuid4().hex[:8]}", znodes.leader(), ensemble()
    znodes.write(prefix, 20)
    with faults.cut_off(leading):
        _, seconds = lablib.wait("another member leads, the old leader serves nobody", lambda: znodes.leader() and leading not in znodes.modes(), 60)
        figures["zookeeper: leader cut off, another leads after seconds"] = seconds
        znodes.cli(f"create /{prefix}/nmeanwhile x", service=znodes.leader(), alone=True)
        refused = lablib.play("site.yml", "--tags", "zookeeper", "-e", "zookeeper_autopurge_keep=5", check=False)
        assert refused.rc != 0 and f"Not serving now: {leading}" in faults.words(refused.text), refused.text[-3000:]
        assert ensemble() == before
    _, seconds = lablib.wait("three members, one leader", znodes.healthy, 60)
    figures["zookeeper: back on the network, healthy after seconds"] = seconds

    follower = next(service for service, mode in znodes.modes().items() if mode == "follower")
    node, ident = lablib.task_container(follower)
    lablib.on(node, "docker", "pause", ident)
    try:
        lablib.wait("the paused member does not answer", lambda: follower not in znodes.modes(), 20)
        znodes.cli(f"create /{prefix}/npaused x", service=znodes.leader(), alone=True)
    finally:
        lablib.on(node, "docker", "unpause", ident)
    lablib.wait("three members, one leader", znodes.healthy, 60)
    assert znodes.names(prefix) == {f"n{i}" for i in range(20)} | {"nmeanwhile", "npaused"}


ADDRESSES = """docker ps -q -f name=zookeeper-skp- | xargs -r docker inspect -f '{{(index .NetworkSettings.Networks "net-skp").IPAddress}}'"""


def test_every_member_gets_another_address(figures):
    """All containers are made anew at once, so that no address on the overlay is the old one: the ensemble is whole again, and a run changes nothing."""
    prefix, old = f"t{uuid.uuid4().hex[:8]}", set(lablib.look(ADDRESSES).values())
    znodes.write(prefix, 20)
    lablib.ask_manager("for name in %s; do docker service update --force --detach $name; done" % " ".join(znodes.members()))
    lablib.wait("other addresses", lambda: old.isdisjoint(now := set(lablib.look(ADDRESSES).values())) and len(now) == 3 and "" not in now, 60)
    _, seconds = lablib.wait("three members, one leader", znodes.healthy, 60)
    figures["zookeeper: all addresses changed, healthy after seconds"] = seconds
    assert znodes.names(prefix) == {f"n{i}" for i in range(20)}
    assert lablib.play("site.yml", "--tags", "zookeeper").changed == set()


# In a member's network: what it answers to a word, and whether anything listens on the port of the admin server.
WORDS = """
pid=$(docker inspect -f '{{.State.Pid}}' "$(docker ps -q -f name=zookeeper-skp- | head -n 1)")
for word in mntr wchp dump conf envi; do
    echo "$word $(nsenter -t "$pid" -n timeout 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/2181; printf $word >&3; cat <&3" | head -n 1)"
done
nsenter -t "$pid" -n timeout 5 bash -c '</dev/tcp/127.0.0.1/8080' 2>/dev/null && echo open 8080 || true
"""


def test_members_tell_strangers_little():
    """Beyond srvr and ruok no word is answered, there is no admin server, and nobody changes the members at run time. 2181, 2888 and 3888 are closed from
    outside: the sweep of all ports.
    """
    for node, text in lablib.look(WORDS).items():
        rows = text.splitlines()
        assert len(rows) == 5 and all("not in the whitelist" in row for row in rows), (node, text)
    before = ensemble()
    assert "econfig is disabled" in znodes.cli("reconfig -remove 3", check=False)
    assert znodes.healthy() and ensemble() == before


DATA = "/var/lib/skp/zookeeper"
WRONG = {
    "another id": ("cp -a {0}/data/myid /root/myid && echo 9 >{0}/data/myid", "cp -a /root/myid {0}/data/myid", ["c03", "member id 9", "c03 has id 3"]),
    "data in memory": ("mount -t tmpfs tmpfs {0}", "umount {0}", ["the data directory on c03 is on memory (tmpfs)", "zookeeper_data_dir"]),
}


# The plan's own tests have the other.
@pytest.mark.parametrize("what", ["another id", pytest.param("data in memory", marks=pytest.mark.soak)])
def test_data_that_is_not_the_members_is_refused(what):
    """One clear message, and no member is touched."""
    make, mend, texts = WRONG[what]
    before = ensemble()
    lablib.on("c03", "bash", "-ec", make.format(DATA))
    try:
        result = lablib.play("site.yml", "--tags", "zookeeper", check=False)
    finally:
        lablib.on("c03", "bash", "-ec", mend.format(DATA))
    assert result.rc != 0 and [text for text in texts if text not in faults.words(result.text)] == [], result.text[-3000:]
    assert ensemble() == before
