# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a role, with those of the roles it shares variables with."""

from __future__ import annotations

import pathlib

import pytest

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader

ROLES = pathlib.Path(__file__).parents[4] / "roles"


def look_up(path, **options):
    [found] = lookup_loader.get("skp.cluster.role_options", loader=DataLoader(), templar=None).run([str(path)], {}, **options)
    return found


def test_dependencies_are_part_of_it():
    options = look_up(ROLES / "jupyter")
    assert options["jupyter_port"]["type"] == "int"
    assert options["spark_name"]["default"] == "spark-skp"
    assert options["skp_net"]["default"] == "net-skp"


def test_another_entry_point():
    assert look_up(ROLES / "_service", entry_point="down")["service_name"]["required"] is True


@pytest.mark.parametrize("specs", ["", "argument_specs: {main: {short_description: Nothing}}"])
def test_a_role_without_options(tmp_path, specs):
    if specs:
        (tmp_path / "meta").mkdir()
        (tmp_path / "meta/argument_specs.yml").write_text(specs, encoding="utf-8")
    assert look_up(tmp_path) == {}
