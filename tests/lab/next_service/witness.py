# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of echo: what a plain socket reads on every node of its label."""
from __future__ import annotations

import socket

import lablib

from witness.base import Change, Witness


class Echo(Witness):
    """Answers every connection with its text."""

    name = "echo"

    def services(self):
        return {"echo-skp"}

    def healthy(self):
        return None not in self.texts()

    def keep(self):
        return len(self.texts())

    def check(self, kept):
        return kept == len(self.nodes()) and set(self.texts()) <= {"hello", "changed"}

    def texts(self):
        """What each node of the label answers, None where nothing does."""
        return [self.read(lablib.address(node)) for node in self.nodes()]

    def read(self, address):
        """The line that port 8099 of an address answers with, None when nothing does."""
        try:
            with socket.create_connection((address, 8099), timeout=3) as link:
                return link.makefile().readline().strip() or None
        except OSError:
            return None

    def ports(self):
        return {8099: set(self.nodes())}

    def change(self):
        return Change(
            variables={"echo_text": "changed"},
            labels={"echo": ["c02"]},
            diff=("changed",),
            parts={"echo-skp": {"config /etc/echo/text"}},
            places={"echo-skp": ["c02"]},
        )

    def changed(self):
        return set(self.texts()) == {"changed"}
