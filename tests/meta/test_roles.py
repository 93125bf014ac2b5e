# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""defaults/main.yml and meta/argument_specs.yml (or options.yml) of every role say the same: names, order, values, types."""

from __future__ import annotations

import functools
import re

import pytest
from tree import COLLECTION, ROOT, entry_points, files, load, relative, roles, tasks

PYTHON_TYPES = {"str": str, "path": str, "int": int, "bool": bool, "float": (int, float), "list": list, "dict": dict}


def defaults(role):
    """Return a role's variables with their defaults, in the file's order."""
    return load(role / "defaults/main.yml") or {}


def options(role):
    """Return the documented variables of a role, in the file's order. A role that only has variables documents them under `shared`."""
    found = entry_points(role)
    return (found.get("main") or found["shared"]).get("options") or {}


@functools.lru_cache(maxsize=None)
def shared_variables():
    """Return the names of the variables that all roles share."""
    return frozenset(defaults(COLLECTION / "roles/_common"))


@pytest.mark.parametrize("role", roles(), ids=relative)
def test_same_names_in_the_same_order(role):
    documented = [name for name, option in options(role).items() if not option.get("required")]
    assert documented == list(defaults(role))


@pytest.mark.parametrize("role", roles(), ids=relative)
def test_same_values(role):
    differing = {
        name: {"defaults/main.yml": value, "meta/argument_specs.yml": options(role)[name].get("default", "no default")}
        for name, value in defaults(role).items()
        if name in options(role) and (options(role)[name].get("default", "no default"), type(options(role)[name].get("default"))) != (value, type(value))
    }
    assert differing == {}


@pytest.mark.parametrize("role", roles(), ids=relative)
def test_values_have_the_documented_type(role):
    wrong = {
        name: "%r is no %s" % (value, options(role)[name]["type"])
        for name, value in defaults(role).items()
        if name in options(role)
        and options(role)[name]["type"] != "raw"
        # A template is text until it is rendered; its type is the role's to keep.
        and not (isinstance(value, str) and "{{" in value)
        and (
            not isinstance(value, PYTHON_TYPES[options(role)[name]["type"]])
            or (isinstance(value, bool) and options(role)[name]["type"] in ("int", "float"))
        )
    }
    assert wrong == {}


@pytest.mark.parametrize("role", roles(), ids=relative)
def test_every_option_is_documented(role):
    for entry, spec in entry_points(role).items():
        assert spec.get("short_description"), entry
        for name, option in (spec.get("options") or {}).items():
            assert option.get("type") in {*PYTHON_TYPES, "raw"}, name
            assert option.get("description"), name
            if option["type"] == "list":
                assert option.get("elements"), name


@pytest.mark.parametrize("role", roles(), ids=relative)
def test_public_names_begin_with_the_role(role):
    prefix = "skp_" if role.name == "_common" else "%s_" % role.name.lstrip("_")
    assert [name for name in defaults(role) if not name.startswith(prefix)] == []


@pytest.mark.parametrize("role", [role for role in roles() if role.parent.parent == COLLECTION and role.name != "_common"], ids=relative)
def test_roles_that_use_shared_variables_depend_on_them(role):
    used = set()
    for path in role.rglob("*"):
        if path.suffix in (".yml", ".j2") and path.is_file():
            used |= set(re.findall(r"\bskp_[a-z_]+\b", path.read_text(encoding="utf-8"))) & shared_variables()
    if used:
        named = [entry if isinstance(entry, str) else entry.get("role", entry.get("name")) for entry in load(role / "meta/main.yml").get("dependencies") or []]
        assert "skp.cluster._common" in named or role.name == "_service", "uses %s" % ", ".join(sorted(used))


SECRET_NAME = re.compile(r"(password|secret|token|passphrase|access_key|private_key)(_|$)")
# Names and paths of secrets, or settings about them.
NOT_SECRET = {"skp_secrets_dir"}


@pytest.mark.parametrize("role", roles(), ids=relative)
def test_options_that_hold_a_secret_are_not_logged(role):
    assert [name for name, option in options(role).items() if SECRET_NAME.search(name) and name not in NOT_SECRET and not option.get("no_log")] == []


def reveals(task):
    """Whether a task's arguments or result hold secrets that the module does not mask by itself."""
    swarm = task.get("skp.cluster.skp_swarm") or {}
    return "skp.cluster.skp_secret" in task or "community.docker.docker_swarm_info" in task or swarm.get("state") == "token"


def all_tasks():
    """Return the tasks of all roles and playbooks."""
    return [task for path in files() if path.is_relative_to(COLLECTION) and path.suffix == ".yml" and {"tasks", "playbooks", "handlers"} & set(path.parts)
            for task in tasks(load(path))]


def test_tasks_whose_result_holds_a_secret_are_not_logged():
    """community.docker.docker_swarm_info returns the join tokens; a manager's token is root on the cluster."""
    found = [task for task in all_tasks() if reveals(task)]
    assert len(found) > 5 and [task["name"] for task in found if task.get("no_log") is not True] == []


def test_a_host_that_does_not_answer_is_not_everybodys_end():
    """With run_once, ignore_unreachable alone ends the play of all hosts, before the task that would say why: Ansible looks at ignore_errors there."""
    found = [task for task in all_tasks() if task.get("run_once") and task.get("ignore_unreachable")]
    assert found and [task["name"] for task in found if not task.get("ignore_errors")] == []


def test_no_default_passwords():
    """A secret is generated or given by the site; a default is one that everybody knows."""
    secret = re.compile(r"(passw(or)?d|secret|token|_key|credential)s?$")
    offenders = [
        "%s: %s" % (role.name, name)
        for role in roles()
        for name, value in defaults(role).items()
        if secret.search(name) and value and not (isinstance(value, str) and ("{{" in value or value.startswith("/")))
    ]
    assert offenders == []


def test_settings_that_everybody_can_read_say_so():
    """`<role>_config` becomes a swarm config: a file that every user of the container reads, and that --diff shows. (daemon.json is root's file.)"""
    found = {}
    for path in sorted(COLLECTION.glob("roles/*/meta/*.yml")):
        for name, option in re.findall(r"^      (\w+_config):\n((?:        .*\n)+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            found[name] = "o secrets" in option
    assert {"kafka_config", "zookeeper_config", "spark_config", "jupyter_config", "jupyter_gateway_config"} <= set(found)
    assert [name for name, said in found.items() if not said and name != "engine_daemon_config"] == []


@pytest.mark.parametrize("role", roles(), ids=relative)
def test_a_page_can_be_made_of_the_options(role):
    """What antsibull-docs refuses: a template as the default of an option that is no text, and O(...) of an option that the entry point has not."""
    wrong = []
    for point, spec in entry_points(role).items():
        known = spec.get("options") or {}
        wrong += ["%s: %s is %s, its default a template" % (point, name, option["type"]) for name, option in known.items()
                  if option["type"] not in ("str", "path", "raw") and isinstance(option.get("default"), str) and "{{" in option["default"]]
        wrong += ["%s: O(%s)" % (point, name) for name in re.findall(r"\bO\((\w+)[^)]*\)", str(spec)) if name not in known]
    assert wrong == []


def users():
    """Return the user ids that the roles fix or propose, as {role: number}."""
    found = {}
    for role in roles():
        name = role.name.lstrip("_")
        variables = defaults(role) | ((load(role / "vars/main.yml") or {}) if (role / "vars/main.yml").exists() else {})
        found.update({name: int(value) for key, value in variables.items() if key in ("%s_uid" % name, "__%s_uid" % name) and str(value).isdigit()})
    return found


def test_users_of_services_are_nobody_elses():
    """Accounts end at 60000, systemd has 60001 to 60577 and, for dynamic users, those from 61184 on (https://systemd.io/UIDS-GIDS/)."""
    found = users()
    assert {"kafka", "zookeeper", "jupyter", "spark", "airflow"} <= set(found)
    assert {role: number for role, number in found.items() if not 61000 <= number < 61184} == {}
    own = [number for number in found.values() if number != 61000]
    assert len(own) == len(set(own)), "61000 is that of the files that people share"


def test_preflight_looks_for_accounts_with_the_ids_of_every_service():
    """Of a host in a group, it asks for the ids of the services that run there."""
    asked = load(COLLECTION / "roles/preflight/defaults/main.yml")["preflight_uids"]
    known, wanted = users(), {}
    for path in (COLLECTION / "playbooks").glob("*.yml"):
        for play in load(path):
            names = [task["ansible.builtin.import_role"]["name"].rpartition(".")[2] for task in play.get("tasks", []) if "ansible.builtin.import_role" in task]
            for name in set(names) & set(known):
                # A play for all hosts (volumes) runs no service of its own.
                groups = {group for group in play["hosts"].split(":") if group[0] not in "&!"} - {"master", "manager", "skp"}
                wanted.update({group: {known[name]} for group in groups})
    assert {group: {int(re.search(r"\d+", str(number)).group()) for number in numbers} for group, numbers in asked.items()} == wanted
    page = (ROOT / "docs/preflight.md").read_text(encoding="utf-8")
    shown = re.search(r"getent passwd ([\d ]+)", page).group(1).split()
    assert set(map(int, shown)) == set().union(*wanted.values())
