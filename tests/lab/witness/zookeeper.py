# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of ZooKeeper: znodes written and listed with zkCli.sh."""
from __future__ import annotations

import uuid

import znodes

from witness.base import Change, Witness


class ZooKeeper(Witness):
    """Three members, one of which leads."""

    name = "zookeeper"
    data = ("/var/lib/skp/zookeeper/data/myid",)

    def services(self):
        return {f"zookeeper-skp-{node.removeprefix('c0')}" for node in self.nodes()}

    def healthy(self):
        return znodes.healthy(len(self.nodes()))

    def keep(self):
        prefix = f"kept{uuid.uuid4().hex[:8]}"
        znodes.write(prefix, 50)
        return prefix

    def check(self, kept):
        return znodes.names(kept) == {f"n{i}" for i in range(50)}

    def change(self):
        return Change(
            variables={"zookeeper_autopurge_keep": 4},
            diff=("autopurge.snapRetainCount=4",),
            parts={name: {"config /etc/zookeeper/zoo.cfg"} for name in self.services()},
        )
