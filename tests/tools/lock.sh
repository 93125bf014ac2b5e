#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# `make lock`: writes the newest versions that setup.cfg allows, for all its Pythons in one file: tests/constraints.txt, and one file for
# each extra that has an environment of its own.
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

# Ansible is the one of .venv, in both environments.
grep '^ansible-core==' tests/constraints.txt >"$work/ansible"
for extra in docs release; do
    python3 tests/tools/extra.py "$extra" >"$work/$extra.in"
    compile "$work/$extra.in" --constraint "$work/ansible" --python-version 3.11 --output-file "$work/$extra"
    {
        echo '# SPDX-License-Identifier: GPL-3.0-or-later'
        echo "# What make $extra installs, exactly. Written by make lock from setup.cfg's extra $extra; not edited by hand."
        grep -v "sys_platform == 'win32'" "$work/$extra"
    } >"tests/constraints-$extra.txt"
done
tests/tools/venv.sh
