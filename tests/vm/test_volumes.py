# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A data volume through FUSE, through a real boot: its unit, and a container that sees it. The server is c01, over SSH."""
from __future__ import annotations

import json

import pytest

from vm_io import STATE, cut, ok, on, play, start, wait, wait_login

SERVER, NODE = "c01", "c02"
SOON, LATER = 90, 240
SEEN = "docker exec sees cat /mnt/data/lake/hello"


@pytest.fixture(scope="module", autouse=True)
def volume():
    """The volume `lake` of c02, and a container that binds the directory of all volumes."""
    on(SERVER, "install -d -o skp /home/skp/data; echo hello > /home/skp/data/hello")
    key = (STATE / "ssh" / "known_hosts").read_text(encoding="utf-8").split()[1:3]
    wish = {"skp_volumes": [{"name": "lake", "driver": "sshfs", "source": {
        "host": "10.77.0.11", "user": "skp", "path": "/home/skp/data", "host_key": " ".join(key)},
        "credentials": {"private_key": (STATE / "ssh" / "id_ed25519").read_text(encoding="utf-8")}}], "volumes_timeout": 180}
    file = STATE / "volumes.json"
    file.touch(0o600)
    file.write_text(json.dumps(wish), encoding="utf-8")
    play("site.yml", "--tags", "volumes", "-e", "@%s" % file)
    on(NODE, "docker rm -f sees >/dev/null 2>&1 || true; docker run -d --name sees --restart always --user 61000 "
             "--mount type=bind,source=/mnt/skp,target=/mnt/data,bind-propagation=rslave skp-vm/tools:1 sleep 1000000", 120)
    yield
    on(NODE, "docker rm -f sees", 60)
    play("site.yml", "--tags", "volumes", "-e", '{"skp_volumes": []}')
    file.unlink()


def test_a_container_sees_the_volume():
    assert on(NODE, SEEN).strip() == "hello"


def test_a_volume_comes_back_after_a_boot(figure):
    cut(NODE)
    start(NODE)
    figure("node with a volume booted: login", wait_login(NODE))
    figure("node with a volume booted: a container sees it", wait(lambda: ok(NODE, SEEN), LATER, "the volume"))


def test_a_node_boots_without_the_volumes_server(figure):
    cut(NODE)
    cut(SERVER)
    start(NODE)
    figure("node booted without the volume's server: login", wait_login(NODE))
    figure("node booted without the volume's server: engine after that", wait(lambda: ok(NODE, "docker info", 30), SOON, "the engine"))
    assert not ok(NODE, SEEN) and not ok(NODE, "touch /mnt/skp/lake/x")
    start(SERVER)
    wait_login(SERVER)
    figure("the volume's server is back: a container sees it", wait(lambda: ok(NODE, SEEN), LATER, "the volume"))
