# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a witness is: all that the tests for all services need to know of one service."""
from __future__ import annotations

import contextlib
import dataclasses

import lablib


@dataclasses.dataclass(frozen=True)
class Change:
    """What state B of the cluster asks of one service, and what must come of it. Of everything that is not named here nothing may change."""

    variables: dict = dataclasses.field(default_factory=dict)
    """Variables of the role, with values other than the lab's."""
    labels: dict = dataclasses.field(default_factory=dict)
    """{label: nodes that carry it in state B}."""
    diff: tuple = ()
    """Texts that the dry run must show."""
    parts: dict = dataclasses.field(default_factory=dict)
    """{service: parts of its definition that change, named as `definitions.parts` names them}. REMOVED for a service that goes."""
    places: dict = dataclasses.field(default_factory=dict)
    """{service: nodes its tasks run on in state B}."""


REMOVED = frozenset({"removed"})


class Witness:
    """One service as its users see it. A new service gets a subclass, and with it every test for all services.

    It writes data through a client that is not part of this project, and says later whether the data is there. It does not run playbooks.
    What it says follows hosts.json as it is at that moment, so that it is right in every state of the cluster.
    """

    name = ""
    """The role, its tag and its label in hosts.json."""
    data = ()
    """Paths on a node of the label that hold the service's data; they stay when the service is taken down."""

    single = False
    """Whether the data is on the node of the label only: who wipes that node has wiped the data."""

    def nodes(self):
        """Nodes that carry the service's label."""
        return lablib.labelled(self.name)

    def alone(self):
        """Nodes each of which has data that is nowhere else: who wipes it has wiped the data."""
        return self.nodes() if self.single else []

    def services(self):
        """Names of its swarm services; empty for a service that runs as plain containers."""
        return set()

    def healthy(self):
        """True when all of it runs and answers as it should. It may raise Failed instead."""
        raise NotImplementedError

    def keep(self):
        """Write data. Returns what `check` needs to find it again."""
        raise NotImplementedError

    def check(self, kept):
        """True when the data of a `keep` is there, all of it and unchanged. It may raise Failed instead."""
        raise NotImplementedError

    def ports(self):
        """{port: nodes} on whose address the port is open, and must be. Every other port must be closed."""
        return {}

    def secrets(self):
        """Names of the secrets the managers keep for it."""
        return set()

    def derived(self):
        """{name: text} of secrets that are made from others and must not be seen either."""
        return {}

    def known(self):
        """{name of a secret: pattern of the processes that have it in their environment}, as the service's document says and cannot change."""
        return {}

    def use(self):
        """Context: the service works and handles its secrets, so that a trace of them could be found meanwhile."""
        return contextlib.nullcontext()

    def traces(self):
        """{place: text} that the search for secrets must find while `use` lasts. It proves that the search reads these places."""
        return {}

    def change(self):
        """What state B asks of it."""
        return Change()

    def changed(self):
        """True when users see the effect of the change: asked in state B only. True also where users see none."""
        return True

    def disturb(self):
        """Do by hand, before state B is asked for, what a run must repair. Returns the nodes on which it must."""
        return set()
