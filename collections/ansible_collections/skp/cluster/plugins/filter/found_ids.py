# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: found_ids
short_description: The member ids in the data on the nodes of a service
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - For the option O(skp.cluster.skp_members#module:found).
  - A host that was not inspected in this run (unreachable, or outside C(--limit)) is omitted. It keeps its id from the swarm's record.
options:
  _input:
    description: Inventory names of the hosts of the service.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  service:
    description: Name of the service.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Ids of the brokers
  ansible.builtin.debug:
    msg: "{{ groups['kafka'] | skp.cluster.found_ids(hostvars, 'kafka') }}"
"""

RETURN = r"""
_value:
  description: Inventory name to id, null if the directory has no data yet.
  type: dict
  sample: {c01: 1, c02: null}
"""


from ansible_collections.skp.cluster.plugins.plugin_utils._visits import visits_for


def found_ids(hosts, hostvars, service):
    """See DOCUMENTATION."""
    return {host: found["id"] for host, found in visits_for(hosts, hostvars, service).items()}


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"found_ids": found_ids}
