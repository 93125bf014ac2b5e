# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a specification says: of which role and host it is, and that the engine's answer compares equal to what was sent."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service
from ansible_collections.skp.cluster.plugins.module_utils.service.spec import Spec, matches


def payload(**options):
    return build_service(dict({"name": "web-1", "image": "base:trixie", "host": "c01"}, **options), "web", "net-skp", {})["payload"]


@pytest.mark.parametrize(
    "constraints, answer",
    [
        ([], True),
        (["node.labels.web==enable"], True),
        (["node.labels.web == ENABLE"], True),
        (["node.labels.web!=enable"], False),
        (["node.labels.none!=x"], True),
        (["node.labels.web==enable", "node.labels.skp.host==c2"], False),
        (["node.role==worker"], False),
    ],
)
def test_constraints(constraints, answer):
    assert matches(constraints, {"node.labels.skp.host": "c1", "node.labels.web": "enable"}) is answer


FULL = dict(
    env={"B": 1, "A": 2},
    command=["x"],
    init=True,
    cap_drop=["ALL"],
    cap_add=["CHOWN"],
    aliases=["web"],
    ports=[{"target": 80}],
    configs=[{"name": "c", "content": "c", "target": "/c"}],
    limits={"memory": "64m", "cpus": 0.5, "pids": 9},
    mounts=[{"source": "/b", "target": "/b"}, {"type": "tmpfs", "target": "/a"}],
    log={"driver": "json-file", "options": {"max-size": "1m"}},
)


def engine_answer():
    """What engine 26.1.5 gives back for FULL: ids, its own fields, another order."""
    spec = copy.deepcopy(payload(**FULL))
    task = spec["TaskTemplate"]
    task.update(ForceUpdate=2, Runtime="container")
    task["Networks"][0]["Target"] = "netid"
    task["RestartPolicy"]["MaxAttempts"] = 0
    task["Resources"]["Reservations"] = {}
    task["ContainerSpec"].update(Isolation="default", DNSConfig={}, Env=["B=1", "A=2"])
    task["ContainerSpec"]["Configs"][0]["ConfigID"] = "cfgid"
    task["ContainerSpec"]["CapabilityAdd"] = ["CHOWN"]
    task["ContainerSpec"]["Mounts"].reverse()
    return spec


def test_the_engines_answer_compares_equal():
    answer, ours = Spec(engine_answer(), {"netid": "net-skp"}), Spec(payload(**FULL))
    assert answer.changes_to(ours) == [] and answer.fingerprint == ours.fingerprint
    assert not answer.edited and not ours.edited, "the label of the last run tells the same, without the wish"


@pytest.mark.parametrize(
    "change, field",
    [
        (lambda spec: spec["TaskTemplate"]["ContainerSpec"]["Env"].append("X=1"), "TaskTemplate.ContainerSpec.Env"),
        (lambda spec: spec["Mode"]["Replicated"].update(Replicas=0), "Mode"),
        (lambda spec: spec["EndpointSpec"]["Ports"].pop(), "EndpointSpec.Ports"),
        (lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(User="root"), "TaskTemplate.ContainerSpec.User"),
        (lambda spec: spec["TaskTemplate"]["Networks"][0].update(Target="otherid"), "TaskTemplate.Networks"),
        (lambda spec: spec["TaskTemplate"]["Placement"]["Constraints"].append("node.role==manager"), "TaskTemplate.Placement.Constraints"),
        (lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(Init=False), "TaskTemplate.ContainerSpec.Init"),
        (lambda spec: spec["Labels"].update(mine="1"), "Labels.mine"),
    ],
)
def test_what_a_person_changed_is_seen(change, field):
    spec = engine_answer()
    change(spec)
    answer, ours = Spec(spec, {"netid": "net-skp"}), Spec(payload(**FULL))
    fields = answer.changes_to(ours)
    assert answer.fingerprint != ours.fingerprint
    assert len(fields) == 1 and fields[0].startswith(field)
    assert answer.edited


def test_whose_it_is_and_what_it_uses():
    spec = Spec(payload(configs=[{"name": "c", "content": "c", "target": "/c"}], secrets=[{"name": "pw", "content": "geheim"}]))
    assert (spec.role, spec.host, spec.mode) == ("web", "c01", "Replicated")
    assert [name.rsplit("-", 1)[0] for kind in ("config", "secret") for name in spec.objects(kind)] == ["web-c", "web-pw"]
    assert spec.allows({"facts": {"node.labels.skp.host": "c01"}}) and not spec.allows({"facts": {"node.labels.skp.host": "c02"}})


def test_a_service_of_a_third_party():
    spec = Spec({"Name": "x", "Mode": {"Global": {}}, "TaskTemplate": {"ContainerSpec": {"Image": "x"}}})
    assert (spec.role, spec.host, spec.mode, spec.constraints, spec.objects("config")) == (None, None, "Global", [], set())
