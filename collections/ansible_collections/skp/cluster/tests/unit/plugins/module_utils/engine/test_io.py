# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is waited for after a restart of the engine."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.engine import facts as engine_facts, io
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure

BEFORE = dict(engine_facts.EMPTY, installed=True, running=True, swarm_state="active", is_manager=True, node_id="n")


def test_a_swarm_that_waits_for_its_key_is_said_at_once(monkeypatch):
    """With autolock no time helps, only a person."""
    monkeypatch.setattr(engine_facts, "read", lambda **_options: dict(BEFORE, swarm_state="locked", is_manager=False))
    monkeypatch.setattr(io, "our_services", dict)
    monkeypatch.setattr(io, "_systemctl", lambda verb, timeout: None)
    with pytest.raises(Failure) as caught:
        io.restart_engine(BEFORE, 60)
    assert caught.value.failure["kind"] == "locked" and "docker swarm unlock" in caught.value.msg


@pytest.mark.parametrize("before, now, missing", [
    ("pending", "active", ""), ("error", "active", ""), ("active", "active", ""), ("inactive", "inactive", ""),
    ("active", "pending", "the swarm state is 'pending', before it was 'active'"), ("inactive", "error", "the swarm state is 'error'"),
])
def test_a_restart_that_cures_the_swarm_is_no_failure(monkeypatch, before, now, missing):
    """A node that was pending or in error is active afterwards: it was waited for in vain until it would be ill again."""
    monkeypatch.setattr(engine_facts, "read", lambda **_options: dict(BEFORE, swarm_state=now, is_manager=False))
    monkeypatch.setattr(io, "our_services", dict)
    found = io._not_back(dict(BEFORE, swarm_state=before, is_manager=False), {})
    assert found.startswith(missing) and bool(found) == bool(missing)
