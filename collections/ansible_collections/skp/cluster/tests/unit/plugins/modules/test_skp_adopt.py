# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""skp_adopt on directories as the original leaves them. The engine is the only stand-in: it keeps what it was told."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.adopt import io, plan
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.modules import skp_adopt

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="owners are changed")
TOP = pathlib.Path(skp_adopt.__file__).parents[5]
UIDS = {"zookeeper": 61002, "kafka": 61001, "mysql": 61004, "notebooks": 61000}


class Engine:
    """A stand-in for the Docker engine: it lists containers in the API's form and follows update, stop and rename."""

    def __init__(self, containers):
        self.containers = {entry["Id"]: entry for entry in containers}
        self.told = []

    def ask(self, path, timeout=30):
        """GET."""
        if path.startswith("/containers/json"):
            return [{"Id": ident} for ident in self.containers]
        if path.startswith("/containers/"):
            return self.containers[path.split("/")[2]]
        raise RuntimeError("404")

    def exchange(self, dummy_socket, method, url, body=None, headers=None, timeout=30):
        """POST."""
        assert method == "POST"
        self.told.append(url)
        ident, _slash, verb = url.split("/", 2)[2].partition("/")
        entry = self.containers.get(ident)
        if verb == "exec":
            return 201, b'{"Id": "e1"}'
        if url.startswith("/exec/"):
            return 200, b"\x01\x00\x00\x00\x00\x00\x00\x30mysqld  Ver 9.7.0 for Linux on x86_64\n"
        if verb == "update":
            entry["HostConfig"]["RestartPolicy"] = json.loads(body)["RestartPolicy"]
        elif verb.startswith("stop"):
            entry["State"]["Status"] = "exited"
        elif verb.startswith("rename"):
            entry["Name"] = "/" + verb.partition("name=")[2]
        return 204, b""


def container(ident, name, mounts, **more):
    """One container as the API shows it."""
    return {"Id": ident, "Name": "/" + name, "State": {"Status": "running"}, "HostConfig": {"RestartPolicy": {"Name": "always"}},
            "Config": {"Image": "x", "Hostname": ident, "Labels": None, "Env": ["PASSWORD=canary", *more.get("env", [])]},
            "Mounts": [{"Type": "bind", "Source": str(source), "Destination": target} for target, source in mounts.items()]}


def put(path, text=""):
    """A file with its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture(name="node")
def _node(tmp_path, monkeypatch):
    """A node with all services of the original, its module and its engine."""
    zookeeper, kafka, volume = tmp_path / "zookeeper", tmp_path / "kafka", tmp_path / "home/volume"
    mysql = volume / "var/mysql"
    put(zookeeper / "data/myid", "2\n")
    put(zookeeper / "data/version-2/snapshot.0")
    put(zookeeper / "conf/zoo.cfg")
    put(kafka / "c01/kafka-logs-k1/meta.properties", "#Thu\nversion=0\nbroker.id=3\ncluster.id=abc\n")
    put(kafka / "c01/kafka-logs-k1/test-0/0.log", "messages")
    put(kafka / "c01/kafka-logs-older/meta.properties", "version=0\nbroker.id=3\n")
    for name in ("ibdata1", "mysql.ibd", "shop/orders.ibd", "data/table.ibd"):
        put(mysql / name, name)
    put(volume / "example/a.ipynb", "{}")
    put(volume / "var/airflow/dags/b.py")
    os.symlink("/etc/passwd", volume / "link")
    engine = Engine([
        container("z1", "zookeeper-skp-2", {"/opt/zookeeper/data": zookeeper / "data"}),
        container("k1", "kafka-skp", {"/kafka": kafka / "c01"}, env=["KAFKA_BROKER_ID=3"]),
        container("m1", "mysql-skp", {"/var/lib/mysql": mysql}),
        container("r1", "registry-skp", {"/var/lib/registry": tmp_path / "registry"}),
        container("o1", "of-others", {"/x": tmp_path / "others"}),
    ])
    monkeypatch.setattr(io, "ask", engine.ask)
    monkeypatch.setattr(io, "exchange", engine.exchange)
    monkeypatch.setattr(plan, "RECORD", str(tmp_path / "etc/adopted.json"))
    monkeypatch.setattr(plan, "OWNERS", str(tmp_path / "etc/adopted.owners"))
    services = [
        {"name": "zookeeper", "path": str(zookeeper), "container": "zookeeper-skp"},
        {"name": "kafka", "path": str(kafka), "container": "kafka-skp"},
        {"name": "mysql", "path": str(tmp_path / "home/skp-mysql"), "from": str(mysql), "container": "mysql-skp"},
        {"name": "notebooks", "path": str(volume), "container": "jupyter-skp"},
    ]
    services = [dict({"from": None}, uid=UIDS[entry["name"]], **entry) for entry in services]
    stops = [{"name": name, "numbered": name == "zookeeper-skp", "rename": name == "registry-skp", "timeout": 60}
             for name in ("kafka-skp", "mysql-skp", "zookeeper-skp", "registry-skp")]

    class Module:
        """What run() needs of a module."""

        check_mode = False
        params = {}

    def call(state, check=False, chosen=services):
        module = Module()
        module.check_mode = check
        module.params = {"state": state, "services": chosen, "containers": stops, "network": "", "others": [entry["path"] for entry in services]}
        return skp_adopt.run(module)

    call.engine, call.path, call.services = engine, tmp_path, services
    return call


def tree(path):
    """{path below: text of a file, or target of a link}."""
    return {str(item.relative_to(path)): os.readlink(item) if item.is_symlink() else item.read_text()
            for item in sorted(path.rglob("*")) if (item.is_symlink() or item.is_file()) and "etc" not in item.relative_to(path).parts}


def test_a_look_changes_nothing(node):
    before = tree(node.path)
    result = node("looked")
    assert not result["changed"] and tree(node.path) == before and result["stops"] == ["zookeeper-skp-2", "kafka-skp", "mysql-skp", "registry-skp"]
    found = result["services"]
    assert [found[name]["problems"] for name in found] == [[], [], [], []]
    assert (found["zookeeper"]["id"], found["kafka"]["id"], found["mysql"]["version"]) == (2, 3, "9.7.0")
    assert found["kafka"]["counts"] == {"partitions": 1} and found["notebooks"]["counts"]["notebooks"] == 1
    assert "canary" not in json.dumps(result)


def test_nothing_moves_while_a_container_runs(node):
    before = tree(node.path)
    with pytest.raises(Failure, match="docker stop zookeeper-skp-2"):
        node("taken")
    assert tree(node.path) == before


def test_check_mode(node):
    before = tree(node.path)
    assert node("stopped", check=True)["changed"] and node("taken", check=True)["changed"]
    assert tree(node.path) == before and node.engine.told == ["/containers/m1/exec", "/exec/e1/start"]
    assert not os.path.exists(plan.RECORD)


def test_taken_over(node):
    contents = sorted(tree(node.path).values())
    assert node("stopped")["changed"]
    assert {name: entry["state"] for name, entry in ((entry["name"], entry) for entry in io.containers())} == {
        "zookeeper-skp-2": "exited", "kafka-skp": "exited", "mysql-skp": "exited", "registry-skp-before-skp": "exited", "of-others": "running"}
    assert [entry["restart"] for entry in io.containers()] == ["no", "no", "no", "no", "always"]
    assert node("taken")["changed"]
    # Nothing was copied or deleted: the same contents, in other places.
    assert sorted(tree(node.path).values()) == contents
    found = tree(node.path)
    for name in ("zookeeper/data/myid", "zookeeper/conf/zoo.cfg", "kafka/data/meta.properties", "kafka/data/test-0/0.log", "home/skp-mysql/data/ibdata1",
                 "home/skp-mysql/data/shop/orders.ibd", "home/skp-mysql/data/data/table.ibd", "kafka/c01/kafka-logs-older/meta.properties"):
        assert name in found
    owners = {name: os.lstat(node.path / name).st_uid for name in (
        "zookeeper/data/version-2/snapshot.0", "kafka/data/test-0/0.log", "home/skp-mysql/data/shop/orders.ibd", "home/volume/example/a.ipynb",
        "home/volume/link", "kafka/c01/kafka-logs-older/meta.properties")}
    assert list(owners.values()) == [61002, 61001, 61004, 61000, 61000, 0] and os.stat("/etc/passwd").st_uid == 0


def test_a_second_run_changes_nothing(node):
    node("stopped")
    node("taken")
    before = tree(node.path)
    assert not node("stopped")["changed"] and not node("taken")["changed"] and tree(node.path) == before
    # The version is still known, though the container does not run.
    assert node("looked")["services"]["mysql"]["version"] == "9.7.0" and node("looked")["services"]["kafka"]["problems"] == []


def test_the_record_says_what_was(node):
    node("stopped")
    node("taken")
    with open(plan.RECORD, encoding="utf-8") as stream:
        record = json.load(stream)
    assert record["containers"]["registry-skp"]["renamed"] == "registry-skp-before-skp" and record["containers"]["kafka-skp"]["restart"] == "always"
    assert [str(node.path / "kafka/c01/kafka-logs-k1"), str(node.path / "kafka/data")] in record["moves"]
    with open(plan.OWNERS, encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    assert [str(node.path / "home/volume/example/a.ipynb"), 0, 0] in rows
    assert os.stat(plan.RECORD).st_mode & 0o777 == 0o600 and os.stat(plan.OWNERS).st_mode & 0o777 == 0o600 and "canary" not in json.dumps(record)


def test_mysql_where_it_is(node):
    """Not below the notebooks: its files move into a directory below, also after a run that was cut off."""
    place = node.path / "own"
    for name in ("ibdata1", "mysql.ibd", "data/table.ibd"):
        put(place / name, name)
    (place / plan.STAGING).mkdir()
    os.rename(place / "ibdata1", place / plan.STAGING / "ibdata1")
    service = dict(node.services[2], path=str(place), **{"from": None})
    node.engine.containers.pop("m1")
    assert node("taken", chosen=[service])["changed"]
    assert tree(place) == {"data/ibdata1": "ibdata1", "data/mysql.ibd": "mysql.ibd", "data/data/table.ibd": "data/table.ibd"}
    assert not node("taken", chosen=[service])["changed"]


def test_a_name_that_is_taken(node):
    put(node.path / "kafka/data/something", "of somebody")
    node("stopped")
    with pytest.raises(Failure, match="is there already"):
        node("taken", chosen=node.services[1:2])
    assert (node.path / "kafka/c01/kafka-logs-k1/meta.properties").exists()


def test_bad_data_stops_all_of_it(node):
    (node.path / "zookeeper/data/version-2/snapshot.0").unlink()
    before = tree(node.path)
    node("stopped")
    with pytest.raises(Failure, match="no snapshot"):
        node("taken")
    assert tree(node.path) == before


def test_owners_follow_no_link(tmp_path):
    outside = put(tmp_path / "outside/file")
    (tmp_path / "tree").mkdir()
    os.symlink(tmp_path / "outside", tmp_path / "tree/directory")
    plan_owners, plan.OWNERS = plan.OWNERS, str(tmp_path / "owners")
    try:
        io.own(str(tmp_path / "tree"), 61000, [])
    finally:
        plan.OWNERS = plan_owners
    assert outside.stat().st_uid == 0 and os.lstat(tmp_path / "tree/directory").st_uid == 61000


def test_as_ansible_runs_it_on_a_node_without_an_engine(tmp_path):
    """A process of its own, with all options, and one error that says what to do."""
    service = {"name": "kafka", "path": str(tmp_path), "from": None, "container": "kafka-skp", "uid": 61001, "hosts": ["c01"]}
    arguments = tmp_path / "arguments.json"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {
        "services": [service], "containers": [{"name": "kafka-skp", "numbered": False, "rename": False, "timeout": 180}], "others": [str(tmp_path)]}}))
    done = subprocess.run([sys.executable, skp_adopt.__file__, str(arguments)], capture_output=True, text=True, check=False, timeout=60, env=dict(
        os.environ, DOCKER_HOST="unix://%s/nowhere" % tmp_path, PYTHONPATH=os.pathsep.join([str(TOP)] + sys.path)))
    answer = json.loads(done.stdout)
    assert answer["failed"] and answer["failure"]["kind"] == "engine" and "systemctl start docker" in answer["msg"]
