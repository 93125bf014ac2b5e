#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_adopt
short_description: Containers and data of an existing st-kilda-pier on a node
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Looks at the data of an st-kilda-pier, stops its containers, and gives its data the place and the owner that the roles of the collection expect.
  - Data moves by rename on its own file system. Nothing is copied and nothing is deleted. A container is stopped, and does not start with the engine.
  - What was stopped and moved is in C(/etc/skp/adopted.json) on the node, the former owners of files are in C(/etc/skp/adopted.owners).
  - A run that was cut off is continued by the next one.
extends_documentation_fragment:
  - skp.cluster.attributes
options:
  state:
    description:
      - V(looked) reads. V(stopped) stops the containers of O(containers). V(taken) moves the data of O(services) and changes its owners; it is refused while a
        container that runs has the directory mounted.
    type: str
    choices: [looked, stopped, taken]
    default: looked
  services:
    description: The services with data on this node.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the service.
        type: str
        choices: [zookeeper, kafka, mysql, notebooks]
        required: true
      path:
        description: Directory of its data.
        type: path
        required: true
      from:
        description: Where the data is before O(state=taken), if not in O(services[].path).
        type: path
      container:
        description: Name of its container; that of ZooKeeper without the number.
        type: str
        required: true
      uid:
        description: Number of the user and group that the data gets.
        type: int
        required: true
      hosts:
        description: Ignored; so that the plan of all nodes can be given.
        type: list
        elements: str
        default: []
  containers:
    description: The containers to stop.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the container.
        type: str
        required: true
      numbered:
        description: Whether a hyphen and a number follow the name.
        type: bool
        default: false
      rename:
        description: Whether the stopped container gets another name, because the collection makes one of this name.
        type: bool
        default: false
      timeout:
        description: Seconds that its program has to end.
        type: int
        default: 60
  others:
    description: Directories of all services. Below the notebooks they keep their owner.
    type: list
    elements: path
    default: []
  network:
    description: Name of the overlay network, whose subnet is returned.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Look at the data of ZooKeeper
  skp.cluster.skp_adopt:
    services:
      - {name: zookeeper, path: /var/zookeeper, container: zookeeper-skp, uid: 61002}
  register: look

- name: Stop the old containers
  skp.cluster.skp_adopt:
    state: stopped
    containers:
      - {name: zookeeper-skp, numbered: true}
"""

RETURN = r"""
services:
  description: For each service its id, its cluster's id, the directory of its data, counts, the version of MySQL, and problems.
  returned: O(state=looked)
  type: dict
  sample: {zookeeper: {id: 1, cluster_id: "", source: /var/zookeeper/data, counts: {logs: 2, snapshots: 1}, version: "", problems: []}}
stops:
  description: Names of the containers that O(state=stopped) stops.
  returned: O(state=looked)
  type: list
  elements: str
network:
  description: The subnet of O(network), null if the engine does not know the network.
  returned: O(state=looked)
  type: dict
steps:
  description: What was done, or would be done in check mode.
  returned: O(state=stopped) or O(state=taken)
  type: list
  elements: str
failure:
  description: The machine part of an error; C(kind) names it.
  returned: failure
  type: dict
"""

import os
import time
from urllib.parse import quote

from ansible_collections.skp.cluster.plugins.module_utils.adopt import io, plan
from ansible_collections.skp.cluster.plugins.module_utils.data_dirs.plan import parse_mountinfo
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule


def look_at(service, containers, mounts, record):
    """The judgement of one service, see `plan.judge`."""
    path = plan.place(service, bool(service.get("from")) and os.path.isdir(service["from"]) and not os.path.isdir(service["path"] + "/data"))
    wanted = {"name": service["container"], "numbered": service["name"] == "zookeeper"}
    # After a run that was cut off the containers are stopped; they still say whose the data is.
    container = next((entry for entry in containers if plan.is_original(entry, wanted)), None)
    moved = service["name"] in record["taken"]
    found = io.read(service["name"], path, mounts)
    if service["path"] + "/data" in [target for dummy, target in record["moves"]]:
        found["taken"] = service["path"] + "/data"
    if service["name"] == "mysql":
        running = container is not None and container["state"] == "running"
        found["version"] = (io.mysql_version(container) if running else "") or record["mysql"]
    return plan.judge(service["name"], path, found, None if moved else container)


def looked(params, containers, mounts, record):
    """The result of `looked`."""
    services = {service["name"]: look_at(service, containers, mounts, record) for service in params["services"]}
    stops = [step[1] for step in plan.stop_steps(containers, params["containers"]) if step[0] == "stop"]
    return {"changed": False, "services": services, "stops": stops, "network": io.network(params["network"]) if params["network"] else None}


def stopped(params, containers, record, check_mode):
    """Stop containers. The record is written before each step, so that it names what a run that is cut off has stopped."""
    steps = plan.stop_steps(containers, params["containers"])
    by_name = {entry["name"]: entry for entry in containers}
    for verb, name, value in [] if check_mode else steps:
        entry = by_name[name]
        known = record["containers"].setdefault(name, {
            "id": entry["id"], "image": entry["image"], "state": entry["state"], "restart": entry["restart"], "mounts": entry["mounts"],
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
        if verb == "stop" and "/var/lib/mysql" in entry["mounts"] and not record["mysql"]:
            record["mysql"] = io.mysql_version(entry)
        if verb == "rename":
            known["renamed"] = value
        io.write_record(record)
        where = "/containers/%s/" % entry["id"]
        if verb == "restart":
            io.post(where + "update", {"RestartPolicy": {"Name": value}})
        elif verb == "stop":
            io.post(where + "stop?t=%d" % value, timeout=value + 60)
        else:
            io.post(where + "rename?name=" + quote(value))
    return {"changed": bool(steps), "steps": ["%s %s%s" % (verb, name, "" if verb == "stop" else " " + value) for verb, name, value in steps]}


def taken(params, containers, mounts, record, check_mode):
    """Move the data and change its owners. All services are judged before the first is moved."""
    todo = {}
    for service in params["services"]:
        look = look_at(service, containers, mounts, record)
        # The version of MySQL is a matter of all nodes together, which were asked before.
        if look["problems"]:
            raise Failure("%s: %s. Nothing was moved." % (service["name"], ". ".join(look["problems"])), kind="data", service=service["name"])
        todo[service["name"]] = io.effective(plan.take_steps(service, look, params["others"]))
        if todo[service["name"]]:
            plan.refuse_running(service["name"], service.get("from") or service["path"], [] if check_mode else containers)
    for name, steps in {} if check_mode else todo.items():
        record["moves"] += [list(step[1:]) for step in steps if step[0] == "rename"]
        record["moves"] += [[step[1], step[1] + "/data"] for step in steps if step[0] == "gather"]
        io.write_record(record)
        for step in steps:
            io.apply(step)
        if name not in record["taken"]:
            record["taken"].append(name)
            io.write_record(record)
    steps = [" ".join(map(str, step[:3])) for entries in todo.values() for step in entries]
    return {"changed": bool(steps), "steps": steps}


def run(module):
    """The result of one call."""
    params = module.params
    containers = io.containers()
    record = io.read_record()
    with open("/proc/self/mountinfo", encoding="utf-8") as stream:
        mounts = parse_mountinfo(stream.read())
    if params["state"] == "looked":
        return looked(params, containers, mounts, record)
    result = stopped(params, containers, record, module.check_mode) if params["state"] == "stopped" else taken(
        params, containers, mounts, record, module.check_mode)
    result["diff"] = {"before": "", "after": "".join(step + "\n" for step in result["steps"])}
    return result


def argument_spec():
    """The options of the module."""
    service = {
        "name": dict(type="str", choices=["zookeeper", "kafka", "mysql", "notebooks"], required=True),
        "path": dict(type="path", required=True),
        "from": dict(type="path"),
        "container": dict(type="str", required=True),
        "uid": dict(type="int", required=True),
        "hosts": dict(type="list", elements="str", default=[]),
    }
    container = {
        "name": dict(type="str", required=True),
        "numbered": dict(type="bool", default=False),
        "rename": dict(type="bool", default=False),
        "timeout": dict(type="int", default=60),
    }
    return dict(
        state=dict(type="str", choices=["looked", "stopped", "taken"], default="looked"),
        services=dict(type="list", elements="dict", default=[], options=service),
        containers=dict(type="list", elements="dict", default=[], options=container),
        others=dict(type="list", elements="path", default=[]),
        network=dict(type="str", default=""),
    )


def main():
    module = QuietModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        result = run(module)
    except Failure as exc:
        fail(module, exc)
    except OSError as exc:
        fail(module, Failure("The data of st-kilda-pier on this node: %s. Run again when it is mended; what was done is in %s." % (exc, plan.RECORD), kind="os",
                             errno=exc.errno))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
