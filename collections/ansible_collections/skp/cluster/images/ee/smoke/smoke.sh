# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Build step: the finished image does what AWX needs of it, or the build fails.
set -euo pipefail
cd "$(mktemp -d)"

mkdir project inventory
cp /tmp/smoke/smoke.yml project/
echo 'localhost ansible_connection=local' >inventory/hosts
ansible-runner run . -p smoke.yml --ident smoke
[[ $(cat artifacts/smoke/status) == successful ]]
grep -q "\"smoke\": \"done\"" artifacts/smoke/job_events/*.json

for name in ansible.posix community.docker skp.cluster; do
    [[ $(ansible-galaxy collection list "$name") == *"$name "* ]]
done
ansible-doc --type inventory skp.cluster.hosts_json >/dev/null

# Nothing listens there. Without a name for the user ssh would not get as far.
said=$(ssh -o BatchMode=yes -p 9 127.0.0.1 true 2>&1) || :
case $said in
    *refused*) ;;
    *) echo "ssh: $said" >&2; exit 1 ;;
esac
