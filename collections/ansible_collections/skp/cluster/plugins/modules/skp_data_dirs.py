#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_data_dirs
short_description: All data directories of a service on one node, in one call
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Makes the directories with owner and mode (parents belong to root, mode 0755), and says which file system they are on and whose data
    lies in them.
  - Nothing below a directory is ever touched, except that O(state=absent) removes what this module made.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    support: full
    platforms: posix
options:
  service:
    description: Name of the service; returned as it is, so that results of different services can be told apart.
    type: str
    required: true
  directories:
    description: The directories.
    type: list
    elements: dict
    required: true
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
      identity:
        description: Where the data itself says which member it belongs to.
        type: dict
        suboptions:
          file:
            description: File below O(directories[].path).
            type: str
            required: true
          keys:
            description: Names in a properties file; the first that is there is the id. Without any, the whole file is.
            type: list
            elements: str
            default: []
  local:
    description: Refuse network and FUSE file systems.
    type: bool
    default: true
  state:
    description: V(absent) removes the directories with all that is in them; only such as this module made.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Kafka's data on this node
  skp.cluster.skp_data_dirs:
    service: kafka
    directories:
      - path: /var/lib/skp/kafka
        owner: "1000"
        group: "1000"
        mode: '0750'
        identity: {file: meta.properties, keys: [node.id, broker.id]}
"""

RETURN = r"""
service:
  description: As given.
  returned: success
  type: str
id:
  description: The member id found in the directories, or null.
  returned: success
  type: int
directories:
  description: Per directory its path, whether it existed, file system type, free bytes and the identity found.
  returned: success
  type: list
  elements: dict
  sample: [{path: /var/lib/skp/kafka, existed: true, fstype: ext4, free_bytes: 8123456789, identity: {broker.id: "1"}, id: 1}]
failure:
  description: The machine part of an error; C(kind) names it.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.skp.cluster.plugins.module_utils.data_dirs import io, plan
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail


def run(module):
    """Look at all directories, plan all, and only then act: a refusal of one leaves all as they are."""
    params = module.params
    present = params["state"] == "present"
    with open("/proc/self/mountinfo", encoding="utf-8") as stream:
        mounts = plan.parse_mountinfo(stream.read())
    plans = []
    for directory in params["directories"]:
        found = io.inspect(directory, mounts)
        owner = io.wanted_owner(directory) if present else None
        steps = plan.plan_present(directory, found, owner, params["local"]) if present else plan.plan_absent(found)
        plans.append((found, owner, steps))
    number = one_id(params["service"], [found for found, _owner, _steps in plans])
    if not module.check_mode:
        for found, _owner, steps in plans:
            io.apply(found["path"], steps)
    keys = ("path", "fstype", "free_bytes", "identity", "id")
    return {
        "changed": any(steps for _found, _owner, steps in plans),
        "service": params["service"],
        "id": number if present else None,
        "directories": [dict({key: found[key] for key in keys}, existed=found["kind"] == "directory") for found, _owner, _steps in plans],
        "diff": {
            "before": "".join(plan.describe(found["path"], found["owner"], found["id"]) for found, _owner, _steps in plans),
            "after": "".join(plan.describe(found["path"], owner, found["id"]) for found, owner, _steps in plans),
        },
    }


def one_id(service, found):
    """The id all directories agree on, or None. Raises Failure when they do not."""
    owners = {item["path"]: item["id"] for item in found if item["id"] is not None}
    if len(set(owners.values())) > 1:
        raise Failure(
            "The data directories of %s belong to different members: %s. Nothing was changed."
            % (service, ", ".join("%s to %d" % item for item in sorted(owners.items()))),
            kind="identity_conflict",
            ids=owners,
        )
    return next(iter(owners.values()), None)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            service=dict(type="str", required=True),
            directories=dict(
                type="list",
                elements="dict",
                required=True,
                options=dict(
                    path=dict(type="str", required=True),
                    owner=dict(type="str", default="root"),
                    group=dict(type="str", default="root"),
                    mode=dict(type="str", default="0755"),
                    identity=dict(
                        type="dict",
                        options=dict(
                            file=dict(type="str", required=True), keys=dict(type="list", elements="str", default=[], no_log=False)
                        ),
                    ),
                ),
            ),
            local=dict(type="bool", default=True),
            state=dict(type="str", choices=["present", "absent"], default="present"),
        ),
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except Failure as exc:
        fail(module, exc)
    except OSError as exc:
        fail(module, Failure("Data directories of %s: %s" % (module.params["service"], exc), kind="os", errno=exc.errno))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
