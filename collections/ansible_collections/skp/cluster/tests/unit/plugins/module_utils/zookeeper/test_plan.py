# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for the ZooKeeper plan, and an independent check of every plan it makes: a small model of what a server can and cannot do."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.members.plan import empty_record, plan_members
from ansible_collections.skp.cluster.plugins.module_utils.zookeeper import plan


def wanted(number, servers, settings="v1"):
    return "%s/%d/%s" % (settings, number, ",".join(str(item) for item in sorted(servers)))


def hosts_of(ids):
    return {number: "c%02d" % number for number in ids}


def member(number, servers, leader=False, **over):
    return dict({"host": "c%02d" % number, "hash": wanted(number, servers), "servers": list(servers), "ready": True, "leader": leader,
                 "node_up": True, "running": True, "empty": False}, **over)


def whole(ids, leader=None, **over):
    """A view of an ensemble that runs and is whole. over: {id: changes of that member}, as m1=..., m2=..."""
    ids = sorted(ids)
    leader = max(ids) if leader is None else leader
    return {"members": {n: member(n, ids, leader=n == leader, **over.get("m%d" % n, {})) for n in ids},
            "bootstrapped": True, "formed": True, "servers": ids, "empty": [], "down": []}


def nothing(empty=()):
    return {"members": {}, "bootstrapped": False, "formed": False, "servers": [], "empty": list(empty), "down": []}


def steps_of(view, target, settings="v1", **options):
    ids = set(target) | set(view["members"]) | set(view["servers"])
    hosts = hosts_of(ids)

    def wish(number, servers):
        return wanted(number, servers, settings)

    return plan.plan_steps(view, target, wish, plan.names_of("zookeeper-skp", hosts), hosts, **options)


def short(steps):
    return ["%s %s [%s]" % (s["action"] + ("!" if s.get("marker") else ""), ",".join(map(str, s["ids"])), ",".join(map(str, s["servers"])))
            for s in steps]


DOWN = {"ready": False, "node_up": False, "running": False}
UNREADY = {"ready": False, "running": False}
STUCK = {"ready": False}
EMPTY = {"ready": False, "running": False, "empty": True}

PLANS = [
    ("nothing to do", whole([1, 2, 3]), [1, 2, 3], {}, []),
    ("one that was killed is not cured by restarting others", whole([1, 2, 3], m2=UNREADY), [1, 2, 3], {}, []),
    ("a node is down and nothing changes", whole([1, 2, 3], m2=DOWN), [1, 2, 3], {}, []),
    ("first bootstrap", nothing([1, 2, 3]), [1, 2, 3], {}, ["init! 1,2,3 [1,2,3]", "apply 1,2,3 [1,2,3]"]),
    ("first bootstrap of one", nothing([1]), [1], {}, ["init! 1 [1]", "apply 1 [1]"]),
    ("bootstrap stopped between identities and services", dict(nothing(), bootstrapped=True, servers=[1, 2, 3]), [1, 2, 3], {},
     ["apply 1,2,3 [1,2,3]"]),
    ("bootstrap with a bad value, now mended", dict(whole([1, 2, 3], leader=0, m1=UNREADY, m2=UNREADY, m3=UNREADY), formed=False), [1, 2, 3],
     {"settings": "v2"}, ["apply 1,2,3 [1,2,3]"]),
    ("after down, data kept", dict(whole([1, 2, 3]), members={}), [1, 2, 3], {}, ["apply 1,2,3 [1,2,3]"]),
    ("a changed value: followers, leader last", whole([1, 2, 3], leader=1), [1, 2, 3], {"settings": "v2"},
     ["apply 2 [1,2,3]", "apply 3 [1,2,3]", "apply 1 [1,2,3]"]),
    ("a changed value, one already done", whole([1, 2, 3], leader=1, m2={"hash": wanted(2, [1, 2, 3], "v2")}), [1, 2, 3], {"settings": "v2"},
     ["apply 3 [1,2,3]", "apply 1 [1,2,3]"]),
    ("the unready one first", whole([1, 2, 3], leader=1, m3=UNREADY), [1, 2, 3], {"settings": "v2"},
     ["apply 3 [1,2,3]", "apply 2 [1,2,3]", "apply 1 [1,2,3]"]),
    ("one of five runs without serving: the others first, it last", whole([1, 2, 3, 4, 5], leader=1, m3=STUCK), [1, 2, 3, 4, 5],
     {"settings": "v2"}, ["apply 2 [1,2,3,4,5]", "apply 4 [1,2,3,4,5]", "apply 5 [1,2,3,4,5]", "apply 1 [1,2,3,4,5]", "apply 3 [1,2,3,4,5]"]),
    ("one that runs without serving, with consent", whole([1, 2, 3], leader=1, m3=STUCK), [1, 2, 3], {"settings": "v2", "allow_outage": True},
     ["apply 3 [1,2,3]", "apply 2 [1,2,3]", "apply 1 [1,2,3]"]),
    ("five, a node down: it comes last and nobody waits for it", whole([1, 2, 3, 4, 5], leader=3, m2=DOWN), [1, 2, 3, 4, 5], {"settings": "v2"},
     ["apply 1 [1,2,3,4,5]", "apply 4 [1,2,3,4,5]", "apply 5 [1,2,3,4,5]", "apply 3 [1,2,3,4,5]", "apply 2 [1,2,3,4,5]"]),
    ("a single member has no quorum to keep", whole([1]), [1], {"settings": "v2"}, ["apply 1 [1]"]),
    ("a wiped member gets its identity and no vote", whole([1, 2, 3], m3=EMPTY, leader=1), [1, 2, 3], {}, ["init 3 [1,2,3]"]),
    ("a wiped member whose service is gone too", dict(whole([1, 2, 3], leader=1), members=whole([1, 2, 3], leader=1)["members"]
                                                      and {n: member(n, [1, 2, 3], n == 1) for n in (1, 2)}, empty=[3]), [1, 2, 3], {},
     ["init 3 [1,2,3]", "apply 3 [1,2,3]"]),
    ("grow 3 to 5, one at a time", dict(whole([1, 2, 3], leader=2), empty=[4, 5]), [1, 2, 3, 4, 5], {},
     ["init 4 [1,2,3,4]", "apply 4 [1,2,3,4]", "apply 1 [1,2,3,4]", "apply 3 [1,2,3,4]", "apply 2 [1,2,3,4]",
      "init 5 [1,2,3,4,5]", "apply 5 [1,2,3,4,5]", "apply 1 [1,2,3,4,5]", "apply 2 [1,2,3,4,5]", "apply 3 [1,2,3,4,5]",
      "apply 4 [1,2,3,4,5]"]),
    ("shrink 5 to 3, a leaving leader steps back first", whole([1, 2, 3, 4, 5], leader=4), [1, 2, 3], {},
     ["apply 1 [1,2,3,4]", "apply 2 [1,2,3,4]", "apply 3 [1,2,3,4]", "apply 4 [1,2,3,4]", "remove 5 [1,2,3,4]",
      "apply 1 [1,2,3]", "apply 2 [1,2,3]", "apply 3 [1,2,3]", "remove 4 [1,2,3]"]),
    ("move a label: the new one joins before the old one leaves", dict(whole([1, 2, 3], leader=3), empty=[4]), [1, 2, 4], {},
     ["init 4 [1,2,3,4]", "apply 4 [1,2,3,4]", "apply 1 [1,2,3,4]", "apply 2 [1,2,3,4]", "apply 3 [1,2,3,4]",
      "apply 1 [1,2,4]", "apply 2 [1,2,4]", "apply 4 [1,2,4]", "remove 3 [1,2,4]"]),
    ("the only one to leave leads: it steps back first", whole([1, 2, 3, 4], leader=4), [1, 2, 3], {},
     ["bounce 4 [1,2,3,4]", "apply 1 [1,2,3]", "apply 2 [1,2,3]", "apply 3 [1,2,3]", "remove 4 [1,2,3]"]),
    ("a dead one of five leaves before others come", dict(whole([1, 2, 3, 4, 5], leader=1, m5=DOWN), empty=[6]), [1, 2, 3, 4, 6], {},
     ["apply 2 [1,2,3,4]", "apply 3 [1,2,3,4]", "apply 4 [1,2,3,4]", "apply 1 [1,2,3,4]", "remove 5 [1,2,3,4]",
      "init 6 [1,2,3,4,6]", "apply 6 [1,2,3,4,6]", "apply 1 [1,2,3,4,6]", "apply 2 [1,2,3,4,6]", "apply 3 [1,2,3,4,6]",
      "apply 4 [1,2,3,4,6]"]),
    ("grow 1 to 3: the second has a vote, the third has not", dict(whole([1]), empty=[2, 3]), [1, 2, 3], {},
     ["init! 2 [1,2]", "apply 1,2 [1,2]", "init 3 [1,2,3]", "apply 3 [1,2,3]", "apply 1,2 [1,2,3]"]),
    ("a single member moves", dict(whole([1]), empty=[2]), [2], {},
     ["init! 2 [1,2]", "apply 1,2 [1,2]", "apply 2 [2]", "remove 1 [2]"]),
    ("growth that stopped half way goes on", dict(whole([1, 2, 3], leader=2), members={
        1: member(1, [1, 2, 3, 4]), 2: member(2, [1, 2, 3], leader=True), 3: member(3, [1, 2, 3]), 4: member(4, [1, 2, 3, 4])}),
     [1, 2, 3, 4, 5], {"empty": [5]},
     ["apply 3 [1,2,3,4]", "apply 2 [1,2,3,4]",
      "init 5 [1,2,3,4,5]", "apply 5 [1,2,3,4,5]", "apply 1 [1,2,3,4,5]", "apply 2 [1,2,3,4,5]", "apply 3 [1,2,3,4,5]", "apply 4 [1,2,3,4,5]"]),
    ("limited to one host: only that one, and the list stays", dict(whole([1, 2, 3], leader=1), empty=[4]), [1, 2, 3, 4, 5],
     {"settings": "v2", "limit": [2]}, ["apply 2 [1,2,3]"]),
    ("a new host that could not be looked at: the list stays", whole([1, 2, 3], leader=1), [1, 2, 3], {"unseen": ["c04", "c05"]}, []),
    ("a label removed while its node is down, with consent", whole([1, 2, 3], leader=1, m3=DOWN), [1, 2], {"allow_outage": True},
     ["apply 1,2 [1,2]", "remove 3 [1,2]"]),
    ("a single member that does not serve moves: it stays until the other one has its data", dict(whole([1], leader=0, m1=UNREADY), empty=[2]), [2], {},
     ["init! 2 [1,2]", "apply 1,2 [1,2]", "apply 2 [2]", "remove 1 [2]"]),
    ("a first start that stopped half way goes on", dict(nothing([2, 3]), servers=[1, 2, 3]), [1, 2, 3], {},
     ["init! 1,2,3 [1,2,3]", "apply 1,2,3 [1,2,3]"]),
    ("a member serves on a node that is not ready, and nothing changes", whole([1, 2, 3], m2={"node_up": False}), [1, 2, 3], {}, []),
    ("its label is removed: it leaves first", whole([1, 2, 3, 4, 5], leader=1, m4={"node_up": False}), [1, 2, 3], {},
     ["apply 2 [1,2,3,5]", "apply 3 [1,2,3,5]", "apply 5 [1,2,3,5]", "apply 1 [1,2,3,5]", "remove 4 [1,2,3,5]",
      "bounce 5 [1,2,3,5]", "apply 1 [1,2,3]", "apply 2 [1,2,3]", "apply 3 [1,2,3]", "remove 5 [1,2,3]"]),
    ("a dead one of three is replaced with consent", dict(whole([1, 2, 3], leader=2, m3=DOWN), empty=[4]), [1, 2, 4], {"allow_outage": True},
     ["apply 1,2 [1,2]", "remove 3 [1,2]", "init 4 [1,2,4]", "apply 4 [1,2,4]", "apply 1,2 [1,2,4]"]),
]


@pytest.mark.parametrize("title,view,target,options,expected", PLANS, ids=[item[0] for item in PLANS])
def test_plan(title, view, target, options, expected):
    options = dict(options)
    view = dict(view, empty=options.pop("empty", view["empty"]))
    found = short(steps_of(view, target, **options))
    assert found == expected


REFUSED = [
    ("a follower's node is down, a roll is asked for", whole([1, 2, 3], leader=1, m3=DOWN), [1, 2, 3], {"settings": "v2"}, "quorum", "c03"),
    ("a follower is paused, a roll is asked for", whole([1, 2, 3], leader=1, m3=STUCK), [1, 2, 3], {"settings": "v2"}, "quorum", "c03"),
    ("no leader, a roll is asked for", whole([1, 2, 3], leader=0, m1=UNREADY, m2=DOWN, m3=DOWN), [1, 2, 3], {"settings": "v2"}, "quorum", "c03"),
    ("two of three lost their data", whole([1, 2, 3], leader=0, m1=UNREADY, m2=EMPTY, m3=EMPTY), [1, 2, 3], {}, "data_lost", "zookeeper-skp-2 (c02)"),
    ("all data lost after down", dict(whole([1, 2, 3]), members={}, empty=[1, 2, 3]), [1, 2, 3], {}, "data_lost", "skp_purge"),
    ("a dead one of three is replaced without consent", dict(whole([1, 2, 3], leader=2, m3=DOWN), empty=[4]), [1, 2, 4], {}, "quorum",
     "zookeeper_allow_outage"),
    ("growth while one of three is down", dict(whole([1, 2, 3], leader=2, m3=DOWN), empty=[4, 5]), [1, 2, 3, 4, 5], {}, "quorum", "c03"),
    ("shrink to one would stop writes", whole([1, 2, 3]), [1], {}, "quorum", "smaller than three; zookeeper_allow_outage"),
    ("consent does not help when the rest has no majority", whole([1, 2, 3, 4, 5], leader=0, m1=UNREADY, m2=UNREADY, m3=DOWN, m4=DOWN, m5=DOWN),
     [1, 2, 3, 4, 5], {"settings": "v2", "allow_outage": True}, "quorum", "c05"),
    ("the node of the joining one is down", dict(whole([1, 2, 3]), down=[4, 5]), [1, 2, 3, 4, 5], {}, "node_down", "c04"),
    ("first start without all nodes", nothing([1, 2]), [1, 2], {"unseen": ["c03"]}, "unseen", "c03"),
    ("first start limited to one host", nothing([1, 2, 3]), [1, 2, 3], {"limit": [1]}, "unseen", "--limit"),
    ("a member serves on a node that is paused, a roll is asked for", whole([1, 2, 3, 4, 5], leader=1, m3={"node_up": False}), [1, 2, 3, 4, 5],
     {"settings": "v2"}, "node_down", "zookeeper-skp-3 (c03)"),
    ("record lost, one of three was inspected, no service", dict(whole([1]), members={}, adopted=True), [1], {"unseen": ["c02", "c03"]}, "unseen", "c02, c03"),
    ("record lost, two of five in the limit, no service", dict(whole([1, 2, 3, 4, 5]), members={}, adopted=True), [1, 2, 3, 4, 5], {"limit": [1, 2]},
     "unseen", "--limit"),
    ("server lists that are not neighbours", dict(whole([1, 2, 3]), members={1: member(1, [1]), 2: member(2, [1, 2, 3], True), 3: member(3, [1, 2, 3])}),
     [1, 2, 3], {}, "lists", "playbook down"),
]


@pytest.mark.parametrize("title,view,target,options,kind,text", REFUSED, ids=[item[0] for item in REFUSED])
def test_refused_before_anything_is_touched(title, view, target, options, kind, text):
    with pytest.raises(Failure) as caught:
        steps_of(view, target, **options)
    assert caught.value.failure["kind"] == kind
    assert text in caught.value.msg


class Model:
    """What ZooKeeper 3.9 does with static lists, written from its election code and not from the plan.

    A server joins a running leader when a majority of its own list, itself not counted, follows that leader and the leader is in the list.
    A leader goes on while a majority of its own list follows it. A server without data has no vote; one with the marker has.
    """

    def __init__(self, view):
        self.lists = {n: tuple(m["servers"]) for n, m in view["members"].items()}
        self.up = {n for n, m in view["members"].items() if m["ready"]}
        self.alive = {n for n, m in view["members"].items() if m["node_up"]}
        self.data = {n for n, m in view["members"].items() if not m["empty"]} | (set(view["servers"]) - set(view["empty"]))
        self.marked = set()
        self.leader = next((n for n, m in view["members"].items() if m["leader"]), None)
        self.outages = 0

    def neighbours(self):
        """Any two majorities of lists in use share a member that has data."""
        for one, two in itertools.combinations(sorted(set(self.lists.values())), 2):
            union = set(one) | set(two)
            assert len(one) // 2 + 1 + len(two) // 2 + 1 > len(union), (one, two)

    def elect(self, among):
        """All of `among` look for a leader: those with a vote need a majority of their list; then the others join."""
        for number in sorted((n for n in among if n in self.data or n in self.marked), reverse=True):
            voters = {n for n in among if n in self.lists[number] and number in self.lists[n] and (n in self.data or n in self.marked)}
            if number in self.data and len(voters) >= len(self.lists[number]) // 2 + 1:
                self.leader, self.up = number, set(voters)
                break
        else:
            self.leader = None
            return
        for number in sorted(among):
            self.join(number)

    def join(self, number):
        following = [n for n in self.up if n in self.lists[number] and n != number]
        if number != self.leader and self.leader in self.lists[number] and len(following) >= len(self.lists[number]) // 2 + 1:
            self.up.add(number)
            self.data.add(number)

    def restart(self, numbers, servers):
        serving = self.leader is not None
        self.up -= set(numbers)
        if self.leader is not None:
            own = self.lists[self.leader]
            if self.leader in numbers or len([n for n in self.up if n in own]) < len(own) // 2 + 1:
                rest, self.up = set(self.up), set()
                self.elect(rest)
                if self.leader is None:
                    self.outages += serving
                    self.up = set()
                    rest |= set(numbers)
                    for number in numbers:
                        self.lists[number] = tuple(servers)
                    self.neighbours()
                    self.elect(rest & (self.alive | set(numbers)))
                    return
        for number in numbers:
            self.lists[number] = tuple(servers)
        self.neighbours()
        if self.leader is None:
            self.elect((self.up | set(numbers) | self.alive) & set(self.lists))
        for number in numbers:
            self.join(number)

    def run(self, steps):
        for step in steps:
            ids = step["ids"]
            if step["action"] == "init":
                if step["marker"]:
                    self.marked |= set(ids) - self.data
                    if not self.data:
                        self.data = set(ids)
                for number in ids:
                    if number in self.lists:
                        self.join(number)
            elif step["action"] == "remove":
                assert self.leader not in ids, "the leader was removed"
                for number in ids:
                    self.up.discard(number)
                    self.alive.discard(number)
                    del self.lists[number]
            else:
                if step["action"] == "apply" and len(ids) == 1 and ids[0] == self.leader:
                    behind = [n for n in step["servers"] if n in self.up and n != self.leader and self.lists[n] != tuple(step["servers"])]
                    assert not behind, "the leader before %s" % behind
                if step["wait"]:
                    self.alive |= set(ids)
                self.restart(ids, step["servers"] if step["action"] == "apply" else self.lists[ids[0]])
            if step["wait"]:
                assert set(ids) <= self.up | (set() if step["action"] != "remove" else set(ids)) or step["action"] == "init", (step, self.up)
                assert self.leader is not None or step["action"] == "init", (step, "no leader")


MOVES = [(old, new) for old in ([1], [1, 2, 3], [1, 2, 3, 4, 5], [2, 3, 7]) for new in
         ([1], [1, 2, 3], [1, 2, 4], [1, 2, 3, 4, 5], [4, 5, 6], [2, 3, 8], [1, 2, 3, 4, 5, 6, 7], [8, 9, 10])]


@pytest.mark.parametrize("old,new", MOVES, ids=["%s to %s" % pair for pair in MOVES])
def test_every_move_keeps_data_and_quorum(old, new):
    """Each growth, shrink and exchange runs on the model: it ends whole, and writes stop only where the ensemble is too small to roll."""
    for leader in old:
        known = set(old)
        target = [n for n in new if n in known] + [n + 20 for n in new if n not in known]
        view = dict(whole(old, leader=leader), empty=[n for n in target if n not in known])
        try:
            steps = steps_of(view, target)
            consent = False
        except Failure as exc:
            assert exc.failure["kind"] == "quorum" and len(target) < 3 <= len(old), exc.msg
            steps = steps_of(view, target, allow_outage=True)
            consent = True
        model = Model(view)
        model.run(steps)
        assert sorted(model.lists) == sorted(target) and {tuple(item) for item in model.lists.values()} == {tuple(sorted(target))}
        assert model.up == set(target) and model.leader in target
        if min(len(old), len(target)) >= 3:
            assert model.outages == 0, short(steps)
        else:
            assert consent or model.outages <= 3
        assert sum(step["action"] == "apply" and len(step["ids"]) > 1 for step in steps) == 0 or min(len(old), len(target)) < 3


@pytest.mark.parametrize("size", [3, 5, 7])
def test_a_roll_on_the_model(size):
    ids = list(range(1, size + 1))
    for leader in ids:
        view = whole(ids, leader=leader)
        steps = steps_of(view, ids, settings="v2")
        model = Model(view)
        model.run(steps)
        assert [step["ids"] for step in steps][-1] == [leader] and len(steps) == size and model.outages == 0


def test_the_leader_dies_between_two_steps_and_nobody_is_restarted_twice():
    view = whole([1, 2, 3], leader=3)
    hosts = hosts_of([1, 2, 3])

    def wish(number, servers):
        return wanted(number, servers, "v2")

    done = []
    names = plan.names_of("zookeeper-skp", hosts)
    while True:
        step = plan.next_step(view, [1, 2, 3], wish, names)
        if step is None:
            break
        done += step["ids"]
        view = plan.after(view, step, wish, hosts)
        if len(done) == 1:
            view["members"][3]["leader"], view["members"][1]["leader"] = False, True
    assert sorted(done) == [1, 2, 3]


def test_order_of_hosts_never_matters():
    """All orders of three hosts: same ids, same hashes, no step."""
    first = plan_members(empty_record("zookeeper"), ["c01", "c02", "c10"], {"c01": None, "c02": None, "c10": None})["record"]
    for hosts in itertools.permutations(["c01", "c02", "c10"]):
        members = plan_members(first, list(hosts), {host: first["members"][host] for host in hosts})
        fresh = plan_members(empty_record("zookeeper"), list(hosts), {host: None for host in hosts})
        assert not members["changed"] and members["ids"] == fresh["ids"] == {"c01": 1, "c02": 2, "c10": 3}
        assert steps_of(whole(members["ids"].values()), list(members["ids"].values())) == []


@pytest.mark.parametrize("others, refused", [({}, False), ({"old-zk": ["old-zk-1", "old-zk-2"]}, True)])
def test_a_new_prefix_over_running_members_is_refused(others, refused):
    """Two servers would write to each data directory."""
    if not refused:
        plan.check_prefix("zookeeper-skp", others)
        return
    with pytest.raises(Failure) as caught:
        plan.check_prefix("zookeeper-skp", others)
    assert caught.value.failure["kind"] == "prefix_changed"
    for text in ("zookeeper_name", "old-zk-1, old-zk-2", "zookeeper_name: old-zk", "playbooks/down.yml --tags zookeeper", "zookeeper-skp"):
        assert text in caught.value.msg


@pytest.mark.parametrize("count,allowed", [(0, False), (2, False), (4, False), (1, True), (3, True), (5, True)])
def test_size(count, allowed):
    hosts = ["c%02d" % number for number in range(count)]
    if allowed:
        plan.check_size(hosts, False)
    else:
        with pytest.raises(Failure, match=str(count)):
            plan.check_size(hosts, False)


def test_an_even_number_can_be_allowed_but_none_cannot():
    plan.check_size(["c01", "c02"], True)
    with pytest.raises(Failure):
        plan.check_size([], True)


@pytest.mark.parametrize("found", ["nfs4", "fuse.sshfs", "cifs", "FUSE.s3fs", "tmpfs", "9p"])
def test_file_systems_that_cannot_keep_a_log(found):
    with pytest.raises(Failure) as caught:
        plan.check_filesystems({"c01": "ext4", "c02": found})
    assert "c02" in caught.value.msg and found.lower() in caught.value.msg


@pytest.mark.parametrize("found", ["ext4", "xfs", "btrfs", "zfs", "overlay", "", None])
def test_file_systems_that_can(found):
    plan.check_filesystems({"c01": found})
