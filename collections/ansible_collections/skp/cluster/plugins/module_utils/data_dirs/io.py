# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Data directories on this node's disk: `inspect` reads them, `apply` applies the steps of a plan."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import stat

from .. import atomic_file
from ..failure import Failure
from .plan import MARKER, MARKER_HEAD, mount_of, parse_identity


def _number(name, table, what):
    if str(name).isdigit():
        return int(name)
    try:
        return table(name)
    except KeyError as exc:
        raise Failure(
            "The %s %r does not exist on this node; use a number or create it first." % (what, name), kind="no_such_owner", name=name
        ) from exc


def wanted_owner(directory):
    """(uid, gid, mode as int) that a directory should have."""
    if not re.match(r"^[0-7]{3,4}$", str(directory["mode"])):
        raise Failure(
            "%s: %r is not a file mode; expected a quoted octal number." % (directory["path"], directory["mode"]), kind="bad_value"
        )
    return (
        _number(directory["owner"], lambda name: pwd.getpwnam(name).pw_uid, "user"),
        _number(directory["group"], lambda name: grp.getgrnam(name).gr_gid, "group"),
        int(str(directory["mode"]), 8),
    )


def _existing_ancestor(path):
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def inspect(directory, mounts):
    """The present state of one directory's path.

    Returns {"path", "kind": directory|missing|symlink|other, "owner": (uid, gid, mode) or None, "fstype", "source", "mountpoint": bool,
    "mounts_below": [...], "free_bytes", "missing_parents": [...], "marked": bool, "identity": {...}, "id": int or None}.
    """
    path = directory["path"]
    if os.path.normpath(path) != path or not path.startswith("/"):
        raise Failure("%r is not a plain absolute path." % path, kind="bad_value", path=path)
    ancestor = _existing_ancestor(path)
    real = os.path.realpath(ancestor)
    point, kind, source = mount_of(real, mounts)
    space = os.statvfs(ancestor)
    found = {
        "path": path,
        "kind": "missing",
        "owner": None,
        "fstype": kind,
        "source": source,
        "mountpoint": False,
        "mounts_below": sorted(mount for mount, _kind, _source in mounts if mount.startswith(path + "/")),
        "free_bytes": space.f_bavail * space.f_frsize,
        "missing_parents": [],
        "marked": os.path.basename(path) in read_marker(path),
        "identity": {},
        "id": None,
    }
    parent = os.path.dirname(path)
    while not os.path.lexists(parent):
        found["missing_parents"].insert(0, parent)
        parent = os.path.dirname(parent)
    if not os.path.lexists(path):
        return found
    status = os.lstat(path)
    found["kind"] = "symlink" if stat.S_ISLNK(status.st_mode) else "directory" if stat.S_ISDIR(status.st_mode) else "other"
    found["owner"] = (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
    found["mountpoint"] = found["kind"] == "directory" and point == real == path
    identity = directory.get("identity")
    if identity and found["kind"] == "directory":
        name = os.path.join(path, identity["file"])
        if os.path.exists(name):
            with open(name, encoding="utf-8", errors="replace") as stream:
                found["identity"], found["id"] = parse_identity(stream.read(4096), identity.get("keys") or [], name)
    return found


def read_marker(path):
    """Names of directories beside `path` that skp.cluster created and may purge."""
    try:
        with open(os.path.join(os.path.dirname(path), MARKER), encoding="utf-8") as stream:
            return [line.strip() for line in stream if line.strip() and not line.startswith("#")]
    except FileNotFoundError:
        return []


def write_marker(path, present):
    """Add the directory's name to the marker file beside it, or remove it (and, with the last name, the file)."""
    names = [name for name in read_marker(path) if name != os.path.basename(path)] + ([os.path.basename(path)] if present else [])
    marker = os.path.join(os.path.dirname(path), MARKER)
    if not names:
        if os.path.exists(marker):
            os.unlink(marker)
        return
    text = MARKER_HEAD + "".join(name + "\n" for name in sorted(names))
    atomic_file.write_text(marker, text, 0o644, os.geteuid(), os.getegid())


def apply(path, steps):
    """Apply the steps of one directory."""
    for verb, value in steps:
        if verb in ("parent", "make"):
            if not os.path.isdir(value):  # else another directory of the same call has created it as a parent
                os.mkdir(value)
                os.chmod(value, 0o755)
        elif verb == "owner":
            os.chown(path, value[0], value[1])
        elif verb == "mode":
            os.chmod(path, value)
        elif verb in ("mark", "unmark"):
            write_marker(value, verb == "mark")
        elif verb == "remove":
            shutil.rmtree(value)
        elif verb == "empty":
            for name in os.listdir(value):
                below = os.path.join(value, name)
                if os.path.isdir(below) and not os.path.islink(below):
                    shutil.rmtree(below)
                else:
                    os.unlink(below)
