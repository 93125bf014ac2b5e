# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. A ZooKeeper member, and the service that writes its id, as entries of `skp_service`'s option `services`. Pure."""

from __future__ import annotations

from . import config

SERVERS_LABEL = "skp.zk.servers"
"""Service label: the ids of the server list in a member's zoo.cfg, so that the next run can continue an interrupted change of the list."""


def init_name(prefix, number):
    """Name of the one-shot service that writes a member's id."""
    return "%s-init-%d" % (prefix, number)


def member_service(common, prefix, number, host, servers, zoo_cfg):
    """One member as an entry of `skp_service`'s option `services`.

    common: options of all members, in that option's format (image, mounts, env, limits, ...). servers: ids of the server list, which
    zoo_cfg (the text) must contain.
    """
    name = "%s-%d" % (prefix, number)
    env = dict(common.get("env") or {})
    flags = str(env.get("SERVER_JVMFLAGS") or "").split()
    env["SERVER_JVMFLAGS"] = " ".join(flags + [flag for flag in config.OWN_FLAGS if flag not in flags])
    env["ZOO_MY_ID"] = str(number)
    configs = list(common.get("configs") or []) + [{"name": "zoo.cfg", "content": zoo_cfg, "target": config.CONFIG_PATH}]
    labels = dict(common.get("labels") or {}, **{SERVERS_LABEL: ",".join(str(item) for item in sorted(servers))})
    return dict(common, name=name, hostname=name, host=host, env=env, configs=configs, labels=labels)


def init_service(common, prefix, number, host, marker):
    """The one-shot service that writes a member's id, pinned like the member and with its mounts and user."""
    command = ["skp-zookeeper-init", str(number)] + (["initialize"] if marker else [])
    kept = ("image", "user", "mounts", "networks", "cap_drop", "cap_add", "log")
    return dict({key: common[key] for key in kept if key in common}, name=init_name(prefix, number), host=host, command=command,
                restart={"condition": "none"})
