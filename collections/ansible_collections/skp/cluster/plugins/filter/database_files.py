# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: database_files
short_description: The secrets of a database server's containers
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - The statements that make the databases, and files with logins for clients, so that no password is in a command line or in an environment.
  - The statements never remove anything.
options:
  _input:
    description: RV(skp.cluster.databases_plan#filter:_value) C(databases).
    type: list
    elements: dict
    required: true
  server:
    description: V(mysql) or V(postgresql).
    type: str
    required: true
  secrets:
    description: Name to value of the cluster's secrets.
    type: dict
    required: true
  password:
    description: Password of the superuser.
    type: str
    required: true
  socket:
    description: Path of MySQL's socket in its containers.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Names of the files
  ansible.builtin.debug:
    msg: "{{ databases | skp.cluster.database_files('postgresql', secrets, secrets.postgresql_password) | list }}"
"""

RETURN = r"""
_value:
  description:
    - Name of the file to its content. C(databases.sql) makes the databases.
    - For MySQL also C(start.sql), C(root.cnf), and C(<database>.cnf) for each database; for PostgreSQL C(pgpass) if there is a database.
  type: dict
"""

from ansible.errors import AnsibleFilterError

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.plugin_utils._databases import files


def database_files(items, server, secrets, password, socket=""):
    """See DOCUMENTATION."""
    try:
        return files(server, items, secrets, password, socket)
    except Failure as exc:
        raise AnsibleFilterError(exc.msg) from exc


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"database_files": database_files}
