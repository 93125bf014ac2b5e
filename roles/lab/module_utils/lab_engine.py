# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's access to the engine of this machine: the Docker SDK, at DOCKER_HOST (the role sets it from the user's context)."""

from __future__ import annotations

try:
    import docker
    from docker.errors import DockerException
except ImportError as exc:
    docker = None
    DockerException = Exception
    IMPORT_ERROR = str(exc)
else:
    IMPORT_ERROR = ""


def connect(module, timeout=60):
    """A docker.DockerClient; ends the module with one error if there is none."""
    if docker is None:
        module.fail_json(
            msg="the Docker SDK for Python is missing in the controller's environment (%s): run `make venv`" % IMPORT_ERROR
        )
    try:
        client = docker.from_env(timeout=timeout)
        client.ping()
    except DockerException as exc:
        module.fail_json(msg="the Docker engine of this machine does not answer: %s" % exc)
    return client
