# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The auth service on its real database, behind its real server: attacks on tokens, many at once, disabled accounts, lost containers."""
from __future__ import annotations

import base64
import collections
import concurrent.futures
import hashlib
import hmac
import json
import time
import uuid

import accounts
import databases
import lablib
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

CHECK = "/v1/tokens/check"


def encoded(value):
    """base64url of JSON, or of bytes."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text):
    """The bytes of base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims(token):
    """What a token says."""
    return json.loads(decoded(token.split(".")[1]))


def signed(changes, token):
    """The token with other claims, signed with the cluster's own key: only what it says is wrong."""
    text = token.split(".")[0] + "." + encoded({**claims(token), **changes})
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(accounts.secret("auth_access_key")))
    return text + "." + encoded(key.sign(text.encode()))


def with_hmac(token, key):
    """The token as HS256 with this key."""
    text = encoded({"alg": "HS256", "typ": "at+jwt"}) + "." + token.split(".")[1]
    return text + "." + encoded(hmac.new(key, text.encode(), hashlib.sha256).digest())


def at_once(count, ask):
    """How often each status is among the answers to so many calls at the same time."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return collections.Counter(answer.status_code for answer in pool.map(ask, range(count)))


@pytest.fixture(scope="module", name="user")
def a_user():
    """(name, password, access token, refresh token) of a new account."""
    ident, word = accounts.new()
    return (ident, word, *accounts.tokens(ident, word))


@pytest.mark.parametrize("attack", [
    "alg none", "changed", "expired", "another audience", "a refresh token", "a short key", "the public key as a shared one"])
def test_a_token_attack_is_refused(attack, user):
    access, refresh = user[2:]
    head, body, signature = access.split(".")
    [key] = accounts.request("GET", "/v1/jwks.json").json()["keys"]
    token = {
        "alg none": lambda: f"{encoded({'alg': 'none', 'typ': 'at+jwt'})}.{body}.",
        "changed": lambda: f"{head}.{encoded({**claims(access), 'sub': 'admin', 'level': 'A'})}.{signature}",
        "expired": lambda: signed({"exp": int(time.time()) - 1}, access),
        "another audience": lambda: signed({"aud": "another"}, access),
        "a refresh token": lambda: refresh,
        "a short key": lambda: with_hmac(access, b"flask-skp"),
        "the public key as a shared one": lambda: with_hmac(access, decoded(key["x"])),
    }[attack]()
    answers = [accounts.request("GET", path, token) for path in (CHECK, f"/v1/accounts/{user[0]}", "/v1/accounts")]
    assert [answer.status_code for answer in answers] == [401, 401, 401] and "Traceback" not in answers[0].text
    assert accounts.request("GET", CHECK, access).status_code == 204, "the good one is good"


def test_others_verify_a_token_with_the_public_key(user):
    """By the algorithm alone, without the library of the service."""
    [key] = accounts.request("GET", "/v1/jwks.json").json()["keys"]
    text, _dot, signature = user[2].rpartition(".")
    Ed25519PublicKey.from_public_bytes(decoded(key["x"])).verify(decoded(signature), text.encode())
    found = claims(user[2])
    assert (found["sub"], found["level"], found["iss"], found["aud"], found["type"]) == (user[0], "U", "flask-skp", "skp", "access")


def test_fifty_registrations_of_one_name_make_one_account(figures):
    ident, words = f"lab{uuid.uuid4().hex[:8]}", [uuid.uuid4().hex for _ in range(50)]
    accounts.as_admin("GET", "/v1/accounts")
    started = time.monotonic()
    assert at_once(50, lambda number: accounts.as_admin("POST", "/v1/accounts", json={"id": ident, "pw": words[number]})) == {201: 1, 409: 49}
    figures["auth: 50 registrations of one name at once, seconds"] = round(time.monotonic() - started, 1)
    assert accounts.as_admin("GET", f"/v1/accounts/{ident}").json()["id"] == ident


def test_guesses_at_once_are_counted_in_all_processes(figures):
    """Attempts under way are not counted yet: 16 threads answer at a time."""
    ident, word = accounts.new()
    found = at_once(60, lambda number: accounts.sign_in(ident, f"guess number {number}"))
    figures["auth: of 60 guesses at once, looked at (10 are allowed)"] = found[401]
    assert 10 <= found[401] <= 26 and found[401] + found[429] == 60
    assert accounts.sign_in(ident, word).status_code == 429


def test_many_sign_in_at_once(figures):
    ident, word = accounts.new()
    started = time.monotonic()
    assert at_once(40, lambda number: accounts.sign_in(ident, word)) == {201: 40}
    figures["auth: 40 sign-ins at once, seconds"] = round(time.monotonic() - started, 1)


def test_a_disabled_account_is_refused_at_once():
    ident, word = accounts.new()
    access, refresh = accounts.tokens(ident, word)
    assert accounts.request("GET", CHECK + "?area=jupyter", access).status_code == 204
    assert accounts.request("GET", CHECK + "?area=portainer", access).status_code == 403
    assert accounts.as_admin("PUT", f"/v1/accounts/{ident}", json={"active": False}).status_code == 200
    assert accounts.request("GET", CHECK, access).status_code == accounts.request("PUT", "/v1/tokens", refresh).status_code == 401
    assert accounts.sign_in(ident, word).text == accounts.sign_in("nobody", word).text


def test_an_admin_changes_the_account_of_the_url_only(user):
    ident, _word = accounts.new()
    before = accounts.everyone()
    assert accounts.as_admin("PUT", f"/v1/accounts/{ident}", json={"level": "A", "active": False}).json()["id"] == ident
    after = accounts.everyone()
    assert {name for name in after if after[name] != before.get(name)} == {ident} and before.keys() == after.keys()
    assert accounts.as_admin("DELETE", f"/v1/accounts/{ident}").status_code == 204
    assert accounts.as_admin("GET", f"/v1/accounts/{ident}").status_code == 404
    assert accounts.request("DELETE", f"/v1/accounts/{user[0]}", user[2]).status_code == 403
    assert accounts.request("PUT", f"/v1/accounts/{user[0]}", user[2], json={"active": True}).status_code == 403
    assert accounts.as_admin("DELETE", "/v1/accounts/admin").status_code == 409


@pytest.mark.parametrize("ident, word", [
    ("admin", "admin"), ("user", "user"), ("admin", "admin-pw"), ("root", "mysql-pw"), ("flask", "flask-skp"), ("admin", "password"), ("guest", "guest")])
def test_no_usual_password_opens_it(ident, word):
    assert accounts.sign_in(ident, word).status_code == 401


def test_strangers_get_one_sentence():
    assert accounts.request("POST", "/v1/accounts", json={"id": "stranger", "pw": "a good word"}).status_code == 401
    for method, path, data in (("POST", "/v1/tokens", b"{"), ("POST", "/v1/tokens", b"\xff" * 100), ("GET", "/%00", None), ("PATCH", "/v1/tokens", b""),
                               ("POST", "/v1/tokens", b"[" * 15000), ("POST", "/v1/tokens", b" " * 20000)):
        answer = accounts.request(method, path, data=data, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500 and "Traceback" not in answer.text and len(answer.text) < 200, (method, path, answer.status_code)


def test_its_database_user_sees_its_schema_alone():
    server = databases.MySQL()
    assert set(server.ask(server.visible, "auth")) == {"auth", "information_schema", "performance_schema"}
    hashes = server.ask("SELECT DISTINCT LEFT(pw, 30) FROM accounts;", "auth")
    assert hashes == ["$argon2id$v=19$m=19456,t=2,p=1"]


def test_lost_containers_lose_no_account_and_no_session(user, figures):
    ident, word, access, refresh = user
    for service in ("flask-skp", "flask-skp-database"):
        node, container = lablib.task_container(service)
        lablib.on(node, "docker", "rm", "-f", container)
    _, seconds = lablib.wait("the auth service answers", accounts.healthy, 90)
    figures["auth: container removed, answers again after seconds"] = seconds
    assert accounts.request("GET", CHECK, access).status_code == 204 and accounts.request("PUT", "/v1/tokens", refresh).status_code == 200
    assert accounts.sign_in(ident, word).status_code == 201
    assert accounts.request("DELETE", "/v1/tokens", access).status_code == 200
    assert accounts.request("GET", CHECK, access).status_code == accounts.request("PUT", "/v1/tokens", refresh).status_code == 401
    lablib.wait("both services run", lambda: not [name for name in lablib.unfinished() if name.startswith("flask-skp")], 90)
