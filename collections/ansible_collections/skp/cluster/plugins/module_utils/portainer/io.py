# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Portainer's HTTP API, asked inside the network of its container: its port need not be published, and no password leaves the node."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import time
import uuid

from ..engine import client as engine
from ..failure import Failure
from . import plan

POLL_SECONDS = 1
TIMEOUT = 30
"""Seconds for one answer. Making an environment takes a look at all of its node."""
CLONE_NEWNET = 0x40000000


def process(client, service):
    """The first process of the running container of a service on this node, None if there is none."""
    label = "com.docker.swarm.service.name=%s" % service
    found = engine.get(client, "/containers/json", params={"filters": {"label": [label], "status": ["running"]}}, what="listing containers")
    return engine.get(client, "/containers/%s/json" % found[0]["Id"])["State"]["Pid"] if found else None


@contextlib.contextmanager
def network_of(pid):
    """Within the block, sockets are made in the network of a process. pid None: in our own."""
    if pid is None:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns is not in Python before 3.12
    mine, theirs = (os.open("/proc/%s/ns/net" % which, os.O_RDONLY) for which in ("self", pid))
    try:
        _enter(libc, theirs)
        try:
            yield
        finally:
            _enter(libc, mine)
    finally:
        os.close(mine)
        os.close(theirs)


def _enter(libc, namespace):
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns: %s" % os.strerror(ctypes.get_errno()))


class Api:
    """Portainer's API on a port of its container."""

    def __init__(self, port, pid=None):
        self._port, self._pid, self._token = port, pid, ""

    def ask(self, method, path, body=None, kind="application/json"):
        """(status, decoded answer: what JSON says, else text). Raises Failure if there is no answer."""
        headers = {"Content-Type": kind} if body is not None else {}
        if self._token:
            headers["Authorization"] = "Bearer " + self._token
        data = json.dumps(body) if body is not None and not isinstance(body, bytes) else body
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
        try:
            with network_of(self._pid):
                connection.connect()
            connection.request(method, "/api" + path, data, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as exc:
            raise Failure("Portainer: %s /api%s on port %s: no answer (%s)." % (method, path, self._port, exc), kind="portainer_silent") from exc
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def get(self, method, path, body=None, kind="application/json"):
        """What it answers to a call that must succeed."""
        status, answer = self.ask(method, path, body, kind)
        if status >= 300:
            raise Failure(
                "Portainer: %s /api%s: HTTP %d: %s. The log of its service may say more." % (method, path, status, words(answer)),
                kind="portainer_answer", status=status)
        return answer

    def login(self, name, password):
        """Whether it lets this account in; the next calls are this account's."""
        status, answer = self.ask("POST", "/auth", {"username": name, "password": password})
        if status == 200:
            self._token = answer["jwt"]
        elif status >= 500 or status == 429:
            raise Failure("Portainer: POST /api/auth: HTTP %d: %s. Try again in a minute." % (status, words(answer)), kind="portainer_answer", status=status)
        return status == 200


def words(answer):
    """The message of an answer. Never more of it: it may repeat what it was given."""
    return str(answer.get("details") or answer.get("message") or "no message")[:300] if isinstance(answer, dict) else "no message"


def multipart(fields):
    """(body, content type) of a form."""
    mark = uuid.uuid4().hex
    parts = ['--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (mark, name, value) for name, value in fields.items()]
    return ("".join(parts) + "--%s--\r\n" % mark).encode(), "multipart/form-data; boundary=" + mark


def look(api, params):
    """The present state, as `plan.plan` takes it. Ends logged in, if anybody was let in."""
    found = dict(plan.EMPTY, users={}, environments=[])
    # The calls after these are the helper's or the admin's. The helper before the admin: if its password is right, the admin's is only tried.
    found["gateway"] = bool(params["gateway_password"]) and api.login(params["gateway"], params["gateway_password"])
    found["helper"] = api.login(params["helper"], params["helper_password"])
    found["admin"] = api.login(params["admin"], params["password"])
    if found["helper"] or found["admin"]:
        found["users"] = {item["Username"]: item["Id"] for item in api.get("GET", "/users")}
        found["environments"] = api.get("GET", "/endpoints")
    return found


def apply(api, step, params):
    """Do one step."""
    if step["do"] == "create_environment":
        _until_agents_answer(api, step, params["timeout"])
        return
    if step["do"] == "remove_user":
        api.get("DELETE", "/users/%d" % step["id"])
        return
    password = {params["admin"]: params["password"], params["helper"]: params["helper_password"], params["gateway"]: params["gateway_password"]}[step["user"]]
    if step["do"] == "create_user":
        api.get("POST", "/users", {"username": step["user"], "password": password, "role": plan.ADMINISTRATOR})
    else:
        api.get("PUT", "/users/%d" % step["id"], {"newPassword": password})


def _until_agents_answer(api, step, seconds):
    """Make the environment. Portainer refuses while no agent answers it: they start at the same time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            api.get("POST", "/endpoints", *multipart(plan.form(step)))
            return
        except Failure as exc:
            if exc.failure.get("status") != 500 or time.monotonic() > deadline:
                raise
        time.sleep(POLL_SECONDS)


def await_nodes(api, url, count, seconds):
    """Wait until the environment shows a node for each running agent. Returns their names, by name."""
    deadline = time.monotonic() + seconds
    while True:
        number = plan.environment(api.get("GET", "/endpoints"), url)
        status, members = api.ask("GET", "/endpoints/%s/docker/v2/agents" % number)
        wrong = plan.unseen(members, count) if status == 200 else "HTTP %d: %s" % (status, words(members))
        if not wrong:
            return sorted({member["NodeName"] for member in members})
        if time.monotonic() > deadline:
            raise Failure(
                "Portainer: its environment %s. Expected all %d, since an agent runs on each. The agents find each other when they start. Start them "
                "again, on a manager: docker service update --force %s. Then run --tags portainer again." % (wrong, count, plan.service_of(url)),
                kind="portainer_agents", count=count)
        time.sleep(POLL_SECONDS)
