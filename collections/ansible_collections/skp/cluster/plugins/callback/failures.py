# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: failures
type: aggregate
short_description: Leaves what failed in the artifacts of a job
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Keeps task, host and message of the first failures of a run as the statistic C(skp_failures), as M(ansible.builtin.set_stats) would. AWX shows it among the
    artifacts of the job, so that a notification or a workflow has the reason without a search in the output.
  - Failures that are ignored or rescued are no failures of the run. It shows nothing itself.
requirements:
  - Enabled in C(ansible.cfg), C([defaults] callbacks_enabled = skp.cluster.failures), as in the ansible.cfg of this repository.
"""

import inspect

from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.plugins.callback import CallbackBase

NAME = "skp_failures"
COUNT = 10
"""Further failures are left out: they are mostly the same one on other hosts."""
LENGTH = 4000
"""Characters of one message."""


def statistics():
    """The statistics of this run, None if there is no run.

    A callback gets them only when the run has ended, after the callback that prints them, which is ansible-runner's in AWX. The object that calls the callback
    has them all the time.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), TaskQueueManager):
            return frame.f_locals["self"]._stats
        frame = frame.f_back
    return None


def rescued(task):
    """Whether a block around a task has a rescue."""
    parent = task._parent
    while parent is not None:
        if getattr(parent, "rescue", None):
            return True
        parent = getattr(parent, "_parent", None)
    return False


def message(result):
    """What a failed task says. In a loop, what its failed turns said. A result of a task with no_log has already lost all but a note of that."""
    turns = [turn for turn in result.get("results") or [] if isinstance(turn, dict) and (turn.get("failed") or turn.get("unreachable"))]
    words = [str(turn.get("msg") or turn.get("censored") or "") for turn in turns] or [str(result.get("msg") or result.get("censored") or "no message")]
    return " ".join(dict.fromkeys(words))[:LENGTH]


class CallbackModule(CallbackBase):
    """Keeps the first failures."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "skp.cluster.failures"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.failures = []

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """A task that failed."""
        if not ignore_errors and not rescued(result._task):
            self.keep(result)

    def v2_runner_on_unreachable(self, result):
        """A host that does not answer."""
        if not result._task.ignore_unreachable:
            self.keep(result)

    def keep(self, result):
        """Note a failure."""
        found = statistics()
        if found is None or len(self.failures) == COUNT:
            return
        self.failures.append({"task": result._task.get_name(), "host": result._host.get_name(), "msg": message(result._result)})
        found.set_custom_stats(NAME, self.failures)
