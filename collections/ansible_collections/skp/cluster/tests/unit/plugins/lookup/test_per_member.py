# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A YAML file of a role, templated once per member."""

from __future__ import annotations

import pytest

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar, trust_as_template


@pytest.fixture
def look_up(tmp_path):
    """A function that writes templates/web.yml of a role and looks it up for members."""

    def function(text, ids, name="web.yml", **variables):
        (tmp_path / "templates").mkdir(exist_ok=True)
        (tmp_path / "templates/web.yml").write_text(text, encoding="utf-8")
        variables["ansible_search_path"] = [str(tmp_path)]
        lookup = lookup_loader.get("skp.cluster.per_member", loader=DataLoader(), templar=Templar(loader=DataLoader(), variables=variables))
        return lookup.run([name], variables, ids=ids)

    return function


def test_members_come_by_id_and_variables_of_the_role_see_them(look_up):
    text = """
name: "web-{{ member.id }}"
hosts: ["{{ member.host }}", "{{ everyone }}"]
limits: "{{ {'memory': '1g'} }}"
"""
    everyone = trust_as_template("{{ members | map(attribute='host') | join(',') }}")
    assert look_up(text, {"c10": 2, "c2": 1, "c1": 11}, everyone=everyone) == [
        {"name": "web-1", "hosts": ["c2", "c2,c10,c1"], "limits": {"memory": "1g"}},
        {"name": "web-2", "hosts": ["c10", "c2,c10,c1"], "limits": {"memory": "1g"}},
        {"name": "web-11", "hosts": ["c1", "c2,c10,c1"], "limits": {"memory": "1g"}},
    ]


def test_no_members(look_up):
    assert look_up("name: web", {}) == []


def test_a_wrong_name_is_named(look_up):
    with pytest.raises(AnsibleError, match="membre.yml"):
        look_up("name: web", {"c1": 1}, name="membre.yml")


def test_an_undefined_variable_is_named(look_up):
    with pytest.raises(AnsibleError, match="nobody"):
        look_up('name: "{{ nobody }}"', {"c1": 1})
