# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`extra.py NAME`: prints the requirements of an extra of setup.cfg, one per line. For shell scripts, with any Python."""

from __future__ import annotations

import configparser
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def requirements(name: str, text: str) -> list[str]:
    """Return the requirements of one extra from the text of a setup.cfg. Raises KeyError for an unknown name."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return [line for line in parser["options.extras_require"][name].splitlines() if line and not line.startswith("#")]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1], (ROOT / "setup.cfg").read_text(encoding="utf-8"))))
