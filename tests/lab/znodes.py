# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ZooKeeper seen from beside: the four-letter words and znodes, spoken from a member's network namespace by plain sockets and zkCli.sh."""
from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import time

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


def cli(*commands, service=None, alone=False, check=True, timeout=60):
    """Run zkCli.sh commands in one session in a member's container, connected to all members; alone: to that one, because the client gives up the first
    command when it happens to begin with a member that is silent. Returns its output.
    """
    service = service or next(s for s, m in modes().items() if m in ("leader", "follower"))
    node, ident = lablib.task_container(service)
    connect = ",".join(f"{m}:2181" for m in ([service] if alone else members()))
    command = ("docker", "exec", "-i", ident, "zkCli.sh", "-server", connect)
    return lablib.on(node, *command, stdin="\n".join([*commands, "quit", ""]), check=check, timeout=timeout)


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


class Written:
    """What a client that writes without a pause was told: {number of a znode: second in which its creation was acknowledged}."""

    def __init__(self):
        self.acked, self.ended = {}, threading.Event()

    def names(self):
        """Names of the acknowledged znodes."""
        return {f"n{number}" for number in self.acked}

    def longest_gap(self):
        """Seconds of the longest time without an acknowledgement."""
        times = sorted(self.acked.values())
        return round(max((later - earlier for earlier, later in zip(times, times[1:])), default=0), 1)


@contextlib.contextmanager
def writing(prefix, rate=50):
    """Within the block a client creates numbered znodes below /prefix, `rate` per second. It has a container of its own on the overlay: it outlives every
    member. Yields Written; what is not acknowledged may or may not be there.
    """
    node, image = lablib.ask_manager("docker service inspect --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}' " + members()[0])
    connect = ",".join(f"{m}:2181" for m in members())
    command = ["docker", "exec", "-i", lablib.container(node), "docker", "run", "--rm", "-i", "--name", f"writer-{prefix}", "--network", "net-skp",
               "--entrypoint", "zkCli.sh", image.strip(), "-server", connect]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
    written = Written()

    def ask():
        with contextlib.suppress(BrokenPipeError, ValueError):
            process.stdin.write(f"create /{prefix}\n")
            number = 0
            while not written.ended.wait(1 / rate):
                process.stdin.write(f"create /{prefix}/n{number} {number}\n")
                number += 1
            process.stdin.write("quit\n")
            process.stdin.close()

    def listen():
        for line in process.stdout:
            for number in re.findall(rf"Created /{prefix}/n(\d+)", line):
                written.acked[int(number)] = time.monotonic()

    threads = [threading.Thread(target=work, daemon=True) for work in (ask, listen)]
    for thread in threads:
        thread.start()
    try:
        lablib.wait("the client writes", lambda: len(written.acked) > 10, 30)
        yield written
    finally:
        written.ended.set()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        lablib.on(node, "docker", "rm", "-f", f"writer-{prefix}", check=False)
        for thread in threads:
            thread.join(30)
