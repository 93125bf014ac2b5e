# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: secrets_plan
short_description: Which secrets are read, fetched from another manager or made
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Every manager keeps a copy of every secret. This filter compares the lists that M(skp.cluster.skp_node) returned of each.
  - A secret that the manager does not have is fetched from another manager that has it. It is made only when all managers were asked and none
    has it, because a new secret does not open what an old one closed.
options:
  _input:
    description: Inventory names of all managers.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  manager:
    description: The manager whose copies are used.
    type: str
    required: true
  names:
    description: The secrets that are wanted.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: What has to be done
  ansible.builtin.debug:
    msg: "{{ groups['manager'] | skp.cluster.secrets_plan(hostvars, 'c01', ['spark_auth_secret']) }}"
"""

RETURN = r"""
_value:
  description:
    - C(fetch) is a dictionary of manager and the names to fetch from it, C(make) the names to make, C(behind) the other managers
      that will lack a secret or have another value of it, C(problem) why nothing may be done, or empty.
  type: dict
  sample: {fetch: {}, make: [spark_auth_secret], behind: [], problem: ""}
"""

from ansible_collections.skp.cluster.plugins.plugin_utils._visits import visit_of


def secrets_plan(managers, hostvars, manager, names):
    """See DOCUMENTATION."""
    visits = {host: visit_of(hostvars, host) for host in managers}
    kept = {host: visit["secrets"] for host, visit in visits.items() if visit}
    unread = [host for host in managers if host not in kept]
    fetch, make = {}, []
    for name in names:
        if name in kept.get(manager, {}):
            continue
        owner = next((host for host in managers if name in kept.get(host, {})), None)
        if owner:
            fetch.setdefault(owner, []).append(name)
        else:
            make.append(name)
    problem = ""
    if manager in unread:
        problem = (
            "The secrets on the manager %s were not read in this run, because it is outside --limit or cannot be reached. Nothing was changed. "
            "Run again with %s in the limit." % (manager, manager)
        )
    elif make and unread:
        problem = (
            "The secrets %s are on none of the managers that were asked (%s), and %s could not be asked (unreachable, or outside --limit). New ones "
            "would not open what the old ones closed. Nothing was changed. Run again when all managers answer, without --limit."
            % (", ".join(make), ", ".join(kept), ", ".join(unread))
        )
    wanted = dict(kept.get(manager, {}), **{name: kept[owner][name] for owner, found in fetch.items() for name in found}, **dict.fromkeys(make))
    behind = [host for host, have in kept.items() if host != manager and any(digest is None or have.get(name) != digest for name, digest in wanted.items())]
    return {"fetch": fetch, "make": make, "behind": behind, "problem": problem}


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"secrets_plan": secrets_plan}
