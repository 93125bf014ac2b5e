#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# `make up`: the lab, the cluster on it, the table of its services. Called by make, which sets the environment.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/tools/phases.sh

phase 'lab' ansible-playbook -i localhost, roles/lab/playbooks/up.yml
phase 'site.yml' ansible-playbook site.yml
phase 'cache' ansible-playbook -i localhost, roles/lab/playbooks/cache.yml
phase 'services' ansible-playbook playbooks/status.yml
