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
    is never changed, unless O(rotate) or O(values) says so.
  - The file C(.history.json) beside them has the generation of each secret, the time it was made, and hashes of its value. A file that was edited by
    hand is a new generation. A secret that the history knows, but whose file is missing, is never generated again without O(rotate).
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
  rotate:
    description: Names of O(names) that get a new value, whether they exist or not. Their old values are lost.
    type: list
    elements: str
    default: []
  generations:
    description: Generation of a secret that this call generates, by name; the default is the next one that this directory's history gives.
    type: dict
    default: {}
  values:
    description:
      - Secrets of another manager, name to value. Each needs an entry in O(history).
      - A value replaces a file of an older generation. A value that is older than the file, or of the same generation and different, is an error.
    type: dict
    default: {}
  history:
    description: Generation and time of O(values), by name, as in RV(history).
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
history:
  description:
    - All secrets that the directory has or had, by name. C(fingerprint) is a slow hash of the value, null if the file is missing or empty.
      C(generation) counts from 1. C(time) is when the generation was made, in seconds since 1970.
  returned: success
  type: dict
  sample: {spark_auth_secret: {fingerprint: 0b8f6e..., generation: 1, time: 1790000000}}
created:
  description: Names of secrets that were generated now or copied to where they were missing.
  returned: success
  type: list
  elements: str
repaired:
  description: Names of files whose content (O(values), O(rotate)), mode or owner was changed.
  returned: success
  type: list
  elements: str
failure:
  description: The machine part of an error.
  returned: failure
  type: dict
"""

import os
import secrets as random_source
import time


from ansible_collections.skp.cluster.plugins.module_utils import atomic_file
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.secrets import io, plan

MINIMUM_BYTES = 16  # 128 bits


def run(params, check_mode):
    """Read existing secrets, generate missing ones, store copies, correct modes, record the history. Returns the result."""
    directory = params["directory"]
    refuse(params)
    present, known = io.read(directory)
    wanted = {name: refuse_old(name, value, params["history"], present.get(name), known.get(name)) for name, value in params["values"].items()}
    for name in sorted(set(params["names"]) - set(wanted)):
        wanted[name] = generated(name, params, present.get(name), known.get(name)) or dict(known[name], value=present[name])
    created, repaired = [], []
    for name, copy in sorted(wanted.items()):
        path = os.path.join(directory, name)
        drift = atomic_file.drift(path, copy["value"] + "\n")
        if drift:
            (created if drift == ["missing"] else repaired).append(name)
        if drift and not check_mode:
            atomic_file.write_text(path, copy["value"] + "\n", directory_mode=0o700)
        if drift or (known[name]["generation"], known[name]["time"]) != (copy["generation"], copy["time"]):
            known[name] = plan.entry(name, copy["value"], copy["generation"], copy["time"])
    recorded = io.record(directory, known, check_mode)
    values = dict(present if params["everything"] else {}, **{name: copy["value"] for name, copy in wanted.items()})
    touched = created + repaired
    return {
        "changed": bool(touched) or recorded,
        "secrets": {name: value for name, value in values.items() if name not in params["values"]},
        "history": plan.copies(known),
        "created": created,
        "repaired": repaired,
        "diff": {"before": "", "after": "".join("%s/%s (generation %d, 0600 root)\n" % (directory, name, wanted[name]["generation"]) for name in touched)},
    }


def generated(name, params, value, copy):
    """The new secret {"value", "generation", "time"}, or None if the present one stays. Raises Failure if it must not be generated."""
    path = os.path.join(params["directory"], name)
    rotate = name in params["rotate"]
    if value and not rotate:
        return None
    if copy and not rotate:
        raise Failure(
            "The secret %s is missing or empty, but it existed (generation %d). Data may need it. Restore the file from a backup or another manager, or make "
            "a new one: ansible-playbook playbooks/rotate_secrets.yml --tags <service>." % (path, copy["generation"]),
            kind="lost_secret",
            name=name,
            path=path,
        )
    if not params["create"]:
        raise Failure(
            "The secret %s is missing and must not be generated here. Restore it from a backup or another manager." % path,
            kind="missing_secret",
            name=name,
            path=path,
        )
    following = (copy["generation"] if copy else 0) + 1
    return {
        "value": random_source.token_hex(params["bytes"]),
        "generation": max(following, int(params["generations"].get(name, 1))),
        "time": int(time.time()),
    }


def refuse_old(name, value, history, old, present):
    """The given secret {"value", "generation", "time"}. Raises Failure if the present one (value `old`) is newer, or another of the same generation."""
    if name not in history:
        raise Failure("The value of %s has no entry in history; its generation is unknown. Nothing was changed." % name, kind="no_history", name=name)
    given = {"value": str(value), "generation": int(history[name]["generation"]), "time": int(history[name]["time"])}
    if not old or present["generation"] < given["generation"] or (present["generation"] == given["generation"] and old == given["value"]):
        return given
    raise Failure(
        "The secret %s: this manager has generation %d, the given value is of generation %d%s. An older value never replaces a newer one. Nothing was "
        "changed." % (name, present["generation"], given["generation"], " and different" if present["generation"] == given["generation"] else ""),
        kind="older_value",
        name=name,
        present=present["generation"],
        given=given["generation"],
    )


def refuse(params):
    """Refuse names that point outside the directory, secrets that are too short, and rotation of what is not asked for."""
    for name in params["names"] + list(params["values"]):
        if not io.NAME.match(name):
            raise Failure("%r is not a valid name of a secret: use only letters, digits, _ - and dots." % name, kind="bad_name", name=name)
    if params["bytes"] < MINIMUM_BYTES:
        raise Failure(
            "bytes is %d; a secret of less than %d bytes can be guessed." % (params["bytes"], MINIMUM_BYTES), kind="too_short", bytes=params["bytes"]
        )
    strange = sorted(set(params["rotate"]) - set(params["names"]))
    if strange:
        raise Failure("rotate has names that are not in names: %s." % ", ".join(strange), kind="bad_name", names=strange)


def main():
    module = QuietModule(
        argument_spec={
            "directory": {"type": "path", "default": "/etc/skp/secrets", "no_log": False},
            "names": {"type": "list", "elements": "str", "default": []},
            "rotate": {"type": "list", "elements": "str", "default": []},
            "generations": {"type": "dict", "default": {}},
            "values": {"type": "dict", "default": {}, "no_log": True},
            "history": {"type": "dict", "default": {}},
            "everything": {"type": "bool", "default": False},
            "bytes": {"type": "int", "default": 32},
            "create": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    directory = module.params["directory"]
    try:
        result = run(module.params, module.check_mode)
    except Failure as exc:
        fail(module, exc)
    except OSError as exc:
        fail(module, Failure("The secrets in %s cannot be stored: %s. The module writes files of root: run it with become." % (directory, exc),
                             kind="unwritable", path=directory))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
