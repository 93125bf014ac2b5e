# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: per_member
short_description: A variable, templated once per member of a service
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Templates one variable for each member, with C(member) set to its V(host) and V(id), and with C(members) set to all of them.
  - This is how a role writes the service of one member as plain YAML and gets a list of all, in one task and without a loop.
options:
  _terms:
    description: Name of the variable.
    required: true
  ids:
    description: Inventory name to member id.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: One service per member
  skp.cluster.skp_service:
    role: kafka
    services: "{{ query('skp.cluster.per_member', '__kafka_member', ids={'c01': 1, 'c02': 2}) }}"
  vars:
    __kafka_member:
      name: "kafka-skp-{{ member.id }}"
      host: "{{ member.host }}"
      image: localhost:5000/skp/docker-kafka:latest
"""

RETURN = r"""
_raw:
  description: One value per member, by id.
  type: list
  elements: raw
"""

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """One value of a variable per member."""

    def run(self, terms, variables=None, **kwargs):
        """terms: names of variables. Returns their values, member by member."""
        self.set_options(var_options=variables, direct=kwargs)
        ids = self.get_option("ids")
        members = [{"host": host, "id": number} for host, number in sorted(ids.items(), key=lambda item: item[1])]
        values = []
        for term in terms:
            if term not in variables:
                raise AnsibleError("skp.cluster.per_member: there is no variable %r" % term)
            for member in members:
                scope = dict(variables, member=member, members=members)
                templar = self._templar.copy_with_new_env(available_variables=scope)
                values.append(templar.template(variables[term]))
        return values
