# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Checks the facts of all nodes together. Pure functions.

Every check is a function of the site that yields findings; its name is its id in the report, in docs/preflight.md and in
preflight_warn_only. `judge` runs all of them, in the order of CHECKS.

A site is {"hosts": {inventory name: {"facts": result of skp_preflight or None if the node did not answer, "clock": {...} or None,
"addr": text, "labels": {name: value}, "error": why it did not answer}}, "groups": {"master": [...], "manager": [...], "zookeeper": [...]},
"settings": {...} (the variables of role preflight without their prefix), "write": whether markers were written (false in check mode)}.
"""

from __future__ import annotations

from ..engine.spec import sends_plain_text, version
from ..service.build import NO_NEW_PRIVILEGES_ENGINE
from ..store import plan as store_plan

GIB = 1024 ** 3
MIB = 1024 ** 2

CHECKS = {}
"""{check id: function}, in the order in which they run and are documented."""


def check(function):
    """Registers a check under its name."""
    CHECKS[function.__name__] = function
    return function


def error(host, found, expected, way):
    """A finding that fails the run."""
    return {"severity": "error", "host": host, "found": found, "expected": expected, "next": way}


def warning(host, found, expected, way):
    """A finding that does not fail the run."""
    return dict(error(host, found, expected, way), severity="warning")


def answering(site):
    """[(host, facts)] of the nodes that answered."""
    return [(name, host["facts"]) for name, host in site["hosts"].items() if host["facts"]]


def size(amount):
    """An amount of bytes as text, in GiB or MiB."""
    return "%.1f GiB" % (amount / GIB) if amount >= GIB else "%d MiB" % (amount // MIB)


def living_swarm(site):
    """Whether a node that answers is a manager of a healthy swarm."""
    return any(facts["engine"]["is_manager"] and not facts["engine"]["swarm_error"] for dummy, facts in answering(site))


@check
def reachable(site):
    """Every node answers."""
    for name, host in site["hosts"].items():
        if not host["facts"] and name not in site["groups"].get("master", []):
            make = warning if living_swarm(site) else error
            yield make(name, "no answer at %s (%s)" % (host["addr"], host["error"]), "the node answers",
                       "start it, or correct its address in hosts.json; test with `ansible %s -m ping`" % name)


@check
def master(site):
    """The master answers."""
    for name in site["groups"].get("master", []):
        host = site["hosts"].get(name)
        if host and not host["facts"]:
            yield error(name, "the master does not answer at %s (%s)" % (host["addr"], host["error"]), "the master answers",
                        "start it; test with `ansible %s -m ping`. Without the master you can change services (--tags kafka), but not images "
                        "and the shared store" % name)


@check
def root(site):
    """The modules run as root on the node."""
    for name, facts in answering(site):
        if facts["system"]["uid"] != 0:
            yield error(name, "the modules run as user id %d" % facts["system"]["uid"], "root, through become",
                        "give the user sudo, and set ansible_become_password if sudo needs a password")


@check
def address(site):
    """The address of hosts.json is on an interface of the node, and no other node has it."""
    seen = {}
    for name, host in site["hosts"].items():
        seen.setdefault(host["addr"], []).append(name)
        if host["facts"] and host["facts"]["address_local"] is False:
            yield error(name, "%s is on no network interface of the node" % host["addr"], "the node's own address",
                        "a swarm node must advertise an address of its own: if hosts.json has a translated (NAT) address, set "
                        "swarm_advertise_addr for the host, else correct hosts.json")
    for value, names in seen.items():
        if len(names) > 1:
            yield error(", ".join(names), "the same address %s" % value, "one address for each node", "correct hosts.json")


@check
def exposed(site):
    """Published ports of a node with a public address are limited to somebody, and its part of the overlay network to the nodes."""
    settings = site["settings"]
    for name, facts in answering(site):
        ports = sorted({str(entry["port"]) for entry in settings["published"]
                        if name in site["groups"].get(entry["group"], []) and str(entry["port"]) not in map(str, settings["allow_port_from"])})
        bound = settings["publish_addresses"].get(name) or facts["public"]
        public = [address for address in facts["public"] if address in bound]
        if public and ports and not settings["allow_from"]:
            yield warning(name, "the public address %s, and the published ports %s are open to every address"
                          % (", ".join(public), ", ".join(ports)),
                          "only those who need them reach them", "set skp_allow_from or skp_publish_addresses, or leave ports unpublished, unless a "
                          "firewall in front of the node closes them; a firewall on the node does not. See docs/network.md")
        if facts["public"] and not settings["swarm_allow_from"]:
            yield warning(name, "the public address %s, and the overlay network's port 4789/udp, which has no login, is open to every address"
                          % ", ".join(facts["public"]),
                          "only the nodes reach it", "set skp_swarm_allow_from: [nodes], unless a firewall in front of the node closes it. See docs/network.md")


@check
def peers(site):
    """Every node reaches every manager."""
    for name, facts in answering(site):
        for peer, words in facts["peers"].items():
            target = site["hosts"].get(peer)
            if words and target and target["facts"]:
                yield error(name, "%s at %s: %s" % (peer, target["addr"], words), "every node reaches every manager",
                            "check the firewalls; open 2377/tcp, 7946/tcp, 7946/udp and 4789/udp between all nodes")


@check
def clock(site):
    """The node's clock agrees with the controller's."""
    limit = site["settings"]["clock_skew_max"]
    for name, host in site["hosts"].items():
        times = host["clock"]
        if not times:
            continue
        # The node read its clock first after `before` and last before `after`: the true difference lies between these two.
        low, high = times["end"] - times["after"], times["start"] - times["before"]
        if low > limit or high < -limit:
            found = low if low > limit else high
            yield error(name, "its clock is %.0f s %s" % (abs(found), "ahead" if found > 0 else "behind"),
                        "at most %g s from the controller's" % limit,
                        "synchronise it with a time server (timedatectl set-ntp true); a wrong clock breaks swarm certificates and "
                        "image pulls (digest errors)")
        elif high - low > 2 * limit:
            yield warning(name, "the call took %.0f s, too long to compare clocks" % (high - low), "a call shorter than %g s" % (2 * limit),
                          "check `date` on the node, and why the node is slow")


def _duplicates(site, what):
    seen = {}
    for name, facts in answering(site):
        if facts["system"][what]:
            seen.setdefault(facts["system"][what], []).append(name)
    return {value: names for value, names in seen.items() if len(names) > 1}


@check
def hostname(site):
    """No two nodes have the same hostname."""
    for value, names in _duplicates(site, "hostname").items():
        yield error(", ".join(names), "the same hostname %s" % value, "a unique hostname for each node",
                    "hostnamectl set-hostname on all but one; `docker node ls` and service logs identify nodes by hostname")


@check
def machine_id(site):
    """No two nodes have the same machine id."""
    for names in _duplicates(site, "machine_id").values():
        yield warning(", ".join(names), "the same /etc/machine-id: clones of one machine", "a unique id for each machine",
                      "rm /etc/machine-id && systemd-machine-id-setup on all but one, then reboot; DHCP may give both the same address")


@check
def accounts(site):
    """The user ids of the services belong to no account of the node."""
    for name, facts in answering(site):
        for number, account in sorted(facts["accounts"].items()):
            yield error(name, "the user id %s of a service is the account %s" % (number, account), "an id that no account has",
                        "usermod --uid <another> %s: it could read and change the data and secrets of the service. For Jupyter and Spark another id can be "
                        "set (jupyter_uid, spark_uid); if the account is meant, preflight_warn_only: [accounts]" % account)


@check
def secrets(site):
    """Every manager can store the secrets of the services."""
    for name, facts in answering(site):
        if facts["secrets"]:
            yield error(name, "secrets cannot be stored: %s" % facts["secrets"], "a directory of root that can be written (skp_secrets_dir)",
                        "mount it writable, free space, or remove what is in its place; without its secrets no service starts")


@check
def operating_system(site):
    """The node runs a supported operating system."""
    for name, facts in answering(site):
        system = facts["system"]
        oldest = site["settings"]["os_versions"].get(system["os"])
        if oldest is None:
            yield warning(name, system["os_name"] or "an unknown system", "Debian or Ubuntu",
                          "it may work with engine_manage: false and an engine that you install; this is not tested")
        elif system["os_version"] and version(system["os_version"]) < version(str(oldest)):
            yield warning(name, system["os_name"], "%s %s or newer" % (system["os"], oldest), "upgrade the node")
        if not system["systemd"]:
            yield error(name, "systemd does not run", "systemd as the service manager", "boot the node with systemd")


@check
def container(site):
    """The node is a machine, or a container that can run an engine."""
    for name, facts in answering(site):
        if facts["system"]["container"] == "lxc":
            yield warning(name, "an LXC container", "a machine, or a container configured to run an engine",
                          "enable nesting (security.nesting, features: nesting=1,keyctl=1) and load the modules overlay and vxlan "
                          "on the host")


@check
def engine(site):
    """The engine, if installed, is supported."""
    settings = site["settings"]
    versions = {}
    for name, facts in answering(site):
        found = facts["engine"]
        if not found["installed"]:
            if not settings["engine_manage"]:
                yield error(name, "no Docker engine", "an engine, since engine_manage is false", "install one, or set engine_manage: true")
            continue
        if not found["running"]:
            make = warning if settings["engine_manage"] else error
            yield make(name, "the engine does not answer: %s" % found["error"], "a running engine", "see journalctl -u docker on the node")
            continue
        versions.setdefault(found["version"], []).append(name)
        if version(found["version"]) < version(settings["engine_version_min"]):
            yield error(name, "engine %s" % found["version"], "%s or newer" % settings["engine_version_min"], "upgrade the engine")
        elif version(found["version"]) < version(settings["engine_version_recommended"]):
            yield warning(name, "engine %s" % found["version"], "%s or newer" % settings["engine_version_recommended"],
                          "before 28.0 machines in the same network segment can reach ports published on loopback, including the "
                          "registry's (moby#45610): upgrade, or drop such packets")
        if found["live_restore"]:
            yield error(name, "the engine runs with live-restore", "live-restore off: it excludes swarm mode",
                        "remove it from daemon.json, or set engine_daemon_config_extra: {live-restore: false}")
    if len(versions) > 1:
        yield warning(", ".join(sum(versions.values(), [])), "engines of %d versions: %s" % (len(versions), ", ".join(sorted(versions))),
                      "one version on all nodes", "upgrade the older ones, managers last")
    yield from _gaining(site)


def _gaining(site):
    """The warning about nodes on which a container may gain privileges. A service is made for the oldest manager, and an older worker drops the setting."""
    engines = {name: facts["engine"] for name, facts in answering(site) if facts["engine"]["running"]}
    old = {name: found["version"] for name, found in engines.items() if version(found["version"]) < (NO_NEW_PRIVILEGES_ENGINE,)}
    everywhere = any(name in old for group in ("master", "manager") for name in site["groups"].get(group, []))
    names = [name for name, found in engines.items() if not found["no_new_privileges"] and (everywhere or name in old)]
    if names:
        yield warning(", ".join(names), "containers of services may gain privileges (setuid programs), because of engine %s"
                      % ", ".join("%s of %s" % (number, name) for name, number in old.items()),
                      "%d.0 or newer, which can forbid it for a service" % NO_NEW_PRIVILEGES_ENGINE,
                      "upgrade the engine; until then engine_daemon_config_extra: {no-new-privileges: true}, which restarts the engines one at a time")


@check
def engine_api(site):
    """The engine and the modules support a common API version."""
    settings = site["settings"]
    for name, facts in answering(site):
        found = facts["engine"]
        if not found["running"]:
            continue
        if version(found["api_version"]) < version(settings["api_min"]) or version(found["min_api_version"]) > version(settings["api_max"]):
            yield error(name, "API %s to %s" % (found["min_api_version"], found["api_version"]),
                        "a version between %s and %s" % (settings["api_min"], settings["api_max"]),
                        "install another engine, or a newer skp.cluster")


@check
def sdk(site):
    """The Docker SDK for Python, if installed, is supported."""
    oldest = site["settings"]["sdk_version_min"]
    for name, facts in answering(site):
        found = facts["engine"]["sdk_version"]
        if found and version(found) < version(oldest):
            yield error(name, "Docker SDK %s for Python" % found, "%s or newer" % oldest,
                        "install the distribution's python3-docker, or upgrade it")
        elif not found and not site["settings"]["engine_manage"]:
            yield error(name, "no Docker SDK for Python", "the SDK, since engine_manage is false",
                        "install python3-docker, or set engine_manage: true")


@check
def swarm(site):
    """All nodes that are in a swarm are in the same one and healthy."""
    clusters = {}
    for name, facts in answering(site):
        found = facts["engine"]
        if found["swarm_state"] in ("locked", "error", "pending"):
            yield error(name, "its swarm state is %s (%s)" % (found["swarm_state"], found["swarm_error"] or "no reason given"),
                        "active or inactive",
                        "docs/swarm.md explains each state and what to do")
        if found["cluster_id"]:
            clusters.setdefault(found["cluster_id"], []).append(name)
    if len(clusters) > 1:
        yield error(", ".join(sum(clusters.values(), [])),
                    "%d swarms: %s" % (len(clusters), "; ".join("%s (%s)" % (key, ", ".join(names)) for key, names in clusters.items())),
                    "one swarm", "run `docker swarm leave` on the nodes that are in the wrong swarm, or correct hosts.json")


@check
def dns(site):
    """Names resolve: localhost to the loopback address, the node's own name to any address."""
    for name, facts in answering(site):
        own = facts["system"]["hostname"]
        for wanted, answer in facts["names"].items():
            if wanted == "localhost" and not set(answer.get("addresses", [])) & {"127.0.0.1", "::1"}:
                yield error(name, "localhost is %s" % (", ".join(answer.get("addresses", [])) or answer.get("error")), "127.0.0.1 or ::1",
                            "correct /etc/hosts; images are pulled from localhost")
            elif "error" in answer and wanted == own:
                yield warning(name, "its own name %s does not resolve (%s)" % (wanted, answer["error"]), "it resolves",
                              "add it to /etc/hosts; sudo and Java programs wait for it")
            elif "error" in answer:
                yield error(name, "%s does not resolve (%s)" % (wanted, answer["error"]), "it resolves",
                            "correct the node's resolvers (resolvectl, /etc/resolv.conf)")
            elif answer["seconds"] > site["settings"]["dns_seconds_max"]:
                yield warning(name, "%s took %.1f s to resolve" % (wanted, answer["seconds"]),
                              "less than %g s" % site["settings"]["dns_seconds_max"],
                              "one of the node's resolvers does not answer: correct the list (resolvectl, /etc/resolv.conf)")


@check
def ports(site):
    """The ports that the node's services need are free, or used by skp.cluster."""
    for name, facts in answering(site):
        for held in facts["ports"]:
            if not held["ours"]:
                holder = "container %s" % held["container"] if held["container"] else "%s (process %d)" % (held["process"], held["pid"])
                yield error(name, "port %s is in use by %s" % (held["port"], holder), "a free port", "stop it, or move it to another port")


@check
def disk(site):
    """There is enough free space for data, images and the shared store."""
    settings = site["settings"]
    kinds = (("data", "disk_data_min_gb"), ("docker", "disk_docker_min_gb"), ("home", "disk_home_min_gb"))
    for name, facts in answering(site):
        for kind, setting in kinds:
            found, least = facts["disks"][kind], settings[setting]
            if found.get("silent"):
                if kind != "home":  # the check `store` says it
                    yield error(name, found["silent"], "a file system that answers", "restart its server, or use another directory")
                continue
            if found["free"] < least * GIB:
                yield error(name, "%s free for %s (on %s)" % (size(found["free"]), found["path"], found["mount"]), "%g GiB or more" % least,
                            "free or add space, or reduce preflight_%s" % setting)
            if found["inodes_free"] is not None and found["inodes_free"] < settings["disk_inodes_min"]:
                yield error(name, "%d inodes free for %s (on %s)" % (found["inodes_free"], found["path"], found["mount"]),
                            "%d or more" % settings["disk_inodes_min"], "remove small files, or create the file system with more inodes")
        if facts["disks"]["data"].get("type") in settings["network_file_systems"]:
            yield error(name, "%s is on %s" % (facts["disks"]["data"]["path"], facts["disks"]["data"]["type"]), "a local disk",
                        "set skp_data to a directory on a local disk; ZooKeeper, Kafka and databases lose data on shared file systems")


@check
def memory(site):
    """The node has enough memory."""
    settings = site["settings"]
    for name, facts in answering(site):
        total = facts["memory"]["total"]
        if total < settings["memory_min_mb"] * MIB:
            yield error(name, "%s of memory" % size(total), "%s or more" % size(settings["memory_min_mb"] * MIB),
                        "add memory, or reduce preflight_memory_min_mb")
        elif facts["memory"]["available"] < settings["memory_available_min_mb"] * MIB:
            yield warning(name, "%s of memory available" % size(facts["memory"]["available"]),
                          "%s or more" % size(settings["memory_available_min_mb"] * MIB), "see what uses it (systemd-cgtop)")


@check
def store(site):
    """The shared store answers, is writable, and is the same directory on all nodes."""
    looked = {}
    for name, facts in answering(site):
        if facts["store"].get("silent"):
            yield error(name, facts["store"]["silent"], "the shared store answers",
                        "start its server and its network; if it never comes back, docs/store.md (\"When the master is away\") says how to unmount it")
        else:
            looked[name] = facts["store"]
    yield from (_store_existing if site["settings"]["store_mode"] == "existing" else _store_nfs)(site, looked)


def _store_existing(site, looked):
    """A directory that is shared by other means. Every node writes a marker."""
    seeing = {}
    for name, found in looked.items():
        if not found["exists"]:
            yield error(name, "%s does not exist" % found["path"], "a directory shared by all nodes, since store_mode is existing",
                        "mount it, or set store_mode: nfs")
        elif found["writable"] is False:
            yield error(name, "%s is not writable for root: %s" % (found["path"], found["error"]), "writable for root",
                        "check its mount options and what its server allows (docs/store.md)")
        else:
            seeing[name] = found["markers"]
    groups = _shared_groups(seeing)
    if len(groups) > 1:
        make = error if site["write"] else warning
        yield make(", ".join(seeing), "%d different directories: %s" % (len(groups), "; ".join(", ".join(group) for group in groups)),
                   "one directory shared by all nodes", "mount the same export at %s on all nodes (findmnt shows it)" % looked[min(seeing)]["path"])


def _store_nfs(site, looked):
    """The master's directory over NFS. Only the master writes a marker; a node that has mounted the store must see it."""
    server = (site["groups"].get("master") or [""])[0]
    for name, found in looked.items():
        source = "%s:%s" % (site["settings"]["store_nfs_server"], found["path"])
        refusal = store_plan.refuse_place(name, found["path"], found, name == server, source) if server else ""
        if refusal:
            yield error(name, refusal, "the master's own directory there" if name == server else "nothing, or the master's store",
                        "see docs/store.md; preflight_warn_only does not help, because the role store refuses it too")
        elif name == server and found["writable"] is False:
            yield error(name, "%s is not writable: %s" % (found["path"], found["error"]), "a directory of the master's own disk", "check the disk (dmesg, df)")
        elif name != server and found["mounted"] and server in looked:
            wanted = looked[server]["markers"].get(server)
            if wanted and found["markers"].get(server) != wanted:
                yield error(name, "%s is another directory than the master's, although %s is mounted" % (found["path"], found["mounted"]["source"]),
                            "one directory shared by all nodes", "umount %s on the node and run --tags store; compare with `exportfs -v` on the master"
                            % found["path"])


def _shared_groups(seeing):
    """Groups of hosts that see the same directory. seeing: {host: {marker name: nonce}}.

    Two hosts are in one group if one of them sees the current marker of the other. In check mode no marker is written, so the markers are
    of an earlier run; the rule is the same, and hosts without any marker count as one group (nothing is known about them).
    """
    groups = []
    for host, markers in seeing.items():
        together = [group for group in groups if any(_sees(markers, seeing[other], host, other) for other in group)]
        merged = [host] + [name for group in together for name in group]
        groups = [group for group in groups if group not in together] + [sorted(merged)]
    return groups


def _sees(markers, others, host, other):
    """Whether one of two hosts saw the other's current marker (or both saw no marker)."""
    if not markers and not others:
        return True
    return any(name in markers and markers[name] == others.get(name) for name in (host, other))


def _runs_images(site):
    """Names of the hosts that pull the cluster's images, and the master, which builds them; none if no host needs one."""
    needing = {name for group in site["settings"]["image_groups"] for name in site["groups"].get(group, [])}
    return needing | set(site["groups"].get("master", [])) if needing else set()


@check
def architecture(site):
    """Nodes that run the cluster's images have the master's architecture."""
    master_facts = [site["hosts"][name]["facts"] for name in site["groups"].get("master", []) if name in site["hosts"]]
    wanted = master_facts[0]["system"]["architecture"] if master_facts and master_facts[0] else ""
    runs = _runs_images(site)
    for name, facts in answering(site):
        if wanted and name in runs and facts["system"]["architecture"] != wanted:
            yield error(name, facts["system"]["architecture"], "%s, as the master, which builds the images" % wanted,
                        "remove its labels: its containers would end with \"exec format error\". A cluster has one architecture")


@check
def registry(site):
    """Every node that pulls the cluster's images, and the master, has a registry."""
    labelled = set(site["groups"].get("registry", []))
    masters = site["groups"].get("master", [])
    for name in sorted(_runs_images(site) | (set(masters) if labelled else set())):
        if name not in labelled:
            yield error(name, "no label registry", "the label registry on the master and on every host that pulls images",
                        "add \"registry\": \"enable\" to the host in hosts.json; " + (
                            "the master's registry is the only one that accepts pushes" if name in masters else "it pulls from its own localhost"))


@check
def managers(site):
    """An odd number of managers."""
    names = sorted(set(site["groups"].get("manager", [])) | set(site["groups"].get("master", [])))
    if names and len(names) % 2 == 0:
        less = "none" if len(names) == 2 else "%d" % ((len(names) - 1) // 2)
        yield error(", ".join(names), "%d managers" % len(names), "an odd number",
                    "add a host to the group manager in hosts.json or remove one: %d managers tolerate the loss of %s, like %d managers"
                    % (len(names), less, len(names) - 1))


@check
def zookeeper(site):
    """An odd number of ZooKeeper members."""
    names = site["groups"].get("zookeeper", [])
    if names and len(names) % 2 == 0:
        yield error(", ".join(names), "%d ZooKeeper members" % len(names), "an odd number",
                    "add the label zookeeper to one host or remove it from one: an even ensemble tolerates no more failures than one "
                    "with one member less")


@check
def overlay(site):
    """The kernel supports overlay networks, and encryption if skp_net_encrypted is true."""
    for name, facts in answering(site):
        if facts["vxlan"].startswith("no"):
            yield error(name, "no VXLAN in the kernel (%s)" % facts["vxlan"][2:].lstrip(": "), "VXLAN, which overlay networks need",
                        "modprobe vxlan, or use another kernel")
        if not site["settings"]["encrypted"]:
            continue
        if not facts["engine"]["encryption"].startswith("yes"):
            yield error(name, "encryption of the overlay: %s" % facts["engine"]["encryption"], "ESP in the kernel, since skp_net_encrypted is true",
                        "load or build ESP (esp4, xfrm, gcm), or set skp_net_encrypted: false; if you know that the kernel has it, "
                        "preflight_warn_only: [overlay]")
        if facts["engine"]["installed"] and sends_plain_text(facts["engine"]["version"]):
            yield error(name, "Docker %s, which sends plain text over an encrypted overlay on some kernels (GHSA-232p-vwff-86mp)" % facts["engine"]["version"],
                        "20.10.24, 23.0.3 or newer, since skp_net_encrypted is true", "upgrade the engine")


@check
def volumes(site):
    """The data volumes are well described, and nodes that get one have FUSE."""
    if site["settings"]["volumes"]["refusal"]:
        yield error("all nodes", site["settings"]["volumes"]["refusal"], "volumes as docs/volumes.md describes them", "correct skp_volumes")
    for name, facts in answering(site):
        if site["settings"]["volumes"]["hosts"].get(name) and not facts["volumes"]["fuse"]:
            yield error(name, "no /dev/fuse", "FUSE, for the data volumes of this node",
                        "load the kernel's module (`modprobe fuse`); a machine that is a container gets the device from its host")


@check
def custom(site):
    """The services of the site are well described."""
    for problem in site["settings"]["custom"]:
        yield error("all nodes", problem, "services as docs/custom_services.md describes them", "correct skp_custom_services")


@check
def gpu(site):
    """A node with the label gpu has a GPU, its driver and the NVIDIA container runtime."""
    way = ", or remove the label gpu"
    for name, facts in answering(site):
        if site["hosts"][name]["labels"].get("gpu") != "enable":
            continue
        found, runtimes = facts["gpu"], facts["engine"]["runtimes"]
        if not found["driver"]:
            yield error(name, "the label gpu, but no NVIDIA driver is loaded (/proc/driver/nvidia/version)", "the driver's kernel module",
                        "install the distribution's NVIDIA driver and restart the node" + way)
        elif not found["devices"]:
            yield error(name, "the label gpu and a driver, but no /dev/nvidia0", "one device for each GPU",
                        "nvidia-smi creates the devices; lspci shows whether there is a GPU" + way)
        if not found["toolkit"]:
            yield error(name, "the label gpu, but no nvidia-container-runtime", "the NVIDIA container toolkit",
                        "install the package nvidia-container-toolkit from its vendor" + way)
        if not site["settings"]["engine_manage"] and facts["engine"]["running"] and "nvidia" not in runtimes:
            yield error(name, "the label gpu, but runtimes %s only" % (", ".join(runtimes) or "none"), "the runtime nvidia as the engine's default",
                        "nvidia-ctk runtime configure --set-as-default, or set engine_manage: true" + way)


def judge(site):
    """Runs every check.

    Returns {"hosts": names, "unreachable": names, "errors": [finding], "warnings": [finding], "ok": bool}. A finding is {"severity",
    "check", "host", "found", "expected", "next"}. Checks named in settings["warn_only"] give warnings only.
    """
    findings = []
    for name, function in CHECKS.items():
        for finding in function(site):
            severity = "warning" if name in site["settings"]["warn_only"] else finding["severity"]
            findings.append(dict(finding, check=name, severity=severity))
    errors = [item for item in findings if item["severity"] == "error"]
    return {
        "hosts": list(site["hosts"]),
        "unreachable": [name for name, host in site["hosts"].items() if not host["facts"]],
        "checks": list(CHECKS),
        "errors": errors,
        "warnings": [item for item in findings if item["severity"] == "warning"],
        "ok": not errors,
    }


def table(report):
    """The report as text: one block for each finding (hosts with the same finding together), errors first, and a summary line."""
    blocks = {}
    for item in report["errors"] + report["warnings"]:
        blocks.setdefault(tuple(item[key] for key in ("severity", "check", "found", "expected", "next")), []).append(item["host"])
    lines = []
    for (severity, name, found, expected, way), hosts in blocks.items():
        lines.append("%-7s  %-16s  %s" % (severity.upper(), name, ", ".join(hosts)))
        lines.append("         found     %s" % found)
        lines.append("         expected  %s" % expected)
        lines.append("         next      %s" % way)
    lines.append("%d hosts, %d checks: %d errors, %d warnings%s" % (
        len(report["hosts"]), len(report["checks"]), len(report["errors"]), len(report["warnings"]),
        "; no answer from %s" % ", ".join(report["unreachable"]) if report["unreachable"] else ""))
    return "\n".join(lines)
