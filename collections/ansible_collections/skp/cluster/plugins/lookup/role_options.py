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
  - Returns the options of C(meta/argument_specs.yml) of a role, together with C(meta/options.yml) of the roles that its C(meta/main.yml) names as dependencies.
  - For M(ansible.builtin.validate_argument_spec). Ansible's own validation of a role runs on every host, for every dependency, and with all C(--tags).
    A role of this collection validates its variables in one task on one host, and only if it is selected.
  - Refuses hosts of another inventory in a group of the cluster, or in the group of the role. They would be taken for hosts of the cluster.
  - Refuses what Ansible's validation does not see. A variable whose name begins like the role's (C(kafka_), C(skp_)) and that the role does not have, which
    would have no effect. Text for an object, or for a list of objects, which would break later. It looks at the variables of the host of the task.
options:
  _terms:
    description: Directory of the role, C(role_path) in its tasks.
    required: true
  entry_point:
    description: Entry point of the role.
    type: str
    default: main
notes:
  - A site that has such variables for roles of its own lists their names in C(skp_other_variables).
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

import difflib
import os
import re

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.skp.cluster.plugins.filter.from_text import from_text
from ansible_collections.skp.cluster.plugins.plugin_utils import _foreign

SHARED = "shared"
"""Entry point of a role that only has variables, in a file of its own: Ansible reads C(argument_specs.yml) wherever the role is a dependency."""

SHARED_PREFIX = "skp_"
OTHERS = "skp_other_variables"
NO_OPTIONS = ("skp_labels", "zookeeper_connection_string", "skp_status", "skp_failures")
"""Names that begin like options and are none: set by the inventory plugin, by a role for others, and the artifacts of a job, which AWX gives to the next
job of a workflow.
"""
OF_AWX = re.compile(r"awx_(job|parent_job|workflow_job|project|inventory|schedule|user|webhook)"
                    r"_(id|name|email|first_name|last_name|launch_type|revision|scm_branch|template_id|template_name|event_type|event_guid|payload|user_\w+)$")
"""Names that AWX gives to each of its jobs."""


class LookupModule(LookupBase):
    """The options of roles."""

    def run(self, terms, variables=None, **kwargs):
        """terms: directories of roles. Returns the options of each, with those of its dependencies."""
        self.set_options(var_options=variables, direct=kwargs)
        found = [self.options_of(path, self.get_option("entry_point")) for path in terms]
        for path, options in zip(terms, found):
            role = os.path.basename(path)
            lines = _foreign.problems((variables or {}).get("groups") or {}, (variables or {}).get("hostvars") or {}, [role])
            lines += unknown(role, set(options) | self.names_of(path), variables or {}) + wrong_types(options, variables or {})
            if lines:
                raise AnsibleLookupError("\n".join(lines + ["Nothing was changed."]))
        return found

    def options_of(self, role, entry_point):
        """Options of a role and of its dependencies."""
        found = {}
        for dependency in self.read(role, "main.yml").get("dependencies") or []:
            name = dependency["role"].rpartition(".")[2]
            found.update(self.options_of(os.path.join(os.path.dirname(__file__), "../../roles", name), SHARED))
        name = "options.yml" if entry_point == SHARED else "argument_specs.yml"
        found.update(self.read(role, name).get("argument_specs", {}).get(entry_point, {}).get("options") or {})
        return found

    def names_of(self, role):
        """Names of the options of all entry points of a role."""
        specs = self.read(role, "argument_specs.yml").get("argument_specs", {})
        return {name for spec in specs.values() for name in spec.get("options") or {}}

    def read(self, role, name):
        """A file of meta/ of a role, {} without one."""
        path = os.path.join(role, "meta", name)
        return self._loader.load_from_file(path) if os.path.exists(path) else {}


def unknown(role, known, variables):
    """One line for each variable that begins like an option of the role and is none."""
    prefixes = (role.lstrip("_") + "_", SHARED_PREFIX)
    others = {*NO_OPTIONS, OTHERS, *from_text(variables.get(OTHERS) or [])}
    # A role that is not of this collection may be named so that all its options begin with the shared prefix.
    names = sorted(name for name in variables if name.startswith(prefixes) and name not in known and name not in others and not OF_AWX.match(name))
    lines = []
    for name in names if known else []:
        near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
        lines.append(
            "%s: unknown variable, role %s has none of this name%s"
            % (name, role, "; did you mean %s?" % near[0] if near else ". Remove it, or list it in %s if it is another role's." % OTHERS)
        )
    return lines


def wrong_types(options, variables):
    """One line for each object, or list of objects, that was given as text. A template is not judged."""
    lines = []
    for name, option in options.items():
        value = variables.get(name)
        objects = option.get("type") == "list" and option.get("elements") == "dict"
        if not isinstance(value, str) or "{{" in value or "{%" in value or not (objects or option.get("type") == "dict"):
            continue
        lines.append(
            "%s: found text, expected %s. Write it into the inventory's group_vars, or as JSON: -e '{\"%s\": %s}'"
            % (name, "a list of objects" if objects else "an object", name, "[{...}]" if objects else "{...}")
        )
    return lines
