#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_service
short_description: All swarm services of a role, in one call
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Creates, updates and removes the services of a role so that they match O(services), with their configs and secrets, and waits until
    all tasks run.
  - A service by member (O(services[].host)) is one replica pinned to that host; a service by label (O(services[].label)) runs on every
    node with the label.
  - Services use DNS round robin and ports in host mode. Unchanged services do not restart; manual changes are reverted.
  - Services of the role that are not listed are removed, even if their node is down.
  - A change that would stop a task on a paused node fails before any change, because nothing could take its place.
  - One call at a time changes a role on a manager; a second one waits for O(timeout).
extends_documentation_fragment:
  - skp.cluster.attributes
options:
  role:
    description: Owner of the services. Only services with this role as their label are changed or removed.
    type: str
    required: true
  state:
    description: V(absent) removes all services, configs and secrets of the role; data is never changed.
    type: str
    choices: [present, absent]
    default: present
  purge:
    description: With O(state=absent), also remove the record of the data's hosts, so that the services can start on any host.
    type: bool
    default: false
  network:
    description: Overlay network of services without O(services[].networks).
    type: str
    default: net-skp
  own_networks:
    description:
      - Overlay networks of this role alone, name to subnet, for services that no other container may reach. They are made before the services,
        and removed with O(state=absent).
      - No container but a task of a service can join them. A network that exists keeps its subnet.
    type: dict
    default: {}
  registry:
    description: Images of this registry are resolved to their digest. The module queries the registry from the manager it runs on.
    type: str
    default: localhost:5000
  data_policy:
    description:
      - What to do if a service that owns data would start on another host than the host of its data.
      - V(refuse) fails before any change; V(leave) starts empty there and does not change the old data; V(moved) means that you
        copied the data.
    type: str
    choices: [refuse, leave, moved]
    default: refuse
  limit_hosts:
    description: If not empty, services that concern none of these inventory hosts are not changed.
    type: list
    elements: str
    default: []
  label_hosts:
    description:
      - For services by label, the inventory hosts that have the label, by name of the label. The labels of the swarm's nodes are brought up to date before
        the services. Nodes outside O(limit_hosts) are not changed.
      - A present service by such a label carries its name as C(skp.label). M(skp.cluster.skp_swarm) then leaves the label to this module, so that a node has
        the service's new image before the label. Without O(label_hosts), M(skp.cluster.skp_swarm) sets the label, and the service may start before its role.
    type: dict
    default: {}
  joining:
    description: In check mode, hosts that the same run would bring into the swarm (RV(skp.cluster.skp_swarm#module:joining)).
    type: list
    elements: str
    default: []
  rebuilt:
    description: In check mode, images that the same run would build anew; their services are predicted to change.
    type: list
    elements: str
    default: []
  members:
    description:
      - Generations of the records that O(services) were made with (RV(skp.cluster.skp_members#module:generations)).
      - If another run has changed one since, the call fails before any change.
    type: dict
    default: {}
  secret_generations:
    description:
      - Generations of the cluster's secrets that the services use, by name (M(skp.cluster.skp_secret)). They are kept as a label of the services.
      - If services run with a newer generation, the call fails before any change.
    type: dict
    default: {}
  renamed:
    description: In check mode, names that RV(skp.cluster.skp_swarm#module:renamed) would give to swarm nodes, by node id.
    type: dict
    default: {}
  serial:
    description: V(0) updates all services at once. V(1) stops running services one at a time, in the order of O(services), and waits for each.
    type: int
    choices: [0, 1]
    default: 0
  gate:
    description: With O(serial=1), a one-shot container run on the manager before the first stop of a running service and after each update.
    type: dict
    suboptions:
      image:
        description: Image to run.
        type: str
        required: true
      command:
        description: Replaces the image's entry point. It must exit with 0 when it is safe to stop one service; it is repeated until then.
        type: list
        elements: str
        required: true
      network:
        description: Attachable network of the container; default O(network).
        type: str
      timeout:
        description: Seconds until the run fails with the gate's last output.
        type: int
        default: 300
  wait:
    description: Wait until all tasks run (on nodes that are ready and active) and the tasks of removed services have ended.
    type: bool
    default: true
  timeout:
    description: Seconds for each wait.
    type: int
    default: 300
  settle:
    description: Seconds that a task must have been up to count as running.
    type: float
    default: 3
  services:
    description: All services of the role.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the service, and its name on the overlay network.
        type: str
        required: true
      image:
        description: Image; an image of O(registry) is run by the present digest of its tag.
        type: str
        required: true
      host:
        description: Inventory name of the only host that runs the service.
        type: str
      label:
        description: Runs once on every node with the value V(enable) for this label.
        type: str
      managers:
        description: Runs once on every manager of the swarm. Exactly one of this, O(services[].host) and O(services[].label) is set.
        type: bool
        default: false
      constraints:
        description: More placement constraints, in swarm syntax.
        type: list
        elements: str
      command:
        description: Replaces the image's entry point.
        type: list
        elements: str
      args:
        description: Replaces the image's command.
        type: list
        elements: str
      hostname:
        description: Hostname in the container.
        type: str
      user:
        description: User, or C(uid:gid).
        type: str
      stop_gate:
        description:
          - Command in the running container that exits with 0 while it is safe to stop this task. Before M(skp.cluster.skp_engine) restarts the engine of a
            node, it repeats the command until it succeeds.
        type: list
        elements: str
      no_new_privileges:
        description: The process and its children never gain privileges, for example from setuid programs. Not set if a manager's engine is older than 25.
        type: bool
        default: true
      groups:
        description: More groups of the process.
        type: list
        elements: str
      workdir:
        description: Working directory.
        type: str
      env:
        description: Environment. Never put a secret here.
        type: dict
      configs:
        description: Files of the service, stored as swarm configs with the hash of their content in the name.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name within the role.
            type: str
            required: true
          content:
            description: Content.
            type: str
            required: true
          target:
            description: Path in the container.
            type: str
            required: true
          mode:
            description: Mode, quoted.
            type: str
            default: '0444'
          uid:
            description: Owner.
            type: str
            default: '0'
          gid:
            description: Group.
            type: str
            default: '0'
      secrets:
        description: Files in memory, stored as swarm secrets. Diffs show only a hash.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name within the role.
            type: str
            required: true
          content:
            description: Content.
            type: str
            required: true
          target:
            description: Path in the container; a bare name is below C(/run/secrets). Default is the name.
            type: str
          mode:
            description: Mode, quoted.
            type: str
            default: '0400'
          uid:
            description: Owner.
            type: str
            default: '0'
          gid:
            description: Group.
            type: str
            default: '0'
      mounts:
        description: Mounts. If the source of a bind mount is missing, the service does not start until it exists.
        type: list
        elements: dict
        suboptions:
          type:
            description: Kind of mount.
            type: str
            choices: [bind, volume, tmpfs]
            default: bind
          source:
            description: Path on the node, or name of the volume.
            type: str
          target:
            description: Path in the container.
            type: str
            required: true
          read_only:
            description: Mount read-only.
            type: bool
            default: false
          propagation:
            description: Propagation of a bind mount.
            type: str
            choices: [private, rprivate, shared, rshared, slave, rslave]
          size:
            description: Size of a tmpfs, such as C(64m).
            type: str
          mode:
            description: Mode of a tmpfs, quoted.
            type: str
      ports:
        description: Ports published on the node itself (host mode).
        type: list
        elements: dict
        suboptions:
          target:
            description: Port in the container.
            type: int
            required: true
          published:
            description: Port of the node; default is the same.
            type: int
          protocol:
            description: Protocol.
            type: str
            choices: [tcp, udp, sctp]
            default: tcp
      aliases:
        description: More names on the overlay; an alias resolves to all tasks that have it.
        type: list
        elements: str
      networks:
        description: Networks; default is O(network). V(host) is the node's network.
        type: list
        elements: str
      healthcheck:
        description: The task counts as running, and its name resolves, only after this check has passed.
        type: dict
        suboptions:
          test:
            description: Shell text, or a list such as C([CMD, curl, ...]).
            type: raw
            required: true
          interval:
            description: Time between checks, for example V(10s).
            type: str
          timeout:
            description: Time limit of a check, for example V(5s).
            type: str
          retries:
            description: Failures until unhealthy.
            type: int
          start_period:
            description: Failures in this time do not count.
            type: str
          start_interval:
            description:
              - Time between checks within O(services[].healthcheck.start_period), until the first check passes; the engine's default is V(5s).
              - Not used if the managers' engine is older than 25; then O(services[].healthcheck.interval) applies from the start.
            type: str
      stop_grace_period:
        description: Time between the stop signal and the kill.
        type: str
      stop_signal:
        description: Signal that stops the container.
        type: str
      init:
        description: Run an init process as PID 1.
        type: bool
      read_only:
        description: Root file system read-only.
        type: bool
      cap_add:
        description: Capabilities to add.
        type: list
        elements: str
      cap_drop:
        description: Capabilities to drop.
        type: list
        elements: str
      limits:
        description: Upper limits of a task.
        type: dict
        suboptions:
          cpus:
            description: Number of CPUs, for example V(0.5).
            type: float
          memory:
            description: Memory, for example V(512m).
            type: str
          pids:
            description: Number of processes and threads; the default is 4096.
            type: int
      reservations:
        description: Free resources that a node must have.
        type: dict
        suboptions:
          cpus:
            description: Number of CPUs, for example V(0.5).
            type: float
          memory:
            description: Memory, for example V(512m).
            type: str
          generic:
            description: Generic resources, kind to number.
            type: dict
      restart:
        description: Restart policy of tasks.
        type: dict
        suboptions:
          condition:
            description: Restart tasks that ended for this reason.
            type: str
            choices: [any, on-failure, none]
            default: any
          delay:
            description: Time between restarts.
            type: str
            default: 5s
          max_attempts:
            description: Maximum number of restarts within O(services[].restart.window).
            type: int
          window:
            description: Time span in which the attempts are counted.
            type: str
      ulimits:
        description: Limits of the process.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the limit, for example V(nofile).
            type: str
            required: true
          soft:
            description: Soft limit.
            type: int
            required: true
          hard:
            description: Hard limit; default is the soft one.
            type: int
      sysctls:
        description: Kernel settings of the container.
        type: dict
      extra_hosts:
        description: Entries of /etc/hosts as C(name:address).
        type: list
        elements: str
      dns:
        description: Name servers.
        type: list
        elements: str
      log:
        description: Logging of the container's output; default is the engine's own setting.
        type: dict
        suboptions:
          driver:
            description: Log driver.
            type: str
            required: true
          options:
            description: Options of the log driver.
            type: dict
      labels:
        description:
          - More labels of the service. Two of them are for the table of C(playbooks/status.yml).
          - C(skp.url) is the address for people, such as C(http://{host}:8010/lab), where C({host}) stands for the address of each host that runs the service.
            Several are separated by a space.
          - C(skp.login) says where the password lies, the path of a file on the managers or the name of a variable. Never the password itself.
        type: dict
      owns_data:
        description: Path on the node of the data that belongs to this service. If the label moves to another host, O(data_policy) applies.
        type: str
"""

EXAMPLES = r"""
- name: A service on every node with the label
  skp.cluster.skp_service:
    role: web
    services:
      - name: web-skp
        label: web
        image: localhost:5000/site/web:latest
        ports: [{target: 8000}]

- name: One service per member, restarted one at a time
  skp.cluster.skp_service:
    role: kafka
    serial: 1
    gate: {image: "localhost:5000/skp/docker-kafka:latest", command: [kafka-topics.sh, --bootstrap-server, "kafka-skp:9092", --list]}
    services:
      - name: kafka-skp-1
        host: c01
        image: localhost:5000/skp/docker-kafka:latest
        aliases: [kafka-skp]
        owns_data: /var/lib/skp/kafka
        mounts: [{source: /var/lib/skp/kafka, target: /var/lib/kafka}]
"""

RETURN = r"""
actions:
  description: Actions done, or predicted in check mode, per service.
  returned: success
  type: list
  elements: dict
  sample: [{do: update, name: kafka-skp-1, host: c01, fields: [TaskTemplate.ContainerSpec.Env]}]
labels:
  description: Node labels that were set (V(enable)) or removed (null).
  returned: success
  type: list
  elements: dict
  sample: [{host: c02, label: jupyter, value: enable}]
unchanged:
  description: Services without a change.
  returned: success
  type: list
  elements: str
outside_limit:
  description: Services outside O(limit_hosts).
  returned: success
  type: list
  elements: str
services:
  description: Per service its image with digest, its hash and the hosts it runs on (known after a wait).
  returned: success
  type: dict
  sample: {kafka-skp-1: {image: "localhost:5000/skp/docker-kafka:latest@sha256:...", hash: "746a...", hosts: [c01]}}
pending_down:
  description: Tasks not waited for, because their node is down, drained or paused.
  returned: success
  type: list
  elements: dict
  sample: [{service: kafka-skp-3, host: c03, reason: node is down}]
failure:
  description: The machine part of an error; C(kind) names it.
  returned: failure
  type: dict
"""


from ansible_collections.skp.cluster.plugins.module_utils import run_lock
from ansible_collections.skp.cluster.plugins.module_utils.engine import client as engine
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.members import io as members_io
from ansible_collections.skp.cluster.plugins.module_utils.service import io as service_io, plan as service_plan
from ansible_collections.skp.cluster.plugins.module_utils.service.args import argument_spec
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service, image_reference, lowest_engine


def run(module, result):
    """Read, plan, stop there in check mode, apply and wait. Fills `result` step by step: a failed wait has already made changes."""
    params = module.params
    role = params["role"]
    client = engine.connect_or_predict(module, manager=True)
    refuse_other_members(client, role, params["members"])
    seen = service_io.read_state(client, role, params["renamed"] if module.check_mode else None)
    labels = service_plan.plan_labels(seen, params["label_hosts"], params["limit_hosts"], params["joining"] if module.check_mode else [])
    state = service_plan.with_labels(seen, labels)

    asked = params["services"] if params["state"] == "present" else []
    gate = params["gate"] if params["serial"] else None
    images = [service["image"] for service in asked] + ([gate["image"]] if gate else [])
    digests = service_io.resolve_images(client, images, params["registry"], missing_ok=module.check_mode,
                                        rebuilt=params["rebuilt"] if module.check_mode else [])
    oldest = lowest_engine(state["nodes"])
    desired = [build_service(service, role, params["network"], digests, params["serial"], oldest, params["secret_generations"], params["label_hosts"])
               for service in asked]
    refuse_old_secrets(role, state, params["secret_generations"])
    plan = service_plan.plan_services(state, desired, role, params["limit_hosts"])
    networks = service_plan.plan_networks(state, role, params["own_networks"] if asked else {})
    placement, generations = plan_placement(client, state, desired, params)
    check_nodes(module, state, desired, plan, client is not None)
    refuse_stops(role, state, plan["actions"], params["limit_hosts"])

    result.update(
        {
            "changed": plan["changed"] or bool(labels or networks) or drops_placement(params, generations),
            "labels": [{key: step[key] for key in ("host", "label", "value")} for step in labels],
            "unchanged": plan["unchanged"],
            "outside_limit": plan["skipped"],
            "pending_down": [],
            "actions": [{key: action[key] for key in ("do", "name", "host", "fields")} for action in plan["actions"]],
            "services": {
                service["name"]: {"image": service["payload"]["TaskTemplate"]["ContainerSpec"]["Image"], "hash": digest, "hosts": []}
                for service, digest in zip(desired, service_plan.hashes(desired).values())
            },
        }
    )
    if module._diff:
        result["diff"] = [label_diff(step) for step in labels] + [item["diff"] for item in networks] + plan["diff"]
    if module.check_mode:
        return

    for step in labels:
        members_io.set_node_labels(client, step["id"], {step["label"]: step["value"]})
    service_io.create_networks(client, networks, state)
    # Written before any service starts: an interrupted run must not lose the hosts of the data.
    if placement is not None:
        members_io.write_generation(client, members_io.PLACEMENT, role, {"services": placement}, generations)
    opened = None
    if gate:
        opened = service_io.gate_runner(
            client, role, gate, image_reference(gate["image"], digests), gate["network"] or params["network"], gate["timeout"]
        )
    wanted = [service["name"] for service in desired if service["name"] not in plan["skipped"]]
    outcome = service_io.converge(
        client,
        role,
        plan,
        state,
        wanted,
        wait=params["wait"],
        timeout=params["timeout"],
        settle=params["settle"],
        serial=params["serial"],
        gate=opened,
        warn=module.warn,
    )
    for name, hosts in outcome.get("tasks", {}).items():
        result["services"][name]["hosts"] = hosts
    result["pending_down"] = outcome.get("pending_down", [])
    if result["pending_down"]:
        module.warn("Not waited for: %s." % ", ".join("%(service)s on %(host)s (%(reason)s)" % item for item in result["pending_down"]))
    if params["state"] == "absent" and not params["limit_hosts"]:
        service_io.remove_networks(client, role, module.warn)
    if drops_placement(params, generations):
        members_io.remove_generations(client, generations)


def drops_placement(params, generations):
    """Whether the record of the data's hosts is removed: with a purge of all hosts."""
    return params["state"] == "absent" and params["purge"] and not params["limit_hosts"] and bool(generations)


def plan_placement(client, state, desired, params):
    """(new record of the data's hosts, None if unchanged; the record's generations). Raises Failure if a label moved away from its data."""
    generations = []
    purge = params["state"] == "absent" and params["purge"]
    if client is not None and (purge or any(service["owns_data"] for service in desired)):
        generations = members_io.read_generations(client, members_io.PLACEMENT, params["role"])
    before = generations[-1]["content"].get("services", {}) if generations else {}
    if not desired:
        return None, generations
    after = service_plan.plan_placement(before, state, desired, params["role"], params["data_policy"], params["limit_hosts"])
    return (after if after != before else None), generations


def check_nodes(module, state, desired, plan, in_swarm):
    """A service pinned to a host outside the swarm would wait for ever: an error; in check mode (before the first run) a warning."""
    missing = service_plan.missing_nodes(state, [service for service in desired if service["name"] not in plan["skipped"]])
    missing.update(service_plan.missing_everywhere(state, module.params["label_hosts"]))
    if not missing or not in_swarm:
        return
    text = "No node of the swarm has the label skp.host=%s. Join it first (--tags swarm)." % ", ".join(sorted(set(missing.values())))
    if not module.check_mode:
        raise Failure("Role %s: %s" % (module.params["role"], text), kind="node_missing", services=missing)
    module.warn(text)


def refuse_stops(role, state, actions, limit_hosts):
    """Raise Failure if the actions stop what they must not: a task that nothing can replace, or tasks outside --limit."""
    paused = service_plan.stopped_on_paused(state, actions)
    if paused:
        raise Failure(
            "Role %s: the change stops %s, and no new task can start there. Nothing was changed. Make the node active again "
            "(docker node update --availability active <node>), then run again."
            % (role, ", ".join("%s on %s, which is set to %s" % row for row in paused)),
            kind="paused",
            role=role,
            tasks=paused,
        )
    elsewhere = service_plan.removed_elsewhere(state, actions, limit_hosts)
    if elsewhere:
        raise Failure(
            "Role %s: a service by label is removed from all its nodes or from none, and --limit leaves out %s. Nothing was changed. Run without --limit, "
            "or remove the label from one host in hosts.json and run --tags %s."
            % (role, "; ".join("%s on %s" % (name, ", ".join(hosts)) for name, hosts in sorted(elsewhere.items())), role),
            kind="limit",
            role=role,
            services=elsewhere,
        )


def refuse_other_members(client, role, generations):
    """Raise Failure if the records of member ids are not those that the services were made with."""
    changed = {}
    for name, generation in sorted(generations.items()) if client is not None else ():
        now = members_io.read_members(client, name)[0]["generation"]
        if now != int(generation):
            changed[name] = (int(generation), now)
    if changed:
        raise Failure(
            "Role %s: since this run has read the member ids, another run has changed them: %s. Nothing was changed. Run again."
            % (role, ", ".join("%s from generation %d to %d" % (name, before, now) for name, (before, now) in sorted(changed.items()))),
            kind="members_changed",
            role=role,
            generations={name: list(pair) for name, pair in changed.items()},
        )


def refuse_old_secrets(role, state, generations):
    """Raise Failure if the role's services run with newer secrets: the manager that gave these was away when they were replaced."""
    old = service_plan.old_secrets(state, role, generations)
    if old:
        raise Failure(
            "Role %s: the services run with newer secrets than those of this run: %s. Nothing was changed. The manager in use was away when they were "
            "replaced. Run site.yml without --tags: it takes the newest copy of all managers."
            % (role, ", ".join("%s generation %d, not %d" % (name, running, now) for name, (now, running) in sorted(old.items()))),
            kind="old_secrets",
            role=role,
            secrets=old,
        )


def label_diff(step):
    """The diff entry of one node label."""
    line = "%s=enable\n" % step["label"]
    title = "labels of node %s" % step["host"]
    return {"before_header": title, "after_header": title, "before": "" if step["value"] else line, "after": line if step["value"] else ""}


def main():
    module = QuietModule(argument_spec=argument_spec(), supports_check_mode=True)
    result = {}
    try:
        with run_lock.alone(module.params["role"], module.params["timeout"], module.check_mode):
            run(module, result)
    except Failure as exc:
        fail(module, exc, **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
