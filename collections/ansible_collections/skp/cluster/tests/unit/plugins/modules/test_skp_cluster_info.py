# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module writes for the gateway's page: the judged state in one step, or nothing."""

from __future__ import annotations

import json

import pytest

from ansible_collections.skp.cluster.plugins.filter.cluster_status import site_of
from ansible_collections.skp.cluster.plugins.modules import skp_cluster_info

SETTINGS = {"cluster": "lab", "time": "2026-11-22 20:00:00 UTC", "disk_free_percent": 10, "recent_seconds": 3600}
SWARM = {"answered": True, "kind": "", "error": "", "nodes": [], "services": [], "images": {}, "registry": {}}


@pytest.fixture(autouse=True)
def as_any_user(monkeypatch):
    """The files are root's; the tests run as anybody."""
    real = skp_cluster_info.atomic_file.write_text
    monkeypatch.setattr(skp_cluster_info.atomic_file, "write_text", lambda path, text, mode: real(
        path, text, mode=mode, uid=skp_cluster_info.os.geteuid(), gid=skp_cluster_info.os.getegid()))


def site():
    """A site of one host, as the filter gives it."""
    return site_of(["c01"], {"c01": {"ansible_host": "192.0.2.1", "skp_labels": {}}}, {"skp": ["c01"], "master": ["c01"]}, SETTINGS)


def test_the_answer_is_judged_and_written_for_everybody(tmp_path):
    path = tmp_path / "run.json"
    assert skp_cluster_info.publish({"path": str(path), "site": site(), "document": None}, SWARM) == ""
    found = json.loads(path.read_text(encoding="utf-8"))
    assert (found["cluster"], found["time"], found["swarm"]["answered"]) == ("lab", SETTINGS["time"], True)
    assert [(one["name"], one["state"]) for one in found["nodes"]] == [("c01", "not in the swarm")]
    assert path.stat().st_mode & 0o777 == 0o644 and [one.name for one in tmp_path.iterdir()] == ["run.json"]


def test_a_document_is_written_as_it_is(tmp_path):
    path = tmp_path / "status.json"
    assert skp_cluster_info.publish({"path": str(path), "site": None, "document": {"version": 1}}, None) == ""
    assert json.loads(path.read_text(encoding="utf-8")) == {"version": 1}


def test_without_an_answer_the_last_overview_stays(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("of before", encoding="utf-8")
    for swarm in (None, {"answered": False, "kind": "no_leader", "error": "x"}):
        assert skp_cluster_info.publish({"path": str(path), "site": site(), "document": None}, swarm) == ""
    assert path.read_text(encoding="utf-8") == "of before"


def test_what_cannot_be_written_is_said_and_no_error(tmp_path, monkeypatch):
    assert "--tags gateway" in skp_cluster_info.publish({"path": str(tmp_path / "none" / "run.json"), "site": site(), "document": None}, SWARM)

    def full(*_arguments, **_more):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(skp_cluster_info.atomic_file, "write_text", full)
    assert "No space left on device" in skp_cluster_info.publish({"path": str(tmp_path / "run.json"), "site": site(), "document": None}, SWARM)
