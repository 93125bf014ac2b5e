# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""skp_zk_ensemble: how long it asks members that do not answer, what it records before the first start, what an interrupted run leaves behind."""

from __future__ import annotations

import types

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.engine import client
from ansible_collections.skp.cluster.plugins.module_utils.engine.client import EngineError
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.zookeeper import io as zk_io
from ansible_collections.skp.cluster.plugins.module_utils.zookeeper.io import Ensemble, Probe
from ansible_collections.skp.cluster.plugins.modules import skp_zk_ensemble


class Answers(Ensemble):
    """An ensemble that gives these views one after the other."""

    def __init__(self, *serving):
        self.views = [{"members": {n: {"node_up": True} for n in (1, 2, 3)}, "serving": members} for members in serving]
        self.target, self.hosts, self.wanted = [1, 2, 3], {1: "c01", 2: "c02", 3: "c03"}, None
        self.state = {"nodes": [{"host": host, "ready": True, "active": True} for host in self.hosts.values()]}

    def view(self, assume_nodes=False):
        return self.views[0]

    def observe(self):
        return self.views.pop(0)


def steps(view, *dummy, **options):
    """A plan that needs all members."""
    late = sorted({1, 2, 3} - set(view["serving"]))
    if late:
        raise Failure("no quorum without %s" % late, kind="quorum", not_serving=late)
    return ["a step"]


@pytest.mark.parametrize("check", [True, False], ids=["dry run", "run"])
def test_a_member_that_answers_late_is_asked_again(monkeypatch, check):
    """A dry run that gave up at once would refuse what the real run then does."""
    monkeypatch.setattr(skp_zk_ensemble, "zk_plan", types.SimpleNamespace(
        check_move=lambda *args: None, is_settled=lambda *args, **options: False, plan_steps=steps))
    module = types.SimpleNamespace(check_mode=check, params={"data_policy": "refuse"})
    assert skp_zk_ensemble.planned_steps(module, Answers([1, 3], [1, 2, 3]), None, {}) == ["a step"]


class Record:
    """A record that keeps a list of the facts written."""

    def __init__(self):
        self.facts, self.written, self.plan = {}, [], {"unseen": []}

    def write(self, **facts):
        self.facts.update(facts)
        self.written.append(dict(self.facts))

    def label_nodes(self):
        self.written.append("labels")


def test_a_first_start_is_recorded_before_the_first_id_is_written(monkeypatch):
    """Ids on one node of three and no word of it in the record looked like an ensemble that had lost its data."""
    record, seen = Record(), []
    init = {"action": "init", "ids": [1, 2, 3], "servers": [1, 2, 3], "wait": True, "reason": "first", "marker": True}

    def do(step):
        seen.append((step["action"], dict(record.facts)))
        raise Failure("disk full", kind="init")

    ensemble = types.SimpleNamespace(judge=lambda judgement: init, do=do, target=[1, 2, 3], wanted=None, clear_leftovers=lambda: None)
    with pytest.raises(Failure):
        skp_zk_ensemble.apply(None, ensemble, record, [init], types.SimpleNamespace(all=str), {"limit": None}, {})
    assert seen == [("init", {"bootstrapping": True, "servers": [1, 2, 3]})]
    assert "bootstrapped" not in record.facts


def test_one_shot_services_of_an_interrupted_run_are_removed_first():
    record, removed = Record(), []
    ensemble = types.SimpleNamespace(clear_leftovers=lambda: removed.append(True), judge=lambda judgement: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        skp_zk_ensemble.apply(None, ensemble, record, ["a step"], None, {"limit": None}, {})
    assert removed


class Engine:
    """Answers of an engine, one after the other; an exception is raised."""

    def __init__(self, monkeypatch, **answers):
        self.answers, self.calls = answers, []
        for verb in ("get", "post", "delete"):
            monkeypatch.setattr(zk_io.engine, verb, self.answer(verb))
        monkeypatch.setattr(zk_io.time, "sleep", lambda seconds: None)

    def answer(self, verb):
        def call(dummy_client, path, dummy_body=None, **dummy):
            self.calls.append((verb, path))
            for word, given in self.answers.items():
                if path.replace("/", "_").endswith(word):
                    one = given.pop(0) if isinstance(given, list) else given
                    if isinstance(one, Exception):
                        raise one
                    return one
            return {}
        return call


def test_a_manager_that_attaches_its_networks_is_asked_again(monkeypatch):
    """A manager that has just booted: "network not found" for some seconds."""
    engine = Engine(monkeypatch, _start=[EngineError("network net-skp not found", status=404, kind="api"), {}])
    Probe(None, "img", "net-skp", "zookeeper", 60)._start()
    assert [path.rpartition("/")[2] for dummy, path in engine.calls].count("start") == 2


def test_a_probe_that_has_ended_is_started_again(monkeypatch):
    engine = Engine(monkeypatch, _exec_e1_start=b"", _exec=[EngineError("No such container", status=404, kind="api"), {"Id": "e1"}])
    probe = Probe(None, "img", "net-skp", "zookeeper", 60)
    probe.started = True
    assert probe.srvr(["zookeeper-skp-1"]) == {"zookeeper-skp-1": ""}
    assert ("post", "/containers/create") in engine.calls


def test_a_restart_is_tried_again_when_swarm_wrote_the_service_meanwhile(monkeypatch):
    raw = {"Spec": {"TaskTemplate": {}}, "Version": {"Index": 7}}
    engine = Engine(monkeypatch, _services_s1_update=[EngineError("rpc error: update out of sequence", kind="api"), {}], _services_s1=raw)
    ensemble = Ensemble(None, "zookeeper", "zookeeper-skp", [1], {}, {}, {}, None, None, None, 10)
    ensemble.state, ensemble.await_serving = {"services": {"zookeeper-skp-1": {"id": "s1"}}, "tasks": []}, lambda numbers, stale: None
    ensemble.do({"action": "bounce", "ids": [1]})
    assert [call for call in engine.calls if call[0] == "post"] == [("post", "/services/s1/update")] * 2


def test_a_restart_whose_answer_was_lost_is_not_done_twice(monkeypatch):
    counts, posted = [0, 1], []
    monkeypatch.setattr(client, "get", lambda *args, **options: {"Spec": {"TaskTemplate": {"ForceUpdate": counts.pop(0)}}, "Version": {"Index": 7}})

    def post(_client, path, body, **options):
        posted.append(body["TaskTemplate"]["ForceUpdate"])
        raise EngineError("rpc error: code = DeadlineExceeded desc = context deadline exceeded", kind="api")

    monkeypatch.setattr(client, "post", post)
    ensemble = Ensemble(None, "zookeeper", "zookeeper-skp", [1], {}, {}, {}, None, None, None, 10)
    ensemble.state, ensemble.await_serving = {"services": {"zookeeper-skp-1": {"id": "s1"}}, "tasks": []}, lambda numbers, stale: None
    ensemble.do({"action": "bounce", "ids": [1]})
    assert posted == [1]


SERVES = "Zookeeper version: 3.9.5-1, built\nZxid: 0x100000002\nMode: follower\n"
ELECTS = "This ZooKeeper instance is not currently serving requests\n"


def frame(text):
    return b"\x01\x00\x00\x00" + len(text).to_bytes(4, "big") + text.encode()


@pytest.mark.parametrize("case, containers, said, asked, refused", [
    ("the member here serves", ["zookeeper-skp-1"], SERVES, [], False),
    ("another service is here", ["kafka-skp-1"], ELECTS, [], False),
    ("it does not, others lead", ["zookeeper-skp-1"], ELECTS, [{1: "", 2: SERVES.replace("follower", "leader"), 3: SERVES}], False),
    ("an election ends", ["zookeeper-skp-1"], ELECTS, [{1: "", 2: "", 3: ""}, {1: "", 2: SERVES.replace("follower", "leader"), 3: SERVES}], False),
    ("the container is paused", ["zookeeper-skp-1"], EngineError("container is paused", status=409, kind="api"), [{1: "", 2: "", 3: ""}] * 9, True),
    ("nobody leads", ["zookeeper-skp-1"], ELECTS, [{1: ELECTS, 2: ELECTS, 3: ""}] * 9, True),
])
def test_members_that_run_but_have_no_leader_are_no_success(monkeypatch, case, containers, said, asked, refused):
    """Tasks run, ruok is answered, and nobody can read or write: a run with nothing to change said ok."""
    monkeypatch.setattr(zk_io.time, "sleep", lambda seconds: None)
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(zk_io.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(zk_io.engine, "get", lambda *args, **options: [
        {"Id": "c-" + name, "Labels": {"com.docker.swarm.service.name": name}} for name in containers])

    def post(_client, path, *args, **options):
        if isinstance(said, Exception):
            raise said
        return {"Id": "e1"} if path.startswith("/containers") else frame(said)

    monkeypatch.setattr(zk_io.engine, "post", post)
    answers = iter(asked)
    probe = types.SimpleNamespace(srvr=lambda names: {name: text for name, (_number, text) in zip(names, sorted(next(answers).items()))})
    ensemble = Ensemble(None, "zookeeper", "zookeeper-skp", [1, 2, 3], {1: "c01", 2: "c02", 3: "c03"}, {}, {}, None, None, probe, 10)
    services = {"zookeeper-skp-%d" % number: {"id": "s%d" % number, "spec": {"Name": "x", "Labels": {"skp.role": "zookeeper"}, "TaskTemplate": {}}}
                for number in (1, 2, 3)}
    ensemble.state = {"services": services}
    if refused:
        with pytest.raises(Failure, match="no member leads, so nobody can read or write"):
            ensemble.require_leader()
    else:
        ensemble.require_leader()
