# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's scripts, with a stand-in for ssh, and its filters."""

from __future__ import annotations

import pathlib
import shutil
import stat
import subprocess

import pytest

from ansible_collections.skp.cluster.plugins.filter.volumes_here import volumes_here
from ansible_collections.skp.cluster.plugins.filter.volumes_plan import volumes_plan
from ansible_collections.skp.cluster.tests.unit.plugins.module_utils.volumes.volume_samples import HOST_KEY, PRIVATE, SECRETS, volume

FILES = pathlib.Path(__file__).resolve().parents[3] / "roles/volumes/files"
EMPTY = {key: "" for key in ("sshfs_id", "sshfs_host", "sshfs_volume", "sshfs_host_key", "s3_account", "s3_bucket", "s3_access_id", "s3_access_key", "s3_url",
                             "s3_region", "blob_account_name", "blob_account_key", "blob_container_name", "blob_endpoint")}
SETTINGS = dict(EMPTY, uid=61000, gid=61000, sshfs_port=22, labels=["jupyter", "spark-worker"])
GROUPS = {"jupyter": ["c01"], "spark_worker": ["c02", "c03"], "kafka": ["c04"]}

# It asks for the password as ssh does, says what it was called with, and runs the command in a home of its own.
SSH = """#!/bin/sh
[ "$($SSH_ASKPASS)" = 'pa ss$w"ord' ] || { echo "Permission denied (password)." >&2; exit 255; }
echo "$@" | grep -q "StrictHostKeyChecking=yes" || exit 3
for word in "$@"; do last=$word; done
cd "$HOME" && sh -c "$last"
"""


@pytest.fixture(name="copy")
def fixture_copy(tmp_path):
    """A function that runs copy_id.sh with a password, and the home on the server."""
    if not shutil.which("ssh-keygen"):
        pytest.skip("no ssh-keygen")
    (tmp_path / "bin").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "tmp").mkdir()
    (tmp_path / "bin/ssh").write_text(SSH)
    (tmp_path / "bin/ssh").chmod(0o755)
    made = subprocess.run(["sh", "-c", (FILES / "keygen.sh").read_text(), "sh", "skp-volumes-x"], capture_output=True, text=True, check=True)
    (tmp_path / "key").write_text(made.stdout)
    (tmp_path / "key").chmod(0o600)

    def run(password):
        words = ["sh", "-c", (FILES / "copy_id.sh").read_text(), "sh", str(tmp_path / "key"), "me", "data.example", "22", "data.example " + HOST_KEY]
        environment = {"PATH": "%s/bin:/usr/bin:/bin" % tmp_path, "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}
        done = subprocess.run(words, input=password, env=environment, capture_output=True, text=True, check=False)
        assert list((tmp_path / "tmp").iterdir()) == [], "nothing of it is left"
        return done

    return run, tmp_path / "home"


def test_the_key_is_added_once(copy):
    run, home = copy
    (home / ".ssh").mkdir()
    (home / ".ssh/authorized_keys").write_text("ssh-ed25519 AAAA other")  # without an end of line
    assert run('pa ss$w"ord').stdout.strip() == "skp-added" and run('pa ss$w"ord').stdout.strip() == "skp-there"
    lines = (home / ".ssh/authorized_keys").read_text().splitlines()
    assert lines[0] == "ssh-ed25519 AAAA other" and len(lines) == 2 and lines[1].endswith(" skp-volumes-x")


def test_a_new_file_is_private(copy):
    run, home = copy
    assert run('pa ss$w"ord').returncode == 0
    assert [stat.S_IMODE((home / name).stat().st_mode) for name in (".ssh", ".ssh/authorized_keys")] == [0o700, 0o600]


def test_a_wrong_password_says_so(copy):
    done = copy[0]("wrong")
    assert done.returncode != 0 and "Permission denied" in done.stderr and "wrong" not in done.stderr


def test_the_plan_has_no_secret_and_says_who_needs_the_key():
    volumes = [volume("sshfs", credentials={"private_key": ""}), volume("rclone", labels=["spark-worker"]), volume("s3fs")]
    found = volumes_plan(volumes, GROUPS, SETTINGS, "/mnt/skp")
    assert found["refusal"] == "" and found["needs_key"] == ["lake"] and found["drivers"] == ["rclone", "s3fs", "sshfs"]
    assert found["hosts"] == {"c01": ["sshfs", "s3fs"], "c02": ["sshfs", "rclone", "s3fs"], "c03": ["sshfs", "rclone", "s3fs"]}
    assert found["names_of"]["c01"] == ["lake", "s3"] and sorted(found["names_of"]) == ["c01", "c02", "c03"]
    assert found["servers"][0]["known_hosts"] == "data.example %s\n" % HOST_KEY and found["ask"] == [{"host": "data.example", "port": 22}]
    assert not any(secret in str(found) for secret in SECRETS)


def test_a_bad_volume_is_refused_before_a_node_is_touched():
    found = volumes_plan([volume("s3fs", options={"nonempty": True})], GROUPS, SETTINGS, "/mnt/skp")
    assert "volume s3: option nonempty: refused" in found["refusal"] and found["servers"] == []


def test_a_host_gets_the_cluster_s_key_for_volumes_without_one():
    own = volume("sshfs", name="own")
    [first, second] = volumes_here([volume("sshfs", credentials={"private_key": ""}), own], ["jupyter"], SETTINGS, "the cluster's")
    assert first["credentials"]["private_key"] == "the cluster's" and second["credentials"]["private_key"] == PRIVATE
    assert "labels" not in first and volumes_here([own], ["kafka"], SETTINGS) == []
