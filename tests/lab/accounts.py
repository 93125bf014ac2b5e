# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The auth service as its users meet it: the API on the node of its label, with the admin's password from a manager."""
from __future__ import annotations

import uuid

import lablib
import requests

PORT = 8060
TOKEN = []
"""The admin's access token, if there was a sign-in. It serves until it is refused."""


def url(path=""):
    """Where a client finds it."""
    return f"http://{lablib.address(lablib.labelled('flask')[0])}:{PORT}{path}"


def secret(name):
    """A secret of the service, as a manager keeps it."""
    return lablib.on(lablib.manager(), "cat", f"/etc/skp/secrets/{name}").strip()


def request(method, path, token="", **more):
    """An answer of the API."""
    headers = {"Authorization": "Bearer " + token} if token else {}
    try:
        return requests.request(method, url(path), headers={**headers, **more.pop("headers", {})}, timeout=30, **more)
    except requests.RequestException as exc:
        raise lablib.Failed(f"auth service, {method} {path}: {exc}") from exc


def sign_in(ident, word):
    """The answer to a sign-in."""
    return request("POST", "/v1/tokens", json={"id": ident, "pw": word})


def tokens(ident, word):
    """(access token, refresh token)."""
    answer = sign_in(ident, word)
    if answer.status_code != 201:
        raise lablib.Failed(f"auth service: the sign-in of {ident} is answered with {answer.status_code}: {answer.text}")
    return answer.json()["access_token"], answer.json()["refresh_token"]


def as_admin(method, path, **more):
    """An answer of the API to the admin."""
    for _turn in (1, 2):
        if not TOKEN:
            TOKEN.append(tokens("admin", secret("auth_admin_password"))[0])
        answer = request(method, path, TOKEN[0], **more)
        if answer.status_code != 401:
            break
        TOKEN.clear()
    return answer


def new(**more):
    """A new account, made by the admin: (name, password)."""
    ident, word = f"lab{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    answer = as_admin("POST", "/v1/accounts", json={"id": ident, "pw": word, **more})
    if answer.status_code != 201:
        raise lablib.Failed(f"auth service: a new account is answered with {answer.status_code}: {answer.text}")
    return ident, word


def everyone():
    """{name: account} of all accounts, page by page."""
    found, after = {}, {}
    while after is not None:
        page = as_admin("GET", "/v1/accounts", params=after).json()
        found.update({one["id"]: one for one in page["accounts"]})
        after = {"after": page["next"]} if page["next"] else None
    return found


def healthy():
    """Whether it answers, with its database."""
    return request("GET", "/v1/health").json() == {"database": "ready"}
