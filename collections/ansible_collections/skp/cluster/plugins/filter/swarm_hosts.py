# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter swarm_hosts: the variables of every host that the swarm needs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: swarm_hosts
short_description: Collect the variables of every host that the swarm needs
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Returns one dictionary for P(skp.cluster.swarm_bootstrap#filter) and for the option O(skp.cluster.skp_swarm#module:hosts).
options:
  _input:
    description: Host names.
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - The variable C(hostvars). The filter uses C(ansible_host), C(swarm_advertise_addr), C(skp_labels), C(__engine) (result of
        M(skp.cluster.skp_engine)) and C(__swarm_join) (result of M(skp.cluster.skp_swarm)) of each host.
    type: dict
    required: true
  groups:
    description: The variable C(groups).
    type: dict
    required: true
  play_hosts:
    description: The hosts of this play, reachable or not (C(ansible_play_hosts_all)).
    type: list
    elements: str
    required: true
  probed:
    description: Results of M(skp.cluster.skp_engine) in a loop over hosts outside the play.
    type: list
    elements: dict
    default: []
  decision:
    description: The decision of P(skp.cluster.swarm_bootstrap#filter), after it was applied.
    type: dict
    default: {}
  started:
    description: Result of the module call that initialised the swarm.
    type: dict
    default: {}
  predict:
    description: Check mode. A host that would have joined has no node id yet.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Collect the variables for the swarm
  ansible.builtin.set_fact:
    nodes: "{{ groups['skp'] | skp.cluster.swarm_hosts(hostvars, groups, ansible_play_hosts_all) }}"
"""

RETURN = r"""
_value:
  description:
    - Dictionary of host name and C(role), C(master), C(addr), C(labels), C(joins), C(asked), C(engine), C(node_id), C(joining),
      C(encryption), C(version).
  type: dict
"""

from ansible_collections.skp.cluster.plugins.plugin_utils._hosts_json import SERVICES


def _node_labels(labels):
    """The labels of the swarm node, without disabled ones."""
    return {name: value for name, value in labels.items() if not (name in SERVICES and value == "disable")}


def _engine(name, variables, probed):
    """The engine facts of a host, None if it did not answer."""
    answer = probed.get(name) or variables.get("__engine") or {}
    return answer.get("engine")


def swarm_hosts(names, hostvars, groups, play_hosts, probed=(), decision=None, started=None, predict=False):
    """See DOCUMENTATION."""
    decision, started = decision or {}, started or {}
    answers = {answer["item"]: answer for answer in probed}
    managers = set(groups.get("manager", [])) | set(groups.get("master", []))
    hosts = {}
    for name in names:
        variables = hostvars[name]
        engine = _engine(name, variables, answers)
        joining = name in decision.get("join", []) or name == decision.get("init")
        if joining:
            result = started if name == decision.get("init") else variables.get("__swarm_join") or {}
            node_id = result.get("node_id", "")
        else:
            node_id = engine["node_id"] if engine and engine["swarm_state"] == "active" else ""
        hosts[name] = {
            "role": "manager" if name in managers else "worker",
            "master": name in groups.get("master", []),
            "addr": variables.get("swarm_advertise_addr") or variables.get("ansible_host") or name,
            "labels": _node_labels(variables.get("skp_labels") or {}),
            "joins": name in play_hosts,
            "asked": name in play_hosts or name in answers,
            "engine": engine,
            "node_id": node_id,
            "joining": predict and joining and not node_id,
            "encryption": engine["encryption"] if engine else "",
            "version": engine["version"] if engine else "",
        }
    return hosts


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"swarm_hosts": swarm_hosts}
