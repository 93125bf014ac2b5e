# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Airflow as its users meet it: the API with the admin's password, DAG runs and their logs, the containers behind them."""
from __future__ import annotations

import collections
import json
import re
import uuid

import lablib
import requests

PORT = 8040
COMPONENTS = ("", "-metadata", "-scheduler", "-dag-processor", "-triggerer")
ENDED = ("success", "failed")
TOKEN = []
"""Of the last login, if there was one."""


def url(path=""):
    """Where a browser finds Airflow. In a cluster with a gateway all of it has the gateway's path."""
    base = "/airflow" if lablib.labelled("nginx") else ""
    return f"http://{lablib.address(lablib.labelled('airflow')[0])}:{PORT}{base}{path}"


def password():
    """The admin's, as a manager keeps it."""
    return lablib.on(lablib.manager(), "cat", "/etc/skp/secrets/airflow_admin_password").strip()


def token(user="admin", word=None):
    """The answer to a login through the API."""
    return requests.post(url("/auth/token"), json={"username": user, "password": password() if word is None else word}, timeout=30)


def request(method, path, **more):
    """An answer of the API. A token serves until it is refused."""
    for _turn in (1, 2):
        if not TOKEN:
            login = token()
            login.raise_for_status()
            TOKEN.append(login.json()["access_token"])
        answer = requests.request(method, url("/api/v2" + path), headers={"Authorization": "Bearer " + TOKEN[0]}, timeout=60, **more)
        if answer.status_code != 401:
            break
        TOKEN.clear()
    return answer


def call(method, path, **more):
    """JSON of an answer of the API; Failed while there is none."""
    try:
        answer = request(method, path, **more)
        answer.raise_for_status()
        return answer.json() if answer.content else {}
    except (requests.RequestException, ValueError, KeyError) as exc:
        raise lablib.Failed(f"Airflow, {method} {path}: {exc}") from exc


def healthy():
    """Whether every component shows signs of life."""
    found = call("GET", "/monitor/health")
    late = [name for name, one in found.items() if one and one.get("status") not in (None, "healthy")]
    if late:
        raise lablib.Failed(f"Airflow: not healthy are {', '.join(late)}")
    return True


def trigger(dag, **conf):
    """Start a run of a DAG that the processor has found. Returns its id."""
    lablib.wait(f"the DAG {dag} is there", lambda: not call("GET", f"/dags/{dag}")["is_stale"], 120, every=1)
    call("PATCH", f"/dags/{dag}", json={"is_paused": False})
    ident = f"test-{uuid.uuid4().hex[:8]}"
    call("POST", f"/dags/{dag}/dagRuns", json={"dag_run_id": ident, "logical_date": None, "conf": conf})
    return ident


def state(dag, run):
    """State of a run."""
    return call("GET", f"/dags/{dag}/dagRuns/{run}")["state"]


def runs(dag):
    """The ids of a DAG's latest runs."""
    return {one["dag_run_id"] for one in call("GET", f"/dags/{dag}/dagRuns", params={"limit": 100, "order_by": "-id"})["dag_runs"]}


def tasks(dag, run):
    """The tasks of a run."""
    return call("GET", f"/dags/{dag}/dagRuns/{run}/taskInstances", params={"limit": 200})["task_instances"]


def log(dag, run, task, number=-1, attempt=1):
    """The text of a task's log, as the web UI shows it."""
    path = f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}"
    return json.dumps(call("GET", path, params={"map_index": number, "full_content": "true"}))


def finish(dag, run, seconds=300):
    """Wait for the success of a run. Returns the seconds it took; a failure shows the logs of what failed."""
    _, took = lablib.wait(f"the run {run} of {dag} ends", lambda: state(dag, run) in ENDED, seconds, every=1)
    if state(dag, run) != "success":
        failed = [one for one in tasks(dag, run) if one["state"] == "failed"]
        texts = [log(dag, run, one["task_id"], one["map_index"], one["try_number"])[-3000:] for one in failed]
        raise AssertionError(f"{dag} {run}: failed are {[one['task_id'] for one in failed]}\n" + "\n".join(texts))
    return took


def run(dag, seconds=300, /, **conf):
    """One run to its success: (id, seconds)."""
    ident = trigger(dag, **conf)
    return ident, finish(dag, ident, seconds)


def spreads(many, figures):
    """Many tasks, each of which wants more than half of a node's processors, so that a node has room for one: they run on all nodes, and clean up.

    Each stays for longer than Airflow takes to start the next: short ones end before a third node is needed.
    """
    ident, figures[f"airflow: {many} swarm tasks, seconds"] = run("example_swarm", 900, tasks=many, cpus=1.5, seconds=20)
    found = collections.Counter(
        re.search(r"task \d+ runs on (\S+?)[\"\\ ]", log("example_swarm", ident, "anywhere", number)).group(1) for number in range(many))
    figures[f"airflow: {many} swarm tasks by node"] = dict(found)
    assert sum(found.values()) == many and set(found) == set(lablib.hosts()), dict(found)
    assert not [name for name in lablib.services() if re.fullmatch("airflow-[A-Za-z0-9]{8}", name)], "services of tasks are left"


ASK = """
import http.client, json, socket, sys
class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/run/skp-docker/docker.sock")
for method, path, body in json.loads(sys.stdin.read()):
    one = Connection("docker", timeout=60)
    one.request(method, path, None if body is None else json.dumps(body))
    answer = one.getresponse()
    print(json.dumps([answer.status, answer.read().decode()[:300]]))
"""


def ask_docker(calls):
    """[(status, text)]: what the proxy before Docker answers to a task. calls: [(method, path, body)]."""
    lines = lablib.execute("airflow-skp-worker", "python", "-c", ASK, stdin=json.dumps(calls)).splitlines()
    return [tuple(json.loads(line)) for line in lines]
