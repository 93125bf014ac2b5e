# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Data directories on this node's disk: `inspect` reads them, `apply` applies the steps of a plan."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
import shutil
import stat

from .. import atomic_file
from ..failure import Failure
from .plan import FIRST_FILE_MODE, MARKER, MARKER_HEAD, mount_of, parse_identity

MARKER_LIMIT = 65536
PLAIN_NAME = re.compile(r"(?!\.+\Z)[\w.@+ -]{1,255}\Z")
"""A line of the mark that is the name of a directory: no path, and no line of another kind of file."""


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

    Returns {"path", "real": without links, "kind": directory|missing|symlink|other, "owner": (uid, gid, mode) or None, "fstype", "source", "mountpoint": bool,
    "mounts_below": [...], "free_bytes", "missing_parents": [...], "marked": bool, "identity": {...}, "id": int or None, "holds": bool, or None if the
    directory has no option `holds`}.
    """
    path = directory["path"]
    if os.path.normpath(path) != path or not path.startswith("/"):
        raise Failure("%r is not a plain absolute path." % path, kind="bad_value", path=path)
    ancestor = _existing_ancestor(path)
    # The kernel lists mounts by real paths.
    real = os.path.realpath(path)
    point, kind, source = mount_of(os.path.realpath(ancestor), mounts)
    space = os.statvfs(ancestor)
    found = {
        "path": path,
        "real": real,
        "kind": "missing",
        "owner": None,
        "fstype": kind,
        "source": source,
        "mountpoint": False,
        "mounts_below": sorted(mount for mount, _kind, _source in mounts if mount.startswith(real + "/")),
        "free_bytes": space.f_bavail * space.f_frsize,
        "missing_parents": [],
        "marked": os.path.basename(path) in read_marker(path),
        "identity": {},
        "id": None,
        "holds": os.path.lexists(os.path.join(path, directory["holds"])) if directory.get("holds") else None,
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
    found["mountpoint"] = found["kind"] == "directory" and point == real
    identity = directory.get("identity")
    if identity and found["kind"] == "directory":
        text = read_below(path, identity["file"])
        if text is not None:
            found["identity"], found["id"] = parse_identity(text, identity.get("keys") or [], os.path.join(path, identity["file"]))
    return found


def read_below(path, name):
    """The first 4096 characters of a file below a directory, None without the file.

    A container can write the directory, and this runs as root: no link is followed, and only a plain file is read.
    """
    handles = []
    try:
        handles.append(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW))
        *parents, last = name.split("/")
        for part in parents:
            handles.append(os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handles[-1]))
        # Without O_NONBLOCK the call would wait for a writer if the file is a pipe.
        handles.append(os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handles[-1]))
        if stat.S_ISREG(os.fstat(handles[-1]).st_mode):
            return os.read(handles[-1], 4096).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as exc:
        if exc.errno not in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
            raise
    finally:
        for handle in handles:
            os.close(handle)
    where = os.path.join(path, name)
    raise Failure(
        "%s should contain the member id of the data, but it is a link or no plain file, or its directory is a link; expected a plain file. "
        "Nothing was changed. Look at it, and remove it if you did not put it there." % where,
        kind="bad_identity",
        file=where,
    )


def read_marker(path):
    """Names of directories beside `path` that skp.cluster created and may purge.

    Others may write there, for example in a directory of a team, and this runs as root: no link is followed, no pipe is waited for, and only a file counts
    that nobody else can have written. That is root's own, or one of the directory's owner, who can remove what is in it anyway: on a store that takes root
    for nobody, all that root made is nobody's. Anything else is no mark; a purge then leaves the directory.
    """
    marker = os.path.join(os.path.dirname(path), MARKER)
    try:
        handle = os.open(marker, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            return []
        raise
    try:
        found = os.fstat(handle)
        owners = (os.geteuid(), os.stat(os.path.dirname(marker)).st_uid)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o022:
            return []
        lines = os.read(handle, MARKER_LIMIT).decode("utf-8", "replace").splitlines()
    finally:
        os.close(handle)
    return [line for line in lines if PLAIN_NAME.match(line)]


def write_marker(path, present):
    """Add the directory's name to the marker file beside it, or remove it (and, with the last name, the file)."""
    names = [name for name in read_marker(path) if name != os.path.basename(path)] + ([os.path.basename(path)] if present else [])
    marker = os.path.join(os.path.dirname(path), MARKER)
    if not names:
        if os.path.lexists(marker):
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
        elif verb == "fill":
            fill(path, value)
        elif verb in ("owner", "mode"):
            change(path, verb, value)
        elif verb in ("mark", "unmark"):
            write_marker(value, verb == "mark")
        elif verb == "remove":
            shutil.rmtree(value)


def fill(path, wanted):
    """Write the first files of a new directory, each in one step. A name that is there is left as it is, also a link. wanted: {"owner", "files"} of the plan.

    A link in place of the directory is not followed: all happens below one handle of it.
    """
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        there = os.listdir(handle)
        for file in wanted["files"]:
            if file["name"] not in there:
                atomic_file.write_text("/proc/self/fd/%d/%s" % (handle, file["name"]), file["content"], FIRST_FILE_MODE, *wanted["owner"])
    finally:
        os.close(handle)


def change(path, verb, value):
    """Owner or mode of a directory, never of what a link points to."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if verb == "owner":
            os.fchown(handle, value[0], value[1])
        else:
            os.fchmod(handle, value)
    finally:
        os.close(handle)
