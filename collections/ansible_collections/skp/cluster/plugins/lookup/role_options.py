# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: role_options
short_description: The options of a role and of the roles it shares variables with
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Returns the options of C(meta/argument_specs.yml) of a role, together with those of the roles that its C(meta/main.yml) names as dependencies.
  - For M(ansible.builtin.validate_argument_spec). Ansible's own validation of a role runs on every host, for every dependency, and with all C(--tags).
    A role of this collection validates its variables in one task on one host, and only if it is selected.
options:
  _terms:
    description: Directory of the role, C(role_path) in its tasks.
    required: true
  entry_point:
    description: Entry point of the role.
    type: str
    default: main
"""

EXAMPLES = r"""
- name: Validate the variables
  ansible.builtin.validate_argument_spec:
    argument_spec: "{{ lookup('skp.cluster.role_options', role_path) }}"
  run_once: true
"""

RETURN = r"""
_raw:
  description: Name of each option to its description, as in C(argument_specs.yml).
  type: list
  elements: dict
"""

import os

from ansible.plugins.lookup import LookupBase

SHARED = "shared"
"""Entry point of a role that only has variables. Ansible validates C(main) by itself, wherever the role is a dependency."""


class LookupModule(LookupBase):
    """The options of roles."""

    def run(self, terms, variables=None, **kwargs):
        """terms: directories of roles. Returns the options of each, with those of its dependencies."""
        self.set_options(var_options=variables, direct=kwargs)
        return [self.options_of(path, self.get_option("entry_point")) for path in terms]

    def options_of(self, role, entry_point):
        """Options of a role and of its dependencies."""
        found = {}
        for dependency in self.read(role, "main.yml").get("dependencies") or []:
            name = dependency["role"].rpartition(".")[2]
            found.update(self.options_of(os.path.join(os.path.dirname(__file__), "../../roles", name), SHARED))
        found.update(self.read(role, "argument_specs.yml").get("argument_specs", {}).get(entry_point, {}).get("options") or {})
        return found

    def read(self, role, name):
        """A file of meta/ of a role, {} without one."""
        path = os.path.join(role, "meta", name)
        return self._loader.load_from_file(path) if os.path.exists(path) else {}
