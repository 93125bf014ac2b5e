# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engine facts from the engine's answers and from its certificate."""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import subprocess
import threading

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.engine import facts

INFO = {"Name": "c01", "Driver": "overlay2", "CgroupVersion": "1", "DockerRootDir": "/big", "LiveRestoreEnabled": False,
        "Runtimes": {"runc": {}, "nvidia": {}}, "DefaultRuntime": "runc",
        "Swarm": {"LocalNodeState": "active", "NodeID": "n1", "NodeAddr": "10.0.0.4", "ControlAvailable": True, "Error": "", "Managers": 3,
                  "Nodes": 5, "Cluster": {"ID": "cl1"}, "RemoteManagers": [{"Addr": "10.0.0.5:2377"}, {"Addr": "10.0.0.4:2377"}]}}
VERSION = {"Version": "26.1.5+dfsg1", "ApiVersion": "1.45", "MinAPIVersion": "1.24"}


def test_facts_have_the_same_keys_with_and_without_an_engine():
    """Whoever reads the facts needs no defaults."""
    found = facts.from_answers(INFO, VERSION)
    assert set(found) <= set(facts.EMPTY)
    assert (found["version"], found["is_manager"], found["managers"], found["cluster_id"]) == ("26.1.5+dfsg1", True, 3, "cl1")
    assert found["remote_managers"] == ["10.0.0.4:2377", "10.0.0.5:2377"]
    assert found["runtimes"] == ["nvidia", "runc"]


@pytest.mark.parametrize("text, root, strict", [
    ('{"data-root": "/big", "no-new-privileges": true}', "/big", True),
    ('{"no-new-privileges": false}', "/var/lib/docker", False),
    ("{}", "/var/lib/docker", False),
    ("[]", "/var/lib/docker", False),
    ("{", "/var/lib/docker", False),
    (None, "/var/lib/docker", False),
])
def test_what_the_engines_file_says(tmp_path, monkeypatch, text, root, strict):
    """An engine that does not run says nothing, and one before 24.0 not that a container gains no privileges."""
    path = tmp_path / "daemon.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(facts.configured, "__defaults__", (str(path),))
    monkeypatch.setenv("DOCKER_HOST", "unix://%s/none.sock" % tmp_path)
    found = facts.read()
    assert (found["running"], found["root_dir"], found["no_new_privileges"]) == (False, root, strict)


@pytest.mark.parametrize("swarm, state", [
    ({}, "inactive"),
    ({"LocalNodeState": "pending"}, "pending"),
    ({"LocalNodeState": "error", "ControlAvailable": True, "Error": ""}, "active"),
    ({"LocalNodeState": "error", "ControlAvailable": True, "Error": "no leader"}, "error"),
    ({"LocalNodeState": "error", "ControlAvailable": False, "Error": ""}, "error"),
])
def test_swarm_state(swarm, state):
    """A manager that says error without one is active, nothing else."""
    assert facts.from_answers({"Swarm": swarm}, {})["swarm_state"] == state


def test_cluster_id_from_a_certificate(tmp_path):
    """The organization of the subject, as openssl wrote it."""
    target = tmp_path / "swarm" / "certificates"
    target.mkdir(parents=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                    "-keyout", os.devnull, "-subj", "/O=abc123cluster/OU=swarm-worker/CN=node1",
                    "-out", str(target / "swarm-node.crt")], check=True, capture_output=True)
    assert facts.certificate_cluster_id(str(tmp_path)) == "abc123cluster"
    assert facts.certificate_cluster_id(str(tmp_path / "nowhere")) == ""
    (target / "swarm-node.crt").write_text("-----BEGIN CERTIFICATE-----\nxx\n")
    assert facts.certificate_cluster_id(str(tmp_path)) == ""


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        """A page of JSON, and an error in the engine's form."""
        body = json.dumps({"ok": self.path} if self.path == "/info" else {"message": "no such thing"}).encode()
        self.send_response(200 if self.path == "/info" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        """A unix socket has no address to log."""
        return "unix"

    def log_message(self, *dummy):
        """Silent."""


def test_asking_over_the_socket(tmp_path, monkeypatch):
    """JSON comes back, an error has the engine's words, a missing socket is an OSError."""
    path = str(tmp_path / "engine.sock")
    monkeypatch.setenv("DOCKER_HOST", "unix://" + path)
    with pytest.raises(OSError):
        facts.ask("/info")
    with socketserver.UnixStreamServer(path, _Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            assert facts.ask("/info") == {"ok": "/info"}
            with pytest.raises(RuntimeError, match="no such thing"):
                facts.ask("/nothing")
        finally:
            server.shutdown()


@pytest.mark.parametrize("container, name", [
    ({"Names": ["/x.1.abc"], "Labels": {"com.docker.swarm.service.name": "kafka-skp-1"}}, "kafka-skp-1"),
    ({"Names": ["/x.1.abc"], "Labels": {"com.docker.swarm.service.name": "shop"}}, ""),
    ({"Names": ["/x.1.abc"], "Labels": {"com.docker.swarm.service.name": "echo", "skp.role": "echo"}}, "echo"),
    ({"Names": ["/registry-skp"], "Labels": {"skp.role": "registry"}}, "registry-skp"),
    ({"Names": ["/portainer"], "Labels": {}}, ""),
    ({"Names": ["/portainer"]}, ""),
])
def test_whose_container(container, name):
    """Ours are known by label, tasks by the name of their service."""
    assert facts.our_name(container) == name


@pytest.mark.parametrize("release, splits", [
    ('ID=debian\nVERSION_ID="13"\n', True), ('ID=debian\nVERSION_ID="12"\n', False), ("ID=debian\n", True),
    ('ID=ubuntu\nVERSION_ID="24.04"\n', False), ("", False),
])
def test_which_distribution_splits_the_command_off(tmp_path, release, splits):
    """docker-cli is a package from Debian 13 on; asking for it elsewhere would fail."""
    (tmp_path / "os-release").write_text(release)
    assert facts.splits_cli(str(tmp_path / "os-release")) == splits


def container(name, status="Up 5 minutes", **labels):
    return {"Names": ["/" + name + ".1.x"], "Status": status, "Labels": {"com.docker.swarm.service.name": name, **labels}}


def test_gates_of_our_running_containers():
    gate = {"skp.stop-gate": '["skp-kafka-gate", "kafka-skp:9092"]'}
    found = facts.our_gates([
        dict(container("kafka-skp-1", **gate), Id="a", State="running"), dict(container("kafka-skp-2", **gate), Id="b", State="exited"),
        dict(container("spark-skp-worker"), Id="c", State="running"), dict(container("of-somebody-else", **gate), Id="d", State="running")])
    assert found == [("kafka-skp-1", "a", ["skp-kafka-gate", "kafka-skp:9092"])]


def test_health_of_our_containers():
    """A container that runs may still be loading: the next engine was restarted while the broker of the last one was."""
    found = facts.our_health([
        container("kafka-skp-1", "Up 5 seconds (health: starting)"), container("zookeeper-skp-1", "Up 2 minutes (healthy)"),
        container("spark-skp-worker"), container("jupyter-skp", "Up 2 minutes (unhealthy)"), container("of-somebody-else")])
    assert found == {"kafka-skp-1": False, "zookeeper-skp-1": True, "spark-skp-worker": True, "jupyter-skp": False}
