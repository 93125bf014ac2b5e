# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text is printed as it is, and a file is replaced in one step."""

from __future__ import annotations

import types

import pytest

from ansible.errors import AnsibleActionFail
from ansible.plugins.loader import action_loader
from ansible_collections.skp.cluster.plugins.action import skp_show


def run(monkeypatch, **arguments):
    """(result, what was printed)."""
    task = types.SimpleNamespace(args=arguments, check_mode=True, async_val=0, diff=False, action="skp.cluster.skp_show")
    plugin = action_loader.get("skp.cluster.skp_show", task=task, play_context=None, loader=None, templar=None,
                               connection=types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir="/nowhere")), shared_loader_obj=None)
    printed = []
    monkeypatch.setattr(skp_show.display, "display", printed.append)
    return plugin.run(task_vars={}), printed


def test_lines_are_printed_once_and_not_in_the_result(monkeypatch):
    line = "x" * 500 + ": {not: yaml}"
    result, printed = run(monkeypatch, text=[line, "", "last"])
    assert printed == [line + "\n\nlast"] and result["changed"] is False and "x" * 20 not in repr(result)


def test_no_text_prints_nothing(monkeypatch):
    assert run(monkeypatch, text=[])[1] == []


def test_a_file(monkeypatch, tmp_path):
    path = tmp_path / "status.json"
    path.write_text("old", encoding="utf-8")
    run(monkeypatch, dest=str(path), content="{}\n")
    assert path.read_text(encoding="utf-8") == "{}\n" and [item.name for item in tmp_path.iterdir()] == ["status.json"]


def test_a_file_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    with pytest.raises(AnsibleActionFail, match="none/status.json cannot be written on the controller"):
        run(monkeypatch, dest=str(tmp_path / "none/status.json"), content="x")


def test_values_for_the_end_of_the_run(monkeypatch):
    result, _printed = run(monkeypatch, stats={"skp_status": {"state": "ok"}})
    assert result["ansible_stats"] == {"data": {"skp_status": {"state": "ok"}}, "per_host": False, "aggregate": False}
