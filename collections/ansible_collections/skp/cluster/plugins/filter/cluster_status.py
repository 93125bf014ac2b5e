# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter cluster_status: judges what a manager and the nodes say against hosts.json."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_status
short_description: The state of the cluster, as one document
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Compares what hosts.json wants with the answers of M(skp.cluster.skp_cluster_info) of one manager and of the nodes.
  - C(docs/status.md) describes the document. P(skp.cluster.cluster_table#filter) makes text of it.
options:
  _input:
    description: Names of the hosts of the cluster (C(groups['skp'])).
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - The variable C(hostvars). The filter uses C(ansible_host), C(status_address), C(skp_labels), C(__status_node) (result of
        M(skp.cluster.skp_cluster_info)) and C(__volumes_mounted) of each host.
    type: dict
    required: true
  groups:
    description: The variable C(groups).
    type: dict
    required: true
  asked:
    description: The managers that were asked, in this order, each with its C(host) and the C(result) of M(skp.cluster.skp_cluster_info).
    type: list
    elements: dict
    required: true
  settings:
    description: C(cluster) (name), C(time) (text), C(disk_free_percent), C(recent_seconds).
    type: dict
    required: true
  volumes:
    description: Names of the data volumes that each host should have. Without it that is not judged.
    type: dict
"""

EXAMPLES = r"""
- name: Judge
  ansible.builtin.set_fact:
    status: "{{ groups['skp'] | skp.cluster.cluster_status(hostvars, groups, [{'host': 'c01', 'result': answer}], settings) }}"
"""

RETURN = r"""
_value:
  description: C(state) (V(ok) or V(problem)), C(problems), C(notes), C(swarm), C(nodes), C(services), C(labels), C(registry), C(images), C(volumes), C(store).
  type: dict
"""

from ansible_collections.skp.cluster.plugins.module_utils.cluster_info import plan
from ansible_collections.skp.cluster.plugins.plugin_utils._hosts_json import SERVICES

MARKS = {"gpu"}
"""Labels of SERVICES that no service follows."""


def error_of(result):
    """Why a call has no answer, as one line without Ansible's own words."""
    return " ".join(str(result.get("msg") or "no answer").removeprefix("Task failed: ").split())


def answer_of(result, key):
    """{"answer", "error"} of the result of one call."""
    return {"answer": result.get(key), "error": "" if result.get(key) else error_of(result)}


def nodes_of(hosts, hostvars):
    """{host: answer} of the hosts that were asked in this run."""
    results = {host: hostvars[host].get("__status_node") for host in hosts}
    return {host: answer_of(result, "node") for host, result in results.items() if result and not result.get("skipped")}


def site_of(hosts, hostvars, groups, settings, volumes=None):
    """What is wanted and what the nodes have said, as `plan.judge` takes it, but for the answer of the swarm."""
    managers, master = {*groups.get("manager", []), *groups.get("master", [])}, groups.get("master", [])
    wanted = {}
    for name in hosts:
        variables = hostvars[name]
        labels = {label: value for label, value in (variables.get("skp_labels") or {}).items() if not (label in SERVICES and value == "disable")}
        wanted[name] = {
            "address": str(variables.get("status_address") or variables.get("ansible_host") or name),
            "role": "manager" if name in managers else "worker", "master": name in master, "labels": labels,
            "volumes": None if volumes is None else list(volumes.get(name, [])),
        }
    failed = {name: dict((hostvars[name].get("__volumes_mounted") or {}).get("failed") or {}) for name in hosts}
    return {
        "cluster": str(settings["cluster"]), "time": settings["time"], "hosts": wanted,
        "services": sorted(set(SERVICES) - MARKS),
        "nodes": nodes_of(hosts, hostvars), "failed_volumes": failed,
        "settings": {"disk_free_percent": float(settings["disk_free_percent"]), "recent_seconds": int(settings["recent_seconds"])},
    }


def cluster_status(hosts, hostvars, groups, asked, settings, volumes=None):
    """See DOCUMENTATION."""
    swarm = [dict(answer_of(item["result"], "swarm"), host=item["host"]) for item in asked]
    return plan.judge(dict(site_of(hosts, hostvars, groups, settings, volumes), swarm=swarm))


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"cluster_status": cluster_status}
