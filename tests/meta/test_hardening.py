# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules for containers find what they are for, and every exception has a reason and is one of a rule."""

from __future__ import annotations

import copy
import sys

import pytest
from tree import ROOT

sys.path.insert(0, str(ROOT / "tests" / "lab"))

import hardening  # noqa: E402  (the path above comes first)

GOOD = {
    "Name": "/web-skp-2.1.abc",
    "Config": {"User": "61001:61001", "Labels": {"com.docker.swarm.service.name": "web-skp-2"}, "Healthcheck": {"Test": ["CMD", "true"]}},
    "HostConfig": {"Privileged": False, "SecurityOpt": ["no-new-privileges=true"], "CapAdd": None, "Devices": None, "PidsLimit": 4096, "Memory": 2**30,
                   "ReadonlyRootfs": True, "NetworkMode": "net-skp", "PidMode": "", "IpcMode": "private", "UTSMode": "", "UsernsMode": ""},
    "Mounts": [{"Type": "bind", "Source": "/var/lib/skp/web", "Propagation": "rslave"}, {"Type": "tmpfs", "Source": "", "Propagation": ""}],
}


def bind(source, propagation="rprivate"):
    """The mounts of a container with one directory of the node."""
    return [{"Type": "bind", "Source": source, "Propagation": propagation}]


BAD = {
    "not privileged": ("HostConfig", "Privileged", True),
    "no socket of the engine": (None, "Mounts", bind("/srv/docker.sock")),
    "no sensitive paths of the node": (None, "Mounts", bind("/etc/ssl")),
    "no shared propagation of mounts": (None, "Mounts", bind("/srv/web", "rshared")),
    "no new privileges": ("HostConfig", "SecurityOpt", ["no-new-privileges=false"]),
    "seccomp and AppArmor as the engine sets them": ("HostConfig", "SecurityOpt", ["no-new-privileges", "seccomp=unconfined"]),
    "no added capabilities": ("HostConfig", "CapAdd", ["CAP_SYS_ADMIN"]),
    "no devices": ("HostConfig", "Devices", [{"PathOnHost": "/dev/fuse"}]),
    "a limit of processes": ("HostConfig", "PidsLimit", 0),
    "a limit of memory": ("HostConfig", "Memory", 0),
    "a read-only root": ("HostConfig", "ReadonlyRootfs", False),
    "a user that is not root": ("Config", "User", "0:61001"),
    "a health check": ("Config", "Healthcheck", {"Test": ["NONE"]}),
    "a network of its own": ("HostConfig", "NetworkMode", "host"),
    "processes of its own": ("HostConfig", "PidMode", "host"),
    "shared memory of its own": ("HostConfig", "IpcMode", "host"),
    "a name of its own": ("HostConfig", "UTSMode", "host"),
    "users as the engine maps them": ("HostConfig", "UsernsMode", "host"),
}


def test_a_good_container_keeps_all_rules():
    assert hardening.broken([GOOD]) == set()


@pytest.mark.parametrize("rule", hardening.RULES)
def test_a_rule_finds_what_it_is_for(rule):
    part, key, value = BAD[rule]
    container = copy.deepcopy(GOOD)
    (container[part] if part else container)[key] = value
    assert hardening.broken([container]) == {(rule, "web-skp")}


def test_paths_of_the_node():
    sensitive = {"/": True, "/var/run/x": True, "/etc/skp/secrets": True, "/etc/skp/registry": False, "/srv/skp": False}
    assert {path: hardening.is_sensitive(path) for path in sensitive} == sensitive


def test_exceptions_have_a_rule_and_a_reason():
    assert [rule for rule, dummy in hardening.EXCEPTIONS if rule not in hardening.RULES] == []
    assert [key for key, reason in hardening.EXCEPTIONS.items() if len(reason) < 30] == []
    forbidden = {"not privileged", "no socket of the engine", "no sensitive paths of the node", "no new privileges", "no added capabilities"}
    filters = {(rule, name) for rule in hardening.SOCKET for name in (*hardening.PROXIES, "portainer-skp-agent")}
    assert {key for key in hardening.EXCEPTIONS if key[0] in forbidden} == filters, "only filters and Portainer's agents have the socket, below /var/run"
