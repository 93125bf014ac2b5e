# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call that never returns has a time limit; any other gives its result or its error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.patience import within


def test_a_result_comes_back():
    wanted = {"names": ["x" * 70000], "none": None, "number": 1.5}
    assert within(lambda: wanted, "/srv/skp") == wanted


def test_errors_come_back():
    with pytest.raises(FileNotFoundError) as missing:
        within(lambda: os.stat("/no/such/file"), "/srv/skp")
    assert missing.value.filename == "/no/such/file"

    def refuse():
        raise Failure("no", "store_missing", path="/x")

    with pytest.raises(Failure) as caught:
        within(refuse, "/srv/skp")
    assert (caught.value.msg, caught.value.failure) == ("no", {"kind": "store_missing", "path": "/x"})


def test_a_child_that_cannot_be_killed_holds_nothing_of_its_parent():
    """Ansible waits until nobody holds the module's output any more."""
    code = ("import os, time\n"
            "from ansible_collections.skp.cluster.plugins.module_utils import patience\n"
            "os.kill = lambda *args: None\n"
            "try:\n    patience.within(lambda: time.sleep(20), '/srv/skp', 0.2)\nexcept Exception as exc:\n    print(exc.failure['kind'])")
    started = time.monotonic()
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                            env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)))
    assert (answer.stdout.strip(), time.monotonic() - started < 15) == ("store_silent", True)


def test_a_call_that_blocks_is_left_alone():
    def block():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        time.sleep(60)

    started = time.monotonic()
    with pytest.raises(Failure) as caught:
        within(block, "/srv/skp", seconds=0.3)
    assert time.monotonic() - started < 5
    assert caught.value.failure["kind"] == "store_silent" and "/srv/skp does not answer" in caught.value.msg
