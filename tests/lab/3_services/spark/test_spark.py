# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spark: jobs over several workers, strangers refused, a worker's node without power while a job runs, and what a run of the role changes."""
from __future__ import annotations

import concurrent.futures
import json

import lablib
import pytest
import sparks

N = 200_000
SUM = N * (N - 1) // 2
EVERYWHERE = ("--conf", "spark.dynamicAllocation.minExecutors=3", "--conf", "spark.scheduler.minRegisteredResourcesRatio=1.0")
"""One executor for each worker, and no task before all are there."""


@pytest.fixture(autouse=True)
def whole():
    """Every test begins with a master in charge and all its workers."""
    lablib.wait("the master has all workers", sparks.whole, 180)


def sum_is_right(text):
    """The job's result against the closed formula: every number counted once, every key seen."""
    keys, word, total = sparks.said(text, "keys")
    assert (int(keys), word, int(total)) == (97, "sum", SUM)


def test_pi_on_several_workers(figures):
    """SparkPi with the cluster's defaults and nothing said about the master: the number is right, two workers at least have worked."""
    app = sparks.compute_pi()
    workers = {worker["host"] for worker in sparks.alive()}
    assert len(workers) == len(sparks.worker_nodes())
    hosts = sparks.worked(app)
    assert set(hosts) <= workers and len(hosts) >= 2
    figures["spark: SparkPi, tasks per worker"] = sorted(hosts.values())


def test_shuffle_over_all_workers(figures):
    """Text that does not compress goes from every worker to every worker, encrypted: rows, sum and letters are what the formulas say."""
    n = 4_000_000
    text = sparks.submit(sparks.SHUFFLE, n, options=EVERYWHERE)
    words = sparks.said(text, "rows")
    assert [int(words[i]) for i in (0, 2, 4)] == [n, n * (n - 1) // 2, 64 * n]
    assert words[6] == "true"
    app = sparks.said(text, "application")[0]
    lablib.wait("history lists the application", lambda: sparks.finished(app), 60)
    executors = [e for e in sparks.history(app, "/allexecutors") if e["id"] != "driver"]
    assert len({e["hostPort"].rsplit(":", 1)[0] for e in executors if e["totalShuffleRead"] > 0}) == len(sparks.worker_nodes())
    moved = sum(e["totalShuffleRead"] for e in executors) // 3
    assert moved > 64 * n // 2
    figures[f"spark: shuffle of {moved // 10**6} MB over {len(sparks.worker_nodes())} workers, three times, seconds each"] = " ".join(words[8:])


def test_strangers_are_refused(figures):
    """A driver that knows no secret and one with another: neither becomes an application, and both are told so. The right secret does."""
    known = {app["id"] for kind in ("activeapps", "completedapps") for app in sparks.state()[kind]}
    where = sparks.container(sparks.CLIENT)
    conf = "$SPARK_CONF_DIR/spark-defaults.conf"
    made = {
        "without a secret": f"grep -vE 'spark[.](authenticate|network[.]crypto)' {conf}",
        "with another secret": f"sed 's/^spark.authenticate.secret .*/spark.authenticate.secret {'0' * 64}/' {conf}",
    }

    def told(command):
        before = f"umask 077; dir=$(mktemp -d); {command} >$dir/spark-defaults.conf; export SPARK_CONF_DIR=$dir;"
        return sparks.submit(sparks.PI, where=where, check=False, before=before)

    # Each takes a minute to give up, so both at once.
    with concurrent.futures.ThreadPoolExecutor(len(made)) as pool:
        texts = dict(zip(made, pool.map(told, made.values())))
    for what, text in texts.items():
        assert "pi 3." not in text and "application app-" not in text
        words = next((word for word in REFUSALS if word in text), None)
        assert words, text[-4000:]
        figures[f"spark: a driver {what} is told"] = words
    assert {app["id"] for kind in ("activeapps", "completedapps") for app in sparks.state()[kind]} == known
    assert "pi 3." in sparks.submit(sparks.PI, where=where)


REFUSALS = ("Unknown challenge message", "AEADBadTagException", "Authentication failed", "Exception while bootstrapping client")


def test_closed_ports():
    """REST submission answers nobody, not even on the overlay; the port of drivers and the workers' pages are on the overlay only."""
    client = sparks.container(sparks.CLIENT)

    def open_inside(host, port):
        return sparks.shell(client, f"timeout 5 bash -c '</dev/tcp/{host}/{port}' 2>/dev/null && echo open || echo closed").strip() == "open"

    assert open_inside("spark-skp-master", 7077)
    assert not open_inside("spark-skp-master", 6066)
    for node in sparks.worker_nodes():
        for port in (7077, 6066, 8081, 4040):
            knock = lablib.run("timeout", "3", "bash", "-c", f"</dev/tcp/{lablib.address(node)}/{port}", check=False)
            assert knock.returncode != 0, f"{node}:{port} is open"


def test_pages_lead_everywhere_and_end_nothing():
    """While a job runs: the master's page leads to every worker's and to the driver's; a request to kill it changes nothing."""
    with sparks.running(sparks.SUMS, N, 6, 4, "pages", options=EVERYWHERE) as job:
        app, _ = lablib.wait("the application runs", lambda: sparks.application("pages"), 90)
        lablib.wait("its driver answers", lambda: sparks.driver(app, "executors"), 60)
        assert "Spark Jobs" in sparks.get(sparks.master_node(), sparks.UI, f"proxy/{app}/jobs/").text
        for worker in sparks.alive():
            assert worker["host"] in sparks.get(sparks.master_node(), sparks.UI, f"proxy/{worker['id']}/").text
        environment = sparks.driver(app, "environment")
        assert ["spark.authenticate.secret", "*********(redacted)"] in environment["sparkProperties"]
        for path in (f"app/kill/?id={app}&terminate=true", f"proxy/{app}/jobs/job/kill/?id=0", "workers/kill/?host=localhost"):
            lablib.run("curl", "-s", "-o", "/dev/null", "-X", "POST", f"http://{lablib.address(sparks.master_node())}:{sparks.UI}/{path}")
        sum_is_right(job.result())
    assert sparks.whole()


def test_no_secret_in_the_open():
    """The secret is in no definition of a service or container, no process's arguments, no log and no event log; what is looked for is found where it is."""
    word = sparks.secret()
    assert len(word) >= 32
    assert word in sparks.shell(sparks.container(sparks.CLIENT), "cat $SPARK_CONF_DIR/spark-defaults.conf")
    names = [name for name in lablib.services() if name.startswith("spark-skp")]
    assert len(names) >= 3
    assert word not in lablib.on(lablib.manager(), "docker", "service", "inspect", *names)
    for name in names:
        assert word not in lablib.on(lablib.manager(), "docker", "service", "logs", name)
    with sparks.running(sparks.SUMS, N, 6, 3, "arguments", options=EVERYWHERE) as job:
        app, _ = lablib.wait("the application runs", lambda: sparks.application("arguments"), 90)
        for node in sorted(lablib.hosts()):
            listing = lablib.on(node, "ps", "-ewwo", "args")
            assert "org.apache.spark.deploy.worker.Worker" in listing and word not in listing
            ids = lablib.on(node, "docker", "ps", "-q").split()
            assert word not in lablib.on(node, "docker", "inspect", *ids)
        text = job.result()
    sum_is_right(text)
    assert word not in text
    lablib.wait("history lists the application", lambda: sparks.finished(app), 60)
    look = f"grep -rlF -e {word} /var/lib/skp/spark /srv/skp/spark"
    for node in sparks.worker_nodes():
        assert lablib.on(node, "sh", "-c", look, check=False).strip() == ""
        assert "CoarseGrainedExecutorBackend" in lablib.on(node, "sh", "-c", "cat /var/lib/skp/spark/work/*/*/stderr")
    events = f"glob.glob('/srv/skp/spark/events/*{app}/events_*')"
    told = sparks.shell(sparks.container(sparks.CLIENT), f"""python3 -c "import glob, pyarrow
for name in {events}: print(pyarrow.input_stream(name, compression='zstd').read().decode())" """)
    assert "SparkListenerApplicationEnd" in told and word not in told


def test_worker_node_loses_power(figures):
    """The node of a worker is killed while its shuffled data is being read: the sum is right; back on, the worker is there again by itself."""
    victim = sparks.worker_nodes()[-1]
    assert victim != sparks.master_node()
    lost = sparks.worker_address(victim)

    def reading():
        stages = sparks.driver(app, "stages")
        return len(stages) == 2 and any(s["status"] == "ACTIVE" and s["shuffleReadBytes"] > 0 for s in stages)

    try:
        with sparks.running(sparks.SUMS, N, 12, 4, "killed", options=EVERYWHERE) as job:
            app, _ = lablib.wait("the application runs", lambda: sparks.application("killed"), 90)
            lablib.wait("shuffled data is being read", reading, 120)
            assert lost in {e["hostPort"].split(":")[0] for e in sparks.driver(app, "executors")}
            lablib.kill(victim)
            _, seconds = lablib.wait("the master gives the worker up", lambda: lost not in {worker["host"] for worker in sparks.alive()}, 120)
            figures["spark: a node without power, the master gives its worker up after seconds"] = seconds
            sum_is_right(job.result())
        lablib.wait("history lists the application", lambda: sparks.finished(app), 60)
        took = sparks.history(app)["attempts"][0]["duration"] / 1000
        figures["spark: the job with a worker killed in its second stage, seconds in all (about 36 without)"] = round(took, 1)
        assert any(not e["isActive"] and e["hostPort"].split(":")[0] == lost for e in sparks.history(app, "/allexecutors"))
    finally:
        lablib.start(victim)
    _, seconds = lablib.wait("the worker is back", sparks.whole, 240)
    figures["spark: power back, the worker is there again after seconds"] = seconds


def test_run_changes_only_what_differs():
    """A second run changes nothing and makes few calls; a dry run of another value says so and changes nothing; two masters without ZooKeeper are refused."""
    before = lablib.snapshot()
    again = lablib.play("site.yml", "--tags", "spark")
    assert again.changed == set() and lablib.snapshot() == before
    extra = {node: len(again.calls(node)) for node in sorted(lablib.hosts())}
    assert all(count <= (4 if node == sparks.master_node() else 2) for node, count in extra.items()), extra

    dry = lablib.play("site.yml", "--tags", "spark", "--check", "--diff", "-e", json.dumps({"spark_config": {"spark.sql.shuffle.partitions": 7}}))
    assert dry.changed and "spark.sql.shuffle.partitions 7" in dry.text and sparks.secret() not in dry.text
    assert lablib.snapshot() == before

    def second_master(data):
        data["c02"]["labels"].append({"spark-master": "enable"})
        return data

    with lablib.edited_hosts(second_master):
        refused = lablib.play("site.yml", "--tags", "spark", check=False)
    assert refused.rc != 0 and "Set spark_recovery_mode to zookeeper" in refused.text
    assert lablib.snapshot() == before


def test_label_taken_and_given_back(figures):
    """spark-worker leaves a node: its worker goes and nothing else; given back, it is there again."""
    leaving = sparks.worker_nodes()[-1]
    others = {name: version for name, version in lablib.services().items() if not name.startswith("spark-skp")}
    with lablib.edited_hosts(lablib.without("spark-worker", leaving)):
        dry = lablib.play("site.yml", "--tags", "swarm,spark", "--check", "--diff")
        real = lablib.play("site.yml", "--tags", "swarm,spark")
        figures["spark: label taken away, predicted / applied"] = f"{len(dry.changed)} / {len(real.changed)}"
        assert real.changed == dry.changed and real.changed
        lablib.wait("the task is gone", lambda: leaving not in lablib.tasks("spark-skp-worker"), 60)
        lablib.wait("the master knows", sparks.whole, 90)
        assert "pi 3." in sparks.submit(sparks.PI)
    lablib.play("site.yml", "--tags", "swarm,spark")
    lablib.wait("all workers are back", sparks.whole, 90)
    assert {name: version for name, version in lablib.services().items() if not name.startswith("spark-skp")} == others


def test_down_keeps_the_history():
    """Down: the services go, the event logs stay; after a run the history server shows what it showed before."""
    app = sparks.any_finished()
    word = sparks.secret()
    lablib.play("playbooks/down.yml", "--tags", "spark")
    assert not [name for name in lablib.services() if name.startswith("spark-skp")]
    assert app in lablib.on(sparks.master_node(), "ls", "/srv/skp/spark/events")
    lablib.play("site.yml", "--tags", "spark")
    lablib.wait("history lists the application", lambda: sparks.finished(app), 90)
    assert sparks.secret() == word
