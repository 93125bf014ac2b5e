#!/usr/bin/env bash
# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes sure that there is a browser for the tests of web interfaces: Chromium of this machine's distribution (Playwright's own
# comes from its vendor's site, which a machine behind a firewall does not reach). One that is installed is left alone.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then
        exit 0
    fi
done
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "browser: installing chromium of this machine's distribution"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends chromium >/dev/null
    exit 0
fi
echo "browser: the tests of web interfaces need Chromium (Debian: sudo apt-get install chromium)" >&2
exit 1
