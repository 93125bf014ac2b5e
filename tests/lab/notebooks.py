# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JupyterLab and the kernel gateway as their clients meet them: addresses, secrets, kernels over websockets, the containers behind them."""
from __future__ import annotations

import contextlib
import json
import time
import uuid

import lablib
import requests
import websocket

WORK = "/srv/skp/jupyter"
BASE = "/jupyter-skp"


# Parquet written by Spark, then aggregated by Spark and by pandas alone; what took how long, and whether both have the same numbers.
AGGREGATE = """
import json, os, time
import pandas
from pyspark.sql import SparkSession, functions as F
spark = SparkSession.builder.appName("aggregate").getOrCreate()
seconds = {{}}
def timed(name, work):
    start = time.monotonic()
    result = work()
    seconds[name] = round(time.monotonic() - start, 1)
    return result
rows = spark.range({rows}, numPartitions=24).select(
    (F.col("id") * 7919 % 1000).cast("int").alias("key"), (F.rand(1) * 2 ** 40).cast("long").alias("amount"), F.rand(2).alias("price"))
timed("write", lambda: rows.write.option("compression", "none").parquet("{path}"))
size = sum(entry.stat().st_size for entry in os.scandir("{path}"))
on_spark = timed("spark", lambda: spark.read.parquet("{path}").groupBy("key").agg(
    F.count("*").alias("rows"), F.sum("amount").alias("amount"), F.max("price").alias("price")).orderBy("key").toPandas())
alone = timed("pandas", lambda: pandas.read_parquet("{path}").groupby("key").agg(
    rows=("amount", "size"), amount=("amount", "sum"), price=("price", "max")).reset_index())
executors = len([1 for e in spark.sparkContext._jsc.sc().statusTracker().getExecutorInfos()]) - 1
print(json.dumps({{"seconds": seconds, "bytes": size, "executors": executors, "groups": len(alone), "rows": int(alone["rows"].sum()),
                  "equal": bool((on_spark.to_numpy() == alone.to_numpy()).all() and on_spark.shape == alone.shape)}}))
"""


def node():
    """The lab's node that is labelled jupyter."""
    [name] = lablib.labelled("jupyter")
    return name


def lab_url():
    """Where a browser finds JupyterLab."""
    return f"http://{lablib.address(node())}:8010{BASE}"


def gateway_url():
    """Where a program finds the kernel gateway."""
    return f"http://{lablib.address(node())}:8020"


def secret(name):
    """A generated secret, as a manager keeps it."""
    return lablib.on(lablib.manager(), "cat", f"/etc/skp/secrets/{name}").strip()


def health_token():
    """The token of JupyterLab's health check, made of a secret and the password."""
    return execute("jupyter-skp", "cat", "/run/secrets/jupyter_health_token").strip()


def authorization(token):
    """Header that carries a token."""
    return {"Authorization": f"token {token}"}


def login():
    """A session with JupyterLab's cookies, after the password went through the login form."""
    session = requests.Session()
    page = lab_url() + "/login"
    session.get(page, timeout=30).raise_for_status()
    session.post(page, data={"_xsrf": session.cookies["_xsrf"], "password": secret("jupyter_password")}, timeout=30).raise_for_status()
    return session


def save(name, text):
    """Write a text file through JupyterLab's API, as its file browser does."""
    session = login()
    answer = session.put(f"{lab_url()}/api/contents/{name}", json={"type": "file", "format": "text", "content": text},
                         headers={"X-XSRFToken": session.cookies["_xsrf"]}, timeout=30)
    if answer.status_code not in (200, 201):
        raise lablib.Failed(f"writing {name}: {answer.status_code} {answer.text[-500:]}")


def load(name):
    """The content of a text file through JupyterLab's API, after a login; Failed while nobody can log in."""
    try:
        answer = login().get(f"{lab_url()}/api/contents/{name}", timeout=30)
        answer.raise_for_status()
    except requests.RequestException as exc:
        raise lablib.Failed(f"reading {name}: {exc}") from exc
    return answer.json()["content"]


def gateway(method, path, token, **more):
    """A request to the gateway with a token. Returns requests' response."""
    return requests.request(method, gateway_url() + path, headers=authorization(token), timeout=60, **more)


def running(service):
    """Id of the service's container on the jupyter node that runs and is healthy; '' without one."""
    text = lablib.on(node(), "docker", "ps", "-q", "--no-trunc", "-f", f"label=com.docker.swarm.service.name={service}", "-f", "health=healthy")
    return text.strip()


def execute(service, *argv, check=True, timeout=120):
    """Run a command in the service's container, as the service's own user."""
    return lablib.on(node(), "docker", "exec", running(service), *argv, check=check, timeout=timeout)


def places():
    """{hostname or address of a container on the overlay: node}, asked of every node's engine."""
    found = {}
    for name in sorted(lablib.hosts()):
        for row in json.loads(lablib.on(name, "docker", "inspect", *lablib.on(name, "docker", "ps", "-q").split())):
            found[row["Config"]["Hostname"]] = name
            for network in row["NetworkSettings"]["Networks"].values():
                found[network["IPAddress"]] = name
    return found


def connected(sessions, name):
    """Those of JupyterLab's sessions that give this notebook an idle kernel with a connection. The page shows an idle kernel before it has one; cells that run
    then make it ask for one.
    """
    return [one for one in sessions if one["path"] == name and one["kernel"]["connections"] > 0 and one["kernel"]["execution_state"] == "idle"]


class Kernel:
    """One kernel of the gateway and the websocket to it."""

    def __init__(self, name, token, env=None):
        self.token = token
        started = gateway("POST", "/api/kernels", token, json={"name": name, **({"env": env} if env else {})})
        if started.status_code != 201:
            raise lablib.Failed(f"a kernel {name}: {started.status_code} {started.text[-2000:]}")
        self.ident = started.json()["id"]
        self.socket = websocket.create_connection(
            f"{gateway_url().replace('http', 'ws', 1)}/api/kernels/{self.ident}/channels", header=authorization(token), timeout=30)

    def run(self, code, seconds=300):
        """Run code. Returns what it printed and its result as text; Failed with the kernel's own words when it raises."""
        ident = uuid.uuid4().hex
        self.socket.send(json.dumps({
            "header": {"msg_id": ident, "msg_type": "execute_request", "username": "test", "session": ident, "version": "5.3", "date": ""},
            "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [],
            "content": {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False, "stop_on_error": True},
        }))
        end, text, idle, reply = time.monotonic() + seconds, "", False, None
        while not (idle and reply):
            left = end - time.monotonic()
            if left <= 0:
                raise lablib.Failed(f"no end after {seconds} s of {code[:200]!r}; it said {text[-2000:]!r}")
            self.socket.settimeout(left)
            with contextlib.suppress(websocket.WebSocketTimeoutException):
                message = json.loads(self.socket.recv())
                if message["parent_header"].get("msg_id") != ident:
                    continue
                kind, content = message["msg_type"], message["content"]
                if kind == "stream":
                    text += content["text"]
                elif kind in ("execute_result", "display_data"):
                    text += content["data"].get("text/plain", "")
                elif kind == "error":
                    raise lablib.Failed(f"{code[:200]!r}: {content['ename']}: {content['evalue']}\n" + "\n".join(content["traceback"])[-4000:])
                idle = idle or (kind == "status" and content["execution_state"] == "idle")
                reply = content if kind == "execute_reply" else reply
        if reply["status"] != "ok":
            raise lablib.Failed(f"{code[:200]!r}: {reply}")
        return text

    def close(self):
        """End the kernel."""
        self.socket.close()
        gateway("DELETE", f"/api/kernels/{self.ident}", self.token)


def kernel(name, token, env=None):
    """A kernel that is ended with the block."""
    return contextlib.closing(Kernel(name, token, env))


@contextlib.contextmanager
def volume(uid):
    """A data volume below /mnt on every node, mounted after the containers started: one directory of the shared store. Gives its path."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    lablib.on(node(), "install", "-d", "-o", str(uid), "-g", str(uid), f"/srv/skp/{name}")
    try:
        lablib.look(f"mkdir /mnt/skp/{name} && mount --bind /srv/skp/{name} /mnt/skp/{name}")
        yield f"/mnt/{name}"
    finally:
        lablib.look(f"umount /mnt/skp/{name}; rmdir /mnt/skp/{name}", check=False)
        lablib.on(node(), "rm", "-rf", f"/srv/skp/{name}")


def aggregate(kernel, rows, path):
    """Write rows with Spark, aggregate them with Spark and with pandas. Returns {"seconds", "bytes", "executors", "groups", "rows", "equal"}."""
    return json.loads(kernel.run(AGGREGATE.format(rows=rows, path=path), seconds=900).strip().splitlines()[-1])
