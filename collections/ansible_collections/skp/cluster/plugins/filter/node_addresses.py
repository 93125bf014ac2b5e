# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter node_addresses: the addresses that nodes use among themselves."""

from __future__ import annotations

DOCUMENTATION = r"""
name: node_addresses
short_description: The addresses that nodes use among themselves
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Returns C(swarm_advertise_addr) of each host, by default C(ansible_host), by default its name.
options:
  _input:
    description: Inventory names of hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the addresses
  ansible.builtin.debug:
    msg: "{{ groups['manager'] | skp.cluster.node_addresses(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Address by host.
  type: dict
  sample: {c01: 10.0.0.1}
"""


def node_addresses(hosts, hostvars):
    """See DOCUMENTATION."""
    found = {}
    for host in hosts:
        variables = hostvars[host]
        found[host] = str(variables.get("swarm_advertise_addr") or variables.get("ansible_host") or host)
    return found


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"node_addresses": node_addresses}
