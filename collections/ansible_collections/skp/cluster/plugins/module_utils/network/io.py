# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The packet filter of this node: its files, its unit, and the rules in the kernel."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess

from .. import atomic_file
from ..engine import facts as engine_facts
from ..failure import Failure
from . import plan

SCRIPT = "/etc/skp/network.sh"
RECORD = "/etc/skp/network.json"
UNIT = "/etc/systemd/system/skp-network.service"
WANTED = "/etc/systemd/system/docker.service.wants/skp-network.service"
TOOLS = ("iptables", "iptables-restore", "iptables-save", "ip6tables", "ip6tables-restore", "ip6tables-save")


def converge(wish, check_mode):
    """Makes the filter as wished. Returns {"changed", "before", "after"}."""
    wish = plan.check(wish)
    missing = [name for name in TOOLS if not shutil.which(name, path=engine_facts.SEARCH_PATH)]
    text = plan.script(wish, other_bridges()) if plan.wanted(wish) else ""
    if missing:
        if not text or (check_mode and not engine_facts.read()["installed"]):
            # Without the tools no rule of ours can be there. Before the first run the engine's package will bring them.
            return {"changed": bool(text), "before": "", "after": text}
        raise Failure("The packet filter needs %s, not found in %s. Install the package iptables on this node, or switch the filter off: empty "
                      "skp_publish_addresses, skp_allow_from, skp_allow_port_from, skp_swarm_allow_from, skp_container_closed_ports and "
                      "skp_container_closed_networks, and set skp_registry_users to [all]. See docs/network.md."
                      % (", ".join(missing), engine_facts.SEARCH_PATH), kind="network_tools", missing=missing)
    found, saved = read()
    if text and not check_mode and not plan.engine_uses_it(saved) and engine_facts.read()["running"]:
        raise Failure("The engine sends no packet through the chain DOCKER-USER, so a packet filter there would have no effect. Expected in "
                      "`iptables -S FORWARD`: -j DOCKER-USER. Was it removed? Then `systemctl restart docker`. Is \"iptables\": false or "
                      "\"firewall-backend\" in daemon.json? Then remove that, or switch the filter off and protect the node yourself. See "
                      "docs/network.md.", kind="network_engine")
    decision = plan.decide(found, text, plan.UNIT.format(script=SCRIPT))
    if not check_mode:
        apply(decision, text, wish)
    return {"changed": decision["apply"] or decision["remove"], "before": decision["before"], "after": decision["after"]}


def other_bridges(directory="/sys/class/net"):
    """Bridges with a name like those of Docker's networks (br-<12 hexadecimal digits>), which are none of them."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return sorted(name for name in names if name.startswith("br-") and not re.fullmatch(r"br-[0-9a-f]{12}", name))


def read():
    """What is there, as `plan.decide` wants it, and the IPv4 rules."""
    saved = [_run([command, "-t", "filter"]) for command in ["iptables-save"] + (["ip6tables-save"] if os.path.exists("/proc/net/if_inet6") else [])]
    try:
        recorded = json.loads(_text(RECORD) or "{}").get("rules", [])
    except (ValueError, AttributeError):
        recorded = []
    found = {"script": _text(SCRIPT), "unit": _text(UNIT), "enabled": os.path.islink(WANTED), "recorded": recorded,
             "live": [line for text in saved for line in plan.listing(text)]}
    return found, saved[0]


def apply(decision, text, wish):
    """Writes, applies or removes as decided."""
    if decision["write"]:
        atomic_file.write_text(SCRIPT, text, 0o644)
        atomic_file.write_text(UNIT, plan.UNIT.format(script=SCRIPT), 0o644)
        if not os.path.islink(WANTED):
            os.makedirs(os.path.dirname(WANTED), mode=0o755, exist_ok=True)
            os.symlink(UNIT, WANTED)
        _reload_systemd()
    if decision["apply"]:
        _run(["/bin/sh", SCRIPT])
        # iptables prints rules in its own spelling, which differs between versions: the next run compares with what it prints now.
        atomic_file.write_text(RECORD, json.dumps({"rules": read()[0]["live"]}, indent=1) + "\n", 0o644)
    if decision["remove"]:
        _run(["/bin/sh", "-c", plan.script(wish)])
        for path in (WANTED, UNIT, SCRIPT, RECORD):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        _reload_systemd()


def _reload_systemd():
    if os.path.isdir("/run/systemd/system"):
        _run(["systemctl", "daemon-reload"])


def _text(path):
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read()
    except FileNotFoundError:
        return ""


def _run(argv):
    environment = dict(os.environ, PATH=engine_facts.SEARCH_PATH, LC_ALL="C")
    try:
        # run_command has no time limit.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, env=environment)
        words = (done.stderr or done.stdout).strip()
    except subprocess.TimeoutExpired:
        done, words = None, "no answer in 60 s"
    if done is None or done.returncode != 0:
        raise Failure("The packet filter of this node: `%s` failed: %s. The rules that were there stay. Run again when the cause is removed, or switch "
                      "the filter off; see docs/network.md." % (" ".join(argv)[:200], words), kind="network_rules", command=argv[:2])
    return done.stdout
