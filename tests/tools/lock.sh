#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# `make lock`: installs the newest versions that setup.cfg allows and writes them down as tests/constraints.txt.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/tools/venv.sh --unpinned
{
    echo '# SPDX-License-Identifier: GPL-3.0-or-later'
    echo '# What make venv installs, exactly. Written by make lock from a fresh install of the [test] extra; not edited by hand.'
    .venv/bin/pip freeze --exclude-editable
} >tests/constraints.txt
tests/tools/venv.sh
