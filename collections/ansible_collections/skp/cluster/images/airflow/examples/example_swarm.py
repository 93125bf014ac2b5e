# SPDX-License-Identifier: GPL-3.0-or-later
"""Idle servers: each task is a service of the swarm, which runs it on the node that has most room. The output is in the task's log.

`cpus` and `memory` are what a node must have free: swarm chooses among the nodes that have it, and where none has, the task waits. Choose the numbers when
you trigger the DAG: more tasks at once than one node has room for run on several nodes, and `seconds` keeps each of them there for a while.
"""

from airflow.sdk import Param, dag, task
from skp_airflow.swarm import SwarmTask, image

WORK = "import os, sys, time; print('task', sys.argv[1], 'runs on', os.environ['NODE'], flush=True); time.sleep(float(sys.argv[2]))"
# For swarm, not for Airflow: the name of the node.
NODE = "{% raw %}{{.Node.Hostname}}{% endraw %}"


CHOICES = {"tasks": Param(4, type="integer", minimum=1, maximum=100), "cpus": Param(0.1, type="number", minimum=0.01, maximum=64),
           "seconds": Param(0, type="number", minimum=0, maximum=600)}


@dag(schedule=None, catchup=False, tags=["example"], doc_md=__doc__, params=CHOICES)
def example_swarm():
    @task
    def services(params=None):
        return [{"command": ["python3", "-c", WORK, str(number), str(params["seconds"])], "cpus": params["cpus"]} for number in range(params["tasks"])]

    SwarmTask.partial(task_id="anywhere", image=image("docker-example-two"), memory="64m", environment={"NODE": NODE}, retries=1).expand_kwargs(services())


example_swarm()
