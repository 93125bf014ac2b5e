# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What failed is a statistic of the run, before the callback that prints the statistics sees them. Run by ansible-playbook itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys

PLAYS = """
- name: Some failures
  hosts: all
  gather_facts: false
  tasks:
    - {name: Ignored, ansible.builtin.fail: {msg: nothing}, ignore_errors: true}
    - {name: A block, block: [{name: Rescued, ansible.builtin.fail: {msg: nothing}}], rescue: [{name: Helped, ansible.builtin.debug: {msg: fine}}]}
    - {name: Of its own, ansible.builtin.set_stats: {data: {own: value}}, run_once: true}
    - {name: Hidden, ansible.builtin.fail: {msg: a secret}, no_log: true, when: inventory_hostname == 'two'}
    - {name: In a loop, ansible.builtin.fail: {msg: "turn {{ item }}"}, loop: [1, 2], failed_when: item == 2}
"""


def statistics(tmp_path, callbacks):
    """(exit code, the statistics of a run as a callback for its output gets them, the output)."""
    (tmp_path / "plays.yml").write_text(PLAYS, encoding="utf-8")
    (tmp_path / "ansible.cfg").write_text("[defaults]\nshow_custom_stats = true\n", encoding="utf-8")
    place = next(path for path in map(str, sys.path) if os.path.isdir(os.path.join(path, "ansible_collections/skp/cluster")))
    run = subprocess.run([sys.executable, "-m", "ansible", "playbook", "-i", "one,two,", "-c", "local", "plays.yml"], cwd=tmp_path,
                         env={**os.environ, "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), "ANSIBLE_CALLBACKS_ENABLED": callbacks,
                              "ANSIBLE_COLLECTIONS_PATH": place, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PYTHON_INTERPRETER": sys.executable},
                         capture_output=True, text=True, timeout=120, check=False)
    found = run.stdout.rpartition("CUSTOM STATS: ")[2]
    return run.returncode, json.loads(found[found.index("RUN: ") + len("RUN: "):]), run.stdout


def test_failures_are_in_the_statistics(tmp_path):
    code, found, text = statistics(tmp_path, "skp.cluster.failures")
    assert code == 2 and found["own"] == "value", text
    failures = sorted((one["task"], one["host"]) for one in found["skp_failures"])
    assert failures == [("Hidden", "two"), ("In a loop", "one")]
    messages = {one["host"]: one["msg"] for one in found["skp_failures"]}
    assert messages["one"] == "turn 2" and "secret" not in messages["two"] and "hidden" in messages["two"]


def test_without_the_callback(tmp_path):
    assert "skp_failures" not in statistics(tmp_path, "skp.cluster.command")[1]
