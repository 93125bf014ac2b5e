# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Whether a service runs, from one snapshot of the swarm: pure functions of plain data.

A task counts if it is running, has the service's present task template, is on a node that satisfies the constraints, and has been up
for `settle` seconds (a program that fails at once is also "running" for a short time; with a healthcheck, running means healthy).
"""

from __future__ import annotations

import re
from datetime import datetime, timezone

from .spec import Spec, normalise

HARD_REJECTIONS = 3
"""If a node rejects a task this often within one wait, it will always reject it (bind source missing, no such image)."""


def never_started(task):
    """Whether a task ended before its program started. A port in use does not count: the other program may be about to stop."""
    error = task["Status"].get("Err") or ""
    if task["Status"]["State"] == "rejected":
        return True
    return (
        task["Status"]["State"] == "failed"
        and error.startswith("starting container failed")
        and "port" not in error.replace("transport", "")
    )


def seconds_since(timestamp, now):
    """Seconds from an RFC 3339 time of the engine (nanoseconds, Z) to `now` (epoch seconds); 0 if it is invalid."""
    match = re.match(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z$", timestamp or "")
    if not match:
        return 0.0
    base = datetime.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    return now - base - float(match.group(2) or 0)


def places(spec, nodes):
    """(nodes where the tasks of a service, given as `Spec`, should run now, [(node, reason)] that match but cannot run any now)."""
    able, unable = [], []
    for node in nodes:
        if not spec.allows(node):
            continue
        if not node["ready"]:
            unable.append((node, "node is %s" % node["state"]))
        elif not node["active"]:
            unable.append((node, "node is set to %s" % node["availability"]))
        else:
            able.append(node)
    return able, unable


def _template(task_spec):
    # A change of the placement alone does not restart a task whose node still matches (swarmkit orchestrator, IsTaskDirty).
    return normalise({key: value for key, value in task_spec.items() if key != "Placement"})


def present_tasks(service, tasks, stale=frozenset()):
    """The tasks of a service that have its present spec. stale: ids of tasks of an earlier spec (a task does not contain the ports)."""
    wanted = _template(service["spec"]["TaskTemplate"])
    return [task for task in tasks if task["ServiceID"] == service["id"] and task["ID"] not in stale and _template(task["Spec"]) == wanted]


def judge(name, service, tasks, nodes, ages=None, settle=0.0, stale=frozenset(), finished=frozenset()):
    """One service against one snapshot.

    service: entry of state["services"]. tasks: raw tasks. ages: {task id: seconds it has been up}. stale: see `present_tasks`.
    finished: ids of tasks that failed before this wait started; their errors are shown, but do not count as rejections.

    Returns {"running": [{"task", "host"}], "waiting": [problem, ...], "down": [{"service", "host", "reason"}]}; the service is ready if
    `waiting` is empty. A problem: {"service", "host", "state", "error", "exit_code", "task" (id or None), "hard" (permanent): bool}.
    """
    spec = Spec(service["spec"])
    unheard = [node for node in nodes if node["state"] == "unknown" and spec.allows(node)]
    able, unable = places(spec, [node for node in nodes if node not in unheard])
    mine = present_tasks(service, tasks, stale)
    down = [{"service": name, "host": node["host"] or node["hostname"], "reason": reason} for node, reason in unable]
    running, waiting = [], []
    if unheard and (spec.mode == "Global" or not able):
        # After a change of leader. What such a node reported last is no evidence, and it is not down either.
        waiting = [_unheard(name, node) for node in unheard]
    if spec.mode == "Global":
        slots = [([node], [task for task in mine if task.get("NodeID") == node["id"]]) for node in able]
    elif able or not (unable or unheard):
        slots = [(able, mine)]
        down = []
    else:
        slots = []
    paused = service["update_state"] in ("paused", "rollback_paused")
    for slot_nodes, slot_tasks in slots:
        allowed = {node["id"]: node["host"] or node["hostname"] for node in slot_nodes}
        up = [
            task
            for task in slot_tasks
            if task["Status"]["State"] == "running" and task["DesiredState"] == "running" and task.get("NodeID") in allowed
        ]
        settled = [task for task in up if (ages or {}).get(task["ID"], 0.0) >= settle]
        if settled:
            running.append({"task": settled[0]["ID"], "host": allowed[settled[0]["NodeID"]]})
            continue
        where = spec.host or (list(allowed.values())[0] if len(allowed) == 1 else None)
        waiting.append(_problem(name, where, service, slot_tasks, bool(up), paused, finished))
    return {"running": running, "waiting": waiting, "down": down}


def _unheard(name, node):
    """The problem of a node whose state the swarm does not know."""
    return {
        "service": name,
        "host": node["host"] or node["hostname"],
        "state": "none",
        "error": "the swarm's new leader has not heard from the node yet",
        "exit_code": None,
        "task": None,
        "hard": False,
    }


def _problem(name, host, service, tasks, settling, paused, finished):
    """The problem of one slot: the error of its newest task that has one."""
    newest_first = sorted(tasks, key=lambda task: task["CreatedAt"], reverse=True)
    bad = [task for task in newest_first if task["Status"]["State"] in ("failed", "rejected") or task["Status"].get("Err")]
    latest = newest_first[0] if newest_first else None
    blamed = bad[0] if bad else latest
    status = blamed["Status"] if blamed else {}
    rejected = [task for task in bad if never_started(task) and task["ID"] not in finished]
    once = (service["spec"]["TaskTemplate"].get("RestartPolicy") or {}).get("Condition") == "none"
    given_up = once and bool(bad) and bad[0] is latest and latest["ID"] not in finished
    if settling:
        text = "has just started%s" % (", after: %s" % status["Err"] if status.get("Err") else "")
    elif status.get("Err"):
        text = status["Err"]
    elif latest is None:
        text = "no task has the present spec yet"
    elif status.get("State") == "starting":
        text = "started, but its healthcheck has not passed yet"
    elif status.get("State") == "preparing":
        text = "is being prepared (the node is pulling the image)"
    else:
        text = "task is %s (%s)" % (status.get("State"), status.get("Message") or "no message")
    return {
        "service": name,
        "host": host,
        "state": latest["Status"]["State"] if latest else "none",
        "error": text,
        "exit_code": None if blamed is None or never_started(blamed) else (status.get("ContainerStatus") or {}).get("ExitCode") or None,
        "task": blamed["ID"] if blamed else None,
        "hard": not settling and (len(rejected) >= HARD_REJECTIONS or given_up or (paused and bool(bad))),
    }


def finished_ids(tasks):
    """Ids of tasks that have ended."""
    return frozenset(
        task["ID"] for task in tasks if task["Status"]["State"] in ("failed", "rejected", "complete", "shutdown", "orphaned", "remove")
    )


def explain(problem, logs=""):
    """One line of text, and the task's last log lines if there are any."""
    place = " on %s" % problem["host"] if problem["host"] else ""
    line = "%s%s: %s" % (problem["service"], place, problem["error"])
    if problem["exit_code"] and "exit (%s)" % problem["exit_code"] not in line:
        line += " (exit code %s)" % problem["exit_code"]
    if logs:
        line += "; last lines of its log:\n" + "\n".join("      " + text for text in logs.rstrip("\n").split("\n"))
    return line
