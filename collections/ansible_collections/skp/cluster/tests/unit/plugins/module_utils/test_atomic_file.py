# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat

import pytest

from ansible_collections.skp.cluster.plugins.module_utils import atomic_file

ME = {"uid": os.getuid(), "gid": os.getgid()}


def _mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_write_and_drift(tmp_path):
    path = str(tmp_path / "a" / "b" / "secret")
    assert atomic_file.drift(path, "x", **ME) == ["missing"]
    atomic_file.write_text(path, "x", directory_mode=0o700, **ME)
    assert atomic_file.read_text(path) == "x"
    assert _mode(path) == 0o600
    assert [_mode(tmp_path / "a"), _mode(tmp_path / "a" / "b")] == [0o700, 0o700]
    assert atomic_file.drift(path, "x", **ME) == []
    assert os.listdir(os.path.dirname(path)) == ["secret"]


def test_drift_is_named(tmp_path):
    path = str(tmp_path / "f")
    atomic_file.write_text(path, "x", mode=0o644, **ME)
    assert atomic_file.drift(path, "y", uid=ME["uid"] + 1, gid=ME["gid"]) == ["content", "mode", "owner"]


def test_a_link_is_replaced_not_followed(tmp_path):
    target, path = tmp_path / "target", str(tmp_path / "link")
    target.write_text("untouched")
    os.symlink(str(target), path)
    assert "content" in atomic_file.drift(path, "untouched", **ME)
    atomic_file.write_text(path, "new", **ME)
    assert target.read_text() == "untouched" and not os.path.islink(path) and atomic_file.read_text(path) == "new"


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = str(tmp_path / "f")
    atomic_file.write_text(path, "old", **ME)
    with pytest.raises(UnicodeEncodeError):
        atomic_file.write_text(path, "\udcff", **ME)
    assert atomic_file.read_text(path) == "old"
    assert os.listdir(str(tmp_path)) == ["f"]


def test_umask_does_not_matter(tmp_path):
    before = os.umask(0o077)
    try:
        atomic_file.write_text(str(tmp_path / "d" / "f"), "x", mode=0o644, directory_mode=0o755, **ME)
    finally:
        os.umask(before)
    assert (_mode(tmp_path / "d" / "f"), _mode(tmp_path / "d")) == (0o644, 0o755)


def test_missing(tmp_path):
    assert atomic_file.read_text(str(tmp_path / "no")) is None
    (tmp_path / "file").write_text("")
    assert atomic_file.read_text(str(tmp_path / "file" / "below")) is None
