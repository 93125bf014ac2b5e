# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""skp_zk_ensemble: how long it asks members that do not answer."""

from __future__ import annotations

import types

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.zookeeper.io import Ensemble
from ansible_collections.skp.cluster.plugins.modules import skp_zk_ensemble


class Answers(Ensemble):
    """An ensemble that gives these views one after the other."""

    def __init__(self, *serving):
        self.views = [{"members": {n: {"node_up": True} for n in (1, 2, 3)}, "serving": members} for members in serving]
        self.target, self.hosts, self.wanted = [1, 2, 3], {1: "c01", 2: "c02", 3: "c03"}, None
        self.state = {"nodes": [{"host": host, "ready": True, "active": True} for host in self.hosts.values()]}

    def view(self, assume_nodes=False):
        return self.views[0]

    def observe(self):
        return self.views.pop(0)


def steps(view, *dummy, **options):
    """A plan that needs all members."""
    late = sorted({1, 2, 3} - set(view["serving"]))
    if late:
        raise Failure("no quorum without %s" % late, kind="quorum", not_serving=late)
    return ["a step"]


@pytest.mark.parametrize("check", [True, False], ids=["dry run", "run"])
def test_a_member_that_answers_late_is_asked_again(monkeypatch, check):
    """A dry run that gave up at once would refuse what the real run then does."""
    monkeypatch.setattr(skp_zk_ensemble, "zk_plan", types.SimpleNamespace(
        check_move=lambda *args: None, is_settled=lambda *args, **options: False, plan_steps=steps))
    module = types.SimpleNamespace(check_mode=check, params={"data_policy": "refuse"})
    assert skp_zk_ensemble.planned_steps(module, Answers([1, 3], [1, 2, 3]), None, {}) == ["a step"]
