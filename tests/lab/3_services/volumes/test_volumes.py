# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data volumes on real servers: seen by a running notebook and by Spark, killed, cut off, wrong; and nobody sees a key."""
from __future__ import annotations

import hashlib
import os
import time

import datastores
import lablib
import notebooks
import pytest

ROUNDS = int(os.environ.get("SKP_LAB_KILLS", "3"))
AWAY = int(os.environ.get("SKP_LAB_AWAY", "20"))
LARGE = int(os.environ.get("SKP_LAB_LARGE", "100"))
"""Seconds for which the server is away; MiB of the large file. `make soak` sets 300, 1024, and 20 kills."""


@pytest.fixture(name="volumes", scope="module")
def fixture_volumes():
    """All volumes of the lab, mounted; afterwards the nodes have none."""
    with datastores.servers() as volumes:
        datastores.play(volumes)
        try:
            yield volumes
        finally:
            datastores.play([], "-e", "volumes_force=true")
            left = lablib.look(f"ls {datastores.PARENT}; ls /etc/skp/volumes 2>/dev/null; ls /etc/systemd/system | grep skp-volume || true", datastores.nodes())
            assert not any(text.strip() for text in left.values()), left


@pytest.fixture(name="kernel", scope="module")
def fixture_kernel(volumes):
    """A kernel that runs through all faults: its container is never restarted."""
    with notebooks.kernel("python3", notebooks.secret("jupyter_gateway_token")) as kernel:
        yield kernel


def pids(node, volumes):
    """{volume: the process of its program}."""
    return {one["name"]: datastores.daemon(node, one["name"]) for one in volumes}


def test_a_second_run_changes_nothing(volumes):
    before = pids(notebooks.node(), volumes)
    assert datastores.play(volumes).changed == set()
    assert pids(notebooks.node(), volumes) == before


@pytest.mark.parametrize("name", datastores.NAMES)
def test_what_a_notebook_writes_is_at_the_server(volumes, kernel, name):
    """1,000 small files and a large one; checksums by another path. Drivers that upload in the background have a minute for it."""
    told = kernel.run(
        f"import hashlib, os\nos.makedirs('/mnt/{name}/small')\nfor n in range(1000): open(f'/mnt/{name}/small/{{n}}', 'w').write(str(n))\n"
        f"hashed = hashlib.sha256()\nwith open('/mnt/{name}/large', 'wb') as file:\n    for _ in range({LARGE}):\n"
        "        block = os.urandom(1 << 20); hashed.update(block); file.write(block)\nprint(hashed.hexdigest())", 120 + LARGE).strip()
    small = hashlib.sha256("".join(map(str, range(1000))).encode()).hexdigest()
    text, expected = "ls small | wc -l; (cd small && cat $(seq 0 999)) | sha256sum; sha256sum <large", ["1000", small, "-", told, "-"]
    lablib.wait(f"{name}: all of it is at the server", lambda: datastores.at_server(name, text).split() == expected, 60 + LARGE, every=3)


# `make test` has what a notebook writes, and Spark over all workers in 3_services/spark.
@pytest.mark.soak
def test_spark_reads_it_on_every_worker(volumes, kernel):
    """A table that a notebook wrote, from each volume."""
    names = [one["name"] for one in volumes]
    told = kernel.run("import pandas\nfrom pyspark.sql import SparkSession\nspark = SparkSession.builder.appName('volumes').getOrCreate()\n"
                      f"for name in {names}:\n    pandas.DataFrame({{'a': range(1000)}}).to_parquet(f'/mnt/{{name}}/t.parquet')\n"
                      # The other nodes remember for seconds that the file is not there.
                      "import time\nfor left in range(19, -1, -1):\n    try:\n"
                      f"        found = [spark.read.parquet(f'/mnt/{{name}}/t.parquet').groupBy().sum().first()[0] for name in {names}]\n"
                      "        break\n    except Exception:\n        if not left:\n            raise\n        time.sleep(3)\nprint(found)\n"
                      "spark.stop()")
    assert told.splitlines()[-1] == str([sum(range(1000))] * len(volumes))


def test_a_killed_program_is_back_in_the_same_container(volumes, kernel, figures):
    """kill -9 of every volume's program, again and again: read and written again from the same kernel, without a run."""
    node, worst = notebooks.node(), 0.0
    for number in range(ROUNDS):
        for name in (one["name"] for one in volumes):
            old = datastores.daemon(node, name)
            lablib.on(node, "kill", "-9", str(old))
            _, took = lablib.wait(f"{name} is back", lambda name=name, old=old: (
                datastores.daemon(node, name) not in (0, old) and datastores.mounted(node, name)), 30)
            worst = max(worst, took)
            assert kernel.run(f"open('/mnt/{name}/again', 'w').write('{number}')\nprint(open('/mnt/{name}/again').read())").strip() == str(number)
    figures["volumes: seconds until a killed program's mount is back, worst"] = round(worst, 1)
    assert worst <= 30


def test_nobody_writes_to_a_volume_that_is_gone(volumes, kernel):
    """The unit is stopped under a writer: it gets errors, and 0 bytes lie on the bare directory."""
    node = notebooks.node()
    lablib.on(node, "systemctl", "stop", "skp-volume-lake")
    try:
        assert "OSError" in kernel.run("try:\n    open('/mnt/lake/trap', 'w').write('x')\nexcept OSError as exc:\n    print('OSError', exc.errno)")
        lablib.on(node, "touch", f"{datastores.PARENT}/lake/trap", check=False)
        assert datastores.bare_entries(node) == []
    finally:
        lablib.on(node, "systemctl", "start", "skp-volume-lake")
    lablib.wait("mounted", lambda: datastores.mounted(node, "lake"), 30)


@pytest.mark.soak
def test_a_server_that_is_away(volumes, kernel, figures):
    """No answer for a while: an error within the bound, no process waits in the kernel, the other volumes answer, and it works again afterwards."""
    node = next(name for name in datastores.nodes() if name != datastores.SERVER)
    rule = f"INPUT -s {lablib.address(node)} -p tcp --dport 22 -j DROP"
    lablib.on(datastores.SERVER, "sh", "-c", f"iptables -I {rule}")
    started = time.monotonic()
    try:
        lablib.on(node, "bash", "-c", f"timeout -s KILL 90 touch {datastores.PARENT}/lake/away", check=False)
        figures["volumes: seconds until an error, server away"] = round(time.monotonic() - started, 1)
        assert time.monotonic() - started < 60
        time.sleep(max(0.0, AWAY - (time.monotonic() - started)))
        assert [line for line in lablib.on(node, "ps", "-eo", "stat,args").splitlines() if line.startswith("D")] == []
        assert all(datastores.mounted(node, one["name"]) for one in volumes[1:])
    finally:
        lablib.on(datastores.SERVER, "sh", "-c", f"iptables -D {rule}")
    _, took = lablib.wait("it works again", lambda: "yes" in lablib.on(
        node, "bash", "-c", f"timeout -s KILL 10 touch {datastores.PARENT}/lake/back && echo yes", check=False), 60)
    figures["volumes: seconds until it works again, server back"] = round(took, 1)


WRONG = {
    "wrong-user": ({"user": "nobody"}, "Permission denied"),
    "wrong-path": ({"path": "/nowhere"}, "No such file or directory"),
    "wrong-host": ({"host": "no-such-host.invalid"}, "cannot be resolved"),
    "full": ({}, "is not empty"),
    "unpinned": ({"host_key": ""}, "no host key is pinned"),
}


def test_each_wrong_one_is_one_clear_error(volumes):
    """All at once, beside healthy ones: wrong sources, a directory with somebody's file, a server without a pinned host key."""
    wrong = [{**volumes[0], "name": name, "source": {**volumes[0]["source"], **change}} for name, (change, _words) in WRONG.items()]
    node = datastores.nodes()[0]
    lablib.on(node, "sh", "-ec", f"mkdir {datastores.PARENT}/full; touch {datastores.PARENT}/full/early")
    try:
        result = datastores.play([*volumes, *wrong], check=False)
        assert result.rc != 0 and "Fail with the volumes that failed" in result.text and result.seconds < 180
        for name, (_change, words) in WRONG.items():
            assert f"volume {name}: " in result.text and words in result.text, name
            where = datastores.nodes() if name != "full" else [node]
            assert not any(datastores.mounted(each, name) for each in where)
        assert "early" in result.text and lablib.on(node, "ls", f"{datastores.PARENT}/full").split() == ["early"]
        assert all(datastores.mounted(each, "lake") for each in datastores.nodes())
    finally:
        lablib.on(node, "rm", "-r", f"{datastores.PARENT}/full")


def test_one_changed_option_restarts_one_volume(volumes):
    """On every node that one program is new, the others are not; credentials that others can read are closed without a restart."""
    nodes = datastores.nodes()
    before = {node: pids(node, volumes) for node in nodes}
    lablib.look("chmod 644 /etc/skp/volumes/s3/passwd; chown 61000 /etc/skp/volumes/lake/key", nodes)
    changed = [{**one, "options": {"max_stat_cache_size": 5000}} if one["name"] == "s3" else one for one in volumes]
    assert {host for _task, host in datastores.play(changed).changed} == set(nodes)
    for node in nodes:
        assert {name for name, pid in pids(node, volumes).items() if pid != before[node][name]} == {"s3"}
        assert set(lablib.on(node, "sh", "-c", "stat -c '%a %U' /etc/skp/volumes/*/passwd /etc/skp/volumes/*/key").splitlines()) == {"600 root"}
    datastores.play(volumes)


@pytest.mark.skipif(not datastores.BLOB, reason="only rclone uploads later than a file is closed, and it is compiled for minutes: make soak")
def test_a_volume_with_files_that_are_not_uploaded_is_kept(volumes, kernel):
    """The Blob server hangs, a notebook writes 100 files, a run shall remove the volume: it is refused. Afterwards all files are at the server."""
    rest = [one for one in volumes if one["name"] != "blob"]
    kernel.run("import os\nos.makedirs('/mnt/blob/late')\nprint(os.listdir('/mnt/blob/late'))")
    lablib.wait("the directory is there", lambda: "late" in datastores.at_server("blob", "ls"), 30)
    lablib.on(datastores.SERVER, "pkill", "-STOP", "-f", "azurite-blob")
    try:
        kernel.run("for n in range(100): open(f'/mnt/blob/late/{n}', 'w').write(str(n))")
        result = datastores.play(rest, "-e", "volumes_flush_timeout=5", check=False)
        assert result.rc != 0 and "files are not at the backend yet" in result.text
        assert datastores.daemon(notebooks.node(), "blob")
    finally:
        lablib.on(datastores.SERVER, "pkill", "-CONT", "-f", "azurite-blob")
    datastores.play(rest, "-e", "volumes_flush_timeout=90")
    assert not datastores.mounted(notebooks.node(), "blob")
    assert datastores.at_server("blob", "cat late/* | wc -c; ls late | wc -l").split() == ["190", "100"]
    datastores.play(volumes)


def test_no_secret_can_be_seen(volumes):
    """Ten looks a second at all arguments during a run; units, mounts, fstab, logs, the output at -vvv with diffs."""
    secrets = [*datastores.CANARIES, volumes[0]["credentials"]["private_key"].splitlines()[2]]
    nodes = datastores.nodes()
    sampler = "while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; sleep 0.1; done >/run/canary"
    lablib.look(f'systemd-run --quiet --unit=skp-canary sh -c "{sampler}"', nodes)
    try:
        changed = [{**one, "options": {**one.get("options", {}), "dcache_timeout" if one["driver"] == "sshfs" else "stat_cache_expire": 11}}
                   if one["driver"] != "rclone" else one for one in volumes]
        texts = [datastores.play(changed, "-vvv", "--diff").text, datastores.play(volumes, "-vvv", "--diff").text]
    finally:
        lablib.look("systemctl stop skp-canary", nodes)
    looks = lablib.look("cat /run/canary /etc/systemd/system/skp-volume-* /etc/skp/volumes/*/run /proc/mounts /etc/fstab; journalctl -b --no-pager; "
                        "for id in $(docker ps -q); do docker inspect $id; done; rm /run/canary", nodes)
    assert all("sshfs" in text for text in looks.values()), "the search reads what it should"
    for secret in secrets:
        assert not any(secret in text for text in [*texts, *looks.values()])
