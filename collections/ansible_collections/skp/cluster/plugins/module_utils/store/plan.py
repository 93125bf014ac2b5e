# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The shared store: who may mount it over NFS and how, which mounts are in the way, and what a node does with it at boot.
Pure functions of plain data.

The protocol trusts the address of a client and the user id that it claims, and every container of a node has the node's address. So no client is
believed: every request counts as one user. On nodes that write notebooks and event logs this is the user of these services, on all others nobody. Root
owns the images, so that no client can change one.
"""

from __future__ import annotations

import hashlib
import re
import shlex

EXPORTS = "/etc/exports.d/skp.exports"
"""The master's export."""

MARKER = "registry/.skp-registry-store"
"""File below the store that shows that it holds images: a directory with it is a store of its own."""

SCRIPT = "/etc/skp/store.sh"
LOOK_UNIT = "/etc/systemd/system/skp-store.service"
WAIT_UNIT = "/etc/systemd/system/skp-store-containers.service"
ENGINE_UNIT = "/etc/systemd/system/docker.service.d/skp-store.conf"
BOOT_FILES = (SCRIPT, LOOK_UNIT, WAIT_UNIT, ENGINE_UNIT)
"""What a node has for the store at boot, in the order of `boot_files`."""

CONTAINER_MARKER = "/var/lib/registry/.skp-registry-store"
"""The marker of the store as a registry sees it in its container."""

HEAD = "# Written by skp.cluster, role store.\n"
_UNSAFE = re.compile(r"(?:^|,)(rw|no_root_squash|no_all_squash|anonuid=[^,]*|anongid=[^,]*)(?=,|$)")


def exports(home, clients, options, uid, gid):
    """The text of the master's exports file. clients: [{"address", "writes": bool}].

    Without a client there is no line: a line that names no client exports the directory to every machine.
    """
    parts = []
    for client in sorted(clients, key=lambda item: item["address"]):
        access = "rw,all_squash,anonuid=%s,anongid=%s" % (uid, gid) if client["writes"] else "ro,all_squash"
        parts.append("%s(%s,%s)" % (client["address"], access, options))
    return HEAD + ("%s %s\n" % (home, " ".join(parts)) if parts else "# There is no other host, so nothing is exported.\n")


def read_mounts(text):
    """[{"source", "point", "type"}] of the text of /proc/self/mounts, in the order of the mounts."""
    found = []
    for line in text.splitlines():
        fields = [re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), field) for field in line.split(" ")]
        if len(fields) > 3:
            found.append({"source": fields[0], "point": fields[1], "type": fields[2]})
    return found


def mounted_at(mounts, path):
    """The mount whose mount point is exactly this path (the last one of several), or None. The trap of an automount is none."""
    path = path.rstrip("/") or "/"
    found = [mount for mount in mounts if mount["point"] == path and mount["type"] != "autofs"]
    return found[-1] if found else None


def from_lines(text, home):
    """What is on a node, from lines `file:line` (grep -H) of /proc/self/mounts, the exports file and the marker of a store.

    Returns {"mounted": None or {"source", "point", "type"}, "exports": text, "own": bool, "entries": [names]}. own: the directory, not mounted, holds
    images; entries: some of what it holds, from lines `entry:name`. Other lines are left out.
    """
    parts = {}
    for line in text.splitlines():
        name, _colon, rest = line.partition(":")
        parts.setdefault(name, []).append(rest)
    return {"mounted": mounted_at(read_mounts("\n".join(parts.get("/proc/self/mounts", []))), home),
            "exports": "".join(line + "\n" for line in parts.get(EXPORTS, [])),
            "own": "%s/%s" % (home.rstrip("/"), MARKER) in parts,
            "entries": parts.get("entry", [])}


def exported(text):
    """Whether an exports file exports anything."""
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def refuse_options(options, uids, registry_user):
    """Why these settings are refused, or "". options: the common export options; uids: {variable: uid} of the services that write to the store."""
    unsafe = _UNSAFE.search(options)
    if unsafe:
        return ("store_export_options contains %s. Remove it: the role sets the access of each client itself. Every client is squashed to one user, because a "
                "container on a node could claim to be root or any other user." % unsafe.group(1))
    if len(set(uids.values())) > 1:
        return ("Over NFS all services write to the store as one user, but these variables differ: %s. Give them one value, or use store_mode: existing with a "
                "file system that you export yourself." % ", ".join("%s=%s" % item for item in sorted(uids.items())))
    for name, value in uids.items():
        if not re.fullmatch(r"[1-9]\d*", value):
            return "%s is %r; expected a number above 0: the services write to the store as this user." % (name, value)
        if value == registry_user.partition(":")[0]:
            return ("registry_user and %s are both %s. Over NFS every node could then change the images. Give the registry another user (0:0 is the default)."
                    % (name, value))
    return ""


def refuse_place(host, home, found, serves, source):
    """Why this node cannot serve or mount the store as it is, or "". found: as of `from_lines`. source: what clients mount (`address:directory`)."""
    mounted = found.get("mounted")
    if serves:
        if mounted and mounted["type"].startswith("nfs"):
            return ("%s is the master, but its %s is a mount of %s: the store of an earlier master. Nothing was changed. Make that host the master again in "
                    "hosts.json, or move the store first: docs/store.md, \"Moving the store to another master\"." % (host, home, mounted["source"]))
        return ""
    if mounted and mounted["source"].rstrip("/") != source.rstrip("/"):
        return ("%s: %s is a mount of %s (%s); expected %s of the master. Nothing was changed. If the master changed: docs/store.md, \"Moving the store to "
                "another master\". If it is a disk of this node: unmount it, remove its line from /etc/fstab, or choose another skp_home."
                % (host, home, mounted["source"], mounted["type"], source))
    if not mounted and (exported(found.get("exports") or "") or found.get("own")):
        return ("%s: %s holds a store of its own (%s), so this host was the master. A mount of %s would hide its images and notebooks. Nothing was changed. "
                "Make this host the master again in hosts.json, or move the store first: docs/store.md, \"Moving the store to another master\"."
                % (host, home, "it is exported in %s" % EXPORTS if exported(found.get("exports") or "") else "%s/%s exists" % (home, MARKER), source))
    if not mounted and found.get("entries"):
        return ("%s: %s is not mounted, and it holds %s. A mount of %s would hide that, and services that start before the mount would use it. Nothing was "
                "changed. Move it away or remove it, and run again: docs/store.md, \"Files below the mount point\"."
                % (host, home, ", ".join(found["entries"]), source))
    return ""


# --- at boot ----------------------------------------------------------------------------------------------------------------------------------------------

def unit_of(path):
    """The name of the mount unit of a path, as systemd-escape spells it."""
    name = re.sub("/+", "/", path.strip("/"))
    escaped = "".join(letter if re.fullmatch(r"[A-Za-z0-9:_.]", letter) else "-" if letter == "/" else
                      "".join("\\x%02x" % byte for byte in letter.encode("utf-8")) for letter in name)
    return (re.sub(r"^\.", r"\\x2e", escaped) if name else "-") + ".mount"


def _listed(path):
    """A path as /proc/self/mounts spells it."""
    return re.sub(r"[ \t\n\\]", lambda match: "\\%03o" % ord(match.group(0)), path.rstrip("/") or "/")


_SCRIPT = """\
#!/bin/sh
# Written by skp.cluster, role store; a change made here is undone. docs/store.md has the reasons.
#   look   before the engine starts: gives the store some seconds, and takes a silent one out of the engine's way. Never an error.
#   wait   when the engine runs: until the store is there, then starts the containers that need it.
#   guard  what is written into the directory while nothing is mounted there would be lost from sight: a client's is immutable.
set -u

mode={mode}  # serve, client, existing
store={store}
listed={listed}  # in /proc/self/mounts
unit={unit}
marker={marker}
record={record}  # the id of the store that this node's registry uses
inside={inside}
limit=5      # seconds for one look
patience={patience}  # seconds for `look`

mounted() {{
    while read -r _ point type _; do
        if test "$point" = "$listed" && test "$type" != autofs; then return 0; fi
    done < /proc/self/mounts
    return 1
}}

# In a process of its own: a look at a silent file system does not end by itself.
answers() {{
    timeout --signal=KILL "$limit" stat -- "$store" > /dev/null 2>&1
}}

# The store that this node's registry used before; on a node without a registry, any that answers.
ready() {{
    test "$mode" != client || mounted || return 1
    answers || return 1
    test -s "$record" || return 0
    found=$(timeout --signal=KILL "$limit" cat -- "$marker" 2> /dev/null) && test "$found" = "$(cat -- "$record")"
}}

seconds() {{
    read -r up _ < /proc/uptime
    echo "${{up%%.*}}"
}}

guard() {{
    case $mode in
        client) flag=+i; ! mounted || return 0 ;;
        serve) flag=-i ;;
        *) return 0 ;;
    esac
    test -d "$store" || return 0
    case $(lsattr -d -- "$store" 2> /dev/null) in
        ????i*) now=+i ;;
        *) now=-i ;;
    esac
    test "$now" = "$flag" || ! chattr "$flag" -- "$store" 2> /dev/null || echo "changed: chattr $flag $store"
}}

look() {{
    guard
    end=$(($(seconds) + patience))
    until ready; do
        if test "$mode" = client && mounted && ! answers; then
            # An engine that starts a container over it would hang as a whole. Who has files open there keeps them.
            echo "$store does not answer: it is unmounted, and mounted again when its server is back."
            umount --lazy --internal-only --no-canonicalize "$store"
            systemctl start --no-block "$unit"
            return 0
        fi
        if test "$(seconds)" -ge "$end"; then
            echo "$store is not there after $patience s: the engine starts without it."
            return 0
        fi
        sleep 0.5
    done
}}

wait_for_store() {{
    # A directory of the site's own without a registry: nothing waits for it.
    test "$mode" = client || test -s "$record" || return 0
    ready || echo "waiting for $store (mode $mode, $(cat -- "$record" 2> /dev/null || echo no registry here))"
    until ready; do
        # systemd tries to mount once.
        test "$mode" != client || mounted || systemctl start --no-block "$unit"
        sleep 5
    done
    test -s "$record" || return 0
    # The engine does not start a container again whose directory was missing. One that began over another directory has to begin anew.
    for id in $(docker ps --all --quiet --filter "label=skp.store=$(cat -- "$record")"); do
        docker exec "$id" sh -c "test -f $inside" > /dev/null 2>&1 || docker restart "$id" || return 1
    done
}}

case ${{1:-}} in
    look) look ;;
    wait) wait_for_store ;;
    guard) guard ;;
    *) echo "usage: $0 look|wait|guard" >&2; exit 64 ;;
esac
"""

_LOOK = HEAD + """\
[Unit]
Description=skp.cluster: give the shared store some seconds before the engine starts
After=network-online.target local-fs.target
Before=docker.service

[Service]
Type=oneshot
ExecStart=%s look
TimeoutStartSec=60
"""

_WAIT = HEAD + """\
[Unit]
Description=skp.cluster: start the containers that wait for the shared store
After=docker.service
PartOf=docker.service
StartLimitIntervalSec=0

[Service]
ExecStart=%s wait
Restart=on-failure
RestartSec=10
"""

_ENGINE = HEAD + """\
[Unit]
Wants=skp-store.service skp-store-containers.service
After=skp-store.service
"""

PATIENCE = 15
"""Seconds that the engine of a node gives the store at boot."""


def boot_files(mode, home, store, record):
    """What a node has for the store at boot: [{"path", "mode", "content"}].

    mode: `serve` (the NFS server), `client` (it mounts the store over NFS) or `existing` (the site mounts it). store: directory of the images.
    record: file with the id of the store that the node's registry uses.

    The engine of a client does not depend on the mount: without the master, the node keeps its other services. The containers of the store cannot start
    over the bare directory: what they bind does not exist there, and nothing can be made there. Swarm tries its tasks again by itself; the registry is
    no task. A directory of the site's own has no such guard, so that the engine waits for its mount.
    """
    script = _SCRIPT.format(
        mode=mode, store=shlex.quote(home), listed=shlex.quote(_listed(home)), unit=shlex.quote(unit_of(home)), record=shlex.quote(record),
        marker=shlex.quote("%s/%s" % (store.rstrip("/"), MARKER.rpartition("/")[2])), inside=CONTAINER_MARKER, patience=PATIENCE)
    engine = _ENGINE if mode == "client" else _ENGINE + "RequiresMountsFor=%s\n" % home
    return [{"path": SCRIPT, "mode": "0755", "content": script}, {"path": LOOK_UNIT, "mode": "0644", "content": _LOOK % SCRIPT},
            {"path": WAIT_UNIT, "mode": "0644", "content": _WAIT % SCRIPT}, {"path": ENGINE_UNIT, "mode": "0644", "content": engine}]


def digest(texts):
    """One hash of the texts of the boot files, in their order. Blanks around a text do not count."""
    return hashlib.sha256("\0".join(text.strip() for text in texts).encode("utf-8")).hexdigest()
