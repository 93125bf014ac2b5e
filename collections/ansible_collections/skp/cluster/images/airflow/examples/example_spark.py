# SPDX-License-Identifier: GPL-3.0-or-later
"""A Spark job: the driver is a service of the swarm in Spark's own image, the executors are those of the cluster."""

from airflow.sdk import dag
from skp_airflow.swarm import SwarmTask, image

JOB = "skp-spark-conf && exec spark-submit --name example_spark \"$SPARK_HOME/examples/src/main/python/pi.py\" 20"


@dag(schedule=None, catchup=False, tags=["example"], doc_md=__doc__)
def example_spark():
    SwarmTask(task_id="pi", image=image("docker-ds"), command=["bash", "-c", JOB], spark=True, memory="1g", retries=1)


example_spark()
