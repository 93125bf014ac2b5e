# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every preflight check finds what it is for and nothing in a good site; every check is documented."""

from __future__ import annotations

import copy
import pathlib
import re

import pytest
import yaml

from ansible_collections.skp.cluster.plugins.module_utils.engine import facts as engine_facts
from ansible_collections.skp.cluster.plugins.module_utils.preflight import plan

ROOT = pathlib.Path(__file__).resolve().parents[5]
SETTINGS = {key[len("preflight_"):]: value for key, value in
            yaml.safe_load((ROOT / "roles/preflight/defaults/main.yml").read_text(encoding="utf-8")).items()}
SETTINGS.update(volumes={"refusal": "", "hosts": {"c2": ["sshfs"]}}, custom=[], engine_manage=True, store_mode="existing", encrypted=False,
                store_nfs_server="10.0.0.1", image_groups=["kafka", "spark_worker"],
                published=[{"group": "kafka", "port": 9094}, {"group": "jupyter", "port": "8010"}], allow_from=[], allow_port_from=[],
                publish_addresses={"c1": [], "c2": []}, swarm_allow_from=["nodes"])
GIB = plan.GIB


def facts(number):
    """The facts of a node with which nothing is wrong."""
    disk = {"path": "/var/lib/skp", "mount": "/", "type": "ext4", "free": 100 * GIB, "total": 200 * GIB, "inodes_free": 10 ** 7}
    return {
        "system": {"hostname": "h%d" % number, "machine_id": "m%d" % number, "os": "debian", "os_version": "13", "os_name": "Debian 13",
                   "systemd": True, "container": "", "uid": 0, "architecture": "x86_64"},
        "accounts": {},
        "secrets": "",
        "memory": {"total": 8 * GIB, "available": 6 * GIB},
        "engine": dict(engine_facts.EMPTY, installed=True, running=True, version="28.5.2", api_version="1.51", min_api_version="1.24",
                       sdk_version="7.1.0", runtimes=["runc"], swarm_state="active", cluster_id="X", is_manager=number == 1),
        "names": {"localhost": {"addresses": ["127.0.0.1"], "seconds": 0.0},
                  "h%d" % number: {"addresses": ["10.0.0.%d" % number], "seconds": 0.0}},
        "address_local": True,
        "public": [],
        "peers": {"c1": ""},
        "ports": [{"port": "5000/tcp", "process": "registry", "pid": 7, "container": "registry-skp", "ours": True}],
        "vxlan": "yes",
        "gpu": {"driver": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.1", "devices": ["nvidia0"], "toolkit": "/usr/bin/nvidia-container-runtime"},
        "volumes": {"fuse": True, "present": []},
        "store": dict(disk, exists=True, writable=True, error="", path="/srv/skp", type="nfs4", mounted=None, exports="", own=False,
                      markers={"c1": "a", "c2": "b", "c3": "c"} if number == 3 else {"c%d" % number: "abc"[number - 1]}),
        "disks": {"data": dict(disk), "docker": dict(disk, path="/var/lib/docker"), "home": dict(disk, path="/srv/skp", type="nfs4")},
    }


def good():
    """A site of three nodes with which nothing is wrong."""
    return {"hosts": {"c%d" % number: {"facts": facts(number), "clock": {"before": 100.0, "start": 100.6, "end": 101.0, "after": 101.2},
                                       "addr": "10.0.0.%d" % number, "labels": {}, "error": ""} for number in (1, 2, 3)},
            "groups": {"master": ["c1"], "manager": ["c1"], "zookeeper": ["c1", "c2", "c3"],
                       "registry": ["c1", "c2", "c3"], "kafka": ["c2"]},
            "settings": copy.deepcopy(SETTINGS), "write": True}


def change(path, value):
    """A function that sets one thing in a site; path as "hosts.c2.facts.memory.total"."""
    def apply(site):
        target = site
        *parents, last = path.split(".")
        for key in parents:
            target = target[key]
        target[last] = value
    return apply


def both(*changes):
    """Several changes."""
    def apply(site):
        for one in changes:
            one(site)
    return apply


def mounted(source, kind="nfs4"):
    """The mount of the store of a node."""
    return {"source": source, "point": "/srv/skp", "type": kind}


def nfs(site):
    """The same site with the store on the master: only the master writes a marker, all others see it."""
    site["settings"]["store_mode"] = "nfs"
    for name, host in site["hosts"].items():
        host["facts"]["store"].update(markers={"c1": "a"}, writable=None, own=name == "c1", type="nfs4" if name != "c1" else "ext4",
                                      mounted=mounted("10.0.0.1:/srv/skp") if name != "c1" else None)


C2 = "hosts.c2.facts."
SILENT = {"path": "/srv/skp", "silent": "/srv/skp does not answer within 15 s"}
UNMANAGED = change("settings.engine_manage", False)
NO_SWARM = both(*[change("hosts.c%d.facts.engine.%s" % (number, key), value) for number in (1, 2, 3)
                  for key, value in (("swarm_state", "inactive"), ("cluster_id", ""), ("is_manager", False))])

ENCRYPTED = both(change("settings.encrypted", True), *[change("hosts.c%d.facts.engine.encryption" % number, "yes") for number in (1, 2, 3)])

CASES = [
    # (check, severity, host, change of a good site, words of the finding)
    ("reachable", "warning", "c2", change("hosts.c2.facts", None), "10.0.0.2"),
    ("reachable", "error", "c2", both(NO_SWARM, change("hosts.c2.facts", None)), "10.0.0.2"),
    ("master", "error", "c1", change("hosts.c1.facts", None), "10.0.0.1"),
    ("root", "error", "c2", change(C2 + "system.uid", 1000), "1000"),
    ("address", "error", "c2", change(C2 + "address_local", False), "10.0.0.2"),
    ("address", "error", "c2, c3", change("hosts.c3.addr", "10.0.0.2"), "10.0.0.2"),
    ("exposed", "warning", "c2", change(C2 + "public", ["198.41.0.4"]), "198.41.0.4, and the published ports 9094"),
    ("exposed", "warning", "c2", both(change("settings.swarm_allow_from", []), change("settings.published", []), change(C2 + "public", ["198.41.0.4"])),
     "198.41.0.4, and the overlay network's port 4789/udp, which has no login"),
    ("peers", "error", "c2", change(C2 + "peers", {"c1": "no answer within 3 s"}), "no answer within 3 s"),
    ("clock", "error", "c2", change("hosts.c2.clock", {"before": 100, "start": 140, "end": 141, "after": 102}), "39 s ahead"),
    ("clock", "error", "c2", change("hosts.c2.clock", {"before": 3700, "start": 101, "end": 101, "after": 3702}), "3599 s behind"),
    ("clock", "warning", "c2", change("hosts.c2.clock", {"before": 100, "start": 160, "end": 161, "after": 200}), "too long"),
    ("accounts", "error", "c2", change(C2 + "accounts", {"61001": "alice"}), "the user id 61001 of a service is the account alice"),
    ("secrets", "error", "c2", change(C2 + "secrets", "/etc/skp/secrets cannot be written"), "/etc/skp/secrets cannot be written"),
    ("hostname", "error", "c2, c3", change(C2 + "system.hostname", "h3"), "h3"),
    ("machine_id", "warning", "c2, c3", change(C2 + "system.machine_id", "m3"), "clones"),
    ("operating_system", "warning", "c2", both(change(C2 + "system.os", "fedora"), change(C2 + "system.os_name", "Fedora 44")),
     "Fedora 44"),
    ("operating_system", "warning", "c2", change(C2 + "system.os_version", "11"), "Debian"),
    ("operating_system", "error", "c2", change(C2 + "system.systemd", False), "systemd"),
    ("container", "warning", "c2", change(C2 + "system.container", "lxc"), "LXC"),
    ("engine", "error", "c2", change(C2 + "engine.version", "19.03.15"), "19.03.15"),
    ("engine", "warning", "c2", change(C2 + "engine.version", "26.1.5+dfsg1"), "26.1.5"),
    ("engine", "warning", "c2", change(C2 + "engine.version", "24.0.7"), "may gain privileges"),
    # A service is made for the oldest manager: an older one drops the setting for all nodes.
    ("engine", "warning", "c1, c2, c3", change("hosts.c1.facts.engine.version", "20.10.24+dfsg1"), "may gain privileges"),
    ("engine", "warning", "c3", both(change("hosts.c1.facts.engine.version", "20.10.24+dfsg1"), change("hosts.c1.facts.engine.no_new_privileges", True),
                                     change(C2 + "engine.no_new_privileges", True)), "may gain privileges"),
    ("engine", "error", "c2", change(C2 + "engine.live_restore", True), "live-restore"),
    ("engine", "error", "c2", both(UNMANAGED, change(C2 + "engine.installed", False), change(C2 + "engine.running", False)),
     "no Docker engine"),
    ("engine", "warning", "c2", both(change(C2 + "engine.running", False), change(C2 + "engine.error", "refused")), "refused"),
    ("engine", "error", "c2", both(UNMANAGED, change(C2 + "engine.running", False), change(C2 + "engine.error", "refused")), "refused"),
    ("engine", "warning", "c1, c3, c2", change(C2 + "engine.version", "29.1.0"), "28.5.2, 29.1.0"),
    ("engine_api", "error", "c2", change(C2 + "engine.api_version", "1.40"), "1.40"),
    ("engine_api", "error", "c2", change(C2 + "engine.min_api_version", "1.99"), "1.99"),
    ("sdk", "error", "c2", change(C2 + "engine.sdk_version", "4.1.0"), "4.1.0"),
    ("sdk", "error", "c2", both(UNMANAGED, change(C2 + "engine.sdk_version", "")), "no Docker SDK"),
    ("swarm", "error", "c2", change(C2 + "engine.swarm_state", "locked"), "locked"),
    ("swarm", "error", "c1, c3, c2", change(C2 + "engine.cluster_id", "Y"), "X (c1, c3); Y (c2)"),
    ("dns", "error", "c2", change(C2 + "names.localhost", {"addresses": ["10.1.1.1"], "seconds": 0}), "10.1.1.1"),
    ("dns", "error", "c2", change(C2 + "names", {"mirror": {"error": "unknown", "seconds": 0}}), "mirror"),
    ("dns", "warning", "c2", change(C2 + "names", {"h2": {"error": "unknown", "seconds": 0}}), "h2"),
    ("dns", "warning", "c2", change(C2 + "names", {"mirror": {"addresses": ["10.1.1.1"], "seconds": 5.1}}), "5.1 s"),
    ("ports", "error", "c2", change(C2 + "ports", [{"port": "9094/tcp", "process": "java", "pid": 7, "container": "", "ours": False}]),
     "java"),
    ("ports", "error", "c2", change(C2 + "ports", [{"port": "8050/tcp", "process": "docker-proxy", "pid": 7, "container": "portainer",
                                                    "ours": False}]), "container portainer"),
    ("disk", "error", "c2", change(C2 + "disks.docker.free", 9 * GIB), "9.0 GiB"),
    ("disk", "error", "c2", change(C2 + "disks.data.inodes_free", 10), "10 inodes"),
    ("disk", "error", "c2", change(C2 + "disks.data.type", "nfs4"), "nfs4"),
    ("memory", "error", "c2", change(C2 + "memory.total", GIB), "1.0 GiB"),
    ("memory", "warning", "c2", change(C2 + "memory.available", 100 * plan.MIB), "100 MiB"),
    ("store", "error", "c2", change(C2 + "store.exists", False), "/srv/skp"),
    ("store", "error", "c2", both(change(C2 + "store.writable", False), change(C2 + "store.error", "Permission denied")),
     "Permission denied"),
    ("store", "error", "c1, c2, c3", change(C2 + "store.markers", {"c2": "other"}), "c2; c1, c3"),
    ("store", "warning", "c1, c2, c3", both(change("write", False), change(C2 + "store.markers", {"c2": "other"})), "c2; c1, c3"),
    ("store", "error", "c2", change(C2 + "store", dict(SILENT, exists=True, writable=None, mounted=None, exports="", own=False)), "does not answer"),
    ("store", "error", "c2", both(nfs, change(C2 + "store.markers", {"c1": "b"})), "another directory than the master's"),
    ("store", "error", "c2", both(nfs, change(C2 + "store.markers", {})), "another directory than the master's"),
    ("store", "error", "c2", both(nfs, change(C2 + "store.mounted", mounted("10.0.0.9:/srv/skp"))), "a mount of 10.0.0.9:/srv/skp"),
    ("store", "error", "c1", both(nfs, change("hosts.c1.facts.store.mounted", mounted("10.0.0.9:/srv/skp"))), "the store of an earlier master"),
    ("store", "error", "c2", both(nfs, change(C2 + "store.mounted", None), change(C2 + "store.exports", "/srv/skp 10.0.0.1(ro)")), "a store of its own"),
    ("store", "error", "c2", both(nfs, change(C2 + "store.mounted", None), change(C2 + "store.own", True)), "a store of its own"),
    ("disk", "error", "c2", change(C2 + "disks.data", {"path": "/var/lib/skp", "silent": "/var/lib/skp does not answer within 15 s"}), "does not answer"),
    ("architecture", "error", "c2", change(C2 + "system.architecture", "aarch64"), "aarch64"),
    ("registry", "error", "c1", both(change("groups.registry", [])), "no label registry"),
    ("registry", "error", "c1", both(change("groups.registry", ["c2", "c3"])), "no label registry"),
    ("registry", "error", "c2", change("groups.registry", ["c1", "c3"]), "no label registry"),
    ("managers", "error", "c1, c2", change("groups.manager", ["c1", "c2"]), "2 managers"),
    ("zookeeper", "error", "c1, c2", change("groups.zookeeper", ["c1", "c2"]), "2 ZooKeeper"),
    ("overlay", "error", "c2", change(C2 + "vxlan", "no: Operation not supported"), "Operation not supported"),
    ("overlay", "error", "c2", both(ENCRYPTED, change(C2 + "engine.encryption", "no: AEAD")), "AEAD"),
    ("overlay", "error", "c2", both(ENCRYPTED, change(C2 + "engine.encryption", "unknown")), "unknown"),
    ("overlay", "error", "c2", both(ENCRYPTED, change(C2 + "engine.version", "20.10.23+dfsg1")), "sends plain text"),
    ("overlay", "error", "c2", both(ENCRYPTED, change(C2 + "engine.version", "23.0.2")), "sends plain text"),
    ("volumes", "error", "c2", change(C2 + "volumes.fuse", False), "no /dev/fuse"),
    ("volumes", "error", "all nodes", change("settings.volumes", {"refusal": "volume lake: no", "hosts": {}}), "volume lake: no"),
    ("custom", "error", "all nodes", change("settings.custom", ["Service a: no"]), "Service a: no"),
    ("gpu", "error", "c2", both(change("hosts.c2.labels", {"gpu": "enable"}), change(C2 + "gpu.driver", "")), "no NVIDIA driver"),
    ("gpu", "error", "c2", both(change("hosts.c2.labels", {"gpu": "enable"}), change(C2 + "gpu.devices", [])), "/dev/nvidia0"),
    ("gpu", "error", "c2", both(change("hosts.c2.labels", {"gpu": "enable"}), change(C2 + "gpu.toolkit", "")), "nvidia-container-runtime"),
    ("gpu", "error", "c2", both(change("hosts.c2.labels", {"gpu": "enable"}), change("settings.engine_manage", False)), "runc"),
]


def found_with(apply):
    """The findings that a change makes."""
    site = good()
    apply(site)
    report = plan.judge(site)
    return report["errors"] + report["warnings"]


def test_a_good_site_has_no_findings():
    """Neither errors nor warnings, and the report says so."""
    report = plan.judge(good())
    assert (report["ok"], report["errors"], report["warnings"]) == (True, [], [])
    assert plan.table(report) == "3 hosts, %d checks: 0 errors, 0 warnings" % len(plan.CHECKS)


@pytest.mark.parametrize("name, severity, host, apply, words", CASES, ids=["%s-%d" % (row[0], number) for number, row in enumerate(CASES)])
def test_check_finds(name, severity, host, apply, words):
    """The check finds it on the right host, and says what it found."""
    matching = [item for item in found_with(apply) if item["check"] == name and item["severity"] == severity and item["host"] == host]
    assert matching and any(words in item["found"] for item in matching)
    assert all(item["expected"] and item["next"] for item in matching)


@pytest.mark.parametrize("apply", [
    nfs,
    # Before the first mount.
    both(nfs, change(C2 + "store.mounted", None), change(C2 + "store.markers", {}), change(C2 + "store.exists", False)),
    both(nfs, change(C2 + "store.mounted", None), change(C2 + "store.markers", {}), change(C2 + "store.type", "ext4")),
    # The master's own disk.
    both(nfs, change("hosts.c1.facts.store.mounted", mounted("/dev/sdb1", "ext4"))),
    # The master does not answer; that is a finding of its own.
    both(nfs, change("groups.master", []), change("hosts.c1.facts.store.markers", {})),
    # A run with --limit, without the master.
    both(nfs, lambda site: site["hosts"].pop("c1")),
    # A host that runs none of our images needs neither the label nor the architecture.
    both(change("groups.registry", ["c1", "c2"]), change("hosts.c3.facts.system.architecture", "aarch64")),
])
def test_what_is_right_is_no_finding(apply):
    """A store over NFS on its way, and hosts that need no image."""
    assert [item for item in found_with(apply) if item["check"] not in ("managers",)] == []


@pytest.mark.parametrize("apply", [
    change(C2 + "engine.version", "25.0.0"),
    both(change(C2 + "engine.version", "24.0.7"), change(C2 + "engine.no_new_privileges", True)),
])
def test_no_warning_where_a_container_gains_no_privileges(apply):
    """By the service, or by the engine of an older node."""
    assert not [item for item in found_with(apply) if "privileges" in item["found"]]


def test_every_check_has_a_case():
    """No check without a case that makes it speak."""
    assert {row[0] for row in CASES} == set(plan.CHECKS)


def test_a_check_can_be_told_to_warn_only():
    """preflight_warn_only takes the run on."""
    site = good()
    change("groups.zookeeper", ["c1", "c2"])(site)
    assert not plan.judge(site)["ok"]
    site["settings"]["warn_only"] = ["zookeeper"]
    report = plan.judge(site)
    assert report["ok"] and [item["check"] for item in report["warnings"]] == ["zookeeper"]


def test_all_findings_at_once():
    """Many faults, one report, hosts with the same one together."""
    site = good()
    for host in ("c1", "c2", "c3"):
        change("hosts.%s.facts.memory.total" % host, GIB)(site)
    change("groups.manager", ["c1", "c2"])(site)
    report = plan.judge(site)
    assert len(report["errors"]) == 4
    text = plan.table(report)
    assert "c1, c2, c3" in text and "4 errors" in text and text.count("1.0 GiB of memory") == 1


@pytest.mark.parametrize("seeing, groups", [
    ({"a": {"a": "1"}, "b": {"a": "1", "b": "2"}, "c": {"a": "1", "b": "2", "c": "3"}}, 1),
    # b and c ran side by side and neither saw the other, but the last one saw both
    ({"a": {"a": "1", "b": "2", "c": "3"}, "b": {"b": "2"}, "c": {"c": "3"}}, 1),
    ({"a": {"a": "1"}, "b": {"b": "2"}}, 2),
    # a copy of the directory of an earlier run: the marker seen is not the one that was written now
    ({"a": {"a": "1", "b": "0"}, "b": {"a": "0", "b": "2"}}, 2),
    ({"a": {}, "b": {}}, 1),
    ({"a": {"a": "1"}}, 1),
    ({}, 0),
])
def test_who_shares_a_directory(seeing, groups):
    """Two hosts share it when one saw the marker the other has of itself."""
    assert len(plan._shared_groups(seeing)) == groups


def test_every_check_is_documented():
    """docs/preflight.md has one entry per check, each with its four parts, in the order the checks are made."""
    path = ROOT.parents[3] / "docs/preflight.md"
    if not path.exists():
        pytest.skip("the collection is installed without the repository's docs")
    entries = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    names = [entry.split("\n", 1)[0].strip("` ") for entry in entries]
    assert names == list(plan.CHECKS)
    for name, entry in zip(names, entries):
        assert re.findall(r"^\*\*(.+?)\.\*\*", entry, flags=re.MULTILINE) == ["Description", "Fails when", "Why", "What to do"], name


def test_every_threshold_is_used_and_documented():
    """Each setting of the role is read by a check, and each variable is named in the entry that uses it."""
    source = pathlib.Path(plan.__file__).read_text(encoding="utf-8")
    elsewhere = {"report_file", "dns_names", "ports", "peer_timeout", "uids"}
    for name in SETTINGS:
        assert name in elsewhere or '"%s"' % name in source, name


@pytest.mark.parametrize("more", [
    change("settings.allow_from", ["10.1.0.0/16"]), change("settings.allow_port_from", ["9094"]), change("settings.publish_addresses", {"c2": ["10.0.0.2"]}),
    change("settings.published", []), change("groups.kafka", []),
])
def test_a_public_address_is_fine_where_ports_are_limited(more):
    site = good()
    both(change("hosts.c2.facts.public", ["198.41.0.4"]), more)(site)
    assert list(plan.exposed(site)) == []
