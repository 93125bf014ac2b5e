#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# `make sanity`: ansible-test sanity on the collection, in place. Arguments are handed on (`tests/tools/sanity.sh --test pep8`).
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
collection=collections/ansible_collections/skp/cluster
cache=$HOME/.ansible/test/cache

# ansible-test makes its environments with a get-pip script from its vendor's site, unless the script is in its cache already.
mkdir -p "$cache"
package=$(python -c 'import ansible_test; print(ansible_test.__path__[0])')
grep -hoE "\<pip='[0-9.]+'" "$package/_internal/python_requirements.py" | grep -oE '[0-9][0-9.]*' | sort -u | while read -r version; do
    script=$cache/get_pip_${version//./_}.py
    [ -s "$script" ] || cp tests/tools/get_pip_standin.py "$script"
done

# Real interpreters only: ansible-test drops the variables that a version manager's shims need. Three are enough: the oldest a node
# may have, the controller's own and the newest; ansible-test itself skips missing ones.
bin=$root/.cache/sanity/bin
rm -rf "$bin"
mkdir -p "$bin"
for version in 3.9 3.13; do
    for candidate in "/usr/bin/python$version" "/usr/local/bin/python$version" "$HOME"/.pyenv/versions/"$version".*/bin/"python$version"; do
        if [ -x "$candidate" ] && "$candidate" -c 'import ensurepip' 2>/dev/null; then
            ln -sf "$candidate" "$bin/python$version"
            break
        fi
    done
done
export PIP_QUIET=1
export PATH=$root/.venv/bin:$bin:/usr/sbin:/usr/bin:/sbin:/bin

cd $collection
exec ansible-test sanity --local --color no "$@"
