# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis: entries of a queue outlive a kill, and nobody gets in without the password."""
from __future__ import annotations

import uuid

import databases
import lablib


def test_entries_outlive_a_killed_server(figures):
    """kill -9 after 500 acknowledged entries: all are there."""
    queue = f"q{uuid.uuid4().hex[:8]}"
    assert databases.redis("\n".join(f"RPUSH {queue} {i}" for i in range(500)))[-1] == "500"
    node, ident = lablib.task_container("redis-skp")
    lablib.on(node, "docker", "kill", "-s", "KILL", ident)
    _, seconds = lablib.wait("redis answers again", lambda: databases.redis("PING") == ["PONG"], 120)
    figures["redis: kill -9, answers again after seconds"] = seconds
    assert databases.redis(f"LRANGE {queue} 0 -1") == [str(i) for i in range(500)]


def test_nobody_gets_in_without_the_password():
    for commands in ("PING", "AUTH wrong\nPING", "CONFIG GET requirepass"):
        text = lablib.execute("redis-skp", "redis-cli", stdin=commands + "\n")
        assert ("NOAUTH" in text or "WRONGPASS" in text) and "PONG" not in text
