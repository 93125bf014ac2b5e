# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Spark master that ends costs: with recovery from a directory, and with a standby that takes over through ZooKeeper."""
from __future__ import annotations

import lablib
import pytest
import sparks

N = 200_000
SUM = N * (N - 1) // 2
ZOOKEEPER = ("-e", "spark_recovery_mode=zookeeper")
SECOND = "c02"


def sum_is_right(text):
    """The job's result against the closed formula."""
    keys, word, total = sparks.said(text, "keys")
    assert (int(keys), word, int(total)) == (97, "sum", SUM)


def in_charge(*nodes):
    """The node whose master is in charge, '' when none or several are."""
    leading = []
    for node in nodes:
        try:
            leading += [node] if sparks.state(node)["status"] == "ALIVE" else []
        except lablib.Failed:
            continue
    return leading[0] if len(leading) == 1 else ""


def kill(service):
    """kill -9 of a service's container; swarm starts another one."""
    node, ident = lablib.task_container(service)
    lablib.on(node, "docker", "kill", "-s", "KILL", ident)
    return ident


def test_master_killed_with_a_directory(figures):
    """The one master is killed during a job: the next one knows workers and application again, the sum is right, a second job runs."""
    lablib.wait("the master has all workers", sparks.healthy, 180)
    with sparks.running(sparks.SUMS, N, 12, 4, "master killed", options=sparks.EVERYWHERE) as job:
        app, _ = lablib.wait("the application runs", lambda: sparks.application("master killed"), 90)
        lablib.wait("tasks are done", lambda: any(s["numCompleteTasks"] for s in sparks.driver(app, "stages")), 90)
        kill("spark-skp-master")
        _, seconds = lablib.wait("the next master knows all", lambda: sparks.healthy() and sparks.application("master killed") == app, 180)
        figures["spark: the only master killed, the next has workers and application after seconds"] = seconds
        sum_is_right(job.result())
    assert "pi 3." in sparks.submit(sparks.PI)


@pytest.fixture
def two_masters():
    """Two hosts labelled spark-master and recovery through ZooKeeper; afterwards as before, whatever happened."""
    masters = [sparks.master_node(), SECOND]
    try:
        with lablib.edited_hosts(lablib.with_labels({"spark-master": masters})):
            lablib.play("site.yml", "--tags", "swarm,spark", *ZOOKEEPER)
            yield masters
    finally:
        lablib.play("site.yml", "--tags", "swarm,spark")
        lablib.wait("one master has all workers", sparks.healthy, 180)


# `make test` has the recovery from a directory, which is the default.
@pytest.mark.soak
def test_standby_takes_over(two_masters, figures):
    """The master in charge is killed during a job: the other takes over with all workers and the application, the sum is right, a second job runs."""
    again = lablib.play("site.yml", "--tags", "spark", *ZOOKEEPER)
    assert again.changed == set()
    leader, _ = lablib.wait("one of two masters is in charge", lambda: in_charge(*two_masters), 120)
    other = next(node for node in two_masters if node != leader)
    lablib.wait("it has all workers", lambda: sparks.healthy(node=leader), 120)
    assert sparks.state(other)["status"] == "STANDBY"
    client = sparks.container("spark-skp-worker", sparks.worker_nodes()[-1])
    service = next(name for name in lablib.services() if name.startswith("spark-skp-master-") and lablib.task_container(name)[0] == leader)
    with sparks.running(sparks.SUMS, N, 18, 4, "standby", options=sparks.EVERYWHERE, where=client) as job:
        app, _ = lablib.wait("the application runs", lambda: sparks.application("standby", leader), 90)
        lablib.wait("tasks are done", lambda: any(s["numCompleteTasks"] for s in sparks.driver(app, "stages", leader)), 90)
        kill(service)
        new, charge = lablib.wait("a master is in charge", lambda: in_charge(*two_masters), 180)
        figures["spark: master killed, another in charge after seconds"] = charge
        _, more = lablib.wait("it knows all", lambda: sparks.healthy(node=new) and sparks.application("standby", new) == app, 180)
        figures["spark: with all workers and the application after seconds"] = round(charge + more, 1)
        assert new == other
        sum_is_right(job.result())
    assert "pi 3." in sparks.submit(sparks.PI, where=client)
    lablib.wait("the killed one stands by", lambda: sparks.state(leader)["status"] == "STANDBY", 120)


@pytest.mark.soak
def test_as_before():
    """Back on one master the role's run changes nothing."""
    assert lablib.play("site.yml", "--tags", "swarm,spark").changed == set()
    assert "pi 3." in sparks.submit(sparks.PI)
