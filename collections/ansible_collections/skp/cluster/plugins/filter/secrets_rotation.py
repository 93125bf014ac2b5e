# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: secrets_rotation
short_description: The secrets that a rotation of some services replaces
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - A secret is replaced only if all services that use it are named, so that no service keeps the old value.
options:
  _input:
    description: Needs of all services, as the roles' C(tasks/needs.yml) declare them.
    type: dict
    required: true
  tags:
    description: Names of the services; other words are ignored.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show which secrets would be replaced
  ansible.builtin.debug:
    msg: "{{ __service_needs | skp.cluster.secrets_rotation(ansible_run_tags) }}"
"""

RETURN = r"""
_value:
  description: C(names) of the secrets, C(summary) for people, and C(problem) if there is nothing to replace.
  type: dict
  sample: {names: [jupyter_password], summary: "New: jupyter_password.", problem: ""}
"""

from ansible_collections.skp.cluster.plugins.module_utils.secrets.plan import rotation


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"secrets_rotation": rotation}
