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


IDENTITY = {"file": "data/myid", "keys": []}


def kafka(tmp_path):
    """A data directory with the directory of the identity file."""
    path = tmp_path / "kafka"
    (path / "data").mkdir(parents=True)
    return path


def link_to_a_secret(path, secret):
    (path / "data/myid").symlink_to(secret)


def link_on_the_way(path, secret):
    (path / "data").rmdir()
    (path / "data").symlink_to(secret.parent)


def a_pipe(path, _secret):
    os.mkfifo(path / "data/myid")


@pytest.mark.parametrize("plant", [link_to_a_secret, link_on_the_way, a_pipe])
def test_what_a_container_plants_is_not_read(tmp_path, plant):
    """A container can write its data directory; the module reads it as root."""
    secret = tmp_path / "etc/myid"
    secret.parent.mkdir()
    secret.write_text("root:*:20228\n", encoding="utf-8")
    path = kafka(tmp_path)
    plant(path, secret)
    with pytest.raises(Failure) as caught:
        io.inspect({"path": str(path), "identity": IDENTITY}, [])
    assert caught.value.failure["kind"] == "bad_identity" and "20228" not in caught.value.msg and "plain file" in caught.value.msg


def test_an_identity_file_that_is_not_there_yet(tmp_path):
    path = kafka(tmp_path)
    assert io.inspect({"path": str(path), "identity": IDENTITY}, [])["id"] is None
    (path / "data").rmdir()
    assert io.inspect({"path": str(path), "identity": IDENTITY}, [])["id"] is None


def test_mounts_below_a_path_that_leads_through_a_link(tmp_path):
    """The kernel lists mounts by their real path."""
    (tmp_path / "disk/kafka").mkdir(parents=True)
    (tmp_path / "lib").symlink_to(tmp_path / "disk")
    found = io.inspect({"path": str(tmp_path / "lib/kafka")}, [("/", "ext4", "x"), (str(tmp_path / "disk/kafka/bucket"), "fuse.s3fs", "s3fs")])
    assert found["real"] == str(tmp_path / "disk/kafka") and found["mounts_below"] == [str(tmp_path / "disk/kafka/bucket")]


def test_a_mount_point_behind_a_link(tmp_path):
    (tmp_path / "disk/kafka").mkdir(parents=True)
    (tmp_path / "lib").symlink_to(tmp_path / "disk")
    found = io.inspect({"path": str(tmp_path / "lib/kafka")}, [("/", "ext4", "x"), (str(tmp_path / "disk/kafka"), "ext4", "/dev/sdb")])
    assert found["mountpoint"]


def test_owner_and_mode_are_not_given_to_what_a_link_points_to(tmp_path):
    """A directory that is replaced by a link between the look and the change."""
    (tmp_path / "victim").mkdir(mode=0o700)
    (tmp_path / "web").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError):
        io.apply(str(tmp_path / "web"), [("mode", 0o777)])
    assert (tmp_path / "victim").stat().st_mode & 0o777 == 0o700


def a_link(marker, secret):
    marker.symlink_to(secret)


def a_waiting_pipe(marker, _secret):
    os.mkfifo(marker)


def of_somebody_else(marker, _secret):
    marker.write_text("web\n", encoding="utf-8")
    os.chown(marker, 61999, 61999)


def writable_by_others(marker, _secret):
    marker.write_text("web\n", encoding="utf-8")
    marker.chmod(0o666)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
@pytest.mark.parametrize("plant", [a_link, a_waiting_pipe, of_somebody_else, writable_by_others])
def test_a_mark_that_somebody_else_may_have_written(tmp_path, plant):
    """Others may write beside a directory. A run reads the mark as root: it copies no secret, waits for nobody and removes nothing."""
    secret, team = tmp_path / "shadow", tmp_path / "team"
    secret.write_text("web\nroot:*:20228\n", encoding="utf-8")
    secret.chmod(0o600)
    team.mkdir()
    (team / "web").mkdir()
    plant(team / ".skp-data", secret)
    found = io.inspect({"path": str(team / "web")}, [("/", "ext4", "x")])
    assert not found["marked"] and plan_absent(found) == []
    io.apply(str(team / "new"), [("mark", str(team / "new")), ("make", str(team / "new"))])
    text = (team / ".skp-data").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if not line.startswith("#")] == ["new"] and not (team / ".skp-data").is_symlink()
    assert secret.read_text(encoding="utf-8").endswith("20228\n")
    io.apply(str(team / "new"), [("unmark", str(team / "new"))])
    assert sorted(os.listdir(team)) == ["new", "web"]


def test_a_directory_is_no_mark(tmp_path):
    (tmp_path / ".skp-data").mkdir()
    assert io.read_marker(str(tmp_path / "web")) == []


def test_only_names_are_kept_in_the_mark(tmp_path):
    marker = tmp_path / ".skp-data"
    marker.write_text("# head\nweb\n../etc\n..\na/b\nroot:$y$j9T$HASH:20228:0\nthe data\n" + "x" * 300 + "\n", encoding="utf-8")
    assert io.read_marker(str(tmp_path / "web")) == ["web", "the data"]


def test_a_store_that_takes_root_for_nobody(tmp_path, monkeypatch):
    """There the mark that root wrote is of the same account as its directory, which root made too."""
    io.write_marker(str(tmp_path / "web"), True)
    monkeypatch.setattr(io.os, "geteuid", lambda: 4711)
    assert io.read_marker(str(tmp_path / "web")) == ["web"]


def test_whether_a_directory_holds_its_data(tmp_path):
    path = tmp_path / "mysql"
    assert io.inspect({"path": str(path), "holds": "data/mysql"}, [])["holds"] is False
    (path / "data/mysql").mkdir(parents=True)
    assert io.inspect({"path": str(path), "holds": "data/mysql"}, [])["holds"] is True
    assert io.inspect({"path": str(path)}, [])["holds"] is None


def new_directory(path, *names, mode="2770"):
    """(the directory with a first file of each name, its planned steps), for the account that runs the test."""
    directory = {"path": str(path), "owner": str(os.getuid()), "group": str(os.getgid()), "mode": mode,
                 "first_files": [{"name": name, "content": "first %s \uac00\n" % name} for name in names]}
    return directory, plan_present(directory, io.inspect(directory, []), io.wanted_owner(directory), False)


def test_first_files_are_written_with_the_directory_and_never_again(tmp_path):
    path = tmp_path / "skp/jupyter"
    directory, steps = new_directory(path, "a.ipynb", "b.ipynb")
    io.apply(str(path), steps)
    assert sorted(os.listdir(path)) == ["a.ipynb", "b.ipynb"], "no temporary file is left"
    assert (path / "a.ipynb").read_text(encoding="utf-8") == "first a.ipynb \uac00\n"
    for name in ("a.ipynb", "b.ipynb"):
        file = (path / name).stat()
        assert (file.st_mode & 0o7777, file.st_uid, file.st_gid) == (0o644, path.stat().st_uid, path.stat().st_gid)
    assert path.stat().st_mode & 0o7777 == 0o2770
    # A person deletes one and changes the other.
    (path / "a.ipynb").unlink()
    (path / "b.ipynb").write_text("mine", encoding="utf-8")
    directory, steps = new_directory(path, "a.ipynb", "b.ipynb")
    assert steps == []
    io.apply(directory["path"], steps)
    assert os.listdir(path) == ["b.ipynb"] and (path / "b.ipynb").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_first_files_belong_to_the_owner_of_the_directory(tmp_path):
    path = tmp_path / "jupyter"
    directory = {"path": str(path), "owner": "61000", "group": "61001", "mode": "2770", "first_files": [{"name": "a", "content": "x"}]}
    io.apply(str(path), plan_present(directory, io.inspect(directory, []), io.wanted_owner(directory), False))
    found = (path / "a").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (61000, 61001, 0o644)
    assert (path.stat().st_uid, path.stat().st_gid) == (61000, 61001)


def test_an_empty_directory_that_exists_gets_no_first_files(tmp_path):
    (tmp_path / "jupyter").mkdir()
    _directory, steps = new_directory(tmp_path / "jupyter", "a.ipynb")
    assert "fill" not in dict(steps)
    io.apply(str(tmp_path / "jupyter"), steps)
    assert os.listdir(tmp_path / "jupyter") == []


def test_no_first_file_replaces_what_came_between_the_look_and_the_change(tmp_path):
    """A person is faster: a file, a link (also one that leads nowhere) and a directory of these names stay as they are."""
    path, secret = tmp_path / "jupyter", tmp_path / "secret"
    secret.write_text("secret", encoding="utf-8")
    _directory, steps = new_directory(path, "file", "link", "dangling", "folder", "free")
    path.mkdir()
    (path / "file").write_text("mine", encoding="utf-8")
    (path / "link").symlink_to(secret)
    (path / "dangling").symlink_to(tmp_path / "nowhere")
    (path / "folder").mkdir()
    io.apply(str(path), steps)
    assert (path / "file").read_text(encoding="utf-8") == "mine" and secret.read_text(encoding="utf-8") == "secret"
    assert (path / "link").is_symlink() and (path / "dangling").is_symlink() and not (tmp_path / "nowhere").exists()
    assert os.listdir(path / "folder") == [] and (path / "free").read_text(encoding="utf-8") == "first free \uac00\n"
    assert sorted(os.listdir(path)) == ["dangling", "file", "folder", "free", "link"]


def test_first_files_do_not_follow_a_directory_that_became_a_link(tmp_path):
    _directory, steps = new_directory(tmp_path / "jupyter", "a.ipynb")
    (tmp_path / "victim").mkdir()
    (tmp_path / "jupyter").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError):
        io.apply(str(tmp_path / "jupyter"), steps)
    assert os.listdir(tmp_path / "victim") == []


def test_a_write_that_fails_leaves_no_part_of_a_file(tmp_path, monkeypatch):
    path = tmp_path / "jupyter"
    _directory, steps = new_directory(path, "a.ipynb")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    path.mkdir()
    monkeypatch.setattr(io.os, "fsync", full)
    with pytest.raises(OSError):
        io.fill(str(path), dict(steps)["fill"])
    assert os.listdir(path) == []


def test_a_directory_is_filled_though_another_of_the_same_call_made_it_as_a_parent(tmp_path):
    _inner, inner = new_directory(tmp_path / "jupyter/events")
    _outer, outer = new_directory(tmp_path / "jupyter", "a.ipynb")
    io.apply(str(tmp_path / "jupyter/events"), inner)
    io.apply(str(tmp_path / "jupyter"), outer)
    assert sorted(name for name in os.listdir(tmp_path / "jupyter") if name[0] != ".") == ["a.ipynb", "events"]
