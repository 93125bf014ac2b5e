# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a role, with those of the roles it shares variables with."""

from __future__ import annotations

import pathlib

import pytest

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader

ROLES = pathlib.Path(__file__).parents[4] / "roles"


def look_up(path, variables=None, **options):
    [found] = lookup_loader.get("skp.cluster.role_options", loader=DataLoader(), templar=None).run([str(path)], variables or {}, **options)
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


@pytest.mark.parametrize(
    ("role", "variables", "words"),
    [
        ("kafka", {"kafka_heap_opt": "-Xmx1g"}, ["kafka_heap_opt", "role kafka", "did you mean kafka_heap_opts?"]),
        ("kafka", {"skp_hom": "/srv"}, ["skp_hom", "did you mean skp_home?"]),
        ("kafka", {"kafka_zzz": 1}, ["kafka_zzz", "skp_other_variables"]),
        ("spark", {"spark_event_dir": "/x", "spark_namen": "y"}, ["spark_events_dir", "spark_name"]),
        ("kafka", {"kafka_config": "log.retention.hours=1"}, ["kafka_config", "found text", "expected an object"]),
        ("jupyter", {"jupyter_mounts": "/a:/b"}, ["jupyter_mounts", "found text", "expected a list of objects"]),
    ],
)
def test_variables_that_would_have_no_effect_or_break_later_are_refused(role, variables, words):
    with pytest.raises(AnsibleError) as caught:
        look_up(ROLES / role, variables)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("role", "variables"),
    [
        ("kafka", {"kafka_heap_opts": "x", "skp_home": "/srv", "skp_labels": {}, "zookeeper_zzz": 1, "other": 2, "__kafka_x": 3}),
        # Variables of other roles of a site, named by it.
        ("registry", {"registry_url": "https://x", "skp_other_variables": ["registry_url"]}),
        ("registry", {"registry_url": "https://x", "registry_ca": "x", "skp_other_variables": "registry_url, registry_ca"}),
        # Of other entry points, or set by the role for others.
        ("zookeeper", {"zookeeper_connection_string": "zookeeper-skp-1:2181"}),
        ("awx", {"awx_job_id": 7, "awx_job_template_name": "mine awx", "awx_project_revision": "0", "skp_failures": []}),
        ("spark", {"spark_name": "x", "spark_ui_port": "8030"}),
        ("kafka", {"kafka_config": {}}),
        ("kafka", {"kafka_config": "{{ site_kafka }}"}),
        # As text: the role converts it.
        ("preflight", {"preflight_warn_only": "disk", "preflight_ports": {}}),
    ],
)
def test_variables_that_are_good(role, variables):
    assert look_up(ROLES / role, variables)
