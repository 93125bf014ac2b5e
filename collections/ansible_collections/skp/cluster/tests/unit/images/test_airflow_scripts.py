# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of docker-airflow and docker-socketproxy: which schema of the metadata starts, what a check says, what a task may ask of Docker."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import pytest

IMAGES = pathlib.Path(__file__).parents[3] / "images"
SCHEMA = {"version": "3.3.2", "tables": {"alembic_version": {"head": "c", "known": ["a", "b", "c"]}, "alembic_version_fab": {"head": "y", "known": ["x", "y"]}}}


def program(name, path):
    """A file as a module. No bytecode is left in the image's directory."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader = importlib.machinery.SourceFileLoader(name, str(IMAGES / path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


@pytest.fixture(name="metadata")
def metadata_module():
    return program("skp_metadata", "airflow/python/skp_airflow/metadata.py")


@pytest.fixture(name="entry")
def entry_module(metadata, monkeypatch):
    package = type(sys)("skp_airflow")
    package.metadata = metadata
    monkeypatch.setitem(sys.modules, "skp_airflow", package)
    monkeypatch.setitem(sys.modules, "skp_airflow.metadata", metadata)
    # It sets the process's own, which later tests would have.
    monkeypatch.setattr(os, "umask", lambda mask: 0o022)
    return program("skp_entry", "airflow/bin/skp-airflow")


@pytest.fixture(name="database")
def database_url(tmp_path, monkeypatch):
    """A function that makes a metadata database with these revisions."""
    path = tmp_path / "airflow.db"
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:////%s" % path)

    def made(users=1, **revisions):
        with sqlite3.connect(path) as connection:
            if users is not None:
                connection.execute("CREATE TABLE ab_user (id INTEGER)")
                connection.executemany("INSERT INTO ab_user VALUES (?)", [(number,) for number in range(users)])
            for table, revision in revisions.items():
                connection.execute("CREATE TABLE %s (version_num TEXT)" % table)
                connection.execute("INSERT INTO %s VALUES (?)" % table, (revision,))
        return path
    return made


@pytest.mark.parametrize("revisions, state, words", [
    ({}, "older", "without alembic_version"),
    ({"alembic_version": "a"}, "older", "at revision a"),
    ({"alembic_version": "c"}, "older", "without alembic_version_fab"),
    ({"alembic_version": "c", "alembic_version_fab": "y"}, "ready", "that of Airflow 3.3.2"),
    ({"alembic_version": "c", "alembic_version_fab": "y", "users": 0}, "empty", "no admin yet"),
    ({"alembic_version": "c", "alembic_version_fab": "y", "users": None}, "empty", "no admin yet"),
    ({"alembic_version": "d", "alembic_version_fab": "y"}, "newer", "a newer version has migrated it. Nothing was changed."),
    ({"alembic_version": "a", "alembic_version_fab": "z"}, "newer", "revision z (alembic_version_fab)"),
])
def test_the_schema_decides_who_starts(metadata, database, revisions, state, words):
    database(**revisions)
    found = metadata.look(metadata.url(), SCHEMA)
    assert found[0] == state and words in found[1] and "\n" not in found[1]


def test_an_old_version_on_a_newer_schema_ends_with_a_sentence(entry, metadata, database, monkeypatch, capsys):
    database(alembic_version="d", alembic_version_fab="y")
    monkeypatch.setattr(metadata, "schema", lambda: SCHEMA)
    with pytest.raises(SystemExit) as ended:
        entry.main(["scheduler"])
    assert ended.value.code == 78 and "Airflow 3.3.2 of this image does not know" in capsys.readouterr().out


@pytest.mark.parametrize("arguments, command", [
    (["scheduler"], ["airflow", "scheduler"]), (["worker"], ["airflow", "celery", "worker"]),
    (["flower", "--port", "1"], ["airflow", "celery", "flower", "--port", "1"]), (["connections", "list"], ["airflow", "connections", "list"]),
    (["python", "-m", "airflow.sdk"], ["python", "-m", "airflow.sdk"]),
])
def test_components_become_commands(entry, metadata, database, monkeypatch, arguments, command):
    database(alembic_version="c", alembic_version_fab="y")
    monkeypatch.setattr(metadata, "schema", lambda: SCHEMA)
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "0")
    monkeypatch.delenv("AIRFLOW__CORE__PARALLELISM")
    monkeypatch.setenv("AIRFLOW__CELERY__WORKER_CONCURRENCY", "3")
    started = []
    monkeypatch.setattr(entry.os, "execvp", lambda name, words: started.append((name, words)))
    monkeypatch.setattr(entry, "memory", lambda: 8 * 2**30)
    entry.main(arguments)
    assert started == [(command[0], command)]
    if arguments[0] in ("scheduler", "worker", "flower"):
        assert (entry.os.environ["AIRFLOW__CORE__PARALLELISM"], entry.os.environ["AIRFLOW__CELERY__WORKER_CONCURRENCY"]) == ("4", "3")


@pytest.mark.parametrize("gigabytes, slots", [(1, 2), (4, 2), (8, 4), (24, 12), (256, 16)])
def test_tasks_at_a_time_fit_the_memory(entry, gigabytes, slots):
    assert entry.slots(gigabytes * 2**30) == slots


def test_no_sentence_shows_the_password(entry, metadata, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "oracle://airflow:secret%40word@db.example:1/airflow")
    monkeypatch.setattr(metadata, "schema", lambda: SCHEMA)
    state, sentence = entry.look()
    assert state is None and "db.example:1/airflow" in sentence and "secret" not in sentence


@pytest.mark.parametrize("seconds, wrong", [(0, None), (40, None), (600, "no sign of life of the scheduler for 6"), (None, "for any s")])
def test_a_silent_component_is_not_healthy(metadata, database, monkeypatch, seconds, wrong):
    path = database(alembic_version="c")
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE job (job_type TEXT, hostname TEXT, latest_heartbeat TEXT)")
        if seconds is not None:
            for back in (seconds, seconds + 5000):
                connection.execute("INSERT INTO job VALUES ('SchedulerJob', 'me', datetime('now', ?))", ("-%d seconds" % back,))
        connection.execute("INSERT INTO job VALUES ('SchedulerJob', 'other', datetime('now'))")
    package = type(sys)("skp_airflow")
    package.metadata = metadata
    monkeypatch.setitem(sys.modules, "skp_airflow", package)
    health = program("skp_health", "airflow/bin/skp-airflow-health")
    monkeypatch.setattr(health.socket, "gethostname", lambda: "me")
    said = health.main("scheduler")
    assert said is None if wrong is None else wrong in said


def test_a_database_that_is_away_restarts_nothing(monkeypatch, metadata):
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:////nowhere/at/all.db")
    package = type(sys)("skp_airflow")
    package.metadata = metadata
    monkeypatch.setitem(sys.modules, "skp_airflow", package)
    assert program("skp_health", "airflow/bin/skp-airflow-health").main("triggerer") is None


@pytest.mark.parametrize("migrated, revisions, wrong", [
    (False, {"alembic_version": "c", "alembic_version_fab": "y"}, "not migrated yet"), (True, {"alembic_version": "c", "alembic_version_fab": "y"}, None),
    (True, {}, "without alembic_version"), (True, {"alembic_version": "d", "alembic_version_fab": "y"}, None), (True, None, None),
])
def test_metadata_that_are_new_and_empty_are_migrated_again(metadata, database, monkeypatch, tmp_path, migrated, revisions, wrong):
    """A server whose disk was replaced: the service must start again. One that is away, or newer, is nothing that a restart mends."""
    if revisions is not None:
        database(**revisions)
    else:
        monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:////nowhere/at/all.db")
    monkeypatch.setattr(metadata, "schema", lambda: SCHEMA)
    package = type(sys)("skp_airflow")
    package.metadata = metadata
    monkeypatch.setitem(sys.modules, "skp_airflow", package)
    health = program("skp_health", "airflow/bin/skp-airflow-health")
    monkeypatch.setattr(health, "READY_FILE", str(tmp_path / "ready"))
    if migrated:
        (tmp_path / "ready").touch()
    said = health.main("metadata")
    assert said is None if wrong is None else wrong in said


@pytest.mark.skipif(not shutil.which("haproxy"), reason="needs haproxy; the build of the image runs the same check")
def test_what_a_task_may_ask_of_docker():
    directory = IMAGES / "socketproxy"
    found = subprocess.run([sys.executable, str(directory / "check.py"), shutil.which("haproxy"), str(directory)], capture_output=True, text=True, timeout=120,
                           check=False)
    assert found.returncode == 0, found.stdout


# The gateway's accounts -----------------------------------------------------------------------------------------------------------------------------

@pytest.fixture(name="gateway")
def gateway_module(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("abc\n", encoding="utf-8")
    monkeypatch.setenv("SKP_AIRFLOW_GATEWAY_TOKEN", str(tmp_path / "token"))
    return program("skp_gateway", "airflow/python/skp_airflow/gateway.py")


SENT = {"x-skp-gateway": "abc", "x-skp-account": "kim", "x-skp-level": "U"}


def test_a_request_of_the_gateway_says_who_it_is_from(gateway):
    assert gateway.sender(SENT) == ("kim", "U")


@pytest.mark.parametrize("change", [
    {"x-skp-gateway": ""}, {"x-skp-gateway": "abd"}, {"x-skp-gateway": "ab\u00e9"}, {"x-skp-account": ""}, {"x-skp-account": "-"}])
def test_a_request_without_the_gateways_secret_or_an_account_is_nobodys(gateway, change):
    assert gateway.sender({**SENT, **change}) is None


def test_without_a_gateway_no_header_says_who_somebody_is(gateway, monkeypatch):
    monkeypatch.setenv("SKP_AIRFLOW_GATEWAY_TOKEN", "/does/not/exist")
    gateway.token.cache_clear()
    assert gateway.sender(SENT) is None and gateway.sender({**SENT, "x-skp-gateway": ""}) is None


def test_the_role_follows_the_level(gateway, monkeypatch):
    assert [gateway.role_of(level) for level in ("A", "U", "", "a")] == ["Admin", "User", "User", "User"]
    monkeypatch.setenv("SKP_AIRFLOW_GATEWAY_ROLE", "Viewer")
    assert [gateway.role_of(level) for level in ("A", "U")] == ["Admin", "Viewer"]


def test_airflows_own_token_is_taken_off(gateway):
    assert gateway.kept_cookies("a=1; _token=x.y.z; session=2") == "a=1; session=2"
    assert gateway.kept_cookies("_token=x") == "" and gateway.kept_cookies("my_token=x") == "my_token=x"
    headers = [(b"content-type", b"text/html"), (b"set-cookie", b"_token=x; HttpOnly"), (b"Set-Cookie", b"session=2"), (b"set-cookie", b"_token_of=1")]
    assert gateway.kept_headers(headers) == [headers[0], *headers[2:]]
