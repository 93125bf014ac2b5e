#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# ensure_engine.sh STATE_DIR: make a Docker engine answer on this machine.
#
# An engine that answers is left alone. Otherwise, as root on Debian or Ubuntu: the distribution's docker.io is installed where it is
# missing, and started: by systemd where that is PID 1, else directly, with its log in STATE_DIR/dockerd.log.
# Exit code 0: an engine answers. Everything else is one message on stderr that says what to do.
set -eu
state_dir=${1:?usage: ensure_engine.sh STATE_DIR}
wait_seconds=60

fail() {
    echo "$*" >&2
    exit 1
}

answers() {
    command -v docker >/dev/null 2>&1 && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

await() {
    deadline=$(($(date +%s) + wait_seconds))
    until answers; do
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 0.3
    done
}

answers && exit 0

case ${DOCKER_HOST:-unix:///var/run/docker.sock} in
    unix:///var/run/docker.sock | unix:///run/docker.sock) ;;
    *) fail "no Docker engine answers at $DOCKER_HOST, which your environment or docker context names: start it, or unset DOCKER_HOST (docker context use default)" ;;
esac

if [ "$(id -u)" -ne 0 ]; then
    if [ -S /var/run/docker.sock ] && [ ! -w /var/run/docker.sock ]; then
        fail "a Docker engine is there, but $(id -un) may not use it: sudo usermod -aG docker $(id -un), log in again; or run as root"
    fi
    if command -v dockerd >/dev/null 2>&1; then
        fail "a Docker engine is installed but does not answer: start it (sudo systemctl start docker), or run as root"
    fi
    fail "no Docker engine is on this machine: sudo apt-get install docker.io, sudo usermod -aG docker $(id -un), log in again; or run as root"
fi

if ! command -v dockerd >/dev/null 2>&1; then
    # shellcheck disable=SC1091
    . /etc/os-release 2>/dev/null || fail "no Docker engine is on this machine, and /etc/os-release does not say what it runs: install Docker, then run again"
    case " ${ID:-} ${ID_LIKE:-} " in
        *" debian "* | *" ubuntu "*) ;;
        *) fail "no Docker engine is on this machine, and ${PRETTY_NAME:-this system} is neither Debian nor Ubuntu: install Docker, then run again" ;;
    esac
    echo "installing docker.io"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || fail "apt-get update failed: see above; an engine is needed, Debian's package is docker.io"
    packages="docker.io iptables"
    # trixie and newer: the client is a package of its own
    if apt-cache show docker-cli >/dev/null 2>&1; then
        packages="$packages docker-cli"
    fi
    # shellcheck disable=SC2086
    apt-get install -qq -y --no-install-recommends $packages || fail "apt-get install $packages failed: see above"
fi
command -v docker >/dev/null 2>&1 || fail "dockerd is installed but the client docker is not: apt-get install docker-cli, then run again"

answers && exit 0
if [ -d /run/systemd/system ]; then
    systemctl start docker || fail "systemd cannot start docker: journalctl -u docker -n 50"
    await || fail "docker.service runs but its engine does not answer within $wait_seconds s: journalctl -u docker -n 50"
else
    mkdir -p "$state_dir"
    log=$state_dir/dockerd.log
    echo "starting dockerd (no systemd here), log $log"
    setsid nohup dockerd </dev/null >>"$log" 2>&1 &
    await || fail "dockerd does not answer within $wait_seconds s. The end of $log:
$(tail -n 12 "$log")"
fi
