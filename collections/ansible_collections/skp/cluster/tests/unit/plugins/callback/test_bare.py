# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors go to the standard error output, everything else nowhere."""

from __future__ import annotations

import types

import pytest

from ansible_collections.skp.cluster.plugins.callback.bare import CallbackModule, first_text


@pytest.mark.parametrize("result, text", [
    ({"msg": "no disk"}, "no disk"), ({}, "failed"),
    ({"msg": "One or more items failed", "results": [{"msg": "fine"}, {"failed": True, "msg": "no route"}]}, "no route"),
    ({"msg": "One or more items failed", "results": [{"failed": True}]}, "One or more items failed"),
])
def test_what_a_failure_says(result, text):
    assert first_text(result) == text


def shown(monkeypatch, method, ignored, **more):
    callback = CallbackModule()
    said = []
    monkeypatch.setattr(callback, "_display", types.SimpleNamespace(display=lambda text, **options: said.append((text, options["stderr"]))))
    result = types.SimpleNamespace(_result={"msg": "no route\n"}, _host=types.SimpleNamespace(get_name=lambda: "c1"),
                                   _task=types.SimpleNamespace(ignore_unreachable=ignored))
    getattr(callback, method)(result, **more)
    return said


def test_errors(monkeypatch):
    expected = [("[ERROR]: c1: no route", True)]
    assert shown(monkeypatch, "v2_runner_on_failed", False) == expected
    assert shown(monkeypatch, "v2_runner_on_unreachable", False) == expected


def test_what_a_playbook_expects_is_no_error(monkeypatch):
    assert shown(monkeypatch, "v2_runner_on_failed", False, ignore_errors=True) == shown(monkeypatch, "v2_runner_on_unreachable", True) == []
