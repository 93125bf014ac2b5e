# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of the roles mysql, postgresql and redis in a given site, and what they refuse."""

from __future__ import annotations

import inspect
import pathlib
import subprocess
import time

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.skp.cluster.plugins.module_utils.service.args import service_options
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service

ROLES = pathlib.Path(__file__).parents[3] / "roles"
TRUSTED = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(DataLoader.load_from_file).parameters else {}
HOSTS = {"mysql": "c2", "pgsql": "c3", "redis": "c1"}
GROUPS = {"skp": ["c1", "c2", "c3"], "master": ["c1"], **{label: [host] for label, host in HOSTS.items()}}
SECRETS = {"mysql_root_password": "canary-root", "postgresql_password": "canary-pg", "redis_password": "canary-redis", "mysql_reports_password": "canary-app",
           "postgresql_reports_password": "canary-pgapp"}
DATABASES = [{"name": "reports"}, {"name": "reports", "server": "postgresql"}]
ROLE_NAMES = ("mysql", "postgresql", "redis")
TITLES = {"mysql": "MySQL", "postgresql": "PostgreSQL", "redis": "Redis"}
LABELS = {"mysql": "mysql", "postgresql": "pgsql", "redis": "redis"}


def value(role, name, groups=None, **given):
    """A variable as the shared role sees it in the role."""
    loader, found = DataLoader(), {}
    for path in ("_common/defaults", "_common/vars", "_database/vars", role + "/defaults", role + "/vars"):
        found.update(loader.load_from_file(str(ROLES / path / "main.yml"), **TRUSTED) or {})
    needs = found["__%s_needs" % role]
    found.update(role_path=str(ROLES / "_database"), groups=dict(GROUPS, **(groups or {})), inventory_hostname="c1", hostvars={}, __skp_secrets=SECRETS,
                 __service_needs={role: needs}, database_role=role, database_title=TITLES[role], database_label=LABELS[role],
                 database_timeout=600, database_problems=found["__%s_problems" % role], skp_databases=DATABASES, ansible_play_hosts_all=[])
    found.update(given)
    return Templar(loader=loader, variables=found).template(found[name])


def services(role, **given):
    """The services of a role by the last word of their name."""
    return {service["name"].rpartition("-")[2]: service for service in value(role, "__%s_services" % role, **given)}


@pytest.mark.parametrize("role", ROLE_NAMES)
def test_what_the_module_gets(role):
    """Only options of the module, nothing left to template, and a specification can be built of it."""
    for service in value(role, "__%s_services" % role):
        assert set(service) <= set(service_options())
        built = build_service(service, role, "net-skp", {service["image"]: "sha256:0"})
        container = built["payload"]["TaskTemplate"]["ContainerSpec"]
        assert container["User"].split(":")[0].isdigit() and container["ReadOnly"] and container["Healthcheck"]["Test"]
        assert "{{" not in str(service)
        assert built["host"] == HOSTS[LABELS[role]]


@pytest.mark.parametrize("role", ROLE_NAMES)
def test_no_password_is_in_an_argument_an_environment_or_a_config(role):
    for service in value(role, "__%s_services" % role):
        assert any("canary" in secret["content"] for secret in service["secrets"])
        assert "canary" not in str({key: part for key, part in service.items() if key != "secrets"})
        assert {secret["mode"] for secret in build_secrets(service)} == {0o400}
        assert {(secret["uid"], secret["gid"]) for secret in service["secrets"]} == {tuple(service["user"].split(":"))}


def build_secrets(service):
    """Files of the secrets of a service, as the engine gets them."""
    built = build_service(service, "x", "net-skp", {})
    return [{"mode": entry["File"]["Mode"]} for entry in built["payload"]["TaskTemplate"]["ContainerSpec"]["Secrets"]]


@pytest.mark.parametrize("role", ROLE_NAMES)
def test_nothing_is_published_unless_asked_for(role):
    assert [service.get("ports") or [] for service in value(role, "__%s_services" % role)] == [[]] * (1 if role == "redis" else 2)
    if role != "redis":
        ports = [service.get("ports") for service in value(role, "__%s_services" % role, **{"%s_publish" % role: "all", "%s_port" % role: 13306})]
        assert ports[0] == [{"target": 13306}] and not ports[1]


@pytest.mark.parametrize("role", ROLE_NAMES)
def test_only_the_server_owns_the_data_and_needs_are_its_directories(role):
    found = value(role, "__%s_services" % role)
    assert [bool(service.get("owns_data")) for service in found] == [True, False][: len(found)]
    needs = value(role, "__%s_needs" % role)
    sources = {mount["source"] for service in found for mount in service["mounts"] if "source" in mount}
    assert sources == {directory["path"] for directory in needs["directories"]} and needs["hosts"] == [HOSTS[LABELS[role]]]
    assert {directory["owner"] for directory in needs["directories"]} == {found[0]["user"].split(":")[0]}


def test_a_database_does_not_restart_the_server():
    """A new entry changes the container beside it only."""
    for role in ("mysql", "postgresql"):
        more = [*DATABASES, {"name": "more", "server": role, "password": "x"}]
        before, after = services(role), services(role, skp_databases=more)
        assert before["skp"] == after["skp"] and before["client"] != after["client"]


def test_secrets_that_the_roles_need():
    assert value("mysql", "__mysql_needs")["secrets"] == ["mysql_root_password", "mysql_reports_password"]
    assert value("postgresql", "__postgresql_needs")["secrets"] == ["postgresql_password", "postgresql_reports_password"]
    assert value("redis", "__redis_needs")["secrets"] == ["redis_password"]
    assert value("redis", "__redis_needs", redis_password="x")["secrets"] == []
    own = [{"name": "reports", "password": "x"}]
    assert value("mysql", "__mysql_needs", mysql_root_password="x", skp_databases=own)["secrets"] == []


def test_a_role_of_the_collection_gets_a_database_by_one_entry():
    own = [{"name": "airflow", "server": "postgresql", "group": "airflow"}]
    found = value("mysql", "__skp_database_plan", groups={"airflow": ["c1"]}, __skp_own_databases=own)
    assert len(value("mysql", "__skp_database_plan", __skp_own_databases=own)["databases"]) == len(DATABASES), "no host runs it"
    [entry] = [item for item in found["databases"] if item["name"] == "airflow"]
    assert (entry["server"], entry["host"], entry["port"], entry["secret"]) == ("postgresql", "pgsql-skp", 5432, "postgresql_airflow_password")


@pytest.mark.parametrize("role", ROLE_NAMES)
def test_two_hosts_with_the_label_are_refused(role):
    refused = value(role, "__database_refused", groups={LABELS[role]: ["c1", "c2"]})
    assert len(refused) == 1 and "2 hosts have the label %s (c1, c2), expected one" % LABELS[role] in refused[0]
    assert value(role, "__database_refused") == []


@pytest.mark.parametrize("role, given, words", [
    ("mysql", {"mysql_config": {"data-dir": 1, "datadir": "/x"}}, "datadir"),
    ("mysql", {"mysql_config": {"init-file": "/x"}}, "init_file"),
    ("mysql", {"mysql_config": {"max_connections": "1\nskip-grant-tables"}}, "max_connections"),
    ("mysql", {"mysql_config": {"a b": 1}}, "a b"),
    ("mysql", {"skp_databases": [{"name": "mysql"}]}, "server's own"),
    ("postgresql", {"postgresql_config": {"hba_file": "/x"}}, "hba_file"),
    ("postgresql", {"postgresql_config": {"max_connections": "1\n"}}, "max_connections"),
    ("postgresql", {"skp_databases": [{"name": "a", "server": "postgresql"}], "groups": {"pgsql": []}}, "no host has its label"),
    ("redis", {"redis_config": {"requirepass": "x"}}, "requirepass"),
    ("redis", {"redis_password": "a\nb"}, "line break"),
    ("mysql", {"mysql_root_password": "a\nb"}, "line break"),
    ("postgresql", {"postgresql_password": "a\nb"}, "line break"),
])
def test_what_cannot_work_is_refused(role, given, words):
    refused = value(role, "__database_refused", **given)
    assert refused and words in " ".join(refused) and refused[0].startswith(TITLES[role] + ": ")


def test_the_settings_of_mysql():
    found = services("mysql", mysql_config={"max-connections": 50, "performance_schema": False})
    [text] = [config["content"] for config in found["skp"]["configs"] if config["name"] == "skp.cnf"]
    lines = text.splitlines()
    assert lines[0] == "[mysqld]" and "max_connections = 50" in lines and "performance_schema = OFF" in lines
    assert "character_set_server = utf8mb4" in lines and "innodb_flush_log_at_trx_commit = 1" in lines
    assert lines[-2:] == ["[client]", "socket = /var/lib/mysql/run/mysqld.sock"] and "" not in lines and text.endswith("\n")


def test_the_settings_of_postgresql():
    arguments = services("postgresql", postgresql_config={"max_connections": 50, "autovacuum": False})["skp"]["args"]
    assert arguments[0] == "postgres" and arguments[1::2] == ["-c"] * len(arguments[2::2])
    assert {"max_connections=50", "autovacuum=False", "port=5432", "hba_file=/etc/skp/pg_hba.conf", "fsync=on"} <= set(arguments[2::2])


def test_the_settings_of_redis():
    [service] = services("redis", redis_config={"appendfsync": "always", "lazyfree-lazy-eviction": True}, redis_password='a"b\\c').values()
    content = {secret["name"]: secret["content"] for secret in service["secrets"]}
    assert content["redis.conf"].splitlines()[-1] == 'requirepass "a\\"b\\\\c"' and content["redis_ping"] == 'AUTH "a\\"b\\\\c"\nPING\n'
    assert {"appendfsync always", "appendonly yes", "lazyfree-lazy-eviction yes", 'save ""', "bind * -::*"} <= set(content["redis.conf"].splitlines())


@pytest.mark.parametrize("policy, holds, refused", [("moved", False, True), ("moved", True, False), ("leave", False, False), ("refuse", False, False)])
def test_a_move_without_the_data_is_refused(policy, holds, refused):
    visit = {"services": {"mysql": {"directories": [{"path": "/d", "holds": holds}, {"path": "/d/run", "holds": None}]}}}
    given = {"database_data_policy": policy, "hostvars": {"c2": {"__service_visit": visit}}}
    assert value("mysql", "__database_not_moved", **given) is refused
    assert value("mysql", "__database_not_moved", database_data_policy="moved", hostvars={"c2": {}}) is False, "not visited in this run"
    assert value("mysql", "__database_not_moved", groups={"mysql": []}, **given) is False


def test_either_label_is_postgresqls():
    assert value("postgresql", "__postgresql_hosts", groups={"pgsql": [], "postgresql": ["c1"]}) == ["c1"]
    assert value("postgresql", "__postgresql_hosts", groups={"postgresql": ["c3"]}) == ["c3"]


@pytest.mark.parametrize("database, words", [("", ["psql", "-X"]), ("reports", ["-U", "reports", "-d", "reports"])])
def test_the_client_of_postgresql(database, words):
    assert value("postgresql", "__postgresql_command", postgresql_database=database)[-len(words):] == words


def test_address_and_port_are_those_of_the_roles():
    """The shared variables name the defaults of the servers a second time."""
    found = value("mysql", "__skp_database_servers")
    for role in ("mysql", "postgresql"):
        own = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text(encoding="utf-8"))
        assert (found[role]["host"], int(found[role]["port"])) == (own[role + "_name"], own[role + "_port"])


@pytest.fixture(name="keep")
def _keep(tmp_path):
    """A copy of keep-databases that works in a directory: (script, its directory)."""
    text = (ROLES / "_database/files/keep-databases").read_text(encoding="utf-8")
    script = tmp_path / "keep-databases"
    script.write_text(text.replace("/tmp/applied", str(tmp_path / "applied")).replace("/run/secrets", str(tmp_path)).replace("sleep 5", "sleep 0.1")
                      .replace("sleep 1;", "sleep 0.1;"), encoding="utf-8")
    (tmp_path / "databases.sql").write_text("SELECT 1;\n", encoding="utf-8")
    return script, tmp_path


def until(probe):
    """Wait until it is true."""
    end = time.monotonic() + 10
    while not probe():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_statements_run_once_for_each_start_of_the_server(keep):
    script, place = keep
    socket, ran = place / "socket", place / "ran"
    client = ["sh", "-c", "cat >>%s" % ran]
    check = ["sh", str(script), "--check", str(socket)]
    assert subprocess.run(check, check=False).returncode != 0
    with subprocess.Popen(["sh", str(script), str(socket), *client], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for count in (1, 2):
                socket.unlink(missing_ok=True)
                (place / ("other%d" % count)).touch()  # another inode
                socket.touch()
                until(lambda count=count: ran.exists() and ran.read_text(encoding="utf-8") == "SELECT 1;\n" * count)
                until(lambda: subprocess.run(check, check=False).returncode == 0)
        finally:
            process.kill()


def test_statements_that_fail_are_tried_again_and_show_no_password(keep):
    script, place = keep
    (place / "socket").touch()
    client = ["sh", "-c", "echo x >>%s; echo \"ERROR 1064 near 'canary'\" >&2; exit 1" % (place / "tries")]
    with subprocess.Popen(["sh", str(script), str(place / "socket"), *client], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: (place / "tries").exists() and len((place / "tries").read_text(encoding="utf-8")) > 4)
        process.kill()
        lines = process.stderr.read().splitlines()
    assert len(lines) == 1 and "ERROR 1064" in lines[0] and "canary" not in lines[0] and not (place / "applied").exists()
