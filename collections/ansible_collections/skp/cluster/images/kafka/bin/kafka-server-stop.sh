#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Asks the broker of this container to stop cleanly. In a cluster the service manager does that; this is for runs by hand.
set -euo pipefail

for entry in /proc/[0-9]*; do
    if [[ -r $entry/cmdline ]] && tr '\0' '\n' <"$entry/cmdline" 2>/dev/null | grep -qx 'kafka\.Kafka'; then
        kill -TERM "${entry#/proc/}"
        exit 0
    fi
done
echo "No kafka server to stop" >&2
exit 1
