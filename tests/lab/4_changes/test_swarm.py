# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node loses its place in the swarm, and its labels with it: the swarm's playbook alone puts both back."""
from __future__ import annotations

import lablib


def test_a_node_that_left_the_swarm_joins_again(site):
    """The fault of molecule's scenario default, here with services on the node: they run again, and every label is there."""
    joined = lablib.play("molecule/default/side_effect.yml").changed
    assert joined
    lablib.wait("the cluster is healthy", lablib.cluster_is_healthy, 240, every=1)
    lablib.play("molecule/default/verify.yml", env={"MOLECULE_PROJECT_DIRECTORY": str(lablib.ROOT)})
    assert lablib.play(site).changed == set()
