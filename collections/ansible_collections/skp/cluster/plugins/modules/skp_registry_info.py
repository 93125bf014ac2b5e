#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_registry_info
short_description: State and content of a node's registry
version_added: 0.1.0
description:
  - Reads the container, the registry's HTTP API and the store of this node. Changes nothing.
author: skp.cluster contributors (@comafire)
extends_documentation_fragment:
  - skp.cluster.attributes.info
options:
  name:
    description: Name of the container.
    type: str
    default: registry-skp
  address:
    description: Address that the registry listens on.
    type: str
    default: 127.0.0.1
  port:
    description: Port that the registry listens on.
    type: int
    default: 5000
  store:
    description: Directory of the store on this node.
    type: path
    default: /srv/skp/registry
  config_dir:
    description: Directory of the registry's configuration on this node.
    type: path
    default: /etc/skp/registry
  catalog:
    description: List every repository with its tags and digests. Needs one request for each tag.
    type: bool
    default: true
  error_text:
    description: Error message of a failed pull or push; RV(hint) explains it.
    type: str
    default: ""
seealso:
  - module: skp.cluster.skp_registry
"""

EXAMPLES = r"""
- name: List the content of this node's registry
  skp.cluster.skp_registry_info:
  register: registry

- name: Explain an error
  skp.cluster.skp_registry_info:
    catalog: false
    error_text: filesystem layer verification failed for digest sha256:c3d7
"""

RETURN = r"""
container:
  description: >-
    The container: C(id), C(kind) (V(writer) or V(reader)), C(status), C(running), C(health), C(restarts), C(image), C(image_id),
    C(started_at), C(store_stale) and more. Empty if there is none.
  returned: success
  type: dict
answering:
  description: Whether the registry answers over HTTP and reports that it is healthy.
  returned: success
  type: bool
health:
  description: The registry's answer, or why there was none.
  returned: success
  type: str
  sample: "200"
store:
  description: >-
    C(path), C(id) (of the marker, empty without one), C(recorded) (the id that this node used before), C(ok) (there is a marker, and it
    matches the record).
  returned: success
  type: dict
repositories:
  description: Repository to tag to digest. Empty if O(catalog) is false or the registry does not answer.
  returned: success
  type: dict
  sample: {"skp/docker-kafka": {"latest": "sha256:6a1f"}}
hint:
  description: The likely cause of O(error_text) and what to do. Empty if unknown.
  returned: success
  type: str
"""

import os


from ansible_collections.skp.cluster.plugins.module_utils import atomic_file
from ansible_collections.skp.cluster.plugins.module_utils.engine.client import connect_or_predict
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.registry import io
from ansible_collections.skp.cluster.plugins.module_utils.registry.http import RegistryClient
from ansible_collections.skp.cluster.plugins.module_utils.registry.plan import RECORD_FILE, explain_pull_error


def main():
    """Read the state and return it."""
    module = QuietModule(
        argument_spec={
            "name": {"type": "str", "default": "registry-skp"},
            "address": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 5000},
            "store": {"type": "path", "default": "/srv/skp/registry"},
            "config_dir": {"type": "path", "default": "/etc/skp/registry"},
            "catalog": {"type": "bool", "default": True},
            "error_text": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **read(module))
    except Failure as exc:
        fail(module, exc)


def read(module):
    """The module's result as a dict."""
    params = module.params
    client = connect_or_predict(module)
    container = io.read_container(client, params["name"]) if client else None
    if container:
        container["store_stale"] = container["running"] and io.store_is_stale(container, params["store"])
    host = "[%s]" % params["address"] if ":" in params["address"] else params["address"]
    registry = RegistryClient("http://%s:%d" % (host, params["port"]))
    answering, health = registry.health()
    found = io.read_store(params["store"])["marker"] or ""
    recorded = (atomic_file.read_text(os.path.join(params["config_dir"], RECORD_FILE)) or "").strip()
    repositories = {}
    if params["catalog"] and answering:
        for repository in registry.catalog():
            repositories[repository] = {tag: registry.digest(repository, tag) for tag in registry.tags(repository)}
    return {
        "container": container or {},
        "answering": answering,
        "health": health,
        "store": {"path": params["store"], "id": found, "recorded": recorded, "ok": bool(found) and recorded in ("", found)},
        "repositories": repositories,
        "hint": explain_pull_error(params["error_text"]),
    }


if __name__ == "__main__":
    main()
