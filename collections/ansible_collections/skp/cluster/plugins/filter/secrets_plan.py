# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: secrets_plan
short_description: Which secrets are fetched from another manager, generated, and copied
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Every manager has a copy of every secret. Of copies that differ, the newest generation is used, on whichever manager it is.
    That includes secrets that are not wanted now, because a manager that lost one secret has often lost its disk.
  - A wanted secret is generated only if all managers answered and none has or had it, because data protected by an old secret cannot be read
    with a new one.
  - The result contains secrets. Use it in tasks with C(no_log) only, except for C(problem).
options:
  _input:
    description: Names of the secrets that are wanted.
    type: list
    elements: str
    required: true
  here:
    description: The manager in use.
    type: str
    required: true
  managers:
    description: Inventory names of all managers.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars), with the results of M(skp.cluster.skp_node) in this run.
    type: dict
    required: true
  answers:
    description: Results of M(skp.cluster.skp_secret), each with the manager as C(item).
    type: list
    elements: dict
    default: []
  limited:
    description: The run has C(--limit). Managers that it does not visit are then always asked; otherwise only before a secret is generated.
    type: bool
    default: false
  rotate:
    description: Names of O(_input) that get a new value.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Fail if a secret could be lost
  ansible.builtin.fail:
    msg: "{{ (['spark_auth_secret'] | skp.cluster.secrets_plan('c01', ['c01', 'c02', 'c03'], hostvars, answers)).problem }}"
"""

RETURN = r"""
_value:
  description:
    - C(unseen) are the managers that must be asked, because this run has not inspected them.
    - C(fetch) are the managers whose secrets must be read, because they have newer ones.
    - C(newer) and C(history) are the newer secrets of other managers, as the options C(values) and C(history) of M(skp.cluster.skp_secret).
    - C(make) are the names to generate, and C(next) their generations.
    - C(behind) are the other managers that need copies, and C(share) the names of these copies.
    - C(problem) says why nothing may be done, or is empty.
  type: dict
  sample:
    {unseen: [], fetch: [], newer: {}, history: {}, make: [spark_auth_secret], next: {spark_auth_secret: 1}, behind: [c02, c03],
     share: [spark_auth_secret], problem: ""}
"""

from ansible_collections.skp.cluster.plugins.module_utils.secrets.plan import plan
from ansible_collections.skp.cluster.plugins.plugin_utils._visits import visit_of


def secrets_plan(wanted, here, managers, hostvars, answers=(), rotate=(), limited=False):
    """See DOCUMENTATION."""
    told = {answer["item"]: answer for answer in answers}
    read = {manager: answer for manager, answer in told.items() if "history" in answer}
    copies = {manager: read[manager]["history"] if manager in read else visit_of(hostvars, manager).get("secrets") for manager in managers}
    done = plan(wanted, here, copies, rotate)
    newer = {name: read[manager]["secrets"][name] for name, manager in done["take"].items() if manager in read}
    return {
        # A run of one service does not visit all managers. An old copy on the manager in use then stops at skp_service.
        "unseen": [manager for manager in managers if copies[manager] is None and manager not in told] if done["make"] or limited else [],
        "fetch": sorted({manager for manager in done["take"].values() if manager not in told}),
        "newer": newer,
        "history": {name: copies[done["take"][name]][name] for name in newer},
        **{key: done[key] for key in ("make", "next", "behind", "share", "problem")},
    }


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"secrets_plan": secrets_plan}
