# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Reads the state of the swarm and of one node. It reads only, and what does not answer is a part of the answer."""

from __future__ import annotations

import os
import time

from ..engine import client as engine, facts as engine_facts
from ..failure import Failure
from ..image import ledger
from ..network import io as network_io, plan as network_plan
from ..preflight import io as preflight_io
from ..registry import io as registry_io
from ..registry.http import RegistryClient, RegistryError
from ..service import io as service_io
from ..store import plan as store_plan
from ..volumes import io as volumes_io
from . import observe

LEADER_SECONDS = 10
"""How long to wait for a leader: an election takes about ten seconds."""
REGISTRY_SECONDS = 20
TAG_LIMIT = 500
"""Limits of the look at the registry's tags; what is beyond them is counted."""


def swarm(registry, with_registry, timeout):
    """The swarm as this manager sees it: `observe.swarm`, and "answered" (bool), "kind" and "error" (why not), "registry" (of `tags`, {} if not asked)."""
    answer = {"answered": False, "kind": "", "error": "", "nodes": [], "services": [], "images": {}, "registry": {}}
    try:
        client = engine.connect(timeout=timeout)
        client.patience = LEADER_SECONDS
        engine.require_manager(client)
        seen, pushed = service_io.snapshot(client), known(client)
        answer.update(observe.swarm(seen, pushed, registry, time.time()), answered=True, error=pushed["error"])
    except Failure as exc:
        silent = engine.leaderless("GET", exc.msg)
        answer.update(kind="no_leader" if silent else exc.failure["kind"], error=exc.msg)
    if with_registry:
        answer["registry"] = tags(registry)
    return answer


def known(client):
    """The ledger of images, and "error": a damaged one is told and does not hide the rest."""
    try:
        return dict(ledger.read(client), error="")
    except Failure as exc:
        if exc.failure["kind"] != "record_damaged":
            raise
        return {"images": {}, "archives": {}, "error": exc.msg}


def _client(registry):
    """A client of the registry on this machine."""
    host, _separator, port = registry.partition(":")
    return RegistryClient("http://%s:%s" % ("127.0.0.1" if host == "localhost" else host, port or "80"))


def tags(registry):
    """What this machine's registry has: {"answering", "health", "tags": [{"repository", "tag", "digest", "size"}], "more": number of tags not looked at}."""
    client = _client(registry)
    answering, health = client.health()
    found, more, deadline = [], 0, time.monotonic() + REGISTRY_SECONDS
    try:
        for repository in client.catalog() if answering else []:
            for tag in client.tags(repository):
                if len(found) >= TAG_LIMIT or time.monotonic() > deadline:
                    more += 1
                    continue
                found.append(dict(_tag(client, repository, tag), repository=repository, tag=tag))
    except RegistryError as exc:
        answering, health = False, exc.msg
    return {"answering": answering, "health": health, "tags": found, "more": more}


def _tag(client, repository, tag):
    """Digest and size of one tag. A list of images for several platforms has the size of its first one."""
    digest = client.digest(repository, tag)
    manifest = client.manifest(repository, digest) if digest else None
    if manifest and manifest.get("manifests"):
        manifest = client.manifest(repository, manifest["manifests"][0]["digest"])
    return {"digest": digest or "", "size": observe.size_of(manifest or {})}


def containers(timeout):
    """{"engine": {"running", "version", "error", "root"}, "containers": [...]} of this node, see `observe.containers`."""
    state = {"running": False, "version": "", "error": "", "root": engine_facts.EMPTY["root_dir"]}
    listed = []
    try:
        info = engine_facts.ask("/info", timeout)
        state.update(version=info.get("ServerVersion") or "", root=info.get("DockerRootDir") or state["root"])
        listed = engine_facts.ask("/containers/json?all=1", timeout)
        state["running"] = True
    except (OSError, RuntimeError) as exc:
        state["error"] = str(exc)
    return {"engine": state, "containers": observe.containers(listed)}


def node(params):
    """This node: `containers`, and {"disks", "memory", "store", "registry", "volumes", "packet_filter"}; what does not answer has a text instead."""
    facts = containers(params["timeout"])
    facts["disks"] = [preflight_io.disk(path) for path in dict.fromkeys(["/", params["data"], facts["engine"]["root"], params["home"]])]
    facts["memory"] = preflight_io.memory()
    facts["store"] = {"path": params["home"], "mounted": store_plan.mounted_at(preflight_io.mounts(), params["home"])}
    facts["registry"] = registry(params) if any(item["role"] == "registry" for item in facts["containers"]) else {}
    facts["volumes"] = volumes(params["volumes_dir"])
    facts["packet_filter"] = packet_filter()
    return facts


def packet_filter():
    """Whether the rules of the last run are in force: {"made" (whether there are any), "changed" (others are there now), "unused" (the engine sends nothing
    through them), "error"}.
    """
    state = {"made": os.path.exists(network_io.SCRIPT), "changed": False, "unused": False, "error": ""}
    if state["made"]:
        try:
            found, saved = network_io.read()
            state.update(changed=found["live"] != found["recorded"], unused=not network_plan.engine_uses_it(saved))
        except (Failure, OSError) as exc:
            state["error"] = str(exc)
    return state


def registry(params):
    """The registry of this node: {"answering", "health", "store" (id of the store it serves, "" if it cannot be read), "error"}."""
    answering, health = _client(params["registry"]).health()
    try:
        return {"answering": answering, "health": health, "store": registry_io.read_store(params["registry_store"])["marker"] or "", "error": ""}
    except Failure as exc:
        return {"answering": answering, "health": health, "store": "", "error": exc.msg}


def volumes(directory):
    """{name: {"path", "state" (ok, none, stale, foreign), "why", "active"}} of the data volumes that this node has."""
    place = volumes_io.Node(directory, "")
    found = {}
    for name in volumes_io.present():
        seen = volumes_io.inspect(name, place)
        found[name] = {"path": place.path(name), "state": seen["mount"], "why": seen["why"], "active": seen["active"]}
    return found


def logs(wanted, lines, host):
    """The last lines of the tasks of a service, or of all services of a role: {"found": [names], "lines": [text]}.

    Tasks of a node that is down are left out: the engine would wait for it. host: if not empty, the name of this machine, whose container `wanted` is asked
    instead of the swarm.
    """
    client = engine.connect(timeout=service_io.LOG_TIMEOUT)
    client.patience = LEADER_SECONDS
    if not host:
        engine.require_manager(client)
        names, tasks = observe.tasks_for_logs(service_io.snapshot(client), wanted)
        texts = [(task["host"], task["service"], _log(client, "/tasks/%s/logs" % task["id"], lines)) for task in tasks]
        return {"found": names, "lines": observe.log_lines(texts, lines)}
    if any(item["name"] == wanted for item in observe.containers(engine.get(client, "/containers/json", params={"all": "true"}) or [])):
        return {"found": [wanted], "lines": observe.log_lines([(host, wanted, _log(client, "/containers/%s/logs" % wanted, lines))], lines)}
    return {"found": [], "lines": []}


def _log(client, path, lines):
    """The end of a log with the time of each line. A log that does not come is one line that says so."""
    try:
        data = engine.get(client, path, params={"stdout": 1, "stderr": 1, "timestamps": 1, "tail": lines}, decode=False, timeout=service_io.LOG_TIMEOUT)
    except engine.EngineError as exc:
        return "(its log cannot be read: %s)" % " ".join(exc.msg.split())
    return engine.demultiplex(data)
