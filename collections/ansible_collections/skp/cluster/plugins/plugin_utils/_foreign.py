# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Hosts of other inventories in groups of ours: a second inventory may have a group `manager` or `mysql` of its own."""

from __future__ import annotations

import typing as t

from ansible_collections.skp.cluster.plugins.plugin_utils import _hosts_json

OURS = ("master", "manager", *(_hosts_json.group_name(name) for name in _hosts_json.SERVICES))
"""Groups whose hosts get services, data or secrets. No role asks for the group `worker`."""


def members(groups: t.Mapping[str, t.Sequence[str]], *names: str) -> list[str]:
    """The hosts of groups that are hosts of the cluster, each once, in the order of the groups."""
    found = dict.fromkeys(host for name in names for host in groups.get(name) or ())
    cluster = groups.get(_hosts_json.CLUSTER)
    return [host for host in found if cluster is None or host in cluster]


def problems(groups: t.Mapping[str, t.Sequence[str]], hostvars: t.Mapping[str, t.Mapping[str, t.Any]], more: t.Iterable[str] = ()) -> list[str]:
    """One line for each host of another inventory in a group of ours or in one of the groups `more`; [] without the group of the cluster."""
    cluster = groups.get(_hosts_json.CLUSTER)
    if cluster is None:
        return []
    # The inventory plugin gives labels to all its hosts. An inventory that does without the plugin has none at all.
    labelled = {host for host in cluster if "skp_labels" in hostvars[host]}
    found = {host: _hosts_json.CLUSTER for host in cluster if labelled and host not in labelled}
    for name in dict.fromkeys((*OURS, *more)):
        for host in groups.get(name) or ():
            if host not in cluster:
                found.setdefault(host, name)
    lines = [
        f"{host}: it is in the group {name}, but not in hosts.json. Hosts of another inventory are no part of the cluster. "
        f"Give the group another name there, or leave that inventory out of this command."
        for host, name in found.items()
    ]
    masters = [host for host in members(groups, "master") if host not in found]
    if len(masters) > 1:
        lines.append(f"{', '.join(masters)}: all are in the group master, expected one host. Name the inventory of one cluster only.")
    return lines
