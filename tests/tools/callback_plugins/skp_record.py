# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes one JSON line per task result to the file named by SKP_RECORD; what a test needs to know without parsing screens."""
from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: skp_record
type: notification
short_description: One JSON line per task result, for tests and benchmarks
description:
  - Appends C({play, task, action, host, delegated_to, status, changed, called}) to the file named by the environment variable E(SKP_RECORD).
  - C(play) is the list of the play's tags; C(status) is ok, failed, skipped or unreachable; C(called) is false if the result
    comes from what the run has seen before, without a call on the host. Results themselves are not written, so no secret can be.
"""


class CallbackModule(CallbackBase):
    """Records results; does nothing without SKP_RECORD."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "skp_record"

    _tags = ()

    def v2_playbook_on_play_start(self, play):
        self._tags = sorted(play.tags)

    def _write(self, result, status):
        path = os.environ.get("SKP_RECORD")
        if not path:
            return
        data = result._result
        delegated = (data.get("_ansible_delegated_vars") or {}).get("ansible_delegated_host")
        row = {
            "play": self._tags,
            "task": result._task.get_name(),
            "action": result._task.action,
            "host": result._host.get_name(),
            "delegated_to": delegated,
            "status": status,
            "changed": bool(data.get("changed")),
            "called": not data.get("seen", False),
        }
        with open(path, "a", encoding="utf-8") as handle:
            handle.write(json.dumps(row) + "\n")

    def v2_runner_on_ok(self, result):
        self._write(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write(result, "failed")

    def v2_runner_on_skipped(self, result):
        self._write(result, "skipped")

    def v2_runner_on_unreachable(self, result):
        self._write(result, "unreachable")
