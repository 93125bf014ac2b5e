# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of one node. Who holds a port: a real process with a real socket, only the engine's answer is given."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import time
import types

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.preflight import io as preflight_io

PROXY = """
import ctypes, socket, sys
ctypes.CDLL(None).prctl(15, b"docker-proxy", 0, 0, 0)  # PR_SET_NAME
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture(name="port")
def fixture_port():
    """A port on loopback, held by a process that is called as the engine's proxy is."""
    with subprocess.Popen([sys.executable, "-c", PROXY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield int(process.stdout.readline())
        process.stdin.close()


def container(port, labels):
    return {"Id": "f" * 64, "Names": ["/kafka-skp-1.1.x"], "Labels": labels, "Ports": [{"PublicPort": port, "PrivatePort": 9094, "Type": "tcp"}]}


def test_a_container_that_is_only_starting_is_waited_for(port, monkeypatch):
    # The engine opens the port of a container before it lists the container.
    answers = [[], [], [container(port, {"skp.role": "kafka"})]]
    monkeypatch.setattr(preflight_io.engine_facts, "ask", lambda path: answers.pop(0))
    held = preflight_io.held_ports(["%d/tcp" % port], True)
    assert [(item["process"], item["container"]) for item in held] == [("docker-proxy", "kafka-skp-1.1.x")]
    assert answers == []


def test_a_proxy_that_nothing_explains_is_reported(port, monkeypatch):
    monkeypatch.setattr(preflight_io.engine_facts, "ask", lambda path: [])
    held = preflight_io.held_ports(["%d/tcp" % port], True, patience=0.5)
    assert [(item["process"], item["container"], item["ours"]) for item in held] == [("docker-proxy", "", False)]


def test_a_port_of_another_program_is_not_waited_for(port, monkeypatch):
    calls = []
    monkeypatch.setattr(preflight_io.engine_facts, "ask", lambda path: calls.append(path) or [])
    monkeypatch.setattr(preflight_io, "read_file", lambda path: "nginx" if path.endswith("/comm") else open(path, encoding="utf-8").read())
    held = preflight_io.held_ports(["%d/tcp" % port], True)
    assert [(item["process"], item["ours"]) for item in held] == [("nginx", False)] and len(calls) == 1


def test_a_holder_is_found_while_it_closes_other_files(port, monkeypatch):
    """dockerd closed a file between the listing of its files and the look at them: it was not found, and the port counted as the kernel's."""
    real = os.readlink

    def readlink(path):
        if path.endswith("/fd/0"):
            raise FileNotFoundError(path)
        return real(path)

    monkeypatch.setattr(os, "readlink", readlink)
    held = preflight_io.held_ports(["%d/tcp" % port], False)
    assert [item["process"] for item in held] == ["docker-proxy"]


def test_a_free_port_has_no_holder():
    assert preflight_io.held_ports(["1/tcp"], False) == []


def test_public_addresses(tmp_path):
    entries = (("10.0.0.4", "host LOCAL"), ("198.41.0.4", "host LOCAL"), ("198.41.0.255", "link BROADCAST"))
    trie = "Local:\n  +-- 0.0.0.0/0 3 0 5\n" + "".join("     |-- %s\n        /32 %s\n" % entry for entry in entries)
    (tmp_path / "fib_trie").write_text(trie, encoding="ascii")
    six = ["%s%s 02 40 00 80 eth0\n" % (prefix, "1".zfill(24)) for prefix in ("fe800000", "20010500")]
    (tmp_path / "if_inet6").write_text("".join(six), encoding="ascii")
    assert preflight_io.public_addresses(str(tmp_path)) == ["198.41.0.4", "2001:500::1"]
    assert preflight_io.public_addresses(str(tmp_path / "none")) == []


def test_which_ids_have_an_account():
    free = next(number for number in range(61000, 61184) if not any(entry.pw_uid == number for entry in pwd.getpwall()))
    assert preflight_io.accounts([0, free]) == {"0": "root"}


@pytest.mark.parametrize("case, made, denied, found", [
    ("it will be made", [], None, ""),
    ("it is there", ["etc", "etc/secrets", "etc/secrets/token="], None, ""),
    ("a file in its place", ["etc", "etc/secrets="], None, "etc/secrets is no directory"),
    ("a file above it", ["etc="], None, "etc is no directory"),
    ("a read-only file system", ["etc", "etc/secrets"], "secrets", "etc/secrets cannot be written"),
    ("a file that is kept from changes", ["etc", "etc/secrets", "etc/secrets/token="], "token", "etc/secrets/token cannot be written"),
])
def test_whether_secrets_can_be_stored(tmp_path, monkeypatch, case, made, denied, found):
    for name in made:
        (tmp_path / name.rstrip("=")).write_text("x") if name.endswith("=") else (tmp_path / name).mkdir()
    real = preflight_io.os.access
    monkeypatch.setattr(preflight_io.os, "access", lambda path, mode: not (denied and str(path).endswith(denied)) and real(path, mode))
    assert preflight_io.secrets(str(tmp_path / "etc/secrets")).replace(str(tmp_path) + "/", "") == found


def test_a_full_disk_stores_no_secrets(tmp_path, monkeypatch):
    real = preflight_io.os.statvfs(tmp_path)
    monkeypatch.setattr(preflight_io.os, "statvfs", lambda path: type("Full", (), {"f_bavail": 0, "f_files": real.f_files, "f_favail": 9}))
    assert "is full" in preflight_io.secrets(str(tmp_path / "secrets"))


def test_the_space_that_root_alone_may_use_is_not_free(monkeypatch):
    """ext4 keeps 5 % for root: on 1 TB, 50 GB that Kafka and ZooKeeper never get."""
    space = types.SimpleNamespace(f_frsize=4096, f_bfree=1000, f_bavail=10, f_blocks=5000, f_files=100, f_ffree=50, f_favail=7)
    monkeypatch.setattr(preflight_io.os, "statvfs", lambda path: space)
    found = preflight_io._disk("/")
    assert (found["free"], found["total"], found["inodes_free"]) == (10 * 4096, 5000 * 4096, 7)


@pytest.mark.parametrize("blocked, ask", [
    ("_look_at_store", lambda: preflight_io.store("/srv/skp", "c1", "none")),
    ("_disk", lambda: preflight_io.disk("/srv/skp")),
], ids=["store", "disk"])
def test_a_file_system_that_does_not_answer_does_not_block_preflight(monkeypatch, blocked, ask):
    """The server of an NFS mount is away: each look at the mount waits without end, and a signal does not interrupt it."""
    monkeypatch.setattr(preflight_io.patience, "SECONDS", 0.2)
    monkeypatch.setattr(preflight_io, blocked, lambda *args: time.sleep(5))
    start = time.monotonic()
    found = ask()
    assert time.monotonic() - start < 4
    assert found["path"] == "/srv/skp" and "does not answer" in found["silent"]


def test_a_marker_that_somebody_else_put_into_the_store_is_not_read(tmp_path):
    """Root reads the markers, and whoever can write to the store can put another file in their place."""
    markers, secret = tmp_path / preflight_io.MARKERS, tmp_path / "secret"
    markers.mkdir()
    # A marker's own form: only that it is behind a link tells it from one.
    secret.write_text("5e" * 16)
    (markers / "c1").write_text("0a" * 16 + "\n")
    (markers / "link").symlink_to(secret)
    os.mkfifo(markers / "fifo")
    (markers / "text").write_text("root:x:0:0:root")
    found = preflight_io.store(str(tmp_path), "c1", "none")
    assert found["markers"] == {"c1": "0a" * 16, "fifo": "", "link": "", "text": ""}
    assert "5e" * 16 not in str(found) and "root:x" not in str(found)
