#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# kafka-server-start.sh FILE [--override NAME=VALUE ...]: the broker in the foreground, with the usual environment names:
# KAFKA_HEAP_OPTS (default -Xms256m -Xmx1g), KAFKA_JVM_PERFORMANCE_OPTS, KAFKA_LOG4J_OPTS, KAFKA_OPTS, JMX_PORT.
set -euo pipefail

if (($# < 1)); then
    echo "usage: kafka-server-start.sh server.properties [--override NAME=VALUE]..." >&2
    exit 64
fi
home=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
read -ra options <<<"${KAFKA_HEAP_OPTS:--Xms256m -Xmx1g} \
${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent} \
${KAFKA_LOG4J_OPTS:--Dlog4j.configuration=file:$home/config/log4j.properties} ${KAFKA_OPTS:-}"
if [[ -r $home/cds/broker.jsa ]]; then
    options+=("-XX:SharedArchiveFile=$home/cds/broker.jsa")
fi
if [[ -n ${JMX_PORT:-} ]]; then
    options+=(-Dcom.sun.management.jmxremote "-Dcom.sun.management.jmxremote.port=$JMX_PORT" "-Dcom.sun.management.jmxremote.rmi.port=$JMX_PORT"
        -Dcom.sun.management.jmxremote.authenticate=false -Dcom.sun.management.jmxremote.ssl=false)
fi
exec java -server -XX:+ExitOnOutOfMemoryError -Xlog:disable -Xlog:all=error:stderr -Djava.awt.headless=true \
    "${options[@]}" "@$home/java.args" kafka.Kafka "$@"
