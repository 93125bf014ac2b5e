# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The error of code that works without the Docker SDK (plans, facts); `engine.client.EngineError` has the same form."""

from __future__ import annotations


class Failure(Exception):
    """A failure a person can act on. `msg` is the whole sentence, `failure` the machine part (JSON-able dict, no secrets)."""

    def __init__(self, msg, **failure):
        super().__init__(msg)
        self.msg = msg
        self.failure = failure
