# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes, as a person reads it."""

from __future__ import annotations

from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service
from ansible_collections.skp.cluster.plugins.module_utils.service.diff import object_diffs, readable, service_diff, to_yaml
from ansible_collections.skp.cluster.plugins.module_utils.service.spec import Spec


def test_a_new_service_is_shown_in_full_and_a_removed_one_too():
    spec = Spec(build_service({"name": "web", "image": "base:trixie", "label": "web", "limits": {"memory": "64m"}}, "web", "net", {})["payload"])
    new, gone = service_diff("web", None, spec), service_diff("web", spec, None)
    assert new["before"] == gone["after"] == "" and new["after"] == gone["before"]
    assert 'MemoryBytes: "64MiB"' in new["after"] and new["after_header"] == "service web"


def test_readable_yaml():
    text = to_yaml(
        readable(
            {"a": {"Interval": 5 * 10**9, "MemoryBytes": 2**29}, "b": ["x: y", "plain", "true"], "c": [{"d": 1, "e": "no"}], "Global": {}}
        )
    )
    assert (
        text
        == 'Global: {}\na:\n  Interval: "5s"\n  MemoryBytes: "512MiB"\nb:\n  - "x: y"\n  - plain\n  - "true"\nc:\n  - d: 1\n    e: "no"\n'
    )


def test_configs_of_one_name_are_paired_by_the_service_that_uses_them():
    """Brokers' configs differ by the hash in their name only: the diff showed broker 1's old text with broker 3's new one."""
    old = {"kafka-properties-%s" % digest: {"text": "broker.id=%d\n" % broker} for broker, digest in ((1, "ccc"), (2, "bbb"), (3, "aaa"))}
    new = {"kafka-properties-%s" % digest: {"text": "broker.id=%d\nx=1\n" % broker} for broker, digest in ((1, "eee"), (2, "fff"), (3, "ddd"))}
    users = {name: {"kafka-%s" % item["text"][10]} for name, item in {**old, **new}.items()}
    pairs = [(entry["before"], entry["after"]) for entry in object_diffs("config", new, old, users)]
    assert sorted(pairs) == [("broker.id=%d\n" % broker, "broker.id=%d\nx=1\n" % broker) for broker in (1, 2, 3)]
