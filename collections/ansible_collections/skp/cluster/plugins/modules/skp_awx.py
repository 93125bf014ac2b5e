#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_awx
short_description: Job templates of the cluster in an AWX
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Runs on the controller and talks to the REST API of an AWX. Makes what a list says - job templates with surveys, workflows, schedules - and what these
    need - organisation, labels, credential types, execution environment, project, inventory with its source.
  - Writes only fields that differ. Objects of ours that left the list are removed - templates with O(settings.label), and other objects whose description
    ends with it. Projects, inventories, credentials and the organisation are never removed.
  - After each write it compares AWX's answer with what was sent, because AWX ignores unknown fields without an error.
extends_documentation_fragment:
  - skp.cluster.attributes
options:
  url:
    description: Address of AWX, for example V(https://awx.example).
    type: str
    required: true
  api:
    description: Path of the API below the address.
    type: str
    default: /api/v2
  token:
    description: A token of an account. Without it O(username) and O(password) are used.
    type: str
    default: ""
  username:
    description: Account of AWX.
    type: str
    default: ""
  password:
    description: Its password.
    type: str
    default: ""
  validate_certs:
    description: Whether AWX's certificate is checked.
    type: bool
    default: true
  ca_path:
    description: File with the certificate authority of AWX, in PEM.
    type: path
  menu:
    description:
      - The list. C(roles/awx/files/awx.yml) of the collection is an example and describes its parts - C(credential_types), C(job_templates), C(workflows),
        C(schedules).
    type: dict
    required: true
  settings:
    description: What differs between sites.
    type: dict
    required: true
    suboptions:
      organization:
        description: Organisation of AWX that owns everything. It is made if it is missing.
        type: str
        required: true
      cluster:
        description: Name of the cluster, given to every job as the variable C(skp_cluster_name).
        type: str
        required: true
      prefix:
        description: Begin of the names of templates, workflows and schedules.
        type: str
        default: ""
      label:
        description: Label of what is ours.
        type: str
        required: true
      image:
        description: Image of the execution environment.
        type: str
        required: true
      pull:
        description: When AWX pulls it. Empty is AWX's own default.
        type: str
        choices: ["", always, missing, never]
        default: ""
      project:
        description: The checkout with the playbooks.
        type: dict
        required: true
        suboptions:
          name:
            description: Its name in AWX.
            type: str
            required: true
          url:
            description: Address of a git repository. Empty for a manual project.
            type: str
            default: ""
          branch:
            description: Branch, tag or commit. Empty is the repository's default.
            type: str
            default: ""
          local_path:
            description: Directory of a manual project below AWX's directory of projects.
            type: str
            default: ""
          credential:
            description: Name of a source control credential in AWX.
            type: str
            default: ""
      inventory:
        description: Where the hosts come from.
        type: dict
        required: true
        suboptions:
          path:
            description: The inventory file in the project.
            type: str
            required: true
          variables:
            description: Environment of the read.
            type: dict
            default: {}
          credentials:
            description: Names of credentials for the read, of a type of the list.
            type: list
            elements: str
            default: []
      machine:
        description: The credential with which jobs reach the machines.
        type: dict
        required: true
        suboptions:
          name:
            description: Its name. Without O(settings.machine.inputs) it must be there.
            type: str
            required: true
          inputs:
            description: Inputs that are no secrets, for example C(username) and C(become_method). With them the credential is made.
            type: dict
            default: {}
      credentials:
        description: Names of further credentials for every job template. They must be there.
        type: list
        elements: str
        default: []
      update_secrets:
        description: Writes O(secrets) also where AWX has some already. AWX does not show them, so this always counts as a change.
        type: bool
        default: false
  secrets:
    description: Secret inputs of the machine credential, for example C(ssh_key_data). AWX gets them when it makes the credential.
    type: dict
    default: {}
  timeout:
    description: Seconds until AWX has read the project.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: What AWX should have
  skp.cluster.skp_awx:
    url: https://awx.example
    token: "{{ lookup('ansible.builtin.env', 'CONTROLLER_OAUTH_TOKEN') }}"
    menu: "{{ lookup('ansible.builtin.file', 'awx.yml') | from_yaml }}"
    settings:
      organization: skp
      cluster: mine
      prefix: "mine "
      label: skp.cluster mine
      image: registry.example:5000/skp/ee:latest
      project: {name: mine, url: "https://git.example/ops/cluster.git", branch: main}
      inventory: {path: inventory/mine/skp.yml}
      machine: {name: mine machines}
  delegate_to: localhost
"""

RETURN = r"""
plan:
  description: What was done, or would be done in check mode, one line each.
  returned: success
  type: list
  elements: str
  sample: ["job template mine kafka: new", "schedule mine nightly status: rrule"]
failure:
  description: The machine part of an error; C(kind) names it.
  returned: failure
  type: dict
"""


from ansible.module_utils.common.yaml import HAS_YAML, yaml_load

from ansible_collections.skp.cluster.plugins.module_utils.awx import build, io as awx_io, plan as awx_plan
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule


def parse(text):
    """A text of YAML, of which JSON is a part."""
    try:
        return yaml_load(text)
    except Exception as exc:  # each YAML library has errors of its own
        raise ValueError("no YAML: %s" % exc) from exc


def run(params, check_mode, api):
    """Look, plan, stop there in check mode, apply."""
    objects = build.wanted(params["menu"], params["settings"])
    found = awx_io.look(api, params["settings"])
    steps, ids = awx_plan.plan(objects, found, params["settings"], {"machine": params["secrets"]}, parse)
    if not check_mode:
        for step in steps:
            awx_io.apply(api, step, ids, params["timeout"], parse)
    return {"changed": bool(steps), "plan": [step["what"] for step in steps], "diff": awx_plan.diff(steps)}


def argument_spec():
    """The options of the module."""
    project = {"name": {"type": "str", "required": True}, "url": {"type": "str", "default": ""}, "branch": {"type": "str", "default": ""},
               "local_path": {"type": "str", "default": ""}, "credential": {"type": "str", "default": ""}}
    inventory = {"path": {"type": "str", "required": True}, "variables": {"type": "dict", "default": {}},
                 "credentials": {"type": "list", "elements": "str", "default": []}}
    machine = {"name": {"type": "str", "required": True}, "inputs": {"type": "dict", "default": {}}}
    settings = {
        "organization": {"type": "str", "required": True}, "cluster": {"type": "str", "required": True}, "prefix": {"type": "str", "default": ""},
        "label": {"type": "str", "required": True}, "image": {"type": "str", "required": True},
        "pull": {"type": "str", "choices": ["", "always", "missing", "never"], "default": ""},
        "project": {"type": "dict", "required": True, "options": project}, "inventory": {"type": "dict", "required": True, "options": inventory},
        "machine": {"type": "dict", "required": True, "options": machine}, "credentials": {"type": "list", "elements": "str", "default": []},
        "update_secrets": {"type": "bool", "default": False, "no_log": False},
    }
    return {
        "url": {"type": "str", "required": True}, "api": {"type": "str", "default": "/api/v2"}, "token": {"type": "str", "default": "", "no_log": True},
        "username": {"type": "str", "default": ""}, "password": {"type": "str", "default": "", "no_log": True},
        "validate_certs": {"type": "bool", "default": True}, "ca_path": {"type": "path"}, "menu": {"type": "dict", "required": True},
        "settings": {"type": "dict", "required": True, "options": settings}, "secrets": {"type": "dict", "default": {}, "no_log": True},
        "timeout": {"type": "int", "default": 300},
    }


def main():
    """Run as a module."""
    module = QuietModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        if not HAS_YAML:
            raise Failure("This Python has no PyYAML. Run on the controller, with ansible_python_interpreter: \"{{ ansible_playbook_python }}\".",
                          kind="no_yaml")
        result = run(module.params, module.check_mode, awx_io.Api(module.params))
    except Failure as exc:
        fail(module, exc)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
