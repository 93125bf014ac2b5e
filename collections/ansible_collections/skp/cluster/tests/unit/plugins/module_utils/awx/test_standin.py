# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's table of fields against the recorded answers of a real AWX, where SKP_AWX_API names them (a JSON file: endpoints, samples)."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib

import pytest

SPEC = importlib.util.spec_from_file_location("awx_standin", pathlib.Path(__file__).with_name("awx_standin.py"))
standin = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(standin)

RECORDED = os.environ.get("SKP_AWX_API", "")


@pytest.mark.skipif(not RECORDED, reason="SKP_AWX_API does not name the recorded answers")
@pytest.mark.parametrize("kind", standin.TABLE)
def test_the_fields_are_those_of_awx(kind):
    fields = json.loads(pathlib.Path(RECORDED).read_text(encoding="utf-8"))["endpoints"]["/api/v2/%s/" % kind]["post_fields"]
    assert {name: rule[0] for name, rule in standin.TABLE[kind].items()} == {name: rule["type"] for name, rule in fields.items()}
    defaults = {name: rule["default"] for name, rule in fields.items() if "default" in rule and name != "identifier"}
    assert {name: standin.TABLE[kind][name][1] for name in defaults} == defaults


REFUSED = [
    ("job_templates", {"name": "x", "playbook": "site.yml"}, {"project": ["Job Templates must have a project assigned."]}),
    ("job_templates", {}, {"name": ["This field is required."]}),
    ("credential_types", {"inputs": {}, "kind": "ssh", "name": "bad"}, {"kind": ["Must be 'cloud' or 'net', not ssh"]}),
    ("credential_types", {"inputs": {"fields": [{"id": "a"}]}, "kind": "cloud", "name": "bad"}, {"inputs": ["'label' is a required property"]}),
    ("execution_environments", {"image": "quay.io/a b", "name": "bad"}, {"image": ["The container image name quay.io/a b is not valid"]}),
    ("execution_environments", {"image": "q/a", "name": "bad", "pull": "sometimes"}, {"pull": ['"sometimes" is not a valid choice.']}),
    ("projects", {"name": "p", "scm_type": "git"}, {"scm_url": ["SCM URL is required."]}),
    ("labels", {"name": "x"}, {"organization": ["This field is required."]}),
    ("inventories", {"name": "i", "organization": 9999}, {"organization": ['Invalid pk "9999" - object does not exist.']}),
]


@pytest.mark.parametrize(("kind", "body", "answer"), REFUSED)
def test_it_refuses_as_awx_did(kind, body, answer):
    app = standin.Awx(["site.yml"])
    assert app.answer("POST", "/api/v2/%s/" % kind, body, {"Authorization": "Bearer " + standin.TOKEN}) == (400, answer)


def test_without_an_account():
    assert standin.Awx([]).answer("GET", "/api/v2/labels/", None, {})[0] == 401
