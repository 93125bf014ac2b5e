# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every order of hosts.json. `make test` tries it backwards, unit tests of the plans hold the same for every order."""
from __future__ import annotations

import itertools

import lablib


def test_no_order_of_hosts_json_matters(site, figures):
    """All orders of the file: no id moves, nothing restarts."""
    before = lablib.snapshot()
    orders = list(itertools.permutations(sorted(lablib.hosts())))
    for order in orders:
        with lablib.edited_hosts(lambda data, order=order: {name: data[name] for name in order}):
            assert lablib.play(site).changed == set(), order
    assert lablib.snapshot() == before
    figures["orders of hosts.json tried, changes"] = f"{len(orders)}, 0"
