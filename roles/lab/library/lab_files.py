#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the controller's files for the lab: keys, known_hosts, hosts.json, generated variables."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_files
short_description: The lab's files in its inventory directory
description:
  - One key for the user and one host key per node are created once, so known_hosts stays valid when a node is re-created.
  - hosts.json is written for new nodes and addresses only; the user's edits stay.
author: skp.cluster contributors (@comafire)
options:
  directory: {type: path, required: true, description: The inventory directory.}
  nodes: {type: list, elements: dict, required: true, description: "Name and address of every node, in order."}
  hosts_override: {type: dict, default: {}, description: "Host name -> keys that replace those of hosts.json."}
  variables: {type: dict, required: true, description: Host variables for group_vars/all/generated.yml.}
"""

EXAMPLES = r"""
- name: Write the inventory
  lab_files: {directory: /x/inventory/lab, nodes: [{name: c01, address: 172.30.77.11}], variables: {}}
"""

RETURN = r"""
written:
  description: Paths that were written, relative to the directory.
  type: list
  returned: success
"""

import os
import subprocess

import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lab_plan import LabError, known_hosts, merge_hosts

HEADER = "# SPDX-License-Identifier: GPL-3.0-or-later\n# Written by `make up` from what this machine is; edits are lost.\n---\n"


class Dumper(yaml.SafeDumper):
    """YAML with multi-line text (certificates) as a block."""


def _represent_text(dumper, text):
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, _represent_text)


class Writer:
    """Files below one directory, written only if their content or mode differs."""

    def __init__(self, module, directory):
        self.module = module
        self.directory = directory
        self.written = []
        self.diff = []

    def read(self, name):
        """Text of a file, None if it does not exist."""
        try:
            with open(os.path.join(self.directory, name), encoding="utf-8") as handle:
                return handle.read()
        except FileNotFoundError:
            return None

    def folder(self, name, mode=0o755):
        """Create a missing directory."""
        if not self.module.check_mode:
            os.makedirs(os.path.join(self.directory, name), mode=mode, exist_ok=True)

    def write(self, name, text, mode=0o644):
        """Write a file atomically, so that a reader never sees a part of it."""
        before = self.read(name)
        if before == text:
            return
        self.written.append(name)
        self.diff.append({"before_header": name, "after_header": name, "before": before or "", "after": text})
        if self.module.check_mode:
            return
        path = os.path.join(self.directory, name)
        with open(path + ".new", "w", encoding="utf-8") as handle:
            handle.write(text)
        os.chmod(path + ".new", mode)
        os.replace(path + ".new", path)

    def key(self, name, comment):
        """Create a missing ed25519 key pair; returns the public key (empty in check mode before the first run)."""
        public = self.read(name + ".pub")
        if public is not None and self.read(name) is not None:
            return public
        self.written.append(name)
        if self.module.check_mode:
            return "ssh-ed25519 (made by the first run) %s" % comment
        path = os.path.join(self.directory, name)
        for leftover in (path, path + ".pub"):
            if os.path.exists(leftover):
                os.unlink(leftover)
        self.module.run_command(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path], check_rc=True)
        return self.read(name + ".pub")


def main():
    """Keys, then known_hosts from them, then the inventory."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "nodes": {"type": "list", "elements": "dict", "required": True},
            "hosts_override": {"type": "dict", "default": {}},
            "variables": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    nodes = module.params["nodes"]
    writer = Writer(module, module.params["directory"])
    try:
        hosts = merge_hosts(writer.read("hosts.json"), nodes, module.params["hosts_override"])
    except LabError as exc:
        module.fail_json(msg="%s: %s" % (os.path.join(writer.directory, "hosts.json"), exc))
    try:
        writer.folder("ssh", mode=0o700)
        writer.folder("ssh/host_keys", mode=0o700)
        writer.folder("group_vars/all")
        writer.key("ssh/id_ed25519", "skp lab user")
        public = {node["name"]: writer.key("ssh/host_keys/%s" % node["name"], node["name"]) for node in nodes}
        writer.write("ssh/known_hosts", known_hosts(nodes, public))
        writer.write("hosts.json", hosts)
        variables = yaml.dump(module.params["variables"], Dumper=Dumper, sort_keys=True, width=1000)
        writer.write("group_vars/all/generated.yml", HEADER + variables)
    except (OSError, subprocess.SubprocessError) as exc:
        module.fail_json(msg="the lab's files cannot be written below %s: %s" % (writer.directory, exc))
    module.exit_json(changed=bool(writer.written), written=writer.written, diff=writer.diff)


if __name__ == "__main__":
    main()
