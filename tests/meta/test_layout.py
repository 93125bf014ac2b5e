# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things are: one home for everything shipped, an operator's menu that holds nothing, no links, one spelling of names."""

from __future__ import annotations

import re

import pytest
import yaml
from tree import COLLECTION, ROOT, entry_points, files, load, modules, relative, roles

SHIM = """\
# SPDX-License-Identifier: GPL-3.0-or-later
---
- name: {name}
  ansible.builtin.import_playbook: skp.cluster.{stem}
"""
# Reads files of the controller and writes an inventory there, so it is on no menu of AWX, which does not see a key in quotes.
NOT_OFFERED = {"adopt.yml"}
ROLE_PARTS = {"README.md", "defaults", "files", "handlers", "meta", "tasks", "templates", "vars"}
ROLE_FILES = ["defaults/main.yml", "meta/argument_specs.yml", "meta/main.yml", "tasks/main.yml"]
# Holds only the shared variables.
ROLES_WITHOUT_TASKS = {"_common"}


def menu():
    """Return the root shims: site.yml and playbooks/*.yml."""
    return [ROOT / "site.yml", *sorted((ROOT / "playbooks").glob("*.y*ml"))]


def test_the_menu_and_the_collections_playbooks_are_the_same_set():
    shims = {path.name for path in menu()}
    playbooks = {path.name for path in (COLLECTION / "playbooks").glob("*.y*ml")}
    assert shims == playbooks


@pytest.mark.parametrize("shim", menu(), ids=relative)
def test_a_shim_holds_one_import_and_nothing_else(shim):
    text = shim.read_text(encoding="utf-8")
    [play] = yaml.safe_load(text)
    wanted = SHIM.format(name=play["name"], stem=shim.stem)
    if shim.name in NOT_OFFERED:
        wanted = wanted.replace("ansible.builtin.import_playbook:", '"ansible.builtin.import_playbook":')
    assert text == wanted


def test_site_imports_the_whole_menu_in_order():
    order = [play["ansible.builtin.import_playbook"] for play in load(COLLECTION / "playbooks/site.yml")]
    start = ["preflight", "engine", "store", "swarm", "nodes", "registry", "images"]
    assert order[: len(start)] == ["skp.cluster.%s" % name for name in start]
    assert order.index("skp.cluster.zookeeper") < order.index("skp.cluster.kafka")


SERVICES = ("zookeeper", "kafka", "mysql", "redis", "spark", "jupyter", "airflow", "portainer")
EVERY_HOST = "skp"
# They ask another program's API from the controller.
WITHOUT_NODES = ("awx",)


@pytest.mark.parametrize("path", sorted((COLLECTION / "playbooks").glob("*.yml")), ids=relative)
def test_plays_touch_hosts_of_the_cluster_only(path):
    """`all` also holds the hosts of other inventories, and each of our groups may be one of theirs. The controller is nobody's host."""
    own = ("localhost",) if path.stem in WITHOUT_NODES or path.name in NOT_OFFERED else ()
    assert [play["hosts"] for play in load(path) if "hosts" in play and play["hosts"] not in (EVERY_HOST, *own)
            and not play["hosts"].endswith(":&" + EVERY_HOST)] == []


@pytest.mark.parametrize("path", sorted((COLLECTION / "playbooks").glob("*.yml")), ids=relative)
def test_modules_are_no_files_on_the_nodes(path):
    """Also for users without this repository's ansible.cfg: a module with its arguments would be a file, left there if the connection breaks."""
    plays = [play for play in load(path) if "hosts" in play]
    assert [play["name"] for play in plays if play.get("vars", {}).get("ansible_pipelining") is not True] == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_play_of_a_service_runs_on_managers_and_hosts_with_its_label(service):
    [play] = load(COLLECTION / ("playbooks/%s.yml" % service))
    hosts = play["hosts"].split(":")
    assert hosts[:2] == ["master", "manager"] and all(host.split("_")[0] == service for host in hosts[2:-1]) and hosts[2:-1]


@pytest.mark.parametrize("path", sorted((COLLECTION / "playbooks").glob("*.yml")), ids=relative)
def test_no_playbook_validates_roles_on_every_host(path):
    """Ansible's validation of a role carries the tag `always` and runs on each host; our roles validate themselves in one task on one host."""
    tasks = [task for play in load(path) for task in play.get("tasks", [])]
    imports = [task[key] for task in tasks for key in ("ansible.builtin.import_role", "ansible.builtin.include_role") if key in task]
    assert [entry["name"] for entry in imports if entry.get("rolespec_validate") is not False] == []
    named = {entry["role"] for play in load(path) for entry in play.get("roles", [])}
    assert named <= {"skp.cluster._common"}, "only roles without argument specs"


def test_every_role_validates_its_variables_first():
    for role in roles():
        specs = entry_points(role)
        if role.parent.parent == COLLECTION and "main" in specs and not role.name.startswith("_"):
            first = load(role / "tasks/main.yml")[0]
            assert "ansible.builtin.validate_argument_spec" in first and first["run_once"], role.name
            assert first["ansible.builtin.validate_argument_spec"]["validate_args_context"]["name"] == "skp.cluster.%s" % role.name


def test_no_links_in_the_collection():
    assert [relative(path) for path in COLLECTION.rglob("*") if path.is_symlink()] == []
    assert not any(path.is_symlink() for path in (COLLECTION, *COLLECTION.parents) if path.is_relative_to(ROOT))


def test_own_roles_and_shipped_roles_have_different_names():
    own = {path.name for path in roles() if path.parent == ROOT / "roles"}
    shipped = {path.name for path in roles() if path.parent != ROOT / "roles"}
    assert not own & shipped


def test_the_collection_does_not_know_the_lab():
    offenders = [
        relative(path)
        for path in files()
        if path.is_relative_to(COLLECTION / "roles") or path.is_relative_to(COLLECTION / "plugins") or path.is_relative_to(COLLECTION / "playbooks")
        if re.search(r"skp[-_]lab\b|inventory/lab|roles/lab", path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert offenders == []


def test_requirements_are_third_party_and_those_of_the_collection():
    wanted = {entry["name"]: entry["version"] for entry in load(ROOT / "requirements.yml")["collections"]}
    assert wanted == load(COLLECTION / "galaxy.yml")["dependencies"]
    assert not any(name.startswith("skp.") for name in wanted)
    assert all(version.startswith(">=") for version in wanted.values()), "a closed range makes ansible-galaxy look for another version"
    assert not (ROOT / "roles/requirements.yml").exists() and not (ROOT / "collections/requirements.yml").exists()


def test_one_version_everywhere():
    version = load(COLLECTION / "galaxy.yml")["version"]
    assert re.search(r"^version = (.*)$", (ROOT / "setup.cfg").read_text(), re.MULTILINE).group(1) == version


@pytest.mark.parametrize("role", roles(), ids=relative)
def test_every_role_has_the_same_files(role):
    present = {str(path.relative_to(role)) for path in files() if path.is_relative_to(role)}
    wanted = [name for name in ROLE_FILES if not (name.startswith("tasks/") and role.name in ROLES_WITHOUT_TASKS)]
    wanted = ["meta/options.yml" if role.name in dependencies() and name == "meta/argument_specs.yml" else name for name in wanted]
    assert [name for name in wanted if name not in present] == [], "missing"
    if role.parent != ROOT / "roles":
        assert {name.split("/")[0] for name in present} - ROLE_PARTS == set(), "unknown part of a role"


def dependencies():
    """Return the names of the roles that others name as dependencies."""
    return {entry["role"].rpartition(".")[2] for role in roles() for entry in load(role / "meta/main.yml").get("dependencies") or []}


def test_no_dependency_has_argument_specs():
    """Ansible reads and copies that file each time it loads a role that names this one, thirty times in a run of site.yml: 0.3 s of every run."""
    assert dependencies() == {"_common", "_spark"}
    assert [role.name for role in roles() if role.name in dependencies() and (role / "meta/argument_specs.yml").exists()] == []


def test_names_are_those_an_fqcn_can_have():
    named = [path.stem for path in (COLLECTION / "playbooks").glob("*.yml")] + [path.name for path in roles()] + [path.stem for path in modules()]
    assert [name for name in named if not re.fullmatch(r"[a-z_][a-z0-9_]*", name)] == []


def test_yaml_files_end_in_yml():
    # changelog.yaml and config.yaml are antsibull-changelog's own names.
    assert [relative(path) for path in files() if path.suffix == ".yaml" and not path.is_relative_to(COLLECTION / "changelogs")] == []


def needs_header(path):
    """Tell whether a file is code of this project, which carries its licence on top."""
    if path.is_relative_to(COLLECTION / "changelogs"):
        return False
    if path.suffix in (".py", ".yml", ".sh") or "Dockerfile" in path.name or path.name in ("Makefile", "setup.cfg", "pyproject.toml"):
        return True
    return not path.suffix and path.is_file() and path.read_bytes().startswith(b"#!")


@pytest.mark.parametrize("path", [path for path in files() if needs_header(path)], ids=relative)
def test_licence_on_top(path):
    head = "\n".join(path.read_text(encoding="utf-8").splitlines()[:6])
    assert "SPDX-License-Identifier: GPL-3.0-or-later" in head


def awx_playbooks():
    """List the checkout's playbooks as AWX does.

    Its rule (``Project.playbooks``): a file ending in .yml or .yaml with a line that starts a play or imports a playbook, and none of
    the directories that hold parts of playbooks, or whose name starts with a dot, on the way to it.
    """
    line = re.compile(r"^\s*-?\s*(?:hosts|include|(?:ansible\.builtin\.)?import_playbook):", re.MULTILINE)
    parts = {"roles", "tasks", "group_vars", "host_vars"}
    for path in files():
        folders = path.relative_to(ROOT).parts[:-1]
        if path.suffix in (".yml", ".yaml") and not any(name in parts or name.startswith(".") for name in folders):
            if line.search(path.read_text(encoding="utf-8")):
                yield path


def test_awx_offers_the_menu():
    """Only files that are meant to be started: the collection's own playbooks, molecule's and those of tests quote the key (`"hosts":`), which AWX's rule
    does not know. One click on molecule/default/destroy.yml would be too easy.
    """
    assert [relative(path) for path in awx_playbooks()] == sorted(relative(path) for path in menu() if path.name not in NOT_OFFERED)


def test_helpers_of_tests_have_names_of_their_own():
    """tests/lab puts tests/tools on its path: a module of the same name would be imported in place of its own."""
    names = [path.stem for folder in ("tools", "lab", "meta") for path in (ROOT / "tests" / folder).glob("*.py") if path.stem not in ("conftest", "__init__")]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []
