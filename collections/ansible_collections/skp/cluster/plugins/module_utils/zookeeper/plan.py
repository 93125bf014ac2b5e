# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The next step of a change of a ZooKeeper ensemble, and whether it is allowed: pure functions of plain data.

A **view** is the observed state:
  "members": {id: {"host": str, "hash": str (skp.hash of its service), "servers": [id, ...] (the server list its service runs with),
                   "ready": bool (serves as leader or follower and has caught up), "leader": bool,
                   "node_up": bool (a task that is started now runs there),
                   "running": bool (one of its tasks runs, whether it serves or not),
                   "empty": bool (its data directory was inspected and has no id)}}: members that have a service
  "bootstrapped": bool   the ids of a first ensemble were written once
  "adopted": bool        the swarm has no record of the ensemble, but members or data exist: the record was lost
  "formed": bool         all members have served at least once; before that there is no quorum to keep
  "servers": [id, ...]   the server list when all members served last; used if no member has a service (after `down`)
  "empty": [id, ...]     ids without a service whose data directory has no id
  "down": [id, ...]      ids without a service whose node is down
`target` is the ids that should be members, `wanted(id, servers)` the hash of the service a member should have with a server list.

A **step** is {"action": str, "ids": [id, ...], "servers": [id, ...], "wait": bool, "reason": str}; actions:
  init        one-shot services write the id; "marker": true also lets an empty member vote (first bootstrap, growth from one)
  apply       the member's service is created or updated (one id), or all of them at once (several)
  bounce      the service is restarted unchanged, so that another member leads before this one is removed
  remove      the service is removed; data stays

docs/zookeeper.md explains how the rules protect acknowledged writes. In short: at any moment at most two server lists are in use and they
differ by one member, so every majority of one shares a member with every majority of the other; a member without data has no vote.
"""

from __future__ import annotations

import copy

from ..failure import Failure

NETWORK_FILESYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "afs", "ocfs2", "gfs2", "beegfs",
                       "virtiofs")
VOLATILE_FILESYSTEMS = ("tmpfs", "ramfs")


def majority(count):
    """The quorum of `count` voters."""
    return count // 2 + 1


def check_size(hosts, allow_even):
    """Refuse an ensemble without members, or with an even number of members."""
    if not hosts:
        raise Failure(
            "ZooKeeper: no host has the label (found 0 members, expected an odd number). Add the label zookeeper to hosts in hosts.json; to "
            "remove the ensemble run the playbook down with --tags zookeeper.", kind="size", found=0)
    if len(hosts) % 2 == 0 and not allow_even:
        raise Failure(
            "ZooKeeper: found %d members (%s), expected an odd number: %d tolerate no more failures than %d. Nothing was changed. "
            "Label one host more or less, or set zookeeper_allow_even: true."
            % (len(hosts), ", ".join(hosts), len(hosts), len(hosts) - 1), kind="size", found=len(hosts))


def check_filesystems(filesystems):
    """Refuse data directories whose file system is not on a local disk (fsync). filesystems: {host: type as in /proc/mounts}."""
    for host in sorted(filesystems):
        found = (filesystems[host] or "").lower()
        if found in NETWORK_FILESYSTEMS or found == "fuse" or found.startswith("fuse.") or found.startswith("fuseblk"):
            kind = "a network or FUSE file system"
        elif found in VOLATILE_FILESYSTEMS:
            kind = "memory"
        else:
            continue
        raise Failure(
            "ZooKeeper: the data directory on %s is on %s (%s); expected a local disk, because a member's log must survive power loss. Nothing "
            "was changed. Set zookeeper_data_dir to a directory on a local disk." % (host, kind, found), kind="filesystem", host=host, found=found)


class _Names:
    """Ids with service name and host: `zookeeper-skp-2 (c02)`."""

    def __init__(self, prefix, hosts):
        self.prefix, self.hosts = prefix, hosts

    def one(self, number):
        return "%s-%d (%s)" % (self.prefix, number, self.hosts.get(number, "no host"))

    def all(self, ids):
        return ", ".join(self.one(number) for number in sorted(ids)) or "none"


def _lists_in_use(view):
    """The different server lists of the members' services; without services, the list when all members served last."""
    lists = []
    for number in sorted(view["members"]):
        servers = sorted(view["members"][number]["servers"])
        if servers not in lists:
            lists.append(servers)
    if not lists and view["servers"]:
        lists.append(sorted(view["servers"]))
    return sorted(lists, key=len)


def _next_list(view, target, names, keep):
    """(lists in use, the next list for every member). keep: no membership change now (the run is limited to some hosts)."""
    lists = _lists_in_use(view)
    if not lists:
        return [sorted(target)], sorted(target)
    if len(lists) == 2 and len(set(lists[0]) ^ set(lists[1])) == 1:
        (extra,) = set(lists[1]) - set(lists[0])
        return lists, lists[1] if extra in target else lists[0]
    if len(lists) > 1:
        raise Failure(
            "ZooKeeper: the members' services have server lists that differ by more than one member (%s), expected at most one; something "
            "else has changed them. Nothing was changed. Restore them, or stop the ensemble (playbook down, --tags zookeeper; "
            "data stays) and run again." % "; ".join(str(item) for item in lists), kind="lists", lists=lists)
    (old,) = lists
    if keep:
        return lists, old
    leaving = [number for number in old if number not in target]
    dead = [number for number in leaving if not view["members"].get(number, {}).get("ready")]
    joining = sorted(number for number in target if number not in old)
    if dead and len(old) > 1:
        gone = max(dead)
    elif joining:
        return lists, sorted(old + joining[:1])
    elif leaving:
        # One on a node that is not ready goes first: it cannot take the list of a later stage.
        gone = min(leaving, key=lambda number: (view["members"][number]["node_up"], view["members"][number]["leader"], -number))
    else:
        return lists, old
    return lists, [number for number in old if number != gone]


def _step(action, ids, servers, reason, wait=True, **extra):
    return dict(action=action, ids=sorted(ids), servers=list(servers), wait=wait, reason=reason, **extra)


def _bootstrap_step(view, target, unseen, limit, names):
    """The step of the first start only: ids, with the marker that lets empty members vote."""
    if view["down"]:
        raise Failure(
            "ZooKeeper: the first start needs all members, but the nodes of %s are down. Nothing was changed. Start them or remove their "
            "labels, and run again." % names.all(view["down"]), kind="node_down", members=list(view["down"]))
    if unseen or (limit is not None and set(target) - set(limit)):
        raise Failure(
            "ZooKeeper: the first start needs all members, but not all of their data directories were inspected (%s). Nothing was changed. "
            "Run again with all members reachable and without --limit." % (", ".join(unseen) or "--limit"), kind="unseen", hosts=list(unseen))
    return _step("init", target, sorted(target), "first bootstrap: ids, and the marker that lets empty members vote once", marker=True)


def next_step(view, target, wanted, names, unseen=(), limit=None, allow_outage=False):
    """The next step, or None if nothing is left to do. Raises Failure if the step would lose the quorum or data.

    names: `_Names`-like, for messages. unseen: hosts that should be members but have no id and could not be inspected.
    limit: if not None, only these ids may be changed, and the server list stays the same.
    allow_outage: if one at a time cannot keep a quorum, all at once (writes stop for some seconds, no data is lost).
    """
    if not view["bootstrapped"]:
        return _bootstrap_step(view, target, unseen, limit, names)
    _check_adopted(view, target, unseen, limit)
    members = view["members"]
    lists, new = _next_list(view, target, names, keep=limit is not None or bool(unseen))
    _check_data(view, lists, new, names)
    allowed = set(new) if limit is None else set(new) & set(limit)
    leader = next((number for number in sorted(members) if members[number]["leader"]), None)

    wiped = [n for n in new if n in members and members[n]["empty"] and n in allowed]
    if wiped:
        return _step("init", wiped, new, "the data of %s is lost: it gets its id again, has no vote and copies all data from the others"
                     % names.all(wiped), marker=False)
    absent = [n for n in new if n not in members and n in allowed]
    stale = [n for n in new if n in members and members[n]["hash"] != wanted(n, new) and n in allowed]
    if not absent and not stale:
        gone = [n for n in sorted(members) if n not in new and (limit is None or n in limit)]
        if gone:
            return _step("remove", gone[-1:], new, "%s is no longer a member; its data stays on %s and its id is retired"
                         % (names.one(gone[-1]), names.hosts.get(gone[-1])))
        return None

    fresh = [n for n in absent if n in view["empty"]]
    if fresh:
        alone = len(lists[0]) == 1 and len(new) == 2
        reason = "%s joins: it gets its id" % names.all(fresh)
        return _step("init", fresh, new, reason + (", and a vote, as the only member cannot elect without it" if alone else ""), marker=alone)

    joining_down = [n for n in absent if n not in lists[0] and n in view["down"]]
    if joining_down:
        raise Failure(
            "ZooKeeper: %s should join, but its node is down. Nothing was changed. Start the node or remove its label, and run again."
            % names.all(joining_down), kind="node_down", members=joining_down)
    if leader is not None and leader not in new and _holds(view, lists + [new], leader) is None:
        return _step("bounce", [leader], members[leader]["servers"], "%s leaves but leads: another member must lead first" % names.one(leader))
    return _choose(view, lists, new, absent, stale, leader, target, names, allow_outage)


def _check_adopted(view, target, unseen, limit):
    """Without a record and without services, the data is all that is known: refuse to start a part of the ensemble.

    The members that were inspected could form a quorum of their own, without the members that have the newest transactions.
    """
    if view.get("adopted") and not view["members"] and (unseen or (limit is not None and set(target) - set(limit))):
        raise Failure(
            "ZooKeeper: the swarm's record of the ensemble is lost, and not all data directories were inspected (%s). Nothing was changed, because "
            "the members that are missing may have the newest data. Run again with all members reachable and without --limit."
            % (", ".join(unseen) or "--limit"), kind="unseen", hosts=list(unseen))


def _check_data(view, lists, new, names):
    """Refuse if so many members have lost their data that no majority with data is left: that needs a backup."""
    empty = {n for n in view["members"] if view["members"][n]["empty"]} | set(view["empty"])
    old = lists[0]
    lost = [n for n in old if n in empty]
    if len(old) - len(lost) < majority(len(old)):
        raise Failure(
            "ZooKeeper: the ensemble had members %s, but the data of %s is lost; expected at least %d of %d members with data. Nothing was "
            "changed, because the ensemble would start empty. Bring the disks back (zookeeper_data_dir must be the directory that it was) or restore a "
            "backup (docs/zookeeper.md); to give up the data and start empty, run the playbook down with --tags zookeeper -e skp_purge=true."
            % (names.all(old), names.all(lost), majority(len(old)), len(old)), kind="data_lost", lost=sorted(lost), servers=old)


def _holds(view, lists, without):
    """None if every list keeps a majority of ready members without one member, else (list, the remaining ready members)."""
    for servers in lists:
        left = [n for n in servers if n != without and view["members"].get(n, {}).get("ready")]
        if len(left) < majority(len(servers)):
            return servers, left
    return None


def _choose(view, lists, new, absent, stale, leader, target, names, allow_outage):
    """The next member: absent, unready, followers, then the leader; all at once only if that is the only way and allowed."""
    members = view["members"]
    down = [n for n in new if (n in members and not members[n]["node_up"]) or n in view["down"]]
    # A member that runs but does not serve may be paused or disconnected and recover by itself: stopping it needs the quorum check too.
    stuck = [n for n in stale if not members[n]["ready"] and n not in down and members[n]["running"] and not allow_outage]
    unready = [n for n in stale if not members[n]["ready"] and n not in down and n not in stuck]
    followers = [n for n in stale if members[n]["ready"] and n != leader]
    late = [n for n in stale if n in down]
    led_by = [members[leader]["servers"]] if leader is not None else lists
    present = [n for n in absent if n not in down]

    if leader is None and not stale:
        return _step("apply", present or absent, new, "no service, and no quorum to keep: started together", wait=bool(present))
    if leader is not None:
        if present:
            one, reason, gate = present[0], "no service", [new]
        elif unready:
            one, reason, gate = unready[0], "does not serve", [new]
        elif followers:
            one, reason, gate = followers[0], "follower", led_by + [new]
        elif leader in stale:
            one, reason, gate = leader, "leader, therefore last", [new]
        elif stuck:
            one, reason, gate = stuck[0], "runs, but does not serve", led_by + [new]
        else:
            one, reason, gate = (late + absent)[0], "its node is down: takes effect when the node is up again", []
        lost = _holds(view, gate, one) if leader in new else _holds(view, lists + [new], leader)
        _check_serving_node(members, one, names)
        if lost is None:
            return _step("apply", [one], new, _why(one, members, new, reason), wait=one not in down)
    else:
        one, lost = (stale + absent)[0], (new, [])

    voters = [n for n in new if n in lists[0] and n not in down]
    if len(lists[0]) <= 2 or allow_outage or not view["formed"]:
        first_pair = len(lists[0]) == 1 and len(new) == 2 and voters
        if len(voters) >= majority(len(new)) or first_pair:
            return _step("apply", absent + stale, new, "one at a time cannot keep a quorum here: all at once, writes stop for some seconds")
    missing = [n for n in lost[0] if n not in lost[1] and n != one]
    advice = "Start those and run again" if missing else "One at a time, an ensemble cannot become smaller than three"
    if len(voters) >= majority(len(new)):
        advice += "; zookeeper_allow_outage: true changes all members at once instead; writes stop for some seconds"
    raise Failure(
        "ZooKeeper: %s must be changed (%s), but without it %d of %d members would serve and a quorum is %d. Not serving now: %s. Nothing more "
        "was changed. %s."
        % (names.one(one), _why(one, members, new, "change"), len(lost[1]), len(lost[0]), majority(len(lost[0])),
           ", ".join(names.one(n) + (": node down" if n in down else "") for n in missing) or "none", advice),
        kind="quorum", member=one, servers=list(lost[0]), serving=lost[1], not_serving=missing)


def _check_serving_node(members, number, names):
    """Refuse to change a member that serves on a node that cannot start its new task: swarm would stop it, or restart it later without this run."""
    if number in members and members[number]["ready"] and not members[number]["node_up"]:
        raise Failure(
            "ZooKeeper: %s must be changed and serves, but the swarm reports its node as down, paused or drained: it would stop and not start "
            "again. Nothing more was changed. Make the node ready and active (docker node ls, docker node update --availability active), or remove "
            "its label, and run again." % names.one(number), kind="node_down", members=[number])


def _why(number, members, new, role):
    """The reason of one apply: its place in the order, and what changes."""
    if number not in members:
        return "%s: created" % role
    return "%s: %s" % (role, "server list" if sorted(members[number]["servers"]) != sorted(new) else "settings")


def after(view, step, wanted, hosts):
    """The expected view after a successful step; the given view is not changed."""
    view = copy.deepcopy(view)
    members = view["members"]
    if step["action"] == "init":
        view["empty"] = [n for n in view["empty"] if n not in step["ids"]]
        if not view["bootstrapped"]:
            view.update(bootstrapped=True, servers=list(step["servers"]))
        for number in step["ids"]:
            if number in members:
                members[number].update(empty=False, ready=members[number]["node_up"])
    elif step["action"] == "apply":
        for number in step["ids"]:
            alive = number not in view["down"] and members.get(number, {}).get("node_up", True)
            members[number] = {"host": hosts.get(number), "hash": wanted(number, step["servers"]), "servers": list(step["servers"]),
                               "ready": alive, "leader": False, "node_up": alive, "running": alive, "empty": False}
        view["formed"] = view["formed"] or step["wait"]
    elif step["action"] == "bounce":
        members[step["ids"][0]]["leader"] = False
    elif step["action"] == "remove":
        for number in step["ids"]:
            del members[number]
            view["servers"] = list(step["servers"])
    ready = [n for n in members if members[n]["ready"] and n in step["servers"]]
    heirs = [n for n in ready if n not in step["ids"]] or ready
    if heirs and not any(members[n]["leader"] for n in members):
        members[max(heirs)]["leader"] = True
    return view


def is_settled(view, target, wanted, names, **options):
    """Whether there is nothing to do, whatever the members answer; then no query is needed."""
    calm = copy.deepcopy(view)
    for number in calm["members"]:
        calm["members"][number].update(ready=True, leader=number == max(calm["members"]))
    return next_step(calm, target, wanted, names, **options) is None


def check_prefix(prefix, others):
    """Refuse a new prefix while members run under another one: each data directory would have two servers. others: {prefix: [service, ...]}."""
    for other, services in sorted(others.items()):
        raise Failure(
            "ZooKeeper: zookeeper_name is %s, but the members run as %s. Under the new name, second servers would write to the same data. Nothing was "
            "changed. Set zookeeper_name: %s again, or remove the members first (playbooks/down.yml --tags zookeeper; data and ids stay), then run "
            "again." % (prefix, ", ".join(services), other), kind="prefix_changed", found=other, services=services)


def check_move(view, target, names, data_policy):
    """Refuse a label that moved to another host, unless data_policy is `leave`."""
    lists = _lists_in_use(view)
    current = lists[-1] if lists else []
    leaving = [n for n in current if n not in target]
    joining = [n for n in target if n not in current]
    if data_policy != "leave" and leaving and joining and view["bootstrapped"]:
        raise Failure(
            "ZooKeeper: the label moved: %s leaves and %s joins. The new member would copy all data from the others; the old directory would "
            "stay, unused. Nothing was changed. Set zookeeper_data_policy=leave to allow this, or move the label back."
            % (names.all(leaving), names.all(joining)), kind="data_moved", leaving=leaving, joining=joining)


def plan_steps(view, target, wanted, names, hosts, **options):
    """All steps from a view to the target if each succeeds. Raises the first Failure of `next_step`.

    options: as for `next_step`.
    """
    steps = []
    while True:
        step = next_step(view, target, wanted, names, **options)
        if step is None:
            return steps
        if len(steps) > 20 * (len(target) + len(view["members"]) + 1):
            raise Failure("ZooKeeper: the plan does not end; this is a bug in skp_zk_ensemble. Steps so far: %s" % steps[:10], kind="defect")
        steps.append(step)
        view = after(view, step, wanted, hosts)


def names_of(prefix, hosts):
    """The names for messages. hosts: {id: host}."""
    return _Names(prefix, hosts)
