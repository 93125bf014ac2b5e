# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Plans the changes from the present to the desired state: pure functions of plain data.

State, as returned by `service.io.read_state` (`EMPTY_STATE` before the first run):
  nodes      [{"id", "hostname", "host" (label skp.host or None), "ready": bool, "active": bool, "state", "availability", "facts": {...}}]
  networks   {id: name}
  services   {name: {"id", "version": int, "spec": raw spec, "update_state": text or ""}}  every service of the swarm
  configs, secrets   {name: {"id", "hash", "text" (content, configs only)}}  those of the role
  tasks      raw tasks of the role's services
"""

from __future__ import annotations

import copy

from ..failure import Failure
from ..members.plan import natural_key
from .diff import object_diffs, service_diff
from .spec import HASH_LABEL, HOST_CONSTRAINT, ROLE_LABEL, SECRETS_LABEL, Spec

EMPTY_STATE = {"nodes": [], "networks": {}, "services": {}, "configs": {}, "secrets": {}, "tasks": []}


def _concerns(specs, nodes, limit_hosts):
    """Whether a service (its present and its wanted `Spec`, each may be None) concerns one of the hosts of --limit."""
    if not limit_hosts:
        return True
    for spec in specs:
        if spec is None:
            continue
        if spec.host is not None:
            if spec.host in limit_hosts:
                return True
        elif not nodes or any(node["host"] in limit_hosts and spec.allows(node) for node in nodes):
            return True
    return False


def _present(state, role):
    """{name: `Spec`} of the role's services in the swarm."""
    specs = {name: Spec(item["spec"], state["networks"]) for name, item in state["services"].items()}
    return {name: spec for name, spec in specs.items() if spec.role == role}


def plan_services(state, desired, role, limit_hosts=None):
    """The changes that make the role's services exactly `desired`.

    state: see above. desired: list of `service.build.build_service` results. limit_hosts: if not empty, services that concern none of
    these hosts are not changed.

    Returns {
      "actions": [{"do": create|update|replace|remove, "name", "host", "payload" (not for remove), "id", "fields": [changed fields],
                   "restarts": bool (running tasks are stopped)}],
                 in order: removals, then creations, then updates, each by natural name
      "configs", "secrets": {"create": {object name: {...}}, "drop": {object name: id}},
      "unchanged": [name, ...], "skipped": [name, ...] (outside limit_hosts), "changed": bool,
      "diff": [{"before_header", "after_header", "before", "after"}],
    }
    Raises Failure if a name is used by a service that is not the role's, or appears twice.
    """
    present = _present(state, role)
    _refuse_names(state, desired, present, role)
    wanted = {service["name"]: Spec(service["payload"]) for service in desired}
    removals, creations, updates, unchanged, skipped, diff = [], [], [], [], [], []
    in_use, users = {"config": set(), "secret": set()}, {"config": {}, "secret": {}}
    for name in sorted(set(present) | set(wanted), key=natural_key):
        before, after = present.get(name), wanted.get(name)
        concerned = _concerns([before, after], state["nodes"], limit_hosts)
        stays = after if concerned else before
        for kind in in_use:
            in_use[kind] |= stays.objects(kind) if stays else set()
            for spec in filter(None, (before, after)):
                for item in spec.objects(kind):
                    users[kind].setdefault(item, set()).add(name)
        if not concerned:
            skipped.append(name)
            continue
        action = _action(name, before, after, state["services"].get(name))
        if action is None:
            unchanged.append(name)
            continue
        {"remove": removals, "create": creations}.get(action["do"], updates).append(action)
        diff.append(service_diff(name, before, after))

    objects = {}
    for kind in in_use:
        kept, have = in_use[kind], state[kind + "s"]
        offered = {}
        for service in desired:
            if service["name"] not in skipped:
                offered.update(service[kind + "s"])
        create = {name: item for name, item in offered.items() if name not in have}
        drop = {name: item["id"] for name, item in have.items() if name not in kept}
        objects[kind + "s"] = {"create": create, "drop": drop}
        diff += object_diffs(kind, create, {name: have[name] for name in drop}, users[kind])
    # One at a time means in the order that the role gives: what others need comes first.
    position = {name: number for number, name in enumerate(wanted)}
    updates.sort(key=lambda action: position[action["name"]])
    actions = removals + creations + updates
    changed = bool(actions) or any(part[verb] for part in objects.values() for verb in ("create", "drop"))
    return dict(objects, actions=actions, unchanged=unchanged, skipped=skipped, changed=changed, diff=diff)


def _refuse_names(state, desired, present, role):
    """Refuse a name that is listed twice, or that a service of another owner has."""
    names = [service["name"] for service in desired]
    for name in names:
        if names.count(name) > 1:
            raise Failure(
                "Service %s is listed twice for role %s; names must be unique." % (name, role), kind="duplicate", service=name
            )
        if name in state["services"] and name not in present:
            owner = Spec(state["services"][name]["spec"]).role
            raise Failure(
                "Service %s already exists and belongs to %s, not to role %s. Remove it (docker service rm %s) or rename the role's service."
                % (name, "role " + owner if owner else "no role (it has no label %s)" % ROLE_LABEL, role, name),
                kind="foreign_service",
                service=name,
                owner=owner,
            )


def _action(name, before, after, found):
    """The action that turns one service's specification into another, or None. found: its entry of the state, or None."""
    if after is None:
        return {"do": "remove", "name": name, "host": before.host, "id": found["id"], "fields": [], "restarts": True}
    action = {"name": name, "host": after.host, "payload": after.raw, "fields": [], "restarts": False}
    if before is None:
        return dict(action, do="create", id=None)
    fields = before.changes_to(after)
    if not fields:
        # A paused update did not reach all nodes: the spec is right, but some tasks are old.
        if found["update_state"] not in ("paused", "rollback_paused"):
            return None
        fields = ["(a paused update)"]
    action.update(id=found["id"], fields=fields)
    if before.mode != after.mode:
        # Swarm refuses to change the mode of a service (replicated, global).
        return dict(action, do="replace", restarts=True)
    # Undoing a manual scale does not stop the remaining task; the other fields only describe the service.
    quiet = ("Labels", "UpdateConfig", "RollbackConfig", "Mode")
    action["restarts"] = any(field.partition(".")[0] not in quiet for field in fields)
    if not action["restarts"] and before.reordered(after):
        action.update(restarts=True, fields=fields + ["TaskTemplate (order of its lists)"])
    return dict(action, do="update")


def plan_placement(record, state, desired, role, data_policy="refuse", limit_hosts=None):
    """The hosts and directories of services that own data, to be stored in the swarm; Failure if a service would move away from its data.

    record: {service name: {"host", "path", "node": id of its swarm node, if known}} of earlier runs; a node is known again when its host was renamed.
    data_policy: refuse | leave | moved.
    Returns the new record. Entries of removed services stay: a later run that starts them on another host is refused too.
    A move is one of three cases: a service is wanted on another host than the host of its data, or with another directory; or, in one run,
    a member leaves a host and a new one is added (a member's name ends with its id, so the label has moved).
    The Failure names the service, both places, and the variable that decides.
    """
    present = _present(state, role)
    owners = {service["name"]: service for service in desired if service["owns_data"] and service["host"]}
    hosts = {node["id"]: node["host"] for node in state["nodes"]}
    ids = {node["host"]: node["id"] for node in state["nodes"]}
    record = {name: dict(entry, host=hosts.get(entry.get("node")) or entry["host"]) for name, entry in record.items()}
    known = dict(record)
    for name, spec in present.items():
        if spec.host is not None and name in owners and name not in known:
            known[name] = {"host": spec.host, "path": _present_path(spec, owners[name])}
    in_scope = {
        name: service
        for name, service in owners.items()
        if not limit_hosts or service["host"] in limit_hosts or known.get(name, {}).get("host") in limit_hosts
    }

    moves = []
    for name in sorted(in_scope, key=natural_key):
        if name in known and known[name]["host"] != in_scope[name]["host"]:
            moves.append((name, known[name]["host"], known[name]["path"], name, in_scope[name]["host"]))
    other_paths = [name for name in sorted(in_scope, key=natural_key) if name in known and known[name]["path"] != in_scope[name]["owns_data"]]
    wanted = {service["name"] for service in desired}
    leaving = [
        name
        for name in sorted(present, key=natural_key)
        if name not in wanted and name in record and (not limit_hosts or record[name]["host"] in limit_hosts)
    ]
    entering = [name for name in sorted(in_scope, key=natural_key) if name not in present and name not in record]
    for index, name in enumerate(leaving):
        # Members differ in their number only. A role may also have services of several kinds, each with its own data.
        kin = [other for other in entering if other.rstrip("0123456789") == name.rstrip("0123456789")]
        if kin:
            new = kin[min(index, len(kin) - 1)]
            moves.append((name, record[name]["host"], record[name]["path"], new, in_scope[new]["host"]))
    if moves and data_policy == "refuse":
        lines = [
            "%s: its data is on %s in %s, but %s would now run on %s, where it would start empty."
            % (name, old, path, "it" if new == name else new, host)
            for name, old, path, new, host in moves
        ]
        raise Failure(
            "The label %s moved, but data does not move by itself. %s Nothing was changed. Set a variable: "
            "%s_data_policy=moved (you copied the data to the new host) or %s_data_policy=leave (start empty there; the old data is "
            "not changed), or move the label back." % (role, " ".join(lines), role, role),
            kind="data_moved",
            role=role,
            moves=[{"service": name, "from": old, "path": path, "new_service": new, "to": host} for name, old, path, new, host in moves],
        )
    if other_paths and data_policy == "refuse":
        lines = ["%s: its data is on %s in %s, but it would now use %s, where it would start empty."
                 % (name, known[name]["host"], known[name]["path"], in_scope[name]["owns_data"]) for name in other_paths]
        raise Failure(
            "The directory of %s changed (%s_data_dir or skp_data), but data does not move by itself. %s Nothing was changed. Set the variable back, "
            "or set %s_data_policy=moved (you moved the data to the new directory on every host) or %s_data_policy=leave (start empty there; the old "
            "data is not changed)." % (role, role, " ".join(lines), role, role),
            kind="data_moved",
            role=role,
            moves=[{"service": name, "from": known[name]["host"], "path": known[name]["path"], "to": in_scope[name]["host"],
                    "new_path": in_scope[name]["owns_data"]} for name in other_paths],
        )
    for name, service in in_scope.items():
        known[name] = {"host": service["host"], "path": service["owns_data"]}
        if service["host"] in ids:
            known[name]["node"] = ids[service["host"]]
    return known


def _present_path(spec, wanted):
    """The directory of the data that a present service (`Spec`) mounts where the wanted one mounts its own; the wanted one if it mounts none there."""
    path = wanted["owns_data"]
    mounts = {item.get("Source"): item["Target"] for item in _mounts(wanted["payload"]) if item.get("Source")}
    present = {item["Target"]: item.get("Source") for item in _mounts(spec.raw)}
    return present.get(mounts.get(path)) or path


def _mounts(raw):
    return (raw["TaskTemplate"].get("ContainerSpec") or {}).get("Mounts") or []


def missing_nodes(state, desired, limit_hosts=None):
    """{service name: host} of services pinned to a host whose name no swarm node has."""
    have = {node["host"] for node in state["nodes"]}
    return {
        service["name"]: service["host"]
        for service in desired
        if service["host"] and service["host"] not in have and (not limit_hosts or service["host"] in limit_hosts)
    }


def stopped_on_paused(state, actions):
    """[(service, host, availability)] of running tasks that these actions would stop on a node that takes no new ones.

    An update stops the old task first (swarmkit, updater): on a paused node nothing could take its place.
    """
    closed = {node["id"]: node for node in state["nodes"] if node["ready"] and not node["active"]}
    ids = {state["services"][action["name"]]["id"]: action["name"] for action in actions if action["do"] in ("update", "replace") and action["restarts"]}
    return sorted(
        (ids[task["ServiceID"]], closed[task["NodeID"]]["host"] or closed[task["NodeID"]]["hostname"], closed[task["NodeID"]]["availability"])
        for task in state["tasks"]
        if task["ServiceID"] in ids and task.get("NodeID") in closed and task["Status"]["State"] == "running" and task["DesiredState"] == "running"
    )


def old_secrets(state, role, generations):
    """{secret: (generation now, generation of the running services)} of secrets that are older than those that services of the role were made with."""
    found = {}
    for spec in _present(state, role).values():
        for item in filter(None, spec.labels.get(SECRETS_LABEL, "").split(",")):
            name, _separator, number = item.partition("=")
            if name in generations and number.isdigit() and int(number) > int(generations[name]):
                found[name] = (int(generations[name]), max(int(number), found.get(name, (0, 0))[1]))
    return found


def removed_elsewhere(state, actions, limit_hosts):
    """{service: hosts outside --limit} of services by label that these actions would remove from all their nodes."""
    found = {}
    for action in actions:
        spec = Spec(state["services"][action["name"]]["spec"]) if action["do"] == "remove" and limit_hosts else None
        if spec is not None and spec.host is None:
            hosts = sorted(node["host"] or node["hostname"] for node in state["nodes"] if node["host"] not in limit_hosts and spec.allows(node))
            if hosts:
                found[action["name"]] = hosts
    return found


def plan_labels(state, label_hosts, limit_hosts=None, joining=()):
    """The node labels that services by label need. label_hosts: {label: [hosts that have it in hosts.json]}.

    joining: in check mode, hosts that the same run would bring into the swarm: their nodes will be new ones, without these labels.

    Returns [{"id", "host", "label", "value": "enable" or None (removed)}]. Nodes without a host name, and those outside --limit, are not changed.
    """
    nodes = [node for node in state["nodes"] if node["host"] not in joining] + [{"id": "", "host": host, "facts": {}} for host in joining]
    return [
        {"id": node["id"], "host": node["host"], "label": label, "value": "enable" if node["host"] in hosts else None}
        for label, hosts in sorted(label_hosts.items())
        for node in sorted(nodes, key=lambda node: natural_key(node["host"] or ""))
        if node["host"]
        and (not limit_hosts or node["host"] in limit_hosts)
        and (node["host"] in hosts) != (node["facts"].get("node.labels." + label) == "enable")
    ]


def plan_networks(state, role, own_networks):
    """The overlay networks of a role that are not there yet. own_networks: {name: subnet}. Returns [{"name", "body" for the engine's API, "diff"}].

    Not attachable: a container that is no task of a service cannot join.
    """
    missing = sorted(set(own_networks) - set(state["networks"].values()))
    return [
        {
            "name": name,
            "body": {
                "Name": name, "Driver": "overlay", "Attachable": False, "Scope": "swarm", "Labels": {ROLE_LABEL: role},
                "IPAM": {"Driver": "default", "Config": [{"Subnet": own_networks[name]}]},
            },
            "diff": {"before_header": "network %s" % name, "after_header": "network %s" % name, "before": "", "after": "subnet: %s\n" % own_networks[name]},
        }
        for name in missing
    ]


def with_labels(state, steps):
    """The state after these steps of `plan_labels`: what the services are planned against."""
    after = dict(state, nodes=[dict(node, facts=dict(node["facts"])) for node in state["nodes"]])
    for step in steps:
        for node in after["nodes"]:
            if node["id"] == step["id"]:
                node["facts"]["node.labels." + step["label"]] = step["value"] or ""
    return after


def with_names(state, renamed):
    """The state after the swarm's playbook has renamed nodes: check mode predicts from it. renamed: {node id: new name}."""
    names = {node["host"]: renamed[node["id"]] for node in state["nodes"] if node["id"] in renamed}
    after = copy.deepcopy(state)
    for node in after["nodes"]:
        if node["id"] in renamed:
            node["host"] = node["facts"]["node.labels.skp.host"] = renamed[node["id"]]
    for service in after["services"].values():
        placement = service["spec"]["TaskTemplate"].get("Placement") or {}
        host = Spec(service["spec"]).host
        if host in names:
            placement["Constraints"] = [HOST_CONSTRAINT + names[host] if text.replace(" ", "") == HOST_CONSTRAINT + host else text
                                        for text in placement["Constraints"]]
    return after


def running_names(state):
    """Names of the services with a running task on a node that answers. The last report of a dead node's tasks is "running" too.

    A node whose state is unknown to a new leader counts as answering: its task may run.
    """
    gone = {node["id"] for node in state["nodes"] if not node["ready"] and node["state"] != "unknown"}
    up = {
        task["ServiceID"]
        for task in state["tasks"]
        if task["Status"]["State"] == "running" and task["DesiredState"] == "running" and task.get("NodeID") not in gone
    }
    return {name for name, service in state["services"].items() if service["id"] in up}


def starting_names(state, actions):
    """Names of the services that these actions would restart, and whose task has started but is not healthy yet, on a node that answers.

    They may serve already: engines before 25 look at the health for the first time after a whole interval.
    """
    ready = {node["id"] for node in state["nodes"] if node["ready"]}
    starting = {task["ServiceID"] for task in state["tasks"]
                if task["Status"]["State"] == "starting" and task["DesiredState"] == "running" and task.get("NodeID") in ready}
    return {action["name"] for action in actions if action["do"] != "create" and action["restarts"] and action.get("id") in starting}


def missing_everywhere(state, label_hosts):
    """{label: host} of labels none of whose hosts is in the swarm: a service by label would be "running" on no node."""
    have = {node["host"] for node in state["nodes"]}
    return {label: hosts[0] for label, hosts in sorted(label_hosts.items()) if hosts and not have & set(hosts)}


def order_serial(plan, running):
    """The plan's actions as steps of a run that changes one service at a time.

    running: names of services that run now. Returns (first, gated): `first` is done at once, because it stops no running service
    (creations, and updates of services that do not run: a gate might never succeed while they are broken); `gated` is done one by one.
    """
    first = [action for action in plan["actions"] if action["do"] == "create" or not action["restarts"] or action["name"] not in running]
    gated = [action for action in plan["actions"] if action not in first]
    # Updates before removals: a member is removed only when all remaining members are up to date.
    return first, [action for action in gated if action["do"] != "remove"] + [action for action in gated if action["do"] == "remove"]


def asks_gate_after(action):
    """Whether the gate runs after this action. Not after a removal: the gate would wait for the removed service for ever."""
    return action["do"] != "remove"


def gate_container(gate, image, role, network):
    """Body of the call that creates the one-shot container of a gate: the command replaces the image's entry point, as for a service."""
    return {
        "Image": image,
        "Entrypoint": gate["command"],
        "Cmd": [],
        "Labels": {"skp.role": role, "skp.gate": "1"},
        "HostConfig": one_shot(network),
    }


def one_shot(network):
    """The engine's HostConfig of a container that only asks others over the network, on a manager."""
    return {
        "NetworkMode": network,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": 512,
        "ReadonlyRootfs": True,
        # A JVM notes its own performance data there.
        "Tmpfs": {"/tmp": "size=64m"},
    }


def hashes(desired):
    """{service name: hash of its spec}."""
    return {service["name"]: service["payload"]["Labels"][HASH_LABEL] for service in desired}
