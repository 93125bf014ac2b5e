# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The only access to the Docker engine of the machine a module runs on.

`request()` sends plain JSON to the engine over its socket, with the standard library, and turns every failure into an `EngineError`. The Docker SDK takes
longer to import (0.3 s) than most modules take to find out that there is nothing to do. So only what it is better at, streams of builds and of images, goes
through it (`raw`), and it is imported when that is needed. No other file of the collection imports it.
"""

from __future__ import annotations

import http.client
import copy
import json
import os
import struct
import sys
import time
import traceback
import urllib.parse

from ..failure import Failure
from .spec import local_node_state
from .wire import DEFAULT_SOCKET, exchange, socket_path

MINIMUM_SDK = "5.0.3"
"""Docker SDK of Debian 12 (python3-docker); newer versions work too."""

MINIMUM_API = (1, 41)
"""Engine 20.10, the first with all service options that are used here (capabilities, ulimits, pids limit)."""


class EngineError(Failure):
    """The engine did not answer, or refused; `failure["status"]` is the HTTP status of its answer.

    Kinds used here: `sdk_missing`, `engine_unreachable`, `engine_elsewhere`, `api`, `api_version`, `not_swarm`, `not_manager`.
    """


class Engine:
    """This machine's engine.

    socket: its path. version: of the API, as text. timeout: seconds for each request. patience: seconds to wait for a leader of the swarm, None for
    LEADER_PATIENCE; who only says how things are sets it lower.
    """

    def __init__(self, socket, version, timeout):
        self.socket, self.version, self.timeout, self.patience = socket, version, timeout, None
        self._api = None

    @property
    def api(self):
        """The SDK's `docker.APIClient` of this engine, made at the first use. Raises EngineError if the SDK is missing."""
        if self._api is None:
            try:
                import docker
            except ImportError as exc:
                raise EngineError(
                    "The Docker SDK for Python (docker >= %s) is missing on this machine. Install python3-docker, or run the role "
                    "skp.cluster.engine (--tags engine)." % MINIMUM_SDK,
                    kind="sdk_missing",
                    traceback=traceback.format_exc(),
                ) from exc
            self._api = docker.APIClient(base_url="unix://" + self.socket, version=self.version, timeout=self.timeout)
        return self._api

    def exchange(self, method, path, query, body, headers, timeout):
        """(status, bytes) of one request. path is without the version. Raises OSError or http.client.HTTPException."""
        url = "/v%s%s%s" % (self.version, urllib.parse.quote(path, safe="/:@"), "?" + urllib.parse.urlencode(query) if query else "")
        return exchange(self.socket, method, url, body, headers, timeout)


def connect(timeout=60):
    """The `Engine` of this machine (a socket in DOCKER_HOST is honoured), its API version negotiated.

    timeout: seconds for each request. Raises EngineError if no engine answers, it is too old, or DOCKER_HOST names another machine's.
    """
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith("unix://"):
        raise EngineError(
            "DOCKER_HOST is %s on this machine; skp.cluster uses only the engine of the machine itself, over its socket. Unset DOCKER_HOST for the user that "
            "Ansible becomes, or set it to unix://%s." % (host, DEFAULT_SOCKET),
            kind="engine_elsewhere",
            found=host,
        )
    path = socket_path()
    try:
        status, content = exchange(path, "GET", "/version", timeout=timeout)
        found = json.loads(content)["ApiVersion"] if status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as exc:
        raise _silent("%s: %s" % (path, exc)) from exc
    if found is None:
        raise _silent("%s: GET /version: HTTP %d: %s" % (path, status, content.decode("utf-8", "replace").strip()[:500]))
    client = Engine(path, found, timeout)
    if api_version(client) < MINIMUM_API:
        raise EngineError(
            "The Docker engine of this machine supports API %s; at least %d.%d (engine 20.10) is required. Upgrade the engine."
            % ((found,) + MINIMUM_API),
            kind="api_version",
            found=found,
        )
    return client


def _silent(why):
    """The error of an engine that does not answer."""
    return EngineError(
        "The Docker engine of this machine does not answer: %s. Is docker.service running (systemctl status docker)?" % why, kind="engine_unreachable")


def api_version(client):
    """The negotiated API version as a tuple, such as (1, 45); None without a client (`connect_or_predict`)."""
    return tuple(int(part) for part in client.version.split(".")) if client else None


def raw(client):
    """The SDK's low-level client, for builds and for images that are moved. Imports the SDK; raises EngineError if it is missing."""
    return client.api


def sdk_errors():
    """The exceptions of the SDK, for `except`: those of its connection, and its own (a credential helper that is not there)."""
    docker = sys.modules.get("docker")
    return (OSError, docker.errors.DockerException) if docker else (OSError,)


LEADER_PATIENCE = 40
"""Seconds. When its leader dies, a swarm elects another one within about ten; until then every manager refuses."""


LEADERLESS = "does not have a leader"
"""In the engine's text: the swarm has no leader, and the call did nothing."""
NO_LEADER = (
    "the swarm has no leader, and none was elected in time: fewer than a majority of its managers answer. This call changed nothing. Start the other managers; "
    "only if they are permanently lost, see docs/swarm.md, \"Majority lost\". The engine says: %s"
)
"""Where a manager lost the majority after a run had asked it: the swarm's own text says what to check, not what to do."""


def leaderless(method, text):
    """Whether an error of the engine means that the swarm has no leader at the moment, and the same call may be sent again.

    `LEADERLESS` says that nothing was done. The others leave open what a writing call has done, so only reading ones are sent again.
    """
    if LEADERLESS in text:
        return True
    return method == "GET" and any(words in text for words in ("code = Unavailable", "code = DeadlineExceeded", "context deadline exceeded"))


def request(client, method, path, params=None, body=None, what=None, headers=None, timeout=None, decode=True):
    """One call of the engine's HTTP API. path is without the version, e.g. `/services/create`.

    params: query dict; a dict or list in it is sent as JSON (as the engine expects `filters`). body: JSON-able, or None.
    While the swarm elects a leader, the call is repeated for up to client.patience seconds where that is safe.
    Returns the decoded JSON (None for an empty answer), or the bytes with decode=False.
    Raises EngineError(kind="api", status=...) whose message starts with `what` (default: method and path).
    """
    query = {}
    for key, value in (params or {}).items():
        query[key] = json.dumps(value) if isinstance(value, (dict, list)) else value
    data = None
    if body is not None:
        data, headers = json.dumps(body).encode(), dict(headers or {}, **{"Content-Type": "application/json"})
    label = what or "%s %s" % (method, path)
    patience = getattr(client, "patience", None)
    deadline = time.monotonic() + (LEADER_PATIENCE if patience is None else patience)
    while True:
        try:
            status, content = client.exchange(method, path, query, data, headers, timeout or client.timeout)
        except (OSError, http.client.HTTPException) as exc:
            raise EngineError("%s: the Docker engine did not answer: %s" % (label, exc), kind="engine_unreachable", what=label) from exc
        if status < 400:
            break
        text = _message(content)
        if leaderless(method, text) and time.monotonic() < deadline:
            time.sleep(0.5)
            continue
        raise EngineError(
            "%s: %s" % (label, NO_LEADER % text.strip() if LEADERLESS in text else text.strip()),
            kind="api", status=status, what=label, engine_message=text.strip(),
        )
    if not decode:
        return content
    return json.loads(content) if content else None


def _message(content):
    """The engine's own text in the answer of a refused call."""
    text = content.decode("utf-8", "replace")
    try:
        return json.loads(text).get("message", text)
    except (ValueError, AttributeError):
        return text


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


UPDATE_ATTEMPTS = 5


def update(client, path, change, reading, updating, params=None):
    """Write change(spec) of the newest spec of a swarm object (a node, a service, the swarm itself) at `path`. Returns whether it was written.

    change(spec) returns the new spec, or None if nothing is to be written; it may change the spec it gets, and it is called again if another client wrote
    the object in between ("update out of sequence"; swarm itself does that too), or if the swarm lost its leader: then the update may have been done,
    so a second change(spec) must give the same result. reading, updating: for errors. params: more of the query.
    """
    for attempt in range(UPDATE_ATTEMPTS):
        found = get(client, path, what=reading)
        spec = change(copy.deepcopy(found["Spec"]))
        if spec is None:
            return False
        try:
            post(client, path + "/update", spec, params=dict(params or {}, version=found["Version"]["Index"]), what=updating)
            return True
        except EngineError as exc:
            if not ("out of sequence" in exc.msg or leaderless("GET", exc.msg)) or attempt == UPDATE_ATTEMPTS - 1:
                raise
    return False


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
