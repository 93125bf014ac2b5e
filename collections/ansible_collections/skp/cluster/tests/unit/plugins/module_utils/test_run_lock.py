# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change of a role at a time; a run that died holds nothing. The other run is a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from ansible_collections.skp.cluster.plugins.module_utils import run_lock
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure

OTHER = """
import sys, time
from ansible_collections.skp.cluster.plugins.module_utils.run_lock import alone
with alone("kafka", 5, directory=sys.argv[1]):
    print("has it", flush=True)
    time.sleep(60)
"""


@pytest.fixture(name="other")
def _other(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)], stdout=subprocess.PIPE, text=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    )
    assert process.stdout.readline() == "has it\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_run_is_refused_with_the_first_ones_process(other, tmp_path):
    with pytest.raises(Failure) as refused, run_lock.alone("kafka", 0, directory=str(tmp_path)):
        pass
    assert refused.value.failure["kind"] == "busy" and "process %d" % other.pid in refused.value.msg
    with run_lock.alone("spark", 0, directory=str(tmp_path)), run_lock.alone("kafka", 0, check_mode=True, directory=str(tmp_path)):
        pass


def test_a_run_that_was_killed_leaves_no_lock(other, tmp_path):
    os.kill(other.pid, signal.SIGKILL)
    with run_lock.alone("kafka", 5, directory=str(tmp_path)):
        pass
