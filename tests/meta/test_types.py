# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that are given as text: `-e name=false` and a survey of AWX give text, and the text "false" is true in a condition.

Ansible's validation accepts such text for a bool, a number or a list, but converts nothing. So each use converts.
"""

from __future__ import annotations

import functools
import re

import pytest
from tree import COLLECTION, entry_points, load, relative, roles

CONDITIONS = ("when", "that", "until", "failed_when", "changed_when")
CONVERTED = {"bool": r"bool\b", "list": r"skp\.cluster\.from_text\b"}
SOURCES = sorted(
    path
    for folder in ("roles/*/tasks/*.yml", "roles/*/vars/*.yml", "roles/*/handlers/*.yml", "roles/*/templates/*", "playbooks/*.yml")
    for path in COLLECTION.glob(folder)
)


@functools.cache
def options(kind):
    """Return the names of all options of a type, of lists only those of text and numbers: others cannot be given as text.

    Not those of _service, which only roles set.
    """
    specs = [spec for role in roles() if role.name != "_service" for spec in entry_points(role).values()]
    found = {name: option for spec in specs for name, option in (spec.get("options") or {}).items()}
    return {name for name, option in found.items() if option["type"] == kind and option.get("elements") not in ("dict", "list")}


def expressions(node, key="", argument=False):
    """Yield (expression, whether it is the whole value of a module's argument) below a loaded file."""
    if isinstance(node, dict):
        for name, item in node.items():
            yield from expressions(item, name, argument or ("." in str(name) and name != "vars"))
    elif isinstance(node, list):
        for item in node:
            yield from expressions(item, key, argument)
    elif isinstance(node, str) and key in CONDITIONS:
        yield node, False
    elif isinstance(node, str):
        whole = re.fullmatch(r"\{\{([^{}]*)\}\}\s*", node)
        for text in re.findall(r"\{\{.*?\}\}|\{%.*?%\}", node, re.DOTALL):
            yield text[2:-2], bool(whole) and argument


def raw_uses(expression, names, kind):
    """Return the names that an expression uses without a conversion. Text in quotes is no use."""
    code = re.sub(r"'[^']*'|\"[^\"]*\"", "''", expression)
    pattern = r"(?<![\w.])(%s)\b(?!\s*(?:\|\s*default\([^()]*\)\s*)?\|\s*%s)(?!\s*=[^=])" % ("|".join(sorted(names)), CONVERTED[kind])
    return re.findall(pattern, code)


@pytest.mark.parametrize("kind", CONVERTED)
@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_text_is_converted_where_it_is_used(path, kind):
    names = options(kind)
    node = load(path) if path.suffix == ".yml" and path.parent.name != "templates" else path.read_text(encoding="utf-8")
    # An argument of a module is converted by the module.
    assert [name for text, argument in expressions(node) for name in raw_uses(text, names, kind) if not (argument and text.strip() == name)] == []


@pytest.mark.parametrize(
    ("kind", "expression", "found"),
    [
        ("bool", "'present' if engine_manage else 'gathered'", ["engine_manage"]),
        ("bool", "'present' if engine_manage | bool else 'gathered'", []),
        ("bool", "engine_manage | default(true) | bool", []),
        ("bool", "'set engine_manage: true'", []),
        ("bool", "a and not (b and engine_manage)", ["engine_manage"]),
        ("list", "['x'] + preflight_dns_names", ["preflight_dns_names"]),
        ("list", "['x'] + preflight_dns_names | skp.cluster.from_text", []),
    ],
)
def test_raw_uses_are_found(kind, expression, found):
    assert raw_uses(expression, {"engine_manage", "preflight_dns_names"}, kind) == found


CALCULATES = r"[-+*/%<>]|==|!=|(?:not )?in\b"
COUNTS = r"\|\s*(?:max|min|sum|abs|round|log|pow|human_readable|list|sort)\b|is (?:not )?(?:divisibleby|odd|even|eq|equalto|gt|ge|lt|le|ne)\b"


def calculations(expression, names):
    """Return the names of numbers that an expression calculates or compares with, without a conversion. In text, or as an element, a number may be text."""
    code = re.sub(r"'[^']*'|\"[^\"]*\"", "''", expression)
    default = r"(?:\s*\|\s*default\([^()]*\))?"
    name = r"(?<![\w.])(%s)\b(?!\s*=[^=])" % "|".join(sorted(names))
    after = re.findall(name + default + r"\s*(?:%s|%s)" % (CALCULATES, COUNTS), code)
    # Behind an operator a filter belongs to the name alone.
    before = re.findall(r"(?:%s|\brange\([^()]*)\s*" % CALCULATES + name + r"(?!%s\s*\|\s*(?:int|float|string)\b)" % default, code)
    return after + before


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_numbers_are_converted_where_they_are_calculated_with(path):
    """In text, `10` is less than `9`, and `2 * '3'` is `33`. A number that is put into a text or given to a module is the same either way."""
    names = options("int") | options("float")
    node = load(path) if path.suffix == ".yml" and path.parent.name != "templates" else path.read_text(encoding="utf-8")
    assert [(name, text.strip()) for text, _argument in expressions(node) for name in calculations(text, names)] == []


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("kafka_port + 1", True),
        ("1 + kafka_port", True),
        ("2 * kafka_port | default(9092)", True),
        ("kafka_port > 1024", True),
        ("kafka_port | default(9092) == 9092", True),
        ("[kafka_port, 2] | max", False),
        ("kafka_port | max", True),
        ("range(1, kafka_port)", True),
        ("other in ports and kafka_port in ports", True),
        ("kafka_port | int + 1", False),
        ("1 + kafka_port | int", False),
        ("1 + kafka_port | default(9092) | int", False),
        ("kafka_port | string in ports", False),
        ("'kafka:' ~ kafka_port", False),
        ("{'target': kafka_port}", False),
        ("my_kafka_port + 1", False),
        ("hosts | map('regex_replace', '$', ':' ~ kafka_port)", False),
        ("'kafka_port + 1'", False),
    ],
)
def test_calculations_are_found(expression, found):
    assert bool(calculations(expression, {"kafka_port"})) is found
