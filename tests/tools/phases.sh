# shellcheck shell=bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# To be sourced. `phase NAME COMMAND...` runs one long step: its name first, a sign of life while it runs, its wall time after.
# When the script ends, whether well or not, the table of all phases is printed. Without a terminal the output of each phase is also kept in
# build/log/, and what a failed one complained of is repeated above the table: in a long log it is far up.

phases_done=()
phases_started=$SECONDS

phases_clock() { # seconds -> m:ss
    printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}

phases_complaints() { # FILE: the lines that say what failed, each with what follows it
    awk '{ plain = $0; gsub(/\033\[[0-9;]*m/, "", plain) }
         plain ~ /^ *(- .)?(fatal:|failed:|\[ERROR\]|FAILED |ERROR |E   |.* error:)/ { rest = 12 }
         rest > 0 && shown < 80 { print "  " plain; rest--; shown++ }' "$1"
}

phases_table() {
    local row
    if [ -n "${phases_failed:-}" ]; then
        printf '\n=== what failed (all of it: %s)\n' "$phases_failed"
        phases_complaints "$phases_failed"
    fi
    printf '\n%-34s %8s  %s\n' phase time result
    for row in "${phases_done[@]}"; do
        IFS='|' read -r name took result <<<"$row"
        printf '%-34s %8s  %s\n' "$name" "$(phases_clock "$took")" "$result"
    done
    printf '%-34s %8s\n' total "$(phases_clock $((SECONDS - phases_started)))"
}
trap phases_table EXIT

phase() {
    local name=$1 began=$SECONDS rc=0 pulse log=
    shift
    printf '\n=== %s (phase %d, %s since the start)\n' "$name" $((${#phases_done[@]} + 1)) "$(phases_clock $((began - phases_started)))"
    (
        trap 'kill "$nap"; exit 0' TERM
        while :; do
            sleep 30 &
            nap=$!
            wait "$nap"
            printf '... %s: %s\n' "$name" "$(phases_clock $((SECONDS - began)))"
        done
    ) &
    pulse=$!
    if [ -t 1 ]; then
        "$@" || rc=$?
    else
        mkdir -p build/log
        log=build/log/${name// /-}.log
        { "$@" 2>&1 || rc=$?; (exit "$rc"); } | tee "$log" || rc=$?
    fi
    kill "$pulse" 2>/dev/null || true
    wait "$pulse" 2>/dev/null || true
    if [ $rc -ne 0 ]; then
        phases_done+=("$name|$((SECONDS - began))|FAILED ($rc)")
        phases_failed=$log
        return $rc
    fi
    phases_done+=("$name|$((SECONDS - began))|ok")
}
