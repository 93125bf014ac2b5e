# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Airflow: each executor of the lab runs the examples, with what it takes; `make test` runs them with one."""
from __future__ import annotations

import airflows
import lablib
import pytest

DAGS = ("example_plain", "example_images", "example_swarm", "example_kafka", "example_spark")


@pytest.fixture(scope="module", autouse=True)
def labels_decide_again():
    """Afterwards the lab runs the executor of its labels."""
    yield
    lablib.play("site.yml", "--tags", "airflow")
    assert lablib.play("site.yml", "--tags", "airflow").changed == set()


def test_twenty_tasks_of_the_swarm(figures):
    airflows.spreads(20, figures)


@pytest.mark.parametrize("executor", ["SequentialExecutor", "LocalExecutor", "CeleryExecutor"])
def test_each_executor_runs_the_examples(executor, figures):
    """On one database, one after the other."""
    lablib.play("site.yml", "--tags", "airflow", "-e", f"airflow_executor={executor}")
    lablib.wait("Airflow is healthy", airflows.healthy, 240, every=1)
    figures[f"airflow: {executor}, seconds by DAG"] = {dag: round(airflows.run(dag, 600)[1]) for dag in DAGS}
    text = lablib.on(lablib.labelled("airflow")[0], "bash", "-c", "docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' | grep airflow-skp")
    figures[f"airflow: {executor}, memory"] = {line.split(".")[0]: line.split()[1] for line in text.splitlines()}
