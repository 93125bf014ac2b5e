# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spark: jobs over several workers, third parties refused, pages that lead everywhere and end nothing.

One session computes for all tests while two drivers that must be refused take their minute to give up.
"""
from __future__ import annotations

import concurrent.futures
import os

import lablib
import pytest
import sparks

N = 200_000
SUM = N * (N - 1) // 2
ROWS = int(os.environ.get("SKP_LAB_ROWS", "1000000"))
"""Rows that are shuffled. `make soak` sets four times as many."""

CONF = "$SPARK_CONF_DIR/spark-defaults.conf"
REFUSED = {
    "without a secret": f"grep -vE 'spark[.](authenticate|network[.]crypto)' {CONF}",
    "with another secret": f"sed 's/^spark.authenticate.secret .*/spark.authenticate.secret {'0' * 64}/' {CONF}",
}
REFUSALS = ("Unknown challenge message", "AEADBadTagException", "Authentication failed", "Exception while bootstrapping client")


@pytest.fixture(scope="module")
def jobs():
    """What runs in the background from the beginning: {"session": future of its output, and of each driver that must be refused}."""
    lablib.wait("the master has all workers", sparks.healthy, 180)
    where = sparks.container(sparks.CLIENT)

    def refused(command):
        before = f"umask 077; dir=$(mktemp -d); {command} >$dir/spark-defaults.conf; export SPARK_CONF_DIR=$dir;"
        return sparks.submit(sparks.PI.replace("SparkPi", "refused"), where=where, check=False, before=before)

    with concurrent.futures.ThreadPoolExecutor(1 + len(REFUSED)) as pool:
        session = pool.submit(sparks.submit, sparks.SESSION, N, ROWS, 2, options=sparks.EVERYWHERE, where=where)
        yield {"session": session, **{what: pool.submit(refused, command) for what, command in REFUSED.items()}}


@pytest.fixture(scope="module")
def output(jobs):
    """What the session printed; its application is listed as finished."""
    text = jobs["session"].result()
    lablib.wait("history lists the application", lambda: sparks.finished(sparks.said(text, "application")[0]), 60)
    return text


def test_pages_lead_everywhere_and_end_nothing(jobs):
    """While the session runs: the master's page leads to every worker's and to the driver's; a request to kill it changes nothing."""
    app, _ = lablib.wait("the application runs", lambda: sparks.application("session"), 90)
    lablib.wait("its driver answers", lambda: sparks.driver(app, "executors"), 60)
    assert "Spark Jobs" in sparks.get(sparks.master_node(), sparks.UI, f"proxy/{app}/jobs/").text
    for worker in sparks.alive():
        assert worker["host"] in sparks.get(sparks.master_node(), sparks.UI, f"proxy/{worker['id']}/").text
    environment = sparks.driver(app, "environment")
    assert ["spark.authenticate.secret", "*********(redacted)"] in environment["sparkProperties"]
    lablib.wait("a job runs", lambda: [job for job in sparks.driver(app, "jobs") if job["status"] == "RUNNING"], 60)
    for path in (f"app/kill/?id={app}&terminate=true", f"proxy/{app}/jobs/job/kill/?id=0", f"proxy/{app}/jobs/job/kill/?id=1", "workers/kill/?host=localhost"):
        lablib.run("curl", "-s", "-o", "/dev/null", "-X", "POST", f"http://{lablib.address(sparks.master_node())}:{sparks.UI}/{path}")
    assert sparks.application("session") == app and sparks.healthy()


def test_ports_on_the_overlay():
    """REST submission is closed, even on the overlay; the port of drivers is open. The sweep of all ports tests both from outside."""
    client = sparks.container(sparks.CLIENT)

    def answers(host, port):
        return sparks.shell(client, f"timeout 5 bash -c '</dev/tcp/{host}/{port}' 2>/dev/null && echo open || echo closed").strip() == "open"

    assert answers("spark-skp-master", 7077)
    assert not answers("spark-skp-master", 6066)


def test_every_number_is_counted_once(output):
    """The sums of the session against the closed formula, although a client requested to kill its jobs."""
    keys, word, total = sparks.said(output, "keys")
    assert (int(keys), word, int(total)) == (97, "sum", SUM)


def test_pi_on_several_workers(output, figures):
    """Pi with the cluster's defaults, without a setting for the master: the number is right, at least two workers took part."""
    assert abs(float(sparks.said(output, "pi")[0]) - 3.1416) < 0.05
    workers = {worker["host"] for worker in sparks.alive()}
    assert len(workers) == len(sparks.worker_nodes())
    tasks = sparks.worked(sparks.said(output, "application")[0])
    assert set(tasks) <= workers and len(tasks) >= 2
    figures["spark: tasks per worker"] = sorted(tasks.values())


def test_shuffle_over_all_workers(output, figures):
    """Text that does not compress goes from every worker to every worker, encrypted: rows, sum and letters are what the formulas say."""
    words = sparks.said(output, "rows")
    assert [int(words[i]) for i in (0, 2, 4)] == [ROWS, ROWS * (ROWS - 1) // 2, 64 * ROWS]
    assert words[6] == "true"
    executors = [e for e in sparks.history(sparks.said(output, "application")[0], "/allexecutors") if e["id"] != "driver"]
    assert len({e["hostPort"].rsplit(":", 1)[0] for e in executors if e["totalShuffleRead"] > 0}) == len(sparks.worker_nodes())
    moved = sum(e["totalShuffleRead"] for e in executors) // 2
    assert moved > 64 * ROWS // 2
    figures[f"spark: shuffle of {moved // 10**6} MB over {len(sparks.worker_nodes())} workers, twice, seconds each"] = " ".join(words[8:])


@pytest.mark.parametrize("what", REFUSED)
def test_third_parties_are_refused(what, jobs, output, figures):
    """A driver that knows no secret and one with another: neither becomes an application, and both are told so. The session had the right one."""
    text = jobs[what].result()
    assert "pi 3." not in text and "application app-" not in text
    words = next((word for word in REFUSALS if word in text), None)
    assert words, text[-4000:]
    figures[f"spark: a driver {what} is told"] = words
    names = {app["name"] for kind in ("activeapps", "completedapps") for app in sparks.state()[kind]}
    assert "refused" not in names and "session" in names
