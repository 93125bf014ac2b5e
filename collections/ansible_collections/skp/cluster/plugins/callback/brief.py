# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: brief
type: stdout
short_description: Ansible's usual output without the names of plays in which nothing ran
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - C(site.yml) has a play for each service. A run with C(--tags kafka) prints the name of a play only before its first task that prints something,
    so the output fits on a screen.
  - With O(display_skipped_hosts=true) the names of all plays are printed, as Ansible does.
requirements:
  - Set as stdout in C(ansible.cfg), C(stdout_callback = skp.cluster.brief).
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

from ansible.plugins.callback.default import CallbackModule as Default


class CallbackModule(Default):
    """The default output, each play's name held back until there is something to print under it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "skp.cluster.brief"

    def __init__(self):
        super().__init__()
        self._silent = None

    def v2_playbook_on_play_start(self, play):
        """A play begins. Where skipped tasks are not shown, its name waits for its first task that is."""
        if self.get_option("display_skipped_hosts"):
            super().v2_playbook_on_play_start(play)
        else:
            self._play = self._silent = play  # the default's tasks look at the play's strategy

    def v2_playbook_on_no_hosts_matched(self):
        """A play without hosts says so under its name only."""
        if self._silent is None:
            super().v2_playbook_on_no_hosts_matched()

    def _print_task_banner(self, task):
        if self._silent is not None:
            play, self._silent = self._silent, None
            super().v2_playbook_on_play_start(play)
        super()._print_task_banner(task)
