# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of the engine's API: over its socket, without the SDK, and while the swarm has no leader. The texts are those of engine 26.1.5."""

from __future__ import annotations

import contextlib
import http.server
import json
import socketserver
import subprocess
import sys
import threading

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.engine import client as engine

NO_LEADER = "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of \
the managers are online."
LATE = "rpc error: code = DeadlineExceeded desc = context deadline exceeded"


class Answers:
    """As much of `Engine` as `request` uses: it gives these answers, one after the other, and notes the calls."""

    timeout = 60

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), []

    def exchange(self, method, path, query, body, headers, timeout):
        self.calls.append(method)
        status, content = self.answers.pop(0)
        return status, json.dumps(content if status < 400 else {"message": content}).encode()


@pytest.fixture(autouse=True)
def _no_sleep(monkeypatch):
    monkeypatch.setattr(engine.time, "sleep", lambda seconds: None)


@pytest.mark.parametrize("method, error", [("GET", NO_LEADER), ("GET", LATE), ("POST", NO_LEADER), ("DELETE", NO_LEADER)])
def test_a_call_waits_for_the_election(method, error):
    api = Answers((503, error), (503, error), (200, {"ID": "x"}))
    assert engine.request(api, method, "/services/x") == {"ID": "x"} and len(api.calls) == 3


@pytest.mark.parametrize("method, error", [("POST", LATE), ("GET", "no such service"), ("POST", "rpc error: code = Unknown desc = update out of sequence")])
def test_what_may_have_been_done_is_not_sent_again(method, error):
    api = Answers((500, error))
    with pytest.raises(engine.EngineError):
        engine.request(api, method, "/services/x/update")
    assert len(api.calls) == 1


def test_a_swarm_without_a_majority_is_not_waited_for_for_ever(monkeypatch):
    clock = iter(range(0, 10000, 15))
    monkeypatch.setattr(engine.time, "monotonic", lambda: next(clock))
    with pytest.raises(engine.EngineError, match="fewer than a majority of its managers answer.*does not have a leader"):
        engine.request(Answers(*[(503, NO_LEADER)] * 10), "GET", "/nodes")


def node(index, **labels):
    return {"Spec": {"Labels": labels, "Role": "worker"}, "Version": {"Index": index}}


OUT_OF_SEQUENCE = "rpc error: code = Unknown desc = update out of sequence"


def relabelled(spec):
    return dict(spec, Labels={"new": "1"}) if spec["Labels"] != {"new": "1"} else None


@pytest.mark.parametrize("answers, calls, written", [
    ([(200, node(1)), (200, {})], ["GET", "POST"], True),
    ([(200, node(1, new="1"))], ["GET"], False),
    ([(200, node(1)), (500, OUT_OF_SEQUENCE), (200, node(2)), (200, {})], ["GET", "POST"] * 2, True),
    ([(200, node(1)), (500, LATE), (200, node(2, new="1"))], ["GET", "POST", "GET"], False),
])
def test_an_update_is_made_of_what_is_there_now(answers, calls, written):
    api = Answers(*answers)
    assert engine.update(api, "/nodes/x", relabelled, "reading", "updating") is written and api.calls == calls


@pytest.mark.parametrize("error, calls", [(OUT_OF_SEQUENCE, 10), ("no such node", 2)])
def test_an_update_that_is_always_late_or_wrong_is_an_error(error, calls):
    api = Answers(*[(200, node(1)), (500, error)] * 5)
    with pytest.raises(engine.EngineError, match="updating"):
        engine.update(api, "/nodes/x", relabelled, "reading", "updating")
    assert len(api.calls) == calls


class Dockerd(http.server.BaseHTTPRequestHandler):
    """An engine that says how it was asked."""

    api_version = "1.45"

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        asked = {"method": self.command, "path": self.path, "body": self.rfile.read(length).decode(), "type": self.headers.get("Content-Type")}
        if self.path == "/version":
            self._say(200, {"ApiVersion": self.api_version})
        elif "missing" in self.path:
            self._say(404, {"message": "no such service"})
        elif "damaged" in self.path:
            self._say(500, "<html>no JSON</html>")
        elif "nothing" in self.path:
            self._say(200, None)
        else:
            self._say(200, asked)

    do_GET = do_POST = do_DELETE = _answer

    def _say(self, status, content):
        body = b"" if content is None else content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "unix"

    def log_message(self, *_dummy):
        pass


@contextlib.contextmanager
def dockerd(tmp_path, monkeypatch, handler=Dockerd):
    """Within the block, DOCKER_HOST names an engine."""
    path = str(tmp_path / "engine.sock")
    monkeypatch.setenv("DOCKER_HOST", "unix://" + path)
    with socketserver.ThreadingUnixStreamServer(path, handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield path
        finally:
            server.shutdown()


def test_a_call_over_the_socket(tmp_path, monkeypatch):
    with dockerd(tmp_path, monkeypatch):
        client = engine.connect(timeout=5)
        assert engine.api_version(client) == (1, 45)
        assert engine.get(client, "/services", {"filters": {"label": ["a=b c"]}, "force": 1}) == {
            "method": "GET", "path": "/v1.45/services?filters=%7B%22label%22%3A+%5B%22a%3Db+c%22%5D%7D&force=1", "body": "", "type": None}
        assert engine.post(client, "/services/create", {"Name": "x"}) == {
            "method": "POST", "path": "/v1.45/services/create", "body": '{"Name": "x"}', "type": "application/json"}
        assert engine.get(client, "/images/localhost:5000/skp/x@sha256:0/json")["path"] == "/v1.45/images/localhost:5000/skp/x@sha256:0/json"
        assert engine.post(client, "/nothing") is None
        assert engine.get(client, "/nothing", decode=False) == b""
        assert engine.delete(client, "/missing") is None


@pytest.mark.parametrize("path, status, text", [("/missing", 404, "no such service"), ("/damaged", 500, "<html>no JSON</html>")])
def test_a_refused_call_has_the_words_of_the_engine(tmp_path, monkeypatch, path, status, text):
    with dockerd(tmp_path, monkeypatch), pytest.raises(engine.EngineError, match="reading it: " + text) as caught:
        engine.get(engine.connect(), path, what="reading it")
    assert (caught.value.failure["status"], caught.value.failure["kind"]) == (status, "api")


def test_an_engine_that_goes_away(tmp_path, monkeypatch):
    with dockerd(tmp_path, monkeypatch):
        client = engine.connect()
    (tmp_path / "engine.sock").unlink()
    with pytest.raises(engine.EngineError, match="listing: the Docker engine did not answer") as caught:
        engine.get(client, "/services", what="listing")
    assert caught.value.failure["kind"] == "engine_unreachable"


@pytest.mark.parametrize("host, kind, words", [
    ("unix:///nonexistent/engine.sock", "engine_unreachable", "/nonexistent/engine.sock.*systemctl status docker"),
    ("tcp://10.0.0.4:2375", "engine_elsewhere", "tcp://10.0.0.4:2375.*only the engine of the machine itself"),
])
def test_no_engine_here(monkeypatch, host, kind, words):
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(engine.EngineError, match=words) as caught:
        engine.connect()
    assert caught.value.failure["kind"] == kind


def test_an_engine_that_is_too_old_or_no_engine(tmp_path, monkeypatch):
    with dockerd(tmp_path, monkeypatch, type("Old", (Dockerd,), {"api_version": "1.40"})), pytest.raises(engine.EngineError) as caught:
        engine.connect()
    assert (caught.value.failure["kind"], caught.value.failure["found"]) == ("api_version", "1.40")


def test_the_sdk_is_imported_only_for_builds_and_images(tmp_path, monkeypatch):
    """Importing it takes longer than all else that a module does when there is nothing to do."""
    with dockerd(tmp_path, monkeypatch):
        client = engine.connect()
        code = ("import sys\nfrom ansible_collections.skp.cluster.plugins.module_utils.engine import client\n"
                "client.get(client.connect(), '/services')\nprint(sorted({'docker', 'requests'} & set(sys.modules)))")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(
            engine.os.environ, PYTHONPATH=":".join(sys.path)))
        assert done.stdout.strip() == "[]"
        assert engine.raw(client) is engine.raw(client) and engine.raw(client).base_url.startswith("http+docker://")


def test_a_machine_without_the_sdk(monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(engine.EngineError, match="python3-docker") as caught:
        engine.raw(engine.Engine("/x", "1.45", 60))
    assert caught.value.failure["kind"] == "sdk_missing"
