# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From state A to state B, down, and up in state A, for all services at once: a dry run tells the truth, only what should move moves, data stays.

State A is the lab as it is brought up, with the throw-away service. State B is what all witnesses' `change` ask for together.
"""
from __future__ import annotations

import contextlib
import json
import re
import socket

import faults
import lablib
import notebooks
import pytest
import requests
import sweeps
import witness
from witness import definitions


@pytest.fixture(autouse=True)
def state_a(site, request):
    """Whatever a test did when it failed: the next one begins in state A."""
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        lablib.play(site, check=False)


@pytest.fixture(scope="module")
def kept(site):
    """Data of every service, written before anything changes."""
    witness.healthy()
    return witness.keep()


def dry_then_real(playbook, *args, name, figures):
    """A dry run that touches nothing, then the real run, which changes exactly what the dry run said. Returns the dry run. Neither shows a secret; in
    `make soak` the real one is as talkative as the users' can be, and the processes of the nodes are watched.
    """
    before = lablib.snapshot()
    dry = lablib.play(playbook, *args, "--check", "--diff")
    assert lablib.snapshot() == before, "the dry run changed something"
    words = sweeps.secrets()
    # In the environment of Spark's executors and Portainer's agents, as their documents say.
    hidden = {name: word for name, word in words.items() if name not in set().union(*(one.known() for one in witness.ALL))}
    with sweeps.watched(hidden) if lablib.SOAK else contextlib.nullcontext({}) as found:
        real = lablib.play(playbook, *args, "--diff", *(("-vvv",) if lablib.SOAK else ()))
    assert [name for name, word in words.items() if word in dry.text or word in real.text] == [] and found == {}
    figures[f"{name}: predicted / applied / unannounced"] = f"{len(dry.changed)} / {len(real.changed)} / {len(real.changed - dry.changed)}"
    figures[f"{name}, seconds"] = round(real.seconds)
    assert real.changed == dry.changed and real.changed
    return dry


def places():
    """{service: nodes its tasks run on}."""
    return {name: sorted(lablib.tasks(name)) for name in definitions.read()}


# What the members' own data say of their identity, and who each swarm node is.
IDENTITY = "cat /var/lib/skp/zookeeper/data/myid; grep -h id= /var/lib/skp/kafka/data/meta.properties"
MEMBERS = """
docker node ls -q | xargs docker node inspect --format '{{range $k, $v := .Spec.Labels}}{{$k}}={{$v}} {{end}}' |
    tr ' ' '\n' | grep -E '^skp[.](host|.*[.]id)=' | sort
"""


def identities():
    """Ids as the members' data say and as the swarm's nodes carry them."""
    return lablib.look(IDENTITY), lablib.ask_manager(MEMBERS)[1]


def test_there_down_and_back(site, kept, figures):
    """A to B: predicted equals applied, of every definition exactly the expected parts change, every service runs where it should, all data is there. Then
    down.yml: no service and no container is left, all data is. site.yml: state A is there again, with the same secrets and ids, and the data of both states.
    `make soak` also goes from B to A without down.
    """
    ids, words, wanted = identities(), sweeps.secrets(), witness.change()
    before, where = definitions.read(), places()

    def as_in_a(*data):
        witness.healthy()
        assert definitions.changed(before, definitions.read()) == {}
        assert places() == where and identities() == ids and sweeps.secrets() == words
        for one in data:
            witness.check(one)

    variables = ("-e", json.dumps(wanted.variables))
    with lablib.edited_hosts(lablib.with_labels(wanted.labels)):
        repaired = set().union(*(one.disturb() for one in witness.ALL))
        dry = dry_then_real(site, *variables, name="A to B", figures=figures)
        assert [text for text in wanted.diff if text not in dry.text] == []
        assert {host for task, host in dry.changed if "registry" in task} == repaired
        assert definitions.changed(before, definitions.read()) == wanted.parts
        assert set(definitions.read()) == witness.services()
        witness.healthy()
        assert places() == {name: wanted.places.get(name, nodes) for name, nodes in where.items() if name in witness.services()}
        witness.check(kept)
        for one in witness.ALL:
            lablib.wait(f"users of {one.name} see the change", one.changed, 60)
        later = witness.keep()
        if lablib.SOAK:  # 2_second_run shows the same without the changes
            assert lablib.play(site, *variables, "--forks", "50").changed == set()
    if lablib.SOAK:
        dry_then_real(site, name="B to A", figures=figures)
        as_in_a(kept, later)
    down_removes_services_only(site.replace("site.yml", "down.yml"))
    figures["site.yml after down, seconds"] = round(lablib.play(site).seconds)
    as_in_a(kept, later)
    if lablib.SOAK:
        assert lablib.play(site).changed == set()


def down_removes_services_only(down):
    """Refused without consent; then no service and no container is left, all data is. In `make soak`, the same again has nothing to do."""
    before = definitions.read()
    refused = lablib.play("playbooks/down.yml", check=False)
    assert refused.rc != 0 and "skp_confirm=lab" in refused.text and "- kafka (" in refused.text and refused.changed == set()
    assert definitions.read() == before
    confirmed = ("-e", "skp_confirm=lab")
    assert lablib.play(down, *confirmed).changed
    assert lablib.services() == {} and set(lablib.look("docker ps -q").values()) == {""}
    for one in witness.ALL:
        for path in one.data:
            lablib.look(f"test -e {path}", one.nodes())
    if lablib.SOAK:
        assert lablib.play(down, *confirmed).changed == set()


@pytest.mark.soak
def test_a_dry_run_counts_the_images_that_the_run_would_build(site):
    """New images mean new containers: a dry run that says only "images" would hide that all services restart."""
    dry = {task for task, _host in lablib.play(site, "--check", "-e", "skp_image_refresh=another-day").changed}
    assert {"skp.cluster.zookeeper : Converge the ensemble", "skp.cluster.kafka : Converge the brokers", "skp.cluster.spark : Converge Spark",
            "skp.cluster.jupyter : Converge JupyterLab and the gateway", "skp.cluster.airflow : Converge Airflow"} <= dry


SECRETS = "cd /etc/skp/secrets && sha256sum $(ls -A) | sort -k2"


def test_new_secrets_end_what_the_old_ones_opened_and_never_go_back(site):
    """playbooks/rotate_secrets.yml --tags jupyter: old password, session and tokens are refused; the other services stay. Then a manager comes back with
    the old files: it gets the new ones, and nothing restarts. A secret of two services is not replaced for one of them.
    """
    rotate = "playbooks/rotate_secrets.yml"
    old, words, running = notebooks.login(), sweeps.secrets(), lablib.services()
    tokens = {notebooks.health_token(), words["jupyter_password"]}
    lablib.on("c01", "sh", "-c", "rm -rf /root/away && cp -a /etc/skp/secrets /root/away")
    result = lablib.play(rotate, "--tags", "jupyter")
    assert "spark_auth_secret is kept: also used by airflow, spark" in faults.words(result.text)
    now = sweeps.secrets()
    assert {name for name in now if now[name] != words[name]} == {name for name in now if name.startswith("jupyter_")}
    assert {name for name, seen in lablib.services().items() if seen != running[name]} == {"jupyter-skp", "jupyter-skp-gateway"}
    witness.healthy()
    assert old.get(notebooks.lab_url() + "/api/contents", timeout=30).status_code == 403
    for token in tokens:
        assert requests.get(notebooks.lab_url() + "/api/contents", headers=notebooks.authorization(token), timeout=30).status_code == 403
    assert notebooks.gateway("GET", "/api/kernels", words["jupyter_gateway_token"]).status_code in (401, 403)

    sums, running = lablib.look(SECRETS), lablib.services()
    assert len(set(sums.values())) == 1
    lablib.on("c01", "sh", "-c", "rm -rf /etc/skp/secrets && mv /root/away /etc/skp/secrets")
    again = lablib.play(site)  # a run of one service does not read the other managers: it is refused, and says so
    assert {task for task, _host in again.changed} <= {"skp.cluster._service : Store newer secrets of other managers, generate missing ones"}
    assert lablib.look(SECRETS) == sums and lablib.services() == running

    alone = lablib.play(rotate, "--tags", "spark", check=False)
    assert alone.rc != 0 and "--tags airflow,jupyter,spark" in alone.text and lablib.look(SECRETS) == sums


def test_a_secret_that_is_gone_everywhere_is_not_made_anew(site):
    """Its file is deleted on all managers while its service runs: refused, and nothing rotates."""
    lost, running, before = "/etc/skp/secrets/jupyter_cookie_secret", lablib.services(), lablib.look(SECRETS)
    lablib.look(f"mv {lost} /root/lost")
    try:
        result = lablib.play(site, "--tags", "jupyter", check=False)
    finally:
        lablib.look(f"mv /root/lost {lost}")
    assert result.rc != 0 and "jupyter_cookie_secret" in result.text and "missing or empty on every manager" in faults.words(result.text), result.text[-3000:]
    assert lablib.look(SECRETS) == before and lablib.services() == running


READ_ONLY = "mount --bind /etc/skp/secrets /etc/skp/secrets && mount -o remount,bind,ro /etc/skp/secrets"
# A Python whose clock is an hour ahead, beside one whose is not.
CLOCK = """
mkdir -p /usr/local/lib/clock && echo '{0}' >/usr/local/lib/clock/sitecustomize.py
printf '#!/bin/sh\\nPYTHONPATH=/usr/local/lib/clock exec /usr/bin/python3 "$@"\\n' >/usr/local/bin/clock-python && chmod 755 /usr/local/bin/clock-python
"""
AHEAD = "import time; now = time.time; time.time = lambda: now() + 3600"


# Preflight's own tests have this and the next one.
@pytest.mark.soak
def test_secrets_that_cannot_be_stored_stop_the_run_first(site):
    """A read-only directory of secrets on one manager: preflight says it, and no node is changed."""
    before = lablib.snapshot()
    lablib.on("c02", "sh", "-ec", READ_ONLY)
    try:
        result = lablib.play(site, check=False)
    finally:
        lablib.on("c02", "umount", "/etc/skp/secrets")
    assert result.rc != 0 and result.changed == set() and "/etc/skp/secrets cannot be written" in faults.words(result.text), result.text[-3000:]
    assert lablib.snapshot() == before


@pytest.mark.soak
def test_a_clock_that_is_an_hour_ahead_stops_the_run_first(site):
    """As Ansible's Python on c03 reads it: refused before any node is changed, with the difference."""
    before = lablib.snapshot()
    for node in sorted(lablib.hosts()):
        lablib.on(node, "sh", "-ec", CLOCK.format(AHEAD if node == "c03" else ""))
    result = lablib.play(site, "-e", "ansible_python_interpreter=/usr/local/bin/clock-python", check=False)
    assert result.rc != 0 and result.changed == set() and re.search(r"its clock is 3(599|600|601) s ahead", faults.words(result.text)), result.text[-3000:]
    assert "c03" in result.text and lablib.snapshot() == before


# `make test` has a value with which no member of ZooKeeper starts.
@pytest.mark.soak
def test_what_does_not_start_fails_the_run(site):
    """A port that the node itself uses: the run fails and says what the engine said; the next run, with the right port, repairs it."""
    broken = lablib.play(site, "--tags", "echo", "-e", "echo_port=7946", "-e", "skp_wait_timeout=20", check=False)
    assert broken.rc != 0 and "echo-skp" in broken.text and "already in use" in broken.text, broken.text[-3000:]
    assert lablib.play(site, "--tags", "echo").changed
    witness.healthy()


def with_label(label, node):
    """A change of hosts.json that gives one more node a label."""
    def change(data):
        data[node]["labels"].append({label: "enable"})
        return data
    return change


REFUSED = {
    "an even ensemble": (lablib.without("zookeeper", "c03"), ["--tags", "zookeeper"], ["2 members"]),
    "two masters without ZooKeeper": (with_label("spark-master", "c02"), ["--tags", "spark"], ["Set spark_recovery_mode to zookeeper"]),
    "a GPU node without its tools": (with_label("gpu", "c03"), [], ["c03", "no nvidia-container-runtime", "remove the label gpu"]),
}


# The plans' own tests have the others.
@pytest.mark.parametrize("what", [what if what == "an even ensemble" else pytest.param(what, marks=pytest.mark.soak) for what in REFUSED])
def test_refused_before_anything_is_touched(what, site):
    """What cannot work fails with one message that says what to do; containers, services and files stay as they were."""
    change, args, texts = REFUSED[what]
    before = lablib.snapshot()
    with lablib.edited_hosts(change):
        result = lablib.play(site, *args, check=False)
    assert result.rc != 0 and result.changed == set()
    assert [text for text in texts if text not in result.text] == [], result.text[-3000:]
    assert lablib.snapshot() == before


def test_a_host_of_another_inventory_is_not_contacted(tmp_path):
    """Beside ours it changes nothing, not even the number of calls. In a group named like ours, the run ends before it asks anybody."""
    kafka = ("playbooks/kafka.yml", "-i", "inventory/lab")
    alone, other = lablib.play(*kafka), tmp_path / "clients.ini"
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.setblocking(False)
        line = f"awxbox ansible_host=127.0.0.1 ansible_port={door.getsockname()[1]}\n"
        other.write_text(f"[clients]\n{line}[worker]\n{line}", encoding="utf-8")
        beside = lablib.play(*kafka, "-i", other)
        assert beside.changed == set()
        assert sorted((row["task"], row["host"]) for row in beside.rows) == sorted((row["task"], row["host"]) for row in alone.rows)
        for group in ("manager", "kafka"):
            other.write_text(f"[{group}]\n{line}", encoding="utf-8")
            result = lablib.play(*kafka, "-i", other, check=False)
            assert result.rc != 0 and f"awxbox: it is in the group {group}" in " ".join(result.text.split())
            assert [row for node in lablib.hosts() for row in result.calls(node)] == []
        with pytest.raises(BlockingIOError):
            door.accept()
