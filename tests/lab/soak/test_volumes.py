# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node boots while a backend of its volumes hangs."""
from __future__ import annotations

import datastores
import lablib
import witness


def test_a_node_boots_while_a_backend_is_away(figures):
    """Power cut and back: engine and swarm do not wait for the third volume, the others are in use, and the third comes when its backend does."""
    node = next(name for name in datastores.nodes() if name != "c01")
    with datastores.servers() as volumes:
        datastores.play(volumes)
        try:
            lablib.on(datastores.SERVER, "pkill", "-STOP", "versitygw")
            lablib.kill(node)
            lablib.start(node)
            ready = f"docker node ls --format '{{{{.Hostname}}}} {{{{.Status}}}}' | grep -qx '{node} Ready'"
            _, took = lablib.wait("the node is in the swarm", lambda: "yes" in lablib.ask_manager(f"{ready} && echo yes || true")[1], 60)
            figures["volumes: seconds until a node is in the swarm again, a backend away"] = round(took, 1)
            for name in set(datastores.NAMES) - {"s3"}:
                lablib.wait(f"{name} is mounted", lambda name=name: datastores.mounted(node, name), 60)
            assert not datastores.mounted(node, "s3")
            lablib.on(datastores.SERVER, "pkill", "-CONT", "versitygw")
            _, took = lablib.wait("the third is mounted", lambda: datastores.mounted(node, "s3"), 60)
            figures["volumes: seconds until the third is mounted, its backend back"] = round(took, 1)
        finally:
            lablib.on(datastores.SERVER, "pkill", "-CONT", "versitygw", check=False)
            datastores.play([], "-e", "volumes_force=true")
    witness.healthy()
