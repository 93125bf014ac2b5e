# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""skp_swarm: settings of the swarm itself."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.modules import skp_swarm

NETWORK = {"name": "net-skp", "subnet": "10.200.0.0/20", "encrypted": False}


class Module:
    """The options, and warnings."""

    def __init__(self, check_mode, **params):
        self.params = dict({"hosts": {}, "inventory": [], "labels_in_use": [], "network": NETWORK, "autolock": "leave", "rotate_join_tokens": False,
                            "timeout": 5}, **params)
        self.check_mode, self.warn = check_mode, lambda text: None


@pytest.fixture(name="written")
def _written(monkeypatch):
    """What was written of the settings."""
    calls = []
    swarm = skp_swarm.Swarm
    found = {"Name": "net-skp", "Driver": "overlay", "Scope": "swarm", "Attachable": True, "Options": {}, "IPAM": {"Config": [{"Subnet": "10.200.0.0/20"}]}}
    for name, answer in {"nodes": [], "network": found, "services": []}.items():
        monkeypatch.setattr(swarm, name, lambda self, *args, answer=answer: answer)
    versions = [7, 7, 8, 8]
    monkeypatch.setattr(skp_swarm.engine, "get", lambda *args, **options: {"Spec": {"Name": "default"}, "Version": {"Index": versions.pop(0)}})

    def post(_client, path, body, params, **dummy):
        calls.append((path, body, params["version"], params["rotateWorkerToken"], params["rotateManagerToken"]))
        if params["version"] == 7:
            raise skp_swarm.engine.EngineError("rpc error: update out of sequence", kind="api")

    monkeypatch.setattr(skp_swarm.engine, "post", post)
    monkeypatch.setattr(skp_swarm.engine, "swarm_state", lambda client: {"node_id": "n1"})
    return calls


@pytest.mark.parametrize("rotate, check_mode, expected", [
    (False, False, []), (True, False, [("/swarm/update", {"Name": "default"}, version, "true", "true") for version in (7, 8)]), (True, True, []),
])
def test_new_join_tokens(written, rotate, check_mode, expected):
    """Swarm itself writes its settings, too, right after nodes have joined: then once more with the new version."""
    result = skp_swarm.present(Module(check_mode, rotate_join_tokens=rotate), "client")
    assert (result["changed"], written) == (rotate, expected)
    assert ("join_tokens" in str(result["diff"])) == rotate and "SWMTKN" not in str(result)
