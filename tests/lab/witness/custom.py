# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of the services of the site: what the lab's hello (tests/lab/hello) answers, and the notes it keeps."""
from __future__ import annotations

import uuid

import lablib
import requests

from witness.base import Change, Witness

PORT = 8090


class Custom(Witness):
    """One service of skp_custom_services: built from a directory, with a port, a secret, local data and a health check."""

    name = "custom"
    data = ("/var/lib/skp/custom/hello/notes",)
    single = True

    def nodes(self):
        return lablib.labelled("hello")

    def services(self):
        return {"hello"}

    def url(self, path=""):
        return f"http://{lablib.address(self.nodes()[0])}:{PORT}/{path}"

    def get(self, path=""):
        """What it answers. A service that does not answer is an answer of the lab's tests too."""
        try:
            return requests.get(self.url(path), timeout=5).text
        except requests.RequestException as exc:
            raise lablib.Failed(f"hello: {exc}") from exc

    def healthy(self):
        return self.get().endswith(" world\n")

    def post(self, note, token):
        return requests.post(self.url("notes"), data=note, headers={"Authorization": f"Bearer {token}"}, timeout=10).status_code

    def keep(self):
        note = uuid.uuid4().hex
        assert self.post(note, lablib.on(lablib.manager(), "cat", "/etc/skp/secrets/hello_token").strip()) == 200
        return note

    def check(self, kept):
        return kept in self.get("notes").splitlines()

    def ports(self):
        return {PORT: set(self.nodes())}

    def secrets(self):
        return {"hello_token"}

    def change(self):
        return Change(variables={"lab_greeting": "changed"}, diff=("GREETING=changed",), parts={"hello": {"env GREETING"}})

    def changed(self):
        return self.get() == "changed world\n"
