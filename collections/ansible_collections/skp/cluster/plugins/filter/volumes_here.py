# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: volumes_here
short_description: The data volumes of one host, as the module skp_fuse_volume takes them
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Adds the volumes of the names of env.sh to C(skp_volumes), and selects those whose labels the host has.
  - The result contains the credentials.
options:
  _input:
    description: The variable C(skp_volumes).
    type: list
    elements: dict
    required: true
  group_names:
    description: The variable C(group_names) of the host.
    type: list
    elements: str
    required: true
  settings:
    description: The variables of role volumes without their prefix.
    type: dict
    required: true
  key:
    description: The cluster's private ssh key, for volumes that bring none.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: The volumes of this host
  skp.cluster.skp_fuse_volume:
    volumes: "{{ skp_volumes | skp.cluster.volumes_here(group_names, settings, key) }}"
"""

RETURN = r"""
_value:
  description: The volumes, in the form of the option O(skp.cluster.skp_fuse_volume#module:volumes).
  type: list
  elements: dict
"""

from ansible_collections.skp.cluster.plugins.module_utils.volumes import plan


def volumes_here(volumes, group_names, settings, key=""):
    """See DOCUMENTATION."""
    return plan.of_host(plan.of_cluster(volumes, settings, key), group_names)


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"volumes_here": volumes_here}
