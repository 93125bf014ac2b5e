#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create missing node containers, start stopped ones, and wait until systemd is up in each.

One call for all nodes. Not docker_container, which cannot leave /proc/sys writable (see lab_plan.container_config).
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_nodes
short_description: The lab's node containers
author: skp.cluster contributors (@comafire)
options:
  plan: {type: dict, required: true, description: The plan of M(lab_state).}
  home: {type: path, required: true, description: Inventory directory; its ssh/ has the nodes' keys.}
  timeout: {type: int, default: 90, description: Seconds until systemd must be up in all nodes.}
"""

EXAMPLES = r"""
- name: Create the nodes
  lab_nodes: {plan: "{{ lab_plan }}", home: /x/inventory/lab}
"""

RETURN = r"""
created:
  description: Names of the nodes that were created.
  type: list
  returned: success
started:
  description: Names of the nodes that were started.
  type: list
  returned: success
failed_units:
  description: Node name -> units that failed at its start; empty if none failed.
  type: dict
  returned: success
"""

import io
import tarfile
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lab_engine import DockerException, connect
from ansible.module_utils.lab_plan import container_config

SKP_UID = 1000
READY = ("running", "degraded")
STATE_COMMAND = ["sh", "-c", "systemctl is-system-running; systemctl list-units --failed --no-legend --plain | cut -d' ' -f1"]


def keys(home, host_name):
    """Files of a new node: (local path, path in the node, mode, owner)."""
    host_key = "%s/ssh/host_keys/%s" % (home, host_name)
    return [
        (host_key, "/etc/ssh/ssh_host_ed25519_key", 0o600, 0),
        (host_key + ".pub", "/etc/ssh/ssh_host_ed25519_key.pub", 0o644, 0),
        (home + "/ssh/id_ed25519.pub", "/home/skp/.ssh/authorized_keys", 0o600, SKP_UID),
    ]


def pack(files):
    """A tar archive, rooted at /, of local files under their new names, modes and owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for source, target, mode, owner in files:
            with open(source, "rb") as handle:
                content = handle.read()
            member = tarfile.TarInfo(target.lstrip("/"))
            member.size, member.mode, member.uid, member.gid = len(content), mode, owner, owner
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def create(client, plan, node, home):
    """Create one node container and copy its keys into it; it is removed again if that fails."""
    config = container_config(plan, node, home)
    try:
        client.api.create_container_from_config(config, node["container"])
    except DockerException as exc:
        # Engines of 26 and newer refuse to drop a capability that they do not have, and omit it from ALL; older engines need the drop.
        if "invalid CapDrop" not in str(exc):
            raise
        config["HostConfig"]["CapDrop"] = []
        client.api.create_container_from_config(config, node["container"])
    try:
        client.api.put_archive(node["container"], "/", pack(keys(home, node["name"])))
    except (DockerException, OSError):
        client.api.remove_container(node["container"], v=True, force=True)
        raise


def system_state(client, container):
    """The state of systemd in a node (starting, running, degraded ...) and its failed units."""
    task = client.api.exec_create(container, STATE_COMMAND, stderr=False)
    lines = client.api.exec_start(task["Id"]).decode(errors="replace").split()
    return (lines[0] if lines else "", lines[1:])


def wait(client, nodes, timeout):
    """Wait until systemd is up in all nodes: failed units by node, and state by node of those that were too late."""
    deadline = time.monotonic() + timeout
    failed_units, late = {}, {node["name"]: "" for node in nodes}
    while late:
        for node in [node for node in nodes if node["name"] in late]:
            try:
                state, units = system_state(client, node["container"])
            except DockerException as exc:
                state, units = str(exc), []
            late[node["name"]] = state
            if state in READY:
                del late[node["name"]]
                if units:
                    failed_units[node["name"]] = units
        if late and time.monotonic() > deadline:
            break
        if late:
            time.sleep(0.3)
    return failed_units, late


def main():
    """Create, start, wait."""
    module = AnsibleModule(
        argument_spec={
            "plan": {"type": "dict", "required": True},
            "home": {"type": "path", "required": True},
            "timeout": {"type": "int", "default": 90},
        },
        supports_check_mode=True,
    )
    plan, home = module.params["plan"], module.params["home"]
    result = {
        "created": [node["name"] for node in plan["create"]],
        "started": [node["name"] for node in plan["start"]],
        "failed_units": {},
    }
    if module.check_mode:
        module.exit_json(changed=bool(plan["start"]), **result)
    client = connect(module)
    step = "made"
    try:
        for node in plan["create"]:
            create(client, plan, node, home)
        step = "started"
        for node in plan["start"]:
            client.api.start(node["container"])
    except (DockerException, OSError) as exc:
        module.fail_json(msg="node container %s cannot be %s: %s" % (node["container"], step, exc))
    result["failed_units"], late = wait(client, plan["start"], module.params["timeout"])
    if late:
        module.fail_json(
            msg="systemd is not up after %d s: %s; see `docker logs` and `docker exec %s systemctl list-jobs`"
            % (module.params["timeout"], ", ".join("%s says %r" % item for item in sorted(late.items())),
               next(node["container"] for node in plan["start"] if node["name"] in late)),
            **result,
        )
    module.exit_json(changed=bool(plan["start"]), **result)


if __name__ == "__main__":
    main()
