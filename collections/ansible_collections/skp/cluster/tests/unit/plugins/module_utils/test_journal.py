# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module writes to its node's journal about its call."""

from __future__ import annotations

import json

from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args

from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule

PARTS = ["a-password-%d" % number for number in range(20)]
FILE = "[database]\nurl = mysql://airflow:%s@mysql\n[api]\nsecret = not-in-a-list\nquote = \"it's\"\n" % PARTS[7]


def test_a_long_text_is_there_as_its_length(monkeypatch):
    written = []
    monkeypatch.setattr(QuietModule, "log", lambda module, text, log_args=None: written.append(text + json.dumps(log_args)))
    spec = {"name": {"type": "str"}, "files": {"type": "list", "elements": "dict", "options": {"content": {}}}}
    with patch_module_args({"name": "n" * 500, "files": [{"content": "line\n" * 101}]}):
        module = QuietModule(argument_spec=spec)
    assert module.params["files"][0]["content"] == "line\n" * 101
    text = "\n".join(written)
    assert "n" * 500 in text and "line" not in text and "(505 characters)" in text


def test_a_file_with_secrets_is_left_out_whole(monkeypatch):
    """Parts of it are secrets themselves, and the file is known as a whole: what is replaced first must not hide the rest."""
    written = []
    monkeypatch.setattr(QuietModule, "log", lambda module, text, log_args=None: written.append(text + json.dumps(log_args)))
    spec = {"name": {"type": "str"}, "files": {"type": "list", "elements": "dict", "options": {"name": {"type": "str"}, "content": {"no_log": True}}},
            "parts": {"type": "list", "elements": "str", "no_log": True}}
    given = {"name": "one", "files": [{"name": "airflow.cfg", "content": FILE}, {"name": "other", "content": "line one\nline two"}], "parts": PARTS}
    with patch_module_args(given):
        module = QuietModule(argument_spec=spec)
    assert isinstance(module, basic.AnsibleModule) and module.params["files"][0]["content"] == FILE
    text = "\n".join(written)
    assert "airflow.cfg" in text and "one" in text
    assert [word for word in ("not-in-a-list", "line two", "a-password", "mysql://") if word in text] == []
