#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# `make lint`: all linters, all findings, one verdict. Called by make, which sets the environment.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
failed=()

run() { # name command...
    local name=$1
    shift
    if ! "$@"; then
        failed+=("$name")
    fi
}

mapfile -t scripts < <(git ls-files -co --exclude-standard '*.sh' .ci/run | sort)
run yamllint yamllint --strict .
run flake8 flake8 collections/ansible_collections/skp tests roles molecule
run shellcheck shellcheck "${scripts[@]}"
run antsibull-changelog env -C collections/ansible_collections/skp/cluster antsibull-changelog lint
run ansible-lint ansible-lint --offline --profile production --strict --nocolor -f pep8

if [ ${#failed[@]} -gt 0 ]; then
    echo "lint: ${failed[*]} found something" >&2
    exit 1
fi
echo "lint: yamllint, flake8, shellcheck on ${#scripts[@]} scripts, antsibull-changelog, ansible-lint: nothing found"
