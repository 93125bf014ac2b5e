# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The directory of secrets of one manager: one file for each secret, and their history."""

from __future__ import annotations

import json
import os
import re

from .. import atomic_file
from ..failure import Failure
from . import plan

NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
HISTORY = ".history.json"


def read(directory):
    """(values {name: value} without damaged files, entries {name: entry}, see `plan`) of a directory; empty without one."""
    try:
        names = [name for name in os.listdir(directory) if NAME.match(name)]
    except (FileNotFoundError, NotADirectoryError):
        names = []
    files = {}
    for name in names:
        path = os.path.join(directory, name)
        files[name] = ((atomic_file.read_text(path) or "").rstrip("\n"), os.stat(path).st_mtime)
    return {name: value for name, (value, _time) in files.items() if value}, plan.entries(files, read_history(directory))


def read_history(directory):
    """The history as it was stored; {} without one. Raises Failure if it is damaged."""
    path = os.path.join(directory, HISTORY)
    text = atomic_file.read_text(path)
    if text is None:
        return {}
    try:
        return {
            name: {
                "sha256": kept["sha256"],
                "fingerprint": kept["fingerprint"],
                "generation": int(kept["generation"]),
                "time": int(kept["time"]),
            }
            for name, kept in json.loads(text).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise Failure(
            "The history of the secrets, %s, is damaged (%s). Nothing was changed. Copy the file from another manager, or remove it: the secrets on this "
            "manager then count as their first generation, older than the copies of the other managers." % (path, exc),
            kind="damaged_history",
            path=path,
        ) from exc


def record(directory, known, check_mode):
    """Store the history beside the secrets, if it is not as stored. known: {name: entry}. Returns whether it changed.

    A lost secret keeps its entry as it is, so that its file, when it comes back, is of the same generation.
    """
    text = json.dumps(plan.stored(known), indent=1, sort_keys=True) + "\n"
    path = os.path.join(directory, HISTORY)
    if not known or not atomic_file.drift(path, text):
        return False
    if not check_mode:
        atomic_file.write_text(path, text, directory_mode=0o700)
    return True
