#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# `make check`: every test that needs no engine. Called by make, which sets the environment.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools/phases.sh

phase 'unit and bad input' make --no-print-directory unit
phase 'meta' make --no-print-directory meta
phase 'lint' make --no-print-directory lint
phase 'sanity' make --no-print-directory sanity
