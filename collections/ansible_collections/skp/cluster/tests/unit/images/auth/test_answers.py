# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service says: its document, refused bodies, errors without inside, settings, revisions of the database, who stands behind a gateway."""

from __future__ import annotations

import json
import logging
import re
import socket

import pytest
import sqlalchemy as sa
from skp_auth import fields, limits, passwords, schema, settings

from .conftest import KEYS, WORD


def test_the_document_has_every_call_and_no_other(service):
    calls = {(re.sub("<(.*?)>", r"{\1}", rule.rule), method.lower())
             for rule in service.app.url_map.iter_rules() for method in rule.methods - {"HEAD", "OPTIONS"}}
    document = service.ask("GET", "/v1/openapi.json").json
    assert {(path, method) for path, entry in document["paths"].items() for method in entry if method != "parameters"} == calls
    assert document["openapi"].startswith("3.1") and "pw" not in document["components"]["schemas"]["Account"]["properties"]
    known = {"#/components/%s/%s" % (kind, name) for kind, entries in document["components"].items() for name in entries}
    assert set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document))) <= known


BAD = [
    ("x", "text/plain", 415), ("", "application/json", 400), ("{", "application/json", 400), ("[]", "application/json", 400),
    ("[" * 8000, "application/json", 400), ("null", "application/json", 400), ('{"id": "kim"}', "application/json", 400),
    ('{"id": 1, "pw": "x"}', "application/json", 400),
    ('{"id": "\\ud800", "pw": "x"}', "application/json", 400), ('{"id": "kim", "pw": "x", "more": 1}', "application/json", 400),
    ('{"id": "kim", "pw": "%s"}' % ("x" * 129), "application/json", 400), ('{"id": "", "pw": ""}', "application/json", 400),
    (" " * 20000, "application/json", 413), ('{"id": "a\\u0000b", "pw": "a\\u0000b"}', "application/json", 401),
]


@pytest.mark.parametrize("data, kind, status", BAD, ids=range(len(BAD)))
def test_a_refused_body_is_one_sentence(service, data, kind, status):
    found = service.ask("POST", "/v1/tokens", data=data, content_type=kind)
    assert found.status_code == status and set(found.json) == {"error"} and "Traceback" not in found.text and "\\ud800" not in found.text


@pytest.mark.parametrize("body, words", [
    ({"id": "Kim", "pw": WORD}, "small letter"), ({"id": "kim\n", "pw": WORD}, "small letter"), ({"id": "x" * 33, "pw": WORD}, "small letter"),
    ({"id": "new", "pw": "short"}, "8 to 128"), ({"id": "new", "pw": WORD, "level": "X"}, "A or U"), ({"id": "new"}, "pw is missing"),
    ({"id": "new", "pw": WORD, "active": "Y"}, "true or false"), ({"id": "new", "pw": WORD, "active": 1}, "true or false"),
    ({"id": "new", "pw": WORD, "create_datetime": 1}, "unknown field")])
def test_an_account_that_cannot_be(service, body, words):
    found = service.ask("POST", "/v1/accounts", service.tokens("boss")[0], json=body)
    assert found.status_code == 400 and words in found.json["error"] and WORD not in found.text
    assert service.store.account("new") is None


def test_a_long_password_and_one_of_other_signs(service):
    boss, _refresh = service.tokens("boss")
    for number, pw in enumerate(("x" * 128, "비밀번호 열여덟", "👩‍🚀 " * 8, "cafe\u0301 cafe\u0301")):
        ident = "new%d" % number
        assert service.ask("POST", "/v1/accounts", boss, json={"id": ident, "pw": pw}).status_code == 201
        assert service.sign_in(ident, pw).status_code == 201
    assert service.sign_in("new3", "caf\u00e9 caf\u00e9").status_code == 201, "the same text on another keyboard"


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/nothing", 404), ("PATCH", "/v1/tokens", 405), ("GET", "/v1/accounts?after=%00", 400), ("GET", "/v1/accounts?after=", 400)])
def test_other_refusals(service, method, path, status):
    found = service.ask(method, path, service.tokens("boss")[0])
    assert found.status_code == status and set(found.json) == {"error"}
    assert status != 405 or {"POST", "PUT", "DELETE"} <= set(found.headers["Allow"].split(", "))


def test_an_error_shows_nothing_of_the_inside(service, monkeypatch, caplog):
    def broken(*_args):
        raise ValueError("canary of the inside")
    monkeypatch.setattr(service.store, "account", broken)
    with caplog.at_level(logging.ERROR):
        found = service.sign_in("kim")
    assert found.status_code == 500 and "canary" not in found.text and "Traceback" not in found.text and "canary of the inside" in caplog.text
    assert service.app.debug is False and service.app.testing is False


def test_without_the_database_nobody_is_let_in(service, monkeypatch, caplog):
    access, refresh = service.tokens("kim")

    def away(*_args, **_more):
        raise sa.exc.OperationalError("SELECT secret", {"pw": "canary"}, Exception("connection refused"), hide_parameters=True)
    monkeypatch.setattr(service.store, "_begin", away)
    monkeypatch.setattr(service.store.engine, "connect", away)
    for found in (service.sign_in("kim"), service.ask("GET", "/v1/tokens/check", access), service.ask("PUT", "/v1/tokens", refresh)):
        assert found.status_code == 503 and found.json == {"error": "the database does not answer"}
    health = service.ask("GET", "/v1/health")
    assert health.status_code == 503 and health.json == {"database": "unavailable"} and "canary" not in caplog.text
    assert service.ask("GET", "/v1/jwks.json").status_code == 200, "others can go on verifying"


def test_no_password_and_no_token_is_in_the_log(service, caplog):
    with caplog.at_level(logging.DEBUG, "skp_auth"):
        access, refresh = service.tokens("kim")
        service.sign_in("my password by mistake", "another secret")
        service.sign_in("kim", "another secret")
    assert "kim signed in from 192.0.2.1" in caplog.text and "sign-in refused: kim from 192.0.2.1" in caplog.text
    assert [word for word in (WORD, "mistake", "another secret", access, refresh) if word in caplog.text] == []


def test_answers_are_kept_by_nobody(service):
    found = service.sign_in("kim")
    assert found.headers["Cache-Control"] == "no-store" and found.headers["X-Content-Type-Options"] == "nosniff"
    assert service.ask("GET", "/v1/jwks.json").headers["Cache-Control"] == "public, max-age=300"
    assert service.ask("GET", "/v1/health").json == {"database": "ready"} and "flask-skp" in service.ask("GET", "/").text


# Settings ----------------------------------------------------------------------------------------------------------------------------------------------


def secrets(tmp_path, **more):
    """A directory of secrets."""
    for name, text in {"database_url": "sqlite://", "access_key": "0" * 64, "refresh_key": "1" * 64, **more}.items():
        (tmp_path / ("auth_" + name)).write_text(text + "\n", encoding="utf-8")
    return tmp_path


def test_settings_of_the_container(tmp_path):
    found = settings.read(("database_url", "access_key"), {
        "SKP_AUTH_REGISTRATION": "True", "SKP_AUTH_AREAS": '{"jupyter": ["A", "U"]}', "SKP_AUTH_PROXIES": "nginx-skp,10.0.0.0/8", "SKP_AUTH_ATTEMPTS": "5",
        "SKP_AUTH_ACCESS_KEY": "never from here"}, secrets(tmp_path))
    assert found.registration is True and found.areas == {"jupyter": frozenset("AU")} and found.proxies == ("nginx-skp", "10.0.0.0/8") and found.attempts == 5
    assert found.access_key == bytes(32) and found.refresh_key == b"" and "sqlite" not in repr(found) and settings.read((), {}).registration is False


@pytest.mark.parametrize("environment, files, words", [
    ({}, {"access_key": "flask-skp"}, "auth_access_key: found 9 characters, expected 64 hexadecimal digits"),
    ({}, {"refresh_key": "0" * 62}, "auth_refresh_key: found 62"), ({}, {"refresh_key": "0" * 64}, "are the same key"), ({}, {"refresh_key": ""}, "is empty"),
    ({"SKP_AUTH_AREAS": "[]"}, {}, "SKP_AUTH_AREAS: expected JSON"), ({"SKP_AUTH_AREAS": '{"a": ["X"]}'}, {}, "found level X, expected A or U"),
    ({"SKP_AUTH_REGISTRATION": "yes"}, {}, "expected true or false"), ({"SKP_AUTH_ACCESS_SECONDS": "0"}, {}, "expected a number"),
    ({"SKP_AUTH_ACCESS_SECONDS": "90000"}, {}, "expected an access token that ends first")])
def test_wrong_settings_are_one_sentence(tmp_path, environment, files, words):
    with pytest.raises(settings.SettingsError, match=words):
        settings.read(("access_key", "refresh_key"), environment, secrets(tmp_path, **files))


def test_a_missing_secret_is_named(tmp_path):
    with pytest.raises(settings.SettingsError, match="auth_admin_password: No such file"):
        settings.read(("admin_password",), {}, tmp_path)


# The database ------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("found, state, words", [
    ("", "older", "no tables"), ("a", "older", "revision a, and this version needs c"), ("c", "ready", "revision c"),
    ("d", "newer", "a newer version has migrated it. Nothing was changed. Run the newer image again")])
def test_the_revision_decides_who_starts(found, state, words):
    judged = schema.judge(found, "c", {"a", "b", "c"})
    assert judged[0] == state and words in judged[1]


def test_a_migration_can_be_run_again_and_after_a_half_one(make):
    engine = make().store.engine
    assert schema.look(engine)[0] == "ready"
    schema.migrate(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE sessions"))
        connection.execute(sa.text("DELETE FROM alembic_version"))
    assert schema.look(engine)[0] == "older"
    schema.migrate(engine)
    assert schema.look(engine)[0] == "ready" and {"accounts", "sessions", "attempts"} <= set(sa.inspect(engine).get_table_names())


def test_the_migrations_make_the_tables_of_the_program(make):
    engine = make().store.engine
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext
    from skp_auth.store import Base

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_database_that_is_away_is_one_sentence():
    with pytest.raises(schema.Unavailable) as caught:
        schema.look(sa.create_engine("sqlite:////nowhere/at/all.db"))
    assert "\n" not in str(caught.value)


# Behind a gateway --------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer, forwarded, expected", [
    ("10.1.1.1", "192.0.2.7", "192.0.2.7"), ("10.1.1.1", "203.0.113.9, 192.0.2.7", "192.0.2.7"), ("10.1.1.1", "", "10.1.1.1"),
    ("10.1.1.1", "no address", "10.1.1.1"), ("10.0.9.9", "192.0.2.7", "192.0.2.7"), ("198.51.100.1", "192.0.2.7", "198.51.100.1")])
def test_only_the_gateway_says_for_whom_it_asks(peer, forwarded, expected):
    proxies = limits.Proxies(["10.0.0.0/16", "nginx-skp"], lambda name: {"10.1.1.1"} if name == "nginx-skp" else set())
    assert proxies.client(peer, forwarded) == expected


def test_a_password_of_another_length_is_no_error():
    assert not passwords.right(None, "") and not passwords.right("no hash", "x") and len(KEYS["access_key"]) == 32
    with pytest.raises(fields.BodyError):
        fields.check("Change", {"pw": "\udfff" * 9})


# The programs ------------------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(name="program")
def program_in_a_directory(tmp_path, monkeypatch):
    """The module behind skp-auth, with a file of its own for "ready"."""
    from skp_auth import __main__ as program

    monkeypatch.setattr(program, "READY_FILE", tmp_path / "ready")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setattr(program, "PORT", str(nobody.getsockname()[1]))
    return program


def test_the_service_of_the_database(program, make, monkeypatch, capsys):
    """It migrates, makes the admin, is healthy; and ends when somebody has replaced the database, because it migrates when it starts."""
    found = make()
    for table in ("attempts", "sessions", "accounts", "alembic_version"):
        with found.store.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE " + table)
    monkeypatch.setattr("skp_auth.settings.read", lambda parts: settings.Settings(database_url=found.settings.database_url, admin_password=WORD))
    seen = []

    def replaced(seconds):
        seen.append((program.health("database"), found.sign_in("admin").status_code, seconds))
        with found.store.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM alembic_version")
    monkeypatch.setattr(program.time, "sleep", replaced)
    with pytest.raises(SystemExit) as caught:
        program.main(["database"])
    assert caught.value.code == 78 and seen == [(None, 201, 30)]
    assert "made the admin admin" in capsys.readouterr().out and "refused" in program.health("serve")
    schema.migrate(found.store.engine)


@pytest.mark.parametrize("arguments, words", [
    (["database"], "auth_admin_password: found 5 characters, expected 8 or more"), (["nothing"], "skp-auth COMPONENT"), (["health"], "skp-auth COMPONENT")])
def test_what_does_not_start_says_why(program, monkeypatch, capsys, arguments, words):
    monkeypatch.setattr("skp_auth.settings.read", lambda parts: settings.Settings(database_url="sqlite://", admin_password="admin"))
    with pytest.raises(SystemExit) as caught:
        program.main(arguments)
    assert words in capsys.readouterr().out + str(caught.value.code)


def test_an_old_version_on_a_newer_database_ends_with_a_sentence(program, make, capsys):
    found = make()
    with found.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'ffff'")
    with pytest.raises(SystemExit) as caught:
        program.wait_for(found.store, (schema.READY,))
    assert caught.value.code == 78 and "a newer version has migrated it. Nothing was changed." in capsys.readouterr().out
    with found.store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
    schema.migrate(found.store.engine)
