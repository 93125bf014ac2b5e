# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-doc shows is text: in YAML an unquoted ``a: b`` is a dictionary, which ansible-doc and Ansible's own checks stumble over late."""

from __future__ import annotations

import ast

import pytest
import yaml
from tree import COLLECTION, entry_points, relative, roles

PROSE = ("description", "details", "notes", "requirements", "short_description")
SOURCES = sorted(path for path in (COLLECTION / "plugins").glob("*/[!_]*.py") if path.parent.name not in ("action", "module_utils", "plugin_utils"))


def sections(path):
    """Return the YAML strings of a plugin or of a documentation fragment, read without importing it."""
    return [
        yaml.safe_load(node.value.value)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("DOCUMENTATION", "RETURN")
    ]


def not_text(node, key=""):
    """Return the paragraphs below a node of documentation that are no text. An option may have the name of a part: that one is a dictionary."""
    if isinstance(node, dict):
        return [found for name, item in node.items() for found in not_text(item, "" if key in ("options", "contains") else name)]
    if isinstance(node, list):
        paragraphs = [item for item in node if key in PROSE and not isinstance(item, str)]
        return paragraphs + [found for item in node if not paragraphs for found in not_text(item)]
    return []


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_paragraphs_of_plugins_are_text(path):
    assert sections(path), "a plugin is documented"
    assert not_text(sections(path)) == []


@pytest.mark.parametrize("role", roles(), ids=lambda path: path.name)
def test_paragraphs_of_roles_are_text(role):
    assert not_text(entry_points(role)) == []


@pytest.mark.parametrize("role", roles(), ids=lambda path: path.name)
def test_entry_points_have_both_descriptions(role):
    """antsibull-docs wants both, ansible-doc only the short one: without them `make docs` would make an error page."""
    lacking = [name for name, spec in entry_points(role).items() if not (spec.get("short_description") and spec.get("description"))]
    assert lacking == []


def test_a_paragraph_that_yaml_reads_as_a_dictionary_is_found():
    read = yaml.safe_load("description: [good]\noptions: {notes: {description: [first, so it is: every task]}}\nnotes: [{a: b}]\n")
    assert not_text(read) == [{"so it is": "every task"}, {"a": "b"}]
