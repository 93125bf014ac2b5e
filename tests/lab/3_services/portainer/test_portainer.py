# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role makes of Portainer, before a stand-in for it: the real one cannot be pulled here. docs/portainer.md says what to try with the real one."""
from __future__ import annotations

import lablib
import portainers
import pytest

HELPER = "skp-helper"


def test_one_environment_of_the_stand_in_shows_every_node():
    assert portainers.nodes() == portainers.hostnames()
    [environment] = portainers.call("GET", "/endpoints")
    assert (environment["Name"], environment["URL"]) == ("lab", "tcp://tasks.portainer-skp-agent:9001")


def test_no_usual_password_opens_the_stand_in():
    """Nor may a stranger make the first administrator: there is one from the first start."""
    usual = ("", "admin", "password", "portainer", "tryportainer", "adminpassword", "123456789012")
    assert {word: portainers.login(word=word).status_code for word in usual} == dict.fromkeys(usual, 422)
    assert portainers.login(HELPER, "password").status_code == 422
    claimed = portainers.requests.post(portainers.url("/users/admin/init"), json={"Username": "admin", "Password": "x" * 20}, timeout=30)
    assert claimed.status_code == 409


def test_agents_obey_only_the_server_with_their_secret():
    """From a container of the agents' own network, without the secret and with a wrong one. From the services' network they cannot even be found."""
    ask = ("import http.client, sys; c = http.client.HTTPConnection('portainer-skp-agent', 9001, timeout=5); "
           "c.request('GET', '/v2/agents', headers={'X-PortainerAgent-Signature': 'wrong'}); print(c.getresponse().status)")
    assert lablib.execute("portainer-skp", "python3", "-c", ask).strip() == "403"
    find = "getent hosts tasks.portainer-skp-agent || echo nobody"
    assert "nobody" in lablib.execute("redis-skp", "sh", "-c", find)
    node = lablib.labelled("portainer")[0]
    joined = lablib.run("docker", "exec", lablib.container(node), "docker", "run", "--rm", "--network", "portainer-skp-net", "--entrypoint", "true",
                        "localhost:5000/skp/docker-portainer-standin:latest", check=False)
    assert joined.returncode != 0 and "attach" in joined.stdout, joined.stdout


def test_what_somebody_broke_by_hand_is_mended(figures):
    """The administrator has another password, and a killed server keeps it. One run: the secret opens Portainer again, nothing else changes."""
    number = {user["Username"]: user["Id"] for user in portainers.call("GET", "/users")}["admin"]
    portainers.call("PUT", f"/users/{number}", json={"newPassword": "changed-by-hand"})
    assert portainers.login().status_code == 422
    node, ident = lablib.task_container("portainer-skp")
    lablib.on(node, "docker", "kill", "-s", "KILL", ident)
    lablib.wait("the server answers again", lambda: portainers.login(word="changed-by-hand").status_code == 200, 60)
    result = lablib.play("site.yml", "--tags", "portainer")
    figures["--tags portainer after a change by hand, seconds"] = round(result.seconds, 1)
    assert {task.rpartition(" : ")[2] for task, host in result.changed} == {"Make one environment of all nodes"}
    assert portainers.login().status_code == 200 and portainers.login(word="changed-by-hand").status_code == 422
    assert portainers.nodes() == portainers.hostnames()


@pytest.mark.soak
def test_an_image_that_cannot_be_had_is_one_line():
    """A dry run on a first day, then the real thing: one line, exit code 0, no wait; the table names it. Then back."""
    nowhere = "registry.invalid/portainer/portainer-ce:2.45.0-alpine"
    try:
        result = lablib.play("site.yml", "--tags", "portainer,summary", "-e", f"portainer_image={nowhere}")
        lines = [line for line in result.text.splitlines() if line.startswith("Portainer: ")]
        assert len(lines) == 1 and nowhere in lines[0] and f"pulled on {lablib.labelled('portainer')[0]};" in lines[0], result.text
        assert result.seconds < 180, "it waits for an image that does not come"
        state = lablib.run(lablib.BIN / "ansible-playbook", "playbooks/status.yml", check=False)
        assert state.returncode == 2 and "portainer-skp" in state.stdout and "Traceback" not in state.stdout, state.stdout[-4000:]
    finally:
        lablib.play("site.yml", "--tags", "portainer")
    assert portainers.nodes() == portainers.hostnames()
