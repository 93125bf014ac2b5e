# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins in URLs are found and hidden, whole."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.module_utils import logins
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.image import plan


@pytest.mark.parametrize("text, login, shown", [
    ("https://mirror.example/debian", "", "https://mirror.example/debian"),
    ("https://user:word@mirror.example/debian", "user:word", "https://***@mirror.example/debian"),
    ("https://token@mirror.example", "token", "https://***@mirror.example"),
    ("http://user:p@ss@proxy:3128", "user:p@ss", "http://***@proxy:3128"),
    ("https://one.example,https://user:word@two.example,direct", "user:word", "https://one.example,https://***@two.example,direct"),
    ("https://host/path/@scope/package", "", "https://host/path/@scope/package"),
    ("https://host?mail=a@b", "", "https://host?mail=a@b"),
    ('{"http-proxy": "http://a:b@proxy"}', "a:b", '{"http-proxy": "http://***@proxy"}'),
    ("deb [signed-by=/x] http://a:b@host/debian trixie main", "a:b", "deb [signed-by=/x] http://***@host/debian trixie main"),
])
def test_logins_are_found_and_hidden_whole(text, login, shown):
    assert logins.has_login(text) is bool(login)
    assert logins.logins({"key": [text]}) == ({login} if login else set())
    assert logins.without_logins(text) == shown


def test_a_mirror_whose_security_updates_are_unknown_is_named_without_its_login():
    with pytest.raises(Failure) as caught:
        plan.security_mirror("https://user:p@ss@mirror.example/apt", "")
    assert "user" not in caught.value.msg and "ss@" not in caught.value.msg and "mirror.example/apt" in caught.value.msg
