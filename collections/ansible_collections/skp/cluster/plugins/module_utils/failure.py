# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The error class of plans and I/O, and the function that ends a module with it."""

from __future__ import annotations


class Failure(Exception):
    """An error with a next step for the operator.

    `msg` is the complete message: what, where, found, expected, what to do. `failure` is the machine part, a JSON-able dict without
    secrets; its `kind` names the rule or the cause. A subclass exists only if a caller catches that type alone.
    """

    def __init__(self, msg, kind, **failure):
        super().__init__(msg)
        self.msg = msg
        self.failure = json_able(dict(failure, kind=kind))


def json_able(value):
    """A copy of value that `exit_json` accepts: unknown objects become text, tuples and sets become lists."""
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
    """End a module with a Failure: `msg` and `failure`, plus further results."""
    module.fail_json(msg=exc.msg, failure=exc.failure, **result)
