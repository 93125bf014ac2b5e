# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server is told and what it answers."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.zookeeper import config

FOLLOWER = """Zookeeper version: 3.9.5-0fa8ff0e4a2a7c1a0c1f0, built on 2026-01-01 10:00 UTC
Latency min/avg/max: 0/0.0/0
Received: 5
Sent: 4
Connections: 1
Outstanding: 0
Zxid: 0x30000000a
Mode: follower
Node count: 105
"""


@pytest.mark.parametrize("text,expected", [
    (FOLLOWER, {"mode": "follower", "zxid": 0x30000000a, "version": "3.9.5-0fa8ff0e4a2a7c1a0c1f0"}),
    (FOLLOWER.replace("follower", "leader") + "Proposal sizes last/min/max: 36/36/48\n",
     {"mode": "leader", "zxid": 0x30000000a, "version": "3.9.5-0fa8ff0e4a2a7c1a0c1f0"}),
    ("This ZooKeeper instance is not currently serving requests\n", None),
    ("srvr is not executed because it is not in the whitelist.\n", None),
    ("", None),
    (None, None),
])
def test_parse_srvr(text, expected):
    assert config.parse_srvr(text) == expected


@pytest.mark.parametrize("follower,leader,expected", [
    (0x30000000a, 0x30000000a, True),
    (0x30000000b, 0x30000000a, True),
    (0x300000009, 0x30000000a, False),
    (0x20000ffff, 0x30000000a, False),
    (0x20000ffff, 0x300000000, True),
    (0x400000001, 0x300000000, False),
])
def test_caught_up(follower, leader, expected):
    assert config.caught_up(follower, leader) is expected


def test_zoo_cfg_is_the_same_whatever_the_order():
    settings = {"tickTime": 2000, "initLimit": 10, "4lw.commands.whitelist": "srvr, ruok"}
    one = config.render_zoo_cfg(settings, "zookeeper-skp", [1, 2, 10])
    two = config.render_zoo_cfg(dict(reversed(list(settings.items()))), "zookeeper-skp", [10, 2, 1])
    assert one == two
    assert one.splitlines()[-3:] == ["server.%d=zookeeper-skp-%d:2888:3888" % (n, n) for n in (1, 2, 10)]
    for line in ("quorumListenOnAllIPs=true", "standaloneEnabled=false", "reconfigEnabled=false", "admin.enableServer=false",
                 "dataDir=/var/lib/zookeeper/data", "tickTime=2000"):
        assert line in one.splitlines()


@pytest.mark.parametrize("key,value", [("server.9", "evil:2888:3888"), ("reconfigEnabled", True), ("dataDir", "/tmp"), ("clientPort", 9),
                                       ("tickTime", "1\nserver.9=x"), ("dynamicConfigFile", "/x"), ("a=b", 1), ("", 1)])
def test_settings_that_are_the_modules_own(key, value):
    with pytest.raises(ValueError):
        config.render_zoo_cfg({key: value}, "zookeeper-skp", [1])


def test_a_setting_that_says_the_same_is_no_conflict():
    assert config.render_zoo_cfg({"reconfigEnabled": False}, "z", [1]) == config.render_zoo_cfg({}, "z", [1])


def test_connection_string():
    assert config.connection_string("zookeeper-skp", [3, 1, 10]) == "zookeeper-skp-1:2181,zookeeper-skp-3:2181,zookeeper-skp-10:2181"
