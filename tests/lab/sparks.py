# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spark as its users meet it: jobs by spark-submit in a container that has what the role gives to clients, and the pages on the nodes' addresses."""
from __future__ import annotations

import concurrent.futures
import contextlib
import shlex

import lablib
import requests

UI = 8030
HISTORY = 8031
CLIENT = "spark-skp-history"
SMALL = ("--driver-memory", "512m", "--conf", "spark.executor.memory=768m")
"""All nodes of the lab share one machine."""
EVERYWHERE = ("--conf", "spark.dynamicAllocation.minExecutors=3", "--conf", "spark.scheduler.minRegisteredResourcesRatio=1.0")
"""One executor for each worker, and no task before all are there."""

# Keys 0..96 of the numbers below N, summed per key and then all together: N (N - 1) / 2, if nothing was lost and nothing counted twice.
SUMS = """
import sys, time
from pyspark.sql import SparkSession
n, parts, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
spark = SparkSession.builder.appName(sys.argv[4]).getOrCreate()
print("application", spark.sparkContext.applicationId, flush=True)
def slowly(rows):
    time.sleep(seconds)
    return rows
pairs = spark.sparkContext.parallelize(range(n), parts).mapPartitions(slowly).map(lambda x: (x % 97, x))
sums = pairs.groupByKey(parts).mapPartitions(slowly).mapValues(sum).collect()
print("keys", len(sums), "sum", sum(value for _, value in sums), flush=True)
spark.stop()
"""

PI = """
import random
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("SparkPi").getOrCreate()
print("application", spark.sparkContext.applicationId, flush=True)
n, parts = 400_000, 8
inside = spark.sparkContext.parallelize(range(n), parts).filter(lambda _: random.random() ** 2 + random.random() ** 2 < 1).count()
print("pi", 4 * inside / n, flush=True)
spark.stop()
"""

# One session that computes three things: pi, a shuffle of text that does not compress (in the JVM), and the sums of above, slowly.
SESSION = """
import json, random, sys, time
from pyspark.sql import SparkSession
n, rows, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
spark = SparkSession.builder.appName("session").getOrCreate()
print("application", spark.sparkContext.applicationId, flush=True)
points = spark.sparkContext.parallelize(range(400_000), 8)
print("pi", 4 * points.filter(lambda _: random.random() ** 2 + random.random() ** 2 < 1).count() / 400_000, flush=True)
def slowly(rows):
    time.sleep(seconds)
    return rows
pairs = spark.sparkContext.parallelize(range(n), 6).mapPartitions(slowly).map(lambda x: (x % 97, x))
sums = pairs.groupByKey(6).mapPartitions(slowly).mapValues(sum).collect()
print("keys", len(sums), "sum", sum(value for _, value in sums), flush=True)
text, times = spark.range(0, rows, 1, 6).selectExpr("id", "sha2(cast(id as string), 256) as text"), []
for turn in range(2):
    started = time.monotonic()
    got = text.repartition(6, "text").selectExpr("count(*) as rows", "sum(id) as ids", "sum(length(text)) as letters").first()
    times.append(round(time.monotonic() - started, 1))
print("rows", got.rows, "ids", got.ids, "letters", got.letters, "crypto", spark.conf.get("spark.network.crypto.enabled"), "seconds", *times, flush=True)
spark.stop()
"""


def master_node():
    """The (first) node that is labelled spark-master."""
    return lablib.labelled("spark-master")[0]


def worker_nodes():
    """Nodes labelled spark-worker."""
    return lablib.labelled("spark-worker")


def secret():
    """The secret as a manager keeps it."""
    return lablib.on(lablib.manager(), "cat", "/etc/skp/secrets/spark_auth_secret").strip()


def get(node, port, path):
    """GET of a page on a node's address; Failed when nothing answers."""
    try:
        return requests.get(f"http://{lablib.address(node)}:{port}/{path}", timeout=20)
    except requests.RequestException as exc:
        raise lablib.Failed(f"{node}:{port}/{path}: {exc}") from exc


def state(node=None):
    """What a master says of itself, its workers and its applications; Failed when it does not answer."""
    answer = get(node or master_node(), UI, "json/")
    if answer.status_code != 200:
        raise lablib.Failed(f"the master answers with {answer.status_code}")
    return answer.json()


def alive(node=None):
    """Workers that are alive, as the master on a node sees them."""
    return [worker for worker in state(node)["workers"] if worker["state"] == "ALIVE"]


def healthy(node=None):
    """True if the master on a node leads and lists exactly the running workers, by their addresses: it may still list a stopped worker."""
    return state(node)["status"] == "ALIVE" and sorted(worker["host"] for worker in alive(node)) == sorted(worker_addresses(worker_nodes()).values())


WORKER_ADDRESS = """
ident=$(docker ps -q -f label=com.docker.swarm.service.name=spark-skp-worker)
docker exec "$ident" sh -c 'getent ahostsv4 "$(hostname)"'
"""


def worker_addresses(nodes):
    """{node: address on the overlay of the worker's container on it}, as the containers themselves know it."""
    return {node: text.split()[0] for node, text in lablib.look(WORKER_ADDRESS, nodes, timeout=30).items()}


def worker_address(node):
    """Address on the overlay of the worker's container on a node."""
    return worker_addresses([node])[node]


def container(service, node=None):
    """(node, container id) of a service's container; of one that runs on every node, the one on `node`."""
    if node is None:
        return lablib.task_container(service)
    found = lablib.on(node, "docker", "ps", "-q", "-f", f"label=com.docker.swarm.service.name={service}").split()
    if not found:
        raise lablib.Failed(f"no running container of {service} on {node}")
    return node, found[0]


def shell(where, text, check=True, timeout=300, stdin=None):
    """Run a shell text in a container (from `container`), as the user of its service."""
    node, ident = where
    flags = ["-i"] if stdin is not None else []
    return lablib.on(node, "docker", "exec", *flags, ident, "bash", "-c", text, check=check, timeout=timeout, stdin=stdin)


def submit(job, *args, options=(), where=None, check=True, timeout=600, before=""):
    """spark-submit of a job's text in a container that is a client of the cluster. Returns what the job printed, then Spark's log: Spark lets Python write a
    line in pieces, between which lines of the log would come.
    """
    where = where or container(CLIENT)
    command = shlex.join([*SMALL, *options]) + " $file " + shlex.join(map(str, args))
    text = f"{before} file=$(mktemp --suffix=.py) log=$(mktemp) && cat >$file && spark-submit {command} 2>$log; code=$?; cat $log; exit $code"
    return shell(where, text, check=check, timeout=timeout, stdin=job)


@contextlib.contextmanager
def running(job, *args, **kwargs):
    """A job submitted in the background; gives its future, whose result is what it printed. It has ended when the block ends."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        yield pool.submit(submit, job, *args, **kwargs)


def said(text, word):
    """The words after the first line's beginning `word`: what a job printed under that name."""
    lines = [line.split()[1:] for line in text.splitlines() if line.split()[:1] == [word]]
    if not lines:
        raise lablib.Failed(f"the job printed no {word!r}:\n{text[-6000:]}")
    return lines[0]


def application(name, node=None):
    """Id of the running application of that name, '' without one, as the master sees it."""
    return next((app["id"] for app in state(node)["activeapps"] if app["name"] == name), "")


def driver(app, path, node=None):
    """What the driver's REST API answers, through the master's page."""
    answer = get(node or master_node(), UI, f"proxy/{app}/api/v1/applications/{app}/{path}")
    if answer.status_code != 200:
        raise lablib.Failed(f"the driver of {app} answers with {answer.status_code}")
    return answer.json()


def history(app, path=""):
    """What the history server says of a finished application; Failed until it knows it."""
    answer = get(master_node(), HISTORY, f"api/v1/applications/{app}{path}")
    if answer.status_code != 200:
        raise lablib.Failed(f"the history server answers with {answer.status_code} for {app}")
    return answer.json()


def finished(app):
    """True when the history server lists an application as completed."""
    return history(app)["attempts"][0]["completed"]


def compute_pi():
    """Id of an application that computed pi rightly and that the history server lists as completed."""
    text = submit(PI)
    assert abs(float(said(text, "pi")[0]) - 3.1416) < 0.05
    app = said(text, "application")[0]
    lablib.wait("history lists the application", lambda: finished(app), 60)
    return app


def worked(app):
    """{address of an executor's host: tasks it completed}, from the history server."""
    tasks = {}
    for executor in history(app, "/allexecutors"):
        if executor["id"] != "driver" and executor["completedTasks"]:
            host = executor["hostPort"].rsplit(":", 1)[0]
            tasks[host] = tasks.get(host, 0) + executor["completedTasks"]
    return tasks
