# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of plays are printed before their first task that prints something. Run by ansible-playbook itself: the callback builds on the default one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PLAYS = """
- {name: Idle, hosts: localhost, gather_facts: false, tasks: [{name: Not asked for, ansible.builtin.debug: {msg: a}, tags: [other]}]}
- {name: Skipped, hosts: localhost, gather_facts: false, tasks: [{name: Not now, ansible.builtin.debug: {msg: b}, when: false}]}
- {name: Nobody, hosts: nowhere, gather_facts: false, tasks: [{name: For nobody, ansible.builtin.debug: {msg: c}}]}
- name: Busy
  hosts: localhost
  gather_facts: false
  tasks:
    - {name: First, ansible.builtin.debug: {msg: d}}
    - {name: Second, ansible.builtin.debug: {msg: e}}
- {name: Broken, hosts: localhost, gather_facts: false, tasks: [{name: Fails, ansible.builtin.fail: {msg: f}}]}
"""


def banners(tmp_path, skipped):
    """The names of plays and tasks that a run prints, in order."""
    (tmp_path / "plays.yml").write_text(PLAYS)
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    place = next(path for path in map(str, sys.path) if os.path.isdir(os.path.join(path, "ansible_collections/skp/cluster")))
    run = subprocess.run([sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local", "plays.yml", "--skip-tags", "other"], cwd=tmp_path,
                         env={**os.environ, "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "skp.cluster.brief",
                              "ANSIBLE_COLLECTIONS_PATH": place, "ANSIBLE_DISPLAY_SKIPPED_HOSTS": str(skipped), "ANSIBLE_NOCOLOR": "1"},
                         capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 2, run.stdout + run.stderr
    return [line.rstrip(" *") for line in run.stdout.splitlines() if line.startswith(("PLAY", "TASK", "skipping: no"))]


@pytest.mark.parametrize("skipped, expected", [
    (False, ["PLAY [Busy]", "TASK [First]", "TASK [Second]", "PLAY [Broken]", "TASK [Fails]", "PLAY RECAP"]),
    (True, ["PLAY [Idle]", "PLAY [Skipped]", "TASK [Not now]", "PLAY [Nobody]", "skipping: no hosts matched", "PLAY [Busy]", "TASK [First]", "TASK [Second]",
            "PLAY [Broken]", "TASK [Fails]", "PLAY RECAP"]),
])
def test_names_of_plays(tmp_path, skipped, expected):
    assert banners(tmp_path, skipped) == expected
