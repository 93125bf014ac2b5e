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
  - Merges settings into the engine's C(daemon.json), never replaces the file, and returns all facts about the engine that the other
    roles use, in one call.
  - O(record_file) records the settings that the module made. Settings that are no longer wanted are restored to the value before;
    settings of the machine's owner stay.
  - Changes of keys that the engine can reload are reloaded at once. All others are only written and reported as
    RV(restart_required); O(state=restarted) does the restart, and refuses it if the swarm's managers would lose their quorum.
extends_documentation_fragment:
  - skp.cluster.attributes
attributes:
  check_mode:
    details: Predicts the change. A machine without an engine counts as a machine without any configuration.
  diff_mode:
    details: Shows C(daemon.json) before and after.
options:
  state:
    description:
      - V(gathered) reads only.
      - V(present) merges O(config) into C(daemon.json) and reloads the engine if that is enough.
      - V(restarted) restarts the engine if a written change still needs it (or if the engine does not run), and waits until it answers,
        is back in the swarm with its manager role, and runs the same skp.cluster services as before, healthy if they were.
      - Before a restart, services of the node with a gate (O(skp.cluster.skp_service#module:services[].stop_gate)) must say that they may stop, for
        example Kafka when all replicas are in sync.
    type: str
    choices: [gathered, present, restarted]
    default: present
  config:
    description:
      - Settings for C(daemon.json), with the same nesting. Lists are combined with existing lists, new entries first.
      - Used with O(state=present) only.
    type: dict
    default: {}
  packages:
    description: Names of the packages of each part, returned in RV(missing_packages) if the part is missing.
    type: dict
    default: {}
    suboptions:
      engine:
        description: Packages of the engine, missing if no C(dockerd) is found.
        type: list
        elements: str
        default: []
      cli:
        description:
          - Packages of the command C(docker), missing if it is not found.
          - If the engine is missing too, they are returned on Debian 13 and newer only; on other systems the engine's package contains the
            command, and if it does not, the next call returns them.
        type: list
        elements: str
        default: []
      sdk:
        description: Packages of the Docker SDK for the Python that runs this module.
        type: list
        elements: str
        default: []
  probe_encryption:
    description: Test whether the kernel supports an encrypted overlay network.
    type: bool
    default: false
  wait_pending:
    description: Seconds to wait for a node whose swarm state is C(pending), for example after boot.
    type: int
    default: 30
  timeout:
    description: Seconds to wait after a restart until the node is healthy again.
    type: int
    default: 180
  force:
    description: Restart even if the swarm's managers lose their quorum.
    type: bool
    default: false
  seen:
    description:
      - With O(state=present), RV(skp.cluster.skp_preflight#module:engine_plan) of this run for the same O(config) and O(packages).
      - If it shows that nothing has to be done, the result comes from it, without a call.
    type: dict
    default: {}
  config_file:
    description: The engine's configuration file.
    type: path
    default: /etc/docker/daemon.json
  record_file:
    description: Path of the record of the settings that the module made.
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
  description: Facts about the engine. On a machine without an engine, all keys are present with empty values.
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
      description: Why the engine does not answer.
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
      description: Newest API version that the engine supports.
      type: str
    min_api_version:
      description: Oldest API version that the engine supports.
      type: str
    no_new_privileges:
      description: Whether C(daemon.json) sets C(no-new-privileges).
      type: bool
    swarm_state:
      description: >-
        C(inactive), C(pending), C(active), C(error), C(locked), or C(stopped) if the engine does not run but has the certificate of
        a swarm.
      type: str
    swarm_error:
      description: The engine's error message about its membership.
      type: str
    node_id:
      description: Id of the node in the swarm.
      type: str
    node_addr:
      description: Address that the node advertises.
      type: str
    cluster_id:
      description: Id of the node's swarm, also on workers.
      type: str
    is_manager:
      description: Whether the node is a manager that can manage the swarm.
      type: bool
    managers:
      description: Number of managers, if the node is a manager.
      type: int
    nodes:
      description: Number of nodes, if the node is a manager.
      type: int
    remote_managers:
      description: Addresses of the managers that the node knows.
      type: list
      elements: str
    encryption:
      description: C(yes), C(no) or C(unknown), the latter two with the reason; C(unknown) if it was not tested.
      type: str
  sample: {installed: true, running: true, version: 26.1.5, swarm_state: active, is_manager: true}
restart_required:
  description: Whether the engine must be restarted, for a written change or because it does not run.
  returned: always
  type: bool
reloaded:
  description: Whether the engine reloaded its configuration (in check mode, would reload it).
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
seen:
  description: Whether the result comes from O(seen), so that no call was made.
  returned: if it does
  type: bool
failure:
  description: Machine-readable part of an error.
  returned: failure
  type: dict
"""


from ansible_collections.skp.cluster.plugins.module_utils.engine import facts as engine_facts, io as engine_io
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.logins import logins
from ansible_collections.skp.cluster.plugins.module_utils.swarm.plan import restart_refusal


def present(module, facts):
    """Merges the configuration; returns the result without the facts."""
    path, store = module.params["config_file"], engine_io.Record(module.params["record_file"])
    found = engine_io.compare(module.params["config"], facts, path, store.path)
    plan, effect, result = found["plan"], found["effect"], found["result"]
    if result["changed"] and not module.check_mode:
        if plan["keys"]:
            engine_io.validate(found["text"], path, facts["installed"])
        # The record comes first: a run that is killed after it restarts once too often, one that is killed before it would never restart.
        store.write(plan["record"], restart=effect == "restart" or found["waiting"], reload=effect == "reload")
        if plan["keys"]:
            engine_io.write_text(path, found["text"], 0o644)
        if effect == "reload":
            engine_io.reload_engine()
            store.write(plan["record"], restart=found["waiting"])
    return result


def restarted(module, facts):
    """Restarts the engine if a change needs it and the managers keep their quorum."""
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
        # In check mode nothing was written, so no record says that a restart is needed: the caller uses this state only if one was predicted.
        result["changed"] = True
        return result
    if facts["running"] and not module.params["force"]:
        engine_io.wait_for_gates(module.params["timeout"])
    engine_io.restart_engine(facts, module.params["timeout"])
    store.write(record["set"], restart=False)
    return result


def main():
    """Reads the facts, plans, applies outside check mode, returns the new facts."""
    module = QuietModule(
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
            "seen": {"type": "dict", "default": {}},
            "config_file": {"type": "path", "default": engine_io.CONFIG_FILE},
            "record_file": {"type": "path", "default": engine_io.RECORD_FILE},
        },
        supports_check_mode=True,
    )
    # -vvv shows the arguments of a module.
    module.no_log_values.update(logins(module.params["config"]))
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
    module.exit_json(engine=facts, missing_packages=engine_io.missing_packages(module.params["packages"], facts), **result)


if __name__ == "__main__":
    main()
