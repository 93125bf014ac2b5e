# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: removal_list
short_description: What down.yml removes, as text
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - One line for each service that C(down.yml) removes, and with a purge one for each directory. From variables only; no node is asked.
positional: needs, cluster, purge, hosts, limited
options:
  _input:
    description: Names of the services.
    type: list
    elements: str
    required: true
  needs:
    description: The services' needs, as their roles declare them, by name.
    type: dict
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  purge:
    description: Whether data is removed too.
    type: bool
    required: true
  hosts:
    description: The hosts of the play.
    type: list
    elements: str
    required: true
  limited:
    description: Whether the run has C(--limit). Then nothing on the shared store is removed.
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Show what is removed
  ansible.builtin.debug:
    msg: "{{ ['kafka'] | skp.cluster.removal_list({'kafka': {'hosts': ['c01']}}, 'lab', false, ['c01', 'c02'], false) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""


def removal_list(names, needs, cluster, purge, hosts, limited):
    """See DOCUMENTATION."""
    lines = ["To be removed from cluster %s, %s" % (cluster, "services AND THEIR DATA" if purge else "services")]
    for name in names:
        need = needs.get(name) or {}
        lines.append("- %s (%s)" % (name, ", ".join(need.get("hosts") or []) or "no host has its label"))
        if not purge:
            continue
        lines += ["    %s on %s" % (entry["path"], ", ".join(hosts)) for entry in need.get("purge_directories", need.get("directories")) or []]
        if not limited:
            shared = need.get("purge_shared_directories", need.get("shared_directories")) or []
            lines += ["    %s on the shared store" % entry["path"] for entry in shared]
    return lines + ([] if purge else ["Data stays."])


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"removal_list": removal_list}
