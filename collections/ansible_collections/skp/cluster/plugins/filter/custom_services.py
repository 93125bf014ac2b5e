# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: custom_services
short_description: What the services of C(skp_custom_services) need, and what is wrong with them
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Completes and checks the entries. An entry with a problem is in no other part of the result.
options:
  _input:
    description: The entries, see docs/custom_services.md.
    type: list
    elements: dict
    required: true
  groups:
    description: The variable C(groups).
    type: dict
    required: true
  settings:
    description:
      - C(registry), C(tag), C(data), C(home), C(volumes_dir) and C(secrets_dir) as the shared variables have them, C(ports) of the collection's own services
        (dictionaries of C(group), C(port), C(publish)), and C(reserved), ports that no service may take.
    type: dict
    required: true
  secrets:
    description: Values of secrets by name, for the contents of the services' secrets. Without it the services have none.
    type: dict
"""

EXAMPLES = r"""
- name: Ports that they publish
  ansible.builtin.debug:
    msg: "{{ (skp_custom_services | skp.cluster.custom_services(groups, settings)).ports }}"
  vars:
    settings: {registry: "localhost:5000", tag: latest, data: /var/lib/skp, home: /srv/skp, volumes_dir: /mnt/skp, secrets_dir: /etc/skp/secrets, ports: [],
               reserved: [22]}
"""

RETURN = r"""
_value:
  description:
    - C(services) for M(skp.cluster.skp_service), without the contents of secrets, C(images) for M(skp.cluster.skp_image),
      C(images_of_group), C(ports), C(needs) of the role _service, C(secrets), C(labels), C(hosts), C(idle) and C(problems).
  type: dict
"""

from ansible_collections.skp.cluster.plugins.plugin_utils._custom_services import of_cluster


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"custom_services": of_cluster}
