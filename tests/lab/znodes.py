# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ZooKeeper seen from beside: the four-letter words and znodes, spoken from a member's network namespace by plain sockets and zkCli.sh."""
from __future__ import annotations

import lablib

# The member on a node, and what it says to `srvr`, asked inside its network namespace.
ASK = """
for ident in $(docker ps -q -f name=zookeeper-skp-); do
    docker inspect -f 'service {{index .Config.Labels "com.docker.swarm.service.name"}}' "$ident"
    nsenter -t "$(docker inspect -f '{{.State.Pid}}' "$ident")" -n timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/2181; printf srvr >&3; cat <&3' || true
done
"""


def members():
    """Names of the ensemble's services, as the swarm lists them."""
    return sorted(n for n in lablib.services() if n.startswith("zookeeper-skp-") and n.rsplit("-", 1)[1].isdigit())


def modes():
    """{service: mode} of every member that answers; asked on each node inside its member's network, without code of this project."""
    seen, service = {}, None
    for line in "".join(lablib.look(ASK, check=False, timeout=30).values()).splitlines():
        if line.startswith("service "):
            service = line.removeprefix("service ").strip()
        elif line.startswith("Mode: "):
            seen[service] = line.removeprefix("Mode: ").strip()
    return seen


def healthy(count=3):
    """True when `count` members answer and exactly one of them leads."""
    found = sorted(modes().values())
    return found == ["follower"] * (count - 1) + ["leader"]


def leader():
    """Name of the leading member's service, or None."""
    return next((s for s, m in modes().items() if m == "leader"), None)


def cli(*commands, service=None, timeout=60):
    """Run zkCli.sh commands in one session in a member's container, connected to all members. Returns its output."""
    service = service or next(s for s, m in modes().items() if m in ("leader", "follower"))
    node, ident = lablib.task_container(service)
    connect = ",".join(f"{m}:2181" for m in members())
    return lablib.on(node, "docker", "exec", "-i", ident, "zkCli.sh", "-server", connect, stdin="\n".join([*commands, "quit", ""]), timeout=timeout)


def write(prefix, count):
    """Create `count` znodes below /prefix, each holding its number."""
    cli(f"create /{prefix}", *[f"create /{prefix}/n{i} {i}" for i in range(count)], timeout=120)


def names(prefix):
    """Set of child names below /prefix."""
    text = cli(f"ls /{prefix}")
    for line in text.splitlines():
        start = line.find("[n")
        if start >= 0 and line.rstrip().endswith("]"):
            return {name.strip() for name in line[start + 1:line.rindex("]")].split(",") if name.strip()}
    return set()
