#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_engine
short_description: Configure and describe the Docker engine of a node
version_added: 0.1.0
author:
  - skp.cluster contributors (@comafire)
description:
  - Merges settings into the engine's C(daemon.json), never replaces the file, and returns every fact about the engine that the other
    roles use, in one call.
  - A record in O(record_file) says which settings are ours, so that one that is no longer wanted is taken back and what the owner of the
    machine wrote stays.
  - Changes of keys that the engine takes over on a signal are reloaded at once. All others are only written and reported as
    RV(restart_required); O(state=restarted) does the restart, behind a gate that keeps the quorum of the swarm's managers.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Predicts the change. A machine without an engine is taken as one with nothing configured.
  diff_mode:
    support: full
    details: Shows C(daemon.json) before and after.
  platform:
    support: full
    platforms: posix
options:
  state:
    description:
      - V(gathered) reads only.
      - V(present) merges O(config) into C(daemon.json) and reloads the engine where that is enough.
      - V(restarted) restarts the engine when a written change still waits for it (or it does not run), and waits until it answers, is
        back in the swarm with its manager role, and runs the containers of our services it ran before.
    type: str
    choices: [gathered, present, restarted]
    default: present
  config:
    description:
      - Settings for C(daemon.json), as nested as there. Lists are united with those already there, ours first.
      - Used with O(state=present) only.
    type: dict
    default: {}
  packages:
    description: Names of the packages that bring each part, returned in RV(missing_packages) where the part is not there.
    type: dict
    default: {}
    suboptions:
      engine:
        description: Packages of the engine, missing where no C(dockerd) is found.
        type: list
        elements: str
        default: []
      cli:
        description:
          - Packages of the command C(docker), missing where it is not found.
          - Where the engine is missing too they are named on Debian 13 and newer only; elsewhere the engine's package brings the command,
            and if it did not, the next call says so.
        type: list
        elements: str
        default: []
      sdk:
        description: Packages of the Docker SDK for the Python this module runs in.
        type: list
        elements: str
        default: []
  probe_encryption:
    description: Try whether the kernel can carry an encrypted overlay network.
    type: bool
    default: false
  wait_pending:
    description: Seconds to wait for a node whose swarm state is C(pending), as just after a boot.
    type: int
    default: 30
  timeout:
    description: Seconds a restart may take until everything is back.
    type: int
    default: 180
  force:
    description: Restart even when the swarm's managers lose their quorum by it.
    type: bool
    default: false
  config_file:
    description: The engine's configuration file.
    type: path
    default: /etc/docker/daemon.json
  record_file:
    description: Where the record of our settings is kept.
    type: path
    default: /etc/skp/engine.json
"""

EXAMPLES = r"""
- name: Rotate container logs
  skp.cluster.skp_engine:
    config:
      log-driver: json-file
      log-opts:
        max-size: 50m
        max-file: "3"
  register: result

- name: Restart the engine, if the change needs it
  skp.cluster.skp_engine:
    state: restarted
  when: result.restart_required
"""

RETURN = r"""
engine:
  description: Facts about the engine. On a machine without one every key is there with an empty value.
  returned: always
  type: dict
  contains:
    installed:
      description: Whether C(dockerd) was found or an engine answered.
      type: bool
    running:
      description: Whether the engine answers on its socket.
      type: bool
    error:
      description: Why it does not answer.
      type: str
    cli:
      description: Whether the command C(docker) was found.
      type: bool
    sdk_version:
      description: Version of the Docker SDK for Python, empty without one.
      type: str
    version:
      description: Version of the engine.
      type: str
    api_version:
      description: Newest API version it speaks.
      type: str
    min_api_version:
      description: Oldest API version it accepts.
      type: str
    swarm_state:
      description: >-
        C(inactive), C(pending), C(active), C(error), C(locked), or C(stopped) where the engine does not run but has the certificate of
        a swarm.
      type: str
    swarm_error:
      description: What the engine says is wrong with its membership.
      type: str
    node_id:
      description: Id of the node in the swarm.
      type: str
    node_addr:
      description: Address it advertises.
      type: str
    cluster_id:
      description: Id of the swarm it is in, on workers too.
      type: str
    is_manager:
      description: Whether it can manage the swarm.
      type: bool
    managers:
      description: Number of managers, where it is one itself.
      type: int
    nodes:
      description: Number of nodes, where it is a manager.
      type: int
    remote_managers:
      description: Addresses of the managers it knows.
      type: list
      elements: str
    encryption:
      description: C(yes), C(no) or C(unknown), the latter two with the reason; C(unknown) where it was not tried.
      type: str
  sample: {installed: true, running: true, version: 26.1.5, swarm_state: active, is_manager: true}
restart_required:
  description: Whether the engine has to be restarted for a change that is written, or to run at all.
  returned: always
  type: bool
reloaded:
  description: Whether the engine was told to reload its configuration (in check mode, would be).
  returned: always
  type: bool
changed_keys:
  description: Top-level keys of C(daemon.json) that differ.
  returned: always
  type: list
  elements: str
missing_packages:
  description: Packages to install, from O(packages).
  returned: always
  type: list
  elements: str
failure:
  description: Machine-readable part of an error.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.skp.cluster.plugins.module_utils.engine import facts as engine_facts, io as engine_io, plan as config_plan
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.swarm.plan import restart_refusal


def missing_packages(packages, facts):
    """The packages of every part that is not on the machine. An engine that is there is never replaced by another package's."""
    names = []
    cli = facts["cli"] or not (facts["installed"] or engine_facts.splits_cli())
    for part, present in (("engine", facts["installed"]), ("cli", cli), ("sdk", bool(facts["sdk_version"]))):
        names += [] if present else packages.get(part) or []
    return names


def present(module, facts):
    """Merges the configuration; returns the result without the facts."""
    path, store = module.params["config_file"], engine_io.Record(module.params["record_file"])
    text = engine_io.read_text(path)
    current = config_plan.parse(text, path)
    record = store.read()
    plan = config_plan.merge(current, module.params["config"], record["set"])
    config_plan.check(plan["config"], path)
    after = config_plan.render(plan["config"]) if plan["keys"] else text
    effect = config_plan.effect(plan["keys"]) if facts["running"] else ""
    waiting = engine_io.still_waiting(record)
    result = {
        "changed": bool(plan["keys"]) or plan["record"] != record["set"],
        "changed_keys": plan["keys"],
        "reloaded": effect == "reload",
        "restart_required": effect == "restart" or waiting or (facts["installed"] and not facts["running"]),
        "diff": {"before_header": path, "after_header": path, "before": text, "after": after},
    }
    if result["changed"] and not module.check_mode:
        if plan["keys"]:
            engine_io.validate(after, path, facts["installed"])
            engine_io.write_text(path, after, 0o644)
        store.write(plan["record"], restart=effect == "restart" or waiting)
        if effect == "reload":
            engine_io.reload_engine()
    return result


def restarted(module, facts):
    """Restarts the engine behind the quorum gate, when something waits for it."""
    store = engine_io.Record(module.params["record_file"])
    record = store.read()
    result = {"changed": engine_io.still_waiting(record) or not facts["running"], "changed_keys": [], "reloaded": False,
              "restart_required": False}
    if not result["changed"] and not (module.check_mode and facts["installed"]):
        return result
    if facts["running"] and facts["is_manager"] and not module.params["force"]:
        refusal = restart_refusal(engine_io.managers(), facts["node_id"])
        if refusal:
            raise Failure(refusal, kind="quorum", node_id=facts["node_id"])
    if module.check_mode:
        # In check mode nothing was written, so nothing waits: the caller asks only where it was predicted.
        result["changed"] = True
        return result
    engine_io.restart_engine(facts, module.params["timeout"])
    store.write(record["set"], restart=False)
    return result


def main():
    """Reads the facts, plans, applies outside check mode, returns the facts as they are then."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["gathered", "present", "restarted"], "default": "present"},
            "config": {"type": "dict", "default": {}},
            "packages": {"type": "dict", "default": {}, "options": {
                "engine": {"type": "list", "elements": "str", "default": []},
                "cli": {"type": "list", "elements": "str", "default": []},
                "sdk": {"type": "list", "elements": "str", "default": []},
            }},
            "probe_encryption": {"type": "bool", "default": False},
            "wait_pending": {"type": "int", "default": 30},
            "timeout": {"type": "int", "default": 180},
            "force": {"type": "bool", "default": False},
            "config_file": {"type": "path", "default": "/etc/docker/daemon.json"},
            "record_file": {"type": "path", "default": "/etc/skp/engine.json"},
        },
        supports_check_mode=True,
    )
    wait = module.params["wait_pending"]
    facts = engine_facts.read(wait_pending=wait, probe_encryption=module.params["probe_encryption"])
    result = {"changed": False, "changed_keys": [], "reloaded": False,
              "restart_required": facts["installed"] and not facts["running"]}
    try:
        if module.params["state"] == "present":
            result = present(module, facts)
        elif module.params["state"] == "restarted":
            result = restarted(module, facts)
    except Failure as exc:
        fail(module, exc, engine=facts)
    if module.params["state"] == "restarted" and result["changed"] and not module.check_mode:
        facts = engine_facts.read(wait_pending=wait)
    module.exit_json(engine=facts, missing_packages=missing_packages(module.params["packages"], facts), **result)


if __name__ == "__main__":
    main()
