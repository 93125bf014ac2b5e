# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Airflow with a real Kubernetes: KubernetesExecutor, alone and together with the local one and with Celery's, and KubernetesPodOperator."""
from __future__ import annotations

import json

import k8s
import lablib
import pytest

import airflows

# Each task says where it runs. The second one asks for a pod, as docs/airflow.md says.
WHERE = """
import socket
from airflow.sdk import dag, task
@dag(schedule=None, catchup=False)
def lab_where():
    @task
    def anywhere():
        print("anywhere runs on", socket.gethostname())
    @task(executor="KubernetesExecutor")
    def in_a_pod():
        print("in_a_pod runs on", socket.gethostname())
    anywhere() >> in_a_pod()
lab_where()
"""
WHERE_FILE = "/srv/skp/airflow/dags/lab_where.py"

# In a pod there is neither the overlay network (Kafka, Spark), nor a data volume, nor Docker. What needs one of the first three skips itself, and its run is a
# success; example_images and example_swarm need Docker.
IN_PODS = ("example_plain", "example_kafka", "example_spark", "example_volumes")
BESIDE_PODS = ("example_plain", "example_pod")
EXECUTORS = {"KubernetesExecutor": IN_PODS, "LocalKubernetesExecutor": BESIDE_PODS, "CeleryKubernetesExecutor": BESIDE_PODS}


@pytest.fixture(scope="module", params=EXECUTORS)
def executor(request, kubernetes, figure, tmp_path_factory):
    """Airflow with this executor and the kubeconfig, by site.yml; a second run changes nothing."""
    variables = tmp_path_factory.mktemp(request.param) / "variables.json"
    variables.touch(mode=0o600)
    variables.write_text(json.dumps({"airflow_executor": request.param, "airflow_kubeconfig": str(k8s.KUBECONFIG)}), encoding="utf-8")
    given = ("site.yml", "--tags", "airflow", "-e", f"@{variables}")
    figure(f"{request.param}: site.yml --tags airflow, seconds", round(lablib.play(*given).seconds))
    assert lablib.play(*given).changed == set()
    lablib.wait("Airflow is healthy", airflows.healthy, 240, every=1)
    lablib.on(lablib.manager(), "sh", "-c", f"cat >{WHERE_FILE}", stdin=WHERE)
    yield request.param
    # A DAG that names an executor which is not there any more is an error of the DAG processor.
    lablib.on(lablib.manager(), "rm", "-f", WHERE_FILE)


def test_the_examples_succeed(executor, figure):
    seconds = {dag: round(airflows.run(dag, 600)[1]) for dag in EXECUTORS[executor]}
    figure(f"{executor}: seconds by DAG", seconds)


def test_a_task_that_asks_for_a_pod_gets_one(executor, figure):
    """The name of the host is that of a pod, and the log is in the web UI. Without Kubernetes as the first executor the other task runs as before."""
    run, seconds = airflows.run("lab_where", 600)
    figure(f"{executor}: lab_where, seconds", seconds)
    hosts = {one["task_id"]: one["hostname"] for one in airflows.tasks("lab_where", run)}
    assert hosts["in_a_pod"].startswith("lab-where-in-a-pod-"), hosts
    assert hosts["anywhere"].startswith("lab-where-anywhere-") == (executor == "KubernetesExecutor"), hosts
    assert f"in_a_pod runs on {hosts['in_a_pod']}" in airflows.log("lab_where", run, "in_a_pod")


def test_a_pod_of_the_operator(executor):
    """KubernetesPodOperator, in an image that the kubelet pulls from the cluster's registry. Where its own task runs in a pod, it has no kubeconfig there."""
    if executor == "KubernetesExecutor":
        pytest.skip("a task in a pod has no kubeconfig: the operator is for tasks of the other executors")
    run, _seconds = airflows.run("example_pod", 600)
    assert {one["task_id"]: one["state"] for one in airflows.tasks("example_pod", run)} == {"kubernetes": "success", "pod": "success"}
    assert "in a pod" in airflows.log("example_pod", run, "pod")
    assert "localhost:5000/skp/docker-example-two:latest" in k8s.pulled()


def test_finished_pods_are_gone(executor):
    """Neither the executor nor the operator leaves pods behind."""
    def left():
        pods = json.loads(k8s.kubectl("get", "pods", "-o", "json"))["items"]
        return {pod["metadata"]["name"] for pod in pods} - {"first"}
    lablib.wait("no pod of a task is left", lambda: not left(), 120, every=2)


def test_the_kubeconfig_is_a_secret(executor):
    """It is in a file in memory of the components that use it, and in no definition."""
    token = k8s.KUBECONFIG.read_text(encoding="utf-8").partition("token: ")[2].partition("}")[0]
    assert len(token) == 32
    _node, text = lablib.ask_manager("docker service inspect $(docker service ls -q); docker config inspect $(docker config ls -q)")
    assert token not in text
