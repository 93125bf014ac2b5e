# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: secrets_behind
short_description: The managers that lack a secret, or have another value of it
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Compares the secrets with the data of each manager in this run, which are the hashes from M(skp.cluster.skp_node), or the secrets
    themselves if M(skp.cluster.skp_secret) has read them.
  - A manager that was not inspected in this run is omitted.
options:
  _input:
    description: Name and value of all secrets.
    type: dict
    required: true
  managers:
    description: Inventory names of the managers to compare.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  asked:
    description: Results of M(skp.cluster.skp_secret) in a loop over managers.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: List the managers that need a copy
  ansible.builtin.debug:
    msg: "{{ {'spark_auth_secret': '...'} | skp.cluster.secrets_behind(['c02', 'c03'], hostvars) }}"
"""

RETURN = r"""
_value:
  description: Inventory names.
  type: list
  elements: str
"""

import hashlib

from ansible_collections.skp.cluster.plugins.plugin_utils._visits import visit_of


def sha256(text):
    """Hash of a secret, as skp_node returns it."""
    return hashlib.sha256(text.encode()).hexdigest()


def secrets_behind(secrets, managers, hostvars, asked=()):
    """See DOCUMENTATION."""
    known = {host: visit_of(hostvars, host).get("secrets") for host in managers}
    known.update({answer["item"]: {name: sha256(text) for name, text in answer["secrets"].items()} for answer in asked if "secrets" in answer})
    wanted = {name: sha256(text) for name, text in secrets.items()}
    return [host for host in managers if known[host] is not None and any(known[host].get(name) != digest for name, digest in wanted.items())]


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"secrets_behind": secrets_behind}
