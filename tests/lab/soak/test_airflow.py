# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Airflow: each executor of the lab runs the examples, with what it takes; `make test` runs them with one."""
from __future__ import annotations

import datetime
import re
import statistics

import airflows
import lablib
import pytest

DAGS = ("example_plain", "example_images", "example_swarm", "example_kafka", "example_spark")


@pytest.fixture(scope="module", autouse=True)
def labels_decide_again():
    """Afterwards the lab runs the executor of its labels."""
    yield
    lablib.on(lablib.manager(), "rm", "-f", "/srv/skp/airflow/dags/lab_cost.py")
    lablib.play("site.yml", "--tags", "airflow")
    assert lablib.play("site.yml", "--tags", "airflow").changed == set()


WHERE = """
from airflow.sdk import dag, task
@dag(schedule=None, catchup=False)
def lab_where():
    @task
    def where(number):
        import time
        time.sleep(20)
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


def test_it_moves():
    """The label on another node, and back: runs of before are there, and new ones succeed."""
    kept = airflows.run("example_plain")[0]
    for nodes in (["c02"], lablib.labelled("airflow")):
        with lablib.edited_hosts(lablib.with_labels({"airflow": nodes})):
            lablib.play("site.yml", "--tags", "swarm,nodes,images,airflow")
            lablib.wait("Airflow is healthy", airflows.healthy, 240, every=1)
            assert lablib.task_container("airflow-skp-scheduler")[0] == nodes[0] and airflows.state("example_plain", kept) == "success"
            airflows.run("example_plain")


def test_twenty_tasks_of_the_swarm(figures):
    airflows.spreads(20, figures)


# One DAG per operator; the program of each task prints the time as its first act.
COST = """
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk import dag, task
from skp_airflow.swarm import SwarmTask, image
NOW = "import time; print('began at', time.time(), flush=True)"
@dag(schedule=None, catchup=False)
def lab_cost_python():
    @task
    def cost():
        exec(NOW)
    cost()
lab_cost_python()
@dag(schedule=None, catchup=False)
def lab_cost_docker():
    DockerOperator(task_id="cost", image=image("docker-example-two"), command=["python3", "-c", NOW], mount_tmp_dir=False, auto_remove="force")
lab_cost_docker()
@dag(schedule=None, catchup=False)
def lab_cost_swarm():
    SwarmTask(task_id="cost", image=image("docker-example-two"), command=["python3", "-c", NOW], memory="64m")
lab_cost_swarm()
"""
OPERATORS = ("python", "docker", "swarm")
COSTS = {}
"""{(executor, operator): median of the seconds from the trigger to the first line of the task's program}."""


def seconds_to_the_first_line(operator, rounds=5):
    """Median over some runs, after one to warm up. All clocks are this machine's."""
    took = []
    for _round in range(rounds + 1):
        run = airflows.run(f"lab_cost_{operator}")[0]
        queued = datetime.datetime.fromisoformat(airflows.call("GET", f"/dags/lab_cost_{operator}/dagRuns/{run}")["queued_at"])
        began = re.search(r"began at ([\d.]+)", airflows.log(f"lab_cost_{operator}", run, "cost"))
        took.append(float(began.group(1)) - queued.timestamp())
    return round(statistics.median(took[1:]), 2)


@pytest.mark.parametrize("executor", ["LocalExecutor", "SequentialExecutor", "CeleryExecutor"])
def test_each_executor_runs_the_examples(executor, figures):
    """On one database, one after the other: the examples, and what each kind of task costs, as ratios to a plain task of LocalExecutor."""
    lablib.on(lablib.manager(), "sh", "-c", "cat >/srv/skp/airflow/dags/lab_cost.py", stdin=COST)
    lablib.play("site.yml", "--tags", "airflow", "-e", f"airflow_executor={executor}")
    lablib.wait("Airflow is healthy", airflows.healthy, 240, every=1)
    figures[f"airflow: {executor}, seconds by DAG"] = {dag: round(airflows.run(dag, 600)[1]) for dag in DAGS}
    text = lablib.on(lablib.labelled("airflow")[0], "bash", "-c", "docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' | grep airflow-skp")
    figures[f"airflow: {executor}, memory"] = {line.split(".")[0]: line.split()[1] for line in text.splitlines()}
    COSTS.update({(executor, operator): seconds_to_the_first_line(operator) for operator in OPERATORS})
    base = COSTS["LocalExecutor", "python"]
    figures[f"airflow: {executor}, seconds from the trigger to the program's first line, ratio to LocalExecutor's plain task"] = {
        operator: (COSTS[executor, operator], round(COSTS[executor, operator] / base, 2)) for operator in OPERATORS}
