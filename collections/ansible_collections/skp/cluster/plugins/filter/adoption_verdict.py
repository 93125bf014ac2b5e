# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: adoption_verdict
short_description: What all nodes of an st-kilda-pier say together about its data
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Judges what M(skp.cluster.skp_adopt) has found on the nodes. An id on two nodes, brokers of two clusters, or a version that the server does not read are
    problems, and so is a node that was not looked at.
positional: looks, mysql_image, own_mysql
options:
  _input:
    description: The services, as the variable C(adopt_services) has them.
    type: list
    elements: dict
    required: true
  looks:
    description: Results of M(skp.cluster.skp_adopt) with O(skp.cluster.skp_adopt#module:state=looked), by host.
    type: dict
    required: true
  mysql_image:
    description: Image of MySQL's server, if it is not the collection's.
    type: str
    required: true
  own_mysql:
    description: Whether MySQL's server is the collection's image.
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Show what is in the way
  ansible.builtin.debug:
    msg: "{{ (adopt_services | skp.cluster.adoption_verdict({'c01': look}, '', true)).problems }}"
"""

RETURN = r"""
_value:
  description: C(problems) and C(lines), sentences, and C(settings), variables for the inventory.
  type: dict
"""

from ansible_collections.skp.cluster.plugins.module_utils.adopt.plan import verdict


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"adoption_verdict": verdict}
