# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registry's I/O does without an engine: the store's directory, log frames, ports."""

from __future__ import annotations

import os
import socket
import struct

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
