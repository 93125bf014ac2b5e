#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_members
short_description: Permanent member ids of a service
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Assigns a member id to every host of a service and stores it in the swarm, as a config (so that all managers have it) and as a label
    of the node.
  - A host name keeps its id permanently, even without the label. New ids follow the highest id assigned so far, in natural order of names.
  - If the swarm has no record, the id in a host's data directory is used; an id that contradicts the record is refused.
requirements:
  - docker >= 5.0.3 (python3-docker)
extends_documentation_fragment:
  - skp.cluster.attributes
options:
  service:
    description: Name of the service the ids belong to.
    type: str
    required: true
  hosts:
    description: Inventory names of all hosts that should be members now, not only those of this run.
    type: list
    elements: str
    default: []
  found:
    description:
      - Inventory name to the id found in its data directory, or null if there is none.
      - A host that is missing here was not inspected; it keeps an existing id, but gets no new one.
    type: dict
    default: {}
  limit_hosts:
    description: If not empty, only these hosts may leave.
    type: list
    elements: str
    default: []
  facts:
    description:
      - Facts stored permanently with the first id, for example a cluster id. Existing keys of the record take precedence.
    type: dict
    default: {}
  others:
    description: Other services whose ids are read, each with the inventory names that should be its members. Their ids are not assigned here.
    type: dict
    default: {}
  state:
    description: V(absent) removes all ids of the service. Use it only if you also remove the data.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Members of kafka
  skp.cluster.skp_members:
    service: kafka
    hosts: "{{ groups['kafka'] }}"
    found: {c01: 1, c02: null}
"""

RETURN = r"""
ids:
  description: Inventory name to id of all present members, by id.
  returned: success
  type: dict
  sample: {c01: 1, c02: 2}
retired:
  description: Inventory name to id of former members.
  returned: success
  type: dict
unseen:
  description: Wanted hosts without an id that were not inspected in this run.
  returned: success
  type: list
  elements: str
facts:
  description: The facts of the record.
  returned: success
  type: dict
  sample: {mode: zookeeper}
others:
  description:
    - Service and a dictionary of host and id, for each of O(others).
    - In check mode, hosts without an id have the id that they would get.
  returned: success
  type: dict
  sample: {zookeeper: {c01: 1, c02: 2, c03: 3}}
generation:
  description: Generation of the record; in check mode the present one.
  returned: success
  type: int
failure:
  description: The machine part of an error; C(kind) names it.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.skp.cluster.plugins.module_utils.engine import client as engine
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.members import io as members_io, plan as members_plan


def present(module, client):
    """Plan the members; outside check mode write the record first and the node labels after it."""
    params = module.params
    service = params["service"]
    label = members_plan.id_label(service)
    record, generations = members_io.read_members(client, service)
    nodes = members_io.nodes_by_host(client)
    labels = {host: (node["Spec"].get("Labels") or {}).get(label) for host, node in nodes.items()}
    plan = members_plan.plan_members(record, params["hosts"], found_ids(params["found"]), params["limit_hosts"], labels, params["facts"])
    result = {
        "changed": plan["changed"],
        "ids": plan["ids"],
        "retired": plan["retired"],
        "unseen": plan["unseen"],
        "generation": record["generation"],
        "facts": plan["record"]["facts"],
        "others": {name: ids_of(module, client, name, hosts) for name, hosts in params["others"].items()},
        "diff": {
            "before_header": "members of %s" % service,
            "after_header": "members of %s" % service,
            "before": members_plan.describe(record, labels),
            "after": members_plan.describe(plan["record"], dict(labels, **plan["labels"])),
        },
    }
    if plan["unseen"]:
        module.warn(
            "%s: %s got no member id, because its data could not be inspected in this run (unreachable, or outside the limit)."
            % (service, ", ".join(plan["unseen"]))
        )
    if not module.check_mode:
        if plan["record_changed"]:
            result["generation"] = members_io.write_members(client, plan["record"], generations)["generation"]
        elif len(generations) > 1:
            members_io.remove_generations(client, generations[:-1])
        for host, number in plan["labels"].items():
            members_io.set_node_labels(client, nodes[host]["ID"], {label: number})
    return result


def ids_of(module, client, service, hosts):
    """{host: id} of another service's present members; in check mode before that service's first run, the ids that it would get."""
    record, _generations = members_io.read_members(client, service)
    if module.check_mode:
        return members_plan.plan_members(record, hosts, {host: None for host in hosts})["ids"]
    return record["members"]


def absent(module, client):
    """Remove the record and the node labels."""
    service = module.params["service"]
    label = members_plan.id_label(service)
    record, generations = members_io.read_members(client, service)
    nodes = {host: node for host, node in members_io.nodes_by_host(client).items() if label in (node["Spec"].get("Labels") or {})}
    labels = {host: node["Spec"]["Labels"][label] for host, node in nodes.items()}
    if not module.check_mode:
        for node in nodes.values():
            members_io.set_node_labels(client, node["ID"], {label: None})
        members_io.remove_generations(client, generations)
    return {
        "changed": bool(generations or nodes),
        "ids": {},
        "retired": {},
        "unseen": [],
        "generation": 0,
        "facts": {},
        "others": {},
        "diff": {
            "before_header": "members of %s" % service,
            "after_header": "members of %s" % service,
            "before": members_plan.describe(record, labels),
            "after": "",
        },
    }


def found_ids(found):
    """Ids as numbers: a template may have turned them into text. The plan refuses values that are not numbers."""
    return {
        host: int(value) if isinstance(value, str) and value.isdigit() else (None if value == "" else value)
        for host, value in found.items()
    }


def main():
    module = AnsibleModule(
        argument_spec=dict(
            service=dict(type="str", required=True),
            hosts=dict(type="list", elements="str", default=[]),
            found=dict(type="dict", default={}),
            limit_hosts=dict(type="list", elements="str", default=[]),
            facts=dict(type="dict", default={}),
            others=dict(type="dict", default={}),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        supports_check_mode=True,
    )
    try:
        client = engine.connect_or_predict(module, manager=True)
        result = present(module, client) if module.params["state"] == "present" else absent(module, client)
    except Failure as exc:
        fail(module, exc)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
