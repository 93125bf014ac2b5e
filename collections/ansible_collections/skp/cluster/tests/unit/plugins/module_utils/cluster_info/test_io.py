# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a manager and a node: an engine and a registry that say what engine 26.1.5 and registry 3 say, and what comes back when they do not answer."""

from __future__ import annotations

import contextlib
import http.server
import json
import socketserver
import threading
import urllib.parse

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.cluster_info import io
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.preflight import io as preflight_io
from ansible_collections.skp.cluster.plugins.module_utils.registry import io as registry_io
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service

DIGEST = "sha256:" + "a" * 64
IMAGE = "localhost:5000/skp/web:latest"
SPEC = build_service({"name": "web-skp", "image": IMAGE, "host": "c1", "ports": [{"target": 80}]}, "web", "net-skp", {IMAGE: DIGEST})["payload"]
NO_LEADER = "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online."
CONTAINER = {"Id": "0" * 64, "Names": ["/registry-skp"], "Image": "r", "State": "running", "Status": "Up", "Labels": {"skp.role": "registry"}, "Ports": []}
ENGINE = {
    "/version": {"ApiVersion": "1.45"},
    "/info": {"ServerVersion": "26.1.5", "DockerRootDir": "/", "Swarm": {"NodeID": "n1", "LocalNodeState": "active", "ControlAvailable": True}},
    "/nodes": [{"ID": "n1", "Spec": {"Role": "manager", "Availability": "active", "Labels": {"skp.host": "c1"}},
                "Description": {"Hostname": "h1", "Engine": {"EngineVersion": "26.1.5"}}, "Status": {"State": "ready", "Addr": "10.0.0.1"},
                "ManagerStatus": {"Leader": True, "Reachability": "reachable"}}],
    "/services": [{"ID": "s1", "Version": {"Index": 1}, "Spec": SPEC}],
    "/tasks": [{"ID": "t1", "ServiceID": "s1", "NodeID": "n1", "CreatedAt": "2026-01-01T00:00:00Z", "Spec": SPEC["TaskTemplate"], "DesiredState": "running",
                "Status": {"State": "running", "Timestamp": "2026-01-01T00:00:00Z"}}],
    "/networks": [{"Id": "netid", "Name": "net-skp", "Scope": "swarm"}],
    "/networks/net-skp": {"Name": "net-skp"},
    "/configs": [],
    "/containers/json": [CONTAINER],
    "/tasks/t1/logs": b"\x01\0\0\0\0\0\0\x1e2026-01-01T00:00:00Z it works\n"[:38],
    "/containers/registry-skp/logs": b"\x02\0\0\0\0\0\0\x192026-01-01T00:00:00Z pull\n"[:33],
}


def handler(answers):
    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers by path; text is a refusal of the engine."""

        def do_GET(self):
            path = urllib.parse.urlsplit(self.path).path
            path = path[len("/v1.45"):] if path.startswith("/v1.45") else path
            answer = answers.get(path)
            status = 404 if answer is None else 500 if isinstance(answer, str) else 200
            content = {"message": answer or "no such path %s" % path} if status != 200 else answer
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if path.startswith("/v2/") and "manifests" in path:
                self.send_header("Docker-Content-Digest", DIGEST)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def address_string(self):
            return "unix"

        def log_message(self, *_dummy):
            pass
    return Handler


@contextlib.contextmanager
def serving(server):
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Changes of ENGINE -> a running engine that DOCKER_HOST names."""
    path = str(tmp_path / "engine.sock")
    monkeypatch.setenv("DOCKER_HOST", "unix://" + path)
    monkeypatch.setattr(io, "LEADER_SECONDS", 0)
    with contextlib.ExitStack() as stack:
        yield lambda **changes: stack.enter_context(serving(socketserver.ThreadingUnixStreamServer(path, handler(dict(ENGINE, **changes)))))


@pytest.fixture
def registry():
    """Answers -> address of a registry."""
    with contextlib.ExitStack() as stack:
        yield lambda answers: "localhost:%d" % stack.enter_context(
            serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(answers)))).server_address[1]


def test_a_manager(engine):
    engine()
    answer = io.swarm("localhost:5000", False, 5)
    assert answer["answered"] and answer["error"] == "" and answer["registry"] == {}
    assert [(node["host"], node["leader"], node["state"]) for node in answer["nodes"]] == [("c1", True, "ready")]
    assert [(item["name"], item["running"], item["edited"]) for item in answer["services"]] == [("web-skp", ["c1"], False)]


@pytest.mark.parametrize("changes, kind, words", [
    ({"/info": {"Swarm": {"LocalNodeState": "inactive"}}}, "not_swarm", "not in a swarm"),
    ({"/info": {"Swarm": {"LocalNodeState": "active"}}}, "not_manager", "is a swarm worker"),
    ({"/services": NO_LEADER}, "no_leader", "does not have a leader"),
    ({"/nodes": "something else"}, "api", "something else"),
])
def test_a_manager_that_cannot_say(engine, changes, kind, words):
    engine(**changes)
    answer = io.swarm("localhost:5000", False, 5)
    assert (answer["answered"], answer["kind"], answer["services"]) == (False, kind, []) and words in answer["error"]


def test_a_manager_without_an_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix://%s" % (tmp_path / "none"))
    assert io.swarm("localhost:5000", False, 5)["kind"] == "engine_unreachable"


def test_a_damaged_ledger_does_not_hide_the_rest(engine):
    engine(**{"/configs": [{"ID": "x", "Spec": {"Name": "skp-images-ledger-1", "Labels": {"skp.images": "ledger"}, "Data": "bm8="}}]})
    answer = io.swarm("localhost:5000", False, 5)
    assert answer["answered"] and "damaged" in answer["error"] and answer["images"] == {} and len(answer["services"]) == 1


MANIFEST = {"config": {"size": 10}, "layers": [{"size": 90}]}


def test_the_tags_of_a_registry(registry, monkeypatch):
    monkeypatch.setattr(io.RegistryClient, "_same", lambda _self, body, _repository, _reference: body)
    address = registry({"/v2/": {}, "/v2/_catalog": {"repositories": ["skp/web"]}, "/v2/skp/web/tags/list": {"tags": ["1", "2"]},
                        "/v2/skp/web/manifests/1": MANIFEST, "/v2/skp/web/manifests/2": MANIFEST, "/v2/skp/web/manifests/%s" % DIGEST: MANIFEST})
    assert io.tags(address) == {"answering": True, "health": "200", "more": 0, "tags": [
        {"repository": "skp/web", "tag": tag, "digest": DIGEST, "size": 100} for tag in ("1", "2")]}
    monkeypatch.setattr(io, "TAG_LIMIT", 1)
    assert (len(io.tags(address)["tags"]), io.tags(address)["more"]) == (1, 1)


def test_a_registry_that_does_not_answer(registry):
    found = io.tags("localhost:1")
    assert (found["answering"], found["tags"]) == (False, []) and "refused" in found["health"]
    found = io.tags(registry({"/v2/": {}, "/v2/_catalog": "its disk is gone"}))
    assert found["answering"] is False and "500" in found["health"]


@pytest.fixture
def params(tmp_path, monkeypatch):
    monkeypatch.setattr(io.volumes_io, "present", lambda: [])
    monkeypatch.setattr(io.network_io, "SCRIPT", str(tmp_path / "no script"))
    return {"timeout": 5, "data": str(tmp_path / "data"), "home": str(tmp_path / "home"), "volumes_dir": str(tmp_path), "registry": "localhost:1",
            "registry_store": str(tmp_path / "store")}


def test_a_node(engine, params, monkeypatch):
    monkeypatch.setattr(registry_io, "read_store", lambda path: {"marker": "s1"})
    engine()
    facts = io.node(params)
    assert facts["engine"] == {"running": True, "version": "26.1.5", "error": "", "root": "/"}
    assert [item["name"] for item in facts["containers"]] == ["registry-skp"]
    assert facts["registry"]["store"] == "s1" and facts["registry"]["answering"] is False
    assert [disk["path"] for disk in facts["disks"]] == ["/", params["data"], params["home"]], "the engine's is / here"
    assert facts["store"] == {"path": params["home"], "mounted": None} and facts["volumes"] == {}
    assert facts["packet_filter"] == {"made": False, "changed": False, "unused": False, "error": ""}


def test_a_node_without_an_engine_whose_store_is_silent(params, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix://%s" % (tmp_path / "none"))
    monkeypatch.setattr(preflight_io, "disk", lambda path: {"path": path, "silent": "does not answer"})
    facts = io.node(params)
    assert facts["engine"]["running"] is False and facts["engine"]["error"] and facts["containers"] == [] and facts["registry"] == {}
    assert {disk["silent"] for disk in facts["disks"]} == {"does not answer"}


def no_tools():
    raise Failure("no iptables-save", kind="network_rules")


USED = "-A FORWARD -j DOCKER-USER\n"


@pytest.mark.parametrize("read, expected", [
    (lambda: ({"live": ["a"], "recorded": ["a"]}, USED), (False, False, "")),
    (lambda: ({"live": [], "recorded": ["a"]}, USED), (True, False, "")),
    (lambda: ({"live": ["a"], "recorded": ["a"]}, ""), (False, True, "")),
    (no_tools, (False, False, "no iptables-save")),
])
def test_the_packet_filter(monkeypatch, tmp_path, read, expected):
    monkeypatch.setattr(io.network_io, "SCRIPT", str(tmp_path))
    monkeypatch.setattr(io.network_io, "read", read)
    state = io.packet_filter()
    assert (state["changed"], state["unused"], state["error"]) == expected and state["made"]


def test_logs_of_a_service_and_of_its_role(engine):
    engine()
    expected = {"found": ["web-skp"], "lines": ["web-skp@c1 | 2026-01-01T00:00:00Z it works"]}
    assert io.logs("web-skp", 10, "") == expected and io.logs("web", 10, "") == expected
    assert io.logs("none", 10, "") == {"found": [], "lines": []}


def test_logs_of_a_container(engine):
    engine()
    assert io.logs("registry-skp", 10, "c1") == {"found": ["registry-skp"], "lines": ["registry-skp@c1 | 2026-01-01T00:00:00Z pull"]}
    assert io.logs("none", 10, "c1") == {"found": [], "lines": []}


def test_a_log_that_does_not_come_is_a_line(engine):
    engine(**{"/tasks/t1/logs": "the node is gone"})
    [line] = io.logs("web-skp", 10, "")["lines"]
    assert line.startswith("web-skp@c1 | (its log cannot be read: ") and "the node is gone" in line
