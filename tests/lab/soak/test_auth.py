# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The auth service for longer: requests made from its own document, load, its node without power."""
from __future__ import annotations

import base64
import json
import os

import accounts
import lablib
import load
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SECONDS = int(os.environ.get("SKP_SOAK_FUZZ", "300"))
CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method,ignored_auth,"
          "negative_data_rejection")


@pytest.fixture(scope="module", autouse=True)
def guesses_are_forgotten():
    """Made-up sign-ins are wrong ones: with the usual limits all but the first would be refused unseen."""
    lablib.play("site.yml", "--tags", "auth", "-e", "auth_attempts=999999", "-e", "auth_attempts_total=999999", "-e", "auth_access_seconds=7200")
    yield
    lablib.play("site.yml", "--tags", "auth")
    assert lablib.play("site.yml", "--tags", "auth").changed == set()


@pytest.mark.parametrize("part", [
    ("--exclude-path-regex", "^/v1/tokens$"), ("--include-path", "/v1/tokens", "--exclude-method", "DELETE")], ids=["accounts", "tokens"])
def test_requests_made_from_the_document_find_no_server_error(part, tmp_path):
    """As an admin, who gets furthest. Signing out is left out: the rest would be refused."""
    ident, word = accounts.new(level="A")
    settings = tmp_path / "schemathesis.toml"
    settings.touch(mode=0o600)
    settings.write_text('[headers]\nAuthorization = "Bearer %s"\n' % accounts.tokens(ident, word)[0], encoding="utf-8")
    done = lablib.run("tests/tools/schemathesis.sh", "--config-file", settings, "run", accounts.url("/v1/openapi.json"), "--max-time", SECONDS, "-c", CHECKS,
                      "--no-color", *part, timeout=SECONDS + 600, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert accounts.healthy() and accounts.as_admin("GET", "/v1/accounts/admin").json()["active"], "the cluster's account is as it was"


def test_load(figures):
    ident, word = accounts.new()
    headers = {"Authorization": "Bearer " + accounts.tokens(ident, word)[0]}
    check, signs = accounts.url("/v1/tokens/check?area=jupyter"), accounts.url("/v1/tokens")
    for name, ask, status in (("checks", lambda session: session.get(check, headers=headers, timeout=30).status_code, 204),
                              ("sign-ins", lambda session: session.post(signs, json={"id": ident, "pw": word}, timeout=30).status_code, 201)):
        per_second, late, statuses = load.rate(8, 20, requests.Session, ask)
        figures[f"auth: {name} per second, p99 in ms, 8 clients"] = (per_second, late)
        assert statuses == {status}


def test_new_secrets_end_all_tokens(figures):
    """The admin's word and both keys are new; the accounts of people are as they were."""
    ident, word = accounts.new()
    old, access = accounts.secret("auth_admin_password"), accounts.tokens(ident, word)[0]
    figures["auth: new secrets, seconds"] = round(lablib.play("playbooks/rotate_secrets.yml", "--tags", "auth").seconds)
    assert accounts.request("GET", "/v1/tokens/check", access).status_code == 401 and accounts.sign_in("admin", old).status_code == 401
    assert accounts.sign_in("admin", accounts.secret("auth_admin_password")).status_code == accounts.sign_in(ident, word).status_code == 201


def test_its_node_loses_power(figures):
    """Whoever has the public key goes on; nobody is let in who was not before; afterwards tokens of before are good."""
    ident, word = accounts.new()
    access, _refresh = accounts.tokens(ident, word)
    [key] = accounts.request("GET", "/v1/jwks.json").json()["keys"]
    [node] = lablib.labelled("flask")
    lablib.kill(node)
    text, _dot, signature = access.rpartition(".")
    raw = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (key["x"], signature, text.split(".")[1])]
    Ed25519PublicKey.from_public_bytes(raw[0]).verify(raw[1], text.encode())
    assert json.loads(raw[2])["sub"] == ident
    with pytest.raises(lablib.Failed):
        accounts.request("GET", "/v1/tokens/check", access)
    lablib.start(node)
    _, figures["auth: its node killed and started, answers after seconds"] = lablib.wait("the auth service answers", accounts.healthy, 300, every=1)
    assert accounts.request("GET", "/v1/tokens/check", access).status_code == 204
    lablib.wait("the cluster is healthy", lablib.cluster_is_healthy, 300, every=1)
