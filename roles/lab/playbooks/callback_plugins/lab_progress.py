# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress of the lab's playbooks: for a long task its name, its duration, and the last line of its log."""

from __future__ import annotations

import os
import threading
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: lab_progress
type: notification
short_description: Shows the progress of long tasks of the lab
description:
  - Prints C([lab] <since the start> <task> (<in this task>) <last line of .cache/lab/step.log>) every ten seconds of a long task.
  - At the end, prints the tasks that took longest.
"""

EVERY = 10
SHOWN = 1.0


def clock(seconds):
    """Minutes and seconds.

    >>> clock(75)
    '1:15'
    """
    return "%d:%02d" % divmod(int(seconds), 60)


def last_line(path, since):
    """Last line of a log that was written after `since` (Unix time); empty otherwise."""
    try:
        if os.path.getmtime(path) < since:
            return ""
        with open(path, "rb") as handle:
            handle.seek(max(0, os.path.getsize(path) - 4096))
            lines = handle.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:100]


class CallbackModule(CallbackBase):
    """One thread that only reads and prints."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "lab_progress"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._began = time.time()
        self._task = ("", self._began)
        self._took = []
        self._over = threading.Event()
        self._log = ""

    def v2_playbook_on_start(self, playbook):
        root = os.path.join(playbook._basedir, os.pardir, os.pardir, os.pardir)
        self._log = os.path.join(os.path.realpath(root), ".cache", "lab", "step.log")
        threading.Thread(target=self._watch, daemon=True).start()

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._close_task()
        self._task = (task.get_name(), time.time())

    def v2_playbook_on_stats(self, stats):
        self._over.set()
        self._close_task()
        for name, seconds in self._took:
            self._display.display("[lab] %5.1f s  %s" % (seconds, name))
        self._display.display("[lab] %5.1f s  in all" % (time.time() - self._began))

    def _close_task(self):
        name, began = self._task
        if name and time.time() - began >= SHOWN:
            self._took.append((name, time.time() - began))

    def _watch(self):
        while not self._over.wait(EVERY):
            name, began = self._task
            now = time.time()
            if name and now - began >= EVERY:
                self._display.display(
                    "[lab] %s %s (%s) %s" % (clock(now - self._began), name, clock(now - began), last_line(self._log, began))
                )
