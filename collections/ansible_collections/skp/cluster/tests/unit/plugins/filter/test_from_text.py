# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list that was given as text."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.skp.cluster.plugins.filter.from_text import FilterModule

from_text = FilterModule().filters()["from_text"]


@pytest.mark.parametrize(
    ("value", "items"),
    [
        (["a"], ["a"]),
        ("", []),
        ("engine_api", ["engine_api"]),
        ("a, b,c ", ["a", "b", "c"]),
        ('["a", "b"]', ["a", "b"]),
        (" [1] ", [1]),
    ],
)
def test_items(value, items):
    assert from_text(value) == items


def test_half_a_list_is_refused():
    with pytest.raises(AnsibleFilterError, match="expected"):
        from_text('["a", b]')
