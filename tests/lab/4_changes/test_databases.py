# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers with one copy of their data do not start empty elsewhere, and no two of them run."""
from __future__ import annotations

import lablib
import pytest
import witness


@pytest.mark.parametrize("role, label, nodes, words", [
    ("mysql", "mysql", ["c01"], "mysql_data_policy=moved"),
    pytest.param("postgresql", "pgsql", ["c01"], "postgresql_data_policy=moved", marks=pytest.mark.soak),
    pytest.param("redis", "redis", ["c01"], "redis_data_policy=moved", marks=pytest.mark.soak),
    pytest.param("mysql", "mysql", ["c01", "c02"], "2 hosts have the label mysql (c01, c02), expected one", marks=pytest.mark.soak),
])
def test_a_label_that_leaves_its_data_is_refused(role, label, nodes, words):
    """The run names both places and the variable; the server runs on, with its data."""
    [one] = [one for one in witness.ALL if one.name == role]
    kept, before = one.keep(), lablib.services()
    with lablib.edited_hosts(lablib.with_labels({label: nodes})):
        result = lablib.play("site.yml", "--tags", role, check=False)
    assert result.rc != 0 and words in " ".join(result.text.split()), result.text[-3000:]
    assert lablib.services() == before and one.check(kept)
