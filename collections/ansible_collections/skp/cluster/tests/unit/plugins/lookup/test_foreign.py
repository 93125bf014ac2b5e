# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of another inventory in groups of ours: named, never chosen, and no concern where the group is none of ours."""

from __future__ import annotations

import pathlib

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible_collections.skp.cluster.plugins.plugin_utils import _foreign

ROLES = pathlib.Path(__file__).parents[4] / "roles"
GROUPS = {"skp": ["c01", "c02"], "master": ["c01"], "manager": ["c01", "c02"], "kafka": ["c02"], "mysql": []}
LABELS = {"c01": {"skp_labels": {}}, "c02": {"skp_labels": {}}}


def site(**more):
    """Groups and variables of a cluster and of another inventory with more hosts in these groups."""
    groups = {name: GROUPS.get(name, []) + more.get(name, []) for name in {**GROUPS, **more}}
    return groups, {**{host: {} for hosts in groups.values() for host in hosts}, **LABELS}


@pytest.mark.parametrize("group", ["master", "manager", "mysql", "kafka", "spark_worker", "gpu", "skp"])
def test_a_host_of_another_inventory_is_named(group):
    [line] = _foreign.problems(*site(**{group: ["other"]}))
    assert line.startswith("other: it is in the group %s, but not in hosts.json." % group)


@pytest.mark.parametrize("group", ["worker", "clients", "rack_1"])
def test_groups_that_no_role_asks_for(group):
    assert _foreign.problems(*site(**{group: ["other", "c01"]})) == []


def test_a_group_of_a_role_of_the_site():
    assert len(_foreign.problems(*site(hello=["other"]), more=["hello"])) == 1


def test_an_inventory_without_the_plugin():
    """No group of the cluster: its plays have no host. No labels at all: somebody's own inventory, and all its hosts are meant."""
    assert _foreign.problems({"master": ["a"]}, {"a": {}}) == []
    assert _foreign.problems({"skp": ["a", "b"], "master": ["a"], "manager": ["a", "b"]}, {"a": {}, "b": {}}) == []


def test_the_inventory_of_another_cluster():
    groups, hostvars = site(skp=["m1"], master=["m1"])
    assert _foreign.problems(groups, {**hostvars, "m1": {"skp_labels": {}}}) == [
        "c01, m1: all are in the group master, expected one host. Name the inventory of one cluster only."
    ]


def test_members_are_hosts_of_the_cluster():
    groups, _hostvars = site(manager=["other"], master=["other"])
    assert _foreign.members(groups, "master", "manager") == ["c01", "c02"]


def test_no_role_goes_on_and_no_manager_is_chosen():
    groups, hostvars = site(manager=["other"])
    variables = {"groups": groups, "hostvars": hostvars}
    for name, terms in (("role_options", [str(ROLES / "kafka")]), ("manager", [])):
        with pytest.raises(AnsibleError, match="other: it is in the group manager.*\nNothing was changed"):
            lookup_loader.get("skp.cluster." + name, loader=DataLoader(), templar=None).run(terms, variables)
