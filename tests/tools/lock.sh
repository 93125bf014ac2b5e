#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# `make lock`: writes the newest versions that setup.cfg allows as tests/constraints.txt, for all its Pythons in one file.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/tools/uv.sh

compile setup.cfg --extra test --python-version 3.11 --output-file "$work/all"
{
    echo '# SPDX-License-Identifier: GPL-3.0-or-later'
    echo '# What make venv installs, exactly. Written by make lock from setup.cfg with its extra test; not edited by hand.'
    grep -v "sys_platform == 'win32'" "$work/all"
} >tests/constraints.txt
tests/tools/venv.sh
