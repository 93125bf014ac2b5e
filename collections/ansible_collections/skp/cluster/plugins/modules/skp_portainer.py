#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_portainer
short_description: Accounts and the environment in a running Portainer
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Runs on the host of Portainer's container. Makes sure, through Portainer's HTTP API, that its administrator has the cluster's password, and that one
    environment shows every node with an agent.
  - Asks inside the network of the container, so the port need not be published.
  - A helper account, also an administrator, gives the administrator a new password after a rotation of the secrets. Portainer reads
    C(--admin-password-file) at its first start only.
extends_documentation_fragment:
  - skp.cluster.attributes
options:
  service:
    description: Name of the swarm service of the server.
    type: str
    default: portainer-skp
  port:
    description: Port of the HTTP API in the container.
    type: int
    default: 8050
  admin:
    description: Name of the administrator.
    type: str
    default: admin
  password:
    description: Password of the administrator.
    type: str
    required: true
  helper:
    description: Name of the helper account. It is made if it is missing.
    type: str
    default: skp-helper
  helper_password:
    description: Password of the helper account.
    type: str
    required: true
  gateway:
    description: Name of the account, an administrator, as which the gateway asks for people who have signed in there.
    type: str
    default: skp-gateway
  gateway_password:
    description: Password of that account. Without it there is no such account; one that is there is removed.
    type: str
    default: ""
  environment:
    description: Name of the environment, if it has to be made. An environment with O(url) is taken as it is, whatever its name.
    type: str
    default: cluster
  url:
    description: Address of the agents, such as V(tcp://tasks.portainer-skp-agent:9001). Without it there is no environment.
    type: str
    default: ""
  agents:
    description: Number of agents that run. The environment must show as many nodes within O(timeout).
    type: int
    default: 0
  timeout:
    description: Seconds for each wait, for the API and for the agents.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: One environment with all nodes
  skp.cluster.skp_portainer:
    password: "{{ admin_password }}"
    helper_password: "{{ helper_password }}"
    url: tcp://tasks.portainer-skp-agent:9001
    agents: 3
"""

RETURN = r"""
plan:
  description: What was done, or would be done in check mode.
  returned: success
  type: list
  elements: str
  sample: ["account skp-helper: new", "environment mine: tcp://tasks.portainer-skp-agent:9001"]
nodes:
  description: Names of the nodes that the environment shows; empty in check mode, and without O(url).
  returned: success
  type: list
  elements: str
  sample: [node1, node2]
failure:
  description: The machine part of an error; C(kind) names it.
  returned: failure
  type: dict
"""


from ansible_collections.skp.cluster.plugins.module_utils.engine import client as engine
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.portainer import io as portainer_io, plan as portainer_plan


def run(params, check_mode, api):
    """Look, plan, stop there in check mode, apply and wait for the nodes. api: None before the first run."""
    found = portainer_io.look(api, params) if api else portainer_plan.EMPTY
    steps = portainer_plan.plan(found, params)
    lines = [portainer_plan.describe(step) for step in steps]
    title = "Portainer"
    result = {"changed": bool(steps), "plan": lines, "nodes": [],
              "diff": {"before_header": title, "after_header": title, "before": "", "after": "".join(line + "\n" for line in lines)}}
    if not check_mode:
        for step in steps:
            portainer_io.apply(api, step, params)
        if params["url"]:
            result["nodes"] = portainer_io.await_nodes(api, params["url"], params["agents"], params["timeout"])
    return result


def main():
    module = QuietModule(
        argument_spec={
            "service": {"type": "str", "default": "portainer-skp"},
            "port": {"type": "int", "default": 8050},
            "admin": {"type": "str", "default": "admin"},
            "password": {"type": "str", "required": True, "no_log": True},
            "helper": {"type": "str", "default": "skp-helper"},
            "helper_password": {"type": "str", "required": True, "no_log": True},
            "gateway": {"type": "str", "default": "skp-gateway"},
            "gateway_password": {"type": "str", "default": "", "no_log": True},
            "environment": {"type": "str", "default": "cluster"},
            "url": {"type": "str", "default": ""},
            "agents": {"type": "int", "default": 0},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        client = engine.connect_or_predict(module)
        pid = portainer_io.process(client, module.params["service"]) if client else None
        if pid is None and not module.check_mode:
            raise Failure("Portainer: no container of %s runs on this host, expected one. On a manager, docker service ps %s says why."
                          % (module.params["service"], module.params["service"]), kind="portainer_not_running")
        result = run(module.params, module.check_mode, portainer_io.Api(module.params["port"], pid) if pid else None)
    except Failure as exc:
        fail(module, exc)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
