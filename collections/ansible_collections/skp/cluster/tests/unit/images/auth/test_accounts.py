# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts: who may do what to whose, who is let in, how often one may try."""

from __future__ import annotations

import functools
import time

import pytest
from skp_auth import passwords

from .conftest import HASH, REAL, WORD


@pytest.mark.parametrize("ident", ["admin", "user", "root", "flask", "guest", "test"])
@pytest.mark.parametrize("make_pw", [lambda ident: ident, lambda ident: ident + "-pw", lambda ident: "password", lambda ident: "flask-skp"])
def test_no_usual_login_opens_a_new_service(make, ident, make_pw):
    found = make()
    assert found.store.accounts("", 10) == [], "no account is there from the start"
    found.add("admin", "A")
    assert found.sign_in(ident, make_pw(ident)).status_code == 401


def test_one_answer_for_an_unknown_name_a_wrong_password_and_a_disabled_account(service):
    service.add("off", active=False)
    answers = [service.sign_in("nobody"), service.sign_in("kim", "wrong password"), service.sign_in("off"), service.sign_in("KIM"), service.sign_in("x" * 100)]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}


def test_an_unknown_name_takes_the_time_of_a_hash(service, monkeypatch):
    seen, verify = [], passwords.HASHER.verify
    monkeypatch.setattr("argon2.PasswordHasher.verify", lambda self, stored, word: seen.append(stored) or verify(stored, word))
    service.sign_in("nobody")
    service.sign_in("kim", "wrong password")
    assert len(seen) == 2 and seen[1] == HASH and seen[0] != HASH and len(seen[0]) == len(HASH)


def test_hashes_are_argon2id_at_a_cost():
    assert REAL.hash("x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_an_admin_changes_and_deletes_the_account_of_the_url_and_no_other(service):
    boss = service.tokens("boss")[0]
    before = {account.id: (account.pw, account.level, account.active) for account in service.store.accounts("", 10)}
    assert service.ask("PUT", "/v1/accounts/kim", boss, json={"pw": "another word", "active": False}).json["id"] == "kim"
    assert service.ask("DELETE", "/v1/accounts/lee", boss).status_code == 204
    after = {account.id: (account.pw, account.level, account.active) for account in service.store.accounts("", 10)}
    assert set(before) - set(after) == {"lee"} and {ident for ident in after if after[ident] != before[ident]} == {"kim"}
    assert service.ask("GET", "/v1/accounts/boss", boss).status_code == 200, "the admin's own account and session stay"


@pytest.mark.parametrize("method, path, body", [
    ("GET", "/v1/accounts", None), ("GET", "/v1/accounts/lee", None), ("GET", "/v1/accounts/nobody", None), ("DELETE", "/v1/accounts/lee", None),
    ("DELETE", "/v1/accounts/kim", None), ("PUT", "/v1/accounts/lee", {"pw": "another word", "pw_now": WORD}), ("PUT", "/v1/accounts/kim", {"active": True}),
    ("PUT", "/v1/accounts/kim", {"level": "A"}), ("PUT", "/v1/accounts/kim", {"pw": "another word", "pw_now": WORD, "level": "A"}),
    ("PUT", "/v1/accounts/kim", {"pw": "another word"}), ("PUT", "/v1/accounts/kim", {"pw": "another word", "pw_now": "wrong"}),
    ("POST", "/v1/accounts", {"id": "new", "pw": WORD})])
def test_a_user_may_not(service, method, path, body):
    kim, before = service.tokens("kim")[0], [(one.id, one.pw, one.level, one.active) for one in service.store.accounts("", 10)]
    found = service.ask(method, path, kim, **({"json": body} if body else {}))
    assert found.status_code == 403, found.text
    assert [(one.id, one.pw, one.level, one.active) for one in service.store.accounts("", 10)] == before


def test_a_user_reads_the_own_account_and_changes_its_password(service):
    kim, _refresh = service.tokens("kim")
    found = service.ask("GET", "/v1/accounts/kim", kim).json
    assert set(found) == {"id", "level", "active", "create_datetime", "update_datetime"} and (found["id"], found["level"]) == ("kim", "U")
    assert service.ask("PUT", "/v1/accounts/kim", kim, json={"pw": "another word", "pw_now": WORD}).status_code == 200
    assert service.ask("GET", "/v1/accounts/kim", kim).status_code == 401
    assert (service.sign_in("kim").status_code, service.sign_in("kim", "another word").status_code) == (401, 201)


def test_accounts_of_admins(service):
    boss, _refresh = service.tokens("boss")
    made = service.ask("POST", "/v1/accounts", boss, json={"id": "new", "pw": WORD, "level": "A"})
    assert made.status_code == 201 and made.json["active"] and made.headers["Location"] == "/v1/accounts/new"
    assert service.ask("GET", "/v1/accounts", service.tokens("new")[0]).status_code == 200
    again = service.ask("POST", "/v1/accounts", boss, json={"id": "new", "pw": "something else"})
    assert again.status_code == 409 and service.sign_in("new").status_code == 201
    assert [service.ask(method, "/v1/accounts/nobody", boss, **more).status_code for method, more in (
        ("GET", {}), ("PUT", {"json": {"active": True}}), ("DELETE", {}))] == [404, 404, 404]
    assert service.ask("GET", "/v1/accounts/KIM", boss).status_code == 404, "one spelling of a name"
    found = service.ask("GET", "/v1/accounts?after=boss", boss).json
    assert [one["id"] for one in found["accounts"]] == ["kim", "lee", "new"] and found["next"] is None


def test_many_accounts_come_in_pages(service):
    for number in range(100):
        service.add("many%03d" % number)
    boss, found, after = service.tokens("boss")[0], [], ""
    while after is not None:
        page = service.ask("GET", "/v1/accounts", boss, query_string={"after": after} if after else {}).json
        assert len(page["accounts"]) <= 100
        found, after = found + [one["id"] for one in page["accounts"]], page["next"]
    assert found == sorted(found) and len(found) == 104


def test_the_account_that_the_cluster_keeps(service):
    boss, _refresh = service.tokens("boss")
    admin, _refresh = service.tokens("admin")
    for token in (boss, admin):
        for method, more in (("DELETE", {}), ("PUT", {"json": {"active": False}}), ("PUT", {"json": {"pw": "another word", "pw_now": WORD}})):
            found = service.ask(method, "/v1/accounts/admin", token, **more)
            assert found.status_code == 409 and "the secret auth_admin_password" in found.json["error"]
    assert service.ask("GET", "/v1/accounts/admin", admin).status_code == 200


def test_registration_is_closed_unless_a_setting_opens_it(make):
    closed, opened = make(), make(registration=True)
    body = {"id": "kim", "pw": WORD}
    assert closed.ask("POST", "/v1/accounts", json=body).status_code == 401
    for more in ({"level": "A"}, {"active": True}):
        assert opened.ask("POST", "/v1/accounts", json={**body, **more}).status_code == 403
    made = opened.ask("POST", "/v1/accounts", json=body)
    assert made.status_code == 201 and (made.json["level"], made.json["active"]) == ("U", False)
    assert opened.sign_in("kim").status_code == 401, "an admin enables it"
    opened.add("boss", "A")
    assert opened.ask("PUT", "/v1/accounts/kim", opened.tokens("boss")[0], json={"active": True}).status_code == 200
    assert opened.sign_in("kim").status_code == 201
    assert opened.ask("POST", "/v1/accounts", opened.tokens("kim")[0], json={"id": "other", "pw": WORD, "level": "A"}).status_code == 403


def test_the_first_admin_is_that_of_the_secret(make):
    found = make()
    ensure = functools.partial(found.store.ensure_admin, "admin", right=passwords.right, make=passwords.make)
    assert ensure(WORD).startswith("made the admin")
    admin, _refresh = found.tokens("admin")
    assert ensure(WORD) == "the admin admin has its password"
    assert found.ask("GET", "/v1/accounts", admin).status_code == 200, "a restart ends no session"
    assert "its sessions have ended" in ensure("rotated word")
    assert found.ask("GET", "/v1/accounts", admin).status_code == 401
    assert (found.sign_in("admin").status_code, found.sign_in("admin", "rotated word").status_code) == (401, 201)


def test_two_that_make_the_admin_at_once(make, monkeypatch):
    found = make()
    found.add("admin", "A")
    seen = iter([None])
    account = found.store.account
    monkeypatch.setattr(found.store, "account", lambda ident: next(seen, account(ident)))
    assert found.store.ensure_admin("admin", WORD, passwords.right, passwords.make) == "the admin admin has its password"


def test_guessing_ends_soon_and_says_nothing(make):
    found = make(attempts=3, attempts_total=20)
    found.add("kim")
    assert [found.sign_in("kim", "guess number %d" % number).status_code for number in range(4)] == [401, 401, 401, 429]
    late, nobody = found.sign_in("kim"), [found.sign_in("nobody", address="192.0.2.9") for number in range(4)][-1]
    assert late.status_code == nobody.status_code == 429 and late.text == nobody.text, "the right password too, and names that nobody has"
    assert 0 < int(late.headers["Retry-After"]) <= 300
    found.store.clean()
    assert found.sign_in("kim").status_code == 429, "counters that have not ended stay"
    assert found.sign_in("kim", address="192.0.2.2").status_code == 201, "the owner elsewhere is not locked out"
    assert [found.sign_in("kim", address="192.0.2.3").status_code for number in range(30)] == [201] * 30, "who knows the password may sign in often"


def test_guessing_from_many_addresses_and_at_many_names_ends_too(make):
    found = make(attempts=3, attempts_total=8)
    found.add("kim")
    assert [found.sign_in("kim", "guess", address="198.51.100.%d" % number).status_code for number in range(9)] == [401] * 8 + [429]
    assert [found.sign_in("name%d" % number, address="203.0.113.1").status_code for number in range(9)] == [401] * 8 + [429]


def test_the_current_password_cannot_be_guessed_with_a_stolen_token(make):
    found = make(attempts=3)
    found.add("kim")
    kim, _refresh = found.tokens("kim")
    answers = [found.ask("PUT", "/v1/accounts/kim", kim, json={"pw": "another word", "pw_now": "guess %d" % number}).status_code for number in range(4)]
    assert answers == [403, 403, 403, 429]


def test_a_counter_ends_with_its_time(make, monkeypatch):
    found, now = make(), time.time()
    for _turn in range(2):
        found.store.count("x", 60)
    assert found.store.attempts(["x", "y"])["x"][0] == 2
    monkeypatch.setattr("skp_auth.store.time.time", lambda: now + 62)
    assert found.store.attempts(["x"]) == {}
    found.store.count("x", 60)
    assert found.store.attempts(["x"])["x"][0] == 1


def test_an_open_door_has_a_limit(make):
    found = make(registration=True, attempts_total=3)
    answers = [found.ask("POST", "/v1/accounts", json={"id": "new%d" % number, "pw": WORD}).status_code for number in range(4)]
    assert answers == [201, 201, 201, 429]


def test_a_session_ends_with_its_time_and_is_removed(service, monkeypatch):
    access, _refresh = service.tokens("kim")
    session = service.store.open_session(service.store.account("kim"), 60)
    now = time.time()
    assert service.store.owner(session, "kim").id == "kim" and service.store.owner(session, "lee") is None
    monkeypatch.setattr("skp_auth.store.time.time", lambda: now + 61)
    assert service.store.owner(session, "kim") is None
    service.store.clean()
    monkeypatch.undo()
    assert service.store.owner(session, "kim") is None and service.ask("GET", "/v1/accounts/kim", access).status_code == 200
