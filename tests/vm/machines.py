# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python tests/vm/machines.py up | down | build | ssh NAME`: small real machines, for a look by hand."""
from __future__ import annotations

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import vm_io  # noqa: E402  (the path above comes first)


def main(words):
    """Runs one of the commands."""
    verb, rest = (words[0] if words else ""), words[1:]
    if verb == "ssh" and rest:
        os.execvp("ssh", ["ssh", "-F", str(vm_io.STATE / "ssh" / "config"), *rest])
    verbs = {"up": vm_io.up, "down": vm_io.down, "build": vm_io.build}
    if verb not in verbs or rest:
        sys.exit(__doc__)
    try:
        verbs[verb]()
    except vm_io.Failed as exc:
        sys.exit(str(exc))


if __name__ == "__main__":
    main(sys.argv[1:])
