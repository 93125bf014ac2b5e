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
  - If the swarm has no record, the ids of the node labels and of the data directories are used, and no id is given while a host of the
    service could not be inspected. An id in the data that contradicts the record is refused.
  - The record also has the facts that the data depends on (cluster id, mode, directory, number of voters). They are permanent as soon as
    data exists, and are read back from the data if the record is lost.
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
  data_policy:
    description:
      - V(moved) lets an id follow its data from a host that is no member any more to the host that has the data now, and accepts a new
        directory in O(directories). Every inspected host must have data.
      - V(leave) accepts a new directory in O(directories).
    type: str
    choices: [refuse, leave, moved]
    default: refuse
  facts:
    description:
      - Values that belong to the data, for example a cluster id. They are stored with the first id; those of the record, or of the data if
        the record is lost, take precedence.
    type: dict
    default: {}
  settings:
    description:
      - Names of variables and their values. They are stored with the first id. A value that differs from the record (or from the data, if
        the record is lost) is refused as soon as data exists.
    type: dict
    default: {}
  directories:
    description: As O(settings), for directories of the data. O(data_policy) can allow a change.
    type: dict
    default: {}
  running_settings:
    description: As O(settings), for values that may change only while the swarm has no service of O(service).
    type: dict
    default: {}
  voters:
    description:
      - The members with the lowest ids vote in a quorum. This is their number at the first start; it is stored, and does not change as soon
        as data exists.
      - A change that leaves less than a majority of them is refused, and so is a voter without data while no majority has data.
    type: int
    default: 0
  found_facts:
    description:
      - Inventory name to a dictionary of the values of O(facts), O(settings) and O(voters) that its data contains; an empty one if there is
        no data.
    type: dict
    default: {}
  started:
    description: Store that the service runs. From then on its facts are permanent, and a voter without data is one that has lost it.
    type: bool
    default: false
  renamed:
    description: In check mode, names that RV(skp.cluster.skp_swarm#module:renamed) would give to swarm nodes, by node id.
    type: dict
    default: {}
  others:
    description: Other services whose ids are read, each with the inventory names that should be its members. Their ids are not assigned here.
    type: dict
    default: {}
  seen:
    description:
      - RV(skp.cluster.skp_node#module:members) of a visit of the manager in this run, if nothing has changed member ids since.
      - If it shows that nothing has to be done, the result comes from it, without a call on the manager. Give RV(generations) to
        O(skp.cluster.skp_service#module:members), which refuses a record that another run has changed meanwhile.
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

- name: Brokers with a quorum of their own
  skp.cluster.skp_members:
    service: kafka
    hosts: "{{ groups['kafka'] }}"
    found: {c01: 1, c02: 2, c03: null}
    settings: {kafka_mode: kraft}
    directories: {kafka_data_dir: /var/lib/skp/kafka}
    facts: {cluster_id: 4L6g3nShT-eMCtK--X86sw}
    voters: 3
    found_facts: {c01: {cluster_id: 4L6g3nShT-eMCtK--X86sw}, c02: {cluster_id: 4L6g3nShT-eMCtK--X86sw}, c03: {}}
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
format:
  description:
    - Hosts of voters without data, which may create it. V(first) is the first start; V(again) means that the voter lost its data and must
      ask the others first.
  returned: success
  type: dict
  sample: {c01: first, c02: first, c03: first}
unknown:
  description: Names of O(facts), and V(voters), that neither the record nor the data of the service has, although it has data.
  returned: success
  type: list
  elements: str
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
generations:
  description: Generation of the record of the service and of each of O(others), for O(skp.cluster.skp_service#module:members).
  returned: success
  type: dict
  sample: {kafka: 2, zookeeper: 1}
seen:
  description: Whether the result comes from O(seen), so that no call was made.
  returned: success
  type: bool
failure:
  description: The machine part of an error; C(kind) names it.
  returned: failure
  type: dict
"""


from ansible_collections.skp.cluster.plugins.module_utils import run_lock
from ansible_collections.skp.cluster.plugins.module_utils.engine import client as engine
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.members import io as members_io, plan as members_plan
from ansible_collections.skp.cluster.plugins.module_utils.members.args import argument_spec


LOCK_SECONDS = 60
"""A call takes a second or two."""


def present(module, client):
    """Plan the members; outside check mode write the record first and the node labels after it."""
    service = module.params["service"]
    seen = members_io.look(client, [service, *module.params["others"]])
    decision = members_plan.decide(seen, module.params, module.check_mode)
    result = decision["result"]
    if result["unseen"]:
        module.warn(
            "%s: %s got no member id, because its data could not be inspected in this run (unreachable, or outside the limit)."
            % (service, ", ".join(result["unseen"]))
        )
    if not module.check_mode:
        generations = seen["records"].get(service) or []
        if decision["record_changed"]:
            result["generation"] = members_io.write_members(client, decision["record"], generations)["generation"]
            result["generations"][service] = result["generation"]
        elif len(generations) > 1:
            members_io.remove_generations(client, generations[:-1])
        nodes = members_plan.by_host(seen["nodes"])
        for host, number in decision["labels"].items():
            members_io.set_node_labels(client, nodes[host]["ID"], {members_plan.id_label(service): number})
    return result


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
        "generations": {service: 0},
        "seen": False,
        "facts": {},
        "format": {},
        "unknown": [],
        "others": {},
        "diff": {
            "before_header": "members of %s" % service,
            "after_header": "members of %s" % service,
            "before": members_plan.describe(record, labels),
            "after": "",
        },
    }


def main():
    module = QuietModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        client = engine.connect_or_predict(module, manager=True)
        with run_lock.alone("members of %s" % module.params["service"], LOCK_SECONDS, module.check_mode):
            result = present(module, client) if module.params["state"] == "present" else absent(module, client)
    except Failure as exc:
        fail(module, exc)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
