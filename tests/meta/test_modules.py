# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of the collection says of itself."""

from __future__ import annotations

import ast

import pytest
import yaml
from tree import COLLECTION, load, modules


def documentation(path):
    """Return a module's DOCUMENTATION, read without importing it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            return yaml.safe_load(node.value.value)
    raise AssertionError("%s has no DOCUMENTATION" % path.name)


@pytest.mark.parametrize("module", modules(), ids=lambda path: path.stem)
def test_check_and_diff_mode_are_stated(module):
    attributes = documentation(module)["attributes"]
    for name in ("check_mode", "diff_mode"):
        assert attributes[name]["support"] in ("full", "partial", "none", "N/A")
        assert attributes[name]["support"] != "partial" or attributes[name]["details"], "partial needs its details"
    assert attributes["check_mode"]["support"] in ("full", "partial"), "every module tells the truth in check mode"


@pytest.mark.parametrize("module", modules(), ids=lambda path: path.stem)
def test_code_is_readable_in_one_sitting(module):
    """The working part lies in module_utils: besides its documentation a module file is little more than main()."""
    text = module.read_text(encoding="utf-8")
    documented = sum(
        node.end_lineno - node.lineno + 1
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("DOCUMENTATION", "EXAMPLES", "RETURN")
    )
    assert len(text.splitlines()) - documented <= 300


def test_every_module_is_in_the_action_group():
    assert load(COLLECTION / "meta/runtime.yml")["action_groups"]["cluster"] == [module.stem for module in modules()]


def test_plans_are_pure():
    """A plan is a function of plain data: neither Ansible nor the engine is imported there, so its tests need no mock."""
    offenders = []
    for path in (COLLECTION / "plugins/module_utils").glob("_*_plan.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            offenders += ["%s: %s" % (path.name, name) for name in names if name.split(".")[0] in ("docker", "requests", "subprocess", "socket", "os")]
            offenders += ["%s: %s" % (path.name, name) for name in names if name.startswith("ansible.") or name.endswith(("_io", "_engine"))]
    assert offenders == []
