# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the small machines of tests/vm are started with."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "vm"))

import vm_plan  # noqa: E402  (the path above comes first)

MACHINES = [vm_plan.Machine(number) for number in (1, 2, 3)]


def test_machines_differ_in_all_that_must_differ():
    for name in ("name", "address", "port"):
        assert len({getattr(machine, name) for machine in MACHINES}) == 3
    assert len({machine.mac(network) for machine in MACHINES for network in ("lan", "nat")}) == 6


def test_a_machine_is_reached_on_loopback_only_and_never_by_kvm():
    argv = vm_plan.qemu(MACHINES[0], "/state", 1024, 1)
    text = " ".join(argv)
    assert "hostfwd=tcp:127.0.0.1:22771-:22" in text and "localaddr=127.0.0.1" in text
    assert argv[argv.index("-accel") + 1].startswith("tcg") and "kvm" not in text
    assert "cache=unsafe" not in text, "a killed machine must have what it synced"


def test_each_machine_knows_its_address_by_its_hardware():
    files = vm_plan.network_files(MACHINES)
    for machine in MACHINES:
        text = files["etc/systemd/network/10-%s.network" % machine.name]
        assert machine.mac("lan") in text and machine.address + "/24" in text


def test_the_cluster_has_one_master_and_a_writer():
    hosts = json.loads(vm_plan.hosts_json(MACHINES))
    assert [name for name, host in hosts.items() if "master" in host["groups"]] == ["c01"]
    assert [name for name, host in hosts.items() if {"jupyter": "enable"} in host["labels"]] == ["c02"]


@pytest.mark.parametrize("texts, wanted", [
    ({"/etc/apt/sources.list": "deb http://a bookworm main"}, ["/etc/apt/sources.list"]),
    ({"/etc/apt/sources.list": "", "/etc/apt/sources.list.d/debian.sources": "Suites: bookworm bookworm-updates"}, ["/etc/apt/sources.list.d/debian.sources"]),
    ({"/etc/apt/sources.list": "deb http://a trixie main"}, []),
    ({"/etc/apt/sources.list.d/vendor.list": "deb http://b bookworm main"}, []),
])
def test_only_the_distributions_sources_of_the_host_are_used(texts, wanted):
    assert vm_plan.host_sources(texts, "bookworm") == wanted


def test_another_key_makes_another_disk():
    one, two = (vm_plan.build_hash("bookworm", vm_plan.root_files(MACHINES, key)) for key in ("a", "b"))
    assert one != two == vm_plan.build_hash("bookworm", vm_plan.root_files(MACHINES, "b"))


def test_the_codename_of_the_host():
    assert vm_plan.codename('ID=debian\nVERSION_CODENAME=bookworm\n') == "bookworm" and vm_plan.codename("ID=x") == ""
