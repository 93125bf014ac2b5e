# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of the lab: functions of plain data, no engine, no Ansible.

Terms:

* host name: ``c01`` ...; container: ``<lab_name>-c01``; address: the lab's subnet plus 10 plus the node's number.
* label ``skp.lab=<lab_name>``: on every object of the lab; only objects with it are ever removed.
* label ``skp.lab.home=<inventory directory>``: on every node container; the checkout with its keys.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import re

LABEL = "skp.lab"
LABEL_HOME = "skp.lab.home"
LABEL_HOST = "skp.lab.host"
SHARED_PATH = "/srv/skp"
CACHE_PATH = "/var/cache/skp-lab"
# A node's volumes; the rest of its state is in its container's file system. Both survive `docker kill` and a start.
NODE_VOLUMES = {"docker": "/var/lib/docker", "data": "/var/lib/skp"}
# All capabilities except those that some hosts withhold even from root; never --privileged.
SECURITY = ["seccomp=unconfined", "apparmor=unconfined"]
FIRST_ADDRESS = 10
NODE_COUNTS = (1, 3, 5)
MANAGERS = 3
MANAGER_LABELS = ("zookeeper", "kafka")
FIRST_LABELS = ("spark-master", "jupyter", "airflow", "nginx")
SECOND_LABELS = ("mysql", "pgsql", "redis", "flask", "portainer", "hello")
NODE_LABELS = ("spark-worker", "portainer-agent")
WORKER_LABELS = ("airflow-worker",)


class LabError(Exception):
    """An error with a message that says what to do."""


def host_names(count):
    """Names of the first ``count`` nodes.

    >>> host_names(3)
    ['c01', 'c02', 'c03']
    """
    return ["c%02d" % number for number in range(1, count + 1)]


def cgroup_options(version):
    """The cgroup settings of a systemd node container.

    :arg version: the engine's CgroupVersion, "1" or "2" (empty: an engine older than 20.10, which knows only 1).
    :returns: dict ``CgroupnsMode`` and ``Binds``, parts of the engine's HostConfig.

    v1: systemd needs the host's hierarchies writable, and finds its own cgroup in them only in the host's namespace.
    v2: one private namespace, whose root is the container's own cgroup; the node's first process (files/node/lab-init)
    makes that mount writable, so the host's tree is not visible.
    """
    if str(version) == "2":
        return {"CgroupnsMode": "private", "Binds": []}
    if str(version) in ("1", ""):
        return {"CgroupnsMode": "host", "Binds": ["/sys/fs/cgroup:/sys/fs/cgroup:rw"]}
    raise LabError("the engine reports cgroup version %r; the lab supports 1 and 2" % (version,))


def engine_objection(info, docker_host):
    """Why an engine that answers cannot run the lab, as one sentence; None if it can.

    The nodes are reached at their own addresses on a bridge, which must be on this machine.

    :arg info: the answer of the engine's /info.
    :arg docker_host: URL of the engine.
    """
    where = "the engine at %s" % docker_host
    way_out = "use a local engine with DOCKER_HOST=unix:///var/run/docker.sock or `docker context use default`"
    if not docker_host.startswith(("unix://", "http+unix://")):
        return "%s is not on this machine, so its containers' addresses cannot be reached: %s" % (where, way_out)
    if any("rootless" in option for option in info.get("SecurityOptions") or []):
        return "%s is rootless, so its containers' addresses cannot be reached: %s" % (where, way_out)
    if "Docker Desktop" in (info.get("OperatingSystem") or ""):
        return "%s is Docker Desktop, whose containers' addresses cannot be reached: run the lab on Linux" % where
    if info.get("OSType", "linux") != "linux":
        return "%s runs %s containers; the lab needs linux" % (where, info["OSType"])
    return None


def choose_subnet(candidates, used):
    """The first candidate that overlaps none of the networks in use.

    :arg candidates: list of CIDR strings, in order of preference.
    :arg used: dict of CIDR string -> its user ("network devnet", "route on eth0").
    """
    clashes = []
    for candidate in candidates:
        wanted = parse_network(candidate)
        clash = next(
            ((net, who) for net, who in sorted(used.items()) if wanted.overlaps(ipaddress.ip_network(net, strict=False))),
            None,
        )
        if clash is None:
            return str(wanted)
        clashes.append("%s overlaps %s (%s)" % (candidate, clash[0], clash[1]))
    raise LabError(
        "no subnet is free for the lab: %s; name a free one with -e '{\"lab_subnets\": [\"10.99.0.0/24\"]}'" % "; ".join(clashes)
    )


def parse_network(text):
    """``ip_network`` of a candidate subnet with room for the nodes, or a LabError that names it."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as exc:
        raise LabError("lab_subnets: %s" % exc)
    if network.version != 4 or network.prefixlen > 28:
        raise LabError("lab_subnets: %s is not an IPv4 network of at least 16 addresses" % text)
    return network


def node_address(subnet, number):
    """Address of the node with this number (1 ...): the same as long as the subnet is the same.

    >>> node_address("172.30.77.0/24", 1)
    '172.30.77.11'
    """
    return str(ipaddress.ip_network(subnet).network_address + FIRST_ADDRESS + number)


def node_count(asked, existing):
    """The nodes of the lab after this run.

    :arg asked: 1, 3 or 5; 0 keeps the present number, 3 for a new lab.
    :arg existing: names of the existing nodes (running or not).
    """
    known = set(host_names(max(NODE_COUNTS)))
    there = sorted(name for name in existing if name in known)
    highest = max((int(name[1:]) for name in there), default=0)
    if asked == 0:
        return next((count for count in NODE_COUNTS if count >= highest), 5) if there else 3
    if asked not in NODE_COUNTS:
        raise LabError("lab_nodes is %s; it can be %s" % (asked, ", ".join(map(str, NODE_COUNTS))))
    if highest > asked:
        raise LabError(
            "the lab has the nodes %s and lab_nodes is %d: nodes of a running lab are not removed, "
            "run `make down` first" % (", ".join(there), asked)
        )
    return asked


def plan(settings, engine, host):
    """The complete lab and its missing parts.

    :arg settings: dict ``name``, ``nodes``, ``subnets``, ``ui_ports``, ``home`` (inventory directory), ``image``.
    :arg engine: dict ``cgroup_version``, ``networks`` [{name, labels, subnets}], ``containers`` [{name, labels, running,
        image, address, ports}], ``images`` [tag], ``volumes`` [name].
    :arg host: dict ``routes`` {cidr: description}, ``busy_ports`` [port], ``fuse`` bool.
    :returns: dict ``network``, ``nodes``, ``create``, ``start``, ``cgroup``, ``fuse``, ``image``, ``image_present``,
        ``fresh`` (the shared store does not exist yet), ``notes``.
    """
    name = settings["name"]
    containers = {item["name"]: item for item in engine["containers"]}
    ours = {
        item["labels"][LABEL_HOST]: item
        for item in engine["containers"]
        if item["labels"].get(LABEL) == name and LABEL_HOST in item["labels"]
    }
    for host_name, item in sorted(ours.items()):
        home = item["labels"].get(LABEL_HOME)
        if home != settings["home"]:
            raise LabError(
                "the lab %s was created from another checkout: node %s has its keys in %s, this checkout is %s; "
                "run `make down` in one of them first, or choose another -e lab_name" % (name, host_name, home, settings["home"])
            )
    count = node_count(settings["nodes"], ours)
    network = _plan_network(name, settings["subnets"], engine["networks"], host["routes"])
    notes = []
    nodes = []
    for number, host_name in enumerate(host_names(count), start=1):
        container = "%s-%s" % (name, host_name)
        present = ours.get(host_name)
        if present is None and container in containers:
            raise LabError(
                "a container %s exists that the lab did not create (no label %s=%s): rename it or choose another -e lab_name"
                % (container, LABEL, name)
            )
        address = node_address(network["subnet"], number)
        if present is not None and present["image"] != settings["image"]:
            notes.append("%s was created from the earlier node image %s; `make down` and `make up` renew it" % (host_name, present["image"]))
        if present is not None:
            ports = sorted(present["ports"])
        else:
            ports = [port for port in settings["ui_ports"] if number == 1 and port not in host["busy_ports"]]
        nodes.append(
            {
                "name": host_name,
                "container": container,
                "address": address,
                "exists": present is not None,
                "running": bool(present and present["running"]),
                "ports": ports,
            }
        )
    skipped = sorted(set(settings["ui_ports"]) - set(nodes[0]["ports"]))
    if skipped:
        notes.append(
            "not published on 127.0.0.1 because another program listened there when c01 was created: %s"
            % ", ".join(map(str, skipped))
        )
    if not host["fuse"]:
        notes.append("this machine has no /dev/fuse (module fuse not loaded): FUSE volumes cannot be mounted on the nodes")
    return {
        "name": name,
        "network": network,
        "nodes": nodes,
        "create": [node for node in nodes if not node["exists"]],
        "start": [node for node in nodes if not node["running"]],
        "cgroup": cgroup_options(engine["cgroup_version"]),
        "fuse": host["fuse"],
        "image": settings["image"],
        "image_present": settings["image"] in engine["images"],
        "fresh": "%s-shared" % name not in engine["volumes"],
        "notes": notes,
    }


def _plan_network(name, subnets, networks, routes):
    """The lab's network: the existing one, or a new one on a free subnet."""
    for item in networks:
        if item["name"] != name:
            continue
        if item["labels"].get(LABEL) != name:
            raise LabError(
                "a Docker network %s exists that the lab did not create (no label %s=%s): choose another -e lab_name"
                % (name, LABEL, name)
            )
        return {"name": name, "subnet": item["subnets"][0], "exists": True}
    used = dict(routes)
    for item in networks:
        for subnet in item["subnets"]:
            used[subnet] = "Docker network %s" % item["name"]
    return {"name": name, "subnet": choose_subnet(subnets, used), "exists": False}


def container_config(plan_, node, home):
    """The body of the engine's container create call for one node.

    Empty ``MaskedPaths`` and ``ReadonlyPaths`` are ``systempaths=unconfined`` of the docker command: with a read-only /proc/sys,
    an engine inside the node cannot join an overlay network. No module of community.docker has this option.
    """
    name = plan_["name"]
    labels = {LABEL: name}
    volumes = [("%s-%s-%s" % (name, node["name"], purpose), path) for purpose, path in sorted(NODE_VOLUMES.items())]
    volumes.append(("%s-shared" % name, SHARED_PATH))
    if node["name"] == plan_["nodes"][0]["name"]:
        volumes.append(("%s-cache" % name, CACHE_PATH))
    host_config = {
        "CapAdd": ["ALL"],
        "CapDrop": ["SYS_RESOURCE"],
        "SecurityOpt": SECURITY,
        "MaskedPaths": [],
        "ReadonlyPaths": [],
        "DeviceCgroupRules": ["a *:* rwm"],
        "Devices": [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}] if plan_["fuse"] else [],
        "Tmpfs": {"/run": "exec", "/tmp": "exec,mode=1777"},
        "Mounts": [
            {"Type": "volume", "Source": source, "Target": target, "VolumeOptions": {"Labels": labels}} for source, target in volumes
        ],
        "PortBindings": {"%d/tcp" % port: [{"HostIp": "127.0.0.1", "HostPort": str(port)}] for port in node["ports"]},
        "NetworkMode": plan_["network"]["name"],
        "RestartPolicy": {"Name": "no"},
    }
    host_config.update(plan_["cgroup"])
    return {
        "Image": plan_["image"],
        "Hostname": node["name"],
        "Labels": dict(labels, **{LABEL_HOST: node["name"], LABEL_HOME: home}),
        "ExposedPorts": {"%d/tcp" % port: {} for port in node["ports"]},
        "HostConfig": host_config,
        "NetworkingConfig": {
            "EndpointsConfig": {
                plan_["network"]["name"]: {"IPAMConfig": {"IPv4Address": node["address"]}, "Aliases": [node["name"]]}
            }
        },
    }


def default_host(number, count):
    """The entry of a node in hosts.json before any edit (first format).

    ZooKeeper and Kafka run on the managers, so both have an odd number of members with any lab_nodes. Single services are on the first node, whose
    web UIs this machine publishes. What has its data on one node only is on the second, which no test of `make test` wipes.
    """
    managers = min(count, MANAGERS)
    labels = ["registry"] + (list(MANAGER_LABELS) if number <= managers else []) + (list(FIRST_LABELS) if number == 1 else [])
    labels += (list(SECOND_LABELS) if number == min(count, 2) else []) + list(NODE_LABELS)
    # Not on the first of several: the tests give it the label later.
    labels += list(WORKER_LABELS) if number in (2, 3) or count == 1 else []
    groups = ["master", "manager"] if number == 1 else ["manager"] if number <= managers else ["worker"]
    return {"labels": [{label: "enable"} for label in labels], "groups": groups}


def merge_hosts(text, nodes, override=None):
    """The content of hosts.json for these nodes, with the user's edits.

    A host that stays keeps everything except its address. A file that needs no change is returned unchanged, byte for byte.

    :arg text: the present file, or None.
    :arg nodes: list of dict ``name``, ``address``.
    :arg override: host name -> dict of keys (``labels``, ``groups``) that replace what the host would have.
    """
    present = {}
    if text is not None:
        try:
            present = json.loads(text)
        except ValueError as exc:
            raise LabError("hosts.json is not JSON (%s): correct it, or delete it and run again to write a new one" % exc)
        if not isinstance(present, dict) or not all(isinstance(value, dict) for value in present.values()):
            raise LabError("hosts.json is not an object of hosts: correct it, or delete it and run again to write a new one")
    wanted = {}
    for number, node in enumerate(nodes, start=1):
        entry = {"ipv4": node["address"]}
        entry.update(present.get(node["name"]) or default_host(number, len(nodes)))
        entry["ipv4"] = node["address"]
        entry.update((override or {}).get(node["name"], {}))
        wanted[node["name"]] = entry
    if text is not None and wanted == present:
        return text
    return hosts_text({name: wanted[name] for name in [n for n in present if n in wanted] + [n for n in wanted if n not in present]})


def hosts_text(hosts):
    """hosts.json in readable form: one label per line, short lists on one line."""
    lines = []
    for name, entry in hosts.items():
        fields = []
        for key, value in entry.items():
            if key == "labels" and isinstance(value, list) and value:
                text = "[\n      %s\n    ]" % ",\n      ".join(json.dumps(item) for item in value)
            else:
                text = json.dumps(value)
            fields.append("    %s: %s" % (json.dumps(key), text))
        lines.append("  %s: {\n%s\n  }" % (json.dumps(name), ",\n".join(fields)))
    return "{\n%s\n}\n" % ",\n".join(lines)


def known_hosts(nodes, public_keys):
    """The known_hosts file: every node under its address and its name.

    :arg public_keys: host name -> "ssh-ed25519 AAAA... comment".
    """
    return "".join(
        "%s,%s %s\n" % (node["address"], node["name"], " ".join(public_keys[node["name"]].split()[:2])) for node in nodes
    )


def resolvers(text):
    """Name servers of a resolv.conf that a container can reach: no loopback and no link-local addresses.

    >>> resolvers("nameserver 127.0.0.53\\nnameserver 10.0.0.2\\n")
    ['10.0.0.2']
    """
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        address = words[1].split("%")[0]
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            continue
        if not parsed.is_loopback and not parsed.is_link_local and address not in found:
            found.append(address)
    return found


_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s+(.*?)\s+-----END CERTIFICATE-----", re.DOTALL)


def certificates(text):
    """sha256 of the DER form -> clean PEM block, for every certificate in a text, in order."""
    found = {}
    for body in _PEM.findall(text):
        raw = "".join(body.split())
        try:
            der = base64.b64decode(raw, validate=True)
        except ValueError:
            continue
        lines = [raw[start:start + 64] for start in range(0, len(raw), 64)]
        pem = "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n" % "\n".join(lines)
        found[hashlib.sha256(der).hexdigest()] = pem
    return found


def extra_certificates(bundle, distributed):
    """PEM text of the certificates that this machine trusts in addition to the distribution's list.

    :arg bundle: the text of the machine's CA bundle.
    :arg distributed: texts of the distribution's certificates.
    """
    known = set()
    for text in distributed:
        known.update(certificates(text))
    return "".join(pem for digest, pem in certificates(bundle).items() if digest not in known)
