# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of the site: the lab's hello, an image of somebody else's registry as a service, images pushed to that registry."""
from __future__ import annotations

import json

import faults
import lablib
import outside
import pytest
import requests
import yaml
from witness.custom import Custom

HELLO = Custom()
LAB = lablib.ROOT / "inventory/lab/group_vars/all/lab.yml"
FAR = {"name": "custom-far", "context": str(lablib.ROOT / "tests/lab/far")}
THERE, THERE_PORT = "me/hello", 8091


@pytest.fixture(scope="module")
def registry():
    """The outside registry."""
    with outside.registry() as found:
        yield found


@pytest.fixture
def given(tmp_path):
    """given(variables) -> arguments of a run, in a file: an argument could be read by everybody on the controller."""
    def make(**variables):
        path = tmp_path / "variables.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(variables), encoding="utf-8")
        return ["-e", f"@{path}"]
    return make


def push(registry, given, images, platform="", password=outside.PASSWORD, check=True, extra=()):
    """A run of push.yml, as talkative as can be."""
    variables = given(push_registry=registry.name, push_images=images, push_platform=platform, push_username=outside.USER, push_password=password,
                      push_ca=registry.ca, images_extra=list(extra))
    result = lablib.play("playbooks/push.yml", "-vvv", *variables, check=check)
    assert password not in result.text
    return result


def platforms():
    """The platform of the master, and another one."""
    own = "linux/" + lablib.on("c01", "docker", "version", "--format", "{{.Server.Arch}}").strip()
    return own, "linux/arm64" if own != "linux/arm64" else "linux/amd64"


def test_hello_writes_for_those_who_have_its_token():
    assert HELLO.healthy()
    assert (HELLO.post("nobody's note", "wrong"), HELLO.post("nobody's note", "")) == (401, 401)
    assert "nobody's note" not in HELLO.get("notes")


def test_an_image_goes_out(registry, given):
    """With a credential helper in root's configuration that is not there, the fault of which `docker login` dies: the run does not ask it."""
    broken = 'mkdir -p /root/.docker && echo \'{"credsStore": "desktop"}\' >/root/.docker/config.json'
    lablib.on("c01", "sh", "-c", broken)
    login = ("docker", "exec", "-i", lablib.container("c01"), "docker", "login", "-u", outside.USER, "--password-stdin", registry.name)
    refused = push(registry, given, {"custom-hello": f"{THERE}:1.0"}, password="wrong" + outside.PASSWORD, check=False)
    assert refused.rc != 0 and "correct push_username and push_password" in faults.words(refused.text), refused.text[-3000:]
    said = lablib.run(*login, stdin=outside.PASSWORD, check=False)
    assert said.returncode != 0 and "docker-credential-desktop" in said.stdout, said.stdout
    result = push(registry, given, {"custom-hello": f"{THERE}:1.0"}, platform=platforms()[0])
    assert {task.rpartition(" : ")[2] for task, _host in result.changed} == {"Push the images"}
    assert registry.platform(THERE, "1.0") == platforms()[0]
    assert registry.get(f"{THERE}/tags/list", None).status_code == 401
    assert lablib.on("c01", "ls", "/run/skp-push", check=False).startswith("ls: cannot access")
    assert registry.name not in lablib.on("c01", "docker", "image", "ls", "--format", "{{.Repository}}")
    # What docs/custom_services.md says to do: without that line docker keeps the login itself.
    lablib.on("c01", "rm", "/root/.docker/config.json")
    lablib.run(*login, stdin=outside.PASSWORD)


def test_an_image_of_somebody_else_becomes_a_service(registry, given, figures):
    """It is fetched on the master with root's login, and runs beside hello from the cluster's own registry; then it is taken from the list."""
    entries = yaml.safe_load(LAB.read_text(encoding="utf-8"))["skp_custom_services"]
    other = {"name": "there", "label": "hello", "image": f"{registry.name}/{THERE}:1.0", "ports": [f"{THERE_PORT}:8080"],
             "env": {"GREETING": "there", "TOKEN": {"secret": "hello_token"}}, "command": ["python3", "/srv/app.py"]}
    variables = given(skp_custom_services=[*entries, other])
    result = lablib.play("site.yml", "--tags", "images,custom", *variables)
    figures["custom: somebody else's image as a service, seconds"] = round(result.seconds)
    address = f"http://{lablib.address(HELLO.nodes()[0])}:{THERE_PORT}/"
    assert lablib.wait("the service answers", lambda: answer(address), 30)[0] == "there world\n"
    assert registry.name not in lablib.ask_manager("docker service inspect there")[1], "nodes need no login"
    assert lablib.play("site.yml", "--tags", "custom").changed
    assert "there" not in lablib.services() and HELLO.healthy()


def answer(address):
    """What a service answers, nothing where nobody listens yet."""
    try:
        return requests.get(address, timeout=3).text
    except requests.RequestException:
        return ""


# `make test` has a push that names the platform, above.
@pytest.mark.soak
def test_an_image_is_built_for_another_platform(registry, given):
    """What the cluster itself runs stays."""
    before = lablib.snapshot()["services"]
    push(registry, given, {"custom-far": "me/far"}, platform=platforms()[1], extra=[FAR])
    assert registry.platform("me/far", "latest") == platforms()[1]
    assert lablib.snapshot()["services"] == before
