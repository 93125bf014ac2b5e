# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The auth service in this process, through Flask's test client.

The database is SQLite, because no server is at hand here. What depends on the server (locks, 50 registrations at once, a restart) is tested on the lab.
SKP_AUTH_TEST_DATABASE=<URL of an empty database> runs the same tests on a real server.
"""

from __future__ import annotations

import os
import pathlib
import sys

import argon2
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[4] / "images/auth/python"))
sys.dont_write_bytecode = True

from skp_auth import app, passwords, schema, settings, store  # noqa: E402  (the path above comes first)

REAL = passwords.HASHER
passwords.HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Each real hash takes 30 ms of a processor; one test asks for the real one."""
WORD = "correct horse"
HASH = passwords.make(WORD)
KEYS = {"access_key": bytes(range(32)), "refresh_key": bytes(range(1, 33))}


class Service:
    """The application with its database, as one who asks it sees it."""

    def __init__(self, url, **more):
        more = {"areas": {"jupyter": frozenset("AU"), "portainer": frozenset("A")}, **more}
        self.settings = settings.Settings(database_url=url, **{**KEYS, **more})
        self.store = store.Store(url)
        self.app = app.create(self.settings, self.store)

    def ask(self, method, path, token="", address="192.0.2.1", **more):
        """The answer to one request."""
        headers = {**({"Authorization": "Bearer " + token} if token else {}), **more.pop("headers", {})}
        return self.app.test_client(use_cookies=False).open(path, method=method, headers=headers, environ_base={"REMOTE_ADDR": address}, **more)

    def sign_in(self, ident, pw=WORD, **more):
        """The answer to a sign-in."""
        return self.ask("POST", "/v1/tokens", json={"id": ident, "pw": pw}, **more)

    def tokens(self, ident, pw=WORD):
        """(access token, refresh token) of a sign-in that succeeds."""
        found = self.sign_in(ident, pw)
        assert found.status_code == 201, found.text
        return found.json["access_token"], found.json["refresh_token"]

    def add(self, ident, level="U", active=True):
        """An account with the usual password."""
        self.store.add(ident, HASH, level, active)
        return ident


@pytest.fixture(name="make")
def maker(tmp_path):
    """A function that makes a Service with these settings, on an empty database with its tables."""
    url = os.environ.get("SKP_AUTH_TEST_DATABASE") or "sqlite:///%s" % (tmp_path / "auth.db")

    def made(**more):
        found = Service(url, **more)
        schema.migrate(found.store.engine)
        made_services.append(found)
        return found
    made_services = []
    yield made
    for found in made_services[-1:]:
        with found.store.engine.begin() as connection:
            for table in reversed(store.Base.metadata.sorted_tables):
                connection.execute(table.delete())
    for found in made_services:
        found.store.engine.dispose()


@pytest.fixture(name="service")
def service_with_accounts(make):
    """A service with the admin of the cluster, another admin and two users."""
    found = make()
    found.add("admin", "A")
    found.add("boss", "A")
    found.add("kim")
    found.add("lee")
    return found
