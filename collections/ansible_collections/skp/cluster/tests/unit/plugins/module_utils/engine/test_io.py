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
