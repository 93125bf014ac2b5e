# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The one error of plans and I/O, and the one way a module ends with it."""

from __future__ import annotations


class Failure(Exception):
    """A failure a person can act on.

    `msg` is the whole sentence: what, where, found, expected, what to do. `failure` is the machine part, a dict as JSON has it, without
    secrets; its `kind` names the rule or the cause. A subclass exists only where a caller catches that type by itself.
    """

    def __init__(self, msg, kind, **failure):
        super().__init__(msg)
        self.msg = msg
        self.failure = json_able(dict(failure, kind=kind))


def json_able(value):
    """A copy of value that `exit_json` can carry: unknown objects become text, tuples and sets become lists."""
    if isinstance(value, dict):
        return {str(key): json_able(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_able(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((json_able(item) for item in value), key=str)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def fail(module, exc, **result):
    """End a module with a Failure: `msg` and `failure`, plus what else is worth returning."""
    module.fail_json(msg=exc.msg, failure=exc.failure, **result)
