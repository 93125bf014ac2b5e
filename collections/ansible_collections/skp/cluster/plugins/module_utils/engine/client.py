# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The only access to the Docker engine of the machine a module runs on.

No other file of the collection imports the Docker SDK. For objects that the SDK supports poorly or not at all (complete swarm services,
configs, node labels, task logs), `request()` sends plain JSON to the engine and turns every failure into an `EngineError`.
"""

from __future__ import annotations

import json
import struct
import time
import traceback

from ..failure import Failure
from ..swarm.plan import local_node_state

try:
    import docker
    import docker.errors
    import requests.exceptions

    HAS_DOCKER = True
    DOCKER_IMPORT_ERROR = None
except ImportError:
    docker = None
    HAS_DOCKER = False
    DOCKER_IMPORT_ERROR = traceback.format_exc()

MINIMUM_SDK = "5.0.3"
"""Docker SDK of Debian 12 (python3-docker); newer versions work too."""

MINIMUM_API = (1, 41)
"""Engine 20.10, the first with all service options that are used here (capabilities, ulimits, pids limit)."""


class EngineError(Failure):
    """The engine did not answer, or refused; `failure["status"]` is the HTTP status of its answer.

    Kinds used here: `sdk_missing`, `engine_unreachable`, `api`, `api_version`, `not_swarm`, `not_manager`.
    """


def connect(timeout=60):
    """A `docker.DockerClient` for this machine's engine (DOCKER_HOST is honoured), its API version negotiated.

    timeout: seconds for each request. Raises EngineError if the SDK is missing, no engine answers, or the engine is too old.
    """
    if not HAS_DOCKER:
        raise EngineError(
            "The Docker SDK for Python (docker >= %s) is missing on this machine. Install python3-docker, or run the role "
            "skp.cluster.engine (--tags engine)." % MINIMUM_SDK,
            kind="sdk_missing",
            traceback=DOCKER_IMPORT_ERROR,
        )
    try:
        client = docker.from_env(version="auto", timeout=timeout)
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as exc:
        raise EngineError(
            "The Docker engine of this machine does not answer: %s. Is docker.service running (systemctl status docker)?" % exc,
            kind="engine_unreachable",
        ) from exc
    found = client.api._version
    if api_version(client) < MINIMUM_API:
        raise EngineError(
            "The Docker engine of this machine supports API %s; at least %d.%d (engine 20.10) is required. Upgrade the engine."
            % ((found,) + MINIMUM_API),
            kind="api_version",
            found=found,
        )
    return client


def api_version(client):
    """The negotiated API version as a tuple, such as (1, 45); None without a client (`connect_or_predict`)."""
    return tuple(int(part) for part in client.api._version.split(".")) if client else None


def raw(client):
    """The low-level `docker.APIClient` of a client (`_get`, `_post_json`, `_url`)."""
    return client.api


LEADER_PATIENCE = 40
"""Seconds. When its leader dies, a swarm elects another one within about ten; until then every manager refuses."""


def leaderless(method, text):
    """Whether an error of the engine means that the swarm has no leader at the moment, and the same call may be sent again.

    The first form says that nothing was done. The others leave open what a writing call has done, so only reading ones are sent again.
    """
    if "does not have a leader" in text:
        return True
    return method == "GET" and any(words in text for words in ("code = Unavailable", "code = DeadlineExceeded", "context deadline exceeded"))


def request(client, method, path, params=None, body=None, what=None, headers=None, timeout=None, decode=True):
    """One call of the engine's HTTP API. path is without the version, e.g. `/services/create`.

    params: query dict; a dict or list in it is sent as JSON (as the engine expects `filters`). body: JSON-able, or None.
    While the swarm elects a leader, the call is repeated for up to LEADER_PATIENCE seconds where that is safe.
    Returns the decoded JSON (None for an empty answer), or the bytes with decode=False.
    Raises EngineError(kind="api", status=...) whose message starts with `what` (default: method and path).
    """
    api = raw(client)
    query = {}
    for key, value in (params or {}).items():
        query[key] = json.dumps(value) if isinstance(value, (dict, list)) else value
    options = {"params": query, "headers": headers, "timeout": timeout or api.timeout}
    if body is not None:
        options["json"] = body
    label = what or "%s %s" % (method, path)
    deadline = time.monotonic() + LEADER_PATIENCE
    while True:
        try:
            answer = api.request(method, "%s/v%s%s" % (api.base_url, api._version, path), **options)
        except (requests.exceptions.RequestException, docker.errors.DockerException, OSError) as exc:
            raise EngineError("%s: the Docker engine did not answer: %s" % (label, exc), kind="engine_unreachable", what=label) from exc
        if answer.status_code < 400:
            break
        try:
            text = answer.json().get("message", answer.text)
        except (ValueError, AttributeError):
            text = answer.text
        if leaderless(method, text) and time.monotonic() < deadline:
            time.sleep(0.5)
            continue
        raise EngineError("%s: %s" % (label, text.strip()), kind="api", status=answer.status_code, what=label, engine_message=text.strip())
    if not decode:
        return answer.content
    return answer.json() if answer.content else None


def get(client, path, params=None, **options):
    """`request` with GET."""
    return request(client, "GET", path, params=params, **options)


def post(client, path, body=None, params=None, **options):
    """`request` with POST."""
    return request(client, "POST", path, params=params, body=body, **options)


def delete(client, path, params=None, missing_ok=True, **options):
    """`request` with DELETE. An object that does not exist is not an error unless missing_ok is false."""
    try:
        return request(client, "DELETE", path, params=params, **options)
    except EngineError as exc:
        if missing_ok and exc.failure.get("status") == 404:
            return None
        raise


def demultiplex(data):
    """Text of the engine's log stream: frames of an 8-byte header (stream, 3 zero bytes, length) and the bytes."""
    parts, offset = [], 0
    while offset + 8 <= len(data):
        length = struct.unpack(">I", data[offset + 4 : offset + 8])[0]
        parts.append(data[offset + 8 : offset + 8 + length])
        offset += 8 + length
    return b"".join(parts).decode("utf-8", "replace")


def swarm_state(client):
    """The engine's swarm state.

    Returns {"state": inactive|pending|active|error|locked, "manager": bool, "node_id": str, "node_addr": str, "cluster_id": str,
    "error": str, "managers": [address, ...]}.
    """
    info = get(client, "/info", what="reading the engine's state")
    swarm = info.get("Swarm") or {}
    return {
        "state": local_node_state(swarm),
        "manager": bool(swarm.get("ControlAvailable")),
        "node_id": swarm.get("NodeID") or "",
        "node_addr": swarm.get("NodeAddr") or "",
        "cluster_id": (swarm.get("Cluster") or {}).get("ID") or "",
        "error": swarm.get("Error") or "",
        "managers": sorted(item.get("Addr", "") for item in swarm.get("RemoteManagers") or []),
    }


def require_manager(client):
    """Raises EngineError unless the engine is an active swarm manager; returns `swarm_state`."""
    state = swarm_state(client)
    if state["state"] != "active":
        raise EngineError(
            "This machine's engine is not in a swarm (state %s%s). Run the role swarm first (--tags swarm)."
            % (state["state"], ": " + state["error"] if state["error"] else ""),
            kind="not_swarm",
            swarm=state,
        )
    if not state["manager"]:
        raise EngineError(
            "This machine is a swarm worker (node %s); the module must run on a manager. Known managers: %s."
            % (state["node_id"], ", ".join(state["managers"]) or "none"),
            kind="not_manager",
            swarm=state,
        )
    return state


def connect_or_predict(module, timeout=60, manager=False):
    """The client, or None with a warning in check mode if SDK, engine or (manager=True) swarm does not exist yet.

    None means: treat the present state as empty and predict the complete change. Outside check mode, this is an EngineError.
    Of `module`, only `check_mode` and `warn()` are used.
    """
    try:
        client = connect(timeout=timeout)
        if manager:
            require_manager(client)
        return client
    except EngineError as exc:
        if not module.check_mode:
            raise
        module.warn("Check mode predicts from an empty state: %s" % exc.msg)
        return None
