# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that mounts as sshfs, s3fs and rclone do: a real mount of FUSE with one empty directory and one file that is written and forgotten.

The mount point is that one of its words that is a directory below mnt/. A word `me@wrong:...` is a server that refuses the key, `me@away:...` one that is not
there. It is called in place of the real programs, of which a machine for unit tests has none; what those do is shown on the lab.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
LOOKUP, FORGET, GETATTR, SETATTR, OPEN, WRITE, STATFS, RELEASE, INIT, OPENDIR, READDIR, RELEASEDIR, FLUSH = 1, 2, 3, 4, 14, 16, 17, 18, 26, 27, 28, 29, 25
ACCESS, CREATE, INTERRUPT, DESTROY = 34, 35, 36, 38


def attributes(node):
    """fuse_attr_out: node 1 is the directory, node 2 the file."""
    mode = 0o040777 if node == 1 else 0o100666
    return struct.pack("<QII6Q10I", 1, 0, 0, node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(operation, node, body):
    """(error, data) for a request; None where none is expected."""
    if operation in (FORGET, INTERRUPT):
        return None
    if operation == INIT:
        return 0, struct.pack("<IIIIHHII8I", 7, 31, 65536, 0, 12, 10, 65536, 1, *[0] * 8)
    if operation in (GETATTR, SETATTR):
        return 0, attributes(node)
    entry = struct.pack("<QQQQII", 2, 0, 1, 1, 0, 0) + attributes(2)[16:]
    if operation == LOOKUP:
        return (0, entry) if body == b"file\0" else (-2, b"")
    if operation == CREATE:
        return 0, entry + struct.pack("<QII", 1, 0, 0)
    if operation in (OPEN, OPENDIR):
        return 0, struct.pack("<QII", 1, 0, 0)
    if operation == WRITE:
        return 0, struct.pack("<II", struct.unpack_from("<QQI", body)[2], 0)
    if operation == STATFS:
        return 0, struct.pack("<5Q10I", 0, 0, 0, 0, 0, 4096, 255, *[0] * 8)
    return (0 if operation in (READDIR, RELEASE, RELEASEDIR, FLUSH, ACCESS, DESTROY) else -38), b""  # ENOSYS


def main():
    """Mount, and answer until the mount goes away."""
    words = sys.argv[1:]
    point = next(word for word in words if "/mnt/" in word and os.path.isdir(word))
    if any(word.startswith("me@wrong:") for word in words):
        sys.exit("me@wrong: Permission denied (publickey).")
    if any(word.startswith("me@away:") for word in words):
        sys.exit("ssh: connect to host away port 22: Connection refused")
    handle = os.open("/dev/fuse", os.O_RDWR)
    options = "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % handle
    if LIBC.mount(b"tiny", point.encode(), b"fuse.tiny", 6, options.encode()):
        sys.exit("mount: %s" % os.strerror(ctypes.get_errno()))

    def end(*_args):
        LIBC.umount2(point.encode(), 2)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        try:
            request = os.read(handle, 1 << 17)
        except OSError as exc:
            if exc.errno == 19:  # ENODEV: unmounted
                sys.exit(0)
            continue  # who asked has gone
        _length, operation, unique, node = struct.unpack_from("<IIQQ", request)
        found = answer(operation, node, request[40:])
        if found:
            error, data = found
            with contextlib.suppress(FileNotFoundError):  # who asked has gone
                os.write(handle, struct.pack("<IiQ", 16 + len(data), error, unique) + data)


if __name__ == "__main__":
    main()
