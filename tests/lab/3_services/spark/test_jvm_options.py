# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of spark_daemon_java_opts reach Spark's daemons: asked of the processes, against what the inventory says."""
from __future__ import annotations

import json

import lablib
import sparks

DAEMONS = ("deploy.master.Master", "deploy.worker.Worker", "deploy.history.HistoryServer")


def test_daemons_have_the_options_of_the_inventory():
    """All of them on the master's node, which carries each daemon; in the product's default there are none."""
    node = sparks.master_node()
    said = json.loads(lablib.run(lablib.BIN / "ansible-inventory", "--host", node).stdout)
    options = said.get("spark_daemon_java_opts", "").split()
    rows = [line.split() for line in lablib.on(node, "ps", "-ewwo", "args").splitlines()]
    for daemon in DAEMONS:
        [row] = [row for row in rows if "org.apache.spark." + daemon in row and "/java" in row[0]]
        flags = [word for word in row if word.startswith("-XX:+Use") or word.startswith("-XX:TieredStopAtLevel")]
        assert flags == options, row
