# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's search for secrets while a playbook runs sees what processes of this machine have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid

from tree import ROOT

sys.path.insert(0, str(ROOT / "tests/lab"))

import sweeps  # noqa: E402  (needs the path above)


def test_the_watch_sees_processes_that_live_for_a_moment():
    """One word is in the environment of a process, one in its arguments, one nowhere; a process changes its environment by exec."""
    words = {name: uuid.uuid4().hex for name in ("environment", "argument", "after exec", "nowhere")}
    with subprocess.Popen([sys.executable, "-c", sweeps.WATCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watch:
        watch.stdin.write(json.dumps(words) + "\n")
        watch.stdin.flush()
        assert watch.stdout.readline() == "begun\n"
        subprocess.run(["sleep", "1"], env={**os.environ, "WORD": words["environment"]}, check=True)
        subprocess.run(["sh", "-c", "sleep 1; : %s" % words["argument"]], check=True)
        subprocess.run(["sh", "-c", 'sleep 1; IFS= read -r word; export WORD="$word"; exec sleep 1'], input=words["after exec"], text=True, check=True)
        found = json.loads(watch.communicate(timeout=60)[0])
    assert (found["arguments"], found["environment"]) == (["argument"], ["after exec", "environment"])
