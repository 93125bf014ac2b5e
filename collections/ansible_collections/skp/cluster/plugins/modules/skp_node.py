#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_node
short_description: Directories of all services on a node, and its packet filter, in one call
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Creates the data directories of all services of a node, with owner and mode (parents belong to root, mode 0755), and returns their
    file system and the member id of the data in them.
  - The content of a directory that exists is never changed; only O(state=absent) removes directories that this module created. A directory that was there
    before, or on which a file system is mounted, is used and never removed.
  - Also returns the node's secrets (as hashes) and the images of its engine, so that other tasks need no call if nothing has to change.
  - All services are inspected before any change. If one has an error, none is changed.
  - With O(network), also keeps the node's packet filter as wished. Its rules are in chains of its own, which Docker's chain C(DOCKER-USER) and the chain
    C(INPUT) jump to. The unit C(skp-network.service) applies them at boot, before the engine starts, and after each restart of the engine.
extends_documentation_fragment:
  - skp.cluster.attributes
options:
  services:
    description: The services.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the service.
        type: str
        required: true
      directories:
        description: Directories on the node's local disk. Network and FUSE file systems are refused.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Absolute path.
            type: str
            required: true
          owner:
            description: User, by name or number.
            type: str
            default: root
          group:
            description: Group, by name or number.
            type: str
            default: root
          mode:
            description: Mode, quoted.
            type: str
            default: '0755'
          first_files:
            description:
              - Files that the directory gets when this module creates it, with mode 0644 and the owner and group of the directory.
              - A directory that exists gets none, not even one that this module created earlier, so files of people are never replaced or brought back.
            type: list
            elements: dict
            default: []
            suboptions:
              name:
                description: Name without a path. It does not begin with a dot.
                type: str
                required: true
              content:
                description: Text of the file.
                type: str
                required: true
          any_filesystem:
            description: Accept network and FUSE file systems, for example for a directory below which data volumes are mounted.
            type: bool
            default: false
          holds:
            description: Path below the directory that is there once a service has made its data. Whether it is there is returned.
            type: str
          identity:
            description: File in the data that contains the member id.
            type: dict
            suboptions:
              file:
                description: File below the directory.
                type: str
                required: true
              keys:
                description: Names in a properties file; the first existing one is the id. Without names, the content of the file is the id.
                type: list
                elements: str
                default: []
      shared_directories:
        description: Directories on the shared store, with the same options as O(services[].directories). Any file system is accepted.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Absolute path.
            type: str
            required: true
          owner:
            description: User, by name or number.
            type: str
            default: root
          group:
            description: Group, by name or number.
            type: str
            default: root
          mode:
            description: Mode, quoted.
            type: str
            default: '0755'
          first_files:
            description:
              - Files that the directory gets when this module creates it, with mode 0644 and the owner and group of the directory.
              - A directory that exists gets none, not even one that this module created earlier, so files of people are never replaced or brought back.
            type: list
            elements: dict
            default: []
            suboptions:
              name:
                description: Name without a path. It does not begin with a dot.
                type: str
                required: true
              content:
                description: Text of the file.
                type: str
                required: true
  secrets_dir:
    description:
      - Directory whose secrets are listed in RV(secrets). Without it RV(secrets) is empty.
      - The history of the secrets in this directory is brought up to date, see M(skp.cluster.skp_secret).
    type: path
  members:
    description: Return RV(members). Set it for one manager.
    type: bool
    default: false
  network:
    description:
      - The packet filter. Without this option nothing of it is read or changed. If all of O(network.publish_addresses), O(network.allow_from),
        O(network.allow_port_from), O(network.swarm_allow_from), O(network.closed_ports), O(network.closed_networks) and O(network.registry_port) are empty,
        the filter is removed.
      - Cannot be used with O(state=absent).
    type: dict
    suboptions:
      nodes:
        description: Addresses of all nodes. They and their containers reach all published ports.
        type: list
        elements: str
        default: []
      published:
        description: TCP ports that services of this node publish.
        type: list
        elements: str
        default: []
      published_anywhere:
        description: TCP ports that services of any node publish. Containers reach them on the nodes, whatever O(network.closed_ports) says.
        type: list
        elements: str
        default: []
      publish_addresses:
        description: Addresses of this node at which ports that containers publish are reached from elsewhere. Empty means all its addresses.
        type: list
        elements: str
        default: []
      allow_from:
        description: Addresses and networks from which all ports that containers publish are reached. Empty means every address.
        type: list
        elements: str
        default: []
      allow_port_from:
        description: The same for one published port, by port. It replaces O(network.allow_from) for this port.
        type: dict
        default: {}
      swarm_allow_from:
        description:
          - Addresses and networks from which the ports of the swarm (2377, 7946, 4789) are reached, besides O(network.nodes). The word V(nodes) means nobody
            else. Empty means every address.
        type: list
        elements: str
        default: []
      closed_ports:
        description: Ports and ranges (C(2375-2377)) of the nodes that containers of overlay networks do not reach. Ports of NFS are closed to all containers.
        type: list
        elements: str
        default: []
      closed_networks:
        description: Networks that containers of overlay networks do not reach, except port 53.
        type: list
        elements: str
        default: []
      registry_port:
        description: Port of this node's registry on its loopback address. Empty for a node without one.
        type: str
        default: ""
      registry_users:
        description: Numbers of the accounts of the node that reach O(network.registry_port), besides root. The word V(all) means every account.
        type: list
        elements: str
        default: []
  state:
    description:
      - V(absent) removes the directories and their content, but only directories that this module created; the others are in RV(leaves).
      - A directory with the data of a member that this module did not create is refused before any change.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Directories of Kafka and of Spark's event logs
  skp.cluster.skp_node:
    services:
      - name: kafka
        directories:
          - path: /var/lib/skp/kafka
            owner: "1000"
            group: "1000"
            mode: '0750'
            identity: {file: meta.properties, keys: [node.id, broker.id]}
      - name: spark
        shared_directories:
          - {path: /srv/skp/spark/events, owner: "1000", group: "1000", mode: '2770'}
    secrets_dir: /etc/skp/secrets

- name: Published ports for one network, and nothing of the nodes for containers
  skp.cluster.skp_node:
    network:
      nodes: [10.0.0.4, 10.0.0.5]
      published: ["9094"]
      published_anywhere: ["8010", "9094"]
      allow_from: [10.1.0.0/16]
      closed_ports: ["22", "111", "2049", "2375-2377"]
      closed_networks: [169.254.0.0/16]
"""

RETURN = r"""
services:
  description:
    - By name of the service. C(id) is the member id found in its directories, or null. C(directories) has, for each directory, its path,
      whether it existed, its file system type, free bytes, the identity found, and whether O(services[].directories[].holds) was there.
  returned: success
  type: dict
  sample:
    kafka:
      id: 1
      directories:
        - {path: /var/lib/skp/kafka, existed: true, fstype: ext4, free_bytes: 8123456789, identity: {broker.id: "1"}, id: 1, holds: null}
removes:
  description: Directories that O(state=absent) removes, or would remove in check mode.
  returned: O(state=absent)
  type: list
  elements: str
  sample: [/var/lib/skp/kafka]
leaves:
  description: Directories that O(state=absent) leaves, each with the reason.
  returned: O(state=absent)
  type: list
  elements: str
secrets:
  description:
    - All secrets that O(secrets_dir) has or had, by name, with a fingerprint, the generation, and the time of the generation in seconds since 1970.
    - The fingerprint is a slow hash of the value, null if the file is missing or empty.
  returned: success
  type: dict
  sample: {jupyter_cookie_secret: {fingerprint: 0b8f6e..., generation: 1, time: 1790000000}}
images:
  description: Digests of the engine's images, as C(repository@digest). Empty if no engine answers.
  returned: success
  type: list
  elements: str
members:
  description:
    - The swarm's records of member ids, its nodes with their labels, and which services it runs, for O(skp.cluster.skp_members#module:seen).
    - Empty without O(members), and if the engine does not answer or is no manager.
  returned: success
  type: dict
failure:
  description: The machine part of an error; C(kind) names it.
  returned: failure
  type: dict
"""


from ansible_collections.skp.cluster.plugins.module_utils.data_dirs import io, plan
from ansible_collections.skp.cluster.plugins.module_utils.engine import facts as engine_facts
from ansible_collections.skp.cluster.plugins.module_utils.engine.client import connect
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.members.io import look
from ansible_collections.skp.cluster.plugins.module_utils.network import io as network_io
from ansible_collections.skp.cluster.plugins.module_utils.secrets import io as secrets_io, plan as secrets_plan


def run(module):
    """Inspect all directories of all services, plan all, and only then apply."""
    params = module.params
    present = params["state"] == "present"
    with open("/proc/self/mountinfo", encoding="utf-8") as stream:
        mounts = plan.parse_mountinfo(stream.read())
    plans = {service["name"]: plan_of(service, mounts, present) for service in params["services"]}
    directory = params["secrets_dir"]
    secrets = secrets_io.read(directory)[1] if directory else {}
    result = {
        "changed": False,
        "services": {name: {"id": one_id(name, rows) if present else None, "directories": facts(rows)} for name, rows in plans.items()},
        "secrets": secrets_plan.copies(secrets),
        "images": images() if present else [],
        "members": members() if present and params.get("members") else {},
        "diff": {"before": "", "after": ""},
    }
    result["changed"] = bool(directory) and secrets_io.record(directory, secrets, module.check_mode)
    if not present:
        everything = [row for rows in plans.values() for row in rows]
        result["removes"] = [found["path"] for found, _owner, steps in everything if any(verb == "remove" for verb, _path in steps)]
        result["leaves"] = [plan.left(found) for found, _owner, _steps in everything if plan.left(found)]
    for found, owner, steps in (row for rows in plans.values() for row in rows):
        result["changed"] = result["changed"] or bool(steps)
        result["diff"]["before"] += plan.describe(found["path"], found["owner"], found["id"])
        result["diff"]["after"] += plan.describe(found["path"], owner if present or steps else found["owner"], found["id"])
        result["diff"]["after"] += plan.describe_first_files(found["path"], steps)
        if not module.check_mode:
            io.apply(found["path"], steps)
    if present and params.get("network") is not None:
        network = network_io.converge(params["network"], module.check_mode)
        result["changed"] = result["changed"] or network["changed"]
        if network["changed"]:
            result["diff"] = [result["diff"], {"before_header": network_io.SCRIPT, "after_header": network_io.SCRIPT, "before": network["before"],
                                               "after": network["after"]}]
    return result


def plan_of(service, mounts, present):
    """[(what is found, wanted owner, steps)] for each directory of one service."""
    rows = []
    for local in (True, False):
        for directory in service["directories" if local else "shared_directories"]:
            found = io.inspect(directory, mounts)
            owner = io.wanted_owner(directory) if present else None
            rows.append((found, owner, plan.plan_present(directory, found, owner, local) if present else plan.plan_absent(found)))
    return rows


def facts(rows):
    """The returned facts of each directory."""
    keys = ("path", "fstype", "free_bytes", "identity", "id", "holds")
    return [dict({key: found[key] for key in keys}, existed=found["kind"] == "directory") for found, _owner, _steps in rows]


def one_id(service, rows):
    """The id of all directories of a service, or None. Raises Failure if they have different ids."""
    owners = {found["path"]: found["id"] for found, _owner, _steps in rows if found["id"] is not None}
    if len(set(owners.values())) > 1:
        raise Failure(
            "The data directories of %s belong to different members: %s. Nothing was changed."
            % (service, ", ".join("%s to %d" % item for item in sorted(owners.items()))),
            kind="identity_conflict",
            ids=owners,
        )
    return next(iter(owners.values()), None)


def images():
    """Digests of the engine's images; [] if no engine answers, for example in check mode on a new machine."""
    try:
        return sorted(digest for image in engine_facts.ask("/images/json") for digest in image.get("RepoDigests") or [])
    except (OSError, RuntimeError):
        return []


def members():
    """What decides about member ids; {} if the engine cannot say it: then the module that needs it asks itself, and fails with the reason."""
    try:
        return look(connect())
    except Failure:
        return {}


def argument_spec():
    """The options of the module."""
    first_file = dict(name=dict(type="str", required=True), content=dict(type="str", required=True))
    directory = dict(
        path=dict(type="str", required=True),
        owner=dict(type="str", default="root"),
        group=dict(type="str", default="root"),
        mode=dict(type="str", default="0755"),
        first_files=dict(type="list", elements="dict", default=[], options=first_file),
    )
    identity = dict(file=dict(type="str", required=True), keys=dict(type="list", elements="str", default=[], no_log=False))
    local = dict(directory, any_filesystem=dict(type="bool", default=False), holds=dict(type="str"), identity=dict(type="dict", options=identity))
    service = dict(
        name=dict(type="str", required=True),
        directories=dict(type="list", elements="dict", default=[], options=local),
        shared_directories=dict(type="list", elements="dict", default=[], options=directory),
    )
    texts = dict(type="list", elements="str", default=[])
    network = dict(nodes=texts, published=texts, published_anywhere=texts, publish_addresses=texts, allow_from=texts,
                   allow_port_from=dict(type="dict", default={}), swarm_allow_from=texts, closed_ports=texts, closed_networks=texts,
                   registry_port=dict(type="str", default=""), registry_users=texts)
    return dict(
        services=dict(type="list", elements="dict", default=[], options=service),
        network=dict(type="dict", options=network),
        secrets_dir=dict(type="path", no_log=False),
        members=dict(type="bool", default=False),
        state=dict(type="str", choices=["present", "absent"], default="present"),
    )


def main():
    module = QuietModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        result = run(module)
    except Failure as exc:
        fail(module, exc)
    except OSError as exc:
        fail(module, Failure("The directories of the services, or the packet filter, of this node: %s" % exc, kind="os", errno=exc.errno))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
