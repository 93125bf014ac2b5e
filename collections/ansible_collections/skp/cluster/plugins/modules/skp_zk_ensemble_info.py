#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_zk_ensemble_info
short_description: Members, leader and zxids of the ZooKeeper ensemble
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Reads the members of the ensemble from the swarm and queries each of them (C(srvr)).
  - The queries run in a container on this manager, attached to the overlay; it is removed at the end.
extends_documentation_fragment:
  - skp.cluster.attributes.info
options:
  name_prefix:
    description: Prefix of the service names, C(<name_prefix>-<id>).
    type: str
    default: zookeeper-skp
  role:
    description: Owner of the services.
    type: str
    default: zookeeper
  network:
    description: Overlay network of the members.
    type: str
    default: net-skp
"""

EXAMPLES = r"""
- name: Read the ensemble
  skp.cluster.skp_zk_ensemble_info:
  register: ensemble
"""

RETURN = r"""
members:
  description: All members that have a service, by id.
  returned: success
  type: list
  elements: dict
  sample: [{id: 1, host: c01, service: zookeeper-skp-1, mode: follower, zxid: "0x100000012", version: 3.9.5, node_up: true, servers: [1, 2, 3]}]
leader:
  description: Id of the leader, or null if there is none.
  returned: success
  type: int
serving:
  description: Number of members that serve as leader or follower.
  returned: success
  type: int
quorum:
  description: Number of members that must serve for writes.
  returned: success
  type: int
ids:
  description: Inventory name to id, from the record in the swarm.
  returned: success
  type: dict
retired:
  description: Inventory name to id of former members.
  returned: success
  type: dict
connection_string:
  description: Connection string for clients on the overlay.
  returned: success
  type: str
failure:
  description: The machine part of an error; C(kind) names it.
  returned: failure
  type: dict
"""


from ansible_collections.skp.cluster.plugins.module_utils.engine import client as engine
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.members import io as members_io
from ansible_collections.skp.cluster.plugins.module_utils.service import io as service_io
from ansible_collections.skp.cluster.plugins.module_utils.zookeeper import config, observe
from ansible_collections.skp.cluster.plugins.module_utils.zookeeper.io import Probe
from ansible_collections.skp.cluster.plugins.module_utils.zookeeper.plan import majority

PROBE_SECONDS = 120


def look(client, params):
    """The facts of the module's RETURN."""
    role, prefix = params["role"], params["name_prefix"]
    state = service_io.read_state(client, role)
    record, _generations = members_io.read_members(client, role)
    services = observe.member_services(state, role, prefix)
    answers = {}
    if services:
        image = services[min(services)]["spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
        with Probe(client, image, params["network"], role, PROBE_SECONDS) as probe:
            texts = probe.srvr(["%s-%d" % (prefix, number) for number in services])
        answers = {number: config.parse_srvr(texts["%s-%d" % (prefix, number)]) for number in services}
    seen = observe.build_view(state, role, prefix, [], {}, {}, record["facts"], answers)["members"]
    members = [{
        "id": number, "host": seen[number]["host"], "service": "%s-%d" % (prefix, number), "node_up": seen[number]["node_up"],
        "servers": seen[number]["servers"], "mode": (answers[number] or {}).get("mode"), "version": (answers[number] or {}).get("version"),
        "zxid": "0x%x" % answers[number]["zxid"] if answers[number] else None} for number in sorted(services)]
    _ready, leader = observe.serving(answers)
    return {"members": members, "leader": leader, "serving": len([item for item in members if item["mode"] in ("leader", "follower")]),
            "quorum": majority(len(members)) if members else 0, "ids": record["members"], "retired": record["retired"],
            "connection_string": config.connection_string(prefix, record["members"].values())}


def main():
    module = QuietModule(
        argument_spec=dict(
            name_prefix=dict(type="str", default="zookeeper-skp"),
            role=dict(type="str", default="zookeeper"),
            network=dict(type="str", default="net-skp"),
        ),
        supports_check_mode=True,
    )
    try:
        client = engine.connect(timeout=60)
        engine.require_manager(client)
        result = look(client, module.params)
    except Failure as exc:
        fail(module, exc)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
