#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_fuse_volume_info
short_description: Read the data volumes of a node, and the host keys of SSH servers
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Reads which volumes M(skp.cluster.skp_fuse_volume) has made on the node, and whether they answer. Changes nothing.
  - A look at a mount has a time limit, so this module ends even if a backend hangs.
extends_documentation_fragment:
  - skp.cluster.attributes.info
options:
  directory:
    description: Parent of all mount points.
    type: path
    default: /mnt/skp
  servers:
    description: SSH servers whose host keys are read.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: Name or address.
        type: str
        required: true
      port:
        description: Port.
        type: int
        default: 22
"""

EXAMPLES = r"""
- name: Do the volumes answer, and which key has the server?
  skp.cluster.skp_fuse_volume_info:
    servers:
      - host: data.example.com
  register: volumes
"""

RETURN = r"""
volumes:
  description: By name of the volume. C(mount) is V(ok), V(none), V(stale) or V(foreign), C(why) says why, C(active) whether its unit runs.
  returned: success
  type: dict
  sample: {lake: {path: /mnt/skp/lake, mount: stale, why: Transport endpoint is not connected, active: true, guarded: null}}
host_keys:
  description: For each of O(servers) its C(host), C(port), C(keys) (each with C(key) and C(fingerprint)) and C(error).
  returned: success
  type: list
  elements: dict
failure:
  description: The machine part of an error.
  returned: failure
  type: dict
"""


from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.volumes import config, io


def read(params):
    """The module's result."""
    node = io.Node(params["directory"], "")
    volumes, servers = {}, []
    for name in io.present():
        found = io.inspect(name, node)
        volumes[name] = {"path": node.path(name), "mount": found["mount"], "why": found["why"], "active": found["active"],
                         "guarded": found["bare"]["guarded"] if found["bare"] else None}
    for server in params["servers"]:
        keys, error = io.scan({"source": server})
        servers.append({"host": server["host"], "port": server["port"], "error": error,
                        "keys": [{"key": key, "fingerprint": config.fingerprint(key)} for key in keys]})
    return {"volumes": volumes, "host_keys": servers}


def main():
    """Read and return."""
    server = {"host": {"type": "str", "required": True}, "port": {"type": "int", "default": 22}}
    module = QuietModule(
        argument_spec={"directory": {"type": "path", "default": "/mnt/skp"}, "servers": {"type": "list", "elements": "dict", "default": [], "options": server}},
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **read(module.params))
    except Failure as exc:
        fail(module, exc)
    except OSError as exc:
        fail(module, Failure("The volumes of this node: %s" % exc, kind="os", errno=exc.errno))


if __name__ == "__main__":
    main()
