# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that end before they reach a node: what is mistyped, forgotten or not confirmed. The nodes have addresses that do not exist."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from tree import COLLECTION, ROOT


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """An inventory whose nodes cannot be reached (RFC 5737)."""
    path = tmp_path_factory.mktemp("site") / "mine"
    path.mkdir()
    labels = {"kafka": "enable", "zookeeper": "enable", "jupyter": "enable", "registry": "enable"}
    (path / "hosts.json").write_text(json.dumps({"c01": {"ipv4": "192.0.2.1", "labels": labels, "groups": ["master"]}}), encoding="utf-8")
    return path


def play(*words):
    """Run ansible-playbook at the root of the repository with its ansible.cfg."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "SKP_"))}
    program = pathlib.Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run([program, *map(str, words)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["site.yml", "--tags", "kafak"], 'no play has the tag "kafak"; did you mean "kafka"?'),
        (["site.yml", "--skip-tags", "jupiter"], 'did you mean "jupyter"?'),
        (["playbooks/kafka.yml", "--tags", "kafka", "-e", "kafka_heap_opt=-Xmx1g"], "did you mean kafka_heap_opts?"),
        (["playbooks/kafka.yml", "-e", "kafka_config=a=b"], "expected an object"),
        (["playbooks/custom.yml", "-e", '{"skp_custom_services": [{"name": "web"}]}'], "Service web of skp_custom_services: found neither image nor build"),
        (["playbooks/push.yml"], "push_registry is '', expected a registry"),
        (["playbooks/push.yml", "-e", "push_registy=a"], "did you mean push_registry?"),
        (["playbooks/down.yml"], "- zookeeper (c01)\n"),
        (["playbooks/down.yml"], "Nothing was removed. If this is what you want, run it again with -e skp_confirm=mine"),
        (["playbooks/down.yml", "--tags", "kafka", "-e", "skp_purge=true"], "/var/lib/skp/kafka on c01"),
        (["playbooks/down.yml", "--tags", "kafka", "-e", "skp_purge=true", "-e", "skp_confirm=other"], "skp_confirm=mine"),
    ],
)
def test_a_command_that_is_refused(cluster, words, expected):
    code, text = play("-i", cluster, *words)
    assert code != 0 and expected in text
    assert "UNREACHABLE" not in text and "changed=1" not in text


def test_a_purge_is_refused_before_a_service_is_removed(cluster, tmp_path):
    """The data directory was there before, so it is left; without its member id the data would be stranded."""
    data = tmp_path / "disk/kafka/data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("broker.id=2\n", encoding="utf-8")
    here = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable, "skp_manager": "c01"}
    more = {"skp_purge": "true", "kafka_data_dir": str(data.parent)}
    code, text = play("-i", cluster, "playbooks/down.yml", "--tags", "kafka", "--check", "-e", json.dumps(here | more))
    assert code != 0 and "holds the data of member 2" in " ".join(text.split()) and "TASK [skp.cluster._service : Remove the services]" not in text
    assert (data / "meta.properties").exists()


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory):
    """A cluster of which no host answers, and none keeps the caller waiting: nothing listens on their port."""
    path = tmp_path_factory.mktemp("nowhere") / "mine"
    path.mkdir()
    groups = {"c01": ["master"], "c02": ["manager"], "c03": ["worker"]}
    hosts = {name: {"ipv4": f"192.0.2.{name[-1]}", "labels": {"kafka": "enable"}, "groups": groups[name]} for name in groups}
    (path / "hosts.json").write_text(json.dumps(hosts), encoding="utf-8")
    (path / "host_vars").mkdir()
    for name in hosts:
        (path / f"host_vars/{name}.yml").write_text("ansible_port: 1\nansible_host: 127.0.0.1\n", encoding="utf-8")
    return path


def test_the_state_of_a_cluster_that_does_not_answer(nowhere, tmp_path):
    """A row for each node and an exit code, no error of Ansible. With the callback for scripts the output is JSON and nothing else."""
    code, text = play("-i", nowhere, "playbooks/status.yml", "-e", f"status_file={tmp_path}/status.json")
    assert code == 2 and "Cluster mine: 4 problems" in text and "- c03: does not answer" in text and "Traceback" not in text
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "SKP_"))}
    program = pathlib.Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run([program, "-i", nowhere, "playbooks/status.yml", "-e", "status_format=json"], cwd=ROOT, capture_output=True, text=True,
                          env=environment | {"ANSIBLE_STDOUT_CALLBACK": "skp.cluster.bare"}, timeout=120, check=False)
    document = json.loads(done.stdout)
    assert done.returncode == 2 and "4 problems" in done.stderr
    assert [item["kind"] for item in document["problems"]] == ["no_manager", *["unreachable"] * 3]
    assert document["swarm"]["asked"] == "c01, c02", "every manager was asked"
    written = json.loads((tmp_path / "status.json").read_text(encoding="utf-8"))
    assert dict(written, time="") == dict(document, time="")


def test_the_end_of_a_run_does_not_fail_it(nowhere):
    code, text = play("-i", nowhere, "playbooks/summary.yml")
    assert code == 0 and "NO MANAGER ANSWERS" in text


def test_logs_of_nobody(nowhere):
    code, text = play("-i", nowhere, "playbooks/logs.yml")
    assert code == 2 and "Whose logs?" in text and "UNREACHABLE" not in text


def test_a_forgotten_inventory(tmp_path):
    (tmp_path / "skp.yml").write_bytes((ROOT / "inventory/lab/skp.yml").read_bytes())
    code, text = play("-i", tmp_path, "site.yml")
    assert code == 4 and "no play had a host" in text and "-i inventory/mine" in text


def test_a_group_without_hosts_is_no_error(cluster):
    """A service that no host has: its play runs on the managers."""
    assert play("-i", cluster, "playbooks/spark.yml", "--list-hosts")[0] == 0


FOREIGN = ["master", "manager", "worker", "zookeeper", "kafka", "mysql", "pgsql", "postgresql", "redis", "spark_master", "spark_worker", "jupyter", "airflow",
           "airflow_worker", "registry", "gpu"]
MENU = sorted(path.name for path in (COLLECTION / "playbooks").glob("*.yml"))


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """Somebody else's inventory: groups named like ours, each with a host of its own."""
    path = tmp_path_factory.mktemp("clients") / "clients.ini"
    path.write_text("".join("[%s]\nforeign-%s ansible_host=192.0.2.9\n" % (name, name) for name in FOREIGN), encoding="utf-8")
    return path


def test_no_play_has_a_host_of_another_inventory(cluster, clients):
    """All playbooks in one command: neither its groups of our names nor its own hosts are part of a play."""
    code, text = play("-i", cluster, "-i", clients, *(COLLECTION / "playbooks" / name for name in MENU), "--list-hosts")
    assert code == 0 and text.count("playbook: ") == len(MENU)
    # adopt.yml begins on the controller, awx.yml asks AWX from there.
    assert set(re.findall(r"^      (\S+)$", text, re.MULTILINE)) == {"c01", "localhost"}


@pytest.mark.parametrize(
    ("group", "playbook"),
    [("mysql", "kafka"), ("manager", "rotate_secrets"), ("skp", "nodes")],
)
def test_a_group_of_ours_in_another_inventory_is_refused(cluster, tmp_path, group, playbook):
    other = tmp_path / "clients.ini"
    other.write_text("[%s]\nawxbox ansible_host=192.0.2.9\n" % group, encoding="utf-8")
    code, text = play("-i", cluster, "-i", other, COLLECTION / ("playbooks/%s.yml" % playbook))
    assert code != 0 and "awxbox: it is in the group %s, but not in hosts.json" % group in " ".join(text.split())
    assert "UNREACHABLE" not in text and "changed=1" not in text


def test_other_groups_of_another_inventory_are_nobodys_business(cluster, tmp_path):
    other = tmp_path / "clients.ini"
    other.write_text("[clients]\nlaptop ansible_host=192.0.2.9\nc01\n[notes]\nlaptop\n[worker]\nlaptop\n", encoding="utf-8")
    code, text = play("-i", cluster, "-i", other, "playbooks/down.yml")
    assert code != 0 and "Nothing was removed" in text and "laptop" not in text
