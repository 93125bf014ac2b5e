# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Airflow's workers grow by a label; what cannot work is refused before anything is changed."""
from __future__ import annotations

import airflows
import lablib
import pytest

WHERE = """
from airflow.sdk import dag, task
@dag(schedule=None, catchup=False)
def lab_where():
    @task
    def where(number):
        import time
        time.sleep(5)
    where.expand(number=list(range(6)))
lab_where()
"""


def test_a_third_worker_takes_work():
    """The label on one more node, and the run of two tags: six tasks at once run on all three."""
    lablib.on(lablib.manager(), "sh", "-c", "cat >/srv/skp/airflow/dags/lab_where.py", stdin=WHERE)
    try:
        with lablib.edited_hosts(lablib.with_labels({"airflow-worker": ["c01", "c02", "c03"]})):
            lablib.play("site.yml", "--tags", "swarm,nodes,images,airflow")
            run, _ = airflows.run("lab_where")
            assert len({one["hostname"] for one in airflows.tasks("lab_where", run)}) == 3
    finally:
        lablib.on(lablib.manager(), "rm", "-f", "/srv/skp/airflow/dags/lab_where.py")
        lablib.play("site.yml", "--tags", "swarm,nodes,airflow")


@pytest.mark.parametrize("variables, words", [
    ({"airflow_executor": "KubernetesExecutor"}, "needs a Kubernetes cluster"),
    ({"airflow_executor": "DaskExecutor"}, "expected one of SequentialExecutor"),
    ({"airflow_executor": "LocalExecutor", "airflow_database": "sqlite"}, "SQLite has one writer"),
])
def test_what_cannot_work_is_refused_before_anything_is_changed(variables, words):
    before = lablib.snapshot()
    result = lablib.play("site.yml", "--tags", "airflow", *(word for item in variables.items() for word in ("-e", "%s=%s" % item)), check=False)
    text = " ".join(result.text.split())
    assert result.rc != 0 and words in text and "Nothing was changed." in text
    assert lablib.snapshot() == before
