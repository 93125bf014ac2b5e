# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The member ids of hosts: pure functions of plain data.

A record is `{"version": 1, "service": str, "generation": int, "members": {host: id}, "retired": {host: id}, "nodes": {host: id of its swarm node},
"facts": {}}`. By the swarm's id a host is known again when hosts.json gives it another name.
`facts` is what the data depends on besides the ids: see `plan_facts`. ZooKeeper's own module writes its facts itself.
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
    return {"version": 1, "service": service, "generation": 0, "members": {}, "retired": {}, "nodes": {}, "facts": {}}


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


def _check_against_record(service, found, known, may_give):
    """Refuse data that contradicts the record. known: {host: id} of members and retired hosts. may_give: hosts whose id may follow its data."""
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
                "is never moved without consent: move the data aside on %s to start it empty with a new id%s."
                % (
                    service,
                    host,
                    number,
                    number,
                    owner_of[number],
                    host,
                    ", or, if %s is gone for good, set %s_data_policy=moved: the id follows the data" % (owner_of[number], service)
                    if owner_of[number] in may_give
                    else "",
                ),
                kind="identity_conflict",
                service=service,
                host=host,
                found=number,
                recorded=None,
                owner=owner_of[number],
            )


def recorded(record, node_labels):
    """{host: id} of all ids that the swarm knows: the record's, or, if the record is lost, those of the labels of the swarm's nodes."""
    known = dict(record["retired"])
    known.update(record["members"])
    if known:
        return known
    labels = {host: int(value) for host, value in (node_labels or {}).items() if str(value or "").isdigit() and int(value) > 0}
    numbers = list(labels.values())
    return {host: number for host, number in labels.items() if numbers.count(number) == 1}


def follow_names(record, nodes):
    """The record with the names that its hosts have now. nodes: {host: id of its swarm node}.

    A host whose node has another name now was renamed in hosts.json. Raises Failure if its new name belongs to another machine of the record.
    """
    now = {node_id: host for host, node_id in nodes.items()}
    names = {host: now[node_id] for host, node_id in record["nodes"].items() if now.get(node_id, host) != host}
    taken = {new: old for old, new in names.items() if new in dict(record["members"], **record["retired"]) and new not in names}
    if taken:
        new, old = sorted(taken.items())[0]
        raise Failure(
            "%s: hosts.json now calls %s %s, but that is the name of another machine that has or had a member id. Nothing was changed. Give %s a name "
            "that is not in use." % (record["service"], old, new, old), kind="name_taken", service=record["service"], old=old, new=new)
    return dict(record, **{part: {names.get(host, host): value for host, value in record[part].items()} for part in ("members", "retired", "nodes")})


def plan_members(record, hosts, found, limit_hosts=None, node_labels=None, data_policy="refuse", nodes=None):
    """The members and their ids.

    record: see above. hosts: inventory names that should be members now. found: {host: id or None} from the data directory of each host
    that was inspected; a host that is missing here was not inspected (unreachable, or outside --limit).
    limit_hosts: if not empty, only these may leave. node_labels: {host: value of the id label or None} of the swarm's nodes.
    data_policy: `moved` lets an id follow its data from a host that is no member any more; None: the service has no such policy.
    nodes: {host: id of its swarm node}.

    Returns {"record": the new record (generation not yet increased), "ids": {host: id}, "retired": {host: id}, "unseen": [host, ...]
    (wanted, without an id and not inspected: they get one when they can be inspected), "labels": {host: id, None to remove} to be set on
    nodes, "changed": bool (record or labels), "record_changed": bool}. Raises Failure.

    A host's id is permanent and never given to another host. New ids follow the highest id assigned so far,
    in natural order of names: the order of hosts.json never changes an id.
    While the swarm has no record, no id is given unless all hosts were inspected: one that is missing may have data with that id.
    """
    service, written = record["service"], record
    record = follow_names(record, nodes or {})
    found = dict(found or {})
    known = recorded(record, node_labels)
    _check_found(service, found)
    left = _follow_data(service, found, known, hosts) if data_policy == "moved" else []
    _check_against_record(service, found, known, set(known) - set(hosts) if data_policy else set())

    members = {}
    for host in hosts:
        if host in known:
            members[host] = known[host]
        elif found.get(host) is not None:
            members[host] = found[host]
    highest = max(list(known.values()) + list(members.values()) + [number for number in found.values() if number] + [0])
    unseen = sorted(set(hosts) - set(members) - set(found), key=natural_key)
    if unseen and not record["members"] and not record["retired"] and (members or set(found) & set(hosts)):
        raise Failure(
            "%s: the swarm has no record of member ids (first start, or the record was lost), and not all hosts were inspected (%s). Their data "
            "may have ids already, so none is given. Nothing was changed. Run again with all hosts reachable and without --limit, or remove the "
            "label of a host that is gone." % (service, ", ".join(unseen)), kind="unseen", service=service, hosts=unseen)
    for host in sorted(set(hosts) - set(members) - set(unseen), key=natural_key):
        highest += 1
        members[host] = highest
    if limit_hosts:
        for host, number in record["members"].items():
            if host not in members and host not in limit_hosts and host in known:
                members[host] = number
    retired = {host: number for host, number in known.items() if host not in members}

    ids = {host: (nodes or {}).get(host) or record["nodes"].get(host) for host in {**members, **retired}}
    new = dict(record, members=_by_id(members), retired=_by_id(retired), nodes={host: node_id for host, node_id in sorted(ids.items()) if node_id})
    record_changed = any(written[part] != new[part] for part in ("members", "retired", "nodes"))
    labels = {}
    for host, number in new["members"].items():
        if node_labels is not None and host in node_labels and node_labels[host] != str(number):
            labels[host] = number
    for host in left:
        if (node_labels or {}).get(host) is not None:
            labels[host] = None
    return {
        "record": new,
        "ids": new["members"],
        "retired": new["retired"],
        "unseen": unseen,
        "labels": labels,
        "record_changed": record_changed,
        "changed": record_changed or bool(labels),
    }


def _follow_data(service, found, known, hosts):
    """Give ids of hosts that are no members any more to the hosts that have their data now; returns the hosts that lost their id."""
    empty = sorted((host for host in hosts if host in found and found[host] is None), key=natural_key)
    if empty:
        raise Failure(
            "%s: %s_data_policy=moved means that every host has its data, but %s has none. Nothing was changed. Copy the data there first, or use "
            "%s_data_policy=leave to start empty." % (service, service, ", ".join(empty), service), kind="not_moved", service=service, hosts=empty)
    owner_of = {number: host for host, number in known.items()}
    left = []
    for host, number in found.items():
        owner = owner_of.get(number)
        if owner is not None and owner != host and owner not in hosts:
            if host in known:  # Given before its data came, or to the disk that was there before: retired, as an id is never given again.
                known["%s#%d" % (host, known[host])] = known[host]
            del known[owner]
            known[host] = number
            left.append(owner)
    return left


def plan_facts(record, members, settings=None, running_settings=None, directories=None, facts=None, voters=0, found_facts=None, running=True,
               started=False, data_policy="refuse"):
    """The facts of a record: what the data of a service depends on, besides the ids. Raises Failure if a change contradicts the data.

    members: the result of `plan_members`. settings: {variable: value} that must never change;
    directories: the same for directories of the data, which may change with data_policy `moved` or `leave`; running_settings: the same for
    values that may change while no service runs. facts: values made by the role (a cluster id), kept once recorded. voters: number of
    quorum voters of a first start. found_facts: {host: {name: value}, {} for none} read from the data of each inspected host.
    running: whether the service has swarm services. started: record that the service runs and has data.

    Returns {"facts": the new facts, "unknown": [names that neither the record nor the data has, although data exists]}.
    Before any data exists, a failed first start binds nothing: settings and voters may still change.
    """
    service, settings = record["service"], dict(settings or {})
    allowed = dict(directories or {}) if data_policy in ("moved", "leave") else {}
    checked = dict(settings, **dict(directories or {}))
    wanted = dict(checked, **dict(running_settings or {}))
    names = set(wanted) | set(facts or {}) | ({"voters"} if voters else set())
    inspected = {host: item for host, item in (found_facts or {}).items() if host in members["ids"]}
    begun = bool(started or record["facts"].get("started") or any(inspected.values()) or set(members["ids"]) - set(inspected))
    if not members["ids"] or not (names or started):
        return {"facts": record["facts"], "unknown": []}
    if not begun:
        kept = {key: value for key, value in record["facts"].items() if key in dict(facts or {})}
    else:
        kept = dict(_evidence(service, inspected, names, record["facts"]), **record["facts"])
    for name, value in sorted(checked.items()):
        if name in kept and kept[name] != value and name not in allowed:
            raise Failure(
                "%s: %s is %s, but the data of this cluster was made with %s. Nothing was changed. Set %s back to %s%s, or give the data up with "
                "playbooks/down.yml --tags %s -e skp_purge=true."
                % (service, name, value, kept[name], name, kept[name],
                   ", or move the data there on every host while the services are down and set %s_data_policy=moved" % service
                   if name in (directories or {}) else "", service),
                kind="setting_changed", service=service, name=name, value=value, recorded=kept[name])
    for name, value in sorted((running_settings or {}).items()):
        if name in kept and kept[name] != value and running:
            raise Failure(
                "%s: %s is %s, but the running services have %s, and they cannot change it one at a time. Nothing was changed. Set %s back to %s, or "
                "remove the services first (playbooks/down.yml --tags %s; data and ids stay) and run again."
                % (service, name, value, kept[name], name, kept[name], service),
                kind="setting_changed", service=service, name=name, value=value, recorded=kept[name])
    new = dict(kept, **wanted)
    given = dict(facts or {}, **({"voters": voters} if voters else {}))
    unknown = sorted(name for name in given if name not in new and begun)
    new.update({name: value for name, value in given.items() if name not in new and name not in unknown})
    if started or (begun and not record["generation"]):
        new["started"] = True
    return {"facts": new, "unknown": unknown}


def _evidence(service, found_facts, names, recorded_facts):
    """{name: value} that the data of all hosts agrees on. Refuses data of different clusters, and data that contradicts the record."""
    evidence, source = {}, {}
    for host in sorted(found_facts, key=natural_key):
        for name, value in found_facts[host].items():
            if name not in names:
                continue
            if name in recorded_facts and recorded_facts[name] != value:
                other = "in the swarm's record it is %s" % recorded_facts[name]
            elif name in evidence and evidence[name] != value:
                other = "on %s it is %s" % (source[name], evidence[name])
            else:
                evidence[name], source[name] = value, source.get(name, host)
                continue
            raise Failure(
                "%s: in the data on %s, %s is %s, but %s. This is the data of another cluster. Nothing was changed. Bring the right disk back, or move "
                "the data on %s aside to start it empty." % (service, host, name, value, other, host),
                kind="identity_conflict", service=service, host=host, name=name, found=value)
    return evidence


def plan_voters(record, members, facts, found):
    """Which voters without data may format it: {host: "first" or "again"}. The voters are the members with the ids 1 to facts["voters"].

    A voter that lost its data has forgotten what it acknowledged. If it voted again, the others could lose it too. So after the first start
    it may format its data only while a majority has data ("again": it asks the others before it does). Raises Failure if that is not so, or
    if a majority of the voters would leave.
    """
    service, count = record["service"], int(facts.get("voters") or 0)
    if not count or not members["ids"]:
        return {}
    quorum = count // 2 + 1
    host_of = {number: host for host, number in members["ids"].items() if number <= count}
    if len(host_of) < quorum:
        gone = {number: host for host, number in members["retired"].items() if number <= count}
        raise Failure(
            "%s: the members with the ids 1 to %d are the voters of the quorum, and %d of them must stay, but only %s would be left (%s would leave). "
            "Nothing was changed, because without a majority no topic can be written or changed. Give the label back to %s. To remove the service, "
            "run playbooks/down.yml --tags %s."
            % (service, count, quorum, _named(host_of) or "none", _named(gone) or "the others", ", ".join(gone[n] for n in sorted(gone)) or "the voters",
               service),
            kind="voters", service=service, voters=count, left=sorted(host_of), leaving=sorted(gone))
    empty = {number: host for number, host in host_of.items() if host in found and found[host] is None}
    if not facts.get("started"):
        return {host: "first" for host in empty.values()}
    whole = {number: host for number, host in host_of.items() if found.get(host) == number}
    if empty and len(whole) < quorum:
        raise Failure(
            "%s: no data was found for %s. They are voters of the quorum, and may start empty only while %d of %d voters have their data, but these "
            "were inspected and have it: %s. Nothing was changed, because the quorum would lose what it has acknowledged. Bring the disks back%s; to give "
            "up all data, run playbooks/down.yml --tags %s -e skp_purge=true."
            % (service, _named(empty), quorum, count, _named(whole) or "none",
               ", or run again with all hosts reachable and without --limit" if set(host_of.values()) - set(found) else "", service),
            kind="data_lost", service=service, lost=sorted(empty), whole=sorted(whole))
    return {host: "again" for host in empty.values()}


def _named(members):
    """Text for messages of {id: host}."""
    return ", ".join("id %d (%s)" % (number, members[number]) for number in sorted(members))


def decide(seen, params, check_mode=False):
    """All that `skp_members` decides for a present service. Raises Failure.

    seen: what the swarm has, as `members.io.look` returns it. params: the options of the module.
    Returns {"result": the module's result, "record": the wanted record, "record_changed": bool, "labels": {host: id, None to remove}, "done": whether the
    swarm is as it should be, so that nothing has to be written, removed or said}.
    """
    service = params["service"]
    nodes = by_host(seen["nodes"], params["renamed"] if check_mode else None)
    node_ids = {host: node["ID"] for host, node in nodes.items()}
    generations = seen["records"].get(service) or []
    record = latest(service, generations)
    found = found_numbers(params["found"])
    labels = labels_of(nodes, service)
    plan = plan_members(record, params["hosts"], found, params["limit_hosts"], labels, params["data_policy"], node_ids)
    given = {name: params[name] for name in ("settings", "running_settings", "directories", "facts", "voters", "found_facts", "started", "data_policy")}
    facts = plan_facts(record, plan, running=service in seen["running"], **given)
    wanted = dict(plan["record"], facts=facts["facts"])
    may_format = plan_voters(record, plan, wanted["facts"], found) if params["voters"] else {}
    record_changed = plan["record_changed"] or wanted["facts"] != record["facts"]
    changed = plan["changed"] or record_changed
    title = "members of %s" % service
    result = {
        "changed": changed,
        "ids": plan["ids"],
        "retired": plan["retired"],
        "unseen": plan["unseen"],
        "generation": record["generation"],
        "generations": {name: latest(name, seen["records"].get(name) or [])["generation"] for name in [service, *params["others"]]},
        "seen": False,
        "facts": wanted["facts"],
        "format": may_format,
        "unknown": facts["unknown"],
        "others": {name: _ids_of_other(seen, name, hosts, nodes, node_ids, check_mode) for name, hosts in params["others"].items()},
        "diff": {
            "before_header": title,
            "after_header": title,
            "before": describe(follow_names(record, node_ids), labels),
            "after": describe(wanted, dict(labels, **plan["labels"])),
        },
    }
    return {"result": result, "record": wanted, "record_changed": record_changed, "labels": plan["labels"],
            "done": not changed and len(generations) < 2 and not plan["unseen"]}


def known(seen, params, check_mode=False):
    """The result of `skp_members` if `seen` shows that there is nothing to do; else None, and the module has to look itself and says what is wrong."""
    if not seen or params["state"] != "present":
        return None
    try:
        decision = decide(seen, params, check_mode)
    except Failure:
        return None
    return dict(decision["result"], seen=True) if decision["done"] else None


def _ids_of_other(seen, service, hosts, nodes, node_ids, check_mode):
    """{host: id} of another service's present members; in check mode before that service's first run, the ids that it would get."""
    record = follow_names(latest(service, seen["records"].get(service) or []), node_ids)
    labels = labels_of(nodes, service)
    if check_mode:
        return plan_members(record, hosts, {host: None for host in hosts}, node_labels=labels)["ids"]
    ids = recorded(record, labels)
    return record["members"] or {host: ids[host] for host in hosts if host in ids}


def latest(service, generations):
    """The record in the last of its generations, an empty one if there is none. generations: see `members.io.read_generations`."""
    record = empty_record(service)
    if generations:
        record.update(generations[-1]["content"], generation=generations[-1]["generation"])
    return record


def by_host(nodes, renamed=None):
    """{inventory name: raw swarm node} by the node label skp.host. If two entries have the same name, the ready, then the newer one counts.

    renamed: {node id: name} that the swarm's playbook would set, in check mode.
    """
    found = {}
    for node in nodes:
        host = (renamed or {}).get(node["ID"]) or (node["Spec"].get("Labels") or {}).get("skp.host")
        if not host:
            continue
        rank = (node["Status"]["State"] == "ready", node["CreatedAt"])
        if host not in found or rank > (found[host]["Status"]["State"] == "ready", found[host]["CreatedAt"]):
            found[host] = node
    return found


def labels_of(nodes, service):
    """{host: value of its node label with the id of a service, None without one}."""
    return {host: (node["Spec"].get("Labels") or {}).get(id_label(service)) for host, node in nodes.items()}


def found_numbers(found):
    """Ids as numbers: a template may have turned them into text. The plan refuses values that are not numbers."""
    return {
        host: int(value) if isinstance(value, str) and value.isdigit() else (None if value == "" else value)
        for host, value in found.items()
    }


def describe(record, labels=None):
    """Lines for a diff: one per member, then the retired ones and the facts. labels: {host: value} of the node labels, if known."""
    lines = ["%s: id %d" % (host, number) for host, number in _by_id(record["members"]).items()]
    lines += ["%s: id %d (retired)" % (host, number) for host, number in _by_id(record["retired"]).items()]
    lines += ["%s: %s" % (name, record["facts"][name]) for name in sorted(record["facts"])]
    for host in sorted(labels or {}, key=natural_key):
        if labels[host] is not None:
            lines.append("node label of %s: %s=%s" % (host, id_label(record["service"]), labels[host]))
    return "".join(line + "\n" for line in lines)
