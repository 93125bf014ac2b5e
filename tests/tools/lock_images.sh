#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Updates the lock files of images/ds to the newest versions that requirements*.in allow, for Python 3.13.
# uv is told the package index that pip has in PIP_INDEX_URL.
set -euo pipefail
cd "$(dirname "$0")/../../collections/ansible_collections/skp/cluster/images/ds"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet install uv
if [[ -n ${PIP_INDEX_URL:-} ]]; then
    export UV_INDEX_URL=$PIP_INDEX_URL
fi

compile() { # FILE.in OPTION...
    "$work/venv/bin/uv" --quiet --no-config pip compile --universal --python-version 3.13 --no-python-downloads --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate "$@"
}

unlisted() { # LOCK...: options that leave out what these hold
    sed -n 's/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package=\1/p' "$@"
}

head_of() {
    echo '# SPDX-License-Identifier: GPL-3.0-or-later'
    echo "# Written by tests/tools/lock_images.sh from $1; not edited by hand."
}

{ head_of requirements-build.in; compile requirements-build.in; } >"$work/requirements-build.lock"
compile requirements.in --build-constraints "$work/requirements-build.lock" >"$work/all"
head_of requirements.in >"$work/requirements.lock"
while read -r layer; do
    # This part and those above it, at the versions all parts agree on.
    awk -v last="$layer" '/^# layer: / {if (seen) exit; seen = $3 == last} {print}' requirements.in >"$work/part.in"
    mapfile -t above < <(unlisted "$work/requirements.lock")
    echo "# layer: $layer" >>"$work/requirements.lock"
    compile "$work/part.in" --constraints "$work/all" --build-constraints "$work/requirements-build.lock" "${above[@]}" >>"$work/requirements.lock"
done < <(sed -n 's/^# layer: //p' requirements.in)
mapfile -t above < <(unlisted "$work/requirements.lock")
{ head_of requirements-gpu.in; compile requirements-gpu.in --constraints "$work/all" "${above[@]}"; } >"$work/requirements-gpu.lock"
mv "$work"/*.lock .
