# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registry's I/O does without an engine: the store's directory, log frames, ports."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import time

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.engine import client as engine
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.registry import io
from ansible_collections.skp.cluster.plugins.module_utils.registry.plan import MARKER


def _frame(stream, payload):
    return struct.pack(">BxxxI", stream, len(payload)) + payload


@pytest.mark.parametrize("content,text", [
    (b"", ""),
    (_frame(1, b"one\n") + _frame(2, "zw\u00f6lf\n".encode()), "one\nzw\u00f6lf\n"),
    (_frame(1, b"one\n") + b"\x01\x00", "one\n"),
])
def test_demultiplex(content, text):
    assert engine.demultiplex(content) == text


def test_store_from_nothing_to_purged(tmp_path):
    path = str(tmp_path / "registry")
    found = io.read_store(path)
    assert (found["exists"], found["parent_exists"], found["marker"], found["entries"]) == (False, True, None, [])
    io.create_store(path, os.getuid(), os.getgid())
    assert oct(os.stat(path).st_mode & 0o7777) == "0o755"
    io.mark_store(path, "id-1", os.getuid(), os.getgid())
    assert (tmp_path / "registry" / MARKER).read_text() == "id-1\n"
    assert oct(os.stat(os.path.join(path, MARKER)).st_mode & 0o7777) == "0o644"
    os.makedirs(os.path.join(path, "docker", "registry"))
    found = io.read_store(path)
    assert (found["exists"], found["marker"], found["entries"], found["uid"]) == (True, "id-1", ["docker"], os.getuid())
    io.empty_store(path)
    assert os.listdir(path) == []
    io.empty_store(path)


class Engine:
    """The engine's client for an archive: it names what it loaded."""

    def __init__(self, *names):
        self.names, self.loaded, self.api = names, [], self

    def load_image(self, handle):
        self.loaded.append(handle.read())
        return [{"stream": "Loaded image: %s\n" % name} for name in self.names]


def test_a_loaded_image_is_known_by_the_name_in_its_archive(tmp_path):
    (tmp_path / "image.tar").write_bytes(b"ours")
    checksum = hashlib.sha256(b"ours").hexdigest()
    assert io.load_image(Engine("localhost:5000/skp/docker-registry:old"), str(tmp_path / "image.tar"), checksum) == "localhost:5000/skp/docker-registry:old"
    assert io.load_image(Engine(), str(tmp_path / "image.tar"), "") == ""


def test_a_changed_archive_is_not_loaded(tmp_path):
    (tmp_path / "image.tar").write_bytes(b"other")
    client = Engine("x")
    with pytest.raises(Failure) as caught:
        io.load_image(client, str(tmp_path / "image.tar"), hashlib.sha256(b"ours").hexdigest())
    assert (caught.value.failure["kind"], client.loaded) == ("archive_changed", [])


def test_a_store_that_does_not_answer_has_a_time_limit(monkeypatch):
    monkeypatch.setattr(io.patience, "SECONDS", 0.2)
    monkeypatch.setattr(io, "_list_store", lambda path: time.sleep(60))
    with pytest.raises(Failure) as caught:
        io.read_store("/srv/skp/registry")
    assert caught.value.failure["kind"] == "store_silent"


def test_registries_under_other_names(monkeypatch):
    listed = [{"Names": ["/registry-skp"], "Labels": {"skp.registry": "writer"}}, {"Names": ["/registry-old"], "Labels": {"skp.registry": "reader"}},
              {"Names": ["/registry-old-gc"], "Labels": {"skp.registry": "gc"}}]
    monkeypatch.setattr(io.engine, "get", lambda client, path, **options: listed)
    assert io.former_names("client", "registry-skp") == ["registry-old"]
    assert io.former_names(None, "registry-skp") == []


def test_digests_that_services_run(monkeypatch):
    def service(name, image, before=None, state=None):
        spec = {"Name": name, "TaskTemplate": {"ContainerSpec": {"Image": image}}}
        return {"Spec": spec, "PreviousSpec": {"TaskTemplate": {"ContainerSpec": {"Image": before}}} if before else None,
                "UpdateStatus": {"State": state} if state else None}

    x, old = "localhost:5000/skp/x@sha256:1", "localhost:5000/skp/x@sha256:0"
    services = [service("a", x), service("b", x), service("c", "redis"), service("d", x, old, "completed"), service("e", x, old)]
    monkeypatch.setattr(io.engine, "get", lambda client, path, **options: services)
    assert io.running_digests("client") == {"sha256:1": ["a", "b", "d", "e"]}, "an update that has ended left nothing of the old build"
    services += [service("f", x, old, "paused"), service("g", x, old, "updating"), service("h", x, old, "rollback_started")]
    assert io.running_digests("client")["sha256:0"] == ["f", "g", "h"]


def test_store_without_a_parent(tmp_path):
    assert io.read_store(str(tmp_path / "no" / "registry"))["parent_exists"] is False


def test_marker_is_waited_for(tmp_path):
    found = io.read_store(str(tmp_path), wait_marker=0.5)
    assert found["marker"] is None


def test_taken_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        port = server.getsockname()[1]
        with pytest.raises(Failure, match="taken by another program"):
            io.refuse_taken_port("127.0.0.1", port)
    io.refuse_taken_port("127.0.0.1", port)


def test_store_that_was_mounted_anew(tmp_path, monkeypatch):
    """The test's own process stands in for the registry's: its root is ours, so two directories below it can be told apart or not."""
    held, other = tmp_path / "held", tmp_path / "other"
    held.mkdir()
    other.mkdir()
    monkeypatch.setattr(io, "STORE_TARGET", str(held))
    process = {"pid": os.getpid()}
    assert io.store_is_stale(process, str(held)) is False
    assert io.store_is_stale(process, str(other)) is True
    assert io.store_is_stale({"pid": 2 ** 22 + 1}, str(held)) is False  # a process that has just ended is no stale store


def test_a_marker_that_is_a_link_is_not_read(tmp_path):
    (tmp_path / "shadow").write_text("root:HASH", encoding="utf-8")
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / MARKER).symlink_to(tmp_path / "shadow")
    with pytest.raises(Failure) as caught:
        io.read_store(str(tmp_path / "registry"))
    assert caught.value.failure["kind"] == "store_unreadable" and "HASH" not in caught.value.msg
