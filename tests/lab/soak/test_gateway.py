# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway with many clients at once."""
from __future__ import annotations

import gateways
import lablib
import load
import pytest
import requests


@pytest.mark.parametrize("clients", [8, 32])
def test_many_clients(clients, figures):
    """Every answer is the page, through the gateway as directly; what the way through it costs is a figure."""
    cookies, page = gateways.sign_in()[0].cookies, f"http://{lablib.address(lablib.labelled('spark-master')[0])}:8030/json/"

    def signed_in():
        session = gateways.session()
        session.cookies.update(cookies)
        return session
    through = load.rate(clients, 20, signed_in, lambda one: gateways.ask(one, "GET", gateways.PATHS["spark"]).status_code)
    alone = load.rate(clients, 20, requests.Session, lambda one: one.get(page, timeout=30).status_code)
    figures[f"gateway: {clients} clients, requests per second and p99 in ms, through it, direct, ratio"] = (
        through[:2], alone[:2], round(alone[0] / max(1, through[0]), 1))
    assert through[2] == alone[2] == {200}
