# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Portainer as its users meet it: the HTTP API, with the administrator's password. In the lab a stand-in answers."""
from __future__ import annotations

import lablib
import requests

PORT = 8050


def url(path):
    """Where a browser finds Portainer."""
    return f"http://{lablib.address(lablib.labelled('portainer')[0])}:{PORT}/api{path}"


def password():
    """The administrator's, as a manager keeps it."""
    return lablib.on(lablib.manager(), "cat", "/etc/skp/secrets/portainer_admin_password").strip()


def login(user="admin", word=None):
    """The answer to a login."""
    return requests.post(url("/auth"), json={"username": user, "password": password() if word is None else word}, timeout=30)


def call(method, path, **more):
    """JSON of an answer to the administrator; Failed while there is none."""
    try:
        entered = login()
        entered.raise_for_status()
        answer = requests.request(method, url(path), headers={"Authorization": "Bearer " + entered.json()["jwt"]}, timeout=60, **more)
        answer.raise_for_status()
        return answer.json()
    except (requests.RequestException, ValueError, KeyError) as exc:
        raise lablib.Failed(f"Portainer, {method} {path}: {exc}") from exc


def nodes():
    """Names of the nodes that the one environment shows."""
    [environment] = call("GET", "/endpoints")
    return sorted(member["NodeName"] for member in call("GET", f"/endpoints/{environment['Id']}/docker/v2/agents"))


def hostnames():
    """What the engines of the hosts with the label portainer-agent call themselves."""
    return sorted(text.strip() for text in lablib.look("docker info --format '{{.Name}}'", lablib.labelled("portainer-agent")).values())
