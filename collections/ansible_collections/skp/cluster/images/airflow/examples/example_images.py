# SPDX-License-Identifier: GPL-3.0-or-later
"""Library conflicts: two tasks of one DAG need versions of a library that cannot be in one environment, so each has an image of its own.

The containers run on the node of the worker that runs the task (DockerOperator).
"""

from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk import dag
from skp_airflow.swarm import image

OLD = "import itsdangerous; print(itsdangerous.__version__); itsdangerous.JSONWebSignatureSerializer('key')"
NEW = "import itsdangerous; assert not hasattr(itsdangerous, 'JSONWebSignatureSerializer'); print('version 2')"


@dag(schedule=None, catchup=False, tags=["example"], doc_md=__doc__)
def example_images():
    for name, text in (("one", OLD), ("two", NEW)):
        DockerOperator(task_id=name, image=image("docker-example-" + name), command=["python3", "-W", "ignore", "-c", text], mount_tmp_dir=False,
                       auto_remove="force")


example_images()
