# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway as its users meet it: HTTPS at the node of its label, verified with the cluster's own authority, a cookie after the sign-in."""
from __future__ import annotations

import functools
import tempfile

import accounts
import lablib
import requests

PORT = 8070
PORTAINER_PORT = 8071
"""Of Portainer alone: an origin of its own."""
COOKIE = "__Host-skp"
PATHS = {"jupyter": "/jupyter-skp/api/status", "spark": "/spark/json/", "history": "/history/api/v1/version", "airflow": "/airflow/api/v2/version",
         "portainer": f":{PORTAINER_PORT}/api/users/me", "overview": "/overview/services.json"}
"""A page of each area, and of the overview."""
LABELS = {"spark": "spark-master", "history": "spark-master"}
"""The label of an area's service, where it is not the area's name."""


def url(path="/"):
    """Where a browser finds it. A path may begin with a port."""
    return f"https://{lablib.address(lablib.labelled('nginx')[0])}{path if path.startswith(':') else f':{PORT}{path}'}"


@functools.lru_cache(maxsize=None)
def certificate():
    """Path of the authority's certificate, got over the way that the document calls safe: from the container."""
    with tempfile.NamedTemporaryFile("w", suffix=".crt", delete=False) as stream:
        stream.write(lablib.execute("gateway-skp", "cat", "/tmp/gateway/public/ca.crt"))
    return stream.name


def session():
    """A client that knows the authority and nobody has signed in."""
    made = requests.Session()
    made.trust_env, made.verify = False, certificate()
    return made


def ask(client, method, path, **more):
    """An answer; redirects are not followed. Failed while there is none."""
    try:
        return client.request(method, url(path), timeout=60, allow_redirects=False, **more)
    except requests.RequestException as exc:
        certificate.cache_clear()  # new secrets are a new authority
        raise lablib.Failed(f"gateway, {method} {path}: {exc}") from exc


def sign_in(ident="admin", word=None):
    """A client with the cookie of a sign-in, and the answer to it."""
    client = session()
    answer = ask(client, "POST", "/v1/tokens?cookie=true", json={"id": ident, "pw": word or accounts.secret("auth_admin_password")})
    if answer.status_code != 201:
        raise lablib.Failed(f"gateway: the sign-in of {ident} is answered with {answer.status_code}: {answer.text[:200]}")
    return client, answer.json()


def opened(client):
    """{area: status} of a page of each."""
    return {area: ask(client, "GET", path).status_code for area, path in PATHS.items()}


def healthy():
    """Whether it answers, lets the admin in, and has behind it what hosts.json has."""
    client = sign_in()[0]
    return {ask(client, "GET", path).status_code for area, path in PATHS.items() if area == "overview" or lablib.labelled(LABELS.get(area, area))} == {200}
