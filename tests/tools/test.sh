#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# `make test`: all tests, on one lab. The lab stays up afterwards: look into it, or `make down`.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools/phases.sh

# At the end, after the table of phases: which tests and playbook runs took longest.
trap 'phases_table; python tests/tools/durations.py' EXIT
rm -f build/log/plays.jsonl build/log/durations.jsonl

phase 'check' make --no-print-directory check
phase 'lab' ansible-playbook -i localhost, roles/lab/playbooks/up.yml
phase 'first run' make --no-print-directory faults FAULTS=tests/lab/1_first_run
phase 'up' make --no-print-directory up
phase 'molecule' make --no-print-directory molecule
phase 'faults' make --no-print-directory faults FAULTS="tests/lab/2_second_run tests/lab/4_changes tests/lab/5_outages tests/lab/6_last"
