# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. A time limit for calls that a shared file system can block for ever.

A mount over NFS waits for its server without end, and a thread or a signal cannot interrupt such a call. So it runs in a child process, which is left
alone when the time is over: the kernel ends it when the server is back, or at once if it can be killed.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time

from .failure import Failure

SECONDS = 15
"""Time limit of one look at the shared store. A healthy server answers in milliseconds, one that starts anew within seconds."""


def within(function, path, seconds=None):
    """The result of function() (JSON-able), or the Failure or OSError it raised. Raises Failure "store_silent" after `seconds`. path: for the message."""
    seconds = SECONDS if seconds is None else seconds
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _answer(function, reader, writer)
    os.close(writer)
    try:
        data, deadline = b"", time.monotonic() + seconds
        while True:
            ready = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]
            if not ready:
                raise Failure(
                    "%s does not answer within %d s. It is on a shared file system: does its server (with store_mode nfs: the master) run, and does this node "
                    "reach it? `findmnt` shows the mount; do not run `ls` or `df` there, they would block." % (path, seconds), "store_silent", path=path)
            piece = os.read(reader, 1 << 16)
            if not piece:
                break
            data += piece
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)  # without an effect on a child that has ended, and on one that waits in the kernel
        os.waitpid(child, os.WNOHANG)
    if not data:
        raise Failure("Looking at %s ended without an answer. Look at the journal of this node, and run again." % path, "store_unreadable", path=path)
    answer = json.loads(data.decode())
    if "failure" in answer:
        raise Failure(answer["msg"], **answer["failure"])
    if "errno" in answer:
        raise OSError(answer["errno"], answer["strerror"], answer["filename"])
    return answer["result"]


def _answer(function, reader, writer):
    """The child: it writes its answer and ends, without any clean-up of the parent's objects."""
    code = 1
    try:
        # The caller of the module waits until nobody holds its output; this process may outlive it.
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        os.close(reader)
        try:
            answer = {"result": function()}
        except Failure as exc:
            answer = {"msg": exc.msg, "failure": exc.failure}
        except OSError as exc:
            answer = {"errno": exc.errno, "strerror": exc.strerror, "filename": exc.filename}
        with os.fdopen(writer, "w", encoding="utf-8") as handle:
            json.dump(answer, handle)
        code = 0
    finally:
        os._exit(code)
