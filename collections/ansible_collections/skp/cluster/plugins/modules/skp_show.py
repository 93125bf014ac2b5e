#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_show
short_description: Show text as it is
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Prints text on the controller, line by line, without the folding and quoting that results of tasks get.
  - Runs on the controller; no node is contacted.
  - With the callback P(skp.cluster.bare#callback) it is the only output of a playbook that runs well, so that scripts can read it.
extends_documentation_fragment:
  - skp.cluster.attributes.info
options:
  text:
    description: Lines of text. Without one nothing is printed.
    type: list
    elements: str
    default: []
  dest:
    description: File on the controller that gets O(content). It is replaced in one step. Its directory must exist.
    type: path
  content:
    description: Content of O(dest).
    type: str
    default: ""
  stats:
    description: Values for the end of the run, as M(ansible.builtin.set_stats) keeps them. AWX shows them as artifacts of the job.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show a table
  skp.cluster.skp_show:
    text: "{{ lines }}"
  run_once: true
"""

RETURN = r"""#"""


from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule


def main():
    """The action plugin does the work; a call without it means that the collection is not complete."""
    module = QuietModule(
        argument_spec={
            "text": {"type": "list", "elements": "str", "default": []},
            "dest": {"type": "path"},
            "content": {"type": "str", "default": ""},
            "stats": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    fail(module, Failure("skp_show runs on the controller, through its action plugin. Name it skp.cluster.skp_show in the task.", kind="no_action"))


if __name__ == "__main__":
    main()
