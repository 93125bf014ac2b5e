# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identities do not depend on the order of hosts.json: all orders of the hosts, with the site each time."""
from __future__ import annotations

import itertools

import lablib
import pytest


@pytest.mark.parametrize("order", list(itertools.permutations(("c01", "c02", "c03"))), ids="-".join)
def test_no_order_changes_anything(order):
    """No id moves, nothing restarts."""
    assert sorted(order) == sorted(lablib.hosts())
    before = lablib.snapshot()
    with lablib.edited_hosts(lambda data: {name: data[name] for name in order}):
        assert lablib.play("site.yml").changed == set()
    assert lablib.snapshot() == before
