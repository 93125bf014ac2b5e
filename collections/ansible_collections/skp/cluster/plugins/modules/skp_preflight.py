#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_preflight
short_description: Read the facts of a node for preflight
version_added: 0.1.0
author:
  - skp.cluster contributors (@comafire)
description:
  - Reads, in one call, the facts of a node. The filter P(skp.cluster.preflight_report#filter) checks the facts of all nodes together.
    The module itself never fails because of the facts.
  - An action plugin of the same name records the controller's time before and after the call, to compare the clocks.
extends_documentation_fragment:
  - skp.cluster.attributes
attributes:
  check_mode:
    details: Reads the same facts, but writes no marker to the shared store.
  diff_mode:
    support: none
    details: There is nothing to show.
options:
  host:
    description: Inventory name of the node; the name of its marker in the shared store.
    type: str
    required: true
  address:
    description: Address that other nodes use to reach this node.
    type: str
    default: ""
  names:
    description: Names to resolve.
    type: list
    elements: str
    default: []
  ports:
    description: Ports that the services of this node need, for example C(5000/tcp).
    type: list
    elements: str
    default: []
  uids:
    description: User ids of the services of this node.
    type: list
    elements: int
    default: []
  peers:
    description: Hosts and addresses that this node must reach.
    type: dict
    default: {}
  peer_port:
    description: Port to connect to on the peers; a refused connection also proves that the address is reachable.
    type: int
    default: 2377
  peer_timeout:
    description: Time limit in seconds for all peers.
    type: float
    default: 3
  home:
    description: The shared store.
    type: path
    required: true
  marker:
    description:
      - Whether to write a marker of this node to the shared store. Two nodes share the directory if one sees the marker of the other.
      - V(new) writes a new one, V(keep) only if there is none, V(none) never. Check mode never writes.
    type: str
    choices: [new, keep, none]
    default: new
  data:
    description: The directory of service data.
    type: path
    required: true
  secrets:
    description: Directory in which a manager stores secrets. Empty means that this node stores none.
    type: path
    default: ""
  engine:
    description: What the role C(engine) wants on this node, for RV(engine_plan).
    type: dict
    suboptions:
      config:
        description: As O(skp.cluster.skp_engine#module:config).
        type: dict
        default: {}
      packages:
        description: As O(skp.cluster.skp_engine#module:packages).
        type: dict
        default: {}
  probe_encryption:
    description: Test whether the kernel supports an encrypted overlay network.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read the facts of this node
  skp.cluster.skp_preflight:
    host: "{{ inventory_hostname }}"
    address: "{{ ansible_host }}"
    names: [localhost]
    ports: [7946/tcp, 5000/tcp]
    home: /srv/skp
    data: /var/lib/skp
"""

RETURN = r"""
facts:
  description:
    - Facts of the node. C(time) (seconds since the epoch at start and end), C(system), C(memory), C(disks) (C(home), C(data), C(docker)),
      C(names), C(ports), C(peers), C(address_local), C(public), C(store), C(secrets) (why they cannot be stored), C(vxlan), C(gpu), C(volumes),
      C(engine) (as of M(skp.cluster.skp_engine)).
  returned: success
  type: dict
engine_plan:
  description:
    - What M(skp.cluster.skp_engine) with the options of O(engine) would return in check mode, without the diff, for O(skp.cluster.skp_engine#module:seen).
    - Empty without O(engine), and if that module would fail.
  returned: success
  type: dict
clock:
  description: The controller's time before and after the call, and the node's at its start and end, in seconds since the epoch.
  returned: success
  type: dict
"""

import time


from ansible_collections.skp.cluster.plugins.module_utils.engine import facts as engine_facts, io as engine_io
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.logins import logins
from ansible_collections.skp.cluster.plugins.module_utils.preflight import io as preflight_io


def engine_plan(wish, facts):
    """What `skp_engine` would return for this wish. {} without one, or if it would fail: then it runs, and says why."""
    try:
        result = engine_io.compare(wish["config"], facts)["result"] if wish else {}
    except Failure:
        return {}
    result.pop("diff", None)
    return dict(result, engine=facts, missing_packages=engine_io.missing_packages(wish["packages"], facts)) if wish else {}


def main():
    """Reads the facts and returns them."""
    start = time.time()
    module = QuietModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "address": {"type": "str", "default": ""},
            "names": {"type": "list", "elements": "str", "default": []},
            "ports": {"type": "list", "elements": "str", "default": []},
            "uids": {"type": "list", "elements": "int", "default": []},
            "peers": {"type": "dict", "default": {}},
            "peer_port": {"type": "int", "default": 2377},
            "peer_timeout": {"type": "float", "default": 3},
            "home": {"type": "path", "required": True},
            "marker": {"type": "str", "choices": ["new", "keep", "none"], "default": "new"},
            "data": {"type": "path", "required": True},
            "secrets": {"type": "path", "default": "", "no_log": False},
            "engine": {"type": "dict", "options": {"config": {"type": "dict", "default": {}}, "packages": {"type": "dict", "default": {}}}},
            "probe_encryption": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    # -vvv shows the arguments of a module.
    module.no_log_values.update(logins((params["engine"] or {}).get("config") or {}))
    # After boot, a node needs some time to find its managers; that is not an error.
    engine = engine_facts.read(wait_pending=30, probe_encryption=params["probe_encryption"])
    system = preflight_io.system()
    store = preflight_io.store(params["home"], params["host"], "none" if module.check_mode else params["marker"])
    facts = {
        "system": system,
        "accounts": preflight_io.accounts(params["uids"]),
        "secrets": preflight_io.secrets(params["secrets"]) if params["secrets"] else "",
        "memory": preflight_io.memory(),
        "engine": engine,
        "names": preflight_io.resolve([*params["names"], system["hostname"]]),
        "address_local": preflight_io.is_local(params["address"]) if params["address"] else None,
        "public": preflight_io.public_addresses(),
        "peers": preflight_io.reach(params["peers"], params["peer_port"], params["peer_timeout"]),
        "ports": preflight_io.held_ports(params["ports"], engine["running"]),
        "vxlan": preflight_io.vxlan(),
        "gpu": preflight_io.gpu(),
        "volumes": preflight_io.volumes(),
        "store": store,
        "disks": {"data": preflight_io.disk(params["data"]), "docker": preflight_io.disk(engine["root_dir"]),
                  "home": store},
    }
    module.exit_json(changed=False, facts=facts, engine_plan=engine_plan(params["engine"], engine), clock={"start": start, "end": time.time()})


if __name__ == "__main__":
    main()
