# SPDX-License-Identifier: GPL-3.0-or-later
"""Idle servers: each task is a service of the swarm, which runs it on the node that has most room. The output is in the task's log.

`cpus` and `memory` are what a node must have free. Choose the number of tasks when you trigger the DAG.
"""

from airflow.sdk import Param, dag, task
from skp_airflow.swarm import SwarmTask, image

WORK = "import os, sys; print('task', sys.argv[1], 'runs on', os.environ['NODE']); print(sum(number * number for number in range(10**6)))"
# For swarm, not for Airflow: the name of the node.
NODE = "{% raw %}{{.Node.Hostname}}{% endraw %}"


@dag(schedule=None, catchup=False, tags=["example"], doc_md=__doc__, params={"tasks": Param(4, type="integer", minimum=1, maximum=100)})
def example_swarm():
    @task
    def commands(params=None):
        return [["python3", "-c", WORK, str(number)] for number in range(params["tasks"])]

    SwarmTask.partial(task_id="anywhere", image=image("docker-example-two"), cpus=0.1, memory="64m", environment={"NODE": NODE}, retries=1).expand(
        command=commands())


example_swarm()
