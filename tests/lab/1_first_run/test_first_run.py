# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first run of all: a dry run on machines that have nothing yet lists the tasks that the real run then changes."""
from __future__ import annotations

import lablib
import pytest


def is_fresh():
    """True while no node of the lab is in a swarm."""
    return all("inactive" in lablib.on(n, "docker", "info", "--format", "{{.Swarm.LocalNodeState}}") for n in lablib.hosts())


def files():
    """Every path below the directories the collection writes to, on every node."""
    look = "find /srv/skp /var/lib/skp /etc/skp /etc/docker 2>/dev/null | sort"
    return {node: lablib.on(node, "sh", "-c", look) for node in sorted(lablib.hosts())}


def without_images(changed):
    """A set of (task, host) without the tasks of the role images."""
    return {(task, host) for task, host in changed if not task.startswith("skp.cluster.images :")}


def test_dry_run_before_the_first_run(figures):
    """--check --diff on fresh nodes, then the real run: the same tasks, and the dry run touched nothing."""
    if not is_fresh():
        lablib.play("site.yml", timeout=3000)
        pytest.skip("the lab has been converged before: only fresh nodes can show a first run (make down, then make test). It has had a run of the site")
    before = files()
    # A lab made anew keeps the last one's registry. No registry answers yet, so that a dry run cannot know what it holds: it predicts builds.
    cached = "/srv/skp/registry/" in before["c01"]
    # A `make down` that was ended half-way leaves the shared store. A directory that exists gets no first files.
    kept = "/srv/skp/jupyter\n" in before["c01"]
    dry = lablib.play("site.yml", "--check", "--diff")
    assert is_fresh() and files() == before
    assert "kafka-skp-1" in dry.text and "zookeeper-skp-1" in dry.text
    real = lablib.play("site.yml", timeout=3000)
    figures["first run"] = f"{len(dry.changed)} predicted / {len(real.changed)} applied / {len(real.changed - dry.changed)} unannounced"
    figures["first run, seconds"] = round(real.seconds)
    assert without_images(real.changed) == without_images(dry.changed)
    assert cached or real.changed == dry.changed
    for name in ("welcome.ipynb", "welcome.ko.ipynb"):
        assert kept or f"/srv/skp/jupyter/{name}: " in dry.text
        assert lablib.on("c01", "stat", "-c", "%u:%g %a", f"/srv/skp/jupyter/{name}").strip() == "61000:61000 644"
    # A volume mounted on a node later reaches its containers only while the node's mounts are shared ones.
    for node in sorted(lablib.hosts()):
        assert lablib.on(node, "findmnt", "-n", "-o", "PROPAGATION", "/").startswith("shared"), node
