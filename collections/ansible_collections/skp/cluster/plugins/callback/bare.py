# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: bare
type: stdout
short_description: Shows only what a playbook shows itself, and errors
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Prints no names of plays and tasks, no results and no recap. What M(skp.cluster.skp_show) prints is the whole standard output, so a script can read it.
  - Errors go to the standard error output, one line each. The exit code is that of C(ansible-playbook).
requirements:
  - Set for one command, C(ANSIBLE_STDOUT_CALLBACK=skp.cluster.bare ansible-playbook playbooks/status.yml).
"""

from ansible import constants as C
from ansible.plugins.callback import CallbackBase


def first_text(result):
    """What a result says of its failure: its message, else that of its first failed item."""
    for item in result.get("results") or []:
        if item.get("failed") or item.get("unreachable"):
            return item.get("msg") or result.get("msg") or "failed"
    return result.get("msg") or "failed"


class CallbackModule(CallbackBase):
    """Errors, and nothing else."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "skp.cluster.bare"

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """A task that failed."""
        if not ignore_errors:
            self._say(result)

    def v2_runner_on_unreachable(self, result):
        """A node that does not answer, unless the playbook expects that."""
        if not result._task.ignore_unreachable:
            self._say(result)

    def _say(self, result):
        text = "[ERROR]: %s: %s" % (result._host.get_name(), str(first_text(result._result)).rstrip())
        self._display.display(text, color=C.COLOR_ERROR, stderr=True)
