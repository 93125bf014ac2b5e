# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a manager and a node say, made small. Tasks and containers are shaped as engine 26.1.5 gives them."""

from __future__ import annotations

import copy
import json

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.cluster_info import observe
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service

REGISTRY, NOW = "localhost:5000", 1767225700.0  # 2026-01-01T00:01:40Z
IMAGE, DIGEST, OTHER = "localhost:5000/skp/web:latest", "sha256:" + "a" * 64, "sha256:" + "b" * 64
LEDGER = {"images": {"skp/web:latest": {"digest": DIGEST}}}


def node(host, state="ready", availability="active", **labels):
    facts = {"node.id": "n-" + host, "node.role": "worker", "node.labels.skp.host": host, "node.labels.web": "enable", "node.labels.skp.labels": "web"}
    return {"id": "n-" + host, "hostname": "h-" + host, "host": host, "engine": "26.1.5", "state": state, "ready": state == "ready", "address": "10.0.0.1",
            "availability": availability, "active": availability == "active", "message": "", "leader": host == "c1", "reachability": "",
            "facts": dict(facts, **{"node.labels." + key: value for key, value in labels.items()})}


def service(name="web-skp", **options):
    """(entry of a snapshot's `services`, its task template)."""
    options = dict({"name": name, "image": IMAGE, "label": "web", "ports": [{"target": 80, "published": 8080}]}, **options)
    if options.get("host"):
        options["label"] = None
    spec = copy.deepcopy(build_service(options, "web", "net-skp", {IMAGE: DIGEST})["payload"])
    spec["TaskTemplate"]["Networks"][0]["Target"] = "netid"
    return {"id": "s-" + name, "version": 1, "spec": spec, "update_state": ""}


def task(item, host="c1", state="running", number=1, time="2026-01-01T00:01:00Z", error="", **status):
    return {"ID": "t%d%s" % (number, host), "ServiceID": item["id"], "NodeID": "n-" + host, "CreatedAt": "2026-01-01T00:00:%02dZ" % number,
            "Spec": copy.deepcopy(item["spec"]["TaskTemplate"]), "DesiredState": "running" if state == "running" else "shutdown",
            "Status": {"State": state, "Timestamp": time, "Err": error, "Message": state, "ContainerStatus": status}}


def seen(items, tasks, nodes=None):
    snapshot = {"nodes": nodes or [node("c1"), node("c2")], "networks": {"netid": "net-skp"}, "services": {item["spec"]["Name"]: item for item in items},
                "tasks": tasks}
    return observe.swarm(snapshot, LEDGER, REGISTRY, NOW)


def test_a_service_that_runs_everywhere():
    item = service(labels={"skp.url": "http://{host}:8080/x", "skp.login": "/etc/skp/secrets/web"})
    [found] = seen([item], [task(item), task(item, "c2")])["services"]
    assert found == {
        "name": "web-skp", "role": "web", "host": "", "labels": ["web"], "ports": [8080], "url": "http://{host}:8080/x", "login": "/etc/skp/secrets/web",
        "image": IMAGE, "digest": DIGEST, "image_state": "same", "wanted": 2, "running": ["c1", "c2"], "waiting": [], "away": [], "edited": False,
        "paused": False, "last_error": None}


def test_a_task_that_failed_and_one_whose_node_is_down():
    item = service()
    tasks = [task(item, "c1", "failed", error="task: non-zero exit (3)", ExitCode=3)]
    [found] = seen([item], tasks, [node("c1"), node("c2", "down")])["services"]
    assert (found["wanted"], found["running"]) == (2, [])
    assert found["waiting"] == [{"host": "c1", "error": "task: non-zero exit (3)"}]
    assert found["away"] == [{"host": "c2", "reason": "node is down"}]
    assert found["last_error"] == {"host": "c1", "text": "task: non-zero exit (3)", "seconds": 40}


@pytest.mark.parametrize("time, running", [("2026-01-01T00:01:39Z", []), ("2026-01-01T00:01:30Z", ["c1"]), ("2026-01-01T00:09:00Z", ["c1"])],
                         ids=["a second ago", "ten seconds ago", "by a clock that is ahead"])
def test_a_task_that_has_just_started_may_fail_at_once(time, running):
    item = service(host="c1")
    assert seen([item], [task(item, time=time)])["services"][0]["running"] == running


@pytest.mark.parametrize("change, key, value", [
    (lambda item: item["spec"]["TaskTemplate"]["ContainerSpec"].update(User="root"), "edited", True),
    (lambda item: item["spec"]["Mode"]["Replicated"].update(Replicas=0), "edited", True),
    (lambda item: item["spec"]["TaskTemplate"].update(ForceUpdate=3), "edited", False),
    (lambda item: item.update(update_state="paused"), "paused", True),
    (lambda item: item["spec"]["Labels"].pop("skp.role"), "role", ""),
])
def test_what_somebody_has_changed(change, key, value):
    item = service(host="c1")
    change(item)
    assert seen([item], [])["services"][0][key] == value


def test_a_service_that_was_set_to_no_task_is_still_wanted():
    item = service(host="c1")
    item["spec"]["Mode"]["Replicated"]["Replicas"] = 0
    found = seen([item], [task(item, state="shutdown")])["services"][0]
    assert (found["wanted"], found["running"]) == (1, []) and found["waiting"][0]["host"] == "c1"


@pytest.mark.parametrize("image, digest, state", [
    (IMAGE, DIGEST, "same"), (IMAGE, OTHER, "other"), (IMAGE, "", "untold"), ("localhost:5000/skp/none:1", DIGEST, "unknown"),
    ("localhost:5000/skp/web", DIGEST, "same"), ("docker.io/library/web:1", DIGEST, "foreign")])
def test_images(image, digest, state):
    assert observe.image_state(image, digest, {"skp/web:latest": DIGEST}, REGISTRY) == state


def test_nodes_with_the_labels_of_hosts_json():
    found = seen([], [], [node("c1", gpu="enable")])["nodes"]
    assert [(item["host"], item["labels"], item["ours"], item["leader"]) for item in found] == [("c1", {"gpu": "enable", "web": "enable"}, ["web"], True)]


def test_nothing_of_the_environment_leaves_the_manager():
    item = service(env={"PASSWORD": "geheim"}, configs=[{"name": "c", "content": "geheim2", "target": "/c"}])
    assert "geheim" not in json.dumps(seen([item], [task(item)]))


def container(name, state="running", status="Up 2 hours", **labels):
    return {"Id": "0123456789abcdef", "Names": ["/" + name], "Image": "i@sha256:1", "State": state, "Status": status, "Labels": labels,
            "Ports": [{"PrivatePort": 80, "PublicPort": 8080, "Type": "tcp", "IP": ip} for ip in ("0.0.0.0", "::")]}


def test_containers():
    found = observe.containers([
        container("registry-skp", "exited", "Exited (1) 2 hours ago", **{"skp.role": "registry"}),
        container("web-skp.1.x", "running", "Up 2 hours (unhealthy)", **{"com.docker.swarm.service.name": "web-skp", "skp.role": "web"}),
        container("web-skp.1.old", "exited", "Exited (0)", **{"com.docker.swarm.service.name": "web-skp", "skp.role": "web"}),
        container("somebody", "exited", "Exited (0)"),
    ])
    assert [(item["name"], item["service"], item["role"], item["state"], item["health"]) for item in found] == [
        ("registry-skp", "", "registry", "exited", ""), ("web-skp.1.x", "web-skp", "web", "running", "unhealthy")]
    assert found[0]["ports"] == ["8080/tcp"] and found[0]["image"] == "i"


def test_size_of_an_image():
    assert observe.size_of({"config": {"size": 10}, "layers": [{"size": 100}, {"size": 1000}]}) == 1110
    assert observe.size_of({}) == 0


def test_tasks_whose_logs_can_be_read():
    """The task that runs and the one before it, on nodes that answer; by the name of a service or of its role."""
    one, two = service("web-1", host="c1"), service("web-2", host="c2")
    tasks = [task(one, "c1", "failed", 1), task(one, "c1", "failed", 2), task(one, "c1", "running", 3), task(two, "c2", "running", 4)]
    snapshot = {"nodes": [node("c1"), node("c2", "down")], "networks": {}, "services": {"web-1": one, "web-2": two}, "tasks": tasks}
    assert observe.tasks_for_logs(snapshot, "web") == (["web-1", "web-2"], [
        {"id": "t3c1", "host": "c1", "service": "web-1"}, {"id": "t2c1", "host": "c1", "service": "web-1"}])
    assert observe.tasks_for_logs(snapshot, "web-2") == (["web-2"], [])
    assert observe.tasks_for_logs(snapshot, "none") == ([], [])


def test_lines_of_logs_in_the_order_of_their_time():
    found = [("c1", "web-1", "2026-01-01T00:00:03Z three\n2026-01-01T00:00:01Z one\n"), ("c2", "web-2", "2026-01-01T00:00:02Z two\r\n"),
             ("c1", "web-1", "2026-01-01T00:00:00Z zero\n"), ("", "registry-skp", "2026-01-01T00:00:04Z four")]
    assert observe.log_lines(found, 2) == [
        "web-1@c1 | 2026-01-01T00:00:01Z one", "web-2@c2 | 2026-01-01T00:00:02Z two", "web-1@c1 | 2026-01-01T00:00:03Z three",
        "registry-skp | 2026-01-01T00:00:04Z four"]
