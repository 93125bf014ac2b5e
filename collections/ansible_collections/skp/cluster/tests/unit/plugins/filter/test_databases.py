# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which databases there are, what is refused, and the statements and files that a server gets."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.skp.cluster.plugins.filter.database_files import database_files
from ansible_collections.skp.cluster.plugins.plugin_utils import _databases as plan

SERVERS = {"mysql": {"host": "mysql-skp", "port": "3306", "hosts": ["c02"]}, "postgresql": {"host": "pgsql-skp", "port": 5432, "hosts": ["c03"]}}
SECRETS = {"mysql_air_flow_password": "word", "postgresql_air_flow_password": "pg:word"}


def problems(*entries, servers=None, **more):
    """All problems of entries."""
    found = plan.databases(list(entries), servers or SERVERS, **more)["problems"]
    return found["mysql"] + found["postgresql"]


def items(*entries):
    """The databases of entries."""
    return plan.databases(list(entries), SERVERS)["databases"]


def test_an_entry_is_completed():
    [one] = items({"name": "reports"})
    assert one == {"name": "reports", "server": "mysql", "user": "reports", "password": "", "secret": "mysql_reports_password",
                   "host": "mysql-skp", "port": 3306}
    [other] = items({"name": "a", "server": "postgresql", "user": "b", "password": "c"})
    assert (other["user"], other["password"], other["secret"], other["host"], other["port"]) == ("b", "c", "", "pgsql-skp", 5432)


def test_an_entry_of_a_service_counts_while_a_host_runs_it():
    entry = {"name": "airflow", "group": "airflow"}
    assert plan.databases([entry], SERVERS, ["mysql"])["databases"] == []
    assert len(plan.databases([entry], SERVERS, ["mysql", "airflow"])["databases"]) == 1


@pytest.mark.parametrize("entry, words", [
    ({}, "number 1"), ({"name": "a b"}, "'a b'"), ({"name": "a`; DROP"}, "expected letters"), ({"name": "1a"}, "expected letters"),
    ({"name": "a" * 33}, "at most 32"), ({"name": "a\n"}, "expected letters"), ({"name": "a", "user": "u'"}, "found user"),
    ({"name": "a", "server": "oracle"}, "expected mysql or postgresql"), ({"name": "mysql"}, "server's own"), ({"name": "Sys"}, "server's own"),
    ({"name": "a", "user": "root"}, "server's own"), ({"name": "root"}, "server's own"),
    ({"name": "postgres", "server": "postgresql"}, "server's own"), ({"name": "a", "server": "postgresql", "user": "pg_monitor"}, "server's own"),
    ({"name": "a", "pasword": "x"}, "unknown key pasword"), ({"name": "a", "password": "x\ny"}, "line break"),
])
def test_an_entry_that_is_refused(entry, words):
    found = problems(entry)
    assert found and words in " ".join(found), found


def test_a_password_is_in_no_sentence():
    assert "canary" not in " ".join(problems({"name": "a b", "password": "canary\n"}, {"name": "x", "password": "canary"}, {"name": "x", "password": "canary"}))


def test_each_application_has_its_own():
    assert "user one stands twice" in " ".join(problems({"name": "one"}, {"name": "two", "user": "one"}))
    assert "database one stands twice" in " ".join(problems({"name": "one"}, {"name": "one", "user": "two"}))
    assert problems({"name": "one"}, {"name": "one", "server": "postgresql"}) == []


def test_a_server_without_a_host_is_refused():
    servers = dict(SERVERS, postgresql=dict(SERVERS["postgresql"], hosts=[]))
    found = plan.databases([{"name": "a"}, {"name": "b", "server": "postgresql"}], servers)["problems"]
    assert found["mysql"] == [] and "b shall be on postgresql" in found["postgresql"][0] and "label pgsql" in found["postgresql"][0]
    assert plan.databases([], servers)["problems"] == {"mysql": [], "postgresql": []}


@pytest.mark.parametrize("server", plan.SERVERS)
def test_statements_remove_nothing(server):
    text = plan.files(server, items({"name": "air_flow", "server": server}), SECRETS, "root's")["databases.sql"]
    assert not {"DROP", "DELETE", "TRUNCATE", "REPLACE"} & set(text.upper().split())
    assert plan.files(server, [], {}, "x")["databases.sql"].strip(), "swarm allows no empty secret"


def test_a_user_of_mysql_has_one_schema():
    text = plan.statements("mysql", plan.with_passwords(items({"name": "air_flow"}), SECRETS))
    assert "CREATE DATABASE IF NOT EXISTS `air_flow`;" in text
    assert "GRANT ALL PRIVILEGES ON `air\\_flow`.* TO 'air_flow'@'%';" in text and "GRANT OPTION" not in text and "*.*" not in text


def test_a_user_of_postgresql_has_one_database():
    text = plan.statements("postgresql", plan.with_passwords(items({"name": "air_flow", "server": "postgresql"}), SECRETS), "top")
    assert 'REVOKE CONNECT, TEMPORARY ON DATABASE "air_flow" FROM PUBLIC;' in text and "DATABASE postgres FROM PUBLIC" in text
    assert "NOSUPERUSER" in text and text.index("log_min_error_statement") < text.index("PASSWORD")


@pytest.mark.parametrize("server, expected", [("mysql", r"'a''b\\c'"), ("postgresql", r"'a''b\c'")])
def test_a_password_cannot_leave_its_quotes(server, expected):
    assert plan.literal(server, "a'b\\c") == expected


def test_statements_of_one_server_have_nothing_of_the_other():
    both = items({"name": "first", "password": "p1"}, {"name": "second", "server": "postgresql", "password": "p2"})
    assert "second" not in plan.statements("mysql", both) and "first" not in plan.statements("postgresql", both)


def test_files_of_mysql():
    found = plan.files("mysql", items({"name": "air_flow"}, {"name": "b", "server": "postgresql"}), SECRETS, 'ro"o\\t', "/run/x.sock")
    assert sorted(found) == ["air_flow.cnf", "databases.sql", "root.cnf", "start.sql"]
    assert found["air_flow.cnf"] == '[client]\nuser=air_flow\npassword="word"\nhost=mysql-skp\nport=3306\n[mysql]\ndatabase=air_flow\n'
    assert found["root.cnf"] == '[client]\nuser=root\npassword="ro\\"o\\\\t"\nsocket=/run/x.sock\n'
    assert found["start.sql"].splitlines() == ["ALTER USER 'root'@'localhost' IDENTIFIED BY 'ro\"o\\\\t';", "DROP USER IF EXISTS 'root'@'%';"]


def test_files_of_postgresql():
    found = plan.files("postgresql", items({"name": "air_flow", "server": "postgresql"}), SECRETS, "top")
    assert found["pgpass"] == "pgsql-skp:5432:air_flow:air_flow:pg\\:word\n"
    assert sorted(plan.files("postgresql", [], {}, "top")) == ["databases.sql"]


def test_no_user_gets_an_empty_password():
    with pytest.raises(AnsibleFilterError, match="mysql_air_flow_password"):
        database_files(items({"name": "air_flow"}), "mysql", {}, "root's")
