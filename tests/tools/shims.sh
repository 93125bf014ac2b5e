#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# `make shims`: playbooks/*.yml for every playbook of the collection without a shim. The shim's name is the name of the first play.
set -euo pipefail
cd "$(dirname "$0")/../.."
for playbook in collections/ansible_collections/skp/cluster/playbooks/*.yml; do
    name=$(basename "$playbook" .yml)
    shim=playbooks/$name.yml
    if [ "$name" = site ] || [ -e "$shim" ]; then
        continue
    fi
    title=$(sed -n 's/^- name: //p' "$playbook" | head -n 1)
    printf -- '# SPDX-License-Identifier: GPL-3.0-or-later\n---\n- name: %s\n  ansible.builtin.import_playbook: skp.cluster.%s\n' "$title" "$name" >"$shim"
    echo "$shim"
done
