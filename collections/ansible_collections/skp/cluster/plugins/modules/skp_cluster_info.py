#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_cluster_info
short_description: State of the swarm, of a node, and logs
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Reads what one machine says of the cluster. P(skp.cluster.cluster_status#filter) judges the answers of all machines together, and the playbook
    C(skp.cluster.status) shows that.
  - An engine that does not answer, a swarm without a leader, a registry or a file system that is silent are parts of the answer and no error.
  - The answer holds no secret, no environment of a container and no join token.
extends_documentation_fragment:
  - skp.cluster.attributes.info
options:
  parts:
    description:
      - What to read. V(swarm) needs a manager, V(registry) adds the tags of the registry on this manager to it.
      - V(node) is this machine, V(containers) only its engine and containers.
      - V(logs) are those of O(service).
    type: list
    elements: str
    choices: [swarm, registry, node, containers, logs]
    default: [swarm, registry, node]
  registry:
    description: Address of the cluster's registry on each of its nodes.
    type: str
    default: localhost:5000
  registry_store:
    description: Directory of the registry's store.
    type: path
    default: /srv/skp/registry
  home:
    description: Directory of the shared store.
    type: path
    default: /srv/skp
  data:
    description: Directory of the services' data.
    type: path
    default: /var/lib/skp
  volumes_dir:
    description: Parent of the mount points of data volumes.
    type: path
    default: /mnt/skp
  service:
    description: For V(logs), the name of a service or of a role (all its services). With O(host), the name of a container of this machine.
    type: str
    default: ""
  host:
    description: For V(logs), the name of this machine. With it the machine's container O(service) is asked, without it the swarm.
    type: str
    default: ""
  lines:
    description: For V(logs), how many lines of each task.
    type: int
    default: 100
  timeout:
    description: Seconds for each question to the engine.
    type: int
    default: 20
  overview:
    description:
      - A file with what was found, for the page of the role C(gateway). It is news and no state to converge, so writing it is no change; check mode writes
        nothing. If it cannot be written, or the swarm does not answer, the file stays as it was, and what is wrong is a warning.
    type: dict
    suboptions:
      path:
        description: The file. Its directory must exist.
        type: path
        required: true
      site:
        description: What P(skp.cluster.cluster_site#filter) gives. The answer of the swarm (O(parts) has V(swarm)) is judged against it.
        type: dict
      document:
        description: What P(skp.cluster.cluster_status#filter) has judged already, instead of O(overview.site).
        type: dict
"""

EXAMPLES = r"""
- name: Which services does the swarm run?
  skp.cluster.skp_cluster_info:
    parts: [swarm]
  register: cluster
  delegate_to: "{{ lookup('skp.cluster.manager') }}"
  run_once: true

- name: Disks, registry and data volumes of each node
  skp.cluster.skp_cluster_info:
    parts: [node]
  register: node
"""

RETURN = r"""
swarm:
  description:
    - C(answered), and C(kind) and C(error) if not. C(nodes), C(services) with what runs, what does not and why, C(images) (name to digest of the ledger),
      C(registry) (C(answering), C(health), C(tags)).
  returned: O(parts) has V(swarm)
  type: dict
  sample:
    answered: true
    services:
      - {name: kafka-skp-2, role: kafka, host: c02, wanted: 1, running: [], waiting: [{host: c02, error: "task: non-zero exit (1)"}], edited: false}
node:
  description: C(engine), C(containers), and with V(node) C(disks), C(memory), C(store), C(registry), C(volumes) and C(packet_filter).
  returned: O(parts) has V(node) or V(containers)
  type: dict
logs:
  description: C(found) (names of the services or of the container) and C(lines), in the order of their time.
  returned: O(parts) has V(logs)
  type: dict
failure:
  description: The machine part of an error; C(kind) names it.
  returned: failure
  type: dict
"""


import json
import os

from ansible_collections.skp.cluster.plugins.module_utils import atomic_file
from ansible_collections.skp.cluster.plugins.module_utils.cluster_info import io, plan
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule

PARTS = ("swarm", "registry", "node", "containers", "logs")


def read(params):
    """The module's result."""
    parts, result = params["parts"], {}
    if "swarm" in parts:
        result["swarm"] = io.swarm(params["registry"], "registry" in parts, params["timeout"])
    if "node" in parts:
        result["node"] = io.node(params)
    elif "containers" in parts:
        result["node"] = io.containers(params["timeout"])
    if "logs" in parts:
        result["logs"] = io.logs(params["service"], params["lines"], params["host"])
    return result


def publish(overview, swarm):
    """Write the overview. Returns what is wrong with that, or an empty text.

    overview: path, and site (what is wanted) or document (judged already). swarm: the answer of `io.swarm`, None if it was not asked.
    """
    document = overview["document"]
    if document is None:
        if overview["site"] is None or not (swarm or {}).get("answered"):
            return ""
        document = plan.judge(dict(overview["site"], swarm=[{"host": "", "answer": swarm, "error": ""}]))
    if not os.path.isdir(os.path.dirname(overview["path"])):
        return "%s: its directory does not exist; --tags gateway makes it." % overview["path"]
    try:
        # Readable for the gateway's own user. No secret is in it.
        atomic_file.write_text(overview["path"], json.dumps(document) + "\n", mode=0o644)
    except OSError as exc:
        return "%s: %s. The page of the gateway shows what an earlier run has found." % (overview["path"], exc.strerror)
    return ""


def main():
    """Read and return."""
    module = QuietModule(
        argument_spec={
            "parts": {"type": "list", "elements": "str", "choices": list(PARTS), "default": ["swarm", "registry", "node"]},
            "registry": {"type": "str", "default": "localhost:5000"},
            "registry_store": {"type": "path", "default": "/srv/skp/registry"},
            "home": {"type": "path", "default": "/srv/skp"},
            "data": {"type": "path", "default": "/var/lib/skp"},
            "volumes_dir": {"type": "path", "default": "/mnt/skp"},
            "service": {"type": "str", "default": ""},
            "host": {"type": "str", "default": ""},
            "lines": {"type": "int", "default": 100},
            "timeout": {"type": "int", "default": 20},
            "overview": {"type": "dict", "options": {"path": {"type": "path", "required": True}, "site": {"type": "dict"}, "document": {"type": "dict"}}},
        },
        supports_check_mode=True,
    )
    try:
        result = read(module.params)
        wrong = publish(module.params["overview"], result.get("swarm")) if module.params["overview"] and not module.check_mode else ""
        if wrong:
            module.warn(wrong)
        module.exit_json(changed=False, **result)
    except Failure as exc:
        fail(module, exc)


if __name__ == "__main__":
    main()
