# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: databases_plan
short_description: The databases of all applications, complete, and what is wrong with them
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Completes the entries of C(skp_databases) and of the collection's own services, and checks them.
options:
  _input:
    description:
      - Entries with C(name), and C(server) (default V(mysql)), C(user) (default the name), C(password) (default generated) and C(group), a group of hosts
        without which the entry does not count.
    type: list
    elements: dict
    required: true
  servers:
    description: For V(mysql) and V(postgresql) the name on the overlay (C(host)), the C(port) and the C(hosts) that run it.
    type: dict
    required: true
  groups:
    description: Names of the groups that have hosts.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Databases on MySQL
  ansible.builtin.debug:
    msg: "{{ ([{'name': 'reports'}] | skp.cluster.databases_plan(servers)).databases }}"
  vars:
    servers:
      mysql: {host: mysql-skp, port: 3306, hosts: [c02]}
      postgresql: {host: pgsql-skp, port: 5432, hosts: []}
"""

RETURN = r"""
_value:
  description:
    - C(databases) are all databases. C(secret) is the name of the generated password, empty if the entry has a C(password).
    - C(problems) are sentences, by server.
  type: dict
  sample:
    databases: [{name: reports, server: mysql, user: reports, password: "", secret: mysql_reports_password, host: mysql-skp, port: 3306}]
    problems: {mysql: [], postgresql: []}
"""

from ansible_collections.skp.cluster.plugins.plugin_utils._databases import databases


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"databases_plan": databases}
