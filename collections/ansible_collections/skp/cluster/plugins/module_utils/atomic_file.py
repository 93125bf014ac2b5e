# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Small files written atomically: after a crash there is the old or the new file, never a part of it.

Not `AnsibleModule.atomic_move`: it creates a new file with mode 0666 less the umask, so that a secret could be read until the mode is set;
it keeps the mode of an old file; and it does not fsync.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile


def read_text(path):
    """The text of a file, or None if it does not exist. `read_text` follows a symbolic link, `write_text` never does."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def open_plain(path):
    """A plain file, opened to read bytes, for a directory in which others can write: no link is followed, no pipe is waited for. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "It is no plain file", path)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def drift(path, text, mode=0o600, uid=0, gid=0):
    """The differences of the file: a list of `content`, `mode`, `owner`, or ["missing"]; [] if there are none."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ["missing"]
    wrong = []
    if not stat.S_ISREG(found.st_mode) or read_text(path) != text:
        wrong.append("content")
    if stat.S_IMODE(found.st_mode) != mode:
        wrong.append("mode")
    if (found.st_uid, found.st_gid) != (uid, gid):
        wrong.append("owner")
    return wrong


def write_text(path, text, mode=0o600, uid=0, gid=0, directory_mode=0o755):
    """Write a file atomically: a temporary file beside it with the final mode from the start, fsync, rename, fsync of the directory.

    Missing parent directories are created with `directory_mode`. An existing file (or symbolic link) is replaced.
    """
    directory = os.path.dirname(path)
    make_directories(directory, directory_mode)
    handle, temporary = tempfile.mkstemp(prefix=".%s." % os.path.basename(path), dir=directory)  # created with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as target:
            if (uid, gid) != (os.geteuid(), os.getegid()):
                os.fchown(target.fileno(), uid, gid)
            os.fchmod(target.fileno(), mode)
            target.write(text)
            target.flush()
            os.fsync(target.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_directory(directory)


def make_directories(path, mode):
    """Create `path` and its missing parents with exactly this mode; existing directories are not changed."""
    if os.path.isdir(path):
        return
    make_directories(os.path.dirname(path), mode)
    os.mkdir(path)
    os.chmod(path, mode)  # the umask reduces the mode of mkdir


def sync_directory(path):
    """Make a rename or removal in a directory durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
