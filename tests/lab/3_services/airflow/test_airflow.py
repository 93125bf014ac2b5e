# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Airflow: the examples succeed, tasks spread over the nodes, a killed worker's task is tried again, keys outlive containers, strangers stay out."""
from __future__ import annotations

import json

import airflows
import browsers
import lablib
import pytest
from playwright.sync_api import expect, sync_playwright

IMAGE = "localhost:5000/skp/docker-example-two:latest"
SLOW = """
from airflow.sdk import dag, task
@dag(schedule=None, catchup=False)
def lab_slow():
    @task(retries=2, retry_delay=1)
    def slow():
        import socket, time
        print("slow on", socket.gethostname(), flush=True)
        time.sleep(20)
    slow()
lab_slow()
"""

NEWER = """
python - <<'END'
import sqlite3
db = sqlite3.connect("/tmp/new.db")
for table in ("alembic_version", "alembic_version_fab"):
    db.execute(f"CREATE TABLE {table} (version_num TEXT)")
    db.execute(f"INSERT INTO {table} VALUES ('ffffffffffff')")
db.commit()
END
skp-airflow scheduler
echo "ended $?"
"""


def test_a_person_at_a_browser(figures):
    """Log in as the admin with the generated password, see the DAGs, trigger one, see it green, read the log of a task that ran in the swarm."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**browsers.options())
        page = browser.new_page(locale="en-US", viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(browsers.MILLISECONDS)
        try:
            page.goto(airflows.url("/"))
            page.fill("input[name=username]", "admin")
            page.fill("input[name=password]", airflows.password())
            page.locator("[type=submit]").first.click()
            page.wait_for_url(lambda address: "/auth/login" not in address)
            page.goto(airflows.url("/dags"))
            for dag in ("example_plain", "example_swarm"):
                expect(page.get_by_text(dag, exact=True).first).to_be_visible()
            page.screenshot(path=browsers.SCREENSHOTS / "airflow-dags.png")
            before = airflows.runs("example_swarm")
            page.goto(airflows.url("/dags/example_swarm"))
            page.get_by_role("button", name="Trigger").first.click()
            page.get_by_role("dialog").get_by_role("button", name="Trigger").click()
            _, figures["airflow: from the click to a run, seconds"] = lablib.wait("the run", lambda: airflows.runs("example_swarm") - before, 60)
            [run] = airflows.runs("example_swarm") - before
            airflows.finish("example_swarm", run, 400)
            page.goto(airflows.url(f"/dags/example_swarm/runs/{run}"))
            expect(page.get_by_text("Success").first).to_be_visible()
            page.screenshot(path=browsers.SCREENSHOTS / "airflow-run.png")
            page.goto(airflows.url(f"/dags/example_swarm/runs/{run}/tasks/anywhere/mapped/0"))
            expect(page.get_by_text("task 0 runs on").first).to_be_visible()
            page.screenshot(path=browsers.SCREENSHOTS / "airflow-log.png")
        finally:
            browser.close()


# example_swarm: the next test.
@pytest.mark.parametrize("dag", ["example_plain", "example_images", "example_kafka", "example_spark"])
def test_the_examples_succeed(dag, figures):
    _, figures[f"airflow: {dag}, seconds"] = airflows.run(dag, 400)


def test_tasks_spread_over_the_nodes_and_tell_it_in_their_logs(figures):
    airflows.spreads(4, figures)


def test_what_a_task_may_not_ask_of_docker():
    plain = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "bridge"}}
    refused = [("POST", "/v1.41/containers/create", dict(plain, HostConfig=host)) for host in (
        {"Privileged": True}, {"Binds": ["/:/host"]}, {"NetworkMode": "host"}, {"PidMode": "host"}, {"CapAdd": ["SYS_ADMIN"]},
        {"Mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}]})]
    refused += [("GET", "/v1.41/containers/json", None), ("GET", "/v1.41/info", None), ("GET", "/v1.41/nodes", None),
                ("DELETE", "/v1.41/services/kafka-skp-1", None),
                ("POST", "/v1.41/services/create", {"Name": "airflow-x1", "TaskTemplate": {"ContainerSpec": {"Image": IMAGE, "Secrets": [
                    {"SecretID": "x", "SecretName": "mysql-root.cnf-0", "File": {"Name": "x", "UID": "0", "GID": "0", "Mode": 256}}]}}})]
    answers = airflows.ask_docker(refused)
    assert [(call, answer) for call, answer in zip(refused, answers) if answer[0] != 403 or "refused by the proxy" not in answer[1]] == []
    allowed = [("GET", "/_ping", None), ("GET", "/version", None), ("GET", "/v1.41/tasks", None)]
    assert [answer[0] for answer in airflows.ask_docker(allowed)] == [200, 200, 200]


@pytest.mark.soak
def test_a_killed_workers_task_is_tried_again(figures):
    lablib.on(lablib.manager(), "sh", "-c", "cat >/srv/skp/airflow/dags/lab_slow.py", stdin=SLOW)
    try:
        run = airflows.trigger("lab_slow")
        lablib.wait("the task runs", lambda: [one for one in airflows.tasks("lab_slow", run) if one["state"] == "running"], 120, every=1)
        [task] = airflows.tasks("lab_slow", run)
        for node in lablib.labelled("airflow-worker"):
            lablib.on(node, "sh", "-c", f"docker kill {task['hostname']} 2>/dev/null || true")
        figures["airflow: killed worker, run succeeds after seconds"] = airflows.finish("lab_slow", run, 700)
        assert airflows.tasks("lab_slow", run)[0]["try_number"] > 1
    finally:
        lablib.on(lablib.manager(), "rm", "-f", "/srv/skp/airflow/dags/lab_slow.py")


# `make test` has the witness: a variable with the same key outlives down and all outages.
@pytest.mark.soak
def test_a_stored_connection_outlives_all_containers():
    ident = "lab-kept"
    lablib.execute("airflow-skp-metadata", "airflow", "connections", "delete", ident, check=False)
    airflows.call("POST", "/connections", json={"connection_id": ident, "conn_type": "http", "host": "example", "password": "word-of-the-lab"})
    for part in airflows.COMPONENTS:
        node, container = lablib.task_container("airflow-skp" + part)
        lablib.on(node, "docker", "rm", "-f", container)
    lablib.wait("Airflow is healthy", airflows.healthy, 240, every=1)
    lablib.wait("the metadata's container runs", lambda: lablib.execute("airflow-skp-metadata", "true") == "", 120, every=1)
    [found] = json.loads(lablib.execute("airflow-skp-metadata", "airflow", "connections", "get", ident, "-o", "json"))
    assert found["password"] == "word-of-the-lab"


def test_an_old_image_refuses_a_newer_schema():
    node, container = lablib.task_container("airflow-skp-scheduler")
    image = lablib.on(node, "docker", "inspect", "-f", "{{.Image}}", container).strip()
    found = lablib.on(node, "docker", "run", "--rm", "-i", "--network", "none", "-e", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=sqlite:////tmp/new.db",
                      "--entrypoint", "bash", image, "-s", stdin=NEWER, check=False)
    assert "a newer version has migrated it. Nothing was changed." in found and "ended 78" in found and "Traceback" not in found


@pytest.mark.parametrize("user, word", [("admin", "admin"), ("airflow", "airflow"), ("admin", "admin-pw"), ("admin", ""), ("airflow", "airflow-pw")])
def test_no_usual_password_opens_it(user, word):
    assert airflows.token(user, word).status_code in (400, 401, 403, 422)
