# SPDX-License-Identifier: GPL-3.0-or-later
"""A task as a service of the swarm: it runs on whichever node has room, in an image of its own, and its output is the task's log."""

import os

from airflow.providers.docker.operators.docker_swarm import DockerSwarmOperator
from docker import types, utils

SPARK_CONFIG, SPARK_SECRET = "airflow-spark-defaults.conf-", "airflow-spark_auth_secret-"
"""How the names of swarm's objects begin that the role airflow makes for drivers of Spark."""


def image(name):
    """The name of an image of the cluster, such as docker-ds, on every node."""
    return "%s/skp/%s:%s" % (os.environ.get("SKP_REGISTRY", "localhost:5000"), name, os.environ.get("SKP_IMAGE_TAG", "latest"))


def newest(items, start):
    """The newest config or secret whose name begins so."""
    found = [item for item in items if item["Spec"]["Name"].startswith(start)]
    if not found:
        raise ValueError("the swarm has no object %s...: does this cluster have Spark, and was the role airflow run after it?" % start)
    return max(found, key=lambda item: item["CreatedAt"])


class SwarmTask(DockerSwarmOperator):
    """A DockerSwarmOperator with this cluster's settings.

    cpus, memory: what a node must have free, and the most that the task gets, such as 0.5 and "512m". spark: the container is a driver of the cluster's Spark;
    the image must be that of Spark. The container joins the cluster's network, and the service is removed when it has ended.
    """

    def __init__(self, *, image, cpus=None, memory=None, spark=False, networks=None, auto_remove="force", environment=None, user=None, **more):
        size = utils.parse_bytes(memory) if memory else None
        part = int(float(cpus) * 10**9) if cpus else None
        more.setdefault("container_resources", types.Resources(cpu_limit=part, cpu_reservation=part, mem_limit=size, mem_reservation=size))
        super().__init__(
            image=image, networks=networks or [os.environ.get("SKP_NET", "net-skp")], auto_remove=auto_remove,
            environment=dict({"PYTHONUNBUFFERED": "1"}, **(environment or {})), user=user or ("61000:61000" if spark else None), **more)
        self.spark = spark

    def execute(self, context):
        """Run the service, and wait for its end."""
        if self.spark:
            self._become_driver()
        return super().execute(context)

    def _become_driver(self):
        config, secret = newest(self.cli.configs(), SPARK_CONFIG), newest(self.cli.secrets(), SPARK_SECRET)
        owner = dict(uid="61000", gid="61000")
        self.configs = [*(self.configs or ()), types.ConfigReference(
            config["ID"], config["Spec"]["Name"], filename="/etc/spark/spark-defaults.conf", mode=0o444, **owner)]
        self.secrets = [*(self.secrets or ()), types.SecretReference(
            secret["ID"], secret["Spec"]["Name"], filename="spark_auth_secret", mode=0o400, **owner)]
        self.mounts = [*self.mounts, types.Mount("/run/skp", None, type="tmpfs", tmpfs_size=16 * 2**20, tmpfs_mode=0o1777)]
        events = os.environ.get("SKP_SPARK_EVENTS")
        if events:
            self.mounts.append(types.Mount(events, events, type="bind"))
