# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: secrets_plan
short_description: Which secrets are fetched from another manager, and which are generated
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Every manager has a copy of every secret. What the manager in use does not have is fetched from another manager that has it.
    That includes secrets that are not wanted now, because a manager that lost one secret has often lost its disk.
  - A wanted secret is generated only if all managers answered and none has it, because data protected by an old secret cannot be read with a new one.
  - The result contains secrets. Use it in tasks with C(no_log) only, except for C(problem).
options:
  _input:
    description: Names of the secrets that are wanted.
    type: list
    elements: str
    required: true
  here:
    description: Names of the secrets that the manager in use has.
    type: list
    elements: str
    required: true
  asked:
    description: Results of M(skp.cluster.skp_secret) in a loop over all other managers.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Fail if a secret could be lost
  ansible.builtin.fail:
    msg: "{{ (['spark_auth_secret'] | skp.cluster.secrets_plan([], asked.results)).problem }}"
"""

RETURN = r"""
_value:
  description:
    - C(fetched) is a dictionary of name and value, C(make) the names to generate, C(problem) why none may be generated, or empty.
  type: dict
  sample: {fetched: {}, make: [spark_auth_secret], problem: ""}
"""


def secrets_plan(wanted, here, asked):
    """See DOCUMENTATION."""
    answers = {answer["item"]: answer.get("secrets") for answer in asked}
    silent = [host for host, secrets in answers.items() if secrets is None]
    fetched = {}
    for secrets in filter(None, answers.values()):
        fetched.update({name: value for name, value in secrets.items() if name not in here and name not in fetched})
    make = [name for name in wanted if name not in here and name not in fetched]
    problem = ""
    if make and silent:
        problem = (
            "No manager that answered has the secrets %s, and %s did not answer. Data protected by the old secrets cannot be read with new ones. "
            "Nothing was changed. Run again when all managers answer." % (", ".join(make), ", ".join(silent))
        )
    return {"fetched": fetched, "make": make, "problem": problem}


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"secrets_plan": secrets_plan}
