# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of Redis: entries of a list, written and read with its client."""
from __future__ import annotations

import uuid

import databases

from witness.base import Change, Witness


class Redis(Witness):
    """The server on the node of the label."""

    name = "redis"
    data = ("/var/lib/skp/redis/appendonlydir",)
    single = True

    def services(self):
        return {"redis-skp"}

    def healthy(self):
        return databases.redis("PING") == ["PONG"]

    def keep(self):
        name = f"kept{uuid.uuid4().hex[:8]}"
        # The disk has them when the command ends: else a node without power would rightly lose the last second.
        assert databases.redis("\n".join(f"RPUSH {name} {i}" for i in range(50)) + "\nWAITAOF 1 0 5000")[-2:] == ["1", "0"]
        return name

    def check(self, kept):
        return databases.redis(f"LRANGE {kept} 0 -1") == [str(i) for i in range(50)]

    def secrets(self):
        return {"redis_password"}

    def change(self):
        # Its settings are a file with the password: a diff shows a hash only.
        return Change(variables={"redis_maxmemory": "100mb"}, parts={"redis-skp": {"secret redis.conf"}})

    def changed(self):
        return databases.redis("CONFIG GET maxmemory")[-1] == str(100 * 2**20)
