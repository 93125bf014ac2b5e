# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The shared store over NFS: who may mount it and how, and which mounts are in the way. Pure functions of plain data.

The protocol trusts the address of a client and the user id that it claims, and every container of a node has the node's address. So no client is
believed: every request counts as one user. On nodes that write notebooks and event logs this is the user of these services, on all others nobody. Root
owns the images, so that no client can change one.
"""

from __future__ import annotations

import re

EXPORTS = "/etc/exports.d/skp.exports"
"""The master's export."""

MARKER = "registry/.skp-registry-store"
"""File below the store that shows that it holds images: a directory with it is a store of its own."""

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

    Returns {"mounted": None or {"source", "point", "type"}, "exports": text, "own": bool}. own: the directory, not mounted, holds images.
    """
    parts = {}
    for line in text.splitlines():
        name, _colon, rest = line.partition(":")
        parts.setdefault(name, []).append(rest)
    return {"mounted": mounted_at(read_mounts("\n".join(parts.get("/proc/self/mounts", []))), home),
            "exports": "".join(line + "\n" for line in parts.get(EXPORTS, [])),
            "own": "%s/%s" % (home.rstrip("/"), MARKER) in parts}


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
    return ""
