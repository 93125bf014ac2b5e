# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of the data volumes: a file written on one node's volume and read on every node that has it.

The lab has no volume unless its inventory sets skp_volumes; then the tests for all services watch over it too. Without one there is nothing to lose.
"""
from __future__ import annotations

import uuid

import lablib

from witness.base import Witness

PARENT = "/mnt/skp"


class Volumes(Witness):
    """No swarm service: units of systemd on the nodes."""

    name = "volumes"

    def nodes(self):
        """All: a run also looks for volumes that are not wanted any more."""
        return sorted(lablib.hosts())

    def present(self):
        """{node: names of its volumes}."""
        found = lablib.look("ls /etc/skp/volumes 2>/dev/null || true", self.nodes())
        return {node: text.split() for node, text in found.items() if text.split()}

    def healthy(self):
        return all(self.answers(node, name) for node, names in self.present().items() for name in names)

    def answers(self, node, name):
        """Whether a volume is mounted and answers in time."""
        text = f"findmnt -n {PARENT}/{name} >/dev/null && timeout -s KILL 10 ls {PARENT}/{name} >/dev/null && echo yes"
        return "yes" in lablib.on(node, "bash", "-c", text, check=False)

    def keep(self):
        word, present = uuid.uuid4().hex, self.present()
        kept = {name: (f"kept-{word[:8]}", word) for names in present.values() for name in names}
        for name, (file, text) in kept.items():
            node = next(node for node, names in present.items() if name in names)
            lablib.on(node, "sh", "-c", f"echo {text} >{PARENT}/{name}/{file}")
        return kept

    def check(self, kept):
        return all(self.reads(node, name, *kept[name]) for node, names in self.present().items() for name in names if name in kept)

    def reads(self, node, name, file, text):
        """Whether a node reads the text in a file of a volume."""
        return lablib.on(node, "timeout", "-s", "KILL", "10", "cat", f"{PARENT}/{name}/{file}", check=False).strip() == text
