# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: fernet_key
short_description: A generated secret as the key with which Airflow encrypts its connections
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - A secret of M(skp.cluster.skp_secret) is 64 hexadecimal digits, a key of Fernet the same 256 bits in base64. Other text is returned unchanged.
options:
  _input:
    description: The secret, or a key, or several keys with commas between them.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Airflow's setting
  ansible.builtin.set_fact:
    setting: "{{ secret | skp.cluster.fernet_key }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The key.
  type: str
"""

from ansible_collections.skp.cluster.plugins.module_utils.airflow.plan import fernet_key


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"fernet_key": fernet_key}
