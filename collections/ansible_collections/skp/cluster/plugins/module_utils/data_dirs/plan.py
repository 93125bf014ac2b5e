# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Data directories of one node: the planned changes, and the refused ones. Pure functions of plain data.

The names of the directories that skp.cluster created are in a file `.skp-data` beside them (never in them: some programs require an empty directory).
Only these directories are ever removed. A directory that was there before is used, but gets no mark, and is left.
"""

from __future__ import annotations

import posixpath
import re

from ..failure import Failure

MARKER = ".skp-data"
MARKER_HEAD = "# Directories beside this file that skp.cluster created and may purge. One name per line.\n"
REMOTE_TYPES = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "afs", "gfs2", "ocfs2", "beegfs", "virtiofs")
MINIMUM_DEPTH = 3
"""Minimum number of parts of a path that may be purged: /var/lib/x is the shortest."""
FIRST_FILE_MODE = 0o644
FIRST_FILE_NAME = re.compile(r"(?!\.)[\w.@+-]{1,200}\Z")
"""A name without a path, and no hidden file. Shorter than a file system allows: the temporary file has a longer one."""


def unescape(text):
    r"""Text of /proc/self/mountinfo: space, tab, newline and backslash are escaped as \040 and so on (proc(5))."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)


def parse_mountinfo(text):
    """[(mount point, file system type, source)] in the order of /proc/self/mountinfo."""
    mounts = []
    for line in text.splitlines():
        left, separator, right = line.partition(" - ")
        fields, tail = left.split(), right.split()
        if separator and len(fields) >= 5 and len(tail) >= 2:
            mounts.append((unescape(fields[4]), tail[0], unescape(tail[1])))
    return mounts


def mount_of(path, mounts):
    """(mount point, type, source) of a path, ('/', 'unknown', '') without any; if two mounts have the same point, the later counts."""
    best = ("/", "unknown", "")
    for point, kind, source in mounts:
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best[0]):
            best = (point, kind, source)
    return best


def is_remote(kind):
    """Whether a file system of this type is not on a disk of this node."""
    return kind in REMOTE_TYPES or kind == "fuse" or kind.startswith("fuse.")


def parse_identity(text, keys, where):
    """({key: value}, id) of an identity file. keys: properties, the first one with a value is the id; none: the text of the file."""
    values = {}
    if not keys:
        values[""] = text.strip()
    else:
        for line in text.splitlines():
            key, separator, value = line.partition("=")
            if separator and not line.lstrip().startswith("#") and key.strip() in keys:
                values[key.strip()] = value.strip()
    first = next((values[key] for key in (keys or [""]) if key in values), None)
    if first is None or not first.isdigit():
        raise Failure(
            "%s should contain the member id of the data, but it %s. Nothing was changed. Check the file; if the directory has no data that "
            "you need, move it aside."
            % (where, "has none of %s" % ", ".join(keys) if first is None else "has %r, which is not a number" % first[:40]),
            kind="bad_identity",
            file=where,
        )
    return values, int(first)


def plan_present(directory, found, owner, local):
    """The steps for one directory: [(verb, value)], verbs `parent`, `mark`, `make`, `fill`, `owner`, `mode`. owner: from `wanted_owner`."""
    path = found["path"]
    files = first_files(path, directory)
    if found["kind"] in ("symlink", "other"):
        raise Failure(
            "%s must be a directory, but it is %s. Move it aside." % (path, "a symbolic link" if found["kind"] == "symlink" else "a file"),
            kind="not_a_directory",
            path=path,
        )
    if local and not directory.get("any_filesystem") and is_remote(found["fstype"]):
        raise Failure(
            "%s is on a %s file system (%s), but this data must be on a local disk: a database on a network or FUSE file system "
            "loses data. Set skp_data to a directory on a disk of this node." % (path, found["fstype"], found["source"]),
            kind="remote_filesystem",
            path=path,
            fstype=found["fstype"],
        )
    steps = [("parent", parent) for parent in found["missing_parents"]]
    if found["kind"] == "missing":
        # The mark first: a run that is killed in between must not leave a directory of ours without a mark.
        steps += [] if found["marked"] else [("mark", path)]
        steps.append(("make", path))
        # Before the directory gets its owner: until then only root can write there.
        steps += [("fill", {"owner": tuple(owner[:2]), "files": files})] if files else []
    if found["owner"] is None or found["owner"][:2] != owner[:2]:
        steps.append(("owner", owner[:2]))
    if found["owner"] is None or found["owner"][2] != owner[2]:
        steps.append(("mode", owner[2]))
    return steps


def first_files(path, directory):
    """The files that a new directory gets, [{"name", "content"}]. Raises Failure for a name with a path in it, a hidden one, or one that is there twice."""
    files = directory.get("first_files") or []
    names = [file["name"] for file in files]
    wrong = [name for name in names if not FIRST_FILE_NAME.match(name) or names.count(name) > 1]
    if wrong:
        raise Failure(
            "%s: %r cannot be the name of a first file. Expected a name of its own without a path, of at most 200 letters, digits and . _ @ + - that does "
            "not begin with a dot. Nothing was changed." % (path, wrong[0]),
            kind="bad_value",
            path=path,
            name=wrong[0],
        )
    return files


def left(found):
    """Why a purge leaves a directory, '' if it removes it or there is none."""
    if found["kind"] == "missing":
        return ""
    if found["mountpoint"]:
        return "%s: a file system is mounted there (%s), which skp.cluster did not make" % (found["path"], found["source"])
    if not found["marked"]:
        marker = posixpath.join(posixpath.dirname(found["path"]), MARKER)
        return "%s: it was there before skp.cluster (it is not listed in %s, or that file is not root's)" % (found["path"], marker)
    return ""


def plan_absent(found):
    """Steps that purge one directory, by its real path: [("remove", path), ("unmark", path)]; [] if it does not exist or is not ours. Raises Failure."""
    path, real = found["path"], found["real"]
    if found["kind"] == "missing":
        return [("unmark", path)] if found["marked"] else []
    if min(len([part for part in name.split("/") if part]) for name in (path, real)) < MINIMUM_DEPTH:
        raise Failure("%s is too close to the root to be purged." % (path if path == real else "%s (%s)" % (path, real)), kind="purge_refused", path=path)
    if found["kind"] != "directory":
        raise Failure("%s is not a directory; it is not purged." % path, kind="purge_refused", path=path)
    reason = left(found)
    if reason and found["id"] is not None:
        raise Failure(
            "%s. It holds the data of member %d: a purge would remove the member's id and leave its data. Nothing was removed. Empty the directory by "
            "hand if the data is to go, or run without skp_purge." % (reason, found["id"]),
            kind="purge_refused",
            path=path,
        )
    if reason:
        return []
    if found["mounts_below"]:
        raise Failure(
            "A file system is mounted below %s (%s); the directory is not purged. Unmount it first." % (path, ", ".join(found["mounts_below"])),
            kind="purge_refused",
            path=path,
            mounts=found["mounts_below"],
        )
    return [("remove", real), ("unmark", path)]


def describe(path, owner, identity=None):
    """One line for a diff, '' if the directory does not exist."""
    if owner is None:
        return ""
    text = "%s: owner %d, group %d, mode 0%o" % ((path,) + tuple(owner))
    return text + (", id %d" % identity if identity else "") + "\n"


def describe_first_files(path, steps):
    """One line of a diff for each file that a new directory gets, '' without any."""
    wanted = dict(steps).get("fill", {"owner": (0, 0), "files": []})
    return "".join(
        "%s: %d bytes, owner %d, group %d, mode 0%o\n"
        % (posixpath.join(path, file["name"]), len(file["content"].encode("utf-8")), *wanted["owner"], FIRST_FILE_MODE)
        for file in wanted["files"]
    )
