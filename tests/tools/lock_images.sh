#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# lock_images.sh [IMAGE...]: updates the lock files of these images (all: ds airflow ee) to the newest versions that requirements*.in allow, for Python 3.13.
set -euo pipefail
tools=$(cd "$(dirname "$0")" && pwd)
images=$(cd "$(dirname "$0")/../../collections/ansible_collections/skp/cluster/images" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/tools/uv.sh
. "$tools/uv.sh"
lock() { compile --python-version 3.13 --generate-hashes "$@"; }

unlisted() { # LOCK...: options that leave out what these hold
    sed -n 's/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package=\1/p' "$@"
}

head_of() {
    echo '# SPDX-License-Identifier: GPL-3.0-or-later'
    echo "# Written by tests/tools/lock_images.sh from $1; not edited by hand."
}

if (($# == 0)); then set -- ds airflow ee; fi
for image in "$@"; do
    cd "$images/$image"
    { head_of requirements-build.in; lock requirements-build.in; } >"$work/requirements-build.lock"
    lock requirements.in --build-constraints "$work/requirements-build.lock" >"$work/all"
    head_of requirements.in >"$work/requirements.lock"
    while read -r layer; do
        # This part and those above it, at the versions all parts agree on.
        awk -v last="$layer" '/^# layer: / {if (seen) exit; seen = $3 == last} {print}' requirements.in >"$work/part.in"
        mapfile -t above < <(unlisted "$work/requirements.lock")
        echo "# layer: $layer" >>"$work/requirements.lock"
        lock "$work/part.in" --constraints "$work/all" --build-constraints "$work/requirements-build.lock" "${above[@]}" >>"$work/requirements.lock"
    done < <(sed -n 's/^# layer: //p' requirements.in)
    if [[ -e requirements-gpu.in ]]; then
        mapfile -t above < <(unlisted "$work/requirements.lock")
        { head_of requirements-gpu.in; lock requirements-gpu.in --constraints "$work/all" "${above[@]}"; } >"$work/requirements-gpu.lock"
    fi
    mv "$work"/*.lock .
done
