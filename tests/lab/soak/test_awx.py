# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every job template, as AWX runs it, on a cluster that has converged; the table is in the closing note. And ansible-navigator with the same image."""
from __future__ import annotations

import sys

import jobs
import lablib
import pytest

# What removes something comes before the template that brings it back.
RUNS = {
    "preflight": {"given": {"preflight_warn_only": "overlay, disk"}},
    "logs": {"given": {"status_service": "kafka", "status_lines": "20"}},
    "images": {"given": {"images_jobs": "2"}},
    "mysql client": {"given": {"mysql_query": "SELECT 1"}},
    "postgresql client": {"given": {"postgresql_query": "SELECT 1"}},
    # The cluster's own registry by another name.
    "push": {"given": {"push_registry": "127.0.0.1:5000", "push_images": {"docker-redis": "job-test/redis:1"}}},
    "volumes copy id": {"given": {"volumes_password": "unused"}},
    "down": {"given": {"skp_confirm": "lab", "skp_purge": "false"}, "tags": "jupyter"},
    "rotate secrets": {"tags": "redis"},
}
CHANGES = {"push", "down", "jupyter", "rotate secrets", "registry gc", "volumes keygen"}
"""Templates that change something on a cluster that has converged."""


def order():
    """The names: down comes before the services, status at the end."""
    names = list(jobs.templates())
    for name in ("down", "status"):
        names.remove(name)
    place = names.index("zookeeper")
    return [*names[:place], "down", *names[place:], "status"]


@pytest.fixture(scope="module", autouse=True)
def image():
    """The image, and no traces afterwards."""
    jobs.build()
    yield
    jobs.clear()


def test_every_template(figures):
    """Exit code 0; nothing changes except where it is meant to; the cluster is whole at the end."""
    wrong = []
    for name in order():
        result = jobs.run(name, **RUNS.get(name, {}))
        figures["template %s: rc, changed, seconds" % name] = (result.rc, result.changed, result.seconds)
        if result.rc != 0 or (result.changed and name not in CHANGES):
            wrong.append((name, result.rc, result.changed, result.artifacts.get("skp_failures"), result.text[-1500:]))
    assert wrong == []
    assert lablib.cluster_is_healthy()


NAVIGATOR = "ansible-navigator>=26.10,<27"


def test_navigator(tmp_path):
    """ansible-navigator with the image, on this machine's engine. In the network of this machine, from which the lab's nodes can be reached."""
    reference = "localhost:5000/skp/ee:latest"
    jobs.image()
    lablib.run("bash", "-euo", "pipefail", "-c", f"docker exec {lablib.container(jobs.host())} docker save {reference} | docker load", timeout=900)
    try:
        lablib.run(sys.executable, "-m", "venv", tmp_path / "venv", timeout=120)
        lablib.run(tmp_path / "venv/bin/pip", "install", "--quiet", NAVIGATOR, timeout=600)
        text = lablib.run(
            tmp_path / "venv/bin/ansible-navigator", "run", "playbooks/ps.yml", "-m", "stdout", "--container-engine", "docker",
            "--execution-environment-image", reference, "--pull-policy", "never", "--container-options=--net=host", "--playbook-artifact-enable", "false",
            "--log-file", tmp_path / "navigator.log", timeout=600).stdout
    finally:
        lablib.run("docker", "image", "rm", reference, check=False)
    assert all(name in text for name in lablib.hosts()) and "registry-skp" in text
