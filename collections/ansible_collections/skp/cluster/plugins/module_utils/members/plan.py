# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The member ids of hosts: pure functions of plain data.

A record is `{"version": 1, "service": str, "generation": int, "members": {host: id}, "retired": {host: id}, "facts": {}}`.
`facts` belongs to the service's own module (ZooKeeper records there that its ensemble was bootstrapped); it is copied unchanged.
Generation 0 means: no record was written yet.
"""

from __future__ import annotations

import re

from ..failure import Failure


def natural_key(text):
    """Sort key for natural order: c2 before c10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", str(text)) if part]


def empty_record(service):
    """The record of a service without member ids."""
    return {"version": 1, "service": service, "generation": 0, "members": {}, "retired": {}, "facts": {}}


def id_label(service):
    """The swarm node label with the member id of a service."""
    return "skp.%s.id" % service


def _by_id(mapping):
    return dict(sorted(mapping.items(), key=lambda item: item[1]))


def _check_found(service, found):
    """Refuse identities that are not valid ids, or that two hosts have."""
    owners = {}
    for host in sorted(found, key=natural_key):
        number = found[host]
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise Failure(
                "%s: the data directory on %s has the member id %r; expected an integer of 1 or more. Check the identity file there "
                "before you run again." % (service, host, number),
                kind="bad_identity",
                service=service,
                host=host,
                found=number,
            )
        if number in owners:
            raise Failure(
                "%s: the data directories on %s and on %s both have member id %d. One of them is a copy; move the wrong one aside and run "
                "again." % (service, owners[number], host, number),
                kind="duplicate_identity",
                service=service,
                id=number,
                hosts=[owners[number], host],
            )
        owners[number] = host


def _check_against_record(service, found, known):
    """Refuse data that contradicts the record. known: {host: id} of members and retired hosts."""
    owner_of = {number: host for host, number in known.items()}
    for host in sorted(found, key=natural_key):
        number = found[host]
        if number is None:
            continue
        if host in known and known[host] != number:
            raise Failure(
                "%s: the data directory on %s has member id %d, but in the swarm's record %s has id %d%s. Nothing was changed. If the "
                "data is right, the disk was moved here: move it back, or move the data aside to start %s empty."
                % (
                    service,
                    host,
                    number,
                    host,
                    known[host],
                    " (id %d belongs to %s)" % (number, owner_of[number]) if number in owner_of else "",
                    host,
                ),
                kind="identity_conflict",
                service=service,
                host=host,
                found=number,
                recorded=known[host],
                owner=owner_of.get(number),
            )
        if host not in known and number in owner_of:
            raise Failure(
                "%s: the data directory on %s has member id %d, but in the swarm's record id %d belongs to %s. Nothing was changed. An id "
                "is never moved: move the data aside on %s to start it empty with a new id."
                % (service, host, number, number, owner_of[number], host),
                kind="identity_conflict",
                service=service,
                host=host,
                found=number,
                recorded=None,
                owner=owner_of[number],
            )


def plan_members(record, hosts, found, limit_hosts=None, node_labels=None, facts=None):
    """The members and their ids.

    record: see above. hosts: inventory names that should be members now. found: {host: id or None} from the data directory of each host
    that was inspected; a host that is missing here was not inspected (unreachable, or outside --limit).
    limit_hosts: if not empty, only these may leave. node_labels: {host: value of the id label or None} of the swarm's nodes.
    facts: further content of the record, set once: an existing key keeps its value, and without a member no fact is set.

    Returns {"record": the new record (generation not yet increased), "ids": {host: id}, "retired": {host: id}, "unseen": [host, ...]
    (wanted, without an id and not inspected: they get one when they can be inspected), "labels": {host: id} to be set on nodes,
    "changed": bool (record or labels), "record_changed": bool}. Raises Failure.

    A host's id is permanent and never given to another host. New ids follow the highest id assigned so far,
    in natural order of names: the order of hosts.json never changes an id.
    """
    service = record["service"]
    found = dict(found or {})
    known = dict(record["retired"])
    known.update(record["members"])
    _check_found(service, found)
    _check_against_record(service, found, known)

    members = {}
    for host in hosts:
        if host in known:
            members[host] = known[host]
        elif found.get(host) is not None:
            members[host] = found[host]
    highest = max(list(known.values()) + list(members.values()) + [number for number in found.values() if number] + [0])
    unseen = []
    for host in sorted(set(hosts) - set(members), key=natural_key):
        if host in found:
            highest += 1
            members[host] = highest
        else:
            unseen.append(host)
    if limit_hosts:
        for host, number in record["members"].items():
            if host not in members and host not in limit_hosts:
                members[host] = number
    retired = {host: number for host, number in known.items() if host not in members}

    kept = dict(facts or {}, **record["facts"]) if members else record["facts"]
    new = dict(record, members=_by_id(members), retired=_by_id(retired), facts=kept)
    record_changed = any(record[part] != new[part] for part in ("members", "retired", "facts"))
    labels = {}
    for host, number in new["members"].items():
        if node_labels is not None and host in node_labels and node_labels[host] != str(number):
            labels[host] = number
    return {
        "record": new,
        "ids": new["members"],
        "retired": new["retired"],
        "unseen": unseen,
        "labels": labels,
        "record_changed": record_changed,
        "changed": record_changed or bool(labels),
    }


def describe(record, labels=None):
    """Lines for a diff: one per member, then the retired ones. labels: {host: value} of the node labels, if known."""
    lines = ["%s: id %d" % (host, number) for host, number in _by_id(record["members"]).items()]
    lines += ["%s: id %d (retired)" % (host, number) for host, number in _by_id(record["retired"]).items()]
    for host in sorted(labels or {}, key=natural_key):
        if labels[host] is not None:
            lines.append("node label of %s: %s=%s" % (host, id_label(record["service"]), labels[host]))
    return "".join(line + "\n" for line in lines)
