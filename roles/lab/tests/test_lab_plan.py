# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's pure functions: which flags, which subnet, which nodes, what hosts.json says."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import subprocess

import pytest

PATH = pathlib.Path(__file__).parents[1] / "module_utils/lab_plan.py"
SPEC = importlib.util.spec_from_file_location("lab_plan", PATH)
lab_plan = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(lab_plan)

NAME = "skp-lab"
HOME = "/checkout/inventory/lab"
IMAGE = "skp-lab/node:abc"


def settings(**changed):
    return {"name": NAME, "nodes": 3, "subnets": ["172.30.77.0/24"], "ui_ports": [8010, 8020], "home": HOME, "image": IMAGE, **changed}


def engine(**changed):
    return {"cgroup_version": "1", "networks": [], "containers": [], "images": [IMAGE], "volumes": [], **changed}


def host(**changed):
    return {"routes": {"192.0.2.0/24": "route on eth0"}, "busy_ports": [], "fuse": True, **changed}


def node(name, **changed):
    labels = {"skp.lab": NAME, "skp.lab.host": name, "skp.lab.home": HOME}
    return {"name": "skp-lab-" + name, "labels": labels, "running": True, "image": IMAGE, "ports": [], **changed}


NETWORK = {"name": NAME, "labels": {"skp.lab": NAME}, "subnets": ["172.30.77.0/24"]}


@pytest.mark.parametrize(
    ("version", "namespace", "host_hierarchy"),
    [("1", "host", True), ("", "host", True), ("2", "private", False)],
)
def test_cgroup_versions_get_their_own_flags(version, namespace, host_hierarchy):
    config = lab_plan.container_config(
        lab_plan.plan(settings(), engine(cgroup_version=version), host()), {"name": "c01", "address": "172.30.77.11", "ports": []}, HOME
    )["HostConfig"]
    assert config["CgroupnsMode"] == namespace
    assert any(bind.startswith("/sys/fs/cgroup") for bind in config["Binds"]) is host_hierarchy


def test_an_unknown_cgroup_version_is_refused():
    with pytest.raises(lab_plan.LabError, match="'3'"):
        lab_plan.cgroup_options("3")


def test_a_node_container_has_no_more_rights_than_it_needs():
    plan = lab_plan.plan(settings(), engine(), host(fuse=False))
    config = lab_plan.container_config(plan, plan["nodes"][0], HOME)["HostConfig"]
    assert "Privileged" not in config
    assert config["CapDrop"] == ["SYS_RESOURCE"]
    assert config["Devices"] == []
    assert not any("docker.sock" in str(mount) for mount in config["Mounts"] + config["Binds"])


@pytest.mark.parametrize("mode", ["v1", "v2"])
def test_the_nodes_first_process_tells_the_versions_apart(tmp_path, mode):
    """files/node/lab-init, run with stand-ins for mount and systemd: on v1 systemd is given the words, on v2 the tree is made writable."""
    calls = tmp_path / "calls"
    for tool in ("mount", "systemd"):
        (tmp_path / tool).write_text('#!/bin/sh\necho %s "$@" >> %s\n' % (tool, calls))
        (tmp_path / tool).chmod(0o755)
    if mode == "v2":
        (tmp_path / "cgroup.controllers").write_text("")
    script = (PATH.parents[1] / "files/node/lab-init").read_text()
    for real, stand_in in (("/lib/systemd/systemd", tmp_path / "systemd"), ("/sys/fs/cgroup", tmp_path)):
        assert real in script
        script = script.replace(real, str(stand_in))
    subprocess.run(["sh", "-c", script], check=True, env={"PATH": "%s:/usr/bin:/bin" % tmp_path})
    expected = {
        "v1": ["mount --make-rshared /", "systemd SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 systemd.unified_cgroup_hierarchy=0"],
        "v2": ["mount --make-rshared /", "mount -o remount,rw %s" % tmp_path, "systemd"],
    }
    assert calls.read_text().splitlines() == expected[mode]


@pytest.mark.parametrize(
    ("info", "url", "said"),
    [
        ({}, "unix:///var/run/docker.sock", None),
        ({"SecurityOptions": ["name=seccomp,profile=default"]}, "unix:///run/docker.sock", None),
        ({}, "tcp://10.0.0.9:2376", "not on this machine"),
        ({}, "ssh://build", "not on this machine"),
        ({"SecurityOptions": ["name=rootless"]}, "unix:///run/user/1000/docker.sock", "rootless"),
        ({"OperatingSystem": "Docker Desktop"}, "unix:///home/u/.docker/desktop/docker.sock", "Docker Desktop"),
        ({"OSType": "windows"}, "unix:///var/run/docker.sock", "windows"),
    ],
)
def test_engines_that_cannot_carry_the_lab_are_named(info, url, said):
    objection = lab_plan.engine_objection(info, url)
    assert objection is None if said is None else said in objection and url in objection


@pytest.mark.parametrize(
    ("used", "chosen"),
    [
        ({}, "172.30.77.0/24"),
        ({"172.30.0.0/16": "Docker network x"}, "10.177.77.0/24"),
        ({"172.30.77.5": "route on tun0"}, "10.177.77.0/24"),
        ({"172.30.76.0/24": "Docker network x"}, "172.30.77.0/24"),
    ],
)
def test_the_first_free_subnet_is_taken(used, chosen):
    assert lab_plan.choose_subnet(["172.30.77.0/24", "10.177.77.0/24"], used) == chosen


def test_no_free_subnet_names_every_clash():
    with pytest.raises(lab_plan.LabError, match=r"172.30.77.0/24 overlaps 172.30.0.0/16 \(route on tun0\).*lab_subnets"):
        lab_plan.choose_subnet(["172.30.77.0/24"], {"172.30.0.0/16": "route on tun0"})


@pytest.mark.parametrize("subnet", ["172.30.77.1/24", "fd00::/64", "172.30.77.0/30", "nonsense"])
def test_bad_subnets_are_named(subnet):
    with pytest.raises(lab_plan.LabError, match="lab_subnets"):
        lab_plan.choose_subnet([subnet], {})


@pytest.mark.parametrize(
    ("asked", "existing", "count"),
    [(0, [], 3), (0, ["c01", "c02", "c03"], 3), (0, ["c01", "c02", "c03", "c04", "c05"], 5), (0, ["c02", "c04"], 5), (0, ["c01"], 1),
     (1, [], 1), (5, ["c01", "c02", "c03"], 5), (3, ["c02"], 3)],
)
def test_number_of_nodes(asked, existing, count):
    assert lab_plan.node_count(asked, existing) == count


@pytest.mark.parametrize(("asked", "existing", "said"), [(2, [], "1, 3, 5"), (3, ["c05"], "make down")])
def test_numbers_of_nodes_that_are_refused(asked, existing, said):
    with pytest.raises(lab_plan.LabError, match=said):
        lab_plan.node_count(asked, existing)


def test_a_new_lab():
    plan = lab_plan.plan(settings(), engine(), host(busy_ports=[8020]))
    assert plan["network"] == {"name": NAME, "subnet": "172.30.77.0/24", "exists": False}
    assert [(n["name"], n["address"], n["ports"]) for n in plan["create"]] == [
        ("c01", "172.30.77.11", [8010]), ("c02", "172.30.77.12", []), ("c03", "172.30.77.13", [])
    ]
    assert plan["start"] == plan["create"]
    assert plan["fresh"]
    assert "8020" in plan["notes"][0]


def test_a_lab_that_is_whole_needs_nothing_and_keeps_its_ports():
    there = engine(networks=[NETWORK], containers=[node("c01", ports=[8010, 8020]), node("c02"), node("c03")], volumes=["skp-lab-shared"])
    plan = lab_plan.plan(settings(), there, host(busy_ports=[8010, 8020], routes={"172.30.77.0/24": "route on br-lab"}))
    assert (plan["create"], plan["start"], plan["fresh"], plan["notes"]) == ([], [], False, [])
    assert plan["nodes"][0]["ports"] == [8010, 8020]
    assert plan["network"]["exists"]


def test_only_what_is_missing_is_made_and_only_what_is_off_is_started():
    there = engine(networks=[NETWORK], containers=[node("c01"), node("c02", running=False)], volumes=["skp-lab-shared"])
    plan = lab_plan.plan(settings(ui_ports=[]), there, host())
    assert [n["name"] for n in plan["create"]] == ["c03"]
    assert [n["name"] for n in plan["start"]] == ["c02", "c03"]


def test_a_node_of_an_earlier_image_is_named_and_left_alone():
    there = engine(networks=[NETWORK], containers=[node("c01", image="skp-lab/node:old")])
    plan = lab_plan.plan(settings(nodes=1, ui_ports=[]), there, host())
    assert plan["create"] == []
    assert "c01 was created from the earlier node image skp-lab/node:old" in plan["notes"][0]


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (engine(containers=[{"name": "skp-lab-c02", "labels": {}, "running": True, "image": "x", "ports": []}]), "container skp-lab-c02"),
        (engine(networks=[{"name": NAME, "labels": {}, "subnets": ["10.1.0.0/24"]}]), "network skp-lab"),
        (engine(containers=[node("c01", labels={"skp.lab": NAME, "skp.lab.host": "c01", "skp.lab.home": "/other"})]), "/other"),
    ],
)
def test_what_is_not_ours_is_never_taken(there, said):
    with pytest.raises(lab_plan.LabError, match=said):
        lab_plan.plan(settings(), there, host())


def nodes(count, first="172.30.77.11"):
    prefix, last = first.rsplit(".", 1)
    return [{"name": name, "address": "%s.%d" % (prefix, int(last) + i)} for i, name in enumerate(lab_plan.host_names(count))]


@pytest.mark.parametrize(("count", "managers"), [(1, 1), (3, 3), (5, 3)])
def test_new_hosts_in_the_seeds_form(count, managers):
    hosts = json.loads(lab_plan.merge_hosts(None, nodes(count)))
    assert [name for name, entry in hosts.items() if "master" in entry["groups"]] == ["c01"]
    assert sum("manager" in entry["groups"] for entry in hosts.values()) == managers
    for label, members in (
            ("registry", count), ("zookeeper", managers), ("kafka", managers), ("spark-worker", count), ("spark-master", 1), ("jupyter", 1),
            ("airflow", 1), ("nginx", 1), ("airflow-worker", 1 if count == 1 else 2),
            ("mysql", 1), ("pgsql", 1), ("redis", 1), ("flask", 1), ("portainer", 1), ("hello", 1), ("portainer-agent", count)):
        assert sum({label: "enable"} in entry["labels"] for entry in hosts.values()) == members


def test_an_edited_file_that_needs_nothing_stays_as_it_is_byte_for_byte():
    edited = json.dumps({"c01": {"ipv4": "172.30.77.11", "groups": ["master"], "labels": [{"rack": "r1"}], "note": "mine"}})
    assert lab_plan.merge_hosts(edited, nodes(1)) == edited


def test_new_addresses_and_nodes_keep_what_was_edited():
    edited = json.dumps({name: {"ipv4": "10.0.0.%d" % i, "labels": [{"rack": "r%d" % i}], "groups": ["manager"]}
                         for i, name in enumerate(lab_plan.host_names(3))})
    hosts = json.loads(lab_plan.merge_hosts(edited, nodes(5)))
    assert list(hosts) == lab_plan.host_names(5)
    assert hosts["c02"] == {"ipv4": "172.30.77.12", "labels": [{"rack": "r1"}], "groups": ["manager"]}
    assert hosts["c05"]["groups"] == ["worker"]


def test_nodes_that_are_gone_are_dropped():
    assert list(json.loads(lab_plan.merge_hosts(lab_plan.merge_hosts(None, nodes(5)), nodes(3)))) == ["c01", "c02", "c03"]


def test_an_override_replaces_single_keys():
    override = {"c02": {"labels": [{"kafka": "disable"}]}}
    hosts = json.loads(lab_plan.merge_hosts(lab_plan.merge_hosts(None, nodes(3)), nodes(3), override))
    assert hosts["c02"] == {"ipv4": "172.30.77.12", "labels": [{"kafka": "disable"}], "groups": ["manager"]}
    assert hosts["c01"]["labels"] != []


@pytest.mark.parametrize("text", ["{", "[]", '{"c01": 1}'])
def test_a_broken_file_is_never_overwritten(text):
    with pytest.raises(lab_plan.LabError, match="correct it, or delete it"):
        lab_plan.merge_hosts(text, nodes(3))


def test_known_hosts_names_every_node_twice():
    text = lab_plan.known_hosts(nodes(1), {"c01": "ssh-ed25519 AAAA c01\n"})
    assert text == "172.30.77.11,c01 ssh-ed25519 AAAA\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nameserver 10.0.0.2\nnameserver 10.0.0.3\n", ["10.0.0.2", "10.0.0.3"]),
        ("# nameserver 1.1.1.1\nnameserver 127.0.0.53\noptions edns0\n", []),
        ("nameserver fe80::1%eth0\nnameserver ::1\nnameserver x\nnameserver\nnameserver fd00::2\n", ["fd00::2"]),
    ],
)
def test_resolvers_a_container_can_reach(text, found):
    assert lab_plan.resolvers(text) == found


def pem(body, width=64):
    lines = [body[i:i + width] for i in range(0, len(body), width)]
    return "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n" % "\n".join(lines)


def test_only_certificates_beyond_the_distributions_are_extra():
    shipped, added = "QUJD" * 40, "REVG" * 40
    bundle = "# a comment\n" + pem(shipped) + pem(added) + pem(added)
    # The same certificate is the same whatever its line width.
    assert lab_plan.extra_certificates(bundle, [pem(shipped, 76)]) == pem(added)
    assert lab_plan.extra_certificates(pem(shipped), [pem(shipped)]) == ""
