# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every service has a witness, so that the lab's tests for all services cover it; roles and witnesses stay short."""

from __future__ import annotations

import ast

import pytest
from tree import COLLECTION, ROOT, files, load, relative

WITNESSES = ROOT / "tests/lab/witness"
NEXT_SERVICE = ROOT / "tests/lab/next_service"
PARTS_OF_THE_BASE = {"base.py", "definitions.py", "__init__.py"}


def lines(path):
    """Return how many lines of a file say something: neither empty nor licence."""
    return sum(
        1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip() not in ("", "---") and "SPDX" not in line and "Copyright" not in line
    )


def test_every_service_that_can_be_taken_down_has_a_witness():
    services = {path.parents[1].name for path in (COLLECTION / "roles").glob("*/tasks/down.yml")} - {"_service"}
    assert services == {path.stem for path in WITNESSES.glob("*.py") if path.name not in PARTS_OF_THE_BASE}


def test_every_witness_is_asked():
    tree = ast.parse((WITNESSES / "__init__.py").read_text(encoding="utf-8"))
    [asked] = [node.value for node in ast.walk(tree) if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ALL"]
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {"witness." + path.stem for path in WITNESSES.glob("*.py") if path.name not in PARTS_OF_THE_BASE} <= modules
    assert len(asked.elts) == len([path for path in WITNESSES.glob("*.py") if path.name not in PARTS_OF_THE_BASE]) + 1


@pytest.mark.parametrize(
    "path", [path for path in WITNESSES.glob("*.py") if path.name not in PARTS_OF_THE_BASE] + [NEXT_SERVICE / "witness.py"], ids=relative
)
def test_a_witness_is_short(path):
    """30 to 60 lines: what needs more is a client, and has a file of its own beside the witnesses."""
    assert 25 <= lines(path) <= 60


def test_the_next_service_is_cheap():
    """A role of at most 42 lines gets the second run, the dry run, the move, down, the outages and the sweeps, without a test of its own."""
    role = [path for path in files() if path.is_relative_to(NEXT_SERVICE / "roles/echo")]
    assert len(role) >= 4 and sum(map(lines, role)) <= 42


def test_the_next_service_is_in_site_and_down():
    assert [play["ansible.builtin.import_playbook"] for play in load(NEXT_SERVICE / "site.yml")] == ["skp.cluster.site", "echo.yml"]
    assert load(NEXT_SERVICE / "down.yml")[-1]["ansible.builtin.import_playbook"] == "skp.cluster.down"
