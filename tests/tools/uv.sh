# shellcheck shell=bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# To be sourced, with $work a temporary directory. `compile SOURCE OPTION...` resolves the newest versions for all Pythons and platforms that
# the options allow, whatever interpreter runs it. uv is told the package index that pip has in PIP_INDEX_URL.
python3 -m venv "${work:?}/venv"
"$work/venv/bin/pip" --quiet install uv
if [[ -n ${PIP_INDEX_URL:-} ]]; then
    export UV_INDEX_URL=$PIP_INDEX_URL
fi

compile() { # SOURCE OPTION...
    "$work/venv/bin/uv" --quiet --no-config pip compile --universal --no-python-downloads \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate "$@"
}
