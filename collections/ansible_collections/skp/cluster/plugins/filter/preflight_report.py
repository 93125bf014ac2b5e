# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter preflight_report: checks the facts of all nodes together."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight_report
short_description: Check the facts of all nodes together
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Runs every check of C(docs/preflight.md) on the results of M(skp.cluster.skp_preflight) and returns all findings.
options:
  _input:
    description: The hosts of the run.
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - The variable C(hostvars). The filter uses C(__preflight) (result of M(skp.cluster.skp_preflight)), C(ansible_host),
        C(swarm_advertise_addr) and C(skp_labels) of each host.
    type: dict
    required: true
  groups:
    description: The variable C(groups).
    type: dict
    required: true
  settings:
    description: The thresholds. The keys are the variables of the role preflight without their prefix.
    type: dict
    required: true
  write:
    description: Whether markers were written to the shared store (false in check mode).
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Check all nodes
  ansible.builtin.set_fact:
    report: "{{ ansible_play_hosts_all | skp.cluster.preflight_report(hostvars, groups, settings) }}"
"""

RETURN = r"""
_value:
  description: C(ok), C(errors), C(warnings) (each C(check), C(host), C(found), C(expected), C(next)), C(unreachable), C(hosts), C(table).
  type: dict
"""

from ansible_collections.skp.cluster.plugins.module_utils.preflight import plan as preflight_plan


def preflight_report(hosts, hostvars, groups, settings, write=True):
    """See DOCUMENTATION."""
    site = {"hosts": {}, "groups": {name: list(members) for name, members in groups.items()},
            "settings": settings, "write": write}
    for name in hosts:
        variables = hostvars[name]
        result = variables.get("__preflight") or {}
        site["hosts"][name] = {
            "facts": result.get("facts"),
            "clock": result.get("clock"),
            "addr": variables.get("swarm_advertise_addr") or variables.get("ansible_host") or name,
            "labels": dict(variables.get("skp_labels") or {}),
            "error": " ".join(str(result.get("msg") or "unreachable").removeprefix("Task failed: ").split("\n")[0].split())[:160],
        }
    report = preflight_plan.judge(site)
    return dict(report, table=preflight_plan.table(report))


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"preflight_report": preflight_report}
