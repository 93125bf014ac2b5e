# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and eyes of the lab tests: run playbooks as a user does, look at the nodes by another path (docker exec), break them."""
from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
sys.path.insert(0, str(ROOT / "tests" / "tools"))

import durations  # noqa: E402  (the path above comes first)

SOAK = os.environ.get("SKP_LAB_FAST") == "0"
"""Whether this is `make soak`: the tests with its mark run too, and some of the others do more."""
LAB = os.environ.get("SKP_LAB_NAME", "skp-lab")
HOSTS_JSON = ROOT / "inventory" / "lab" / "hosts.json"
MANAGED = ("/etc/docker", "/etc/skp")


class Failed(AssertionError):
    """A command ended with another code than expected; the text holds what it printed."""


def run(*argv, timeout=600, check=True, env=None, stdin=None, cwd=ROOT):
    """Run a command on the controller. Returns CompletedProcess with text; raises Failed with the output's tail."""
    done = subprocess.run(
        [str(a) for a in argv], cwd=cwd, env={**os.environ, **(env or {})}, input=stdin, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False,
    )
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, argv))} ended with {done.returncode}:\n{done.stdout[-6000:]}")
    return done


class PlayResult:
    """What a playbook run did: .text, .rc, .rows (one per task and host), .seconds."""

    def __init__(self, rc, text, rows, seconds):
        self.rc, self.text, self.rows, self.seconds = rc, text, rows, seconds

    @property
    def changed(self):
        """Set of (task, host) that reported a change; the host that really did it where a task was delegated."""
        return {(r["task"], r["delegated_to"] or r["host"]) for r in self.rows if r["changed"] and r["status"] == "ok"}

    def calls(self, host):
        """Rows of modules that really ran on a host (skipped and controller-side tasks do not count, nor results that an earlier visit gave)."""
        local = {"ansible.builtin.debug", "ansible.builtin.assert", "ansible.builtin.set_fact", "ansible.builtin.fail",
                 "ansible.builtin.include_tasks", "ansible.builtin.include_role", "ansible.builtin.import_role", "ansible.builtin.meta",
                 "ansible.builtin.validate_argument_spec", "skp.cluster.skp_show"}
        return [r for r in self.rows if (r["delegated_to"] or r["host"]) == host and r["status"] in ("ok", "failed") and r["called"]
                and r["action"] not in local]


def play(playbook="site.yml", *args, check=True, timeout=1500, env=None, inventory=None, cwd=ROOT):
    """Run ansible-playbook as a user would. Returns PlayResult; raises Failed when it fails and check is true. What it took is kept."""
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as record:
        argv = [BIN / "ansible-playbook", playbook, *args]
        if inventory:
            argv += ["-i", inventory]
        started = time.monotonic()
        try:
            done = run(*argv, check=check, timeout=timeout, cwd=cwd, env={
                "SKP_RECORD": record.name,
                "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/tools/callback_plugins"),
                "ANSIBLE_CALLBACKS_ENABLED": "skp_record,skp.cluster.command",
                "ANSIBLE_NOCOLOR": "1",
                **(env or {}),
            })
        finally:
            seconds = time.monotonic() - started
            rows = [json.loads(line) for line in record.read().splitlines()]
            keep_play([str(playbook), *map(str, args)], seconds, rows)
    return PlayResult(done.returncode, done.stdout, rows, seconds)


def keep_play(args, seconds, rows):
    """Note what a playbook run took, and how many module calls each node saw; long arguments are left out."""
    result = PlayResult(None, "", rows, seconds)
    nodes = {row["delegated_to"] or row["host"] for row in rows}
    calls = {node: len(result.calls(node)) for node in sorted(nodes)}
    durations.keep(durations.PLAYS, {
        "test": os.environ.get("PYTEST_CURRENT_TEST", "").split(" (")[0],
        "args": ["..." if len(word) > 60 else word for word in args],
        "seconds": round(seconds, 1), "calls": {node: count for node, count in calls.items() if count},
    })


def container(node):
    """Name of the container that is a lab node."""
    return f"{LAB}-{node}"


def on(node, *argv, check=True, timeout=120, stdin=None):
    """Run a command on a node as root, through the host's engine and not through Ansible. Returns stdout and stderr as text."""
    flags = ["-i"] if stdin is not None else []
    return run("docker", "exec", *flags, container(node), *argv, check=check, timeout=timeout, stdin=stdin).stdout


def look(text, nodes=None, check=True, timeout=120):
    """Run one bash text on nodes (all by default) at the same time, as `on` does. Returns {node: what it printed}.

    A command that fails ends the text, in a pipe too. Where that is an answer as well (check false), the node's entry holds what it printed until then.
    """
    nodes = sorted(hosts()) if nodes is None else nodes
    with concurrent.futures.ThreadPoolExecutor(max(len(nodes), 1)) as pool:
        return dict(zip(nodes, pool.map(lambda node: on(node, "bash", "-euo", "pipefail", "-c", text, check=check, timeout=timeout), nodes)))


def hosts():
    """The lab's hosts.json as it is now."""
    return json.loads(HOSTS_JSON.read_text(encoding="utf-8"))


@contextlib.contextmanager
def edited_hosts(change):
    """Within the block hosts.json is what `change(copy of it)` returns; afterwards it is as before, whatever happened."""
    before = HOSTS_JSON.read_text(encoding="utf-8")
    try:
        write_hosts(json.dumps(change(json.loads(before)), indent=2) + "\n")
        yield
    finally:
        write_hosts(before)


def write_hosts(text):
    """Replace hosts.json in one step: another process that reads it sees the old text or the new one."""
    # Not beside it: Ansible would read it as one more inventory, and what lies there uncommitted counts as part of the tree.
    aside = ROOT / "build" / f"hosts.json.{os.getpid()}"
    aside.parent.mkdir(exist_ok=True)
    aside.write_text(text, encoding="utf-8")
    aside.replace(HOSTS_JSON)


def without(label, node):
    """A change of hosts.json that takes a label from a node."""
    def change(data):
        data[node]["labels"] = [entry for entry in data[node]["labels"] if label not in entry]
        return data
    return change


def with_labels(nodes_of):
    """A change of hosts.json after which each label of {label: nodes} is on exactly these nodes."""
    def change(data):
        for node, entry in data.items():
            entry["labels"] = [label for label in entry["labels"] if not nodes_of.keys() & label.keys()]
            entry["labels"] += [{label: "enable"} for label, nodes in nodes_of.items() if node in nodes]
        return data
    return change


def labelled(label):
    """Names of the nodes that carry a label."""
    return sorted(name for name, host in hosts().items() if {label: "enable"} in host["labels"])


def address(node):
    """A node's address."""
    return hosts()[node]["ipv4"]


def wait(what, probe, seconds, every=0.5):
    """Poll `probe` until it gives something true. Returns (that, seconds it took); raises Failed naming what was waited for."""
    started = time.monotonic()
    last = None
    while time.monotonic() - started < seconds:
        try:
            last = probe()
        except (Failed, subprocess.TimeoutExpired, OSError) as exc:
            last = None
            error = exc
        else:
            error = None
        if last:
            return last, round(time.monotonic() - started, 1)
        time.sleep(every)
    raise Failed(f"{what}: not within {seconds} s; last answer {last!r} {error or ''}")


NO_MANAGER = 97


def ask_manager(text, timeout=120):
    """Run a bash text on the first node whose swarm answers as a manager (the master where it lives). Returns (node, what it printed)."""
    for node in sorted(hosts()):
        guarded = f"docker node ls -q >/dev/null 2>&1 || exit {NO_MANAGER}\n{text}"
        done = run("docker", "exec", container(node), "bash", "-euo", "pipefail", "-c", guarded, check=False, timeout=timeout)
        if done.returncode == 0:
            return node, done.stdout
        if done.returncode != NO_MANAGER and powered(node):
            raise Failed(f"{text} on {node} ended with {done.returncode}:\n{done.stdout[-6000:]}")
    raise Failed("no node of the lab answers as a swarm manager")


def powered(node):
    """True while the node's container runs."""
    return run("docker", "inspect", "-f", "{{.State.Running}}", container(node), check=False, timeout=30).stdout.strip() == "true"


def manager():
    """A node whose swarm answers, for looking (the master where it lives)."""
    return ask_manager("true")[0]


def tasks(service):
    """Running tasks of a service: list of node hostnames."""
    shown = "--filter desired-state=running --format '{{.Node}} {{.CurrentState}}'"
    _, text = ask_manager(f"docker service ps {service} {shown} || true")
    return [line.split()[0] for line in text.splitlines() if " Running" in line]


def unfinished():
    """Services that do not run all the tasks they should, as `docker service ls` counts them: ["kafka-skp-1 0/1", ...]."""
    return incomplete(ask_manager("docker service ls --format '{{.Name}} {{.Replicas}}'")[1])


def incomplete(text):
    """The lines "name running/wanted" whose numbers differ, or that want something and run nothing."""
    rows = [line.split() for line in text.splitlines()]
    return [f"{name} {count}" for name, count, *_ in rows if len(set(count.split("/"))) != 1 or count.startswith("0/")]


SERVICES = "docker service ls -q | xargs -r docker service inspect"


def services():
    """All swarm services: {name: (version, spec sha256)}, read with the docker command."""
    return versions(ask_manager(SERVICES)[1])


def versions(text):
    """{name: (version, spec sha256)} of what `docker service inspect` printed; none where it was given none."""
    return {
        s["Spec"]["Name"]: (s["Version"]["Index"], hashlib.sha256(json.dumps(s["Spec"], sort_keys=True).encode()).hexdigest())
        for s in json.loads(text.strip() or "[]")
    }


def task_container(service):
    """(node, id) of a running container of a service. By the service's label: the name of one service may begin with that of another."""
    for node, text in look(f"docker ps -q -f label=com.docker.swarm.service.name={service}", check=False, timeout=30).items():
        if re.match(r"[0-9a-f]{12}\b", text):
            return node, text.split()[0]
    raise Failed(f"no running container of {service} on any node")


def execute(service, *argv, stdin=None, check=True, timeout=120):
    """Run a command in the container of a service. Returns what it printed."""
    node, ident = task_container(service)
    flags = ["-i"] if stdin is not None else []
    return on(node, "docker", "exec", *flags, ident, *argv, stdin=stdin, check=check, timeout=timeout)


HEALTH = """
echo registry "$(curl -s -m 3 http://127.0.0.1:5000/v2/ || true)"
docker node ls --format 'node {{.Hostname}} {{.Status}}' || exit 0
docker service ls --format 'service {{.Name}} {{.Replicas}}'
"""


def cluster_is_healthy():
    """True when every node is ready, every service runs all its tasks and every registry answers; Failed names what is not so.

    Whether a service's members agree with each other is the service's own question.
    """
    findings, managers = [], []
    for node, text in look(HEALTH, check=False, timeout=30).items():
        rows = text.splitlines()
        findings += [] if "registry {}" in rows else [f"the registry of {node} does not answer"]
        managers += [rows] if any(row.startswith("node ") for row in rows) else []
    if not managers:
        raise Failed("no node answers as a swarm manager")
    nodes = [row.split()[1:] for row in managers[0] if row.startswith("node ")]
    findings += [f"{name} is {state}" for name, state, *_ in nodes if state != "Ready"]
    findings += [] if len(nodes) == len(hosts()) else [f"the swarm has {len(nodes)} nodes, hosts.json has {len(hosts())}"]
    counts = [row.removeprefix("service ") for row in managers[0] if row.startswith("service ")]
    findings += incomplete("\n".join(counts)) if counts else ["there are no services"]
    if findings:
        raise Failed("; ".join(findings))
    return True


SNAPSHOT = f"""
docker ps -aq --no-trunc | xargs -r docker inspect --format '{{{{.State.Running}}}} {{{{.Id}}}} {{{{.State.StartedAt}}}} {{{{.RestartCount}}}}' | sort
echo ---
{{ find {" ".join(MANAGED)} -type f -exec sha256sum {{}} + 2>/dev/null || true; }} | sort -k2
docker node ls -q >/dev/null 2>&1 || exit 0
echo ---
{SERVICES}
"""


def snapshot():
    """What must not move on a second run: containers (Id, StartedAt, RestartCount), service versions, sha256 of managed files."""
    seen, managers = {}, []
    for node, text in look(SNAPSHOT).items():
        containers, files, *inspected = text.split("---\n")
        rows = [line.split() for line in containers.splitlines()]
        seen[node] = {"containers": [row[1:] for row in rows if row[0] == "true"], "files": files}
        managers += inspected
    if not managers:
        raise Failed("no node of the lab answers as a swarm manager")
    return {"services": versions(managers[0]), **seen}


def kill(*nodes):
    """Cut the power of nodes: no process of theirs gets a signal it could handle."""
    run("docker", "kill", *[container(n) for n in nodes])
    close_ssh(*nodes)


def close_ssh(*nodes):
    """End Ansible's open connections to these nodes, or to all: towards a dead node they would hang until ssh notices, which is not what is tested."""
    sockets = Path("~/.ansible/cp").expanduser().glob(f"{LAB}-*")
    ours = tuple(f"{LAB}-{address(node)}-" for node in nodes) or ("",)
    for socket in [one for one in sockets if one.name.startswith(ours)]:
        run("ssh", "-o", f"ControlPath={socket}", "-O", "exit", "node", check=False, timeout=10)


def start(*nodes):
    """Switch nodes on again."""
    run("docker", "start", *[container(n) for n in nodes])
