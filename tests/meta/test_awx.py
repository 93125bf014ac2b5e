# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of job templates fits the playbooks and roles, and playbooks/awx.yml brings an AWX to it: a stand-in on the loopback, which refuses as AWX does."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import yaml
from tree import COLLECTION, ROOT, entry_points, load, roles

LIST = COLLECTION / "roles/awx/files/awx.yml"
MENU = load(LIST)
TEMPLATES = MENU["job_templates"]
STANDIN = COLLECTION / "tests/unit/plugins/module_utils/awx/awx_standin.py"


def name(template):
    """For test names."""
    return template["name"].replace(" ", "_")


def test_every_playbook_of_the_menu_has_a_template():
    there = {path.name for path in (ROOT / "playbooks").glob("*.yml")}
    used = {pathlib.Path(template["playbook"]).name for template in TEMPLATES} - {"site.yml"}
    # A part of site.yml is offered as site.yml with its tag.
    used |= {template["tags"] + ".yml" for template in TEMPLATES if template.get("tags")}
    assert there - used == set(MENU["without_template"]), "add a template to roles/awx/files/awx.yml, or say in without_template why there is none"
    assert all((ROOT / template["playbook"]).exists() for template in TEMPLATES)


def options():
    """All options of all roles: {name: option}."""
    specs = [spec for role in roles() if role.parent.parent == COLLECTION for spec in entry_points(role).values()]
    return {key: option for spec in specs for key, option in (spec.get("options") or {}).items()}


FITS = {"text": ("str", "list", "path"), "textarea": ("str",), "password": ("str",), "integer": ("int",), "float": ("float",),
        "multiplechoice": ("bool", "str"), "multiselect": ("list",)}


@pytest.mark.parametrize("template", [template for template in TEMPLATES if template.get("survey")], ids=name)
def test_questions_are_for_variables_of_roles(template):
    for question in template["survey"]:
        option = options()[question["variable"]]
        kind = question.get("type", "text")
        assert option["type"] in FITS[kind], question
        if option["type"] == "bool":
            assert sorted(question["choices"]) == ["false", "true"] and question["default"] == str(option["default"]).lower()
        elif "default" in question:
            assert question["default"] == option["default"], question
        # A secret must not be shown in AWX.
        assert bool(option.get("no_log")) == (kind == "password"), question


def test_what_destroys_is_labelled():
    destroys = {template["name"] for template in TEMPLATES if "destroy" in template["labels"]}
    assert destroys >= {"down", "rotate secrets", "registry gc"}
    assert all(set(template["labels"]) & {"look", "change", "destroy"} for template in TEMPLATES)


def test_what_only_looks_may_run_beside_another_job():
    assert [template["name"] for template in TEMPLATES if template.get("simultaneous") and "look" not in template["labels"]] == []


def test_the_execution_environment_has_what_the_collection_needs():
    image = COLLECTION / "images/ee"
    wanted = set((COLLECTION / "requirements.txt").read_text(encoding="utf-8").splitlines()[1:])
    assert wanted <= set((image / "requirements.in").read_text(encoding="utf-8").splitlines())
    assert wanted <= {line.strip() for line in (ROOT / "setup.cfg").read_text(encoding="utf-8").splitlines()}
    installed = re.search(r"^for name in (.*); do$", (image / "install").read_text(encoding="utf-8"), re.MULTILINE).group(1).split()
    assert set(load(COLLECTION / "galaxy.yml")["dependencies"]) <= set(installed)


def test_one_version_of_ansible_and_of_the_collection_in_both_ways_to_an_image():
    lock = (COLLECTION / "images/ee/requirements.lock").read_text(encoding="utf-8")
    built = load(ROOT / "execution-environment.yml")
    for part in ("ansible_core", "ansible_runner"):
        assert "\n%s \\\n" % built["dependencies"][part]["package_pip"] in lock
    version = load(COLLECTION / "galaxy.yml")["version"]
    assert set(re.findall(r"skp-cluster-([\d.]+)\.tar", (ROOT / "execution-environment.yml").read_text(encoding="utf-8"))) == {version}


@pytest.fixture
def awx():
    """A stand-in for AWX, and what a command needs to reach it."""
    spec = importlib.util.spec_from_file_location("awx_standin", STANDIN)
    standin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(standin)
    app = standin.Awx(sorted({template["playbook"] for template in TEMPLATES}))
    server = standin.serve(app)
    yield app, {"CONTROLLER_HOST": "http://127.0.0.1:%d" % server.server_address[1], "CONTROLLER_OAUTH_TOKEN": standin.TOKEN}
    server.shutdown()
    server.server_close()


@pytest.fixture
def site(tmp_path):
    """An inventory, and a list of a few templates of ours."""
    place = tmp_path / "mine"
    place.mkdir()
    (place / "hosts.json").write_text(json.dumps({"c01": {"ipv4": "192.0.2.1", "labels": {"kafka": "enable"}, "groups": ["master"]}}), encoding="utf-8")
    some = [template for template in TEMPLATES if template["name"] in ("status", "preflight", "dry run", "site", "logs", "kafka")]
    (tmp_path / "list.yml").write_text(yaml.safe_dump(dict(MENU, job_templates=some)), encoding="utf-8")
    return place, tmp_path / "list.yml"


def play(site, environment, *words):
    """Run playbooks/awx.yml as a user does. Returns (exit code, output)."""
    given = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "SKP_", "CONTROLLER_"))}
    program = pathlib.Path(sys.executable).with_name("ansible-playbook")
    more = {"awx_project_url": "https://git.example/ops.git", "awx_ssh_user": "skp", "awx_file": str(site[1])}
    done = subprocess.run([program, "-i", site[0], "playbooks/awx.yml", "-e", json.dumps(more), *words], cwd=ROOT, env={**given, **environment},
                          capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_playbook_twice_and_after_changes_of_the_list(awx, site):
    app, environment = awx
    code, text = play(site, environment, "--check", "--diff")
    assert code == 0 and "job template mine kafka: new" in text and app.log == [], text
    code, text = play(site, environment)
    assert code == 0 and "changed=1" in text, text
    assert app.named("inventory_sources", "hosts.json")["source_path"] == "inventory/mine/skp.yml"
    assert app.named("credentials", "mine machines")["inputs"]["username"] == "skp"
    app.log.clear()
    code, text = play(site, environment)
    assert code == 0 and "changed=0" in text and "AWX has everything already." in text and app.log == [], text

    changed = yaml.safe_load(site[1].read_text(encoding="utf-8"))
    by_name = {template["name"]: template for template in changed["job_templates"]}
    by_name["kafka"].update(name="brokers", formerly=["kafka"])
    by_name["logs"]["survey"][1]["default"] = 50
    changed["schedules"] = []
    site[1].write_text(yaml.safe_dump(changed), encoding="utf-8")
    code, text = play(site, environment)
    lines = {line.strip() for line in text.splitlines()}
    assert code == 0 and {"job template mine brokers: renamed from mine kafka", "job template mine logs: survey",
                          "schedule mine nightly status: removed"} <= lines, text


@pytest.mark.parametrize(
    ("environment", "words", "expected"),
    [
        ({"CONTROLLER_HOST": ""}, [], "awx_url is '', expected the address of AWX"),
        ({"CONTROLLER_OAUTH_TOKEN": "wrong"}, [], "HTTP 401"),
        ({}, ["-e", "awx_ssh_usr=me"], "did you mean awx_ssh_user?"),
    ],
)
def test_what_is_refused(awx, site, environment, words, expected):
    app, reach = awx
    code, text = play(site, {**reach, **environment}, *words)
    assert code != 0 and expected in " ".join(text.split()) and app.log == [], text
