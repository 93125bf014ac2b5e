# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of PostgreSQL: rows written and read with its client, as the user of the lab's database."""
from __future__ import annotations

import databases
import lablib

from witness.base import Change, Witness

SERVER = databases.PostgreSQL()


class PostgreSQL(Witness):
    """The server on the node of the label, and the container that keeps its databases."""

    name = "postgresql"
    data = ("/var/lib/skp/postgresql/data/PG_VERSION",)
    single = True

    def nodes(self):
        return lablib.labelled("pgsql")

    def services(self):
        return {"pgsql-skp", "pgsql-skp-client"}

    def healthy(self):
        return SERVER.answers()

    def keep(self):
        return SERVER.keep()

    def check(self, kept):
        return SERVER.has(kept)

    def secrets(self):
        return {"postgresql_password", f"postgresql_{databases.DATABASE}_password"}

    def change(self):
        return Change(
            variables={"postgresql_config": {"max_connections": 90}},
            diff=("max_connections=90",),
            parts={"pgsql-skp": {"Args"}},
        )
