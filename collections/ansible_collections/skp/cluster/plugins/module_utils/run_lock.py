# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. One change of a role at a time on a manager.

The lock is the kernel's (flock): it ends with the process that has it, so a run that dies leaves nothing behind. Two runs normally use the same manager,
the first one that answers; runs over different managers do not see each other's lock. These are kept apart by what the swarm itself knows: the version of
each service, the gates of containers, and for ZooKeeper that a member whose task is about to be replaced does not count (zookeeper.observe).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

from .failure import Failure

DIRECTORY = "/run/skp"
POLL_SECONDS = 0.5


@contextlib.contextmanager
def alone(name, timeout, check_mode=False, directory=DIRECTORY):
    """Hold the lock `name` within the block; wait up to `timeout` seconds for it. Check mode changes nothing and needs none.

    Raises Failure (kind `busy`) if another process still has it.
    """
    if check_mode:
        yield
        return
    os.makedirs(directory, mode=0o755, exist_ok=True)
    path = os.path.join(directory, name + ".lock")

    def busy(process):
        return Failure(
            "Another run is changing %s on this machine (process %s) and did not end within %g s. Nothing was changed. Run again when it has ended."
            % (name, process, timeout),
            kind="busy",
            name=name,
            path=path,
        )

    with holding(path, timeout, busy):
        yield


@contextlib.contextmanager
def holding(path, timeout, busy):
    """Hold a lock file within the block; it has the number of this process. After `timeout` seconds raises busy(number of the process that has it)."""
    with open(path, "a+", encoding="utf-8") as handle:
        deadline = time.monotonic() + timeout
        while not _taken(handle):
            if time.monotonic() >= deadline:
                handle.seek(0)
                raise busy(handle.read(20).strip() or "unknown")
            time.sleep(POLL_SECONDS)
        handle.truncate(0)
        handle.write("%d\n" % os.getpid())
        handle.flush()
        yield


def _taken(handle):
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
