# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of Airflow: a DAG run that ended in success and an encrypted variable, as the API tells them to somebody who logs in as admin."""
from __future__ import annotations

import base64
import contextlib
import uuid

import airflows
import lablib

from witness.base import Change, Witness

PLAIN = "example_plain"


class Airflow(Witness):
    """The components on the node of the label, workers on those of airflow-worker, a proxy on each manager."""

    name = "airflow"
    data = ("/srv/skp/airflow/dags",)

    def nodes(self):
        return sorted({*lablib.labelled("airflow"), *lablib.labelled("airflow-worker")})

    def alone(self):
        return lablib.labelled("mysql")

    def services(self):
        return {f"airflow-skp{part}" for part in (*airflows.COMPONENTS, "-worker", "-docker", "-swarm")}

    def healthy(self):
        return airflows.healthy()

    def keep(self):
        """A run, and a variable, which is in the database as Fernet's text: only components with the same key can read it."""
        run, word = airflows.run(PLAIN)[0], uuid.uuid4().hex
        airflows.call("POST", "/variables", json={"key": f"kept-{run}", "value": word})
        return run, word

    def check(self, kept):
        run, word = kept
        return airflows.state(PLAIN, run) == "success" and airflows.call("GET", f"/variables/kept-{run}")["value"] == word

    def ports(self):
        return {airflows.PORT: set(lablib.labelled("airflow"))}

    def secrets(self):
        return {f"airflow_{name}" for name in ("admin_password", "jwt_secret", "api_secret", "fernet_key", "docker_token")} | {"mysql_airflow_password"}

    def derived(self):
        secret = lablib.on(lablib.manager(), "cat", "/etc/skp/secrets/airflow_fernet_key").strip()
        return {"the Fernet key": base64.urlsafe_b64encode(bytes.fromhex(secret)).decode()}

    @contextlib.contextmanager
    def use(self):
        run = airflows.trigger("example_swarm", tasks=4)
        yield
        airflows.finish("example_swarm", run)

    def traces(self):
        return {"arguments": "skp-airflow", "environment": "AIRFLOW__CORE__EXECUTOR=", "logs": "skp-airflow: "}

    def change(self):
        """A setting, and what the move of Spark's master brings. Airflow's own labels move in tests/lab/soak: all of it starts anew for minutes then."""
        return Change(
            variables={"airflow_keep_days": 30},
            diff=("SKP_AIRFLOW_KEEP_DAYS=30",),
            parts={"airflow-skp-metadata": {"env SKP_AIRFLOW_KEEP_DAYS"}, "airflow-skp-worker": {"config /etc/spark/spark-defaults.conf"}},
        )
