# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: found_facts
short_description: Facts in the identity files of a service's data
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - For the option O(skp.cluster.skp_members#module:found_facts).
  - A host that was not inspected in this run (unreachable, or outside C(--limit)) is omitted.
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
  facts:
    description:
      - Name of the fact to the key of the identity file that contains it.
      - Or to a dictionary of keys and values. The fact has the value of the first key that the file contains.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: What the data of the brokers says
  ansible.builtin.debug:
    msg: "{{ groups['kafka'] | skp.cluster.found_facts(hostvars, 'kafka', {'cluster_id': 'cluster.id', 'mode': {'node.id': 'kraft', 'broker.id': 'old'}}) }}"
"""

RETURN = r"""
_value:
  description: Inventory name to the facts in its data; an empty dictionary if it has no data.
  type: dict
  sample: {c01: {cluster_id: 4L6g3nShT-eMCtK--X86sw, mode: kraft}, c02: {}}
"""


from ansible_collections.skp.cluster.plugins.plugin_utils._visits import visits_for


def facts_of(identity, facts):
    """{fact: value} of one identity file, given as {key: value}."""
    found = {}
    for name, source in facts.items():
        values = {key: source[key] for key in source if key in identity} if isinstance(source, dict) else {source: identity.get(source)}
        value = next(iter(values.values()), None)
        if value is not None:
            found[name] = value
    return found


def found_facts(hosts, hostvars, service, facts):
    """See DOCUMENTATION."""
    identities = {
        host: {key: value for directory in found["directories"] for key, value in (directory.get("identity") or {}).items()}
        for host, found in visits_for(hosts, hostvars, service).items()
    }
    return {host: facts_of(identity, facts) for host, identity in identities.items()}


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"found_facts": found_facts}
