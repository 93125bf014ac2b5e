# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Portainer's role asks for in a given site, templated as in a play."""

from __future__ import annotations

import inspect
import pathlib
import subprocess

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.skp.cluster.plugins.module_utils.service import args
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service

ROLES = pathlib.Path(__file__).parents[3] / "roles"
# From ansible-core 2.19 on, only a trusted file has templates.
TRUSTED = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(DataLoader.load_from_file).parameters else {}
ALL = {"skp": ["c1", "c2", "c3"], "master": ["c1"], "portainer": ["c2"], "portainer_agent": ["c3", "c1", "c2"]}
SECRETS = {"portainer_agent_secret": "a" * 64, "portainer_helper_password": "b" * 64, "portainer_admin_password": "c" * 64}


def value(name, groups, **variables):
    """A variable of the role."""
    loader, found = DataLoader(), {}
    for path in ("_common/defaults", "_common/vars", "portainer/defaults", "portainer/vars"):
        found.update(loader.load_from_file(str(ROLES / path / "main.yml"), **TRUSTED))
    found.update(role_path=str(ROLES / "portainer"), inventory_hostname="c2", groups=groups, hostvars={}, ansible_run_tags=["all"], ansible_skip_tags=[],
                 ansible_check_mode=False, ansible_play_hosts=groups["skp"], __skp_secrets=SECRETS, skp_cluster_name="mine")
    found.update(variables)
    return Templar(loader=loader, variables=found).template(found[name])


def services(groups, **variables):
    """{name: service}; each is one that the module takes."""
    found = value("__portainer_services", groups, **variables)
    for one in found:
        assert set(one) <= set(args.service_options())
        build_service(one, "portainer", "net-skp", {})
    return {one["name"]: one for one in found}


def test_the_account_of_the_gateway_is_there_with_it():
    behind = {**ALL, "nginx": ["c1"]}
    assert value("__portainer_gateway", behind) and "gateway_portainer_password" in value("__portainer_needs", behind)["secrets"]
    for groups, more in ((ALL, {}), (behind, {"portainer_gateway_account": ""})):
        assert not value("__portainer_gateway", groups, **more) and "gateway_portainer_password" not in value("__portainer_needs", groups, **more)["secrets"]
    for taken in ("admin", "skp-helper"):
        assert "expected an account of its own" in value("__portainer_problems", behind, portainer_gateway_account=taken)[0]


def test_server_and_agents():
    found = services(ALL)
    assert list(found) == ["portainer-skp-agent", "portainer-skp"], "Portainer makes its environment only when an agent answers"
    agent, server = found.values()
    assert agent["label"] == "portainer-agent" and server["host"] == "c2"
    assert agent["networks"] == ["portainer-skp-net"], "nobody else may talk to the agents"
    assert server["networks"] == ["net-skp", "portainer-skp-net"]
    assert "/var/run/docker.sock" not in str(server), "only the agents have the engine's socket"
    assert [mount["source"] for mount in agent["mounts"]] == ["/var/run/docker.sock"] and "healthcheck" not in agent
    assert server["labels"] == {"skp.url": "http://{host}:8050", "skp.login": "/etc/skp/secrets/portainer_admin_password"}
    assert server["ports"] == [{"target": 8050}] and services(ALL, portainer_publish="none")["portainer-skp"]["ports"] == []
    assert list(services(dict(ALL, portainer_agent=[]))) == ["portainer-skp"]
    assert value("__portainer_agents", dict(ALL, portainer=[])) == [], "agents without a server obey nobody"


def test_secrets_are_in_files_only():
    for one in services(ALL).values():
        plain = {key: item for key, item in one.items() if key != "secrets"}
        assert not [word for word in SECRETS.values() if word in str(plain)]
    server = services(ALL)["portainer-skp"]
    assert {item["name"]: item["content"] for item in server["secrets"]} == {
        "portainer_agent_secret": "a" * 64, "portainer_admin_password": "c" * 64}
    assert "--admin-password-file /run/secrets/portainer_admin_password" in " ".join(server["args"])
    assert "portainer" not in [item["name"] for item in server["secrets"]], "Portainer would encrypt its database with a secret of this name"
    own = services(ALL, portainer_admin_password="my own password")["portainer-skp"]
    assert own["labels"]["skp.login"] == "variable portainer_admin_password" and own["secrets"][1]["content"] == "my own password"
    needs = value("__portainer_needs", ALL)
    assert needs["secrets"] == list(SECRETS) and needs["kept_secrets"] == ["portainer_helper_password"] and needs["hosts"] == ["c2"]
    assert "portainer_admin_password" not in value("__portainer_needs", ALL, portainer_admin_password="my own password")["secrets"]


def test_the_shell_hands_on_the_secret_and_the_words(tmp_path):
    """With the shell of this machine, and another file."""
    (tmp_path / "secret").write_text("s3cret\n", encoding="utf-8")
    shell, option, script, program = services(ALL)["portainer-skp"]["command"]
    script = script.replace("/run/secrets/portainer_agent_secret", str(tmp_path / "secret"))
    assert (shell, option, program) == ("sh", "-c", "/portainer")
    shown = subprocess.run([shell, option, script, "sh", "-c", 'echo "$AGENT_SECRET:$0:$1"', "one", "two words"], capture_output=True, text=True, check=True)
    assert shown.stdout == "s3cret:one:two words\n"
    (tmp_path / "secret").unlink()
    assert subprocess.run([shell, option, script, "true"], capture_output=True, check=False).returncode == 1, "never without the secret"


@pytest.mark.parametrize("groups, variables, expected", [
    (ALL, {}, []),
    (ALL, {"portainer_admin_password": "0123456789 \\x-Yz~ä"}, []),
    (dict(ALL, portainer=["c3", "c1"]), {}, ["2 hosts have the label portainer (c1, c3), expected one"]),
    (ALL, {"portainer_admin_password": "short"}, ["portainer_admin_password has 5 characters, expected 12 to 72"]),
    (ALL, {"portainer_admin_password": "x" * 73}, ["has 73 characters"]),
    (ALL, {"portainer_admin_password": "x" * 12 + "\ny"}, ["in one line"]),
])
def test_what_cannot_work(groups, variables, expected):
    found = value("__portainer_problems", groups, **variables)
    assert len(found) == len(expected) and all(words in text for words, text in zip(expected, found))


def test_images_of_a_host():
    server, agent = "portainer/portainer-ce:2.45.0-alpine", "portainer/agent:2.45.0-alpine"
    assert value("__portainer_images_here", ALL) == [server, agent]
    assert value("__portainer_images_here", ALL, inventory_hostname="c1") == [agent]
    assert value("__portainer_images_here", dict(ALL, portainer=[], portainer_agent=["c2"])) == []
    own = {"portainer_image": "localhost:5000/portainer:1", "portainer_agent_image": "localhost:5000/agent:1"}
    assert value("__portainer_images_here", ALL, **own) == [], "services take these from the registry"


def pulled(**found):
    """What a host's loop over its images has brought: {image: whether it has it}."""
    has = {"image": {"Id": "1"}}
    return {"__portainer_pulled": {"results": [dict({"item": name}, **(has if had else {"msg": "no route"})) for name, had in found.items()]}}


def test_an_image_that_cannot_be_had_is_one_line():
    hosts = {"c1": pulled(agent=True), "c2": pulled(server=False, agent=True), "c3": pulled(agent=False)}
    assert value("__portainer_without_image", ALL, hostvars=hosts) == ["agent", "server"]
    line = value("__portainer_missing_line", ALL, hostvars=hosts)
    assert line.startswith("Portainer: agent, server can neither be found nor pulled on c2, c3; it does not run there, and the rest of the run goes on.")
    assert "\n" not in line and line.endswith("The first reason: no route")
    assert not value("__portainer_runs_here", ALL, hostvars=hosts, __portainer_converged={})
    assert value("__portainer_without_image", ALL, hostvars=hosts, ansible_check_mode=True) == []
    there = {"c1": {}, "c2": pulled(server=True), "c3": {}}
    assert value("__portainer_without_image", ALL, hostvars=there) == [] and value("__portainer_runs_here", ALL, hostvars=there, __portainer_converged={})
    limited = {"outside_limit": ["portainer-skp"]}
    assert not value("__portainer_runs_here", ALL, hostvars=there, __portainer_converged=limited)
