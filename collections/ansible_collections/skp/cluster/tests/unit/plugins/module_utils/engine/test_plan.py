# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of daemon.json: merged, taken back, refused."""

from __future__ import annotations

import json

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.engine import plan
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure

LOGS = {"log-driver": "json-file", "log-opts": {"max-size": "50m", "max-file": "3"}}

MERGES = [
    # (case, what is there, wanted, expected content, keys that differ)
    ("nothing there", {}, LOGS, LOGS, ["log-driver", "log-opts"]),
    ("already so", LOGS, LOGS, LOGS, []),
    ("unknown keys "
     "stay", {"data-root": "/big", "x": {"y": 1}}, {"debug": True}, {"data-root": "/big", "x": {"y": 1}, "debug": True}, ["debug"]),
    ("deep", {"log-opts": {"labels": "a", "max-size": "1m"}}, {"log-opts": {"max-size": "2m"}},
     {"log-opts": {"labels": "a", "max-size": "2m"}}, ["log-opts"]),
    ("lists are united, ours first", {"dns": ["9.9.9.9", "10.0.0.1"]}, {"dns": ["10.0.0.1"]}, {"dns": ["10.0.0.1", "9.9.9.9"]}, ["dns"]),
    ("a list over a text", {"dns": "9.9.9.9"}, {"dns": ["10.0.0.1"]}, {"dns": ["10.0.0.1"]}, ["dns"]),
    ("an empty dict", {}, {"runtimes": {}}, {"runtimes": {}}, ["runtimes"]),
]


@pytest.mark.parametrize("current, desired, expected, keys", [row[1:] for row in MERGES], ids=[row[0] for row in MERGES])
def test_merge_and_second_run(current, desired, expected, keys):
    """The content is as expected, the input untouched, and a second run finds nothing to do."""
    before = json.dumps(current)
    first = plan.merge(current, desired, [])
    assert (first["config"], first["keys"]) == (expected, keys)
    assert json.dumps(current) == before
    second = plan.merge(first["config"], desired, json.loads(json.dumps(first["record"])))
    assert (second["config"], second["keys"], second["record"]) == (first["config"], [], first["record"])


@pytest.mark.parametrize("current, desired", [row[1:3] for row in MERGES], ids=[row[0] for row in MERGES])
def test_no_longer_wanted_gives_back_what_was_there(current, desired):
    """Wanting nothing after having wanted something restores the owner's file."""
    first = plan.merge(current, desired, [])
    back = plan.merge(first["config"], {}, first["record"])
    same = {key: sorted(value) if isinstance(value, list) else value for key, value in current.items()}
    assert {key: sorted(value) if isinstance(value, list) else value for key, value in back["config"].items()} == same
    assert back["record"] == []


def test_what_the_owner_changed_since_stays():
    """A value somebody edited after us is not taken back."""
    first = plan.merge({}, {"debug": True, "dns": ["10.0.0.1"]}, [])
    edited = dict(first["config"], debug=False, dns=["10.0.0.1", "10.9.9.9"])
    assert plan.merge(edited, {}, first["record"])["config"] == {"debug": False, "dns": ["10.9.9.9"]}


def test_a_changed_wish_still_remembers_the_owners_value():
    """Two changes of ours, then none: the value from before the first comes back."""
    one = plan.merge({"mtu": 1500}, {"mtu": 1400}, [])
    two = plan.merge(one["config"], {"mtu": 1300}, one["record"])
    assert two["config"] == {"mtu": 1300}
    assert plan.merge(two["config"], {}, two["record"])["config"] == {"mtu": 1500}


@pytest.mark.parametrize("keys, effect", [
    ([], ""), (["debug"], "reload"), (["debug", "insecure-registries"], "reload"), (["dns"], "restart"), (["debug", "log-opts"], "restart"),
])
def test_effect(keys, effect):
    """Only keys the engine reloads go without a restart."""
    assert plan.effect(keys) == effect


@pytest.mark.parametrize("text, words", [
    ('{"a": 1,\n "b" 2}', "line 2, column 6"),
    ("[1]", "found a JSON list"),
    ('{"a": 1', "line 1"),
])
def test_invalid_file_is_refused(text, words):
    """The message names file and place."""
    with pytest.raises(Failure) as caught:
        plan.parse(text, "/etc/docker/daemon.json")
    assert words in caught.value.msg and "/etc/docker/daemon.json" in caught.value.msg


def test_a_value_where_an_object_belongs_is_refused():
    """It would be lost, and the engine could not start with it anyway."""
    with pytest.raises(Failure, match="log-opts is 'x'"):
        plan.merge({"log-opts": "x"}, {"log-opts": {"max-size": "2m"}}, [])


def test_live_restore_is_refused_wherever_it_comes_from():
    """live-restore excludes swarm mode."""
    plan.check({"live-restore": False}, "f")
    with pytest.raises(Failure, match="live-restore"):
        plan.check(plan.merge({"live-restore": True}, LOGS, [])["config"], "f")


def test_rendered_text_is_json_in_the_owners_order():
    """Read back it is the same, keys in order."""
    config = {"z": 1, "a": {"ü": [1]}}
    assert list(json.loads(plan.render(config)).items()) == list(config.items())
