# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service's options become the engine's payload."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.service.build import (
    build_service,
    duration_ns,
    file_mode,
    image_reference,
    lowest_engine,
    positive_ns,
    size_bytes,
    spec_hash,
)
from ansible_collections.skp.cluster.plugins.module_utils.service.spec import Spec


def service(**options):
    return dict({"name": "web-1", "image": "base:trixie", "host": "c01"}, **options)


def payload(**options):
    return build_service(service(**options), "web", "net-skp", {})["payload"]


def container(**options):
    return payload(**options)["TaskTemplate"]["ContainerSpec"]


@pytest.mark.parametrize(
    "text, value",
    [
        ("10s", 10 * 10**9),
        ("1m30s", 90 * 10**9),
        ("500ms", 5 * 10**8),
        ("2h", 7200 * 10**9),
        ("3", 3 * 10**9),
        (1.5, 15 * 10**8),
        (None, None),
        ("", None),
    ],
)
def test_durations(text, value):
    assert duration_ns(text, "x") == value


@pytest.mark.parametrize("options", [{"stop_grace_period": "0s"}, {"stop_grace_period": 0}, {"restart": {"delay": "0s"}}])
def test_a_duration_that_the_engine_would_replace_by_its_own_is_refused(options):
    """0 is not sent, so that 0s became the engine's 10 s."""
    with pytest.raises(Failure, match="expected more than 0"):
        build_service(service(**options), "web", "net", {})
    assert positive_ns("1s", "x") == 10**9 and positive_ns(None, "x") is None


@pytest.mark.parametrize(
    "text, value", [("512m", 2**29), ("2g", 2**31), ("1.5GiB", 3 * 2**29), ("100", 100), ("1kb", 1024), (None, None), ("", None)]
)
def test_sizes(text, value):
    assert size_bytes(text, "x") == value


@pytest.mark.parametrize(
    "convert, text", [(duration_ns, "10 parsecs"), (duration_ns, "s10"), (size_bytes, "much"), (file_mode, "rw"), (file_mode, "0999")]
)
def test_values_that_cannot_be_are_named(convert, text):
    with pytest.raises(Failure) as caught:
        convert(text, "web-1: limits")
    assert "web-1: limits" in caught.value.msg and text in caught.value.msg


@pytest.mark.parametrize(
    "options, path, value",
    [
        ({"env": {"B": True, "A": 1, "C": None}}, "Env", ["A=1", "B=true", "C="]),
        ({"cap_drop": ["all"], "cap_add": ["chown", "CAP_KILL"]}, "CapabilityAdd", ["CAP_CHOWN", "CAP_KILL"]),
        ({"cap_drop": ["all"]}, "CapabilityDrop", ["ALL"]),
        ({"healthcheck": {"test": "true", "interval": "5s"}}, "Healthcheck", {"Test": ["CMD-SHELL", "true"], "Interval": 5 * 10**9}),
        ({"healthcheck": {"test": ["CMD", "x"]}}, "Healthcheck", {"Test": ["CMD", "x"]}),
        ({"healthcheck": {"test": "x", "start_interval": "1s"}}, "Healthcheck", {"Test": ["CMD-SHELL", "x"], "StartInterval": 10**9}),
        ({"extra_hosts": ["a:1.2.3.4", "b:::1"]}, "Hosts", ["1.2.3.4 a", "::1 b"]),
        ({"ulimits": [{"name": "nofile", "soft": 10}]}, "Ulimits", [{"Name": "nofile", "Soft": 10, "Hard": 10}]),
        (
            {"mounts": [{"source": "/a", "target": "/b", "propagation": "rslave", "read_only": True}]},
            "Mounts",
            [{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True, "BindOptions": {"Propagation": "rslave"}}],
        ),
        (
            {"mounts": [{"type": "tmpfs", "target": "/b", "size": "1m", "mode": "1777"}]},
            "Mounts",
            [{"Type": "tmpfs", "Target": "/b", "TmpfsOptions": {"SizeBytes": 2**20, "Mode": 0o1777}}],
        ),
        ({"stop_grace_period": "3m"}, "StopGracePeriod", 180 * 10**9),
    ],
)
def test_container_fields(options, path, value):
    assert container(**options)[path] == value


@pytest.mark.parametrize("oldest, sent", [(20, False), (24, False), (25, True), (28, True), (None, True)])
def test_start_interval_only_where_every_manager_keeps_it(oldest, sent):
    options = service(healthcheck={"test": "x", "interval": "10s", "start_interval": "1s"})
    check = build_service(options, "web", "net-skp", {}, engine=oldest)["payload"]["TaskTemplate"]["ContainerSpec"]["Healthcheck"]
    assert ("StartInterval" in check) is sent and check["Interval"] == 10 * 10**9


def test_shape_by_member_and_by_label():
    member, label = payload(), build_service({"name": "w", "image": "i", "label": "web"}, "web", "n", {})["payload"]
    assert member["Mode"] == {"Replicated": {"Replicas": 1}} and Spec(member).host == "c01"
    assert label["Mode"] == {"Global": {}} and label["TaskTemplate"]["Placement"]["Constraints"] == ["node.labels.web==enable"]
    assert Spec(label).host is None


def test_shape_on_every_manager():
    managers = build_service({"name": "w", "image": "i", "managers": True}, "web", "n", {})["payload"]
    assert managers["Mode"] == {"Global": {}} and Spec(managers).host is None
    assert [Spec(managers).allows({"facts": {"node.role": role}}) for role in ("manager", "worker")] == [True, False]


def test_always_dns_round_robin_and_host_ports():
    endpoint = payload(ports=[{"target": 80, "published": 8080}, {"target": 53, "protocol": "udp"}])["EndpointSpec"]
    assert endpoint["Mode"] == "dnsrr"
    assert [(port["TargetPort"], port["PublishedPort"], port["Protocol"], port["PublishMode"]) for port in endpoint["Ports"]] == [
        (80, 8080, "tcp", "host"),
        (53, 53, "udp", "host"),
    ]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"host": None}, "exactly one"),
        ({"label": "web"}, "found host and label, expected exactly one"),
        ({"host": None, "label": "web", "managers": True}, "found label and managers, expected exactly one"),
        ({"mounts": [{"source": "data", "target": "/x"}]}, "absolute"),
        ({"extra_hosts": ["a"]}, "name:address"),
        ({"configs": [{"name": "x", "content": "", "target": "/x"}]}, "empty"),
    ],
)
def test_refusals(options, words):
    with pytest.raises(Failure) as caught:
        payload(**options)
    assert words in caught.value.msg and "web-1" in caught.value.msg


def test_files_are_named_by_content():
    def names(content, kind="configs"):
        built = build_service(service(**{kind: [{"name": "x.conf", "content": content, "target": "/x"}]}), "web", "n", {})
        return list(built[kind])[0]

    assert names("a") == names("a") != names("b")
    assert names("a").startswith("web-x.conf-") and len(names("a").rsplit("-", 1)[1]) == 12
    long_name = list(build_service(service(configs=[{"name": "y" * 90, "content": "a", "target": "/x"}]), "web", "n", {})["configs"])[0]
    assert len(long_name) <= 64


def test_a_secret_shows_nothing_of_itself():
    built = build_service(service(secrets=[{"name": "pw", "content": "geheim"}]), "web", "n", {})
    item = next(iter(built["secrets"].values()))
    assert item["text"] is None and "geheim" not in str(built["payload"])
    # Not the plain hash of the content either, which could be looked up.
    assert item["hash"] != "addb0f5e7826c857d7376d1bd9bc33c0c544790a2eac96144a8af22b1298c940"
    assert built["payload"]["TaskTemplate"]["ContainerSpec"]["Secrets"][0]["File"] == {"Name": "pw", "UID": "0", "GID": "0", "Mode": 0o400}


@pytest.mark.parametrize(
    "digests, image",
    [
        ({}, "localhost:5000/a:1"),
        ({"localhost:5000/a:1": "sha256:aa"}, "localhost:5000/a:1@sha256:aa"),
        ({"localhost:5000/a:1": None}, "localhost:5000/a:1@(digest known after build)"),
    ],
)
def test_images_run_by_digest(digests, image):
    assert image_reference("localhost:5000/a:1", digests) == image


def test_hash_follows_the_whole_spec():
    first = payload(env={"A": 1})
    assert first["Labels"]["skp.hash"] == spec_hash(first) == payload(env={"A": 1})["Labels"]["skp.hash"]
    assert first["Labels"]["skp.hash"] != payload(env={"A": 2})["Labels"]["skp.hash"]


@pytest.mark.parametrize(
    "versions, oldest",
    [
        ([("manager", "26.1.5+dfsg1"), ("manager", "20.10.24+dfsg1"), ("worker", "19.3.0")], 20),
        ([("manager", "28.2.2")], 28),
        ([("manager", ""), ("worker", "26.1.5")], None),
        ([], None),
    ],
)
def test_the_oldest_manager_decides(versions, oldest):
    """The API of whichever manager answered decided: a run over an older manager changed, and restarted, every service."""
    assert lowest_engine([{"engine": version, "facts": {"node.role": role}} for role, version in versions]) == oldest


ORDERS = {
    "mounts": [{"source": "/b", "target": "/b"}, {"source": "/a", "target": "/a"}],
    "aliases": ["b", "a"],
    "constraints": ["node.labels.b==1", "node.labels.a==1"],
    "groups": ["7", "5"],
    "ports": [{"target": 90}, {"target": 80}],
    "configs": [{"name": "b", "content": "b", "target": "/b"}, {"name": "a", "content": "a", "target": "/a"}],
    "secrets": [{"name": "b", "content": "b"}, {"name": "a", "content": "a"}],
    "networks": ["b", "a"],
    "ulimits": [{"name": "nproc", "soft": 5}, {"name": "nofile", "soft": 5}],
}


@pytest.mark.parametrize("option", ORDERS)
def test_the_order_of_a_list_makes_no_other_service(option):
    """The engine compares these lists in order: the same list in another order restarted the service, and the diff showed a hash."""
    assert payload(**{option: ORDERS[option]}) == payload(**{option: ORDERS[option][::-1]})


def test_the_order_of_a_command_stays():
    assert container(command=["b", "a"])["Command"] == ["b", "a"]


def test_containers_gain_no_privileges_and_have_a_limit_of_processes():
    assert container()["Privileges"] == {"NoNewPrivileges": True} and payload()["TaskTemplate"]["Resources"]["Limits"] == {"Pids": 4096}
    assert "Privileges" not in container(no_new_privileges=False)
    assert payload(limits={"pids": 100})["TaskTemplate"]["Resources"]["Limits"] == {"Pids": 100}
    # A manager of an older release drops the field: then every run would find a difference.
    assert "Privileges" not in build_service(service(), "web", "net-skp", {}, engine=24)["payload"]["TaskTemplate"]["ContainerSpec"]


def test_the_gate_of_a_task_is_a_label_of_its_container():
    """There the engine's role finds it on the node, without the swarm."""
    assert container(stop_gate=["skp-kafka-gate", "x"])["Labels"] == {"skp.role": "web", "skp.stop-gate": '["skp-kafka-gate", "x"]'}
    assert container()["Labels"] == {"skp.role": "web"}


def test_a_service_names_the_label_that_its_role_sets():
    """The swarm's play leaves that label to the role. Of a label that nobody sets for it, the service says nothing."""
    by_label = {"name": "w", "image": "i", "label": "web"}
    found = [build_service(by_label, "web", "net", {}, own_labels=labels)["payload"]["Labels"].get("skp.label") for labels in ({"web": []}, {"db": []}, {})]
    assert found == ["web", None, None]
