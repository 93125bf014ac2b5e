# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter cluster_site: what hosts.json wants, for a module that judges by itself what it has found."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_site
short_description: What the cluster should be like
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - What P(skp.cluster.cluster_status#filter) compares answers with, for the option C(overview) of M(skp.cluster.skp_cluster_info).
options:
  _input:
    description: Names of the hosts of the cluster (C(groups['skp'])).
    type: list
    elements: str
    required: true
  hostvars:
    description: As for P(skp.cluster.cluster_status#filter).
    type: dict
    required: true
  groups:
    description: The variable C(groups).
    type: dict
    required: true
  settings:
    description: As for P(skp.cluster.cluster_status#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Ask a manager
  skp.cluster.skp_cluster_info:
    parts: [swarm]
    overview:
      path: /srv/skp/gateway/run.json
      site: "{{ groups['skp'] | skp.cluster.cluster_site(hostvars, groups, settings) }}"
"""

RETURN = r"""
_value:
  description: C(cluster), C(time), C(hosts), C(services), C(nodes), C(failed_volumes), C(settings).
  type: dict
"""

from ansible_collections.skp.cluster.plugins.filter.cluster_status import site_of


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"cluster_site": site_of}
