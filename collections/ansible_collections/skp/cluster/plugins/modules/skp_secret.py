#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_secret
short_description: Generate secrets once and store them in files of root
version_added: 0.1.0
description:
  - Each secret is one file of mode 0600, owned by root. A missing secret is generated from the system's random source; an existing one
    is never changed, unless O(values) has another value.
  - The result contains the secrets. Set C(no_log=true) on the task.
author: skp.cluster contributors (@comafire)
extends_documentation_fragment:
  - skp.cluster.attributes
attributes:
  check_mode:
    details: A secret that would be generated is returned as a random value that is not stored, so that dependent objects show as changed.
  diff_mode:
    details: Names only.
options:
  directory:
    description: Directory of the files.
    type: path
    default: /etc/skp/secrets
  names:
    description: Names of the required secrets. A name consists of letters, digits, C(_), C(-) and C(.).
    type: list
    elements: str
    default: []
  values:
    description: Secrets with their values, for copies on other managers and for values from another source.
    type: dict
    default: {}
  everything:
    description: Return all secrets of the directory, not only those of O(names).
    type: bool
    default: false
  bytes:
    description: Random bytes of a new secret; the text has twice as many hexadecimal digits.
    type: int
    default: 32
  create:
    description: Generate missing secrets. With false, a missing secret is an error, for example if existing data needs the old secret.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: The registry's secret
  skp.cluster.skp_secret:
    names: [registry_http_secret]
  no_log: true
  register: secrets
"""

RETURN = r"""
secrets:
  description: Name to value of all O(names), or of all secrets with O(everything). Those of O(values) are not repeated.
  returned: success
  type: dict
created:
  description: Names of secrets that were generated now.
  returned: success
  type: list
  elements: str
repaired:
  description: Names of files whose content (O(values)), mode or owner was corrected.
  returned: success
  type: list
  elements: str
failure:
  description: The machine part of an error.
  returned: failure
  type: dict
"""

import os
import re
import secrets as random_source

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.skp.cluster.plugins.module_utils import atomic_file
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail

NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
MINIMUM_BYTES = 16  # 128 bits


def main():
    """Read existing secrets, generate missing ones, correct modes."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/etc/skp/secrets", "no_log": False},
            "names": {"type": "list", "elements": "str", "default": []},
            "values": {"type": "dict", "default": {}, "no_log": True},
            "everything": {"type": "bool", "default": False},
            "bytes": {"type": "int", "default": 32},
            "create": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    found, created, repaired = {}, [], []
    try:
        _refuse(params)
        for name in sorted(set(params["names"]) | set(params["values"])):
            path = os.path.join(params["directory"], name)
            present = atomic_file.read_text(path)
            value = params["values"].get(name) or (present or "").rstrip("\n")
            if not value:
                _check_missing(params["create"], name, path, present)
                value = random_source.token_hex(params["bytes"])
            drift = atomic_file.drift(path, value + "\n")
            if present is None:
                created.append(name)
            elif drift:
                repaired.append(name)
            if drift and not module.check_mode:
                atomic_file.write_text(path, value + "\n", directory_mode=0o700)
            if name not in params["values"]:
                found[name] = value
        if params["everything"]:
            found = dict(_kept(params["directory"], params["values"]), **found)
    except Failure as exc:
        fail(module, exc)
    except OSError as exc:
        fail(module, Failure("The secrets in %s cannot be stored: %s. The module writes files of root: run it with become." % (params["directory"], exc),
                             kind="unwritable", path=params["directory"]))
    touched = created + repaired
    module.exit_json(
        changed=bool(touched), secrets=found, created=created, repaired=repaired,
        diff={"before": "", "after": "".join("%s/%s (0600 root)\n" % (params["directory"], name) for name in touched)})


def _kept(directory, but):
    """{name: value} of the secrets in a directory, without those named in `but` and without empty files; {} if there is no directory."""
    try:
        names = [name for name in os.listdir(directory) if NAME.match(name) and name not in but]
    except FileNotFoundError:
        return {}
    values = {name: (atomic_file.read_text(os.path.join(directory, name)) or "").rstrip("\n") for name in names}
    return {name: value for name, value in values.items() if value}


def _refuse(params):
    """Refuse names that point outside the directory, and secrets that are too short."""
    for name in list(params["names"]) + list(params["values"]):
        if not NAME.match(name):
            raise Failure("%r is not a valid name of a secret: use only letters, digits, _ - and dots." % name, kind="bad_name", name=name)
    if params["bytes"] < MINIMUM_BYTES:
        raise Failure("bytes is %d; a secret of less than %d bytes can be guessed." % (params["bytes"], MINIMUM_BYTES),
                      kind="too_short", bytes=params["bytes"])


def _check_missing(create, name, path, present):
    """An empty file is damaged; a new secret in its place could make data unreadable."""
    if present is not None:
        raise Failure("The secret %s is empty. Restore it from a backup or another manager; remove the file to generate a new one." % path,
                      kind="empty_secret", name=name, path=path)
    if not create:
        raise Failure("The secret %s is missing and must not be generated here. Restore it from a backup or another manager." % path,
                      kind="missing_secret", name=name, path=path)


if __name__ == "__main__":
    main()
