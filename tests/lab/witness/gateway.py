# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of the gateway: whoever signs in there sees what the account may see. It keeps no data of its own."""
from __future__ import annotations

import contextlib

import accounts
import gateways
import lablib

from witness.base import Change, Witness


class Gateway(Witness):
    """nginx on the node of the label nginx, before the web pages of the others."""

    name = "gateway"

    def nodes(self):
        return lablib.labelled("nginx")

    def services(self):
        return {"gateway-skp"}

    def healthy(self):
        return gateways.healthy()

    def keep(self):
        return accounts.new()

    def check(self, kept):
        client, _tokens = gateways.sign_in(*kept)
        return gateways.ask(client, "GET", gateways.PATHS["jupyter"]).status_code == 200

    def ports(self):
        return {gateways.PORT: set(self.nodes()), gateways.PORTAINER_PORT: set(self.nodes())}

    def secrets(self):
        return {"gateway_ca_seed", "gateway_jupyter_token", "gateway_airflow_token", "gateway_portainer_password"}

    @contextlib.contextmanager
    def use(self):
        client, _tokens = gateways.sign_in()
        assert gateways.ask(client, "GET", gateways.PATHS["jupyter"]).status_code == 200
        yield

    def traces(self):
        return {"arguments": "nginx: master process", "environment": "SKP_GATEWAY_NAMES=", "logs": '"GET /jupyter-skp/api/status" 200'}

    def change(self):
        return Change(
            variables={"gateway_upload_max": "2g"},
            labels={"nginx": ["c03"]},
            diff=("client_max_body_size 2g;",),
            parts={"gateway-skp": {"config /etc/skp/nginx.conf", "env SKP_GATEWAY_NAMES"}},
            places={"gateway-skp": ["c03"]},
        )

    def changed(self):
        return "client_max_body_size 2g;" in lablib.execute("gateway-skp", "cat", "/etc/skp/nginx.conf")
