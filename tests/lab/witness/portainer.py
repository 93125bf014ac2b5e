# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of Portainer: an account made through its API. In the lab a stand-in answers as its documents say."""
from __future__ import annotations

import contextlib
import uuid

import lablib
import portainers

from witness.base import Change, Witness

# Portainer and its agents take the secret they share from their environment only: docs/portainer.md.
PROGRAMS = r"(?m)^(/portainer|/app/agent)$"


class Portainer(Witness):
    """The server on the node of the label, an agent on each node of the label portainer-agent."""

    name = "portainer"
    data = ("/var/lib/skp/portainer/standin.json",)
    single = True

    def services(self):
        return {"portainer-skp", "portainer-skp-agent"}

    def healthy(self):
        return portainers.nodes() == portainers.hostnames()

    def keep(self):
        name = f"kept{uuid.uuid4().hex[:8]}"
        portainers.call("POST", "/users", json={"username": name, "password": uuid.uuid4().hex, "role": 2})
        return name

    def check(self, kept):
        return kept in [user["Username"] for user in portainers.call("GET", "/users")]

    def ports(self):
        return {portainers.PORT: set(self.nodes())}

    def secrets(self):
        return {"portainer_admin_password", "portainer_helper_password", "portainer_agent_secret"}

    def known(self):
        return {"portainer_agent_secret": PROGRAMS}

    @contextlib.contextmanager
    def use(self):
        assert portainers.nodes() and portainers.login(word="wrong").status_code == 422
        yield

    def traces(self):
        return {"arguments": "--admin-password-file", "environment": "AGENT_CLUSTER_ADDR=", "logs": "portainer stand-in: "}

    def change(self):
        agents = [node for node in lablib.labelled("portainer-agent") if node != "c03"]
        return Change(
            variables={"portainer_snapshot_interval": "10m"},
            labels={"portainer-agent": agents},
            parts={"portainer-skp": {"Args"}},
            places={"portainer-skp-agent": agents},
        )
