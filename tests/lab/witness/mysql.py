# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of MySQL: rows written and read with its client, as the user of the lab's database."""
from __future__ import annotations

import databases

from witness.base import Change, Witness

SERVER = databases.MySQL()


class MySQL(Witness):
    """The server on the node of the label, and the container that keeps its databases."""

    name = "mysql"
    data = ("/var/lib/skp/mysql/data/ibdata1",)
    single = True

    def services(self):
        return {"mysql-skp", "mysql-skp-client"}

    def healthy(self):
        return SERVER.answers()

    def keep(self):
        return SERVER.keep()

    def check(self, kept):
        return SERVER.has(kept)

    def secrets(self):
        return {"mysql_root_password", f"mysql_{databases.DATABASE}_password"}

    def change(self):
        return Change(
            variables={"mysql_config": {"performance_schema": "OFF", "max_connections": 140}},
            diff=("max_connections = 140",),
            parts={"mysql-skp": {"config /etc/mysql/conf.d/skp.cnf"}},
        )
