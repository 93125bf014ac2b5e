# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter container_table: the containers of all nodes as lines of text."""

from __future__ import annotations

DOCUMENTATION = r"""
name: container_table
short_description: The containers of all nodes as lines of text
description:
  - What C(playbooks/ps.yml) shows, from the answers of M(skp.cluster.skp_cluster_info) on the nodes.
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
options:
  _input:
    description: Names of hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars). The filter uses C(__status_node), the result of M(skp.cluster.skp_cluster_info), of each host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the containers
  skp.cluster.skp_show:
    text: "{{ groups['skp'] | skp.cluster.container_table(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Lines, the heading first.
  type: list
  elements: str
"""

from ansible_collections.skp.cluster.plugins.filter.cluster_status import nodes_of
from ansible_collections.skp.cluster.plugins.module_utils.cluster_info import table


def container_table(hosts, hostvars):
    """See DOCUMENTATION."""
    return table.containers(nodes_of(hosts, hostvars))


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"container_table": container_table}
