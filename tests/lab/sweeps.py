# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Searches every node once for all services: where a secret can be read, and which ports answer."""
from __future__ import annotations

import concurrent.futures
import contextlib
import json
import socket
import subprocess
import uuid

import lablib

# Runs on a node. The words come on standard input, so that they are in no process's arguments. What it prints is {place: names of words found in it}.
# A process that ended meanwhile, and its files, are passed over.
SEARCH = r"""
import base64, glob, json, os, re, subprocess, sys

words, known = json.load(sys.stdin)
found = {}


def look(place, text, expected=()):
    for name, word in words.items():
        if word in text:
            found.setdefault("known" if name in expected else place, set()).add(name)


def out(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout.decode("utf-8", "replace")


def read(path):
    try:
        with open(path, "rb") as stream:
            return stream.read().replace(b"\0", b"\n").decode("utf-8", "replace")
    except OSError:
        return ""


containers = out("docker", "ps", "-aq").split()
look("containers", out("docker", "inspect", *containers))
for container in containers:
    look("logs", out("docker", "logs", container))
if subprocess.run(["docker", "node", "ls", "-q"], capture_output=True, check=False).returncode == 0:
    look("services", out("docker", "service", "inspect", *out("docker", "service", "ls", "-q").split()))
    configs = json.loads(out("docker", "config", "inspect", *out("docker", "config", "ls", "-q").split()) or "[]")
    look("configs", "\n".join(base64.b64decode(config["Spec"]["Data"]).decode("utf-8", "replace") for config in configs))
    look("secrets' definitions", out("docker", "secret", "inspect", *out("docker", "secret", "ls", "-q").split()))
for process in glob.glob("/proc/[0-9]*"):
    if process != "/proc/%d" % os.getpid():
        arguments = read(process + "/cmdline")
        look("arguments", arguments)
        expected = {name for name, pattern in known.items() if re.search(pattern, arguments)}
        look("environment", read(process + "/environ"), expected)
for path in glob.glob("/var/lib/skp/spark/work/*/*/std*") + glob.glob("/srv/skp/spark/*/*"):
    look("work", read(path))
look("journal", out("journalctl", "--no-pager", "-q", "-o", "cat"))
look("kept", "\n".join(read(path) for path in glob.glob("/etc/skp/secrets/*")))
print(json.dumps({place: sorted(names) for place, names in found.items()}))
"""

# Runs on a node until its standard input ends. Of every process, also of one that lives for a moment, the arguments, and the environment whenever the
# arguments are new: between fork and exec a process has those of another. Prints a line when it has begun, and {place: names of words found in it}.
WATCH = r"""
import json, os, select, sys

words, found, before = json.loads(sys.stdin.readline()), {}, {}
print("begun", flush=True)


def read(path):
    try:
        with open(path, "rb") as stream:
            return stream.read().replace(b"\0", b"\n").decode("utf-8", "replace")
    except OSError:
        return ""


while not select.select([sys.stdin], [], [], 0.12)[0]:
    now = {}
    for process in filter(str.isdigit, os.listdir("/proc")):
        now[process] = read("/proc/%s/cmdline" % process)
        if before.get(process) != now[process]:
            for place, text in (("arguments", now[process]), ("environment", read("/proc/%s/environ" % process))):
                found.setdefault(place, set()).update(name for name, word in words.items() if word in text)
    before = now
print(json.dumps({place: sorted(names) for place, names in found.items()}))
"""

# Event logs are compressed; Python with the library for it is in the image of their writer.
EVENTS = """python3 -c "import glob, pyarrow
for name in glob.glob('/srv/skp/spark/events/**/events_*', recursive=True):
    print(pyarrow.input_stream(name, compression='zstd').read().decode('utf-8', 'replace'))" """


def secrets():
    """{name: text} of every secret the managers keep."""
    _, text = lablib.ask_manager("cd /etc/skp/secrets && for name in *; do echo $name $(cat $name); done")
    return dict(line.split(" ", 1) for line in text.splitlines())


def search(words, known):
    """{place: names of the words found there} on any node. words: {name: text}. known: {name: pattern of the processes in whose environment it may be};
    such a find is in the place "known".
    """
    def ask(node):
        return json.loads(lablib.on(node, "python3", "-c", SEARCH, stdin=json.dumps([words, known]), timeout=300))

    found = {}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for answer in pool.map(ask, sorted(lablib.hosts())):
            for place, names in answer.items():
                found.setdefault(place, set()).update(names)
    return found


@contextlib.contextmanager
def watched(words):
    """Within the block the arguments and environments of all processes of all nodes are read, about eight times a second. Yields a dict that is
    {place: names of the words found there} when the block has ended. A word of its own, given to a process of each node, shows that both are read.
    """
    control, found, blind = uuid.uuid4().hex, {}, []
    watchers = {node: subprocess.Popen(["docker", "exec", "-i", lablib.container(node), "python3", "-c", WATCH], text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE) for node in sorted(lablib.hosts())}
    try:
        for watcher in watchers.values():
            watcher.stdin.write(json.dumps({**words, "control": control}) + "\n")
            watcher.stdin.flush()
        for watcher in watchers.values():
            watcher.stdout.readline()
        # Two commands, so that bash stays, with the word in its arguments; the other process has it in its environment.
        lablib.look(f"env SKP_CONTROL={control} sleep 2; true")
        yield found
    finally:
        for node, watcher in watchers.items():
            answer = json.loads(watcher.communicate(timeout=60)[0] or "{}")
            if not all("control" in answer.get(place, ()) for place in ("arguments", "environment")):
                blind.append(node)
            for place, names in answer.items():
                if set(names) - {"control"}:
                    found.setdefault(place, set()).update(set(names) - {"control"})
    assert not blind, f"the processes of {blind} are not seen"


# Listening TCP sockets of the node and of every container on it, as the kernel lists them; 0A is LISTEN.
LISTENING = r"""
for pid in 1 $(docker ps -q | xargs -r docker inspect -f '{{.State.Pid}}'); do
    cat /proc/$pid/net/tcp /proc/$pid/net/tcp6 2>/dev/null || true
done | awk '$4 == "0A" {n = split($2, part, ":"); print part[n]}' | sort -u
docker ps -q | xargs -r docker inspect -f '{{range .NetworkSettings.Ports}}{{range .}}published {{.HostPort}}{{println}}{{end}}{{end}}' | sed '/^$/d'
"""


def candidates():
    """Ports that something listens on, on any node or in any container of one, or that an engine publishes: what could be open."""
    ports = set()
    for text in lablib.look(LISTENING).values():
        for line in text.splitlines():
            ports.add(int(line.split()[1]) if line.startswith("published ") else int(line, 16))
    return ports


def answers(node, port):
    """True when a connection to the port of the node's address is taken, from outside."""
    try:
        with socket.create_connection((lablib.address(node), port), timeout=3):
            return True
    except OSError:
        return False


def open_ports():
    """{port: nodes} that take a connection from outside, of all ports that could be open."""
    nodes = sorted(lablib.hosts())
    return {port: found for port in sorted(candidates()) if (found := {node for node in nodes if answers(node, port)})}
