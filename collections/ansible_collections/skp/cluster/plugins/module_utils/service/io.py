# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The swarm I/O of `skp_service`: reading the state, applying one action, waiting, gates.

Typical use: `state = read_state(client, role)`, a plan from `service.plan`, then `converge(...)`. A module with its own order calls
`ensure_objects`, per action `apply_action` and `wait_for`, at the end `drop_objects`.
"""

from __future__ import annotations

import base64
import copy
import functools
import time

from ..engine import client as engine
from ..failure import Failure
from ..image import ledger
from ..registry.http import RegistryClient, RegistryError
from . import plan as service_plan, watch as service_watch
from .build import lowest_engine
from .spec import HASH_LABEL, ROLE_LABEL, Spec

POLL_SECONDS = 0.3
LOG_LINES = 12
LOG_TIMEOUT = 6
"""Time limit for the logs of a task: a node that has just failed never sends them."""
STARTING_LIMIT = 30
"""Seconds in which a service that has just started becomes healthy, or has failed: whether the gate guards it depends on that."""
NETWORK_LIMIT = 20
"""Seconds in which a network is free of the tasks that have ended."""
UNKNOWN_LIMIT = 60
"""Seconds. A new leader knows no node's state; it gives a silent one up after two grace periods, 30 s (swarmkit, dispatcher/nodes.go)."""


def _node(raw):
    spec, description = raw["Spec"], raw.get("Description") or {}
    labels = spec.get("Labels") or {}
    facts = {
        "node.id": raw["ID"],
        "node.hostname": description.get("Hostname", ""),
        "node.role": spec.get("Role", ""),
        "node.platform.os": (description.get("Platform") or {}).get("OS", ""),
        "node.platform.arch": (description.get("Platform") or {}).get("Architecture", ""),
    }
    facts.update({"node.labels." + key: value for key, value in labels.items()})
    facts.update({"engine.labels." + key: value for key, value in ((description.get("Engine") or {}).get("Labels") or {}).items()})
    return {
        "id": raw["ID"],
        "hostname": description.get("Hostname", ""),
        "host": labels.get("skp.host"),
        "engine": (description.get("Engine") or {}).get("EngineVersion", ""),
        "facts": facts,
        "state": raw["Status"]["State"],
        "ready": raw["Status"]["State"] == "ready",
        "availability": spec.get("Availability", "active"),
        "active": spec.get("Availability", "active") == "active",
        "address": raw["Status"].get("Addr", ""),
        "message": raw["Status"].get("Message", ""),
        "leader": bool((raw.get("ManagerStatus") or {}).get("Leader")),
        "reachability": (raw.get("ManagerStatus") or {}).get("Reachability", ""),
    }


def _nodes(client):
    return [_node(raw) for raw in engine.get(client, "/nodes", what="listing the swarm's nodes") or []]


def oldest_engine(client):
    """See `build.lowest_engine`; None without a client."""
    return lowest_engine(_nodes(client)) if client else None


def _settled_nodes(client):
    """The nodes, after a new leader has heard from each or has given it up; a node is still unknown only after UNKNOWN_LIMIT."""
    deadline = time.monotonic() + UNKNOWN_LIMIT
    while True:
        nodes = _nodes(client)
        if not any(node["state"] == "unknown" for node in nodes) or time.monotonic() >= deadline:
            return nodes
        time.sleep(POLL_SECONDS)


def _services(client, role=None):
    params = {"filters": {"label": ["%s=%s" % (ROLE_LABEL, role)]}} if role else None
    return {
        raw["Spec"]["Name"]: {
            "id": raw["ID"],
            "version": raw["Version"]["Index"],
            "spec": raw["Spec"],
            "update_state": (raw.get("UpdateStatus") or {}).get("State") or "",
        }
        for raw in engine.get(client, "/services", params=params, what="listing services") or []
    }


def _tasks(client, service_ids=None):
    """Raw tasks, of these services or of all (the tasks of a removed service are only in the complete list)."""
    if service_ids is not None and not service_ids:
        return []
    params = {"filters": {"service": sorted(service_ids)}} if service_ids else None
    return engine.get(client, "/tasks", params=params, what="listing tasks") or []


def _text(data):
    """Text of a config's base64 data from the engine; invalid UTF-8 bytes become replacement characters."""
    return base64.b64decode(data or "").decode("utf-8", "replace")


def _objects(client, role, kind):
    found = engine.get(client, "/%ss" % kind, params={"filters": {"label": ["%s=%s" % (ROLE_LABEL, role)]}}, what="listing %ss" % kind)
    return {
        raw["Spec"]["Name"]: {
            "id": raw["ID"],
            "hash": (raw["Spec"].get("Labels") or {}).get(HASH_LABEL, ""),
            "text": _text(raw["Spec"].get("Data")) if kind == "config" else None,
        }
        for raw in found or []
    }


def read_state(client, role, renamed=None):
    """The state for `service.plan` (see there), read in six calls. client None gives EMPTY_STATE. renamed: see `service.plan.with_names`."""
    if client is None:
        return copy.deepcopy(service_plan.EMPTY_STATE)
    services = _services(client)
    mine = {name: item for name, item in services.items() if Spec(item["spec"]).role == role}
    state = {
        "nodes": _settled_nodes(client),
        "networks": _networks(client, mine),
        "services": services,
        "configs": _objects(client, role, "config"),
        "secrets": _objects(client, role, "secret"),
        "tasks": _tasks(client, {item["id"] for item in mine.values()}),
    }
    return service_plan.with_names(state, renamed) if renamed else state


def snapshot(client):
    """What the swarm is and runs, for people who only look: {"nodes", "networks", "services", "tasks"} as in `read_state`, of all roles. Four calls."""
    services = _services(client)
    return {"nodes": _nodes(client), "networks": _networks(client, services), "services": services, "tasks": _tasks(client)}


def _networks(client, services):
    """{id: name} of the swarm's networks and of those that the services use."""
    networks = {
        raw["Id"]: raw["Name"] for raw in engine.get(client, "/networks", what="listing networks") or [] if raw["Scope"] == "swarm"
    }
    for item in services.values():
        for attachment in item["spec"]["TaskTemplate"].get("Networks") or []:
            if attachment["Target"] not in networks:
                # The swarm's own "host" network is not listed; its id must be inspected to get the name.
                networks[attachment["Target"]] = _network_name(client, attachment["Target"])
    return networks


def _network_name(client, network_id):
    try:
        return engine.get(client, "/networks/%s" % network_id)["Name"]
    except engine.EngineError as exc:
        if exc.failure.get("status") != 404:
            raise
        return network_id


def resolve_images(client, images, registry, missing_ok=False, rebuilt=()):
    """{image: digest} of the images (named by tag) of the cluster's registry; other images are not in the result.

    The digest is that of the ledger: what this cluster has pushed under the tag, whatever the tag in the registry is now.
    missing_ok (check mode): an image that is not known or missing, or a registry that does not answer, gives None; otherwise a Failure that says how to
    push the image. rebuilt: images that this run would build anew (check mode): their digest is not known yet, None. client: None in check mode before
    there is an engine.
    """
    host, _separator, port = registry.partition(":")
    reader = RegistryClient("http://%s:%s" % ("127.0.0.1" if host == "localhost" else host, port or "80"))
    digests = ledger.trusted_digests(client, images, registry)
    digests.update({image: None for image in digests if image in rebuilt})
    for image, digest in digests.items():
        if digest is None:
            if not missing_ok:
                raise ledger.refuse_unknown(image)
            continue
        try:
            digests[image] = reader.digest(image[len(registry) + 1 :].partition(":")[0], digest)
        except RegistryError as exc:
            if not missing_ok:
                raise Failure(
                    "The registry %s on this manager did not return the digest of %s: %s. Start it first (--tags registry); if this manager has no "
                    "label registry, give it one in hosts.json, or run when the master answers."
                    % (registry, image, exc),
                    kind="registry",
                    image=image,
                ) from exc
            digests[image] = None
        if digests[image] is None and not missing_ok:
            raise Failure(
                "Image %s is not in the registry. Build and push it first: ansible-playbook site.yml --tags images" % image,
                kind="image_missing",
                image=image,
            )
    return digests


def with_ids(payload, state):
    """A planned payload as the API expects it: networks, configs and secrets by id."""
    body = copy.deepcopy(payload)
    ids = {name: network_id for network_id, name in state["networks"].items()}
    for attachment in body["TaskTemplate"].get("Networks") or []:
        name = attachment["Target"]
        if name not in ids and name != "host":
            raise Failure(
                "Service %s needs the network %s, which does not exist in the swarm. Create it first (--tags swarm)." % (body["Name"], name),
                kind="network_missing",
                network=name,
                service=body["Name"],
            )
        attachment["Target"] = ids.get(name, name)
    container = body["TaskTemplate"]["ContainerSpec"]
    for title in ("Config", "Secret"):
        for reference in container.get(title + "s") or []:
            reference[title + "ID"] = state[title.lower() + "s"][reference[title + "Name"]]["id"]
    return body


def ensure_objects(client, plan, state, role):
    """Create the plan's configs and secrets and add them to state."""
    for kind in ("config", "secret"):
        for name, item in plan[kind + "s"]["create"].items():
            body = {"Name": name, "Labels": {ROLE_LABEL: role, HASH_LABEL: item["hash"]}, "Data": item["data"]}
            answer = engine.post(client, "/%ss/create" % kind, body, what="creating %s %s" % (kind, name))
            state[kind + "s"][name] = {"id": answer["ID"], "hash": item["hash"], "text": item["text"]}


def create_networks(client, networks, state):
    """Make networks of `service.plan.plan_networks` and add them to state."""
    for network in networks:
        answer = engine.post(client, "/networks/create", network["body"], what="creating the network %s" % network["name"])
        state["networks"][answer["Id"]] = network["name"]


def remove_networks(client, role, warn):
    """Remove the networks of a role. One that is still in use after NETWORK_LIMIT stays, with a warning."""
    found = engine.get(client, "/networks", params={"filters": {"label": ["%s=%s" % (ROLE_LABEL, role)], "driver": ["overlay"]}}, what="listing networks")
    deadline = time.monotonic() + NETWORK_LIMIT
    for network in found or []:
        while True:
            try:
                engine.delete(client, "/networks/%s" % network["Id"], what="removing the network %s" % network["Name"])
                break
            except engine.EngineError as exc:
                if "in use" not in exc.msg and "active endpoints" not in exc.msg:
                    raise
                if time.monotonic() > deadline:
                    warn("The network %s is still in use and was not removed: %s" % (network["Name"], exc.msg))
                    break
                time.sleep(POLL_SECONDS)


def drop_objects(client, plan, warn=None):
    """Remove configs and secrets that are no longer used. One that is still in use stays, with a warning."""
    for kind in ("config", "secret"):
        for name, object_id in plan[kind + "s"]["drop"].items():
            try:
                engine.delete(client, "/%ss/%s" % (kind, object_id), what="removing %s %s" % (kind, name))
            except engine.EngineError as exc:
                if "in use" not in exc.msg:
                    raise
                if warn:
                    warn("%s %s is still in use and was not removed: %s" % (kind, name, exc.msg))


def apply_action(client, state, action):
    """Do one action of the plan (create, update, replace, remove) and return at once; `wait_for` waits for its result.

    Returns the ids of tasks of the old spec that look like tasks of the new one; pass them to `wait_for` as `stale`.
    """
    name = action["name"]
    if action["do"] == "remove":
        engine.delete(client, "/services/%s" % action["id"], what="removing service %s" % name)
        return frozenset()
    body = with_ids(action["payload"], state)
    if action["do"] == "replace":
        engine.delete(client, "/services/%s" % action["id"], what="removing service %s" % name)
    if action["do"] in ("create", "replace"):
        engine.post(client, "/services/create", body, what="creating service %s" % name)
        return frozenset()
    stale = frozenset()
    if any(field.startswith("EndpointSpec") for field in action["fields"]):
        stale = frozenset(task["ID"] for task in _tasks(client, [action["id"]]))
    _update(client, action["id"], name, body)
    return stale


def _update(client, service_id, name, body):
    def change(spec):
        # Keep this counter: every change of it restarts the service.
        body["TaskTemplate"]["ForceUpdate"] = spec["TaskTemplate"].get("ForceUpdate", 0)
        return body

    engine.update(client, "/services/%s" % service_id, change, "reading service %s" % name, "updating service %s" % name)


def task_logs(client, task_id, lines=LOG_LINES):
    """The last lines of a task's log, '' if they cannot be read."""
    try:
        data = engine.get(
            client, "/tasks/%s/logs" % task_id, params={"stdout": 1, "stderr": 1, "tail": lines}, decode=False, timeout=LOG_TIMEOUT
        )
    except engine.EngineError:
        return ""
    return engine.demultiplex(data)


def wait_for(client, role, names, timeout, settle=3.0, stale=frozenset(), removed=None, state=None):
    """Wait until these services of a role run, and until the tasks of removed services have ended.

    names: services to wait for. timeout: seconds for all. settle: seconds a task must have been up. stale: from `apply_action`.
    removed: {service id: name}. state: a snapshot from `read_state` that is checked first, so that a run with nothing to do makes no call.
    Returns {"tasks": {service: [host, ...]}, "pending_down": [{"service", "host", "reason"}]}. Raises Failure with the tasks' own error
    messages after the deadline, or as soon as a task has been rejected so often that waiting is useless.
    """
    removed = dict(removed or {})
    deadline = time.monotonic() + timeout
    first_seen, finished = {}, None
    while True:
        if state is None:
            services = _services(client, role)
            tasks = _tasks(client) if removed else _tasks(client, {services[name]["id"] for name in names if name in services})
            nodes = _nodes(client)
        else:
            services, tasks, nodes, state = state["services"], state["tasks"], state["nodes"], None
        gone = [name for name in names if name not in services]
        if gone:
            raise Failure(
                "Service %s disappeared during the wait; another client removed it. Run again." % ", ".join(gone),
                kind="disappeared",
                services=gone,
            )
        if finished is None:
            finished = service_watch.finished_ids(tasks)
        ages = _ages(tasks, first_seen)
        verdicts = {name: service_watch.judge(name, services[name], tasks, nodes, ages, settle, stale, finished) for name in names}
        waiting = [problem for verdict in verdicts.values() for problem in verdict["waiting"]]
        leaving = _leaving(tasks, nodes, removed)
        if not waiting and not leaving:
            return {
                "tasks": {name: sorted(item["host"] for item in verdict["running"]) for name, verdict in verdicts.items()},
                "pending_down": [item for verdict in verdicts.values() for item in verdict["down"]],
            }
        late = time.monotonic() >= deadline
        if late or any(problem["hard"] for problem in waiting):
            raise _not_running(client, role, waiting, leaving, len(names), timeout if late else None)
        time.sleep(POLL_SECONDS)


def _ages(tasks, first_seen):
    """Seconds that each running task has been up: from the node's time stamp, or measured here if the node's clock is ahead."""
    now, clock = time.time(), time.monotonic()
    ages = {}
    for task in tasks:
        if task["Status"]["State"] == "running":
            watched = clock - first_seen.setdefault(task["ID"], clock)
            ages[task["ID"]] = max(watched, service_watch.seconds_since(task["Status"].get("Timestamp"), now))
    return ages


def _leaving(tasks, nodes, removed):
    """Lines for tasks of removed services that still run on reachable nodes."""
    ready = {node["id"]: node["host"] or node["hostname"] for node in nodes if node["ready"]}
    return sorted(
        "%s on %s: removed, but its task is still %s" % (removed[task["ServiceID"]], ready[task["NodeID"]], task["Status"]["State"])
        for task in tasks
        if task["ServiceID"] in removed and task.get("NodeID") in ready
    )


def _not_running(client, role, waiting, leaving, total, timeout):
    """The error of a wait. Permanent problems first; log lines of at most three tasks."""
    ordered = sorted(waiting, key=lambda problem: (not problem["hard"], problem["service"]))
    lines = []
    for index, problem in enumerate(ordered[:10]):
        logs = task_logs(client, problem["task"]) if index < 3 and problem["task"] else ""
        problem["logs"] = logs
        lines.append("  " + service_watch.explain(problem, logs))
    if len(ordered) > 10:
        lines.append("  and %d more" % (len(ordered) - 10))
    lines += ["  " + text for text in leaving]
    bad = len({problem["service"] for problem in waiting})
    head = "%d of %d services of role %s %s" % (bad, total, role, "cannot run" if timeout is None else "are not running after %g s" % timeout)
    if not waiting:
        head = "Removed services of role %s have not stopped after %g s" % (role, timeout)
    return Failure(head + ":\n" + "\n".join(lines), kind="not_running", role=role, problems=ordered, leaving=leaving, timeout=timeout)


def _stopped(client, role, name):
    """Whether a service has no running task on a node that answers."""
    services = _services(client, role)
    tasks = _tasks(client, {services[name]["id"]} if name in services else set())
    return name not in service_plan.running_names({"services": services, "tasks": tasks, "nodes": _nodes(client)})


def converge(client, role, plan, state, wanted, wait=True, timeout=300, settle=3.0, serial=0, gate=None, warn=None):
    """Apply a plan. wanted: names of all services that should run afterwards (for the wait). gate: a callable that returns
    when it is safe to stop a running service, or raises; see `gate_runner`. timeout counts for each wait.

    serial 0: submit all actions, then wait once. serial 1: first the actions that stop nothing, then one action at a time with a wait
    after each. The gate runs before the first and after each action except removals: it would wait for the removed service for ever.
    Where nothing can be done before the gate opens, configs and secrets are made after it too: a refused run leaves none behind.
    Returns the result of the last `wait_for`, or {} with wait=False.
    """
    first, gated = plan["actions"], []
    if serial:
        first, gated = service_plan.order_serial(plan, service_plan.running_names(_started(client, state, plan["actions"])))
    gate_first = bool(gate)
    if gated and gate and not first:
        gate(functools.partial(_stopped, client, role, gated[0]["name"]))
        gate_first = False
    ensure_objects(client, plan, state, role)
    stale, removed = frozenset(), {}
    for action in first:
        stale |= apply_action(client, state, action)
        if action["do"] in ("remove", "replace"):
            removed[action["id"]] = action["name"]
    still = {action["name"] for action in gated}
    result = {}
    if wait:
        names = [name for name in wanted if name not in still]
        result = wait_for(client, role, names, timeout, settle, stale, removed, None if plan["actions"] else state)
    for action in gated:
        if gate_first:
            gate(functools.partial(_stopped, client, role, action["name"]))
        stale |= apply_action(client, state, action)
        gone = {action["id"]: action["name"]} if action["do"] in ("remove", "replace") else {}
        wait_for(client, role, [] if action["do"] == "remove" else [action["name"]], timeout, settle, stale, gone)
        gate_first = bool(gate) and service_plan.asks_gate_after(action)
    if gated and gate_first:
        gate()
    if gated and wait:
        result = wait_for(client, role, list(wanted), timeout, settle, stale)
    drop_objects(client, plan, warn)
    return result


def _started(client, state, actions):
    """The state with the tasks as they are when no service to be restarted is about to become healthy any more, or after STARTING_LIMIT."""
    deadline, snapshot = time.monotonic() + STARTING_LIMIT, state
    while service_plan.starting_names(snapshot, actions) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        snapshot = dict(state, tasks=_tasks(client, {action["id"] for action in actions if action.get("id")}))
    return snapshot


def gate_runner(client, role, gate, image, network, timeout):
    """A gate for `converge`: runs gate["command"] in a one-shot container on this manager until it exits with 0.

    image: the gate's image by digest. network: name of an attachable network, or 'host'. The gate's argument says whether the service to be
    stopped has stopped by itself meanwhile (its node died): then the gate, which would wait for it, is left. Raises Failure with the
    container's last output if it has not exited with 0 after `timeout` seconds.
    """
    name = "skp-gate-%s" % role
    body = service_plan.gate_container(gate, image, role, network)

    def run_once():
        engine.delete(client, "/containers/%s" % name, params={"force": 1, "v": 1}, what="removing an old gate container")
        try:
            engine.post(client, "/containers/create", body, params={"name": name}, what="creating the gate container")
        except engine.EngineError as exc:
            if exc.failure.get("status") != 404 or "image" not in exc.msg.lower():
                raise
            engine.post(
                client,
                "/images/create",
                params={"fromImage": image},
                decode=False,
                timeout=timeout,
                what="pulling the gate's image %s" % image,
            )
            engine.post(client, "/containers/create", body, params={"name": name}, what="creating the gate container")
        try:
            engine.post(client, "/containers/%s/start" % name, what="starting the gate container")
            code = engine.post(client, "/containers/%s/wait" % name, timeout=timeout, what="waiting for the gate")["StatusCode"]
            output = engine.demultiplex(
                engine.get(client, "/containers/%s/logs" % name, params={"stdout": 1, "stderr": 1, "tail": LOG_LINES}, decode=False)
            )
        finally:
            engine.delete(client, "/containers/%s" % name, params={"force": 1, "v": 1}, what="removing the gate container")
        return code, output

    def opened(stopped=lambda: False):
        deadline = time.monotonic() + timeout
        while True:
            try:
                code, output = run_once()
            except engine.EngineError as exc:
                # An engine that is attaching networks refuses for a short time; the deadline decides.
                code, output = None, exc.msg
            if code == 0 or stopped():
                return
            if time.monotonic() >= deadline:
                raise Failure(
                    "The gate of role %s did not succeed within %g s, so no other service was changed "
                    "(command: %s; exit code %s). Its output:\n%s"
                    % (role, timeout, " ".join(gate["command"]), code, output.rstrip("\n")),
                    kind="gate",
                    role=role,
                    exit_code=code,
                    output=output,
                )
            time.sleep(POLL_SECONDS)

    return opened
