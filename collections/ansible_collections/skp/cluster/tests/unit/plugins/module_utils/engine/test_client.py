# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of the engine's API while the swarm has no leader. The texts are those of engine 26.1.5."""

from __future__ import annotations

import json
import types

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.engine import client as engine

NO_LEADER = "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of \
the managers are online."
LATE = "rpc error: code = DeadlineExceeded desc = context deadline exceeded"


class Api:
    """As much of the SDK's client as `request` uses: it gives these answers, one after the other, and notes the calls."""

    base_url, _version, timeout = "http+docker://localhost", "1.45", 60

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), []

    def request(self, method, url, **_options):
        self.calls.append(method)
        status, content = self.answers.pop(0)
        text = json.dumps(content if status < 400 else {"message": content})
        return types.SimpleNamespace(status_code=status, text=text, content=text.encode(), json=lambda: json.loads(text))


@pytest.fixture(autouse=True)
def _no_sleep(monkeypatch):
    monkeypatch.setattr(engine.time, "sleep", lambda seconds: None)


@pytest.mark.parametrize("method, error", [("GET", NO_LEADER), ("GET", LATE), ("POST", NO_LEADER), ("DELETE", NO_LEADER)])
def test_a_call_waits_for_the_election(method, error):
    api = Api((503, error), (503, error), (200, {"ID": "x"}))
    assert engine.request(types.SimpleNamespace(api=api), method, "/services/x") == {"ID": "x"} and len(api.calls) == 3


@pytest.mark.parametrize("method, error", [("POST", LATE), ("GET", "no such service"), ("POST", "rpc error: code = Unknown desc = update out of sequence")])
def test_what_may_have_been_done_is_not_sent_again(method, error):
    api = Api((500, error))
    with pytest.raises(engine.EngineError):
        engine.request(types.SimpleNamespace(api=api), method, "/services/x/update")
    assert len(api.calls) == 1


def test_a_swarm_without_a_majority_is_not_waited_for_for_ever(monkeypatch):
    clock = iter(range(0, 10000, 15))
    monkeypatch.setattr(engine.time, "monotonic", lambda: next(clock))
    with pytest.raises(engine.EngineError, match="does not have a leader"):
        engine.request(types.SimpleNamespace(api=Api(*[(503, NO_LEADER)] * 10)), "GET", "/nodes")
