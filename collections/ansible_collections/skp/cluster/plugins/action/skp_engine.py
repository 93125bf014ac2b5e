# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs module skp_engine, unless preflight has already seen in this run that there is nothing to do."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ansible_collections.skp.cluster.plugins.module_utils.engine.plan import is_settled


class ActionModule(ActionBase):
    """The engine of a node: from what preflight has seen, or from the module."""

    def run(self, tmp=None, task_vars=None):
        """The module's result."""
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        seen = arguments.pop("seen", None) or {}
        if arguments.get("state", "present") == "present" and is_settled(seen):
            result.update(seen, seen=True)
        else:
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        return result
