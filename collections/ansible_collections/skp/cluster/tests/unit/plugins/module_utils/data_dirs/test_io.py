# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data directories on a real disk: made, found as they are, purged."""

from __future__ import annotations

import os

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.data_dirs import io
from ansible_collections.skp.cluster.plugins.module_utils.data_dirs.plan import parse_mountinfo, plan_absent, plan_present
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure


def test_the_whole_life_of_a_directory(tmp_path):
    directory = {
        "path": str(tmp_path / "skp/web"),
        "owner": str(os.getuid()),
        "group": str(os.getgid()),
        "mode": "0750",
        "identity": {"file": "myid", "keys": []},
    }
    path = tmp_path / "skp/web"

    def steps(plan):
        return plan(io.inspect(directory, []))

    def present(state):
        return plan_present(directory, state, io.wanted_owner(directory), True)

    io.apply(directory["path"], steps(present))
    assert path.stat().st_mode & 0o7777 == 0o750 and (tmp_path / "skp").stat().st_mode & 0o7777 == 0o755
    # Some programs insist on an empty directory: our mark is beside it.
    assert os.listdir(path) == [] and "web\n" in (tmp_path / "skp/.skp-data").read_text()
    assert steps(present) == []
    (path / "myid").write_text("7\n")
    assert io.inspect(directory, [])["id"] == 7
    (tmp_path / "skp/other").mkdir()
    io.apply(directory["path"], steps(plan_absent))
    assert sorted(os.listdir(tmp_path / "skp")) == ["other"]
    assert steps(plan_absent) == []


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/a//b", "/a/"])
def test_only_plain_paths(path):
    with pytest.raises(Failure):
        io.inspect({"path": path}, [])


@pytest.mark.parametrize("paths", [("spark/events", "spark/recovery"), ("spark/events", "spark"), ("spark", "spark/events")])
def test_directories_of_one_call_may_share_a_missing_parent(tmp_path, paths):
    owner = (os.getuid(), os.getgid(), 0o2770)
    wanted = [str(tmp_path / "store" / path) for path in paths]
    plans = []
    for path in wanted:
        found = io.inspect({"path": path}, parse_mountinfo("21 1 8:1 / / rw - ext4 /dev/sda1 rw"))
        plans.append((path, plan_present({"path": path}, found, owner, False)))
    for path, steps in plans:
        io.apply(path, steps)
    assert [io.inspect({"path": path}, [("/", "ext4", "x")])["owner"] for path in wanted] == [owner, owner]
    assert (tmp_path / "store").stat().st_mode & 0o7777 == 0o755
