# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Between the swarm's state and the ZooKeeper plan: member services as specs, and the view `zookeeper.plan` works on. Pure."""

from __future__ import annotations

import hashlib
import json
import re

from ..service import spec
from . import config

SERVERS_LABEL = "skp.zk.servers"
"""Service label: the ids of the server list a member's zoo.cfg names, so that an interrupted change of the list can be taken up again."""


def init_name(prefix, number):
    """Name of the one-shot service that writes a member's identity."""
    return "%s-init-%d" % (prefix, number)


def member_service(common, prefix, number, host, servers, zoo_cfg):
    """One member as an entry of `skp_service`'s option `services`.

    common: what all members share, in that option's format (image, mounts, env, limits, ...). servers: ids of the server list, which
    zoo_cfg (the text) must name.
    """
    name = "%s-%d" % (prefix, number)
    env = dict(common.get("env") or {})
    flags = str(env.get("SERVER_JVMFLAGS") or "").split()
    env["SERVER_JVMFLAGS"] = " ".join(flags + [flag for flag in config.OWN_FLAGS if flag not in flags])
    env["ZOO_MY_ID"] = str(number)
    configs = list(common.get("configs") or []) + [
        {"name": "zoo.cfg", "content": zoo_cfg, "target": config.CONFIG_PATH},
        {"name": "java.security", "content": config.SECURITY_TEXT, "target": config.SECURITY_PATH}]
    labels = dict(common.get("labels") or {}, **{SERVERS_LABEL: ",".join(str(item) for item in sorted(servers))})
    return dict(common, name=name, hostname=name, host=host, env=env, configs=configs, labels=labels)


def init_service(common, prefix, number, host, marker):
    """The one-shot service that writes a member's identity, pinned like the member and with its mounts and user."""
    command = ["skp-zookeeper-init", str(number)] + (["initialize"] if marker else [])
    kept = ("image", "user", "mounts", "networks", "cap_drop", "cap_add", "log")
    return dict({key: common[key] for key in kept if key in common}, name=init_name(prefix, number), host=host, command=command,
                restart={"condition": "none"})


def fingerprint(raw, networks=None):
    """Hash of what a service spec says, whoever wrote it: equal for our payload and for the engine's answer to it."""
    return hashlib.sha256(json.dumps(spec.normalise(raw, networks), sort_keys=True).encode()).hexdigest()


def member_services(state, role, prefix):
    """{id: entry of state["services"]} of the role's member services."""
    found = {}
    for name, item in state["services"].items():
        match = re.match(r"^%s-(\d+)$" % re.escape(prefix), name)
        if match and (item["spec"].get("Labels") or {}).get(spec.ROLE_LABEL) == role:
            found[int(match.group(1))] = item
    return found


def leftovers(state, role, prefix):
    """Names of one-shot services that an interrupted run left behind."""
    return sorted(name for name, item in state["services"].items()
                  if re.match(r"^%s-init-\d+$" % re.escape(prefix), name) and (item["spec"].get("Labels") or {}).get(spec.ROLE_LABEL) == role)


def hosts_up(state):
    """{host: whether its swarm node can run tasks now}; the best entry counts where a host has two."""
    up = {}
    for node in state["nodes"]:
        if node["host"]:
            up[node["host"]] = up.get(node["host"], False) or (node["ready"] and node["active"])
    return up


def serving(answers, mark=None):
    """(ids that serve and have caught up, id of the leader or None).

    answers: {id: `parse_srvr` result or None}. mark: (leader id, zxid) of an earlier look; a follower must have reached what that same
    leader had then, so that writes going on meanwhile do not make it look late. Of two that say leader the newer epoch counts.
    """
    leaders = sorted((answer["zxid"], number) for number, answer in answers.items() if answer and answer["mode"] == "leader")
    if not leaders:
        return [], None
    zxid, leader = leaders[-1]
    goal = mark[1] if mark and mark[0] == leader else zxid
    ready = [number for number, answer in sorted(answers.items())
             if answer and (number == leader or (answer["mode"] == "follower" and config.caught_up(answer["zxid"], goal)))]
    return ready, leader


def build_view(state, role, prefix, target, hosts, found, facts, answers=None, mark=None, assume_nodes=False):
    """The view of `zookeeper.plan` from a snapshot.

    target: ids that should be members. hosts: {id: host} of all ids ever given. found: {host: id or None} of the data directories looked
    at. facts: the member record's facts. answers, mark: as of `serving`; answers None: nobody was asked. assume_nodes: hosts that are no
    swarm node (yet) count as up (check mode).
    """
    ready, leader = serving(answers or {}, mark)
    up = hosts_up(state)

    def is_up(host):
        return up.get(host, assume_nodes)

    running = {task["ServiceID"] for task in state["tasks"] if task["Status"]["State"] == "running" and task["DesiredState"] == "running"}
    members = {}
    for number, item in sorted(member_services(state, role, prefix).items()):
        host = spec.spec_host(item["spec"]) or hosts.get(number)
        listed = (item["spec"].get("Labels") or {}).get(SERVERS_LABEL) or ""
        paused = item["update_state"] in ("paused", "rollback_paused")
        members[number] = {
            "host": host, "hash": fingerprint(item["spec"], state["networks"]) + ("/paused" if paused else ""),
            "servers": [int(part) for part in listed.split(",") if part.isdigit()],
            "ready": number in ready, "leader": number == leader, "node_up": is_up(host),
            "running": item["id"] in running, "empty": host in found and found[host] is None,
        }
    absent = [number for number in sorted(set(target) | set(facts.get("servers") or [])) if number not in members]
    adopted = not facts.get("bootstrapped") and (bool(members) or any(found.get(hosts.get(n)) is not None for n in target))
    return {
        "members": members,
        "bootstrapped": bool(facts.get("bootstrapped")) or adopted,
        "formed": bool(facts.get("formed")) or adopted,
        "servers": sorted(facts.get("servers") or (target if adopted else [])),
        "empty": [n for n in absent if hosts.get(n) in found and found[hosts[n]] is None],
        "down": [n for n in absent if n in target and not is_up(hosts.get(n))],
    }
