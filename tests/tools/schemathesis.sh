#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# schemathesis.sh ARGUMENT...: schemathesis (requests made from an OpenAPI document), in an environment of its own in .cache. Only `make soak` needs it.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=4.32.5
venv=$PWD/.cache/schemathesis-$version
if ! "$venv/bin/schemathesis" --version >/dev/null 2>&1; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" --quiet --disable-pip-version-check install "schemathesis==$version"
fi
# It keeps examples where it runs.
cd "$venv"
exec bin/schemathesis "$@"
