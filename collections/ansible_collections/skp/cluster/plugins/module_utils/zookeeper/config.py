# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The configuration of a ZooKeeper server (zoo.cfg, JVM flags) and its answer to `srvr`. Pure."""

from __future__ import annotations

import re

CLIENT_PORT = 2181
QUORUM_PORT = 2888
ELECTION_PORT = 3888
CONFIG_PATH = "/etc/zookeeper/zoo.cfg"
DATA_DIR = "/var/lib/zookeeper/data"

FIXED = {
    "dataDir": DATA_DIR,
    "clientPort": str(CLIENT_PORT),
    "quorumListenOnAllIPs": "true",
    "standaloneEnabled": "false",
    "reconfigEnabled": "false",
    "admin.enableServer": "false",
}
"""Settings that the ensemble module depends on; a user's settings must not replace them.

quorumListenOnAllIPs: the member's own entry is a service name, which resolves to the container only after the server has to bind.
standaloneEnabled=false: a single member runs the quorum code too, so the ensemble can grow. reconfigEnabled=false: the server
list is only in the file (ZOOKEEPER-3829 made rolling changes of a static list safe).
"""

OWN_FLAGS = ("-Dzookeeper.db.autocreate=false",)
"""JVM flags that are always set: a server without data has no vote until it has synced with a leader (admin guide, "db existence validation")."""


def server_names(prefix, ids):
    """{id: service name} of the ids, e.g. {1: "zookeeper-skp-1"}. The service's name is the server's name on the overlay."""
    return {number: "%s-%d" % (prefix, number) for number in sorted(ids)}


def connection_string(prefix, ids):
    """The connection string of clients: `zookeeper-skp-1:2181,zookeeper-skp-2:2181`, by id."""
    return ",".join("%s:%d" % (name, CLIENT_PORT) for name in server_names(prefix, ids).values())


def render_zoo_cfg(settings, prefix, ids):
    """The text of zoo.cfg, the same for every member: settings sorted by key, then the servers by id.

    settings: {key: value}; booleans become true/false. Raises ValueError if they contain a server line, or one of FIXED with another
    value: the module sets those.
    """
    merged = dict(FIXED)
    for key, value in settings.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if key.startswith("server.") or key.startswith("dynamicConfig") or FIXED.get(key, text) != text:
            raise ValueError(key)
        if "\n" in text or "\n" in key or "=" in key or not key:
            raise ValueError(key)
        merged[key] = text
    lines = ["%s=%s" % (key, merged[key]) for key in sorted(merged)]
    for number, name in server_names(prefix, ids).items():
        lines.append("server.%d=%s:%d:%d" % (number, name, QUORUM_PORT, ELECTION_PORT))
    return "\n".join(lines) + "\n"


def parse_srvr(text):
    """The answer to `srvr`: {"mode": "leader"|"follower"|..., "zxid": int, "version": str}, or None if the server does not serve.

    A server in an election or during its sync answers "This ZooKeeper instance is not currently serving requests"; so a mode of leader
    or follower means that it has synced with its leader once.
    """
    mode = re.search(r"^Mode:\s*(\S+)", text or "", re.MULTILINE)
    if not mode:
        return None
    zxid = re.search(r"^Zxid:\s*0x([0-9a-fA-F]+)", text, re.MULTILINE)
    version = re.search(r"^Zookeeper version:\s*([^,\s]+)", text, re.MULTILINE)
    return {
        "mode": mode.group(1).lower(),
        "zxid": int(zxid.group(1), 16) if zxid else 0,
        "version": version.group(1) if version else "",
    }


def caught_up(follower_zxid, leader_zxid):
    """Whether a follower has all transactions that the leader had when leader_zxid was read.

    A zxid is epoch << 32 | counter. A follower that is idle after an election still shows its last zxid of the previous epoch, while the
    leader shows counter 0 of the new one: the follower synced before it served, and there is nothing more to catch up with.
    """
    if leader_zxid & 0xFFFFFFFF == 0:
        return follower_zxid >> 32 <= leader_zxid >> 32
    return follower_zxid >= leader_zxid
