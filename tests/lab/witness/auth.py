# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of the auth service: an account that can sign in."""
from __future__ import annotations

import contextlib

import accounts
import lablib

from witness.base import Change, Witness


class Auth(Witness):
    """The API on the node of the label flask, the service of its database beside it."""

    name = "auth"

    def nodes(self):
        return lablib.labelled("flask")

    def alone(self):
        return lablib.labelled("mysql")

    def services(self):
        return {"flask-skp", "flask-skp-database"}

    def healthy(self):
        return accounts.healthy()

    def keep(self):
        return accounts.new()

    def check(self, kept):
        return accounts.sign_in(*kept).status_code == 201

    def ports(self):
        return {accounts.PORT: set(self.nodes())}

    def secrets(self):
        return {"auth_access_key", "auth_refresh_key", "auth_admin_password", "mysql_auth_password"}

    @contextlib.contextmanager
    def use(self):
        assert accounts.as_admin("GET", "/v1/accounts").status_code == 200
        yield

    def traces(self):
        return {"arguments": "skp_auth.serving", "environment": "SKP_AUTH_ISSUER=", "logs": "admin signed in from"}

    def change(self):
        return Change(
            variables={"auth_access_seconds": 600},
            labels={"flask": ["c03"]},
            diff=("SKP_AUTH_ACCESS_SECONDS=600",),
            parts={"flask-skp": {"env SKP_AUTH_ACCESS_SECONDS"}, "flask-skp-database": {"placement"}},
            places={"flask-skp": ["c03"], "flask-skp-database": ["c03"]},
        )

    def changed(self):
        return accounts.sign_in("admin", accounts.secret("auth_admin_password")).json()["expires_in"] == 600
