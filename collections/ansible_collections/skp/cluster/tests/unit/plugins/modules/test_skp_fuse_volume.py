# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible calls it: what it returns has no secret, also when it fails."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.skp.cluster.plugins.module_utils.volumes import io
from ansible_collections.skp.cluster.plugins.modules import skp_fuse_volume, skp_fuse_volume_info
from ansible_collections.skp.cluster.tests.unit.plugins.module_utils.volumes.volume_samples import SECRETS, volume


def call(module, capsys, **options):
    """(result, text) of a call."""
    with patch_module_args(options), pytest.raises(SystemExit):
        module.main()
    text = capsys.readouterr().out
    return json.loads(text), text


@pytest.fixture(autouse=True)
def fixture_places(tmp_path, monkeypatch):
    """Nothing of this machine is read or written."""
    monkeypatch.setattr(io, "HOME", str(tmp_path / "etc"))
    monkeypatch.setattr(io, "UNITS", str(tmp_path / "units"))


def test_check_mode_shows_everything_but_the_secrets(tmp_path, capsys):
    volumes = [volume(driver) for driver in ("sshfs", "s3fs", "rclone", "blobfuse2")]
    result, text = call(skp_fuse_volume, capsys, volumes=volumes, directory=str(tmp_path / "mnt"), _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"] and sorted(result["volumes"]) == ["blob", "lake", "s3", "vendor"] and result["errors"] == {}
    assert not any(secret in text for secret in SECRETS) and not (tmp_path / "etc").exists()


def test_the_journal_has_no_line_of_a_private_key(tmp_path, capsys, monkeypatch):
    """AnsibleModule writes its arguments to the journal as one line, in which a secret of several lines looks different."""
    written = []
    monkeypatch.setattr(skp_fuse_volume.QuietModule, "log", lambda module, text, log_args=None: written.append("%s %s" % (text, log_args)))
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n"
    call(skp_fuse_volume, capsys, volumes=[volume("sshfs", credentials={"private_key": key})], directory=str(tmp_path / "mnt"), _ansible_check_mode=True)
    assert "lake" in written[0] and not any(line in text for text in written for line in key.splitlines())


def test_an_error_has_no_secret(tmp_path, capsys):
    result, text = call(skp_fuse_volume, capsys, volumes=[volume("s3fs", options={"allow_other": False})], directory=str(tmp_path / "mnt"))
    assert "must stay True" in result["msg"] and result["failure"]["kind"] == "volume_value" and not any(secret in text for secret in SECRETS)


def test_a_failed_volume_is_named_and_the_task_fails(tmp_path, capsys):
    (tmp_path / "mnt/s3").mkdir(parents=True)
    (tmp_path / "mnt/s3/file").touch()
    result, text = call(skp_fuse_volume, capsys, volumes=[volume("s3fs")], directory=str(tmp_path / "mnt"), _ansible_check_mode=True)
    assert result["failed"] is True and result["failure"]["kind"] == "volumes" and "volume s3: " in result["msg"] and "file" in result["msg"]
    assert list(result["errors"]) == ["s3"] and not any(secret in text for secret in SECRETS)


def test_info_of_a_node_without_volumes(capsys):
    result, _text = call(skp_fuse_volume_info, capsys)
    assert result["changed"] is False and result["volumes"] == {} and result["host_keys"] == []
