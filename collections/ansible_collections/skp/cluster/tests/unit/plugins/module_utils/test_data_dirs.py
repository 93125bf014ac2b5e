# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data directories: file systems, identities, what is made, and what is never purged."""

from __future__ import annotations

import os

import pytest

from ansible_collections.skp.cluster.plugins.module_utils import _data_dirs
from ansible_collections.skp.cluster.plugins.module_utils._members_plan import PlanRefused

MOUNTINFO = r"""21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 0:30 / /srv/skp rw shared:9 - nfs4 c01:/srv/skp rw,vers=4.2
31 21 8:17 / /var/lib/skp\040data rw - xfs /dev/sdb1 rw
32 21 0:44 / /mnt/bucket rw - fuse.s3fs s3fs rw
33 21 0:45 / /mnt/a rw - tmpfs tmpfs rw
34 33 8:18 / /mnt/a rw - ext4 /dev/sdc1 rw
"""


@pytest.mark.parametrize(
    "path, point, kind, remote",
    [
        ("/var/lib/skp/kafka", "/", "ext4", False),
        ("/srv/skp/x", "/srv/skp", "nfs4", True),
        ("/srv/skpx", "/", "ext4", False),
        ("/var/lib/skp data/kafka", "/var/lib/skp data", "xfs", False),
        ("/mnt/bucket", "/mnt/bucket", "fuse.s3fs", True),
        ("/mnt/a/b", "/mnt/a", "ext4", False),
    ],
)
def test_file_system_of_a_path(path, point, kind, remote):
    found = _data_dirs.mount_of(path, _data_dirs.parse_mountinfo(MOUNTINFO))
    assert found[:2] == (point, kind) and _data_dirs.is_remote(found[1]) is remote


@pytest.mark.parametrize(
    "text, keys, values, number",
    [
        ("3\n", [], {"": "3"}, 3),
        ("#\nversion=1\nnode.id = 4\ncluster.id=x\n", ["node.id", "broker.id", "cluster.id"], {"node.id": "4", "cluster.id": "x"}, 4),
        ("broker.id=2\n", ["node.id", "broker.id"], {"broker.id": "2"}, 2),
    ],
)
def test_identity(text, keys, values, number):
    assert _data_dirs.parse_identity(text, keys, "f") == (values, number)


@pytest.mark.parametrize(
    "text, keys, words",
    [("", [], "''"), ("abc", [], "'abc'"), ("x=1\n", ["node.id"], "none of node.id"), ("node.id=-1\n", ["node.id"], "'-1'")],
)
def test_an_identity_that_is_none_is_refused(text, keys, words):
    with pytest.raises(PlanRefused) as caught:
        _data_dirs.parse_identity(text, keys, "/data/meta")
    assert words in caught.value.msg and "/data/meta" in caught.value.msg


def found(**values):
    base = {
        "path": "/var/lib/skp/web",
        "kind": "directory",
        "owner": (0, 0, 0o755),
        "fstype": "ext4",
        "source": "/dev/sda1",
        "mountpoint": False,
        "mounts_below": [],
        "missing_parents": [],
        "marked": True,
        "identity": {},
        "id": None,
        "free_bytes": 1,
    }
    return dict(base, **values)


@pytest.mark.parametrize(
    "case, state, steps",
    [
        ("as it should be", found(), []),
        (
            "missing with parents",
            found(kind="missing", owner=None, marked=False, missing_parents=["/var/lib/skp"]),
            ["parent", "make", "owner", "mode", "mark"],
        ),
        ("other owner", found(owner=(5, 0, 0o755)), ["owner"]),
        ("other mode", found(owner=(0, 0, 0o700)), ["mode"]),
        ("made by somebody else", found(marked=False), ["mark"]),
    ],
)
def test_present(case, state, steps):
    assert [verb for verb, _value in _data_dirs.plan_present({}, state, (0, 0, 0o755), True)] == steps


@pytest.mark.parametrize(
    "state, local, kind",
    [
        (found(fstype="nfs4"), True, "remote_filesystem"),
        (found(fstype="fuse.sshfs"), True, "remote_filesystem"),
        (found(kind="symlink"), False, "not_a_directory"),
        (found(kind="other"), False, "not_a_directory"),
    ],
)
def test_present_refuses(state, local, kind):
    with pytest.raises(PlanRefused) as caught:
        _data_dirs.plan_present({}, state, (0, 0, 0o755), local)
    assert caught.value.failure["kind"] == kind and "/var/lib/skp/web" in caught.value.msg


def test_a_network_file_system_is_fine_where_it_is_allowed():
    assert _data_dirs.plan_present({}, found(fstype="nfs4"), (0, 0, 0o755), False) == []


@pytest.mark.parametrize(
    "state, steps",
    [
        (found(kind="missing", marked=False), []),
        (found(kind="missing"), ["unmark"]),
        (found(), ["remove", "unmark"]),
        (found(mountpoint=True), ["empty", "unmark"]),
    ],
)
def test_absent(state, steps):
    assert [verb for verb, _value in _data_dirs.plan_absent(state)] == steps


@pytest.mark.parametrize(
    "state",
    [found(marked=False), found(path="/var/lib"), found(path="/srv"), found(kind="symlink"), found(mounts_below=["/var/lib/skp/web/nfs"])],
)
def test_absent_refuses(state):
    with pytest.raises(PlanRefused) as caught:
        _data_dirs.plan_absent(state)
    assert caught.value.failure["kind"] == "purge_refused" and state["path"] in caught.value.msg


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
        return plan(_data_dirs.inspect(directory, []))

    def present(state):
        return _data_dirs.plan_present(directory, state, _data_dirs.wanted_owner(directory), True)

    _data_dirs.apply(directory["path"], steps(present))
    assert path.stat().st_mode & 0o7777 == 0o750 and (tmp_path / "skp").stat().st_mode & 0o7777 == 0o755
    # Some programs insist on an empty directory: our mark is beside it.
    assert os.listdir(path) == [] and "web\n" in (tmp_path / "skp/.skp-data").read_text()
    assert steps(present) == []
    (path / "myid").write_text("7\n")
    assert _data_dirs.inspect(directory, [])["id"] == 7
    (tmp_path / "skp/other").mkdir()
    _data_dirs.apply(directory["path"], steps(_data_dirs.plan_absent))
    assert sorted(os.listdir(tmp_path / "skp")) == ["other"]
    assert steps(_data_dirs.plan_absent) == []


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/a//b", "/a/"])
def test_only_plain_paths(path):
    with pytest.raises(PlanRefused):
        _data_dirs.inspect({"path": path}, [])


@pytest.mark.parametrize("paths", [("spark/events", "spark/recovery"), ("spark/events", "spark"), ("spark", "spark/events")])
def test_directories_of_one_call_may_share_a_missing_parent(tmp_path, paths):
    owner = (os.getuid(), os.getgid(), 0o2770)
    wanted = [str(tmp_path / "store" / path) for path in paths]
    plans = []
    for path in wanted:
        found = _data_dirs.inspect({"path": path}, _data_dirs.parse_mountinfo("21 1 8:1 / / rw - ext4 /dev/sda1 rw"))
        plans.append((path, _data_dirs.plan_present({"path": path}, found, owner, False)))
    for path, steps in plans:
        _data_dirs.apply(path, steps)
    assert [_data_dirs.inspect({"path": path}, [("/", "ext4", "x")])["owner"] for path in wanted] == [owner, owner]
    assert (tmp_path / "store").stat().st_mode & 0o7777 == 0o755
