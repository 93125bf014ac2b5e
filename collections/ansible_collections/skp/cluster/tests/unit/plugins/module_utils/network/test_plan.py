# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the packet filter, as text."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.network import plan

NODES = ["10.0.0.1", "10.0.0.2"]
CLOSED = [22, 111, 2049, "2375-2377"]
NOTHING = {"nodes": NODES, "published": [], "published_anywhere": [9094], "publish_addresses": [], "allow_from": [], "allow_port_from": {},
           "swarm_allow_from": [], "closed_ports": [], "closed_networks": [], "registry_port": "", "registry_users": []}
REJECT = "-j REJECT --reject-with icmp-admin-prohibited"


def wish(**changes):
    return plan.check(dict(NOTHING, **changes))


def chains(family=4, bridges=(), **changes):
    return plan.chains(wish(**changes), bridges, family)


def test_nothing_wished_is_no_rule():
    assert not plan.wanted(wish()) and chains() == {"SKP-INPUT": [], "SKP-FORWARD": [], "SKP-OUTPUT": []}
    text = plan.script(wish())
    assert "unjump iptables INPUT SKP-INPUT" in text and "-restore" not in text and 'clean iptables ""' in text


def test_what_containers_of_overlays_may_not_reach():
    found = chains(closed_ports=CLOSED, closed_networks=["169.254.0.0/16"])
    assert found["SKP-INPUT"] == [
        "-i lo -j RETURN",
        "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        "-i docker_gwbridge -j SKP-NETWORKS",
        "-i docker_gwbridge -j SKP-NODE",
        "-i docker0 -j SKP-STORE",
        "-i br-+ -j SKP-STORE",
    ]
    assert found["SKP-NETWORKS"] == ["-p udp --dport 53 -j RETURN", "-p tcp --dport 53 -j RETURN", "-d 169.254.0.0/16 " + REJECT]
    assert found["SKP-NODE"] == [
        "-p tcp -m multiport --dports 53,9094 -j RETURN",
        "-p udp -m multiport --dports 53 -j RETURN",
        "-p tcp -m multiport --dports 22,111,2049,2375:2377 " + REJECT,
        "-p udp -m multiport --dports 22,111,2049,2375:2377 " + REJECT,
    ]
    assert "-d 10.0.0.2/32 -i docker_gwbridge -j SKP-NODE" in found["SKP-FORWARD"]


def test_other_containers_reach_all_but_the_store():
    found = chains(closed_ports=CLOSED)
    assert found["SKP-STORE"] == ["-p tcp -m multiport --dports 111,2049 " + REJECT, "-p udp -m multiport --dports 111,2049 " + REJECT]
    assert "SKP-STORE" not in chains(closed_ports=[22])
    assert "20048" in "".join(chains(closed_ports=["1-65535"])["SKP-STORE"])


def test_a_bridge_of_the_owner_is_no_bridge_of_containers():
    found = chains(bridges=["br-lan"], closed_ports=CLOSED, allow_from=["10.1.0.0/16"], published=[9094])
    assert found["SKP-STORE"][0] == "-i br-lan -j RETURN"
    assert found["SKP-FORWARD"].index("-o br-lan -j RETURN") < found["SKP-FORWARD"].index("-o br-+ -j SKP-PUBLISHED")
    assert found["SKP-PUBLISHED"][0] == "-i br-lan -g SKP-ASKED" and found["SKP-PROXY"][0] == "-i br-lan -g SKP-LOCAL"


def test_who_may_reach_published_ports():
    found = chains(allow_from=["10.1.0.0/16", "10.0.0.1"], published=[9094])
    assert found["SKP-FROM"] == ["-s 10.0.0.1/32 -j RETURN", "-s 10.0.0.2/32 -j RETURN", "-s 10.1.0.0/16 -j RETURN", REJECT]
    assert found["SKP-FORWARD"] == ["-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"] + [
        "-o %s -j SKP-PUBLISHED" % name for name in ("docker_gwbridge", "docker0", "br-+")]
    assert found["SKP-PUBLISHED"] == ["-i %s -j RETURN" % name for name in ("docker_gwbridge", "docker0", "br-+")] + ["-g SKP-ASKED"]
    assert found["SKP-ASKED"] == ["-g SKP-FROM"]
    assert found["SKP-INPUT"][2:] == ["-p tcp -m multiport --dports 9094 -j SKP-PROXY"]
    assert found["SKP-LOCAL"] == ["-p tcp -m tcp --dport 9094 -g SKP-FROM"]


def test_one_port_for_others_than_the_rest():
    found = chains(allow_port_from={"8010": ["0.0.0.0/0"], 9094: "10.1.0.0/16, 10.2.0.5"}, published=[8010, 8020, 9094])
    assert "SKP-FROM" not in found and found["SKP-FROM-8010"] == ["-s 10.0.0.1/32 -j RETURN", "-s 10.0.0.2/32 -j RETURN", "-j RETURN", REJECT]
    assert found["SKP-FROM-9094"][2:] == ["-s 10.1.0.0/16 -j RETURN", "-s 10.2.0.5/32 -j RETURN", REJECT]
    assert found["SKP-ASKED"][0] == "-p tcp -m conntrack --ctorigdstport 8010 -g SKP-FROM-8010"
    # Port 8020 is open to everybody, as without a filter.
    assert "8020" not in "".join(found["SKP-LOCAL"]) and "-p tcp -m multiport --dports 8010,9094 -j SKP-PROXY" in found["SKP-INPUT"]


def test_ipv6_is_closed_to_all_that_are_not_named():
    found = chains(6, allow_from=["10.1.0.0/16", "fd00:1::/64"], published=[9094], closed_networks=["169.254.0.0/16"])
    assert found["SKP-FROM"] == ["-s fd00:1::/64 -j RETURN", "-j REJECT --reject-with icmp6-adm-prohibited"]
    assert "SKP-NETWORKS" not in found


@pytest.mark.parametrize("given, sources", [
    (["nodes"], ["-s 10.0.0.1/32", "-s 10.0.0.2/32"]),
    (["nodes", "10.1.0.0/16"], ["-s 10.0.0.1/32", "-s 10.0.0.2/32", "-s 10.1.0.0/16"]),
    (["10.0.0.2"], ["-s 10.0.0.1/32", "-s 10.0.0.2/32"]),
])
def test_who_may_reach_the_ports_of_the_swarm(given, sources):
    found = chains(swarm_allow_from=given)
    assert found["SKP-SWARM"] == [text + " -j RETURN" for text in sources] + [REJECT]
    assert found["SKP-INPUT"][2:] == ["-p tcp -m multiport --dports 2377,7946 -j SKP-SWARM", "-p udp -m multiport --dports 4789,7946 -j SKP-SWARM"]
    assert "SKP-SWARM" not in "".join(found["SKP-FORWARD"]) and "SKP-SWARM" not in chains(closed_ports=CLOSED)
    assert chains(6, swarm_allow_from=given)["SKP-SWARM"] == ["-j REJECT --reject-with icmp6-adm-prohibited"]


def test_published_ports_at_one_address_of_the_node():
    found = chains(publish_addresses=["10.0.0.1"], published=[8010, 9094])
    assert found["SKP-ADDRESS"] == ["-m conntrack --ctorigdst 10.0.0.1/32 -j RETURN", REJECT]
    assert found["SKP-ASKED"] == ["-j SKP-ADDRESS"] and found["SKP-LOCAL"] == ["-j SKP-ADDRESS"]
    assert "-p tcp -m multiport --dports 8010,9094 -j SKP-PROXY" in found["SKP-INPUT"]
    found = chains(publish_addresses=["10.0.0.1"], allow_port_from={"9094": ["10.1.0.0/16"]}, published=[8010, 9094])
    assert found["SKP-ASKED"][0] == "-j SKP-ADDRESS" and found["SKP-LOCAL"] == ["-j SKP-ADDRESS", "-p tcp -m tcp --dport 9094 -g SKP-FROM-9094"]
    # An address of IPv4 closes IPv6.
    assert chains(6, publish_addresses=["10.0.0.1"], published=[8010])["SKP-ADDRESS"] == ["-j REJECT --reject-with icmp6-adm-prohibited"]


@pytest.mark.parametrize("users, owners", [([], ["0"]), ([61003, "1000", "0"], ["0", "1000", "61003"])])
def test_who_of_the_node_may_use_its_registry(users, owners):
    found = chains(registry_port="5000", registry_users=users)
    assert found["SKP-OUTPUT"] == ["-o lo -d 127.0.0.1/32 -p tcp -m tcp --dport 5000 -m conntrack --ctstate NEW -j SKP-REGISTRY"]
    assert found["SKP-REGISTRY"] == ["-m owner --uid-owner %s -j RETURN" % owner for owner in owners] + [REJECT]
    assert chains(6, registry_port="5000")["SKP-OUTPUT"] == [], "it listens on IPv4 only"


@pytest.mark.parametrize("changes", [{"registry_port": "5000", "registry_users": ["all", "0"]}, {"registry_port": "", "registry_users": ["0"]}])
def test_everybody_of_the_node_may_use_its_registry(changes):
    assert not plan.wanted(wish(**changes)) and "SKP-REGISTRY" not in chains(closed_ports=CLOSED, **changes)


@pytest.mark.parametrize("ports, lists", [
    ([], []),
    ([str(number) for number in range(1, 17)], ["1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", "16"]),
    (["1:2"] * 8, ["1:2,1:2,1:2,1:2,1:2,1:2,1:2", "1:2"]),
    (["1"] * 14 + ["2:3"], [",".join(["1"] * 14), "2:3"]),
])
def test_a_rule_holds_15_ports(ports, lists):
    assert plan.port_lists(ports) == lists


@pytest.mark.parametrize("changes, words", [
    ({"allow_from": ["10.1.0.0/33"]}, "skp_allow_from: found '10.1.0.0/33', expected an address or a network"),
    ({"allow_from": ["10.1.0.0/16 -j ACCEPT"]}, "skp_allow_from"),
    ({"closed_networks": ["a\n-A INPUT -j ACCEPT"]}, "skp_container_closed_networks"),
    ({"closed_ports": ["ssh"]}, "skp_container_closed_ports: found 'ssh', expected a port (22) or a range"),
    ({"closed_ports": ["9-8"]}, "skp_container_closed_ports"),
    ({"closed_ports": [65536]}, "skp_container_closed_ports"),
    ({"closed_ports": ["22\n"]}, "skp_container_closed_ports"),
    ({"allow_port_from": {"8000-8010": []}}, "expected one port"),
    ({"allow_port_from": {"8010": 5}}, "expected a list of networks"),
    ({"nodes": ["c01.example"]}, "address of a node"),
    ({"swarm_allow_from": ["node"]}, "skp_swarm_allow_from: found 'node'"),
    ({"registry_users": ["nobody"]}, "skp_registry_users: found 'nobody', expected the number"),
    ({"registry_port": "5000x"}, "skp_registry"),
    ({"publish_addresses": ["eth0"]}, "skp_publish_addresses: found 'eth0'"),
])
def test_what_is_no_network_or_port_is_refused(changes, words):
    with pytest.raises(Failure) as caught:
        wish(**changes)
    assert words in caught.value.msg and "not changed" in caught.value.msg


def test_the_order_of_lists_does_not_matter():
    assert plan.script(wish(nodes=NODES[::-1], closed_ports=CLOSED[::-1])) == plan.script(wish(closed_ports=CLOSED))


def test_only_our_chains_are_in_the_file():
    text = plan.restore_file(chains(allow_from=["10.1.0.0/16"], closed_ports=CLOSED, published=[9094]))
    lines = text.splitlines()
    assert (lines[0], lines[-1]) == ("*filter", "COMMIT")
    assert all(line.startswith((":SKP-", "-A SKP-")) for line in lines[1:-1])
    targets = {word for line in lines for flag, word in zip(line.split(), line.split()[1:]) if flag in ("-j", "-g")}
    assert targets - {"RETURN", "REJECT"} <= {line.split()[0][1:] for line in lines if line.startswith(":")}


SAVED = """\
*filter
:INPUT ACCEPT [5:300]
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
:SKP-INPUT - [0:0]
:SKP-FORWARD - [0:0]
-A INPUT -j SKP-INPUT
-A INPUT -j ufw-before-input
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -s 10.9.0.0/16 -j DROP
-A DOCKER-USER -j SKP-FORWARD
-A DOCKER-USER -j RETURN
-A SKP-INPUT -i lo -j RETURN
COMMIT
"""
LISTED = [":SKP-FORWARD", ":SKP-INPUT", "-A SKP-INPUT -i lo -j RETURN", "-A INPUT -j SKP-INPUT", "-A DOCKER-USER -j SKP-FORWARD"]


@pytest.mark.parametrize("old, new, gone", [
    ("", "", []),
    ("-A DOCKER-USER -s 10.9.0.0/16 -j DROP", "-A DOCKER-USER -j RETURN", [LISTED[4]]),
    ("-A INPUT -j SKP-INPUT\n", "", [LISTED[3]]),
    ("-A SKP-INPUT -i lo -j RETURN\n", "", [LISTED[2]]),
])
def test_what_is_in_force(old, new, gone):
    saved = SAVED.replace(old, new, 1) if old else SAVED
    assert plan.listing(saved) == [line for line in LISTED if line not in gone]
    assert plan.engine_uses_it(saved) and not plan.engine_uses_it(saved.replace("-A FORWARD -j DOCKER-USER\n", ""))


THERE = {"script": "S", "unit": "U", "enabled": True, "live": ["a"], "recorded": ["a"]}


@pytest.mark.parametrize("changes, text, done", [
    ({}, "S", ()),
    ({}, "T", ("write", "apply")),
    ({"script": "", "unit": "", "live": [], "recorded": [], "enabled": False}, "S", ("write", "apply")),
    ({"unit": "old"}, "S", ("write", "apply")),
    ({"enabled": False}, "S", ("write", "apply")),
    ({"live": []}, "S", ("apply",)),
    ({"live": ["a", "b"]}, "S", ("apply",)),
    ({}, "", ("remove",)),
    ({"script": "", "unit": ""}, "", ("remove",)),
    ({"script": "", "unit": "", "live": [], "recorded": []}, "", ()),
])
def test_what_to_do(changes, text, done):
    decision = plan.decide(dict(THERE, **changes), text, "U")
    assert tuple(verb for verb in ("write", "apply", "remove") if decision[verb]) == done
    assert (decision["before"] != decision["after"]) == bool(done)
