#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_secret
short_description: Secrets made once and kept in files of root
version_added: 0.1.0
description:
  - Each secret is one file of mode 0600, owned by root. A missing one is made from the system's random source; one that is there is
    never changed, unless O(values) gives another.
  - The result carries the secrets. Put C(no_log=true) on the task.
author: skp.cluster contributors (@comafire)
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: A secret that would be made is returned as a random value that is not kept, so that what depends on it shows as changed.
  diff_mode:
    support: full
    details: Names only.
  platform:
    support: full
    platforms: posix
options:
  directory:
    description: Where the files are.
    type: path
    default: /etc/skp/secrets
  names:
    description: Secrets that must be there. A name is letters, digits, C(_), C(-) and C(.).
    type: list
    elements: str
    default: []
  values:
    description: Secrets with their values, for copies on further managers and for values that come from elsewhere.
    type: dict
    default: {}
  everything:
    description: Return all secrets of the directory, whether they are named or not.
    type: bool
    default: false
  bytes:
    description: Random bytes of a new secret; the text has twice as many hexadecimal digits.
    type: int
    default: 32
  create:
    description: Make what is missing. With false a missing secret is an error, for example where data exists that only the old one opens.
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
  description: Name to value, of all O(names), or with O(everything) of all there are. Those of O(values) are not repeated.
  returned: success
  type: dict
created:
  description: Names of secrets that were made now.
  returned: success
  type: list
  elements: str
repaired:
  description: Names of files whose content (O(values)), mode or owner was put right.
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
    """Read what is there, make what is missing, put modes right."""
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
        fail(module, Failure("The secrets in %s cannot be kept: %s. The module writes root's files: run it with become." % (params["directory"], exc),
                             kind="unwritable", path=params["directory"]))
    touched = created + repaired
    module.exit_json(
        changed=bool(touched), secrets=found, created=created, repaired=repaired,
        diff={"before": "", "after": "".join("%s/%s (0600 root)\n" % (params["directory"], name) for name in touched)})


def _kept(directory, but):
    """{name: value} of the secrets in a directory, without those named in `but` and without empty files; {} where there is no directory."""
    try:
        names = [name for name in os.listdir(directory) if NAME.match(name) and name not in but]
    except FileNotFoundError:
        return {}
    values = {name: (atomic_file.read_text(os.path.join(directory, name)) or "").rstrip("\n") for name in names}
    return {name: value for name, value in values.items() if value}


def _refuse(params):
    """Refuse names that would leave the directory and secrets too short to be one."""
    for name in list(params["names"]) + list(params["values"]):
        if not NAME.match(name):
            raise Failure("%r is no name for a secret: letters, digits, _ - and . only." % name, kind="bad_name", name=name)
    if params["bytes"] < MINIMUM_BYTES:
        raise Failure("bytes is %d; a secret of less than %d bytes can be guessed." % (params["bytes"], MINIMUM_BYTES),
                      kind="too_short", bytes=params["bytes"])


def _check_missing(create, name, path, present):
    """A file that is there but empty was cut short by something; making a new secret over it could lock data away."""
    if present is not None:
        raise Failure("The secret %s is empty. Restore it from a backup or another manager; remove the file to have a new one made." % path,
                      kind="empty_secret", name=name, path=path)
    if not create:
        raise Failure("The secret %s is missing and must not be made anew here. Restore it from a backup or another manager." % path,
                      kind="missing_secret", name=name, path=path)


if __name__ == "__main__":
    main()
