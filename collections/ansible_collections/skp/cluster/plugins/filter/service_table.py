# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter service_table: the swarm's services and their addresses, as lines of text."""

from __future__ import annotations

DOCUMENTATION = r"""
name: service_table
short_description: Show services, their tasks and their addresses as a table
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Returns one line per swarm service, and one per host of I(others), from the result of M(community.docker.docker_swarm_info) with
    C(verbose_output), C(nodes), C(services) and C(tasks).
options:
  _input:
    description: Result of the module.
    type: dict
    required: true
  addresses:
    description: Dictionary of inventory name and address.
    type: dict
    required: true
  others:
    description: Dictionary of name and dictionary with C(hosts) (list) and C(address), for services outside the swarm.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show the table
  ansible.builtin.debug:
    msg: "{{ swarm | skp.cluster.service_table({'c01': '10.0.0.4'}) }}"
"""

RETURN = r"""
_value:
  description: Lines of the table, the heading first.
  type: list
  elements: str
"""

HEADING = ("SERVICE", "TASKS", "ON", "ADDRESS")


def _rows(swarm, addresses):
    """Yield one row of four texts per service, sorted by name."""
    hosts = {node["ID"]: node["Spec"].get("Labels", {}).get("skp.host") or node["Description"]["Hostname"] for node in swarm["nodes"]}
    for service in sorted(swarm["services"], key=lambda entry: entry["Spec"]["Name"]):
        tasks = [task for task in swarm["tasks"] if task["ServiceID"] == service["ID"] and task["DesiredState"] == "running"]
        running = sorted({hosts.get(task.get("NodeID"), "?") for task in tasks if task["Status"]["State"] == "running"})
        ports = [
            port.get("PublishedPort") or port["TargetPort"]
            for port in (service["Spec"].get("EndpointSpec") or {}).get("Ports") or []
            if port.get("PublishMode") == "host"
        ]
        reached = ["%s:%d" % (addresses.get(host, host), port) for host in running for port in ports]
        wanted = service["Spec"]["Mode"].get("Replicated", {}).get("Replicas", len(tasks))
        yield (
            service["Spec"]["Name"],
            "%d/%d" % (len([task for task in tasks if task["Status"]["State"] == "running"]), wanted),
            ", ".join(running) or "-",
            ", ".join(reached) or "inside the overlay only",
        )


def service_table(swarm, addresses, others=None):
    """See DOCUMENTATION."""
    rows = [HEADING]
    for name, other in sorted((others or {}).items()):
        rows.append((name, "", ", ".join(sorted(other["hosts"])), other["address"]))
    rows.extend(_rows(swarm, addresses))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["  ".join([text.ljust(width) for text, width in zip(row, widths)] + [row[3]]) for row in rows]


class FilterModule:
    """Ansible's entry point."""

    def filters(self):
        """Return the filters of this file by name."""
        return {"service_table": service_table}
