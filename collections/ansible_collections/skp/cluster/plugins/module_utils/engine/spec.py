# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. What the engine's answers mean. Pure functions, in a small file, because almost every module imports it."""

from __future__ import annotations

import re


def local_node_state(swarm):
    """The state of a node from the Swarm part of /info.

    If an engine has restarted its manager part (seen after a quick demote and promote, 26.1.5), it still reports "error" without an error
    text although it manages the swarm; this counts as active.
    """
    state = swarm.get("LocalNodeState") or "inactive"
    return "active" if state == "error" and swarm.get("ControlAvailable") and not swarm.get("Error") else state


def version(text):
    """A version as a tuple of its leading numbers: "26.1.5+dfsg1" -> (26, 1, 5)."""
    numbers = []
    for part in re.split(r"[.+~-]", text):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def sends_plain_text(text):
    """Whether an engine of this version may set up an encrypted overlay that is not encrypted, without an error (GHSA-232p-vwff-86mp)."""
    found = version(text)
    return found < (20, 10, 24) or (23,) <= found < (23, 0, 3)
