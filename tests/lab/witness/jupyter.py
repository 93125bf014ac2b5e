# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of Jupyter: a file written and read through JupyterLab by somebody who logs in with the password."""
from __future__ import annotations

import contextlib
import uuid

import lablib
import notebooks
import requests
import sweeps

from witness.base import Change, Witness

SERVERS = ("jupyter-skp", "jupyter-skp-gateway")


class Jupyter(Witness):
    """JupyterLab and the kernel gateway on the node of the label."""

    name = "jupyter"
    data = ("/srv/skp/jupyter",)

    def services(self):
        return set(SERVERS)

    def healthy(self):
        try:
            return all(notebooks.running(service) for service in SERVERS) and notebooks.login().get(notebooks.lab_url() + "/api/contents", timeout=30).ok
        except requests.RequestException as exc:
            raise lablib.Failed(f"JupyterLab: {exc}") from exc

    def keep(self):
        name = f"kept-{uuid.uuid4().hex[:8]}.txt"
        notebooks.save(name, f"what {name} holds")
        return name

    def check(self, kept):
        return notebooks.load(kept) == f"what {kept} holds"

    def ports(self):
        return {8010: set(self.nodes()), 8020: set(self.nodes())}

    def secrets(self):
        return {"jupyter_password", "jupyter_password_salt", "jupyter_health_token", "jupyter_cookie_secret", "jupyter_gateway_token"}

    def derived(self):
        hashed = notebooks.execute("jupyter-skp", "cat", "/run/secrets/jupyter_password_hash").strip()
        return {"the password's hash": hashed.rsplit(":", 1)[1], "the health check's token": notebooks.health_token()}

    @contextlib.contextmanager
    def use(self):
        token, health = notebooks.secret("jupyter_gateway_token"), notebooks.health_token()
        for url, word in ((notebooks.gateway_url() + "/api/kernelspecs", token), (notebooks.lab_url() + "/api/status", health)):
            requests.get(url, params={"token": word}, timeout=30).raise_for_status()
        with notebooks.kernel("python3", token) as kernel:
            assert kernel.run("print(6 * 7)").strip() == "42"
            yield

    def traces(self):
        return {"arguments": "ipykernel", "environment": "SPARK_CONF_DIR=", "logs": "token=[secret]"}

    def changed(self):
        return all(sweeps.answers(node, 8010) and not sweeps.answers(node, 8020) for node in self.nodes())

    def change(self):
        parts = {"config /etc/spark/spark-defaults.conf"}
        return Change(
            variables={"jupyter_cull_idle_seconds": 7200, "jupyter_gateway_publish": "none"},
            labels={"jupyter": ["c02"]},
            diff=("cull_idle_timeout = 7200",),
            parts={"jupyter-skp": parts | {"config /etc/jupyter/jupyter_server_config.py"}, "jupyter-skp-gateway": parts | {"EndpointSpec"}},
            places={service: ["c02"] for service in SERVERS},
        )
