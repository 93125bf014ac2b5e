# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared store over NFS, on machines with a kernel of their own: who may do what, and what happens when a machine is away.

c01 is the master, c02 has the label jupyter, so that it may write. The tests run in this order; each leaves both machines up and the store mounted.
"""
from __future__ import annotations

import json
import re
import time

import pytest

from vm_io import INVENTORY, boot_id, cut, ok, on, pid, play, start, wait, wait_boot, wait_login

MASTER, NODE = "c01", "c02"
HOME = "/srv/skp"
TAGS = "preflight,engine,store,swarm,nodes,registry"
# Emulated machines: these limits say "not without end", the figures say how long it took.
SOON, LATER = 90, 240


def mounted(name=NODE):
    """Whether the store is mounted on a machine. Never looks into it."""
    return ok(name, "grep -q ' %s nfs4 ' /proc/self/mounts" % HOME)


def registry_answers(name=NODE):
    """Whether the registry of a machine serves the images (one that has lost its store answers too, without them)."""
    return ok(name, "docker exec registry-skp sh -c 'test -f /var/lib/registry/.skp-registry-store' && python3 -c \"import urllib.request as r; "
                    "assert b'probe' in r.urlopen('http://127.0.0.1:5000/v2/_catalog', timeout=5).read()\"", 30)


def all_well(figure, what):
    """Waits until the node has the store and its registry, and says how long that took."""
    seconds = wait(mounted, LATER, "the mount")
    figure("%s: the store is mounted" % what, seconds)
    figure("%s: the registry answers" % what, round(seconds + wait(registry_answers, LATER, "the registry"), 1))


@pytest.fixture(scope="module", autouse=True)
def probe():
    """An image in the registry, and a container on the node that has nothing to do with the store."""
    on(MASTER, "docker tag skp-vm/tools:1 localhost:5000/probe:1; docker push -q localhost:5000/probe:1", 300)
    on(NODE, "docker inspect other >/dev/null 2>&1 || docker run -d --name other --restart always skp-vm/tools:1 sleep 1000000", 120)


def test_the_store_is_mounted_over_nfs():
    line = on(NODE, "grep ' %s ' /proc/self/mounts" % HOME).split()
    assert line[0] == "10.77.0.11:/srv/skp" and line[2] == "nfs4"
    assert {"vers=4.2", "hard", "nosuid", "nodev", "noatime", "lookupcache=pos"} <= set(line[3].split(","))
    assert re.search(r"^/srv/skp\s+10\.77\.0\.12\(", on(MASTER, "exportfs -s"), re.MULTILINE)
    assert on(MASTER, "exportfs -s").count("/srv/skp ") == 1, "exported to the one node, and to nobody else"
    assert on(NODE, "systemctl --failed --plain --no-legend").strip() == ""


def test_a_second_run_changes_nothing(figure):
    started = time.monotonic()
    text = play("site.yml", "--tags", TAGS).stdout
    figure("second run of site.yml", round(time.monotonic() - started, 1))
    assert re.findall(r"changed=(\d+)", text) and set(re.findall(r"changed=(\d+)", text)) == {"0"}, text[-3000:]


def test_the_store_alone_reads_no_package_lists():
    """Without the report of preflight, the role sees for itself that the programs are there: the package source may be away."""
    before = [on(name, "stat -c %y /var/lib/apt/lists/partial") for name in (MASTER, NODE)]
    text = play("site.yml", "--tags", "store").stdout
    assert set(re.findall(r"changed=(\d+)", text)) == {"0"}, text[-3000:]
    assert [on(name, "stat -c %y /var/lib/apt/lists/partial") for name in (MASTER, NODE)] == before


def test_an_image_is_pulled_by_its_digest_at_once(figure):
    digest = re.search(r"sha256:[0-9a-f]{64}", on(MASTER, "docker image inspect --format '{{.RepoDigests}}' localhost:5000/probe:1")).group(0)
    stamp = "/run/probe"
    on(MASTER, "date > %s; tar -C / -c %s | docker import - localhost:5000/fresh:1; docker push -q localhost:5000/fresh:1" % (stamp, stamp.lstrip("/")), 300)
    figure("an image that was just pushed is seen by the node", wait(lambda: ok(NODE, "docker pull -q localhost:5000/fresh:1", 60), 60, "the image"))
    on(NODE, "docker rmi localhost:5000/probe@%s >/dev/null 2>&1 || true; docker pull -q localhost:5000/probe@%s" % (digest, digest), 120)


# --- who may do what --------------------------------------------------------------------------------------------------------------------------------------

def test_nobody_on_a_node_changes_an_image():
    """Not as root, not as the user of the services, not as nobody."""
    tries = ("touch S/registry/x", "touch S/images/x", "touch S/x", "rm -rf S/registry/docker", "chmod 777 S/registry", "mv S/images S/other", "ls S/registry")
    users = ("", "setpriv --reuid=61000 --regid=61000 --clear-groups ", "setpriv --reuid=65534 --regid=65534 --clear-groups ")
    text = "".join("if %s >/dev/null 2>&1; then echo 'DONE %s'; fi\n" % ((user + words).replace("S/", HOME + "/"), words) for words in tries for user in users)
    assert on(NODE, text).splitlines() == ["DONE ls S/registry"] * 3
    assert on(MASTER, "stat -c %%a:%%u %s/registry %s/images" % (HOME, HOME)).split() == ["755:0"] * 2 and ok(MASTER, "test -d %s/registry/docker" % HOME)


def test_a_writer_writes_as_one_user_only():
    on(NODE, "cd /; rm -f {0}/jupyter/mine; setpriv --reuid=61000 --regid=61000 --clear-groups sh -c 'echo x > {0}/jupyter/mine'".format(HOME))
    # Root of the node, and any other user, are the same user there; a file of root cannot be made, nor one given away.
    on(NODE, "echo y > {0}/jupyter/of-root".format(HOME))
    assert not ok(NODE, "chown 0:0 {0}/jupyter/of-root".format(HOME)) and not ok(NODE, "mknod {0}/jupyter/device b 254 0".format(HOME))
    assert on(MASTER, "stat -c %u {0}/jupyter/mine {0}/jupyter/of-root".format(HOME)).split() == ["61000", "61000"]


def test_a_program_of_root_on_the_store_gives_no_right():
    on(MASTER, "install -m 4755 -o root /usr/bin/id {0}/jupyter/id".format(HOME))
    assert on(NODE, "setpriv --reuid=61000 --regid=61000 --clear-groups {0}/jupyter/id -u".format(HOME)).strip() == "61000"
    on(MASTER, "rm {0}/jupyter/id".format(HOME))


def test_a_host_without_the_label_only_reads():
    """The same machine, exported to as every other host. Each try makes a new file: one that it has just written it may open by itself (a delegation)."""
    new = "mktemp -p {0}/jupyter late.XXXXXX".format(HOME)
    text = on(MASTER, "cat /etc/exports.d/skp.exports")
    try:
        on(MASTER, "printf '%s 10.77.0.12(ro,all_squash,sync,no_subtree_check)\\n' {0} > /etc/exports.d/skp.exports; exportfs -ra".format(HOME))
        wait(lambda: not ok(NODE, new), 30, "the right to be withdrawn")
        assert not ok(NODE, "ls {0}/jupyter".format(HOME)), "notebooks are for their user only"
        on(NODE, "test -f {0}/registry/.skp-registry-store".format(HOME))
    finally:
        play("site.yml", "--tags", "store")
    assert on(MASTER, "cat /etc/exports.d/skp.exports") == text
    wait(lambda: ok(NODE, new), 30, "the right to be back")


STRANGER = """
ip netns add stranger
trap 'umount /mnt/stranger 2>/dev/null || true; ip netns del stranger' EXIT
ip link add link eth1 name mv0 type macvlan mode bridge
ip link set mv0 netns stranger
ip netns exec stranger ip addr add 10.77.0.99/24 dev mv0
ip netns exec stranger ip link set mv0 up
ip netns exec stranger ip link set lo up
mkdir -p /mnt/stranger
ip netns exec stranger python3 -c "import socket; socket.create_connection(('10.77.0.11', 2049), 10)"
if ip netns exec stranger timeout -k 1 60 mount -t nfs4 -o nfsvers=4.2,retry=0 10.77.0.11:/srv/skp /mnt/stranger; then echo MOUNTED; else echo REFUSED; fi
"""


def test_a_neighbour_cannot_mount_the_store():
    lan = on(NODE, "ip -o -4 addr show | awk '/10.77.0.12/ {print $2}'").strip()
    text = on(NODE, STRANGER.replace("eth1", lan), 120)
    assert "REFUSED" in text and "MOUNTED" not in text, text
    assert "by server" in text or "not permitted" in text, "it was the server that refused: " + text


def test_a_container_reaches_no_nfs():
    for network in ("bridge", "net-skp"):
        text = "docker run --rm --network %s skp-vm/tools:1 sh -c 'nc -w 5 10.77.0.11 2049 </dev/null && echo open || echo closed'"
        assert "closed" in on(NODE, text % network, 120)
    on(NODE, "python3 -c \"import socket; socket.create_connection(('10.77.0.11', 2049), 5)\"")


# --- the master is away -----------------------------------------------------------------------------------------------------------------------------------

def test_a_node_boots_while_the_master_is_away(figure):
    cut(NODE)
    cut(MASTER)
    start(NODE)
    figure("node booted without the master: login", wait_login(NODE))
    figure("node booted without the master: engine after that", wait(lambda: ok(NODE, "docker info", 30), SOON, "the engine"))
    wait(lambda: "true" in on(NODE, "docker inspect --format '{{.State.Running}}' other"), SOON, "a service that does not use the store")
    on(NODE, "docker run --rm skp-vm/tools:1 sh -c 'exit 0'", 60)
    assert not mounted()
    assert "true" not in on(NODE, "docker inspect --format '{{.State.Running}}' registry-skp"), "the registry runs over the bare directory"
    assert not ok(NODE, "touch %s/x" % HOME) and on(NODE, "ls -A %s" % HOME) == ""
    started = time.monotonic()
    play(NODE, "-m", "ansible.builtin.setup", timeout=SOON, program="ansible")
    figure("facts of a node without the master", round(time.monotonic() - started, 1))
    start(MASTER)
    figure("the master boots: login", wait_login(MASTER))
    all_well(figure, "the master is back")


WRITE = """
import os, sys, time
with open("{0}/jupyter/log", "ab", buffering=0) as log, open("/var/tmp/acked", "a", buffering=1) as acked:
    for number in range(100000):
        if os.path.exists("/var/tmp/stop"):
            break
        log.write(b"%d\\n" % number)
        os.fsync(log.fileno())
        acked.write("%d\\n" % number)
        time.sleep(0.05)
""".format(HOME)


def test_the_master_loses_power_while_a_node_writes(figure):
    """Every line that was acknowledged is on the master's disk, and the writer goes on by itself."""
    on(NODE, "rm -f /var/tmp/stop /var/tmp/acked {0}/jupyter/log; cat > /var/tmp/write.py <<'END'\n{1}\nEND\n"
             "systemd-run --quiet --collect --unit=writer --uid=0 python3 /var/tmp/write.py".format(HOME, WRITE))

    def count():
        return int(on(NODE, "cat /var/tmp/acked 2>/dev/null | wc -l"))

    wait(lambda: count() > 40, SOON, "the first lines")
    cut(MASTER)
    time.sleep(2)
    before = count()
    # The node is not hung: logins, the engine, and containers that have nothing to do with the store.
    on(NODE, "docker ps -q", 30)
    on(NODE, "docker run --rm skp-vm/tools:1 sh -c 'exit 0'", 60)
    assert count() == before, "acknowledged by nobody"
    started = time.monotonic()
    assert not ok(NODE, "timeout -s KILL 3 stat %s/jupyter/log" % HOME), "the store is silent"
    failed = play("playbooks/preflight.yml", "--limit", NODE, check=False, timeout=SOON * 3)
    figure("preflight says that the store is silent", round(time.monotonic() - started, 1))
    assert failed.returncode and "does not answer" in failed.stdout
    start(MASTER)
    figure("master lost power: login", wait_login(MASTER))
    figure("master lost power: the writer goes on", wait(lambda: count() > before, LATER, "the writer"))
    on(NODE, "touch /var/tmp/stop; while systemctl is-active -q writer; do sleep 0.5; done", SOON)
    written = on(MASTER, "cat {0}/jupyter/log".format(HOME)).split()
    acked = on(NODE, "cat /var/tmp/acked").split()
    assert len(acked) > before and set(acked) <= set(written), "lost: %s" % sorted(set(acked) - set(written))[:10]
    wait(registry_answers, LATER, "the registry")


def test_the_engine_restarts_while_the_store_is_silent(figure):
    cut(MASTER)
    time.sleep(1)
    started = time.monotonic()
    on(NODE, "systemctl restart docker", 180)
    figure("engine restarted with a silent store", round(time.monotonic() - started, 1))
    wait(lambda: "true" in on(NODE, "docker inspect --format '{{.State.Running}}' other"), SOON, "a service that does not use the store")
    assert not mounted()
    start(MASTER)
    wait_login(MASTER)
    all_well(figure, "the master is back, the engine was restarted")


def test_a_node_shuts_down_while_the_master_is_away(figure):
    cut(MASTER)
    ok(NODE, "systemctl poweroff", 20)
    figure("node shut down with a silent store", wait(lambda: not pid(NODE), LATER, "the node to be off"))
    start(MASTER)
    wait_login(MASTER)
    start(NODE)
    figure("node booted with the master up: login", wait_login(NODE))
    all_well(figure, "the node booted with the master up")


def test_both_lose_power_and_start_together(figure):
    cut(MASTER)
    cut(NODE)
    start(NODE)
    start(MASTER)
    figure("both start: login on both", round(wait_login(NODE) + wait_login(MASTER), 1))
    all_well(figure, "both started together")
    wait(lambda: on(MASTER, "docker node ls --format '{{.Status}}'").split() == ["Ready"] * 2, LATER, "the swarm")


def test_both_are_rebooted_in_order(figure):
    """The orderly way: the master first, so that the node has no server while it goes down."""
    before = {name: boot_id(name) for name in (MASTER, NODE)}
    ok(MASTER, "systemctl reboot", 20)
    ok(NODE, "systemctl reboot", 20)
    figure("both rebooted: login on both", round(wait_boot(NODE, before[NODE]) + wait_boot(MASTER, before[MASTER]), 1))
    all_well(figure, "both rebooted")
    assert on(NODE, "systemctl --failed --plain --no-legend").strip() == ""


# --- another master ---------------------------------------------------------------------------------------------------------------------------------------

def files(name):
    """What must not change when a run is refused."""
    return on(name, "cat /etc/fstab /etc/exports.d/skp.exports /etc/skp/store.sh 2>/dev/null; grep ' %s ' /proc/self/mounts; ls -A %s; true" % (HOME, HOME))


def test_another_master_is_refused_before_anything_changes():
    hosts = json.loads((INVENTORY / "hosts.json").read_text(encoding="utf-8"))
    before = {name: files(name) for name in (MASTER, NODE)}
    swapped = dict(hosts, c01=dict(hosts["c01"], groups=["manager"]), c02=dict(hosts["c02"], groups=["master", "manager"]))
    try:
        (INVENTORY / "hosts.json").write_text(json.dumps(swapped), encoding="utf-8")
        for tags in ("preflight,store", "store"):
            refused = play("site.yml", "--tags", tags, check=False)
            words = re.sub(r"\s+", " ", refused.stdout.replace("\\n", " "))
            assert refused.returncode and "Moving the store to another master" in words, refused.stdout[-3000:]
    finally:
        (INVENTORY / "hosts.json").write_text(json.dumps(hosts, indent=2) + "\n", encoding="utf-8")
    assert {name: files(name) for name in (MASTER, NODE)} == before


def test_the_next_run_changes_nothing():
    """After all this."""
    text = play("site.yml", "--tags", TAGS).stdout
    assert set(re.findall(r"changed=(\d+)", text)) == {"0"}, text[-3000:]
