# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The state of the swarm and the answers of the ZooKeeper servers as the view for `zookeeper.plan`. Pure."""

from __future__ import annotations

import re

from ..service.spec import Spec
from ..service.watch import present_tasks
from . import config
from .spec import SERVERS_LABEL


def member_services(state, role, prefix):
    """{id: entry of state["services"]} of the role's member services."""
    found = {}
    for name, item in state["services"].items():
        match = re.match(r"^%s-(\d+)$" % re.escape(prefix), name)
        if match and Spec(item["spec"]).role == role:
            found[int(match.group(1))] = item
    return found


def other_prefixes(state, role, prefix):
    """{prefix: [service, ...]} of the role's member services that have another prefix: zookeeper_name was changed."""
    found = {}
    for name, item in sorted(state["services"].items()):
        spec = Spec(item["spec"])
        match = re.match(r"^(.+)-\d+$", name)
        if match and match.group(1) != prefix and spec.role == role and SERVERS_LABEL in spec.labels:
            found.setdefault(match.group(1), []).append(name)
    return found


def leftovers(state, role, prefix):
    """Names of one-shot services that an interrupted run left behind."""
    return sorted(name for name, item in state["services"].items()
                  if re.match(r"^%s-init-\d+$" % re.escape(prefix), name) and Spec(item["spec"]).role == role)


def hosts_up(state):
    """{host: whether its swarm node can run tasks now}; if a host has two entries, the best one counts.

    For seconds after a change of the swarm's leader, nodes are "unknown" to the new one. Their members run: they count as up.
    """
    up = {}
    for node in state["nodes"]:
        if node["host"]:
            heard = node["ready"] or node.get("state") == "unknown"
            up[node["host"]] = up.get(node["host"], False) or (heard and node["active"])
    return up


def serving(answers, mark=None):
    """(ids that serve and have caught up, id of the leader or None).

    answers: {id: `parse_srvr` result or None}. mark: (leader id, zxid) of an earlier query; a follower must have reached the zxid that the
    same leader had then, so that it does not look late because of concurrent writes. If two report leader, the newer epoch counts.
    """
    leaders = sorted((answer["zxid"], number) for number, answer in answers.items() if answer and answer["mode"] == "leader")
    if not leaders:
        return [], None
    zxid, leader = leaders[-1]
    goal = mark[1] if mark and mark[0] == leader else zxid
    ready = [number for number, answer in sorted(answers.items())
             if answer and (number == leader or (answer["mode"] == "follower" and config.caught_up(answer["zxid"], goal)))]
    return ready, leader


def is_being_replaced(item, tasks):
    """Whether what runs of a service is only a task of an earlier spec: it answers, but swarm stops it within seconds.

    A run over this manager waits for that itself; a run over another manager does not see this one's lock (run_lock.py).
    """
    running = [task for task in tasks if task["ServiceID"] == item["id"] and task["Status"]["State"] == "running"]
    return bool(running) and not present_tasks(item, running)


def build_view(state, role, prefix, target, hosts, found, facts, answers=None, mark=None, assume_nodes=False):
    """The view of `zookeeper.plan` from a snapshot.

    target: ids that should be members. hosts: {id: host} of all ids assigned so far. found: {host: id or None} of the inspected data
    directories. facts: the member record's facts. answers, mark: as for `serving`; answers None: no member was queried. assume_nodes: hosts
    that are not swarm nodes (yet) count as up (check mode).
    """
    ready, leader = serving(answers or {}, mark)
    up = hosts_up(state)

    def is_up(host):
        return up.get(host, assume_nodes)

    running = {task["ServiceID"] for task in state["tasks"] if task["Status"]["State"] == "running" and task["DesiredState"] == "running"}
    members = {}
    for number, item in sorted(member_services(state, role, prefix).items()):
        spec = Spec(item["spec"], state["networks"])
        host = spec.host or hosts.get(number)
        listed = spec.labels.get(SERVERS_LABEL) or ""
        paused = item["update_state"] in ("paused", "rollback_paused")
        members[number] = {
            "host": host, "hash": spec.fingerprint + ("/paused" if paused else ""),
            "servers": [int(part) for part in listed.split(",") if part.isdigit()],
            "ready": number in ready and not is_being_replaced(item, state["tasks"]), "leader": number == leader, "node_up": is_up(host),
            "running": item["id"] in running, "empty": host in found and found[host] is None,
        }
    absent = [number for number in sorted(set(target) | set(facts.get("servers") or [])) if number not in members]
    # A first start that stopped half way has written ids, but no server has run: the same ids again, and no data to look for.
    adopted = not facts.get("bootstrapped") and not facts.get("bootstrapping") and (bool(members) or any(found.get(hosts.get(n)) is not None for n in target))
    return {
        "members": members,
        "bootstrapped": bool(facts.get("bootstrapped")) or adopted,
        "adopted": adopted,
        "formed": bool(facts.get("formed")) or adopted,
        "servers": sorted(facts.get("servers") or (target if adopted else [])),
        "empty": [n for n in absent if hosts.get(n) in found and found[hosts[n]] is None],
        "down": [n for n in absent if n in target and not is_up(hosts.get(n))],
    }
