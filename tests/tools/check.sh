#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# `make check`: every test that needs no engine. Called by make, which sets the environment.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools/phases.sh

failed=0
for part in unit meta lint sanity; do
    phase "$part" make --no-print-directory "$part" || failed=1
done
exit $failed
