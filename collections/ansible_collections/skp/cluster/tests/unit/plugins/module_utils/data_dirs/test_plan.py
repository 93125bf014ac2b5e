# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data directories: file systems, identities, what is planned, and what is never purged."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.data_dirs import plan
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure

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
    found = plan.mount_of(path, plan.parse_mountinfo(MOUNTINFO))
    assert found[:2] == (point, kind) and plan.is_remote(found[1]) is remote


@pytest.mark.parametrize(
    "text, keys, values, number",
    [
        ("3\n", [], {"": "3"}, 3),
        ("#\nversion=1\nnode.id = 4\ncluster.id=x\n", ["node.id", "broker.id", "cluster.id"], {"node.id": "4", "cluster.id": "x"}, 4),
        ("broker.id=2\n", ["node.id", "broker.id"], {"broker.id": "2"}, 2),
    ],
)
def test_identity(text, keys, values, number):
    assert plan.parse_identity(text, keys, "f") == (values, number)


@pytest.mark.parametrize(
    "text, keys, words",
    [("", [], "''"), ("abc", [], "'abc'"), ("x=1\n", ["node.id"], "none of node.id"), ("node.id=-1\n", ["node.id"], "'-1'")],
)
def test_an_identity_that_is_none_is_refused(text, keys, words):
    with pytest.raises(Failure) as caught:
        plan.parse_identity(text, keys, "/data/meta")
    assert words in caught.value.msg and "/data/meta" in caught.value.msg


def found(**values):
    base = {
        "path": "/var/lib/skp/web",
        "kind": "directory",
        "owner": (0, 0, 0o755),
        "fstype": "ext4",
        "source": "/dev/sda1",
        "real": values.get("path", "/var/lib/skp/web"),
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
            ["parent", "mark", "make", "owner", "mode"],
        ),
        ("other owner", found(owner=(5, 0, 0o755)), ["owner"]),
        ("other mode", found(owner=(0, 0, 0o700)), ["mode"]),
    ],
)
def test_present(case, state, steps):
    assert [verb for verb, _value in plan.plan_present({}, state, (0, 0, 0o755), True)] == steps


def test_a_directory_for_volumes_may_be_a_mount():
    assert plan.plan_present({"any_filesystem": True}, found(fstype="fuse.sshfs"), (0, 0, 0o755), True) == []


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
    with pytest.raises(Failure) as caught:
        plan.plan_present({}, state, (0, 0, 0o755), local)
    assert caught.value.failure["kind"] == kind and "/var/lib/skp/web" in caught.value.msg


def test_a_network_file_system_is_fine_where_it_is_allowed():
    assert plan.plan_present({}, found(fstype="nfs4"), (0, 0, 0o755), False) == []


@pytest.mark.parametrize(
    "state, steps",
    [
        (found(kind="missing", marked=False), []),
        (found(kind="missing"), ["unmark"]),
        (found(), ["remove", "unmark"]),
        # Not ours: left, and said.
        (found(marked=False), []),
        (found(mountpoint=True), []),
    ],
)
def test_absent(state, steps):
    assert [verb for verb, _value in plan.plan_absent(state)] == steps


def test_a_directory_that_was_there_before_gets_no_mark():
    """A mark says that skp.cluster may remove it."""
    assert plan.plan_present({}, found(marked=False), (0, 0, 0o755), True) == []


def test_the_mark_is_written_before_the_directory_is_made():
    """A run that is killed in between leaves a mark without a directory, which the next run makes; never a directory of ours without a mark."""
    verbs = [verb for verb, _value in plan.plan_present({}, found(kind="missing", owner=None, marked=False), (0, 0, 0o755), True)]
    assert verbs.index("mark") < verbs.index("make")


FIRST = {"first_files": [{"name": "welcome.ipynb", "content": "{}\n"}, {"name": "welcome.ko.ipynb", "content": "{\uac00}\n"}]}


def test_the_first_files_are_written_while_only_root_can_write_to_the_new_directory():
    steps = plan.plan_present(FIRST, found(kind="missing", owner=None, marked=False), (61000, 61000, 0o2770), False)
    assert [verb for verb, _value in steps] == ["mark", "make", "fill", "owner", "mode"]
    assert dict(steps)["fill"] == {"owner": (61000, 61000), "files": FIRST["first_files"]}
    assert plan.describe_first_files("/srv/skp/jupyter", steps) == (
        "/srv/skp/jupyter/welcome.ipynb: 3 bytes, owner 61000, group 61000, mode 0644\n"
        "/srv/skp/jupyter/welcome.ko.ipynb: 6 bytes, owner 61000, group 61000, mode 0644\n")


@pytest.mark.parametrize("state", [found(), found(marked=False), found(owner=(5, 0, 0o700)), found(mountpoint=True)])
def test_a_directory_that_exists_gets_no_first_files(state):
    """Also one that skp.cluster made: a person may have deleted the files."""
    steps = plan.plan_present(FIRST, state, (0, 0, 0o755), False)
    assert "fill" not in dict(steps) and plan.describe_first_files("/srv/skp/jupyter", steps) == ""


def test_without_first_files_nothing_is_written():
    for directory in ({}, {"first_files": []}, {"first_files": None}):
        assert "fill" not in dict(plan.plan_present(directory, found(kind="missing", owner=None), (0, 0, 0o755), True))


@pytest.mark.parametrize("state", [found(), found(kind="missing", owner=None)])
@pytest.mark.parametrize("names", [["../passwd"], ["a/b"], [""], ["."], [".."], [".bashrc"], ["a\nb"], ["a\0"], ["x" * 201], ["a", "a"]])
def test_a_first_file_has_a_plain_name_of_its_own(names, state):
    """Refused whatever there is now, so that a second run refuses what the first does."""
    with pytest.raises(Failure) as caught:
        plan.plan_present({"first_files": [{"name": name, "content": ""} for name in names]}, state, (0, 0, 0o755), False)
    assert caught.value.failure["kind"] == "bad_value" and "/var/lib/skp/web" in caught.value.msg


def test_the_purge_goes_to_the_real_path():
    state = found(real="/data/skp/web")
    assert plan.plan_absent(state)[0] == ("remove", "/data/skp/web")


@pytest.mark.parametrize(
    "state, words",
    [
        (found(marked=False), ["/var/lib/skp/web", "before skp.cluster"]),
        (found(mountpoint=True), ["/var/lib/skp/web", "mounted"]),
        (found(), None),
        (found(kind="missing"), None),
    ],
)
def test_what_a_purge_leaves_is_said(state, words):
    text = plan.left(state)
    assert text == "" if words is None else all(word in text for word in words)


@pytest.mark.parametrize(
    "state",
    [
        found(path="/var/lib"),
        found(path="/srv"),
        found(real="/data"),
        found(kind="symlink"),
        found(mounts_below=["/var/lib/skp/web/nfs"]),
        # The members' ids and topics would go, and the data would stay.
        found(marked=False, id=3),
        found(mountpoint=True, id=3),
    ],
)
def test_absent_refuses(state):
    with pytest.raises(Failure) as caught:
        plan.plan_absent(state)
    assert caught.value.failure["kind"] == "purge_refused" and state["path"] in caught.value.msg
