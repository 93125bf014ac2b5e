# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: node_needs
short_description: The needs of a run's services on one node
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Selects from the needs of all services those of one node, in the form of the option O(skp.cluster.skp_node#module:services).
  - Data directories concern the hosts of the service. Directories on the shared store concern one manager.
  - A service whose hosts have ids needs to know which the swarm has recorded; one manager tells that.
  - A service that is not enabled needs nothing.
options:
  _input:
    description:
      - Service name to a dictionary of C(hosts) (those with the data directories), C(directories), C(shared_directories), C(members)
        (whether its hosts have ids) and C(enabled) (whether the service runs at all; by default, whether it has hosts). All but C(hosts) are optional.
    type: dict
    required: true
  host:
    description: Inventory name of the node.
    type: str
    required: true
  manager:
    description: The manager through which the cluster is changed; it creates the directories on the shared store.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Directories of Kafka on c02
  ansible.builtin.debug:
    msg: "{{ {'kafka': {'hosts': ['c02'], 'directories': [{'path': '/var/lib/skp/kafka'}]}} | skp.cluster.node_needs('c02', 'c01') }}"
"""

RETURN = r"""
_value:
  description: One entry for each service that needs something on this node, in the order of the input.
  type: list
  elements: dict
  sample: [{name: kafka, directories: [{path: /var/lib/skp/kafka}], shared_directories: []}]
"""


def is_enabled(service):
    """Whether a service runs on any host."""
    return service.get("enabled", bool(service["hosts"]))


def node_needs(needs, host, manager):
    """See DOCUMENTATION."""
    found = []
    for name, service in needs.items():
        if not is_enabled(service):
            continue
        entry = {
            "name": name,
            "directories": service.get("directories", []) if host in service["hosts"] else [],
            "shared_directories": service.get("shared_directories", []) if host == manager else [],
        }
        if entry["directories"] or entry["shared_directories"] or (host == manager and service.get("members", False)):
            found.append(entry)
    return found


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"node_needs": node_needs}
