#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes .venv: the controller's environment of setup.cfg, at the versions of tests/constraints.txt.
# A second call does nothing until one of these files changes.
# Called by make, which sets the environment.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=.venv
constraints=tests/constraints.txt
stamp=$venv/.skp-stamp

want=$(cat setup.cfg pyproject.toml $constraints tests/tools/venv.sh | sha256sum | cut -d' ' -f1)
if [ "$(cat $stamp 2>/dev/null || true)" = "$want" ] && $venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

# The first interpreter of setup.cfg's range that can make an environment. A version manager's shim counts only if it
# answers: an interpreter is asked, never judged by its name.
find_python() {
    local candidate
    for candidate in ${SKP_PYTHON:-} /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3.1[1-4] python3; do
        if "$candidate" - 2>/dev/null <<'PY'
import ensurepip, sys, venv
sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))
PY
        then
            "$candidate" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    return 1
}

missing=()
find_python >/dev/null || missing+=(python3 python3-venv)
{ command -v ssh && command -v ssh-keygen; } >/dev/null || missing+=(openssh-client)
if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "venv: installing ${missing[*]} of this machine's distribution"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}" >/dev/null
elif [[ " ${missing[*]} " == *" openssh-client "* ]]; then
    echo "venv: there is no ssh; machines, the lab's too, cannot be reached without (Debian, Ubuntu: sudo apt-get install openssh-client)" >&2
fi
if ! python=$(find_python); then
    echo "venv: no Python 3.11, 3.12, 3.13 or 3.14 that can make a virtual environment was found." >&2
    echo "venv: install one (Debian, Ubuntu: sudo apt-get install python3 python3-venv) or name it: make venv SKP_PYTHON=/path/to/python3.12" >&2
    exit 1
fi

echo "venv: $("$python" -V), about a minute the first time"
rm -rf $venv
"$python" -m venv $venv
$venv/bin/python -m pip install --quiet --constraint "$constraints" --editable '.[test]'
echo "$want" > $stamp
echo "venv: $($venv/bin/ansible --version | head -n 1), ready in $SECONDS s"
