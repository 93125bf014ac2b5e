# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of Spark: an application that computed pi, as the history server lists it."""
from __future__ import annotations

import contextlib

import lablib
import sparks

from witness.base import Change, Witness

SETTINGS = "config /etc/spark/spark-defaults.conf"


class Spark(Witness):
    """One master with the history server beside it, a worker on every node of its label."""

    name = "spark"
    data = ("/srv/skp/spark/events",)

    def nodes(self):
        return sorted({*lablib.labelled("spark-master"), *lablib.labelled("spark-worker")})

    def services(self):
        return {"spark-skp-master", "spark-skp-worker", "spark-skp-history"}

    def healthy(self):
        return sparks.healthy()

    def keep(self):
        return sparks.compute_pi()

    def check(self, kept):
        return sparks.finished(kept)

    def ports(self):
        master = set(lablib.labelled("spark-master"))
        return {sparks.UI: master, sparks.HISTORY: master}

    def secrets(self):
        return {"spark_auth_secret"}

    def known(self):
        return {"spark_auth_secret": r"CoarseGrainedExecutorBackend|pyspark[.](daemon|worker)"}

    @contextlib.contextmanager
    def use(self):
        with sparks.running(sparks.SUMS, 200_000, 6, 3, "searched", options=sparks.EVERYWHERE) as job:
            lablib.wait("the application works", lambda: sparks.driver(sparks.application("searched"), "stages"), 90)
            yield
        sparks.said(job.result(), "keys")

    def traces(self):
        return {"arguments": "CoarseGrainedExecutorBackend", "environment": "SPARK_LOCAL_DIRS=", "events": "SparkListenerApplicationStart",
                "work": "CoarseGrainedExecutorBackend", "logs": "Registering worker"}

    def change(self):
        moves = {SETTINGS, "placement"}
        return Change(
            variables={"spark_idle_timeout": "90s"},
            labels={"spark-master": ["c02"], "spark-worker": ["c01", "c02"]},
            diff=("spark.dynamicAllocation.executorIdleTimeout 90s",),
            parts={"spark-skp-master": moves | {"env SPARK_PUBLIC_DNS"}, "spark-skp-history": moves, "spark-skp-worker": {SETTINGS}},
            places={"spark-skp-master": ["c02"], "spark-skp-history": ["c02"], "spark-skp-worker": ["c01", "c02"]},
        )
