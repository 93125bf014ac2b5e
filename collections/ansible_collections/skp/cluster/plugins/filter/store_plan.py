# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter store_plan: the shared store over NFS, as one host has to serve or mount it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: store_plan
short_description: The shared store over NFS, as one host has to serve or mount it
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Decides who may mount the store and how, and whether something on the host is in the way.
  - Addresses are those that the nodes use among themselves, C(swarm_advertise_addr), by default C(ansible_host).
options:
  _input:
    description: Inventory name of the host.
    type: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  groups:
    description: The variable C(groups).
    type: dict
    required: true
  settings:
    description:
      - C(home), C(server) (address, empty for the master's), C(clients) (addresses, empty for all other hosts), C(export_options),
        C(writers) (groups of the hosts that write), C(uids) and C(gids) (values of the services that write, by variable) and C(registry_user).
    type: dict
    required: true
  found:
    description:
      - What is on the host. C(text) has the lines of its mounts, its exports file and the marker of a store, each after C(file:);
        or C(mounted), C(exports) and C(own), as M(skp.cluster.skp_preflight) returns them.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Decide
  ansible.builtin.set_fact:
    plan: "{{ inventory_hostname | skp.cluster.store_plan(hostvars, groups, settings, {'text': read.stdout}) }}"
"""

RETURN = r"""
_value:
  description: >-
    C(refusal) (text, empty if there is none), C(serves) (the host is the server), C(source) (what clients mount), C(exports) (text of the server's file),
    C(clients) (addresses), C(mounted) (whether the store is mounted already).
  type: dict
"""

from ansible_collections.skp.cluster.plugins.filter.node_addresses import node_addresses
from ansible_collections.skp.cluster.plugins.module_utils.store import plan


def store_plan(host, hostvars, groups, settings, found=None):
    """See DOCUMENTATION."""
    found = found or {}
    master = groups["master"][0]
    if "text" in found:
        found = plan.from_lines(found["text"], settings["home"])
    writers = {name for group in settings["writers"] for name in groups.get(group, [])}
    addresses = node_addresses(groups["skp"], hostvars)
    clients = [{"address": addresses[name], "writes": name in writers} for name in sorted(groups["skp"]) if name != master]
    if settings.get("clients"):
        named = {client["address"]: client["writes"] for client in clients}
        clients = [{"address": item, "writes": named.get(item, False)} for item in settings["clients"]]
    source = "%s:%s" % (settings.get("server") or addresses[master], settings["home"])
    uids = {key: str(value) for key, value in settings["uids"].items()}
    gids = {key: str(value) for key, value in settings["gids"].items()}
    refusal = plan.refuse_options(settings["export_options"], uids, str(settings["registry_user"])) or plan.refuse_options("", gids, "")
    refusal = refusal or plan.refuse_place(host, settings["home"], found, host == master, source)
    text = "" if refusal else plan.exports(settings["home"], clients, settings["export_options"], min(uids.values()), min(gids.values()))
    return {"refusal": refusal, "serves": host == master, "source": source, "exports": text, "clients": [client["address"] for client in clients],
            "mounted": bool(found.get("mounted"))}


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"store_plan": store_plan}
