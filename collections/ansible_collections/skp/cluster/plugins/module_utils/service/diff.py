# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Readable diffs: services as YAML, configs with their content, secrets as hash only."""

from __future__ import annotations

import json
import re

from ..members.plan import natural_key

_NANOSECONDS = {"Interval", "Timeout", "StartPeriod", "StartInterval", "Delay", "Window", "StopGracePeriod", "Monitor"}


def service_diff(name, before, after):
    """The diff entry of one service. before, after: `Spec` or None."""

    def text(spec):
        return to_yaml(readable(spec.comparable)) if spec else ""

    return {"before_header": "service %s" % name, "after_header": "service %s" % name, "before": text(before), "after": text(after)}


def object_diffs(kind, create, drop, users=None):
    """Contents of new and dropped configs, old and new ones of the same name together; secrets as hash only.

    create, drop: {object name: item}. users: {object name: services that use it}. Members' configs have one name (`kafka-server.properties-<hash>`), so the
    old and the new one of a service belong together.
    """
    users = users or {}

    def stem(name):
        return name.rsplit("-", 1)[0]

    def text(item):
        return (item.get("text") or "") if kind == "config" else "hash: %s\n" % (item.get("hash") or "")[:12]

    entries, old = [], dict(drop)
    for name in sorted(create, key=natural_key):
        same = [other for other in sorted(old) if stem(other) == stem(name)]
        # min keeps the first of equals: without users any old one of the name will do.
        before = min(same, key=lambda other: not set(users.get(other, ())) & set(users.get(name, ())), default=None)
        entries.append(
            {
                "before_header": "%s %s" % (kind, before or "(none)"),
                "after_header": "%s %s" % (kind, name),
                "before": text(old.pop(before)) if before else "",
                "after": text(create[name]),
            }
        )
    for name in sorted(old, key=natural_key):
        entries.append(
            {"before_header": "%s %s" % (kind, name), "after_header": "%s (dropped)" % kind, "before": text(old[name]), "after": ""}
        )
    return entries


def readable(spec):
    """A normalised spec in readable form: times as 10s, memory in MiB, file modes in octal."""

    def walk(value, key):
        if isinstance(value, dict):
            return {name: walk(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [walk(item, key) for item in value]
        if key in _NANOSECONDS and isinstance(value, int):
            return "%gs" % (value / 1e9)
        if key in ("MemoryBytes", "SizeBytes") and isinstance(value, int):
            return "%gMiB" % (value / 2.0**20)
        if key == "NanoCPUs":
            return value / 1e9
        if key == "Mode" and isinstance(value, int):
            return "0%o" % value
        return value

    return walk(spec, "")


def to_yaml(value, indent=0):
    """A small YAML writer for diffs (nodes may lack PyYAML). Text is quoted if YAML would read it as another type."""
    pad = "  " * indent
    if isinstance(value, dict) and value:
        lines = []
        for key in sorted(value):
            item = value[key]
            if isinstance(item, (dict, list)) and item:
                lines.append("%s%s:\n%s" % (pad, key, to_yaml(item, indent + 1)))
            else:
                lines.append("%s%s: %s\n" % (pad, key, _scalar(item)))
        return "".join(lines)
    if isinstance(value, list) and value:
        lines = []
        for item in value:
            if isinstance(item, (dict, list)) and item:
                lines.append("%s- %s" % (pad, to_yaml(item, indent + 1).lstrip(" ")))
            else:
                lines.append("%s- %s\n" % (pad, _scalar(item)))
        return "".join(lines)
    return "%s%s\n" % (pad, _scalar(value))


def _scalar(value):
    if (
        isinstance(value, str)
        and re.match(r"^[A-Za-z/_][A-Za-z0-9 _./@=-]*(?<! )$", value)
        and value.lower() not in ("true", "false", "null", "yes", "no")
    ):
        return value
    return json.dumps(value)
