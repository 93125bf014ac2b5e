# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: per_member
short_description: A YAML file of a role, templated once per member of a service
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Loads a YAML file and templates its values for each member, with C(member) set to its V(host) and V(id), and with C(members) set to the
    list of all members.
  - So a role describes the service of one member as plain YAML, and one task passes the services of all members.
options:
  _terms:
    description: Name of the file, searched in C(templates/) of the role, then beside the playbook.
    required: true
  ids:
    description: Inventory name to member id.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: One service per broker
  skp.cluster.skp_service:
    role: kafka
    services: "{{ query('skp.cluster.per_member', 'broker.yml', ids={'c01': 1, 'c02': 2}) }}"
  # templates/broker.yml of the role:
  #   name: "kafka-skp-{{ member.id }}"
  #   host: "{{ member.host }}"
  #   image: localhost:5000/skp/docker-kafka:latest
"""

RETURN = r"""
_raw:
  description: One value per member, by id.
  type: list
  elements: raw
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """The content of a YAML file, once per member."""

    def run(self, terms, variables=None, **kwargs):
        """terms: names of files. Returns their content, member by member.

        :raises AnsibleLookupError: when a file is not found
        """
        self.set_options(var_options=variables, direct=kwargs)
        ids = self.get_option("ids")
        members = [{"host": host, "id": number} for host, number in sorted(ids.items(), key=lambda item: item[1])]
        values = []
        for term in terms:
            path = self.find_file_in_search_path(variables, "templates", term, ignore_missing=True)
            if not path:
                raise AnsibleLookupError("skp.cluster.per_member: there is no file %r in templates/ of the role or beside the playbook" % term)
            content = self._loader.load_from_file(path, trusted_as_template=True)
            for member in members:
                templar = self._templar.copy_with_new_env(available_variables=dict(variables, member=member, members=members))
                values.append(templar.template(content))
        return values
