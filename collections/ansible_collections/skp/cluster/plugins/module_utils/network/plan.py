# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The packet filter of a node: who may reach published ports, and what containers may not reach. Pure functions of plain data.

The rules are in chains of our own, which Docker's chain DOCKER-USER and the chain INPUT jump to. No other chain is changed. A chain of ours only ever
rejects or returns: what it returns is judged by the rules of Docker and of the machine's owner, as without us.

    FORWARD > DOCKER-USER > SKP-FORWARD     what enters or leaves containers
    INPUT > SKP-INPUT                       what is for the node itself: also containers that use a port of their own node (docker-proxy), and IPv6
    OUTPUT > SKP-OUTPUT                     who on the node may use its registry

A wish is {"nodes": addresses of all nodes, "published": ports that services of this node publish, "published_anywhere": those of all nodes,
"publish_addresses": addresses of this node, "allow_from": networks, "allow_port_from": {port: networks}, "swarm_allow_from": networks or the word nodes,
"closed_ports": ports or ranges, "closed_networks": networks, "registry_port": the port of this node's registry on its loopback address, or "",
"registry_users": numbers of accounts, or the word all}.
"""

from __future__ import annotations

import ipaddress
import re

from ..failure import Failure

GATEWAY = "docker_gwbridge"
"""The bridge through which containers of an overlay network reach everything else. Notebooks and executors have no other way out."""

BRIDGES = (GATEWAY, "docker0", "br-+")
"""The bridges of containers: of overlay networks, of the default network and of image builds, and of other networks."""

STORE_PORTS = ("111", "2049", "20048")
"""NFS believes the address of the client, and every container has its node's: so these are closed to all containers, not only to those of overlays."""

SWARM_PORTS = (("tcp", "2377,7946"), ("udp", "4789,7946"))
"""What engines say to each other: managers, members, and VXLAN, which believes every packet that names the right network."""

JUMPS = (("INPUT", "SKP-INPUT"), ("DOCKER-USER", "SKP-FORWARD"), ("OUTPUT", "SKP-OUTPUT"))
MULTIPORT = 15
"""Ports in one rule; a range counts twice."""

REJECT = {4: "-j REJECT --reject-with icmp-admin-prohibited", 6: "-j REJECT --reject-with icmp6-adm-prohibited"}


# --- the wish ---------------------------------------------------------------------------------------------------------------------------------------------

def wanted(wish):
    """Whether the wish needs a filter at all."""
    lists = ("publish_addresses", "allow_from", "allow_port_from", "swarm_allow_from", "closed_ports", "closed_networks")
    return _guards_registry(wish) or any(wish[name] for name in lists)


def _guards_registry(wish):
    return bool(wish["registry_port"]) and "all" not in wish["registry_users"]


def check(wish):
    """Raises Failure with every value that is no network or no port. Returns the wish in one spelling: 10.0.0.1 as 10.0.0.1/32, ports as text."""
    wrong = []

    def networks(name, values):
        found = []
        for value in values:
            try:
                network = str(ipaddress.ip_network(str(value), strict=False))
            except ValueError:
                wrong.append("%s: found %r, expected an address or a network such as 10.1.0.0/16" % (name, value))
                continue
            if network not in found:
                found.append(network)
        return found

    def ports(name, values):
        found = []
        for value in map(str, values):
            match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", value)
            first, last = (int(match.group(1)), int(match.group(2) or match.group(1))) if match else (0, 0)
            if not 0 < first <= last < 65536:
                wrong.append("%s: found %r, expected a port (22) or a range (2375-2377)" % (name, value))
            elif (first, last) not in found:
                found.append((first, last))
        return [str(first) if first == last else "%d:%d" % (first, last) for first, last in sorted(found)]

    clean = {
        "nodes": sorted(networks("address of a node (ansible_host or swarm_advertise_addr)", wish["nodes"])),
        "published": ports("published port", wish["published"]),
        "published_anywhere": ports("published port", wish["published_anywhere"]),
        "publish_addresses": networks("skp_publish_addresses", wish["publish_addresses"]),
        "allow_from": networks("skp_allow_from", wish["allow_from"]),
        "allow_port_from": {},
        "swarm_allow_from": networks("skp_swarm_allow_from", [text for text in wish["swarm_allow_from"] if text != "nodes"]),
        "closed_ports": ports("skp_container_closed_ports", wish["closed_ports"]),
        "closed_networks": networks("skp_container_closed_networks", wish["closed_networks"]),
    }
    for port, values in sorted(wish["allow_port_from"].items(), key=lambda item: str(item[0])):
        values = [part.strip() for part in values.split(",") if part.strip()] if isinstance(values, str) else values
        if not isinstance(values, list):
            wrong.append("skp_allow_port_from: port %s: found %r, expected a list of networks" % (port, values))
            continue
        for name in ports("skp_allow_port_from", [port]):
            if ":" in name:
                wrong.append("skp_allow_port_from: found %r, expected one port" % port)
            clean["allow_port_from"][name] = networks("skp_allow_port_from: port %s" % port, values)
    users = [str(user) for user in wish["registry_users"]]
    wrong += ["skp_registry_users: found %r, expected the number of an account, or all" % user for user in users if not re.fullmatch(r"[0-9]{1,10}|all", user)]
    clean["registry_users"] = ["all"] if "all" in users else [str(user) for user in sorted({0, *map(int, filter(str.isdecimal, users))})]
    clean["registry_port"] = "".join(ports("skp_registry", [wish["registry_port"]] if wish["registry_port"] else []))
    if wish["swarm_allow_from"]:
        clean["swarm_allow_from"] = list(dict.fromkeys(clean["nodes"] + clean["swarm_allow_from"]))
    if wrong:
        raise Failure("%s. The packet filter was not changed. See docs/network.md." % "; ".join(wrong), kind="network_value", wrong=wrong)
    return clean


# --- the rules --------------------------------------------------------------------------------------------------------------------------------------------

def of_family(networks, family):
    """The networks of an IP version."""
    return [text for text in networks if ipaddress.ip_network(text).version == family]


def port_lists(ports):
    """Ports in lists that one rule can hold."""
    lists, room = [], 0
    for port in ports:
        size = 2 if ":" in port else 1
        if room < size:
            lists.append([])
            room = MULTIPORT
        lists[-1].append(port)
        room -= size
    return [",".join(part) for part in lists]


def _ports(protocol, ports, target):
    return ["-p %s -m multiport --dports %s %s" % (protocol, text, target) for text in port_lists(ports)]


def chains(wish, other_bridges, family):
    """{chain: [rules]} of one IP version. wish: as `check` returns it. other_bridges: names like br-lan, of bridges that are not Docker's."""
    found = {"SKP-INPUT": [], "SKP-FORWARD": [], "SKP-OUTPUT": []}
    if not wanted(wish):
        return found
    found["SKP-INPUT"] += ["-i lo -j RETURN", "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"]
    found["SKP-FORWARD"] += ["-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"]
    if _guards_registry(wish) and family == 4:
        # Only the first packet: a later one may have no owner any more.
        found["SKP-OUTPUT"].append("-o lo -d 127.0.0.1/32 -p tcp -m tcp --dport %s -m conntrack --ctstate NEW -j SKP-REGISTRY" % wish["registry_port"])
        found["SKP-REGISTRY"] = ["-m owner --uid-owner %s -j RETURN" % user for user in wish["registry_users"]] + [REJECT[family]]
    if wish["swarm_allow_from"]:
        found["SKP-SWARM"] = _from(wish["swarm_allow_from"], family)
        found["SKP-INPUT"] += ["-p %s -m multiport --dports %s -j SKP-SWARM" % row for row in SWARM_PORTS]
    _containers(found, wish, other_bridges, family)
    if wish["publish_addresses"] or wish["allow_from"] or wish["allow_port_from"]:
        _published(found, wish, other_bridges, family)
    return found


def _containers(found, wish, other_bridges, family):
    """What containers may not reach."""
    reject, nodes = REJECT[family], of_family(wish["nodes"], family)
    networks = of_family(wish["closed_networks"], family)
    if networks:
        # A resolver of a cloud has such an address too: names are resolved with it from within the container's network.
        found["SKP-NETWORKS"] = ["-p %s --dport 53 -j RETURN" % protocol for protocol in ("udp", "tcp")] + ["-d %s %s" % (text, reject) for text in networks]
        for chain in ("SKP-INPUT", "SKP-FORWARD"):
            found[chain].append("-i %s -j SKP-NETWORKS" % GATEWAY)
    if wish["closed_ports"]:
        # Published ports and a resolver on the node stay open, however much is closed.
        found["SKP-NODE"] = (_ports("tcp", ["53"] + wish["published_anywhere"], "-j RETURN") + _ports("udp", ["53"], "-j RETURN")
                             + _ports("tcp", wish["closed_ports"], reject) + _ports("udp", wish["closed_ports"], reject))
        found["SKP-INPUT"].append("-i %s -j SKP-NODE" % GATEWAY)
        found["SKP-FORWARD"] += ["-d %s -i %s -j SKP-NODE" % (node, GATEWAY) for node in nodes]
    store = [port for port in STORE_PORTS if any(_covers(entry, int(port)) for entry in wish["closed_ports"])]
    if store:
        found["SKP-STORE"] = ["-i %s -j RETURN" % name for name in other_bridges] + _ports("tcp", store, reject) + _ports("udp", store, reject)
        for bridge in BRIDGES[1:]:
            found["SKP-INPUT"].append("-i %s -j SKP-STORE" % bridge)
            found["SKP-FORWARD"] += ["-d %s -i %s -j SKP-STORE" % (node, bridge) for node in nodes]


def _covers(entry, port):
    first, _colon, last = entry.partition(":")
    return int(first) <= port <= int(last or first)


def _published(found, wish, other_bridges, family):
    """Who may reach published ports: the nodes and their containers always, others as wished."""
    for port, networks in wish["allow_port_from"].items():
        found["SKP-FROM-%s" % port] = _from(wish["nodes"] + networks, family)
    if wish["allow_from"]:
        found["SKP-FROM"] = _from(wish["nodes"] + wish["allow_from"], family)
    bound = []
    if wish["publish_addresses"]:
        # The address that the client asked for. Docker itself cannot bind a port of a service to one address of its node.
        own = of_family(wish["publish_addresses"], family)
        found["SKP-ADDRESS"] = ["-m conntrack --ctorigdst %s -j RETURN" % text for text in own] + [REJECT[family]]
        bound = ["-j SKP-ADDRESS"]
    # The way to containers: Docker has replaced address and port by the container's, so the port that the client asked for is looked at.
    entry = []
    for port in wish["allow_port_from"]:
        entry += ["-p %s -m conntrack --ctorigdstport %s -g SKP-FROM-%s" % (protocol, port, port) for protocol in ("tcp", "udp")]
    found["SKP-PUBLISHED"] = _not_from_containers(other_bridges, "SKP-ASKED") + ["-g SKP-ASKED"]
    found["SKP-ASKED"] = bound + entry + (["-g SKP-FROM"] if wish["allow_from"] else [])
    # What leaves through a bridge that is not Docker's is no way into a container.
    found["SKP-FORWARD"] += ["-o %s -j RETURN" % name for name in other_bridges] + ["-o %s -j SKP-PUBLISHED" % bridge for bridge in BRIDGES]
    # The way to docker-proxy, which listens on the node for what is not forwarded: IPv6, and containers that use a port of their own node.
    limited = [port for port in wish["published"] if wish["allow_from"] or port in wish["allow_port_from"]]
    local = wish["published"] if bound else limited
    if local:
        found["SKP-PROXY"] = _not_from_containers(other_bridges, "SKP-LOCAL") + ["-g SKP-LOCAL"]
        found["SKP-LOCAL"] = bound + [
            "-p tcp -m tcp --dport %s -g SKP-FROM%s" % (port, "-" + port if port in wish["allow_port_from"] else "") for port in limited]
        found["SKP-INPUT"] += _ports("tcp", local, "-j SKP-PROXY")


def _not_from_containers(other_bridges, chain):
    """Containers of a node count as the node: their packets have its address everywhere else."""
    return ["-i %s -g %s" % (name, chain) for name in other_bridges] + ["-i %s -j RETURN" % bridge for bridge in BRIDGES]


def _from(networks, family):
    sources = dict.fromkeys(of_family(networks, family))
    # iptables leaves out a match of all addresses.
    return ["%s-j RETURN" % ("" if text.endswith("/0") else "-s %s " % text) for text in sources] + [REJECT[family]]


def restore_file(found):
    """Text for iptables-restore --noflush: it replaces these chains in one step and leaves all others as they are."""
    lines = [":%s - [0:0]" % chain for chain in sorted(found)] + ["-A %s %s" % (chain, rule) for chain in sorted(found) for rule in found[chain]]
    return "\n".join(["*filter"] + lines + ["COMMIT"]) + "\n"


# --- the script that applies them -------------------------------------------------------------------------------------------------------------------------

SCRIPT = """\
#!/bin/sh
# Packet filter of skp.cluster, see docs/network.md. A run writes this file and applies it; skp-network.service applies it before the engine starts.
# Changes by hand are replaced. Rules of your own belong into DOCKER-USER and INPUT: only chains whose names begin with SKP- are changed here.
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

jump() { # command, chain, our chain: ours comes first
    [ "$("$1" -w -S "$2" | sed -n '/^-A/{p;q}')" != "-A $2 -j $3" ] || return 0
    while "$1" -w -D "$2" -j "$3" 2>/dev/null; do :; done
    "$1" -w -I "$2" -j "$3"
}

unjump() { # command, chain, our chain
    while "$1" -w -D "$2" -j "$3" 2>/dev/null; do :; done
}

clean() { # command, names of the chains that stay
    old=
    for chain in $("$1" -w -S | sed -n 's/^-N \\(SKP-[A-Z0-9-]*\\)$/\\1/p'); do
        case " $2 " in *" $chain "*) ;; *) old="$old $chain" ;; esac
    done
    for chain in $old; do "$1" -w -F "$chain"; done
    for chain in $old; do "$1" -w -X "$chain"; done
}
"""

FAMILY = """
# {title}
{guard}{command}-restore -w -n <<'RULES'
{rules}RULES
{command} -w -N DOCKER-USER 2>/dev/null || true # the engine uses it, whoever made it
{jumps}clean {command} "{chains}"
{end}"""


def script(wish, other_bridges=()):
    """The script that applies a checked wish, and that removes everything where nothing is wished."""
    parts = [SCRIPT]
    for family, command, title in ((4, "iptables", "IPv4"), (6, "ip6tables", "IPv6, if the kernel has it")):
        guard, end = ("if [ -e /proc/net/if_inet6 ]; then\n", "fi\n") if family == 6 else ("", "")
        if wanted(wish):
            found = chains(wish, other_bridges, family)
            jumps = "".join("jump %s %s %s\n" % (command, chain, ours) for chain, ours in JUMPS)
            parts.append(FAMILY.format(title=title, command=command, guard=guard, end=end, rules=restore_file(found), jumps=jumps,
                                       chains=" ".join(sorted(found))))
        else:
            jumps = "".join("unjump %s %s %s\n" % (command, chain, ours) for chain, ours in JUMPS)
            parts.append("\n# %s\n%s%sclean %s \"\"\n%s" % (title, guard, jumps, command, end))
    return "".join(parts)


UNIT = """\
# Packet filter of skp.cluster, see docs/network.md.
[Unit]
Description=Packet filter of skp.cluster
# Before the engine: no container runs without the filter. Part of it: after a restart of the engine the rules are put in place again.
Before=docker.service
PartOf=docker.service
After=nftables.service netfilter-persistent.service ufw.service firewalld.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh {script}
TimeoutStartSec=60

[Install]
WantedBy=docker.service
"""


# --- what is there ----------------------------------------------------------------------------------------------------------------------------------------

def listing(saved):
    """Our part of what iptables-save printed for one IP version: our chains, and the jumps to them that packets reach."""
    lines = saved.splitlines()
    names = sorted(line.split()[0][1:] for line in lines if line.startswith(":SKP-"))
    found = [":" + name for name in names]
    for name in names:
        found += [line for line in lines if line.startswith("-A %s " % name)]
    for chain, ours in JUMPS:
        rules = [line for line in lines if line.startswith("-A %s " % chain)]
        ends = [index for index, line in enumerate(rules) if re.fullmatch(r"-A \S+ -j (ACCEPT|DROP|RETURN|REJECT.*)", line)]
        jump = "-A %s -j %s" % (chain, ours)
        if jump in rules[:ends[0] if ends else None]:
            found.append(jump)
    return found


def engine_uses_it(saved):
    """Whether packets of containers reach DOCKER-USER: they do not where the engine was told to make no rules, or makes them with nft itself."""
    return any(re.match(r"-A FORWARD .*-j DOCKER-USER$|-A FORWARD -j DOCKER-USER$", line) for line in saved.splitlines())


def decide(found, text, unit):
    """What to do. found: {"script", "unit": texts or "", "enabled": bool, "live", "recorded": listings}. text: the script, "" for no filter.

    Returns {"write": bool, "apply": bool, "remove": bool, "before", "after": texts for a diff}.
    """
    if not text:
        there = bool(found["script"] or found["unit"] or found["live"])
        return {"write": False, "apply": False, "remove": there, "before": found["script"] or "\n".join(found["live"]), "after": ""}
    write = found["script"] != text or found["unit"] != unit or not found["enabled"]
    drift = not write and found["live"] != found["recorded"]
    before, after = found["script"], text
    if drift:
        before, after = "\n".join(found["live"]) + "\n", "\n".join(found["recorded"]) + "\n"
    elif write and found["script"] == text:
        before, after = (found["unit"] if found["enabled"] else "# not enabled\n" + found["unit"]), unit
    return {"write": write, "apply": write or drift, "remove": False, "before": before, "after": after}
