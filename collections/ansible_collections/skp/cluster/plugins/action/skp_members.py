# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs module skp_members, unless a visit of the manager in this run has already shown that there is nothing to do."""

from __future__ import annotations

import json

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.skp.cluster.plugins.module_utils.members.args import argument_spec
from ansible_collections.skp.cluster.plugins.module_utils.members.plan import known


def without_a_call(arguments, check_mode):
    """The result of the module as far as its option `seen` decides it, None if the module has to run: also for options that it would refuse."""
    # As the module would get them: plain data.
    checked = ArgumentSpecValidator(argument_spec()).validate(json.loads(json.dumps(arguments)))
    return None if checked.error_messages else known(checked.validated_parameters["seen"], checked.validated_parameters, check_mode)


class ActionModule(ActionBase):
    """The members of a service: from what the run has seen, or from the module."""

    def run(self, tmp=None, task_vars=None):
        """The module's result."""
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        found = without_a_call(arguments, self._task.check_mode) if arguments.get("seen") else None
        if found is None:
            arguments.pop("seen", None)
            found = self._execute_module(module_args=arguments, task_vars=task_vars)
        result.update(found)
        return result
