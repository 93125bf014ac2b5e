# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod: the task's image runs on the Kubernetes cluster of airflow_kubeconfig, whatever the executor is (KubernetesPodOperator)."""

import os

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException


@dag(schedule=None, catchup=False, tags=["example"], doc_md=__doc__,
     params={"image": Param("localhost:5000/skp/docker-example-two:latest", type="string", description="Name by which the nodes of Kubernetes pull it")})
def example_pod():
    @task
    def kubernetes():
        if not os.environ.get("KUBECONFIG"):
            raise AirflowSkipException("airflow_kubeconfig is not set")

    kubernetes() >> KubernetesPodOperator(
        task_id="pod", name="example-pod", namespace=os.environ.get("AIRFLOW__KUBERNETES_EXECUTOR__NAMESPACE", "default"), image="{{ params.image }}",
        cmds=["python3", "-c", "print('in a pod')"], in_cluster=False, config_file=os.environ.get("KUBECONFIG"), kubernetes_conn_id=None,
        get_logs=True, retries=1)


example_pod()
