#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_swarm
short_description: Manage a Docker swarm from the inventory
version_added: 0.1.0
author:
  - skp.cluster contributors (@comafire)
description:
  - With O(state=present), on one manager, updates labels, roles, node entries and the overlay network of the swarm. A second run
    changes nothing.
  - With O(state=init) and O(state=joined), on one node, makes that node a member. Every node joins as a worker; O(state=present)
    promotes managers one at a time, so the manager token never leaves the managers.
  - A host that was renamed in the inventory (the same machine) gets the label of its new name; its services follow and do not restart.
  - The filter P(skp.cluster.swarm_bootstrap#filter) decides first, from the facts of all nodes, which node initialises a swarm.
extends_documentation_fragment:
  - skp.cluster.attributes
attributes:
  check_mode:
    details: Predicts the change. If the engine, the SDK or the swarm does not exist yet, predicts from an empty state.
  diff_mode:
    details: Shows labels, roles and the network that change.
options:
  state:
    description:
      - V(present) updates labels, roles, stale entries and the network; runs on a manager.
      - V(init) initialises a swarm on this node unless it is in one.
      - V(joined) joins this node to the swarm of O(managers) unless it is in one.
      - V(token) returns the join token and the managers' addresses; runs on a manager and changes nothing.
    type: str
    choices: [present, init, joined, token]
    default: present
  hosts:
    description: The nodes to update, by inventory name. Other nodes are not changed.
    type: dict
    default: {}
  inventory:
    description: All host names of the inventory. A swarm node with another name is reported, never removed.
    type: list
    elements: str
    default: []
  labels_in_use:
    description:
      - Labels that any host of the inventory has, also outside O(hosts).
      - One of these that a present service names as its own (label C(skp.label)) is neither set nor removed here. The role of that service does it
        (O(skp.cluster.skp_service#module:label_hosts)), when the node has the image. With the label alone, the swarm would start the service there at once.
    type: list
    elements: str
    default: []
  network:
    description: The overlay network. It is created attachable, and never changed in place.
    type: dict
    suboptions:
      name:
        description: Name of the network.
        type: str
        required: true
      subnet:
        description: Subnet of the network, for example C(10.200.0.0/20).
        type: str
        required: true
      encrypted:
        description: Encrypt the traffic between nodes. Refused if a node's kernel does not support it, or if it is not known whether node and engine do.
        type: bool
        default: false
      unproven:
        description: Go on where it is not known whether a node's kernel and engine encrypt. A kernel that certainly does not is refused.
        type: bool
        default: false
  advertise_addr:
    description: Address that other nodes use to reach this node. Required for O(state=init) and O(state=joined).
    type: str
  managers:
    description: Addresses (C(host:port)) of managers to join. Required for O(state=joined).
    type: list
    elements: str
  join_token:
    description: The worker join token. Required for O(state=joined).
    type: str
  abandon:
    description: Id of an abandoned swarm without managers. This node leaves it before it joins or initialises another swarm.
    type: str
    default: ""
  autolock:
    description:
      - Whether managers encrypt the swarm's state with a key that each needs after a restart of its engine (C(docker swarm unlock)).
      - V(leave) changes nothing. Used with O(state=present) only.
    type: str
    choices: [leave, enabled, disabled]
    default: leave
  rotate_join_tokens:
    description: Make the join tokens of workers and managers anew. Members stay members. Changes the swarm each time. Used with O(state=present) only.
    type: bool
    default: false
  timeout:
    description: Time limit of each step in seconds (a join, a promotion, the wait until an old entry is down).
    type: int
    default: 90
notes:
  - Each value of O(hosts) is a dictionary with C(role) (C(manager) or C(worker)), C(addr), C(labels) (dictionary of name and value),
    C(node_id) (from the node's engine; empty if it did not answer), C(joining) (in check mode, the node would have joined),
    C(encryption) (as RV(skp.cluster.skp_engine#module:engine.encryption)) and C(version) (of the engine); both are empty of a node that did not answer.
"""

EXAMPLES = r"""
- name: Update labels, roles and the network
  skp.cluster.skp_swarm:
    hosts:
      c01: {role: manager, addr: 10.0.0.4, labels: {registry: enable}, node_id: mpwzlvhl1l9inkxk0d89fw7f2}
      c02: {role: worker, addr: 10.0.0.5, labels: {kafka: enable}, node_id: 6lvs6jav9ikm31fvv22aytjcq}
    inventory: [c01, c02]
    network:
      name: net-skp
      subnet: 10.200.0.0/20
"""

RETURN = r"""
node_id:
  description: Id of this node in the swarm.
  returned: success, if the node is in a swarm
  type: str
join_token:
  description: The worker join token. Register it with C(no_log).
  returned: state=token
  type: str
managers:
  description: Addresses of the reachable managers.
  returned: state=token
  type: list
  elements: str
nodes:
  description: The swarm's nodes after the update, by inventory name (by hostname if the node is not in the inventory).
  returned: state=present
  type: dict
  sample: {c01: {id: mpwzlvhl1l9inkxk0d89fw7f2, role: manager, state: ready}}
renamed:
  description: Nodes whose host has another name in the inventory now, by node id. Outside check mode they have it already.
  returned: state=present
  type: dict
  sample: {mpwzlvhl1l9inkxk0d89fw7f2: n03}
joining:
  description: Hosts whose node would join. Empty outside check mode, where they have joined already.
  returned: state=present
  type: list
  elements: str
failure:
  description: Machine-readable part of an error.
  returned: failure
  type: dict
"""


from ansible_collections.skp.cluster.plugins.module_utils.engine import client as engine
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.swarm.io import Swarm
from ansible_collections.skp.cluster.plugins.module_utils.swarm.plan import HOST_LABEL, plan, repin, settings_change


def present(module, client):
    """Updates the swarm; client is None in check mode before the swarm exists."""
    params = module.params
    swarm = Swarm(client, params["timeout"]) if client else None
    self_id = engine.swarm_state(client)["node_id"] if client else ""
    expected = [host["node_id"] for host in params["hosts"].values() if host.get("node_id")]
    nodes = swarm.nodes(expected) if client else []
    network = swarm.network(params["network"]["name"]) if client else None
    hosts = {name: dict(host, joining=bool(host.get("joining")) or not client) for name, host in params["hosts"].items()}
    desired = {"hosts": hosts, "inventory": params["inventory"], "labels_in_use": params["labels_in_use"], "network": params["network"]}
    services = swarm.services() if client else []
    actions = plan(nodes, network, desired, self_id, services)
    names = {host["node_id"]: name for name, host in hosts.items() if host.get("node_id")}
    actions["pins"] = repin(services, names, actions["renamed"])
    for text in actions["warnings"]:
        module.warn(text)
    spec, rotate = settings_change(swarm.settings() if client else {}, params["autolock"]), params["rotate_join_tokens"]
    describe(actions, spec, rotate)
    nodes_change = bool(actions["updates"] or actions["stale"] or actions["create_network"] or actions["pins"][1])
    changed = nodes_change or bool(spec) or rotate
    if (spec or rotate) and not module.check_mode:
        # Before the nodes: a demotion may end with an engine that manages nothing.
        swarm.set_settings(lambda settings: settings_change(settings, params["autolock"]) or settings, rotate)
    if spec and params["autolock"] == "enabled":
        module.warn("Autolock is on: after a restart of its engine, a manager waits for `docker swarm unlock`. `docker swarm unlock-key` on a manager shows "
                    "the key: keep it outside the cluster. Without it, managers that restart are lost.")
    if nodes_change and not module.check_mode:
        swarm.apply(actions, params["network"], self_id)
        if not actions["demote_last"]:
            nodes = swarm.nodes()
    shown = {node["labels"].get(HOST_LABEL) or node["hostname"]: {key: node[key] for key in ("id", "role", "state")} for node in nodes}
    return {
        "changed": changed,
        "renamed": {node_id: new for node_id, (_old, new) in actions["renamed"].items()},
        "joining": [item["host"] for item in actions["updates"] if not item["id"]],
        "diff": {"before": actions["before"], "after": actions["after"]},
        "node_id": self_id,
        "nodes": shown,
    }


def describe(actions, spec, rotate):
    """Adds changes of the swarm's own settings to the diff of a plan."""
    if spec:
        locked = spec["EncryptionConfig"]["AutoLockManagers"]
        actions["before"], actions["after"] = dict(actions["before"], autolock=not locked), dict(actions["after"], autolock=locked)
    if rotate:
        actions["before"], actions["after"] = dict(actions["before"], join_tokens="old"), dict(actions["after"], join_tokens="new")


def member(module, client):
    """Makes this node a member: initialises a swarm or joins one."""
    params = module.params
    state = engine.swarm_state(client) if client else {"state": "inactive", "node_id": "", "cluster_id": "", "manager": False}
    abandon = bool(params["abandon"]) and state["state"] != "inactive"
    if abandon and state["manager"]:
        raise Failure("This node is a manager of the swarm that it should leave (swarm_abandon is %s); only workers of a swarm without "
                      "managers can leave this way." % params["abandon"],
                      kind="abandon")
    if state["state"] == "active" and not abandon:
        return {"changed": False, "node_id": state["node_id"]}
    result = {"changed": True, "node_id": "", "diff": {"before": "", "after": "member of the swarm, as %s\n" % params["advertise_addr"]}}
    if module.check_mode:
        return result
    swarm = Swarm(client, params["timeout"])
    if abandon:
        swarm.leave()
    if params["state"] == "init":
        result["node_id"] = swarm.init(params["advertise_addr"])
    else:
        result["node_id"] = swarm.join(params["managers"], params["join_token"], params["advertise_addr"])
    return result


def token(module, client):
    """Join token and managers. Empty in check mode before the swarm exists."""
    if not client:
        return {"changed": False, "join_token": "", "managers": []}
    swarm = Swarm(client, module.params["timeout"])
    return {"changed": False, "join_token": swarm.worker_token(), "managers": swarm.manager_addresses()}


def main():
    """Reads, plans, applies outside check mode."""
    module = QuietModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "init", "joined", "token"], "default": "present"},
            "hosts": {"type": "dict", "default": {}},
            "inventory": {"type": "list", "elements": "str", "default": []},
            "labels_in_use": {"type": "list", "elements": "str", "default": []},
            "network": {"type": "dict", "options": {
                "name": {"type": "str", "required": True},
                "subnet": {"type": "str", "required": True},
                "encrypted": {"type": "bool", "default": False},
                "unproven": {"type": "bool", "default": False},
            }},
            "advertise_addr": {"type": "str"},
            "managers": {"type": "list", "elements": "str"},
            "join_token": {"type": "str", "no_log": True},
            "abandon": {"type": "str", "default": ""},
            "autolock": {"type": "str", "choices": ["leave", "enabled", "disabled"], "default": "leave"},
            "rotate_join_tokens": {"type": "bool", "default": False, "no_log": False},
            "timeout": {"type": "int", "default": 90},
        },
        required_if=[
            ("state", "present", ["network"]),
            ("state", "init", ["advertise_addr"]),
            ("state", "joined", ["advertise_addr", "managers", "join_token"]),
        ],
        supports_check_mode=True,
    )
    run = {"present": present, "init": member, "joined": member, "token": token}[module.params["state"]]
    try:
        client = engine.connect_or_predict(module, manager=run is not member)
        result = run(module, client)
    except Failure as exc:
        fail(module, exc)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
