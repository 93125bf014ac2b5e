# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs module skp_preflight and records the controller's time before and after it."""

from __future__ import annotations

import time

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """A comparison of clocks must know the latency of the call, and only the controller can measure it."""

    def run(self, tmp=None, task_vars=None):
        """The module's result, with `before` and `after` (seconds since the epoch, controller) in its `clock`."""
        result = super().run(tmp, task_vars)
        before = time.time()
        result.update(self._execute_module(task_vars=task_vars))
        if "clock" in result:
            result["clock"].update(before=before, after=time.time())
        return result
