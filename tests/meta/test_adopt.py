# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/adopt.yml from the first command to the dry run of the last, on this machine.

The data is in a temporary directory, and a stand-in for the Docker engine lists the containers of st-kilda-pier. It refuses every change, so a look and a
dry run that changed something would fail. The real thing is tests/lab/soak/test_adopt.py.
"""

from __future__ import annotations

import http.server
import json
import os
import pathlib
import socketserver
import subprocess
import sys
import threading

import pytest
from tree import ROOT


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The engine's API over a socket, as far as a look asks it."""

    daemon_threads = True
    containers: dict[str, dict] = {}
    version = ""


class Answers(http.server.BaseHTTPRequestHandler):
    """What the stand-in says."""

    def address_string(self):
        return ""

    def log_message(self, *_arguments):
        pass

    def answer(self, value, status=200):
        """Send JSON, or bytes."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        """Containers and the network."""
        if self.path.startswith("/containers/json"):
            self.answer([{"Id": ident} for ident in self.server.containers])
        elif self.path.startswith("/containers/"):
            self.answer(self.server.containers[self.path.split("/")[2]])
        elif self.path == "/networks/net-skp":
            self.answer({"Driver": "overlay", "IPAM": {"Config": [{"Subnet": "10.0.9.0/24"}]}})
        else:
            self.answer({"message": "not here"}, 404)

    def do_POST(self):
        """Only the question for MySQL's version."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/exec"):
            self.answer({"Id": "e1"}, 201)
        elif self.path.startswith("/exec/"):
            self.answer(b"\x01\0\0\0\0\0\0\x20mysqld  Ver %s for Linux\n" % self.server.version.encode())
        else:
            self.answer({"message": "the stand-in changes nothing"}, 500)


def container(ident, name, target, source):
    """A container of docker run, as the engine shows it."""
    return {"Id": ident, "Name": "/" + name, "State": {"Status": "running"}, "HostConfig": {"RestartPolicy": {"Name": "always"}},
            "Config": {"Image": "x", "Hostname": ident, "Labels": {}, "Env": []},
            "Mounts": [{"Type": "bind", "Source": str(source), "Destination": target}]}


@pytest.fixture(name="old", scope="module")
def _old(tmp_path_factory):
    """An installation with one node, which is this machine. Yields (directory, engine)."""
    path = tmp_path_factory.mktemp("old")
    files = {
        "zookeeper/data/myid": "2\n", "zookeeper/data/version-2/snapshot.0": "", "kafka/c01/kafka-logs-k1/meta.properties": "version=0\nbroker.id=3\n",
        "home/volume/example/a.ipynb": "{}", "home/volume/var/mysql/ibdata1": "", "home/volume/var/mysql/mysql.ibd": "",
        "home/etc/hosts.json": json.dumps({"c01": {"ipv4": "192.0.2.1", "groups": ["master"], "labels": [
            {name: "enable"} for name in ("registry", "zookeeper", "kafka", "mysql", "jupyter")]}}),
        "home/bin/env.sh": "\n".join((
            "export SKP_HOME=%s/home" % path, "export JUPYTER_VOLUME=$SKP_HOME/volume", "export MYSQL_VOLUME=$SKP_HOME/volume/var/mysql",
            "export MYSQL_ROOT_PASSWORD=canary-of-mysql", "export KAFKA_VOLUME=%s/kafka" % path, "export ZOOKEEPER_VOLUME=%s/zookeeper" % path, "")),
    }
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    with Engine(str(path / "engine"), Answers) as engine:
        engine.containers = {entry["Id"]: entry for entry in (
            container("z1", "zookeeper-skp-2", "/opt/zookeeper/data", path / "zookeeper/data"),
            container("k1", "kafka-skp", "/kafka", path / "kafka/c01"),
            container("m1", "mysql-skp", "/var/lib/mysql", path / "home/volume/var/mysql"),
            container("r1", "registry-skp", "/var/lib/registry", path / "registry"))}
        engine.version = "9.7.0"
        threading.Thread(target=engine.serve_forever, daemon=True).start()
        yield path, engine
        engine.shutdown()


def play(path, *words):
    """(code, text) of one run of the playbook; with the new inventory the node is this machine."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "SKP_"))}
    program = pathlib.Path(sys.executable).with_name("ansible-playbook")
    here = ["-e", "ansible_connection=local", "-e", "ansible_become=false", "-e", "ansible_python_interpreter=%s" % sys.executable]
    place = ["-i", "localhost,"] if any(word.startswith("adopt_from=") for word in words) else ["-i", str(path / "mine/skp.yml"), *here]
    done = subprocess.run([program, "playbooks/adopt.yml", *place, *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
                          env={**environment, "DOCKER_HOST": "unix://%s/engine" % path})
    return done.returncode, done.stdout + done.stderr


def everything(path):
    """{path: (owner, text)} of all data."""
    return {str(item.relative_to(path)): (item.stat().st_uid, item.read_text(encoding="utf-8"))
            for name in ("zookeeper", "kafka", "home") for item in sorted((path / name).rglob("*")) if item.is_file()}


def test_the_steps(old):
    path, engine = old
    before = everything(path)
    code, text = play(path, "-e", "adopt_from=%s/home" % path, "-e", "adopt_to=%s/mine" % path)
    assert code == 0 and "env.sh: ZOOKEEPER_VOLUME" in text and "canary" not in text, text
    assert (path / "mine/env.sh").stat().st_mode & 0o777 == 0o600 and "canary-of-mysql" in (path / "mine/env.sh").read_text(encoding="utf-8")
    code, text = play(path, "-e", "adopt_from=%s/home" % path, "-e", "adopt_to=%s/mine" % path)
    assert code != 0 and "expected a directory that does not exist" in " ".join(text.split())

    code, text = play(path)
    assert code != 0 and "skp_confirm=mine" in text and "canary" not in text, text
    for line in ("c01: zookeeper  %s/zookeeper/data  id 2" % path, "kafka-logs-k1  id 3", "version 9.7.0", "c01: stops the container kafka-skp"):
        assert line in text

    code, text = play(path, "--check", "--diff")
    assert code == 0 and "+rename %s/kafka/c01/kafka-logs-k1 %s/kafka/data" % (path, path) in text and "skp_net_subnet: 10.0.9.0/24" in text, text
    assert text.index("+stop kafka-skp") < text.index("+stop zookeeper-skp-2") < text.index("+rename registry-skp registry-skp-before-skp")

    engine.version = "8.0.32"
    code, text = play(path)
    assert code != 0 and "MySQL 8.0.32" in text and "docker.io/library/mysql:8.0" in text, text
    assert everything(path) == before
