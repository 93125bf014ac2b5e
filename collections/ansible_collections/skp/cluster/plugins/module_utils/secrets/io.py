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
    """(values {name: value} without damaged files, copies {name: copy}, see `plan`) of a directory; empty without one."""
    try:
        names = [name for name in os.listdir(directory) if NAME.match(name)]
    except (FileNotFoundError, NotADirectoryError):
        names = []
    files = {}
    for name in names:
        path = os.path.join(directory, name)
        files[name] = ((atomic_file.read_text(path) or "").rstrip("\n"), os.stat(path).st_mtime)
    return {name: value for name, (value, _time) in files.items() if value}, plan.copies(files, read_history(directory))


def read_history(directory):
    """The history as it was stored; {} without one. Raises Failure if it is damaged."""
    path = os.path.join(directory, HISTORY)
    text = atomic_file.read_text(path)
    if text is None:
        return {}
    try:
        return {
            name: {"sha256": str(copy["sha256"]), "generation": int(copy["generation"]), "time": int(copy["time"])}
            for name, copy in json.loads(text).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise Failure(
            "The history of the secrets, %s, is damaged (%s). Nothing was changed. Copy the file from another manager, or remove it: the secrets on this "
            "manager then count as their first generation, older than the copies of the other managers." % (path, exc),
            kind="damaged_history",
            path=path,
        ) from exc


def history_text(entries):
    """Content of the history file. entries: {name: copy}."""
    return json.dumps(entries, indent=1, sort_keys=True) + "\n"


def record(directory, entries, check_mode):
    """Store the history beside the secrets, if it is not as stored. Returns whether it changed.

    entries: {name: copy}; a copy without a value is stored with the hash "", so that a lost secret is not forgotten.
    """
    text = history_text({name: dict(copy, sha256=copy["sha256"] or "") for name, copy in entries.items()})
    path = os.path.join(directory, HISTORY)
    if not entries or not atomic_file.drift(path, text):
        return False
    if not check_mode:
        atomic_file.write_text(path, text, directory_mode=0o700)
    return True
