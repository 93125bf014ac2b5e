# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter store_boot: the files with which a node waits for the shared store at boot."""

from __future__ import annotations

DOCUMENTATION = r"""
name: store_boot
short_description: The files with which a node waits for the shared store at boot
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - A script and two units. Before the engine starts, they give the store some seconds; later they start the containers that wait for it.
options:
  _input:
    description: C(serve) for the NFS server, C(client) for a host that mounts the store over NFS, C(existing) for a directory that the site shares.
    type: str
    required: true
  home:
    description: The shared directory.
    type: str
    required: true
  store:
    description: The directory of the registry in it.
    type: str
    required: true
  config_dir:
    description: The directory with the registry's configuration on the node.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Which files
  ansible.builtin.debug:
    msg: "{{ 'client' | skp.cluster.store_boot('/srv/skp', '/srv/skp/registry', '/etc/skp/registry') }}"
"""

RETURN = r"""
_value:
  description: >-
    C(files) (a list of C(path), C(mode) and C(content)) and C(digest) (one hash of their texts; M(skp.cluster.skp_preflight) returns that of the node's files).
  type: dict
"""

from ansible_collections.skp.cluster.plugins.module_utils.registry.plan import RECORD_FILE
from ansible_collections.skp.cluster.plugins.module_utils.store import plan


def store_boot(mode, home, store, config_dir):
    """See DOCUMENTATION."""
    files = plan.boot_files(mode, home, store, "%s/%s" % (config_dir.rstrip("/"), RECORD_FILE))
    return {"files": files, "digest": plan.digest([item["content"] for item in files])}


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"store_boot": store_boot}
