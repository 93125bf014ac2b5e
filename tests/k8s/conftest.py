# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes beside the running lab, once per run of the tests. It is removed afterwards, and Airflow has the executor of its labels again."""
from __future__ import annotations

import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import k8s  # noqa: E402  (the path above comes first)
import lablib  # noqa: E402  (k8s puts tests/lab on the path)

FIGURES = []


def pytest_configure(config):
    """Failures in their short form: the long one shows the arguments of calls, and requests carry passwords and tokens."""
    if config.option.tbstyle == "auto":
        config.option.tbstyle = "short"


def pytest_terminal_summary(terminalreporter):
    """The table of seconds."""
    for what, value in FIGURES:
        terminalreporter.write_line(f"{value!s:>10}  {what}")


@pytest.fixture(scope="session")
def figure():
    """Keeps a figure: figure("what", value)."""
    def keep(what, value):
        FIGURES.append((what, value))
        print(f"\n{what}: {value}", flush=True)
    return keep


@pytest.fixture(scope="session", autouse=True)
def kubernetes(figure):
    """Built, if it is not in the registry, started, with Airflow's image on it, which the kubelet pulled from the cluster's registry."""
    if not lablib.HOSTS_JSON.exists():
        pytest.exit("inventory/lab/hosts.json does not exist: run `make up` first", returncode=2)

    def timed(what, call):
        started = time.monotonic()
        call()
        figure(what, round(time.monotonic() - started, 1))

    timed("build of Kubernetes, or the look at its image, seconds", k8s.build)
    try:
        timed("from nothing to a ready node, seconds", k8s.up)
        timed("Airflow's image pulled by the kubelet, seconds", first_pod)
        yield
    finally:
        lablib.play("site.yml", "--tags", "airflow")
        k8s.down()
    assert lablib.play("site.yml", "--tags", "airflow").changed == set()


def first_pod():
    """One pod in Airflow's image, to its end."""
    image = "localhost:5000/skp/docker-airflow:latest"
    k8s.kubectl("run", "first", f"--image={image}", "--image-pull-policy=Always", "--restart=Never", "--command", "--", "true")
    lablib.wait("the first pod ends", lambda: k8s.phase("first") in ("Succeeded", "Failed"), 900, every=2)
    assert k8s.phase("first") == "Succeeded", k8s.kubectl("describe", "pod", "first")
    assert image in k8s.pulled()
