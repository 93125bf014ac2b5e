# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role of the auth service asks for in a given site, templated as in a play."""

from __future__ import annotations

import inspect
import json
import pathlib
import re

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.skp.cluster.plugins.module_utils.service import args
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service

ROLES = pathlib.Path(__file__).parents[3] / "roles"
SETTINGS = ROLES.parent / "images/auth/python/skp_auth/settings.py"
# From ansible-core 2.19 on, only a trusted file has templates.
TRUSTED = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(DataLoader.load_from_file).parameters else {}
BASE = {"skp": ["c1", "c2"], "master": ["c1"], "flask": ["c2", "c1"], "mysql": ["c2"]}
SECRETS = {name: "%064x" % number for number, name in enumerate((
    "auth_access_key", "auth_refresh_key", "auth_admin_password", "mysql_auth_password", "postgresql_auth_password"), 1000)}


def value(name, groups=None, **variables):
    """A variable of the role."""
    loader, found = DataLoader(), {}
    for path in ("_common/defaults", "_common/vars", "auth/defaults", "auth/vars"):
        found.update(loader.load_from_file(str(ROLES / path / "main.yml"), **TRUSTED))
    found.update(groups=BASE if groups is None else groups, __skp_secrets=SECRETS)
    found.update(variables)
    return Templar(loader=loader, variables=found).template(found[name])


def services(groups=None, **variables):
    """{name: service}; each is one that the module takes."""
    found = value("__auth_services", groups, **variables)
    for one in found:
        assert set(one) <= set(args.service_options())
        build_service(one, "auth", "net", {})
    return {one["name"]: one for one in found}


def files(service):
    """{name: content} of a service's secrets."""
    return {item["name"]: item["content"] for item in service["secrets"]}


def test_the_migration_comes_first_and_each_service_has_only_its_secrets():
    found = services()
    assert list(found) == ["flask-skp-database", "flask-skp"], "the API is stopped only when the database has its revision"
    keeper, api = found.values()
    assert (keeper["host"], keeper.get("label"), api["label"]) == ("c1", None, "flask")
    assert set(files(keeper)) == {"auth_database_url", "auth_admin_password"}
    assert set(files(api)) == {"auth_database_url", "auth_access_key", "auth_refresh_key"}
    for one in found.values():
        assert {item["mode"] for item in one["secrets"]} == {"0400"} and one["read_only"] and one["cap_drop"] == ["ALL"] and one["limits"]["memory"] == "512m"
        assert one["user"] == "61007:61007" and one["healthcheck"]["test"][1:3] == ["skp-auth", "health"]
    assert value("__auth_needs")["secrets"] == ["auth_access_key", "auth_refresh_key", "auth_admin_password", "mysql_auth_password"]


def test_no_secret_is_in_an_environment_or_an_argument():
    given = {"auth_access_key": "a" * 64, "auth_refresh_key": "b" * 64, "auth_admin_password": "canary-of-admin", "auth_db_password": "canary-of-db"}
    for more in ({}, given):
        for one in services(**more).values():
            seen = json.dumps({key: entry for key, entry in one.items() if key != "secrets"})
            assert [word for word in (*SECRETS.values(), *given.values()) if word in seen] == []
    assert value("__auth_needs", **given)["secrets"] == []


def test_what_the_role_gives_is_what_the_program_reads():
    read = set(re.findall(r'^    "(\w+)": (?:_|lambda)', SETTINGS.read_text(encoding="utf-8"), re.MULTILINE))
    given = {name.removeprefix("SKP_AUTH_").lower() for name in services()["flask-skp"]["env"]}
    assert given - {"port", "workers"} == read


@pytest.mark.parametrize("groups, variables, url, secret", [
    (BASE, {}, "mysql+pymysql://auth:%s@mysql-skp:3306/auth?charset=utf8mb4" % SECRETS["mysql_auth_password"], "mysql_auth_password"),
    ({"flask": ["c1"], "pgsql": ["c1"]}, {}, "postgresql+psycopg2://auth:%s@pgsql-skp:5432/auth" % SECRETS["postgresql_auth_password"],
     "postgresql_auth_password"),
    ({**BASE, "pgsql": ["c1"]}, {"auth_database": "postgresql", "auth_db_password": "a%/@ b"},
     "postgresql+psycopg2://auth:a%25%2F%40%20b@pgsql-skp:5432/auth", ""),
    (BASE, {"auth_database_url": "postgres://me:word@db.example/auth"}, "postgresql+psycopg2://me:word@db.example/auth", ""),
    (BASE, {"auth_database_url": "mysql://me:word@db.example/auth"}, "mysql+pymysql://me:word@db.example/auth", ""),
])
def test_the_database(groups, variables, url, secret):
    for one in services(groups, **variables).values():
        assert files(one)["auth_database_url"] == url
    names = value("__auth_needs", groups, **variables)["secrets"]
    assert [name for name in names if not name.startswith("auth_")] == ([secret] if secret else [])


def test_its_database_is_in_the_list_while_a_host_has_the_label():
    def listed(groups, **more):
        return [(one["name"], one["server"], one["user"]) for one in value("__skp_database_plan", groups, **more)["databases"]]
    assert listed(BASE) == [("auth", "mysql", "auth")] and listed({"mysql": ["c2"]}) == []
    assert listed(BASE, auth_database_url="mysql://a:b@c/d") == [] and listed({"flask": ["c1"]}) == []
    assert listed({**BASE, "pgsql": ["c1"]}, auth_database="postgresql", auth_db="people", auth_db_user="me") == [("people", "postgresql", "me")]


def test_a_site_that_asks_for_nothing_gets_nothing():
    assert value("__auth_problems", {}) == [] and value("__auth_needs", {})["hosts"] == [] and value("__auth_problems") == []


@pytest.mark.parametrize("groups, variables, words", [
    ({"flask": ["c1"]}, {}, "no host with the label mysql or pgsql"), (BASE, {"auth_database": "postgresql"}, "no host with the label pgsql"),
    (BASE, {"auth_admin": "Admin"}, "auth_admin: expected a small letter"), (BASE, {"auth_admin_password": "admin"}, "found 5 characters, expected 8"),
    (BASE, {"auth_access_key": "flask-skp"}, "64 hexadecimal digits"),
    (BASE, {"auth_access_key": "a" * 64, "auth_refresh_key": "A" * 64}, "two different keys"),
    (BASE, {"auth_areas": {"jupyter": "AU"}}, "auth_areas"), (BASE, {"auth_areas": {"jupyter": ["A", "X"]}}, "auth_areas"),
    (BASE, {"auth_access_seconds": 43200}, "expected an access token that ends first")])
def test_what_cannot_work_is_refused_without_showing_it(groups, variables, words):
    [found] = value("__auth_problems", groups, **variables)
    assert words in found and "flask-skp" not in found and "a" * 64 not in found


def test_the_port_can_be_left_unpublished_and_the_table_shows_where_it_is():
    assert services(auth_publish="none")["flask-skp"]["ports"] == [] and [port["target"] for port in services()["flask-skp"]["ports"]] == [8060]
    assert services()["flask-skp"]["labels"] == {"skp.url": "http://{host}:8060", "skp.login": "/etc/skp/secrets/auth_admin_password"}
    assert services(auth_admin_password="a good word")["flask-skp"]["labels"]["skp.login"] == "variable auth_admin_password"
    assert services(auth_registration="True")["flask-skp"]["env"]["SKP_AUTH_REGISTRATION"] == "true"
    assert json.loads(services()["flask-skp"]["env"]["SKP_AUTH_AREAS"])["portainer"] == ["A"]
