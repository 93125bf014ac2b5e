# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of Portainer, by tables."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.portainer import plan

URL = "tcp://tasks.portainer-skp-agent:9001"
WANTED = {"admin": "admin", "helper": "skp-helper", "gateway": "skp-gateway", "gateway_password": "", "environment": "mine", "url": URL}
THERE = [{"Id": 7, "Name": "primary", "URL": URL}]
USERS = {"admin": 1, "skp-helper": 2}


def steps(wanted=None, **found):
    """The plan, as lines."""
    return [plan.describe(step) for step in plan.plan(dict({"admin": True, "helper": True, "users": USERS, "environments": THERE}, **found), wanted or WANTED)]


@pytest.mark.parametrize("case, found, expected", [
    ("as it should be, whatever the environment is called", {}, []),
    ("a first start", {"helper": False, "users": {"admin": 1}, "environments": []}, ["account skp-helper: new", "environment mine: " + URL]),
    ("after a rotation", {"admin": False}, ["account admin: new password"]),
    ("somebody changed the helper", {"helper": False}, ["account skp-helper: new password"]),
    ("somebody removed the environment", {"environments": [{"Id": 1, "Name": "other", "URL": "tcp://203.0.113.1:9001"}]}, ["environment mine: " + URL]),
    ("a slash at the end", {"environments": [{"Id": 1, "Name": "mine", "URL": URL + "/"}]}, []),
])
def test_steps(case, found, expected):
    assert steps(**found) == expected, case


@pytest.mark.parametrize("case, password, found, expected", [
    ("as it should be", "x", {"gateway": True, "users": {**USERS, "skp-gateway": 3}}, []),
    ("the first gateway", "x", {"gateway": False}, ["account skp-gateway: new"]),
    ("after a rotation", "x", {"gateway": False, "users": {**USERS, "skp-gateway": 3}}, ["account skp-gateway: new password"]),
    ("no gateway any more", "", {"users": {**USERS, "skp-gateway": 3}}, ["account skp-gateway: removed"]),
    ("never one", "", {}, []),
])
def test_the_account_of_the_gateway(case, password, found, expected):
    assert steps({**WANTED, "gateway_password": password}, **found) == expected, case


def test_before_the_first_run():
    assert len(plan.plan(plan.EMPTY, WANTED)) == 2
    assert len(plan.plan(plan.EMPTY, dict(WANTED, gateway_password="x"))) == 3
    assert [step["do"] for step in plan.plan(plan.EMPTY, dict(WANTED, url=""))] == ["create_user"], "without agents there is no environment"


@pytest.mark.parametrize("found, kind, words", [
    ({"admin": False, "helper": False, "users": {}}, "portainer_refused", "accepts neither the password of admin .* nor that of its helper account skp-helper"),
    ({"admin": False, "users": {"boss": 1, "skp-helper": 2}}, "portainer_no_admin", "no account named admin, found boss, skp-helper"),
    ({"environments": [{"Id": 1, "Name": "mine", "URL": "unix:///var/run/docker.sock"}]}, "portainer_name", "its environment mine is unix:.*, expected tcp:"),
])
def test_refused(found, kind, words):
    with pytest.raises(Failure, match=words) as caught:
        steps(**found)
    assert caught.value.failure["kind"] == kind and "Nothing was changed in it" in caught.value.msg


def test_the_service_of_an_address():
    assert plan.service_of(URL) == "portainer-skp-agent"


def test_nodes_that_are_not_seen():
    members = [{"NodeName": "n2"}, {"NodeName": "n1"}, {"NodeName": "n1"}]
    assert plan.unseen(members, 2) == ""
    assert plan.unseen(members, 3) == "shows 2 of 3 nodes: n1, n2"
    assert plan.unseen([], 1) == "shows 0 of 1 nodes: none"
