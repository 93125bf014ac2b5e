# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One variable, templated once per member, through the names in between."""

from __future__ import annotations

import pytest

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core before 2.19 trusts every string

    def trust_as_template(text):
        return text


def look_up(variables, name, ids):
    lookup = lookup_loader.get("skp.cluster.per_member", loader=DataLoader(), templar=Templar(loader=DataLoader(), variables=variables))
    return lookup.run([name], variables, ids=ids)


def test_members_come_by_id_and_inner_variables_see_them():
    variables = {
        "name": trust_as_template("web-{{ member.id }}"),
        "all": trust_as_template("{{ members | map(attribute='host') | join(',') }}"),
        "spec": {"name": trust_as_template("{{ name }}"), "hosts": [trust_as_template("{{ member.host }}"), trust_as_template("{{ all }}")]},
    }
    assert look_up(variables, "spec", {"c10": 2, "c2": 1, "c1": 11}) == [
        {"name": "web-1", "hosts": ["c2", "c2,c10,c1"]},
        {"name": "web-2", "hosts": ["c10", "c2,c10,c1"]},
        {"name": "web-11", "hosts": ["c1", "c2,c10,c1"]},
    ]


def test_nobody():
    assert look_up({"spec": {}}, "spec", {}) == []


def test_a_wrong_name_is_named():
    with pytest.raises(AnsibleError, match="__web_membre"):
        look_up({}, "__web_membre", {"c1": 1})
