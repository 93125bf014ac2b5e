# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens: the attacks that are refused, what ends a token, and how another service verifies one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import pathlib
import re
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .conftest import KEYS, WORD

PAGE = pathlib.Path(__file__).parents[8] / "docs/auth.md"


def encoded(value):
    """base64url of JSON, or of bytes."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims_of(token):
    """The claims of a token, unread."""
    return jwt.decode(token, options={"verify_signature": False})


def signed(service, claims):
    """These claims with the service's own private key: only what they say is wrong."""
    [key] = service.ask("GET", "/v1/jwks.json").json["keys"]
    private = Ed25519PrivateKey.from_private_bytes(KEYS["access_key"])
    return jwt.encode(claims, private, "EdDSA", headers={"typ": "at+jwt", "kid": key["kid"]})


def hmac_signed(claims, key):
    """A token that calls itself HS256, signed with bytes that are not the service's key."""
    text = encoded({"alg": "HS256", "typ": "at+jwt"}) + "." + encoded(claims)
    return text + "." + encoded(hmac.new(key, text.encode(), hashlib.sha256).digest())


def changed(token):
    """The same token with another name in it."""
    head, _claims, signature = token.split(".")
    return ".".join((head, encoded({**claims_of(token), "sub": "admin", "level": "A"}), signature))


def public_key(service):
    """The bytes of the public key, that everybody has."""
    [key] = service.ask("GET", "/v1/jwks.json").json["keys"]
    return base64.urlsafe_b64decode(key["x"] + "=")


ATTACKS = {
    "no signature": lambda service, access, refresh: encoded({"alg": "none", "typ": "at+jwt"}) + "." + encoded(claims_of(access)) + ".",
    "no algorithm, old signature": lambda service, access, refresh: ".".join((encoded({"alg": "none"}), *access.split(".")[1:])),
    "changed": lambda service, access, refresh: changed(access),
    "expired": lambda service, access, refresh: signed(service, {**claims_of(access), "exp": int(time.time()) - 1}),
    "another audience": lambda service, access, refresh: signed(service, {**claims_of(access), "aud": "another"}),
    "a refresh token": lambda service, access, refresh: refresh,
    "a short key": lambda service, access, refresh: hmac_signed(claims_of(access), b"flask-skp"),
    "the public key as a shared one": lambda service, access, refresh: hmac_signed(claims_of(access), public_key(service)),
    "the key of refresh tokens": lambda service, access, refresh: hmac_signed(claims_of(access), KEYS["refresh_key"]),
    "another issuer": lambda service, access, refresh: signed(service, {**claims_of(access), "iss": "another"}),
    "another type": lambda service, access, refresh: signed(service, {**claims_of(access), "type": "refresh"}),
    "another session": lambda service, access, refresh: signed(service, {**claims_of(access), "sid": "0" * 32}),
    "another account in the session": lambda service, access, refresh: signed(service, {**claims_of(access), "sub": "boss"}),
    "issued tomorrow": lambda service, access, refresh: signed(service, {**claims_of(access), **dict.fromkeys(("iat", "exp"), int(time.time()) + 86400)}),
    "no expiry": lambda service, access, refresh: signed(service, {name: value for name, value in claims_of(access).items() if name != "exp"}),
    "no session": lambda service, access, refresh: signed(service, {name: value for name, value in claims_of(access).items() if name != "sid"}),
    "no token": lambda service, access, refresh: "",
    "no text of a token": lambda service, access, refresh: "a.b.c",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused(service, attack):
    access, refresh = service.tokens("kim")
    token = ATTACKS[attack](service, access, refresh)
    for method, path in (("GET", "/v1/accounts/kim"), ("GET", "/v1/tokens/check"), ("GET", "/v1/accounts")):
        found = service.ask(method, path, headers={"Authorization": "Bearer " + token})
        assert found.status_code == 401 and found.json["error"].startswith("no good token"), (path, found.text)
    assert service.ask("GET", "/v1/accounts/kim", access).status_code == 200, "the good one is good"


def test_an_access_token_refreshes_nothing(service):
    access, refresh = service.tokens("kim")
    assert service.ask("PUT", "/v1/tokens", access).status_code == 401
    found = service.ask("PUT", "/v1/tokens", refresh)
    assert found.status_code == 200 and set(found.json) == {"id", "level", "access_token", "expires_in"}
    assert service.ask("GET", "/v1/accounts/kim", found.json["access_token"]).status_code == 200


def test_tokens_are_short_lived(service):
    access, refresh = map(claims_of, service.tokens("kim"))
    assert access["exp"] - access["iat"] == 900 and refresh["exp"] - refresh["iat"] == 43200
    assert (access["type"], access["aud"], refresh["type"], refresh["aud"]) == ("access", "skp", "refresh", "flask-skp")


def test_signing_out_revokes_both_tokens(service):
    access, refresh = service.tokens("kim")
    others = service.tokens("kim")
    assert service.ask("DELETE", "/v1/tokens", access).status_code == 200
    assert [service.ask("GET", "/v1/accounts/kim", access).status_code, service.ask("PUT", "/v1/tokens", refresh).status_code] == [401, 401]
    assert service.ask("GET", "/v1/accounts/kim", others[0]).status_code == 200, "another session goes on"
    assert service.ask("DELETE", "/v1/tokens?all=true", others[1]).status_code == 200, "the refresh token signs out too"
    assert service.ask("PUT", "/v1/tokens", others[1]).status_code == 401


@pytest.mark.parametrize("act", [
    lambda service, boss: service.ask("PUT", "/v1/accounts/kim", boss, json={"active": False}),
    lambda service, boss: service.ask("PUT", "/v1/accounts/kim", boss, json={"pw": "another word"}),
    lambda service, boss: service.ask("PUT", "/v1/accounts/kim", boss, json={"level": "A"}),
    lambda service, boss: service.ask("DELETE", "/v1/accounts/kim", boss),
], ids=["disabled", "new password", "another level", "deleted"])
def test_a_change_ends_all_tokens_at_once(service, act):
    (access, refresh), boss = service.tokens("kim"), service.tokens("boss")[0]
    assert act(service, boss).status_code in (200, 204)
    assert [service.ask("GET", "/v1/tokens/check", access).status_code, service.ask("PUT", "/v1/tokens", refresh).status_code] == [401, 401]


def test_the_account_counts_at_each_request_and_not_only_its_session(service):
    """Somebody disables it, or makes it a user's, in the database itself."""
    (kim, refresh), boss = service.tokens("kim"), service.tokens("boss")[0]
    with service.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE accounts SET active = (1 = 0) WHERE id = 'kim'")
        connection.exec_driver_sql("UPDATE accounts SET level = 'U' WHERE id = 'boss'")
    assert [service.ask("GET", "/v1/accounts/kim", kim).status_code, service.ask("PUT", "/v1/tokens", refresh).status_code] == [401, 401]
    assert service.ask("GET", "/v1/tokens/check?area=portainer", boss).status_code == 403, "what the token says of the level does not count"


def test_tokens_of_a_deleted_account_do_not_open_the_next_of_that_name(service):
    access, _refresh = service.tokens("kim")
    service.store.remove("kim")
    service.add("kim", "A")
    assert service.ask("GET", "/v1/accounts/kim", access).status_code == 401


def test_a_sign_in_that_is_overtaken_by_a_new_password_opens_nothing(service):
    seen = service.store.account("kim")
    service.store.change("kim", pw="another")
    assert service.store.open_session(seen, 60) is None


def test_another_service_verifies_a_token_as_the_page_says(service, monkeypatch):
    """The example of docs/auth.md, without the service, with its public key alone."""
    [example] = re.findall("```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    public = service.ask("GET", "/v1/jwks.json").json
    monkeypatch.setattr(jwt.PyJWKClient, "fetch_data", lambda self: public)
    found = {}
    exec(compile(example, str(PAGE), "exec"), found)  # pylint: disable=exec-used
    access, refresh = service.tokens("kim")
    claims = found["account"](access)
    assert (claims["sub"], claims["level"], claims["type"]) == ("kim", "U", "access")
    good = claims_of(access)
    for token in (changed(access), refresh, "a.b.c", hmac_signed(good, public_key(service)), *(
            signed(service, {**good, **wrong}) for wrong in ({"aud": "another"}, {"iss": "another"}, {"exp": int(time.time()) - 60}, {"type": "refresh"}))):
        with pytest.raises(jwt.PyJWTError):
            found["account"](token)


def test_keys_of_another_secret_open_nothing(make):
    one, other = make(), make(access_key=bytes(32))
    one.add("kim")
    assert other.ask("GET", "/v1/accounts/kim", one.tokens("kim")[0]).status_code == 401
    assert one.ask("GET", "/v1/jwks.json").json["keys"][0]["kid"] != other.ask("GET", "/v1/jwks.json").json["keys"][0]["kid"]


@pytest.mark.parametrize("who, area, status", [
    ("kim", None, 204), ("kim", "jupyter", 204), ("kim", "portainer", 403), ("kim", "unknown", 403), ("kim", "", 403),
    ("boss", "jupyter", 204), ("boss", "portainer", 204), ("boss", "unknown", 204)])
def test_the_gateway_asks_by_level_and_area(service, who, area, status):
    found = service.ask("GET", "/v1/tokens/check", service.tokens(who)[0], query_string={} if area is None else {"area": area})
    assert found.status_code == status
    if status == 204:
        assert (found.headers["X-Skp-Account"], found.headers["X-Skp-Level"]) == (who, "A" if who == "boss" else "U")


def cookie_of(answer):
    """The cookie of an answer, as a browser sends it."""
    return {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}


def test_the_cookie_opens_the_check_alone(service):
    found = service.ask("POST", "/v1/tokens?cookie=true", json={"id": "boss", "pw": WORD})
    given = found.headers["Set-Cookie"]
    assert all(part in given for part in ("__Host-skp=", "HttpOnly", "SameSite=Strict", "Secure", "Max-Age=43200", "Path=/")) and "Domain" not in given
    sent = cookie_of(found)
    seen = service.ask("GET", "/v1/tokens/check?area=portainer", "a-token-of-airflow", headers=sent)
    assert seen.status_code == 204, "pages have an Authorization of their own"
    assert service.ask("GET", "/v1/accounts", headers=sent).status_code == service.ask("PUT", "/v1/tokens", headers=sent).status_code == 401
    out = service.ask("DELETE", "/v1/tokens", found.json["access_token"])
    assert "__Host-skp=;" in out.headers["Set-Cookie"]
    assert service.ask("GET", "/v1/tokens/check", headers=sent).status_code == 401
    assert "Set-Cookie" not in service.sign_in("kim").headers


def test_what_the_cookie_holds_is_no_token_of_another_kind(service):
    """Whoever reads the cookie of somebody, such as a service behind the gateway, gets no access token; and no token of another kind is a cookie."""
    found = service.ask("POST", "/v1/tokens?cookie=true", json={"id": "boss", "pw": WORD})
    text = cookie_of(found)["Cookie"].partition("=")[2]
    assert service.ask("GET", "/v1/accounts", text).status_code == service.ask("PUT", "/v1/tokens", text).status_code == 401
    assert service.ask("GET", "/v1/tokens/check", text).status_code == 401
    for other in (found.json["access_token"], found.json["refresh_token"], text[:-2] + "xx", "unknown", ""):
        assert service.ask("GET", "/v1/tokens/check", headers={"Cookie": "__Host-skp=" + other}).status_code == 401


def test_a_page_that_was_loaded_anew_signs_out_with_its_cookie(service):
    found = service.ask("POST", "/v1/tokens?cookie=true", json={"id": "kim", "pw": WORD})
    assert service.ask("DELETE", "/v1/tokens", "wrong", headers=cookie_of(found)).status_code == 401
    assert service.ask("DELETE", "/v1/tokens", headers=cookie_of(found)).status_code == 200
    assert service.ask("GET", "/v1/tokens/check", found.json["access_token"]).status_code == 401
    assert service.ask("DELETE", "/v1/tokens", headers=cookie_of(found)).status_code == 401


def test_the_cookie_of_an_account_that_was_disabled_opens_nothing(service):
    found = service.ask("POST", "/v1/tokens?cookie=true", json={"id": "kim", "pw": WORD})
    assert service.ask("GET", "/v1/tokens/check", headers=cookie_of(found)).status_code == 204
    service.store.change("kim", active=False)
    assert service.ask("GET", "/v1/tokens/check", headers=cookie_of(found)).status_code == 401
