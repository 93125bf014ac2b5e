#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The usual name, for the verbs that make sense in a container: start-foreground, status, version.
set -euo pipefail

home=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
case ${1:-} in
    start-foreground)
        exec "$home/bin/skp-zookeeper"
        ;;
    status)
        port=$(sed -n 's/^[[:space:]]*clientPort[[:space:]]*=[[:space:]]*\([0-9]*\).*/\1/p' "${ZOO_CFG:-/etc/zookeeper/zoo.cfg}" | tail -n 1)
        "$home/bin/skp-zookeeper-4lw" srvr 127.0.0.1 "${port:-2181}" | grep '^Mode: '
        ;;
    version)
        basename "$home"/libs/zookeeper-[0-9]*.jar .jar
        ;;
    *)
        echo "usage: zkServer.sh start-foreground|status|version" >&2
        exit 64
        ;;
esac
