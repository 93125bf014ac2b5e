# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# Prints a new private key of OpenSSH. $1: its comment.
set -eu
umask 077
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$directory/key"
cat "$directory/key"
