# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: volumes_plan
short_description: The data volumes of the cluster without their secrets, and what is wrong with them
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Says which hosts get which drivers, which SSH servers there are, and which values are refused, before a node is touched.
  - The result contains no credentials.
options:
  _input:
    description: The variable C(skp_volumes).
    type: list
    elements: dict
    required: true
  groups:
    description: The variable C(groups).
    type: dict
    required: true
  settings:
    description: The variables of role volumes without their prefix.
    type: dict
    required: true
  directory:
    description: The variable C(skp_volumes_dir).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse what cannot be
  ansible.builtin.fail:
    msg: "{{ found.refusal }}"
  when: found.refusal | length > 0
  vars:
    found: "{{ skp_volumes | skp.cluster.volumes_plan(groups, settings, '/mnt/skp') }}"
"""

RETURN = r"""
_value:
  description: >-
    C(refusal) (text, empty if there is none), C(names), C(drivers), C(hosts) (inventory name to drivers), C(names_of) (inventory name
    to names of volumes that are to be mounted), C(servers) (each
    C(volume), C(host), C(port), C(user), C(pinned), a list of keys, and C(known_hosts)),
    C(ask) (their C(host) and C(port)), C(needs_key) (names of sshfs volumes that use the cluster's key).
  type: dict
"""

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.volumes import config, plan


def volumes_plan(volumes, groups, settings, directory):
    """See DOCUMENTATION."""
    plain = plan.of_cluster(volumes, settings)
    needs_key = [volume["name"] for volume in plain if volume.get("driver") == "sshfs" and not volume["credentials"]["private_key"]
                 and (volume.get("state") or "mounted") == "mounted"]
    # Whether the cluster's key is there is not known yet; whether the rest is right does not depend on it.
    stood_in = plan.of_cluster(volumes, settings, "-----BEGIN PRIVATE KEY-----")
    refusal = ""
    try:
        plan.check(stood_in, directory)
    except Failure as exc:
        refusal = exc.msg
    hosts, names_of = {}, {}
    for volume in plain:
        for name in sorted({name for label in volume["labels"] for name in groups.get(label.replace("-", "_"), [])}):
            if (volume.get("state") or "mounted") == "mounted":
                names_of.setdefault(name, []).append(volume["name"])
            hosts.setdefault(name, [])
            if volume.get("driver") not in hosts[name]:
                hosts[name].append(volume.get("driver"))
    servers = [] if refusal else [
        {"volume": volume["name"], "host": config.ssh_target(volume)[0], "port": config.ssh_target(volume)[1], "user": volume["source"]["user"],
         "pinned": plan.host_keys(volume["source"]), "known_hosts": config.known_hosts(plan.spelled(volume))}
        for volume in plain if volume["driver"] == "sshfs"]
    ask = [{"host": server["host"], "port": server["port"]} for server in servers]
    return {"refusal": refusal, "ask": ask, "names": [volume["name"] for volume in plain], "drivers": sorted({str(volume.get("driver")) for volume in plain}),
            "hosts": hosts, "names_of": names_of, "servers": servers, "needs_key": needs_key}


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"volumes_plan": volumes_plan}
