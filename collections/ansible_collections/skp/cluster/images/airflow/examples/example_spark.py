# SPDX-License-Identifier: GPL-3.0-or-later
"""A Spark job: the driver is a service of the swarm in Spark's own image, the executors are those of the cluster."""

import os

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException
from skp_airflow.swarm import SwarmTask, image

JOB = "skp-spark-conf && exec spark-submit --name example_spark \"$SPARK_HOME/examples/src/main/python/pi.py\" 20"


@dag(schedule=None, catchup=False, tags=["example"], doc_md=__doc__)
def example_spark():
    @task
    def spark():
        if not os.environ.get("SKP_SPARK_EVENTS"):
            raise AirflowSkipException("this cluster has no Spark")

    spark() >> SwarmTask(task_id="pi", image=image("docker-ds"), command=["bash", "-c", JOB], spark=True, memory="1g", retries=1)


example_spark()
