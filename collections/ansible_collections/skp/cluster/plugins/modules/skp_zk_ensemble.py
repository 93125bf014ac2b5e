#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_zk_ensemble
short_description: A ZooKeeper ensemble of swarm services, changed one member at a time
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Gives the ZooKeeper ensemble exactly the members O(hosts). Each is a swarm service C(<name_prefix>-<id>), pinned to its host.
  - Ids are stored in the swarm and in the data directories. They are permanent and never reused.
  - A change that would lose the quorum or acknowledged writes is refused before anything is changed. Members are changed one at a time,
    absent members first, then members that do not serve, followers, and the leader last. After each step, the member must serve and have
    caught up.
  - The module never restarts one member to repair another one.
extends_documentation_fragment:
  - skp.cluster.attributes
attributes:
  check_mode:
    details:
      - If there is something to change, check mode also queries the members, through a container on this manager that is removed at the end.
options:
  hosts:
    description:
      - Inventory names of all members, not only those of this run. The order does not matter.
      - The list must not be empty while an ensemble exists. To remove an ensemble, run the playbook C(down).
    type: list
    elements: str
    required: true
  found:
    description:
      - Inventory name to the id found in its data directory, or null if there is none.
      - A host that is missing here was not inspected.
    type: dict
    default: {}
  filesystems:
    description: Inventory name to the file system type of its data directory. Network, FUSE and memory file systems are refused.
    type: dict
    default: {}
  service:
    description:
      - Options of all members, in the format of one entry of the option C(services) of M(skp.cluster.skp_service); C(image) is required.
      - The module adds name, host, hostname, the server's configuration file, E(ZOO_MY_ID) and the JVM flag C(zookeeper.db.autocreate=false).
    type: dict
    required: true
  zoo_cfg:
    description: Settings of C(zoo.cfg). The module sets data directory, ports, server list, quorum and admin settings itself.
    type: dict
    default: {}
  rebuilt:
    description: In check mode, images that the same run would build anew; their services are predicted to change.
    type: list
    elements: str
    default: []
  renamed:
    description: In check mode, names that RV(skp.cluster.skp_swarm#module:renamed) would give to swarm nodes, by node id.
    type: dict
    default: {}
  name_prefix:
    description: Prefix of the service names, C(<name_prefix>-<id>).
    type: str
    default: zookeeper-skp
  role:
    description: Owner of the services, and name of the record of ids.
    type: str
    default: zookeeper
  network:
    description: Overlay network of the members; it must be attachable.
    type: str
    default: net-skp
  registry:
    description: Images of this registry are resolved to their digest. The module queries the registry from the manager it runs on.
    type: str
    default: localhost:5000
  allow_even:
    description: Allow an even number of members.
    type: bool
    default: false
  allow_outage:
    description:
      - If a change one member at a time would lose the quorum, change all members at once; writes stop for some seconds.
      - Not needed while all members serve, except to shrink to fewer than three.
    type: bool
    default: false
  data_policy:
    description:
      - What to do if the label moved to another host, so that one member leaves and another joins.
      - V(refuse) fails before any change; V(leave) lets the new member copy all data from the others, the old directory stays unused.
    type: str
    choices: [refuse, leave]
    default: refuse
  limit_hosts:
    description: If not empty, only members on these hosts are changed, and the server list stays the same.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds for each wait; after a timeout nothing more is changed.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: An ensemble of three
  skp.cluster.skp_zk_ensemble:
    hosts: [c01, c02, c03]
    found: {c01: 1, c02: 2, c03: null}
    filesystems: {c01: ext4, c02: ext4, c03: xfs}
    zoo_cfg: {tickTime: 2000, initLimit: 10, syncLimit: 5}
    service:
      image: localhost:5000/skp/docker-zookeeper:latest
      mounts: [{source: /var/lib/skp/zookeeper, target: /var/lib/zookeeper}]
"""

RETURN = r"""
steps:
  description: Steps done, or predicted in check mode, in order.
  returned: success
  type: list
  elements: dict
  sample: [{action: apply, ids: [2], servers: [1, 2, 3], wait: true, reason: "follower: settings"}]
ids:
  description: Inventory name to id of all members, by id.
  returned: success
  type: dict
  sample: {c01: 1, c02: 2, c03: 3}
retired:
  description: Inventory name to id of former members.
  returned: success
  type: dict
connection_string:
  description: Connection string for clients on the overlay.
  returned: success
  type: str
  sample: zookeeper-skp-1:2181,zookeeper-skp-2:2181,zookeeper-skp-3:2181
services:
  description: Id (as text) to the name of the member's service.
  returned: success
  type: dict
  sample: {"1": zookeeper-skp-1}
pending_down:
  description: Members not waited for, because their node is down, drained or paused.
  returned: success
  type: list
  elements: dict
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
from ansible_collections.skp.cluster.plugins.module_utils.service import io as service_io, plan as service_plan
from ansible_collections.skp.cluster.plugins.module_utils.service.args import service_options
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service
from ansible_collections.skp.cluster.plugins.module_utils.zookeeper import config, observe, plan as zk_plan, spec
from ansible_collections.skp.cluster.plugins.module_utils.zookeeper.io import Ensemble, Probe

OWN_OPTIONS = ("name", "host", "label", "hostname", "command", "args", "owns_data", "restart")


class Record:
    """The member record in the swarm with its node labels: read once, planned, written before any service starts."""

    def __init__(self, client, role, hosts, found, limit_hosts, renamed=None):
        self.client, self.role = client, role
        self.present, self.generations = members_io.read_members(client, role)
        self.nodes = members_io.nodes_by_host(client, renamed)
        label = members_plan.id_label(role)
        self.labels = {host: (node["Spec"].get("Labels") or {}).get(label) for host, node in self.nodes.items()}
        node_ids = {host: node["ID"] for host, node in self.nodes.items()}
        self.plan = members_plan.plan_members(self.present, hosts, found, limit_hosts, self.labels, data_policy=None, nodes=node_ids)
        self.facts = dict(self.present["facts"])

    def diff(self):
        """Before and after, as text."""
        after = dict(self.labels, **self.plan["labels"])
        return {"before_header": "members of %s" % self.role, "after_header": "members of %s" % self.role,
                "before": members_plan.describe(self.present, self.labels), "after": members_plan.describe(self.plan["record"], after)}

    def write(self, **facts):
        """Write the ids and these facts of the ensemble if they have changed; a fact of None is removed."""
        kept = {key: value for key, value in dict(self.facts, **facts).items() if value is not None}
        wanted = dict(self.plan["record"], facts=kept)
        if any(wanted[key] != self.present[key] for key in ("members", "retired", "nodes", "facts")):
            members_io.write_members(self.client, wanted, self.generations)
            self.present, self.generations = members_io.read_members(self.client, self.role)
            self.facts = dict(wanted["facts"])

    def label_nodes(self):
        """Set missing id labels on the nodes."""
        for host, number in self.plan["labels"].items():
            members_io.set_node_labels(self.client, self.nodes[host]["ID"], {members_plan.id_label(self.role): number})


def check_options(params):
    """Refuse invalid options, without any query."""
    unknown = sorted(set(params["service"]) - (set(service_options()) - set(OWN_OPTIONS)))
    if unknown or not params["service"].get("image"):
        raise Failure("ZooKeeper: option service %s." % ("has unsupported keys: " + ", ".join(unknown) if unknown else "has no image"),
                      kind="bad_value", unknown=unknown)
    if params["hosts"]:
        zk_plan.check_size(params["hosts"], params["allow_even"])
    zk_plan.check_filesystems({host: kind for host, kind in params["filesystems"].items() if host in params["hosts"]})
    try:
        config.render_zoo_cfg(params["zoo_cfg"], params["name_prefix"], [1])
    except ValueError as exc:
        raise Failure("ZooKeeper: the setting %r is not allowed: the module sets it itself, or it is not one line." % str(exc),
                      kind="bad_value", setting=str(exc)) from exc


def builders(params, hosts, digests, oldest):
    """(build, init) for `Ensemble`: one member's service for a server list, and its one-shot service. oldest: see `service.build.lowest_engine`."""
    common, prefix, cache = params["service"], params["name_prefix"], {}

    def finish(entry):
        return build_service(entry, params["role"], params["network"], digests, engine=oldest)

    def build(number, servers):
        key = (number, tuple(sorted(servers)))
        if key not in cache:
            text = config.render_zoo_cfg(params["zoo_cfg"], prefix, servers)
            cache[key] = finish(spec.member_service(common, prefix, number, hosts[number], servers, text))
        return cache[key]

    def init(number, marker):
        return finish(spec.init_service(common, prefix, number, hosts[number], marker))
    return build, init


def run(module, result):
    """Read, plan, refuse or stop there in check mode, then one step after the other. Fills `result` step by step."""
    params = module.params
    check_options(params)
    client = engine.connect_or_predict(module, manager=True)
    found = {host: found_id(value) for host, value in params["found"].items()}
    record = Record(client, params["role"], params["hosts"], found, params["limit_hosts"], params["renamed"] if module.check_mode else None)
    ids = record.plan["ids"]
    hosts = {number: host for part in (record.plan["retired"], ids) for host, number in part.items()}
    target = sorted(number for host, number in ids.items() if host in params["hosts"])
    image = params["service"]["image"]
    digests = service_io.resolve_images(client, [image], params["registry"], missing_ok=module.check_mode,
                                        rebuilt=params["rebuilt"] if module.check_mode else [])
    build, init = builders(params, hosts, digests, service_io.oldest_engine(client))
    names = zk_plan.names_of(params["name_prefix"], hosts)
    options = {"unseen": record.plan["unseen"], "allow_outage": params["allow_outage"], "limit": None}
    if params["limit_hosts"]:
        options["limit"] = [number for number, host in hosts.items() if host in params["limit_hosts"]]
    result.update(ids=ids, retired=record.plan["retired"], steps=[], pending_down=[],
                  services={str(number): "%s-%d" % (params["name_prefix"], number) for number in target},
                  connection_string=config.connection_string(params["name_prefix"], target))
    run_image = image if not digests.get(image) else "%s@%s" % (image, digests[image])
    with Probe(client, run_image, params["network"], params["role"], params["timeout"] * (2 * len(hosts) + 2)) as probe:
        ensemble = Ensemble(client, params["role"], params["name_prefix"], target, hosts, found, record.facts, build, init, probe, params["timeout"],
                            params["renamed"] if module.check_mode else None)
        ensemble.refresh()
        zk_plan.check_prefix(params["name_prefix"], observe.other_prefixes(ensemble.state, params["role"], params["name_prefix"]))
        if observe.member_services(ensemble.state, params["role"], params["name_prefix"]):
            zk_plan.check_size(params["hosts"], params["allow_even"])
        elif not params["hosts"]:
            result["changed"] = False
            return
        steps = planned_steps(module, ensemble, names, options)
        final = [build(number, target) for number in target]
        services = service_plan.plan_services(ensemble.state, final, params["role"], params["limit_hosts"])
        stray = observe.leftovers(ensemble.state, params["role"], params["name_prefix"])
        result.update(changed=bool(steps or stray) or record.plan["changed"], steps=steps)
        if module._diff:
            result["diff"] = diffs(steps, record, services, names)
        if not module.check_mode:
            apply(module, ensemble, record, steps, names, options, result)


def planned_steps(module, ensemble, names, options):
    """All steps to the target; queries the members only if there is something to do. Raises Failure."""
    check = module.check_mode
    view = ensemble.view(assume_nodes=check)
    missing = sorted({ensemble.hosts[n] for n in ensemble.target} - set(observe.hosts_up(ensemble.state)))
    if missing and not check:
        raise Failure("ZooKeeper: no node of the swarm has the label skp.host=%s. Join it first (--tags swarm)." % ", ".join(missing),
                      kind="node_missing", hosts=missing)
    zk_plan.check_move(view, ensemble.target, names, module.params["data_policy"])
    if zk_plan.is_settled(view, ensemble.target, ensemble.wanted, names, **options):
        return []
    if view["members"]:
        return ensemble.judge(lambda seen: zk_plan.plan_steps(seen, ensemble.target, ensemble.wanted, names, ensemble.hosts, **options))
    return zk_plan.plan_steps(view, ensemble.target, ensemble.wanted, names, ensemble.hosts, **options)


def apply(module, ensemble, record, steps, names, options, result):
    """Do the steps, each decided from a new view, and wait until all members serve."""
    record.write()
    record.label_nodes()
    ensemble.clear_leftovers()
    done = []
    while steps:
        step = ensemble.judge(lambda seen: zk_plan.next_step(seen, ensemble.target, ensemble.wanted, names, **options))
        if step is None:
            break
        if len(done) > 3 * len(steps) + 10:
            raise Failure("ZooKeeper: the ensemble keeps changing under this run. Done so far: %s" % done, kind="unstable")
        if step["action"] == "apply" and step["servers"] != record.facts.get("servers"):
            record.write(servers=step["servers"], bootstrapped=True)
        if step["action"] == "init" and not record.facts.get("bootstrapped"):
            # If this stops half way, the next run must not take ids without data for an ensemble that has lost its data.
            record.write(servers=step["servers"], bootstrapping=True)
        done.append(step)
        result["steps"] = done
        try:
            ensemble.do(step)
        except Failure as exc:
            raise Failure(
                "ZooKeeper: step %d of about %d (%s %s; %s) failed, and no other member was changed. Repair the cause and run again: members "
                "that do not serve come first then.\n%s"
                % (len(done), max(len(steps), len(done)), step["action"], names.all(step["ids"]), step["reason"], exc.msg),
                **dict(exc.failure, step=step)) from exc
        if step["action"] == "init" and not record.facts.get("bootstrapped"):
            record.write(servers=step["servers"], bootstrapped=True, formed=False, bootstrapping=None)
        ensemble.facts = dict(record.facts)
    if steps:
        ensemble.refresh()
    members = observe.member_services(ensemble.state, ensemble.role, ensemble.prefix)
    touched = [number for number in ensemble.target if number in members and (options["limit"] is None or number in options["limit"])]
    if set(members) != set(ensemble.target):
        module.warn("ZooKeeper: members join or leave (now %s, wanted %s), which concerns all members: run again without --limit and with all "
                    "members reachable." % (sorted(members), ensemble.target))
    if steps:
        outcome = ensemble.await_serving(touched)
        ensemble.drop_unused(module.warn)
    else:
        outcome = service_io.wait_for(ensemble.client, ensemble.role, [ensemble.name(n) for n in touched], ensemble.timeout, settle=0.0,
                                      state=ensemble.state)
        if members:
            ensemble.require_leader()
    if not outcome["pending_down"] and options["limit"] is None and not record.plan["unseen"]:
        record.write(servers=ensemble.target, bootstrapped=True, formed=True)
    result["pending_down"] = outcome["pending_down"]
    for item in outcome["pending_down"]:
        module.warn("ZooKeeper: %s does not run, %s on %s; it starts when the node is up again." % (item["service"], item["reason"], item["host"]))


def diffs(steps, record, services, names):
    """The diff: steps in order, the member record, then services and configs as `skp_service` shows them."""
    text = "".join("%s %s: %s\n" % (step["action"], names.all(step["ids"]), step["reason"]) for step in steps)
    parts = [{"before_header": "steps", "after_header": "steps, one after the other", "before": "", "after": text}] if steps else []
    members = record.diff()
    return parts + ([members] if members["before"] != members["after"] else []) + services["diff"]


def found_id(value):
    """An id as a number: a template may have turned it into text. The plan refuses values that are not numbers."""
    if isinstance(value, str):
        return int(value) if value.isdigit() else (value or None)
    return value


def main():
    module = QuietModule(
        argument_spec=dict(
            hosts=dict(type="list", elements="str", required=True),
            found=dict(type="dict", default={}),
            filesystems=dict(type="dict", default={}),
            service=dict(type="dict", required=True),
            zoo_cfg=dict(type="dict", default={}),
            name_prefix=dict(type="str", default="zookeeper-skp"),
            role=dict(type="str", default="zookeeper"),
            network=dict(type="str", default="net-skp"),
            registry=dict(type="str", default="localhost:5000"),
            allow_even=dict(type="bool", default=False),
            allow_outage=dict(type="bool", default=False),
            data_policy=dict(type="str", choices=["refuse", "leave"], default="refuse"),
            limit_hosts=dict(type="list", elements="str", default=[]),
            timeout=dict(type="int", default=300),
            renamed=dict(type="dict", default={}),
            rebuilt=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    result = {}
    try:
        with run_lock.alone(module.params["role"], module.params["timeout"], module.check_mode):
            run(module, result)
    except Failure as exc:
        fail(module, exc, **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
