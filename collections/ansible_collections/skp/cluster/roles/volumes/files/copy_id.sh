# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# Adds the public half of a key to a user's authorized_keys on a server. $1: file of the private key, $2: user, $3: host, $4: port, $5: lines of known_hosts.
# Standard input: the user's password. It is in no argument, in no environment, and in a file of root only while ssh asks for it.
set -eu
umask 077
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cat >"$directory/password"
printf '#!/bin/sh\nexec cat "%s/password"\n' "$directory" >"$directory/ask"
chmod 700 "$directory/ask"
printf '%s\n' "$5" >"$directory/known_hosts"
public=$(ssh-keygen -y -f "$1")
# The key has no quote in it. A last line without an end would swallow the new one.
SSH_ASKPASS=$directory/ask SSH_ASKPASS_REQUIRE=force DISPLAY=none ssh -F /dev/null -o StrictHostKeyChecking=yes \
    -o "UserKnownHostsFile=$directory/known_hosts" -o GlobalKnownHostsFile=/dev/null -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1 \
    -o ConnectTimeout=10 -p "$4" -l "$2" -- "$3" "exec sh -c '
umask 077
mkdir -p .ssh
touch .ssh/authorized_keys
if grep -qF \"$public\" .ssh/authorized_keys; then echo skp-there; exit; fi
[ -z \"\$(tail -c 1 .ssh/authorized_keys)\" ] || echo >>.ssh/authorized_keys
echo \"$public\" >>.ssh/authorized_keys
echo skp-added'" </dev/null
