# SPDX-License-Identifier: GPL-3.0-or-later
"""People whom the gateway has let in: each of their requests says who they are, so that a sign-out there is one here at the next request.

The gateway sends three headers: X-Skp-Gateway, a secret that only it and the API server have; X-Skp-Account; X-Skp-Level. A request without the right secret is
one of any other client: it needs a login of Airflow's own. Without the secret's file there is no gateway.

SKP_AIRFLOW_GATEWAY_TOKEN  file of the secret, default /run/secrets/gateway_airflow_token
SKP_AIRFLOW_GATEWAY_ROLE   role of the accounts that are no admins, default User
"""

from __future__ import annotations

import functools
import hmac
import os
import pathlib

PREFIX = "skp:"
"""Before the names of these accounts: nobody is taken for a user of Airflow's own with the same name, who has a password in Airflow."""


@functools.lru_cache(maxsize=1)
def token():
    """The gateway's secret, empty without a gateway. Read once: a new one comes with a new container."""
    try:
        return pathlib.Path(os.environ.get("SKP_AIRFLOW_GATEWAY_TOKEN", "/run/secrets/gateway_airflow_token")).read_bytes().strip()
    except OSError:
        return b""


def sender(headers):
    """(account, level) of a request that comes from the gateway, None for any other. headers: anything with get(name, default)."""
    sent, account = headers.get("x-skp-gateway", ""), headers.get("x-skp-account", "")
    if not token() or not hmac.compare_digest(sent.encode(), token()) or account in ("", "-"):
        return None
    return account, headers.get("x-skp-level", "")


def role_of(level):
    """Airflow's role for a level of the auth service: A for admins, U for others."""
    return "Admin" if level == "A" else os.environ.get("SKP_AIRFLOW_GATEWAY_ROLE") or "User"


def kept_cookies(text):
    """The header Cookie without Airflow's own token: that may be another person's, from the port of the host."""
    return "; ".join(part for part in map(str.strip, text.split(";")) if part and part.partition("=")[0] != "_token")


def kept_headers(headers):
    """The headers of an answer, pairs of bytes, without a token of Airflow's own: it would outlive the sign-out."""
    return [(name, value) for name, value in headers if name.lower() != b"set-cookie" or not value.startswith(b"_token=")]
