# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From state and wish to actions: what is created, updated, removed, left alone, refused."""

from __future__ import annotations

import copy

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.service.plan import (
    EMPTY_STATE,
    asks_gate_after,
    gate_container,
    missing_everywhere,
    missing_nodes,
    old_secrets,
    order_serial,
    plan_labels,
    plan_networks,
    plan_placement,
    plan_services,
    removed_elsewhere,
    running_names,
    starting_names,
    stopped_on_paused,
    with_labels,
    with_names,
)
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service


def wish(name, host=None, label=None, role="web", digest="sha256:aa", **options):
    image = "localhost:5000/web:1"
    return build_service(dict({"name": name, "image": image, "host": host, "label": label}, **options), role, "net", {image: digest})


def node(host, labels=(), ready=True):
    facts = {"node.labels.skp.host": host}
    facts.update({"node.labels.%s" % label: "enable" for label in labels})
    return {
        "id": "node-" + host,
        "hostname": "h-" + host,
        "host": host,
        "ready": ready,
        "active": True,
        "state": "ready" if ready else "down",
        "availability": "active",
        "facts": facts,
    }


def state_of(*services, nodes=(), update_state=""):
    """A swarm in which these services were created by an earlier run."""
    state = copy.deepcopy(EMPTY_STATE)
    state["networks"] = {"netid": "net"}
    state["nodes"] = list(nodes)
    for service in services:
        spec = copy.deepcopy(service["payload"])
        spec["TaskTemplate"]["Networks"][0]["Target"] = "netid"
        state["services"][service["name"]] = {"id": "id-" + service["name"], "version": 7, "spec": spec, "update_state": update_state}
        for kind in ("configs", "secrets"):
            for name, item in service[kind].items():
                state[kind][name] = {"id": "id-" + name, "hash": item["hash"], "text": item["text"]}
    return state


def done(plan):
    return [(action["do"], action["name"]) for action in plan["actions"]]


CONFIG = [{"name": "c", "content": "one\n", "target": "/c"}]
OTHER = [{"name": "c", "content": "two\n", "target": "/c"}]
ONE, TWO, ALL = wish("web-1", "c1"), wish("web-2", "c2"), wish("web", label="web")


@pytest.mark.parametrize(
    "case, before, after, actions",
    [
        ("first run", [], [ONE, TWO], [("create", "web-1"), ("create", "web-2")]),
        ("second run", [ONE, ALL], [ALL, ONE], []),
        ("natural order", [], [wish("web-10", "c10"), TWO], [("create", "web-2"), ("create", "web-10")]),
        ("label left", [ONE, TWO], [ONE], [("remove", "web-2")]),
        ("removals come first", [ONE], [TWO], [("remove", "web-1"), ("create", "web-2")]),
        ("environment", [ONE], [wish("web-1", "c1", env={"A": "1"})], [("update", "web-1")]),
        ("a new digest behind the same tag", [ONE], [wish("web-1", "c1", digest="sha256:bb")], [("update", "web-1")]),
        ("an image that is to be built", [ONE], [wish("web-1", "c1", digest=None)], [("update", "web-1")]),
        ("by member becomes by label", [ONE], [wish("web-1", label="web")], [("replace", "web-1")]),
        ("all down", [ONE, TWO, ALL], [], [("remove", "web"), ("remove", "web-1"), ("remove", "web-2")]),
    ],
)
def test_actions(case, before, after, actions):
    plan = plan_services(state_of(*before), after, "web")
    assert done(plan) == actions
    assert plan["changed"] == bool(actions)
    assert len(plan["diff"]) == len(actions)


def test_only_what_changed_is_touched():
    plan = plan_services(state_of(ONE, TWO), [ONE, wish("web-2", "c2", env={"A": "1"})], "web")
    assert done(plan) == [("update", "web-2")] and plan["unchanged"] == ["web-1"]
    assert plan["actions"][0]["fields"] == ["Labels.skp.hash", "TaskTemplate.ContainerSpec.Env"]


@pytest.mark.parametrize(
    "case, change, restarts",
    [
        ("scaled to nothing by hand", lambda spec: spec["Mode"]["Replicated"].update(Replicas=0), False),
        ("environment by hand", lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(Env=["X=1"]), True),
        ("our hash label removed", lambda spec: spec["Labels"].pop("skp.hash"), False),
        ("moved by hand", lambda spec: spec["TaskTemplate"]["Placement"].update(Constraints=["node.labels.skp.host==c9"]), True),
    ],
)
def test_a_change_by_hand_is_put_back(case, change, restarts):
    state = state_of(ONE)
    change(state["services"]["web-1"]["spec"])
    plan = plan_services(state, [ONE], "web")
    assert done(plan) == [("update", "web-1")] and plan["actions"][0]["restarts"] is restarts


def test_an_update_by_force_is_no_change():
    state = state_of(ONE)
    state["services"]["web-1"]["spec"]["TaskTemplate"]["ForceUpdate"] = 3
    assert not plan_services(state, [ONE], "web")["changed"]


def test_a_paused_update_is_taken_up_again():
    assert done(plan_services(state_of(ALL, update_state="paused"), [ALL], "web")) == [("update", "web")]
    assert done(plan_services(state_of(ALL, update_state="completed"), [ALL], "web")) == []


def test_configs_are_made_and_dropped_with_their_content_in_the_diff():
    old, new = wish("web-1", "c1", configs=CONFIG), wish("web-1", "c1", configs=OTHER)
    plan = plan_services(state_of(old), [new], "web")
    assert list(plan["configs"]["create"]) == list(new["configs"]) and list(plan["configs"]["drop"]) == list(old["configs"])
    assert [(entry["before"], entry["after"]) for entry in plan["diff"][1:]] == [("one\n", "two\n")]


def test_a_config_in_use_elsewhere_stays():
    shared = [wish("web-1", "c1", configs=CONFIG), wish("web-2", "c2", configs=CONFIG)]
    plan = plan_services(state_of(*shared), [shared[0]], "web")
    assert plan["configs"] == {"create": {}, "drop": {}}
    # Also when the other one is only left alone because of --limit.
    limited = plan_services(state_of(*shared), [wish("web-1", "c1", configs=OTHER), shared[1]], "web", limit_hosts=["c1"])
    assert limited["configs"]["drop"] == {} and len(limited["configs"]["create"]) == 1


def test_a_left_over_config_is_dropped_though_no_service_changes():
    state = state_of(ONE)
    state["configs"]["web-old-123456789012"] = {"id": "x", "hash": "h", "text": "old\n"}
    plan = plan_services(state, [ONE], "web")
    assert plan["changed"] and plan["actions"] == [] and plan["configs"]["drop"] == {"web-old-123456789012": "x"}


def test_secrets_appear_as_a_hash_only():
    plan = plan_services(EMPTY_STATE, [wish("web-1", "c1", secrets=[{"name": "pw", "content": "geheim"}])], "web")
    assert "geheim" not in str(plan["diff"]) and "hash: " in plan["diff"][-1]["after"]


@pytest.mark.parametrize(
    "case, before, after, kind",
    [("another role's service", [wish("web-1", "c1", role="other")], [ONE], "foreign_service"), ("twice", [], [ONE, ONE], "duplicate")],
)
def test_refusals(case, before, after, kind):
    with pytest.raises(Failure) as caught:
        plan_services(state_of(*before), after, "web")
    assert caught.value.failure["kind"] == kind and "web-1" in caught.value.msg


def test_another_roles_services_are_never_removed():
    assert plan_services(state_of(wish("x", "c1", role="other")), [], "web")["actions"] == []


NODES = [node("c1", ["web"]), node("c2"), node("c3", ["web"])]


@pytest.mark.parametrize(
    "case, before, after, limit, actions, skipped",
    [
        (
            "another host's update",
            [ONE, TWO],
            [wish("web-1", "c1", env={"A": 1}), wish("web-2", "c2", env={"A": 1})],
            ["c2"],
            [("update", "web-2")],
            ["web-1"],
        ),
        ("another host's removal", [ONE, TWO], [TWO], ["c2"], [], ["web-1"]),
        ("another host's creation", [], [ONE, TWO], ["c2"], [("create", "web-2")], ["web-1"]),
        ("moved away from the limit's host", [ONE], [wish("web-1", "c2")], ["c1"], [("update", "web-1")], []),
        ("by label, limit has the label", [ALL], [wish("web", label="web", env={"A": 1})], ["c3"], [("update", "web")], []),
        ("by label, limit has not", [ALL], [wish("web", label="web", env={"A": 1})], ["c2"], [], ["web"]),
    ],
)
def test_limit(case, before, after, limit, actions, skipped):
    plan = plan_services(state_of(*before, nodes=NODES), after, "web", limit_hosts=limit)
    assert (done(plan), plan["skipped"]) == (actions, skipped)


PATH = "/var/lib/skp/web"
DATA1, DATA2, DATA3 = (wish("web-%d" % number, "c%d" % number, owns_data=PATH) for number in (1, 2, 3))
SINGLE1, SINGLE3 = wish("db", "c1", owns_data=PATH), wish("db", "c3", owns_data=PATH)


def places(**hosts):
    return {name.replace("_", "-"): {"host": host, "path": PATH} for name, host in hosts.items()}


def elsewhere(**hosts):
    return {name: dict(place, path="/old/web") for name, place in places(**hosts).items()}


MOUNTED, MOUNTED_BEFORE = (wish("db", "c1", owns_data=path, mounts=[{"source": path, "target": "/data"}]) for path in (PATH, "/old/web"))


@pytest.mark.parametrize(
    "case, record, before, after, limit, policy, result",
    [
        ("first run", {}, [], [DATA1, DATA2], [], "refuse", places(web_1="c1", web_2="c2")),
        ("second run", places(web_1="c1"), [DATA1], [DATA1], [], "refuse", places(web_1="c1")),
        ("no data, no record", {}, [], [ONE], [], "refuse", {}),
        ("one member more", places(web_1="c1"), [DATA1], [DATA1, DATA2], [], "refuse", places(web_1="c1", web_2="c2")),
        (
            "one member less is remembered",
            places(web_1="c1", web_2="c2"),
            [DATA1, DATA2],
            [DATA1],
            [],
            "refuse",
            places(web_1="c1", web_2="c2"),
        ),
        ("and may return", places(web_1="c1", web_2="c2"), [DATA1], [DATA1, DATA2], [], "refuse", places(web_1="c1", web_2="c2")),
        ("even while another leaves", places(web_1="c1", web_2="c2"), [DATA1], [DATA2], [], "refuse", places(web_1="c1", web_2="c2")),
        ("one of another kind comes", places(db="c1"), [SINGLE1], [DATA2], [], "refuse", places(db="c1", web_2="c2")),
        ("moved, left behind", places(db="c1"), [SINGLE1], [SINGLE3], [], "leave", places(db="c3")),
        ("moved, copied", places(db="c1"), [SINGLE1], [SINGLE3], [], "moved", places(db="c3")),
        ("label moved between members, left behind", places(web_1="c1"), [DATA1], [DATA3], [], "leave", places(web_1="c1", web_3="c3")),
        ("moved to another directory", elsewhere(db="c1"), [SINGLE1], [SINGLE1], [], "moved", places(db="c1")),
        ("another directory, left behind", elsewhere(db="c1"), [SINGLE1], [SINGLE1], [], "leave", places(db="c1")),
        ("another directory, outside the limit", elsewhere(db="c1"), [SINGLE1], [SINGLE1], ["c2"], "refuse", elsewhere(db="c1")),
        ("record lost, the mount is the same", {}, [MOUNTED], [MOUNTED], [], "refuse", places(db="c1")),
        ("the move concerns no host of the limit", places(db="c1"), [SINGLE1], [SINGLE3], ["c2"], "refuse", places(db="c1")),
        ("another host leaves outside the limit", places(web_1="c1"), [DATA1], [DATA3], ["c3"], "refuse", places(web_1="c1", web_3="c3")),
    ],
)
def test_placement_is_remembered(case, record, before, after, limit, policy, result):
    assert plan_placement(record, state_of(*before), after, "web", policy, limit) == result


@pytest.mark.parametrize(
    "case, record, before, after, limit, words",
    [
        ("single member moved", places(db="c1"), [SINGLE1], [SINGLE3], [], ["db", "c1", "c3"]),
        ("record lost, the service still knows", {}, [SINGLE1], [SINGLE3], [], ["db", "c1", "c3"]),
        ("removed in one run, elsewhere in the next", places(db="c1"), [], [SINGLE3], [], ["db", "c1", "c3"]),
        (
            "a member leaves, a new one enters",
            places(web_1="c1", web_2="c2"),
            [DATA1, DATA2],
            [DATA1, DATA3],
            [],
            ["web-2", "c2", "web-3", "c3"],
        ),
        ("another directory", elsewhere(web_1="c1", web_2="c2"), [DATA1, DATA2], [DATA1, DATA2], [], ["web-1", "c1", "web-2", "/old/web", "web_data_dir"]),
        ("another directory, the service is removed", elsewhere(db="c1"), [], [SINGLE1], [], ["db", "c1", "/old/web"]),
        ("another directory, record lost, the mount still knows", {}, [MOUNTED_BEFORE], [MOUNTED], [], ["db", "c1", "/old/web"]),
        ("limit has the new host", places(db="c1"), [SINGLE1], [SINGLE3], ["c3"], ["db", "c1", "c3"]),
    ],
)
def test_data_is_never_left_silently(case, record, before, after, limit, words):
    with pytest.raises(Failure) as caught:
        plan_placement(record, state_of(*before), after, "web", "refuse", limit)
    assert caught.value.failure["kind"] == "data_moved"
    for word in words + [PATH, "web_data_policy=moved", "web_data_policy=leave"]:
        assert word in caught.value.msg


def test_missing_nodes():
    state = state_of(nodes=NODES)
    assert missing_nodes(state, [ONE, wish("web-9", "c9"), ALL]) == {"web-9": "c9"}
    assert missing_nodes(state, [wish("web-9", "c9")], ["c1"]) == {}


def test_serial_order():
    """What stops nothing that runs goes first and at once; then one by one, removals last."""
    before = [wish("web-%d" % number, "c%d" % number) for number in (1, 2, 3)]
    after = [wish("web-%d" % number, "c%d" % number, env={"A": 1}) for number in (1, 2, 4)]
    plan = plan_services(state_of(*before), after, "web")
    first, gated = order_serial(plan, running={"web-1", "web-3"})
    assert [action["name"] for action in first] == ["web-4", "web-2"]
    assert [(action["do"], action["name"]) for action in gated] == [("update", "web-1"), ("remove", "web-3")]


def test_serial_follows_the_order_of_the_role():
    """What others need first, for example the service that migrates their database, comes first, whatever its name."""
    names = ("web-metadata", "web", "web-flower")
    before, after = ([wish(name, "c1", env={"A": version}) for name in names] for version in (1, 2))
    plan = plan_services(state_of(*before), after, "web")
    assert [action["name"] for action in order_serial(plan, running=set(names))[1]] == list(names)


@pytest.mark.parametrize(
    "case, node_state, state, desired, running",
    [
        ("runs", "ready", "running", "running", True),
        ("is being stopped", "ready", "running", "shutdown", False),
        ("crashed", "ready", "failed", "running", False),
        ("its node died before the swarm moved the task", "down", "running", "running", False),
        ("a new leader has not heard from its node", "unknown", "running", "running", True),
    ],
)
def test_what_runs(case, node_state, state, desired, running):
    """The gate of a service that leaves was asked while its node was dead: it waited for that broker for its whole timeout."""
    nodes = [dict(node("c1"), ready=node_state == "ready", state=node_state)]
    snapshot = state_of(ONE, TWO, nodes=nodes)
    snapshot["tasks"] = [{"ServiceID": "id-web-1", "NodeID": "node-c1", "DesiredState": desired, "Status": {"State": state}}]
    assert running_names(snapshot) == ({"web-1"} if running else set())


@pytest.mark.parametrize("task_state, node_state, waits", [("starting", "ready", True), ("running", "ready", False), ("starting", "down", False),
                                                           ("failed", "ready", False)])
def test_what_is_about_to_run_is_waited_for_before_the_order_is_decided(task_state, node_state, waits):
    """Engines before 25 call a broker that serves "starting" for 10 s: taken for one that does not run, all would be updated at once, without the gate."""
    nodes = [dict(node("c1"), ready=node_state == "ready", state=node_state)]
    snapshot = state_of(ONE, TWO, nodes=nodes)
    snapshot["tasks"] = [{"ServiceID": "id-web-1", "NodeID": "node-c1", "DesiredState": "running", "Status": {"State": task_state}}]
    update = {"do": "update", "name": "web-1", "id": "id-web-1", "restarts": True}
    assert starting_names(snapshot, [update, {"do": "create", "name": "web-3"}]) == ({"web-1"} if waits else set())
    assert starting_names(snapshot, [dict(update, restarts=False)]) == set()


@pytest.mark.parametrize("do, asked", [("update", True), ("replace", True), ("remove", False)])
def test_the_gate_is_not_asked_after_a_removal(do, asked):
    """Partitions of a broker that left stay under-replicated: a gate asked after its removal never opened, for its whole timeout."""
    assert asks_gate_after({"do": do, "name": "kafka-skp-3"}) is asked


def test_the_command_of_a_gate_replaces_the_entry_point():
    """Given as arguments it was eaten by the image's own entry point: the gate never opened."""
    body = gate_container({"command": ["bash", "-c", "exit 0"]}, "img@sha256:aa", "kafka", "net-skp")
    assert (body["Entrypoint"], body["Cmd"]) == (["bash", "-c", "exit 0"], [])
    assert body["HostConfig"]["NetworkMode"] == "net-skp"


def test_a_gate_may_do_no_more_than_ask():
    """It runs on a manager: no capability, no new privileges, a limit of processes, nothing to write but memory."""
    host = gate_container({"command": ["ask"]}, "img@sha256:aa", "kafka", "net-skp")["HostConfig"]
    assert (host["CapDrop"], host["SecurityOpt"], host["ReadonlyRootfs"]) == (["ALL"], ["no-new-privileges"], True)
    assert 0 < host["PidsLimit"] <= 1024 and list(host["Tmpfs"]) == ["/tmp"]


def paused(host):
    return dict(node(host, ["web"]), active=False, availability="pause")


@pytest.mark.parametrize(
    "case, before, after, where, stopped",
    [
        ("an update on a paused node", ONE, wish("web-1", "c1", env={"A": 1}), paused("c1"), [("web-1", "c1", "pause")]),
        ("nothing changes", ONE, ONE, paused("c1"), []),
        ("a removal needs no new task", ONE, None, paused("c1"), []),
        ("the node takes tasks", ONE, wish("web-1", "c1", env={"A": 1}), node("c1"), []),
        ("by label", ALL, wish("web", label="web", env={"A": 1}), paused("c1"), [("web", "c1", "pause")]),
    ],
)
def test_nothing_is_stopped_on_a_paused_node(case, before, after, where, stopped):
    state = state_of(before, nodes=[where])
    state["tasks"] = [{"ServiceID": "id-" + before["name"], "NodeID": "node-c1", "DesiredState": "running", "Status": {"State": "running"}}]
    assert stopped_on_paused(state, plan_services(state, [after] if after else [], "web")["actions"]) == stopped


def test_a_service_by_label_is_not_taken_from_hosts_outside_the_limit():
    state = state_of(ALL, ONE, nodes=[node("c1", ["web"]), node("c2", ["web"])])
    actions = plan_services(state, [], "web", ["c1"])["actions"]
    assert removed_elsewhere(state, actions, ["c1"]) == {"web": ["c2"]}
    assert removed_elsewhere(state, actions, ["c1", "c2"]) == removed_elsewhere(state, plan_services(state, [], "web")["actions"], []) == {}


def test_labels_of_nodes_follow_the_inventory():
    """A label that was moved in hosts.json: the service's own run brings it along. "ok" was said while nothing ran."""
    state = state_of(nodes=[node("c1", ["web"]), node("c2"), dict(node("c3", ["web"]), host=None)])
    steps = plan_labels(state, {"web": ["c2"]})
    assert [(step["host"], step["value"]) for step in steps] == [("c1", None), ("c2", "enable")]
    assert plan_labels(with_labels(state, steps), {"web": ["c2"]}) == []
    assert [step["host"] for step in plan_labels(state, {"web": ["c2"]}, ["c2"])] == ["c2"]
    assert state["nodes"][1]["facts"].get("node.labels.web") is None, "the given state is not changed"


def test_the_new_node_of_a_joining_host_has_no_label_yet():
    """Check mode: c1 lost its state, so its entry goes; c3 is new."""
    state = state_of(nodes=[node("c1", ["web"]), node("c2", ["web"])])
    assert plan_labels(state, {"web": ["c1", "c2", "c3"]}) == []
    steps = plan_labels(state, {"web": ["c1", "c2", "c3"]}, joining=["c1", "c3"])
    assert [(step["host"], step["value"]) for step in steps] == [("c1", "enable"), ("c3", "enable")]
    assert plan_labels(state, {"web": ["c2"]}, joining=["c3"]) == [{"id": "node-c1", "host": "c1", "label": "web", "value": None}]


def test_a_label_whose_hosts_are_all_outside_the_swarm():
    state = state_of(nodes=[node("c1")])
    assert missing_everywhere(state, {"web": ["c9"], "db": ["c1", "c9"], "none": []}) == {"web": "c9"}


def test_an_equal_service_with_its_lists_in_another_order_is_restarted_and_says_so():
    """An earlier release sent lists as they came; the engine restarts the tasks when their order changes."""
    before = wish("web-1", "c1", mounts=[{"source": "/a", "target": "/a"}, {"source": "/b", "target": "/b"}])
    state = state_of(before)
    state["services"]["web-1"]["spec"]["TaskTemplate"]["ContainerSpec"]["Mounts"].reverse()
    state["services"]["web-1"]["spec"]["Labels"]["skp.hash"] = "of an earlier release"
    [action] = plan_services(state, [before], "web")["actions"]
    assert action["restarts"] and "TaskTemplate (order of its lists)" in action["fields"]


def test_the_record_of_data_follows_a_renamed_host():
    before, after = wish("db", "c1", owns_data="/data"), wish("db", "b1", owns_data="/data")
    renamed = dict(node("b1"), id="node-c1")
    record = plan_placement({}, state_of(before, nodes=[node("c1")]), [before], "web")
    assert record == {"db": {"host": "c1", "path": "/data", "node": "node-c1"}}
    assert plan_placement(record, state_of(before, nodes=[renamed]), [after], "web") == {"db": {"host": "b1", "path": "/data", "node": "node-c1"}}


def test_check_mode_sees_the_names_that_the_swarm_would_have():
    state = state_of(ONE, ALL, nodes=[node("c1", ["web"]), node("c2")])
    seen = with_names(state, {"node-c1": "b1"})
    assert [item["host"] for item in seen["nodes"]] == ["b1", "c2"] and state["nodes"][0]["host"] == "c1"
    [action] = plan_services(seen, [wish("web-1", "b1"), ALL], "web")["actions"]
    assert (action["do"], action["name"], action["fields"]) == ("update", "web-1", ["Labels.skp.hash"]) and not action["restarts"]


@pytest.mark.parametrize("now, found", [({"a": 2, "b": 1}, {}), ({"a": 3, "b": 1}, {}), ({"a": 1, "b": 1}, {"a": (1, 2)}), ({"b": 1}, {}), ({}, {})])
def test_older_secrets_never_replace_newer_ones(now, found):
    """A manager that was away during a rotation, and a run of one service over it: the old password came back."""
    image = {"localhost:5000/web:1": "sha256:aa"}
    options = {"name": "web-1", "image": "localhost:5000/web:1", "host": "c1", "secrets": [{"name": "a", "content": "x"}]}
    state = state_of(build_service(options, "web", "net", image, generations={"a": 2, "b": 1}), TWO)
    assert old_secrets(state, "web", now) == found


def test_networks_of_a_role_are_made_once_and_nobody_else_may_join():
    [made] = plan_networks(state_of(), "web", {"web-agents": "10.1.0.0/24", "net": "10.2.0.0/24"})
    assert made["name"] == "web-agents" and made["diff"]["after"] == "subnet: 10.1.0.0/24\n"
    assert made["body"]["Attachable"] is False and made["body"]["Labels"] == {"skp.role": "web"}
    assert made["body"]["IPAM"]["Config"] == [{"Subnet": "10.1.0.0/24"}]
    assert plan_networks(dict(state_of(), networks={"a": "web-agents"}), "web", {"web-agents": "10.9.0.0/24"}) == []
