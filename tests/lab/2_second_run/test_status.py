# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""status.yml on a healthy cluster says what docker, curl and df say, and changes nothing. Nothing here changes the cluster."""
from __future__ import annotations

import json
import os
import subprocess
import time

import lablib
import pytest
import requests
import witness
from witness import definitions

STATUS = "playbooks/status.yml"
# Calls of one look: on the manager one for the swarm, one for the node, and one that writes what was found for the gateway's page.
ON_THE_MANAGER, ON_A_NODE = 3, 1


def status(directory, *args, check=True, **options):
    """(result of the play, the document)."""
    path = directory / "status.json"
    result = lablib.play(STATUS, "-e", f"status_file={path}", *args, check=check, **options)
    return result, json.loads(path.read_text(encoding="utf-8"))


def bare(playbook, *args):
    """The standard output of a playbook with the callback for scripts."""
    done = subprocess.run([lablib.BIN / "ansible-playbook", playbook, *args], cwd=lablib.ROOT, capture_output=True, text=True, timeout=300, check=False,
                          env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "skp.cluster.bare"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def look(site, tmp_path_factory):
    """One look at the cluster, for all tests of this file: (result, document)."""
    return status(tmp_path_factory.mktemp("status"))


def test_the_cluster_is_as_it_should_be(look, figures):
    """Exit code 0, no problem, nothing changed, one call on each node. Each finding of a healthy cluster would be a false one."""
    result, document = look
    assert document["problems"] == [] and document["state"] == "ok"
    assert result.rc == 0 and result.changed == set()
    calls = {node: len(result.calls(node)) for node in lablib.hosts()}
    started = time.monotonic()
    lablib.run(lablib.BIN / "ansible", "skp", "-m", "ping")
    ping = time.monotonic() - started
    figures["status.yml: seconds, pings of all nodes, module calls per node"] = (round(result.seconds, 1), round(result.seconds / ping, 1), calls)
    assert all(count <= (ON_THE_MANAGER if node == "c01" else ON_A_NODE) for node, count in calls.items()), calls


def test_nothing_moves(site, tmp_path):
    before = lablib.snapshot()
    status(tmp_path)
    lablib.play("playbooks/ps.yml")
    assert lablib.snapshot() == before


def test_services_are_those_that_docker_names(look):
    """Names, hosts, images and publication, read with the docker command."""
    services = {item["name"]: item for item in look[1]["services"]}
    assert set(services) == witness.services() and all(item["role"] and item["healthy"] for item in services.values())
    assert {name: item["hosts"] for name, item in services.items()} == {name: sorted(lablib.tasks(name)) for name in services}
    defined = definitions.read()
    assert {name: f"{item['image']}@{item['digest']}" for name, item in services.items()} == {name: parts["Image"] for name, parts in defined.items()}
    published = {name: sorted(port["PublishedPort"] for port in (parts.get("EndpointSpec") or {}).get("Ports") or []) for name, parts in defined.items()}
    assert {name: item["ports"] for name, item in services.items()} == published


def test_nodes_are_those_that_docker_names(look):
    _, text = lablib.ask_manager("docker node ls --format '{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}'")
    rows = {words[0]: words[1:] for words in map(str.split, text.splitlines())}
    nodes = {node["name"]: node for node in look[1]["nodes"]}
    assert {name: (node["state"], node["availability"], node["leader"]) for name, node in nodes.items()} == {
        name: (words[0].lower(), words[1].lower(), "Leader" in words) for name, words in rows.items()}
    assert {name: node["address"] for name, node in nodes.items()} == {name: host["ipv4"] for name, host in lablib.hosts().items()}
    free = {node: int(text) for node, text in lablib.look("df --output=avail -B1 / | tail -n 1").items()}
    for name, node in nodes.items():
        [root] = [disk for disk in node["disks"] if disk["mount"] == "/"]
        assert abs(root["free"] - free[name]) < 2 * 1024 ** 3, (root, free)


def test_the_registry_is_what_curl_says(look):
    tags = {(item["repository"], item["tag"]) for item in look[1]["registry"]}
    catalog = json.loads(lablib.on("c01", "curl", "-s", "http://127.0.0.1:5000/v2/_catalog?n=1000"))["repositories"]
    asked = {name: json.loads(lablib.on("c01", "curl", "-s", f"http://127.0.0.1:5000/v2/{name}/tags/list"))["tags"] or [] for name in catalog}
    assert tags == {(name, tag) for name, found in asked.items() for tag in found}
    assert all(item["size"] > 0 for item in look[1]["registry"]) and all(item["in_registry"] for item in look[1]["images"])


def test_urls_open_and_passwords_lie_where_the_table_says(look):
    urls = {item["name"]: item["urls"] for item in look[1]["services"]}
    assert urls["jupyter-skp"] and urls["spark-skp-master"] and urls["spark-skp-history"] and urls["airflow-skp"] and urls["flask-skp"] and urls["gateway-skp"]
    for name in ("jupyter-skp", "spark-skp-master", "spark-skp-history"):
        for url in urls[name]:
            assert requests.get(url, timeout=30).status_code == 200, url
    for path in {item["login"] for item in look[1]["services"] if item["login"]}:
        assert lablib.on("c01", "test", "-s", path) == ""


def test_lines_are_whole_and_a_script_can_read_them(site):
    """With the callback for scripts: the table has no line that Ansible folded, JSON is all of the output, secrets are nowhere."""
    table = bare(STATUS)
    assert table.startswith("Cluster lab: as it should be") and "TASK" not in table and "ok: [" not in table
    [line] = [line for line in table.splitlines() if line.startswith("jupyter-skp ")]
    assert line.endswith("/etc/skp/secrets/jupyter_password on the managers") and ":8010/jupyter-skp" in line
    assert json.loads(bare(STATUS, "-e", "status_format=json"))["state"] == "ok"
    secret = lablib.on("c01", "cat", "/etc/skp/secrets/jupyter_password").strip()
    talkative = lablib.play(STATUS, "-vvv").text
    assert secret not in talkative and "SWMTKN" not in talkative


def test_a_full_disk_is_a_problem(site, tmp_path):
    """A limit that no disk keeps stands for full disks."""
    result, document = status(tmp_path, "-e", "status_disk_free_percent=100.1", check=False)
    assert result.rc == 2 and {(item["kind"], item["where"]) for item in document["problems"]} == {("disk_full", node) for node in lablib.hosts()}


def test_containers_and_logs(site):
    containers = bare("playbooks/ps.yml")
    for node, text in lablib.look("docker ps --format '{{.Names}}'").items():
        assert [name for name in text.split() if not any(line.startswith(node) and name in line for line in containers.splitlines())] == []
    text = bare("playbooks/logs.yml", "-e", "status_service=kafka", "-e", "status_lines=5")
    assert {line.split("@")[0] for line in text.splitlines()} == {"kafka-skp-1", "kafka-skp-2", "kafka-skp-3"}, text
    registries = bare("playbooks/logs.yml", "-e", "status_service=registry-skp", "-e", "status_lines=2")
    assert {line.split(" ")[0] for line in registries.splitlines()} <= {f"registry-skp@{node}" for node in lablib.labelled("registry")}, registries
    nobody = lablib.play("playbooks/logs.yml", "-e", "status_service=nobody", check=False)
    assert nobody.rc == 2 and "No service, role or container is named nobody" in " ".join(nobody.text.split())


def test_a_run_of_the_site_ends_with_the_summary(site):
    """The same table, at the end of a run of everything; the run of one service stays short."""
    text = lablib.play("site.yml", "--tags", "summary").text
    assert "Cluster lab: all services run" in text and ":8010/jupyter-skp" in text
    assert "Cluster lab" not in lablib.play("site.yml", "--tags", "jupyter").text
