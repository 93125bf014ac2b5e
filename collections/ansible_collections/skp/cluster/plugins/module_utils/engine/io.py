# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The files and the service behind module skp_engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time

from .. import atomic_file
from ..failure import Failure
from ..logins import has_login, without_logins
from . import facts as engine_facts, plan


def read_text(path):
    """The text of a file, "" if it does not exist."""
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as exc:
        raise Failure("%s cannot be read: %s" % (path, exc), kind="file", path=path) from exc


def write_text(path, text, mode):
    """Replaces a file atomically (power may fail at any moment); an existing mode is kept, but a file with a login is for root only."""
    try:
        if os.path.exists(path):
            mode = os.stat(path).st_mode & 0o7777
        if has_login(text):
            mode = 0o600
        atomic_file.write_text(path, text, mode)
    except OSError as exc:
        raise Failure("%s cannot be written: %s" % (path, exc), kind="file", path=path) from exc


class Record:
    """The record of the settings made here: {"set": [as engine.plan.merge], "restart_since": epoch seconds or null, "reload": bool}.

    reload: the engine has not yet been told of a change that it can load while it runs.
    """

    def __init__(self, path):
        self.path = path

    def read(self):
        """The record; an empty one if the file does not exist."""
        text = read_text(self.path)
        try:
            value = json.loads(text) if text.strip() else {}
            return {"set": list(value.get("set") or []), "restart_since": value.get("restart_since"), "reload": bool(value.get("reload"))}
        except (ValueError, AttributeError, TypeError) as exc:
            raise Failure(
                "%s, the record of the engine settings made by skp.cluster, is damaged: %s. Remove the file: earlier settings are then "
                "kept as if the machine's owner had made them." % (self.path, exc), kind="record", path=self.path) from exc

    def write(self, settings, restart, reload=False):
        """restart: a change is about to be written that needs a restart of the engine from now on; reload: one that it has to load."""
        before = self.read()["restart_since"]
        since = (before or time.time()) if restart else None
        write_text(self.path, json.dumps({"set": settings, "restart_since": since, "reload": reload}, indent=2) + "\n", 0o644)


def engine_started():
    """Start time of the engine's process, in epoch seconds; None if unknown."""
    try:
        pid = int(read_text("/var/run/docker.pid"))
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as handle:
            ticks = int(handle.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime", encoding="ascii") as handle:
            uptime = float(handle.read().split()[0])
        return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def still_waiting(record):
    """Whether a written change still needs a restart of the engine; a restart by anybody counts."""
    since = record["restart_since"]
    if not since:
        return False
    started = engine_started()
    return started is None or started < since


CONFIG_FILE = "/etc/docker/daemon.json"
RECORD_FILE = "/etc/skp/engine.json"


def missing_packages(packages, facts):
    """The packages of every missing part. An installed engine is never replaced by another package."""
    names = []
    cli = facts["cli"] or not (facts["installed"] or engine_facts.splits_cli())
    for part, present in (("engine", facts["installed"]), ("cli", cli), ("sdk", bool(facts["sdk_version"]))):
        names += [] if present else packages.get(part) or []
    return names


def compare(config, facts, path=CONFIG_FILE, record_path=RECORD_FILE):
    """What the engine's file says and what it should say. Only reads. Raises Failure.

    Returns {"result": the result of `skp_engine` without the facts, in check mode, "plan": of `plan.merge`, "text": of the file after the change,
    "effect": "", "reload" or "restart", "waiting": whether an earlier change still needs a restart}.
    """
    text = read_text(path)
    record = Record(record_path).read()
    merged = plan.merge(plan.parse(text, path), config, record["set"])
    plan.check(merged["config"], path)
    after = plan.render(merged["config"]) if merged["keys"] else text
    effect = plan.effect(merged["keys"]) if facts["running"] else ""
    waiting = still_waiting(record)
    result = {
        "changed": bool(merged["keys"]) or merged["record"] != record["set"],
        "changed_keys": merged["keys"],
        "reloaded": effect == "reload",
        "restart_required": effect == "restart" or waiting or (facts["installed"] and not facts["running"]),
        "diff": {"before_header": path, "after_header": path, "before": without_logins(text), "after": without_logins(after)},
    }
    if record["reload"] and facts["running"] and effect == "":
        effect, result["changed"], result["reloaded"] = "reload", True, True
    return {"result": result, "plan": merged, "text": after, "effect": effect, "waiting": waiting}


def _run(argv, timeout):
    # run_command has no time limit.
    return subprocess.run(  # pylint: disable=ansible-bad-function
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)


def validate(text, path, installed):
    """Validates a configuration with the engine before it is written (dockerd --validate, engine 23.0 and newer)."""
    dockerd = shutil.which("dockerd", path=engine_facts.SEARCH_PATH)
    if not installed or not dockerd:
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        done = _run([dockerd, "--validate", "--config-file", handle.name], 60)
    words = " ".join((done.stderr or done.stdout).split()).replace(handle.name, path)
    if done.returncode != 0 and "unknown flag" not in words:
        raise Failure("The engine would not start with the merged %s: %s. Nothing was written; correct engine_daemon_config, "
                      "engine_daemon_config_extra or the file." % (path, words), kind="config_refused", path=path)


def _systemctl(verb, timeout):
    if not os.path.isdir("/run/systemd/system"):
        raise Failure("docker.service: %s is not possible, because this machine does not run systemd. Do it by hand, then run again." % verb,
                      kind="no_systemd")
    try:
        done = _run(["systemctl", verb, "docker.service"], timeout)
        words = done.stderr.strip()
    except subprocess.TimeoutExpired:
        done, words = None, "no answer in %d s" % timeout
    if done is None or done.returncode != 0:
        journal = _run(["journalctl", "-u", "docker.service", "-n", "15", "-o", "cat", "--no-pager"], 30).stdout.strip()
        raise Failure("systemctl %s docker.service failed: %s. Last lines of the engine's log:\n%s" % (verb, words, journal), kind="service")


def reload_engine():
    """Makes the engine reload its configuration (SIGHUP); containers keep running."""
    _systemctl("reload", 60)


def managers():
    """[{"id", "name", "reachable", "leader"}] of the swarm's managers, from this manager's view."""
    try:
        nodes = engine_facts.ask("/nodes")
    except (OSError, RuntimeError) as exc:
        raise Failure("The swarm's managers cannot be listed, so it is unknown whether this one may be restarted: %s. See `docker node "
                      "ls` on another manager; force (engine_restart_force) restarts anyway." % exc, kind="quorum") from exc
    return [{
        "id": node["ID"],
        "name": node["Spec"].get("Labels", {}).get("skp.host") or node["Description"]["Hostname"],
        "reachable": node["ManagerStatus"].get("Reachability") == "reachable" and node["Status"]["State"] == "ready",
        "leader": bool(node["ManagerStatus"].get("Leader")),
    } for node in nodes if node.get("ManagerStatus")]


def our_services():
    """{name: whether it is healthy} of the running swarm services and plain containers of skp.cluster on this node. Healthy without a healthcheck."""
    try:
        containers = engine_facts.ask("/containers/json")
    except (OSError, RuntimeError):
        return {}
    return engine_facts.our_health(containers)


def _not_back(before, services):
    """What is still missing after a restart, as text; "" if nothing is."""
    now = engine_facts.read()
    if not now["running"]:
        return "the engine does not answer (%s)" % now["error"]
    if now["swarm_state"] == "locked" and before["swarm_state"] != "locked":
        raise Failure("The engine was restarted, and the swarm's autolock waits for its key: run `docker swarm unlock` on this node, then run again. "
                      "No other engine was restarted. See docs/swarm.md.", kind="locked")
    # A node that was "pending" or in error may be "active" now: that is what a restart can cure.
    if now["swarm_state"] not in (before["swarm_state"], "active"):
        return "the swarm state is '%s', before it was '%s' %s" % (now["swarm_state"], before["swarm_state"], now["swarm_error"])
    if before["is_manager"]:
        if not now["is_manager"]:
            return "the node is not a manager again"
        try:
            mine = [item for item in managers() if item["id"] == before["node_id"]]
        except Failure as exc:
            return exc.msg
        if not mine or not mine[0]["reachable"]:
            return "the swarm does not report the node as a reachable manager"
    return not_serving(services, our_services())


def not_serving(before, now):
    """What of {name: healthy} before is not there, or was healthy and is not, now; as text, "" if all serves. A container that runs may still be loading."""
    missing = sorted(name for name in before if name not in now)
    ill = sorted(name for name, healthy in before.items() if healthy and now.get(name) is False)
    words = ["services that ran on this node are not running again: %s" % ", ".join(missing)] if missing else []
    return "; ".join(words + (["services are not healthy again: %s" % ", ".join(ill)] if ill else []))


def gates():
    """[(name, container id, command)] of the running containers of this node with a gate: see `service.spec.GATE_LABEL`."""
    try:
        return engine_facts.our_gates(engine_facts.ask("/containers/json"))
    except (OSError, RuntimeError):
        return []


def wait_for_gates(timeout):
    """Return when every service of this node says that it may stop: its ensemble has a quorum without it, its replicas are in sync.

    Raises Failure with the last words of the gates that did not open within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    closed = gates()
    while closed:
        words, still = [], []
        for name, container, command in closed:
            try:
                done = _run(["docker", "exec", container] + command, 60)
                said = (done.stdout + done.stderr).strip()
            except subprocess.TimeoutExpired:
                done, said = None, "no answer in 60 s"
            if done is None or done.returncode != 0:
                still.append((name, container, command))
                words.append("%s: %s" % (name, said or "exit code %d" % done.returncode))
        closed = still
        if closed and time.monotonic() >= deadline:
            raise Failure(
                "The engine was not restarted, because services of this node may not stop now (waited %d s):\n%s\nNo other engine was restarted. "
                "Run again when they are in sync; force (engine_restart_force) restarts anyway." % (timeout, "\n".join(words)),
                kind="gate", services=[row[0] for row in closed])
        time.sleep(0.5 if closed else 0)


def restart_engine(before, timeout):
    """Restarts (or starts) the engine and waits until the facts are as `before`; Failure with what is missing at the deadline."""
    services = our_services() if before["running"] else {}
    deadline = time.monotonic() + timeout
    _systemctl("restart" if before["running"] else "start", timeout)
    while True:
        missing = _not_back(before, services) if before["running"] else ("" if engine_facts.read()["running"] else "the engine does not answer")
        if not missing:
            return
        if time.monotonic() >= deadline:
            raise Failure("The engine was restarted, but after %d s: %s. No other engine was restarted. See `journalctl -u docker` on "
                          "this node; run again when it is healthy." % (timeout, missing), kind="restart", missing=missing)
        time.sleep(0.5)
