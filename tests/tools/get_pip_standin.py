# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the get-pip script that ansible-test would fetch from its vendor's site.

ansible-test runs it as ``python <injected runner> <get-pip options> <packages>`` inside a fresh virtual environment that has no pip.
Every Python carries a pip wheel for ``ensurepip``: with that wheel on the path, pip installs pip from the package index the site uses.
"""

from __future__ import annotations

import ensurepip
import pathlib
import runpy
import sys


def pip_wheel() -> str:
    """Return the path of the pip wheel bundled with this Python (or with Debian's packages of wheels)."""
    folders = [pathlib.Path(ensurepip.__file__).parent / "_bundled", pathlib.Path("/usr/share/python-wheels")]
    for folder in folders:
        for wheel in sorted(folder.glob("pip-*.whl")):
            return str(wheel)
    raise SystemExit("no pip wheel in %s: install python3-venv" % " or ".join(map(str, folders)))


def main() -> None:
    """Turn get-pip's command line into one of ``pip install``."""
    wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
    if not any(word.startswith("pip") for word in wanted):
        wanted.append("pip")
    sys.path.insert(0, pip_wheel())
    sys.argv = ["pip", "install", "--upgrade", "--force-reinstall"] + wanted
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


main()
