#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# `extra_venv.sh NAME`: makes build/venv-NAME, the environment of an extra of setup.cfg (docs, release) beside .venv, which it leaves as it is.
# The versions are those of tests/constraints-NAME.txt. A second call does nothing until the extra or that file changes.
# Called by make, which sets the environment and has made .venv.
set -euo pipefail
cd "$(dirname "$0")/../.."

extra=$1
venv=build/venv-$extra
constraints=tests/constraints-$extra.txt
stamp=$venv/.skp-stamp

mapfile -t wanted < <(python3 tests/tools/extra.py "$extra")
want=$(python3 -V && printf '%s\n' "${wanted[@]}" | cat - "$constraints" tests/tools/extra_venv.sh | sha256sum)
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ] && "$venv/bin/python" -c '' 2>/dev/null; then
    exit 0
fi
echo "$extra: environment $venv, about a minute the first time"
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --constraint "$constraints" "${wanted[@]}"
echo "$want" >"$stamp"
