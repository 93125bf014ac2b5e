# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter cluster_table: the state of the cluster as lines of text."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_table
short_description: The state of the cluster as lines of text
description:
  - Makes what P(skp.cluster.cluster_status#filter) returns readable. C(docs/status.md) shows the lines.
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
options:
  _input:
    description: The document of P(skp.cluster.cluster_status#filter).
    type: dict
    required: true
  form:
    description: V(full), or V(summary) with services, data volumes and findings.
    type: str
    choices: [full, summary]
    default: full
"""

EXAMPLES = r"""
- name: Show the state of the cluster
  skp.cluster.skp_show:
    text: "{{ status | skp.cluster.cluster_table }}"
"""

RETURN = r"""
_value:
  description: Lines.
  type: list
  elements: str
"""

from ansible_collections.skp.cluster.plugins.module_utils.cluster_info import table


def cluster_table(document, form="full"):
    """See DOCUMENTATION."""
    return {"full": table.full, "summary": table.summary}[form](document)


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"cluster_table": cluster_table}
