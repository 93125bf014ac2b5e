# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""status.yml finds what somebody did by hand, and a run of the site mends it: several things at once, and each alone in `make soak`."""
from __future__ import annotations

import json

import lablib
import pytest

IMAGE = "localhost:5000/skp/docker-echo:latest@sha256:" + "0" * 64


@pytest.fixture
def status(site, tmp_path):
    """status() -> (exit code, {(kind, subject, where)} of the problems); nothing is changed by it."""
    def look():
        path = tmp_path / "status.json"
        result = lablib.play("playbooks/status.yml", "-e", f"status_file={path}", check=False)
        assert result.changed == set()
        document = json.loads(path.read_text(encoding="utf-8"))
        return result.rc, {(item["kind"], item["subject"], item["where"]) for item in document["problems"]}
    assert look() == (0, set())
    yield look
    lablib.wait("it is mended", lambda: look() == (0, set()), 60, every=2)


def update(*words):
    """Change the throw-away service by hand, without waiting for it."""
    lablib.on(lablib.manager(), "docker", "service", "update", "--detach", "--no-resolve-image", *words, "echo-skp")


def mend(site):
    lablib.play(site, "--tags", "echo")


def test_what_somebody_did_by_hand(site, status):
    """An edited service, a label removed, rules of the packet filter flushed, a registry stopped: all are told at once, and nothing else is."""
    update("--env-add", "SOMEBODY=me")
    lablib.ask_manager("docker node update --label-rm kafka c03")
    lablib.on("c03", "iptables", "-F", "SKP-FORWARD")
    lablib.on("c03", "docker", "stop", "registry-skp")
    lablib.wait("the service runs again", lambda: lablib.tasks("echo-skp") == ["c03"], 60)
    wanted = {("edited", "echo-skp", ""), ("labels", "c03", "c03"), ("packet_filter", "packet filter", "c03"),
              ("not_running", "registry-skp", "c03"), ("registry", "registry", "c03")}
    try:
        lablib.wait("all is told", lambda: status() == (2, wanted), 30, every=2)
    finally:
        lablib.play(site, "--tags", "swarm,nodes,registry,echo")


@pytest.mark.soak
def test_an_edited_service(site, status):
    update("--env-add", "SOMEBODY=me")
    lablib.wait("the service runs again", lambda: lablib.tasks("echo-skp") == ["c03"], 60)
    lablib.wait("it has settled", lambda: status() == (2, {("edited", "echo-skp", "")}), 30, every=2)
    mend(site)


@pytest.mark.soak
def test_a_service_that_ends_at_once(site, status):
    update("--entrypoint", "false")
    wanted = {("edited", "echo-skp", ""), ("not_running", "echo-skp", "c03")}
    lablib.wait("the failure is told", lambda: status() == (2, wanted), 60, every=2)
    mend(site)


@pytest.mark.soak
def test_another_image(site, status):
    update("--image", IMAGE)
    wanted = {("edited", "echo-skp", ""), ("not_running", "echo-skp", "c03"), ("image", "echo-skp", "")}
    lablib.wait("the image is told", lambda: status() == (2, wanted), 60, every=2)
    mend(site)


@pytest.mark.soak
def test_a_missing_label_and_one_of_somebody(site, status):
    """The label kafka of a node decides about no task that runs, and is hosts.json's; rack is nobody's business."""
    lablib.ask_manager("docker node update --label-rm kafka --label-add rack=r1 c03")
    try:
        assert status() == (2, {("labels", "c03", "c03")})
        lablib.play(site, "--tags", "swarm")
        assert status() == (0, set())
    finally:
        lablib.ask_manager("docker node update --label-rm rack c03")


@pytest.mark.soak
def test_a_drained_node(status):
    """What runs nowhere else is named."""
    lablib.ask_manager("docker node update --availability drain c03")
    try:
        code, found = status()
        assert code == 2 and ("node_set_aside", "c03", "c03") in found and ("not_running", "kafka-skp-3", "c03") in found
        assert {where for _kind, _subject, where in found} == {"c03"}, found
    finally:
        lablib.ask_manager("docker node update --availability active c03")
        lablib.wait("the cluster is healthy", lablib.cluster_is_healthy, 300, every=2)


@pytest.mark.soak
def test_a_packet_filter_that_somebody_flushed(site, status):
    lablib.on("c03", "iptables", "-F", "SKP-FORWARD")
    assert status() == (2, {("packet_filter", "packet filter", "c03")})
    lablib.play(site, "--tags", "nodes")


@pytest.mark.soak
def test_a_stopped_registry(status):
    lablib.on("c03", "docker", "stop", "registry-skp")
    try:
        assert status() == (2, {("not_running", "registry-skp", "c03"), ("registry", "registry", "c03")})
    finally:
        lablib.on("c03", "docker", "start", "registry-skp")
        lablib.wait("the registry answers", lambda: lablib.on("c03", "curl", "-s", "-m", "3", "http://127.0.0.1:5000/v2/") == "{}", 60)


@pytest.mark.soak
def test_a_stopped_engine(status):
    """The node answers, its engine does not: one row says so, and the swarm calls the node down."""
    lablib.on("c03", "systemctl", "stop", "docker.socket", "docker.service")
    try:
        lablib.wait("the swarm knows it", lambda: ("node_down", "c03", "c03") in status()[1], 90, every=2)
        assert ("engine", "c03", "c03") in status()[1]
    finally:
        lablib.on("c03", "systemctl", "start", "docker.socket", "docker.service")
        lablib.wait("the cluster is healthy", lablib.cluster_is_healthy, 300, every=2)
