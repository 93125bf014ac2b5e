# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a service runs, and whose words say why not. Tasks are shaped as engine 26.1.5 gives them."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.engine.client import demultiplex
from ansible_collections.skp.cluster.plugins.module_utils.service.watch import explain, finished_ids, judge, seconds_since

TEMPLATE = {"ContainerSpec": {"Image": "i@sha256:aa"}, "RestartPolicy": {"Condition": "any"}, "Networks": [{"Target": "n"}]}
NEXT = {"ContainerSpec": {"Image": "i@sha256:bb"}, "RestartPolicy": {"Condition": "any"}, "Networks": [{"Target": "n"}]}


def node(host, ready=True, active=True, state=None):
    return {
        "id": "n-" + host,
        "hostname": "h-" + host,
        "host": host,
        "ready": ready and state is None,
        "active": active,
        "state": state or ("ready" if ready else "down"),
        "availability": "active" if active else "drain",
        "facts": {"node.labels.skp.host": host, "node.labels.web": "enable"},
    }


def member(template=None, host="c1", update_state="", condition="any"):
    template = dict(
        copy.deepcopy(template or TEMPLATE), Placement={"Constraints": ["node.labels.skp.host==" + host]}, RestartPolicy={"Condition": condition}
    )
    return {
        "id": "s",
        "version": 1,
        "update_state": update_state,
        "spec": {"TaskTemplate": template, "Mode": {"Replicated": {"Replicas": 1}}},
    }


def by_label(template=None):
    template = dict(copy.deepcopy(template or TEMPLATE), Placement={"Constraints": ["node.labels.web==enable"]})
    return {"id": "s", "version": 1, "update_state": "", "spec": {"TaskTemplate": template, "Mode": {"Global": {}}}}


def task(number, state, host="c1", desired=None, error="", exit_code=0, template=None, service="s", condition="any"):
    spec = dict(copy.deepcopy(template or TEMPLATE), RestartPolicy={"Condition": condition}, ForceUpdate=0)
    ended = state in ("failed", "rejected", "shutdown")
    return {
        "ID": "t%d" % number,
        "ServiceID": service,
        "NodeID": "n-" + host,
        "CreatedAt": "2026-01-01T00:00:%02dZ" % number,
        "Spec": spec,
        "DesiredState": desired or ("shutdown" if ended else "running"),
        "Status": {"State": state, "Err": error, "Message": state, "ContainerStatus": {"ExitCode": exit_code}},
    }


C1, C2, C3 = node("c1"), node("c2"), node("c3")


@pytest.mark.parametrize(
    "case, service, tasks, nodes, running, waiting, down",
    [
        ("runs", member(), [task(1, "running")], [C1, C2], ["c1"], 0, []),
        ("an old task of another spec runs", member(NEXT), [task(1, "running")], [C1], [], 1, []),
        (
            "the new one runs beside the old one's end",
            member(NEXT),
            [task(1, "shutdown"), task(2, "running", template=NEXT)],
            [C1],
            ["c1"],
            0,
            [],
        ),
        ("is being stopped", member(), [task(1, "running", desired="shutdown")], [C1], [], 1, []),
        ("runs where it no longer may", member(host="c2"), [task(1, "running")], [C1, C2], [], 1, []),
        ("another service's task", member(), [task(1, "running", service="x")], [C1], [], 1, []),
        ("not yet", member(), [task(1, "preparing")], [C1], [], 1, []),
        ("its node is down", member(), [task(1, "running")], [node("c1", ready=False), C2], [], 0, ["c1"]),
        ("its node is drained", member(), [], [node("c1", active=False), C2], [], 0, ["c1"]),
        ("by label, everywhere", by_label(), [task(1, "running"), task(2, "running", "c2")], [C1, C2], ["c1", "c2"], 0, []),
        ("by label, one missing", by_label(), [task(1, "running")], [C1, C2, C3], ["c1"], 2, []),
        ("by label, one node down", by_label(), [task(1, "running")], [C1, node("c2", ready=False)], ["c1"], 0, ["c2"]),
        ("a new leader has not heard from its node", member(), [task(1, "running")], [node("c1", state="unknown"), C2], [], 1, []),
        ("by label, one not heard from", by_label(), [task(1, "running")], [C1, node("c2", state="unknown")], ["c1"], 1, []),
        ("by label, no node has it", by_label(), [], [], [], 0, []),
    ],
)
def test_verdict(case, service, tasks, nodes, running, waiting, down):
    verdict = judge("web", service, tasks, nodes)
    assert [item["host"] for item in verdict["running"]] == running
    assert len(verdict["waiting"]) == waiting
    assert [item["host"] for item in verdict["down"]] == down


def test_a_task_must_have_been_up_for_a_while():
    tasks = [task(1, "running")]
    assert judge("web", member(), tasks, [C1], {"t1": 1.0}, settle=3)["waiting"][0]["error"] == "has just started"
    assert not judge("web", member(), tasks, [C1], {"t1": 3.0}, settle=3)["waiting"]


def test_tasks_from_before_a_change_of_ports_do_not_count():
    assert judge("web", member(), [task(1, "running")], [C1], stale={"t1"})["waiting"]


MOUNT = 'invalid mount config for type "bind": bind source path does not exist: /x'


@pytest.mark.parametrize(
    "case, service, tasks, error, exit_code, hard",
    [
        ("no task at all", member(), [], "no task has the present spec yet", None, False),
        ("pulling", member(), [task(1, "preparing")], "is being prepared (the node is pulling the image)", None, False),
        ("unhealthy so far", member(), [task(1, "starting")], "started, but its healthcheck has not passed yet", None, False),
        ("refused once", member(), [task(1, "rejected", error=MOUNT), task(2, "ready")], MOUNT, None, False),
        ("refused for good", member(), [task(n, "rejected", error=MOUNT) for n in (1, 2, 3)], MOUNT, None, True),
        (
            "could not be started for good",
            member(),
            [task(n, "failed", error="starting container failed: not a shared mount", exit_code=128) for n in (1, 2, 3)],
            "starting container failed: not a shared mount",
            None,
            True,
        ),
        (
            "a taken port may become free",
            member(),
            [task(n, "failed", error="starting container failed: port is already allocated") for n in (1, 2, 3)],
            "starting container failed: port is already allocated",
            None,
            False,
        ),
        (
            "a crash may heal (its database is not up yet)",
            member(),
            [task(n, "failed", error="task: non-zero exit (3)", exit_code=3) for n in (1, 2, 3, 4)],
            "task: non-zero exit (3)",
            3,
            False,
        ),
        (
            "crashed, and is never started again",
            member(condition="none"),
            [task(1, "failed", error="task: non-zero exit (3)", exit_code=3, condition="none")],
            "task: non-zero exit (3)",
            3,
            True,
        ),
        (
            "crashed, and swarm gave the update up",
            member(update_state="paused"),
            [task(1, "failed", error="task: non-zero exit (3)", exit_code=3)],
            "task: non-zero exit (3)",
            3,
            True,
        ),
        ("the newest word counts", member(), [task(1, "rejected", error="old"), task(2, "rejected", error="new")], "new", None, False),
    ],
)
def test_the_tasks_own_words(case, service, tasks, error, exit_code, hard):
    problem = judge("web", service, tasks, [C1])["waiting"][0]
    assert (problem["error"], problem["exit_code"], problem["hard"], problem["host"]) == (error, exit_code, hard, "c1")


def test_refusals_from_before_this_wait_explain_but_do_not_end_it():
    tasks = [task(n, "rejected", error=MOUNT) for n in (1, 2, 3)]
    problem = judge("web", member(), tasks, [C1], finished=finished_ids(tasks))["waiting"][0]
    assert problem["error"] == MOUNT and not problem["hard"]


@pytest.mark.parametrize(
    "problem, logs, text",
    [
        ({"service": "a", "host": "c1", "error": "No such image", "exit_code": None}, "", "a on c1: No such image"),
        ({"service": "a", "host": None, "error": "no suitable node", "exit_code": None}, "", "a: no suitable node"),
        (
            {"service": "a", "host": "c1", "error": "task: non-zero exit (3)", "exit_code": 3},
            "x\ny\n",
            "a on c1: task: non-zero exit (3); last lines of its log:\n      x\n      y",
        ),
        ({"service": "a", "host": "c1", "error": "killed", "exit_code": 137}, "", "a on c1: killed (exit code 137)"),
    ],
)
def test_sentences(problem, logs, text):
    assert explain(problem, logs) == text


def test_times():
    assert seconds_since("1970-01-01T00:01:00.500000000Z", 70.0) == 9.5
    assert seconds_since("1970-01-01T00:01:00Z", 70.0) == 10.0
    assert seconds_since("nonsense", 70.0) == 0.0


def test_log_frames():
    assert demultiplex(b"\x01\0\0\0\0\0\0\x06hello\n\x02\0\0\0\0\0\0\x05oops\n") == "hello\noops\n"
    assert demultiplex(b"") == "" and demultiplex(b"\x01\0") == ""
