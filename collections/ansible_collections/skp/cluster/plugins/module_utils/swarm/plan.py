# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Decisions about the swarm. Pure functions of plain data.

`bootstrap` decides from the engine facts of all nodes which host initialises a swarm and which hosts join it; `plan` decides, from one
manager's view, about labels, roles, entries of nodes that lost their state, and the overlay network.
"""

from __future__ import annotations

import ipaddress

from ..engine.spec import sends_plain_text
from ..failure import Failure

HOST_LABEL = "skp.host"
OURS_LABEL = "skp.labels"


def addresses(advertise_addr):
    """The addresses of a new member: it listens for managers, and for traffic of overlays, only where the other nodes reach it."""
    return {"ListenAddr": "%s:2377" % ("[%s]" % advertise_addr if ":" in advertise_addr else advertise_addr),
            "AdvertiseAddr": advertise_addr, "DataPathAddr": advertise_addr}


def settings_change(spec, autolock):
    """The swarm's own settings as wished, None if they are so already. autolock: leave, enabled or disabled."""
    before = bool((spec.get("EncryptionConfig") or {}).get("AutoLockManagers"))
    if autolock == "leave" or before == (autolock == "enabled"):
        return None
    return dict(spec, EncryptionConfig=dict(spec.get("EncryptionConfig") or {}, AutoLockManagers=autolock == "enabled"))


def quorum(managers):
    """How many of `managers` must be reachable."""
    return managers // 2 + 1


def restart_refusal(managers, node_id):
    """Why the manager `node_id` must not be stopped now, or "". managers: [{"id", "name", "reachable"}].

    With one or two managers, every stop loses the quorum until the manager is back; a refusal would forbid every restart.
    """
    others = [item for item in managers if item["id"] != node_id]
    alive = [item for item in others if item["reachable"]]
    if len(managers) <= 2 or len(alive) >= quorum(len(managers)):
        return ""
    return ("This node is one of %d managers of the swarm; without it %d would be reachable, %d are needed. Unreachable now: %s. Start "
            "these first (docker node ls), then run again."
            % (len(managers), len(alive), quorum(len(managers)), ", ".join(item["name"] for item in others if not item["reachable"])))


# --- which host initialises, which hosts join -------------------------------------------------------------------------------------------------------------

def bootstrap(hosts, without_unreachable=False, abandon="", predict=False):
    """Decides which host initialises a swarm and which hosts join it, from the engine facts of all nodes.

    hosts: {inventory name: {"role": "manager"|"worker", "master": bool, "addr": address, "joins": bool (in this play, may be changed),
            "asked": bool, "engine": facts as of engine.facts, or None if the node did not answer}}
    without_unreachable: initialise a new swarm even if managers of the inventory do not answer.
    abandon: id of a swarm that has lost all its managers and is abandoned.
    predict: check mode; an engine that does not run (or is not installed) yet counts as running.

    Returns {"manager": host whose engine is used for the swarm (None: the one in "init"), "init": host or None,
             "join": [hosts], "leave": [hosts that leave an abandoned swarm first], "probe": [hosts to query before the decision],
             "refused": {host: why it cannot join}, "cluster_id": id or "", "warnings": [text]}.
    Raises Failure with every finding if the next step could split or lose a swarm.
    """
    engines = {name: host["engine"] for name, host in hosts.items() if host["engine"]}
    members = {name: engine for name, engine in engines.items() if engine["swarm_state"] == "active"}
    clusters = {}
    for name, engine in engines.items():
        if engine["swarm_state"] != "inactive":
            clusters.setdefault(engine["cluster_id"] or "unknown", []).append(name)
    healthy = [name for name in members if members[name]["is_manager"] and not members[name]["swarm_error"]]
    unasked = [name for name, host in hosts.items() if not host["asked"]]
    decision = {"manager": None, "init": None, "join": [], "leave": [], "probe": [], "refused": _unfit(hosts, engines, predict),
                "cluster_id": "", "warnings": []}
    if unasked and not healthy:
        decision["probe"] = [name for name in unasked if not members or hosts[name]["role"] == "manager"] or unasked
        return decision
    ours = _our_cluster(hosts, clusters)
    foreign = _foreign(hosts, engines, clusters, ours)
    if foreign:
        raise Failure("\n".join(foreign), kind="foreign", clusters=clusters)
    if ours and healthy:
        decision["cluster_id"] = ours
        decision["manager"] = next((name for name in healthy if hosts[name]["master"]), healthy[0])
    elif ours and abandon == ours and not any(engines[name]["is_manager"] for name in clusters[ours]):
        decision["leave"] = sorted(clusters[ours])
        decision["refused"] = {}
    elif ours:
        raise Failure("\n".join(list(decision["refused"].values()) + [_no_manager(hosts, engines, clusters[ours], ours)]),
                      kind="no_manager", cluster_id=ours, members=sorted(clusters[ours]))
    if not decision["manager"]:
        decision["init"] = _starter(hosts, engines, without_unreachable, decision)
    for name, host in hosts.items():
        outside = name in engines and (engines[name]["swarm_state"] == "inactive" or name in decision["leave"])
        if host["joins"] and outside and name != decision["init"] and name not in decision["refused"]:
            decision["join"].append(name)
    return decision


def _unfit(hosts, engines, predict):
    """{host: why} of engines that are neither in a swarm nor ready to join one."""
    ways = {
        "locked": "The swarm's key is locked (autolock): run `docker swarm unlock` on this node, then run again.",
        "pending": "The node does not reach its managers (%s): check that they run and that port 2377/tcp is open between the nodes.",
        "error": "If its managers (%s) are healthy, run `docker swarm leave --force` on this node and run again: it then joins again.",
        "stopped": "The node is a member, but its engine does not run: `systemctl start docker` on it, or run the engine play (--tags engine).",
        "inactive": "The engine does not run: run the engine play (--tags engine).",
    }
    unfit = {}
    for name, engine in engines.items():
        state = engine["swarm_state"]
        if state == "active" or (not engine["running"] and predict) or (state == "inactive" and engine["running"]):
            continue
        way = ways.get(state, "See `docker info` on it.")
        words = engine["swarm_error"] or engine["error"]
        unfit[name] = "%s (%s): its swarm state is '%s'%s. %s" % (
            name, hosts[name]["addr"], state, " (%s)" % words if words else "",
            way % (", ".join(engine["remote_managers"]) or "none known") if "%s" in way else way)
    return unfit


def _our_cluster(hosts, clusters):
    """The cluster of the master, else the cluster of most hosts."""
    for cluster, names in clusters.items():
        if any(hosts[name]["master"] for name in names):
            return cluster
    return max(clusters, key=lambda cluster: len(clusters[cluster])) if clusters else ""


def _foreign(hosts, engines, clusters, ours):
    findings = []
    for cluster, names in clusters.items():
        if cluster == ours:
            continue
        for name in names:
            findings.append(
                "%s (%s) is in the swarm %s (managers %s), but this cluster is the swarm %s (%s). Two swarms are never merged: if nothing "
                "on %s is needed, run `docker swarm leave --force` on it; else correct hosts.json. Then run again."
                % (name, hosts[name]["addr"], cluster, ", ".join(engines[name]["remote_managers"]) or "unknown", ours,
                   ", ".join(sorted(clusters[ours])), name))
    return findings


def _no_manager(hosts, engines, members, ours):
    managers = sorted(name for name in members if engines[name]["is_manager"])
    silent = ", ".join(sorted(name for name, host in hosts.items() if not host["engine"])) or "none of this inventory"
    outside = ", ".join(sorted(name for name, engine in engines.items() if name not in members))
    silent += "; in no swarm, so their state is lost: %s" % outside if outside else ""
    if managers:
        return ("The swarm %s has no leader: of its managers, %s answer, fewer than a majority (%s says: %s). No new swarm is initialised. "
                "Start the other managers (not answering: %s); only if they are permanently lost, see docs/swarm.md, \"Majority lost\"."
                % (ours, ", ".join(managers), managers[0], engines[managers[0]]["swarm_error"], silent))
    return ("%s belong to the swarm %s, but none of its managers answers (not answering: %s). No second swarm is initialised while a member "
            "of the first one exists. Start a manager, or restore its /var/lib/docker/swarm. Only if that swarm is permanently lost: run "
            "again with -e swarm_abandon=%s; its members then leave it, and a new one is initialised."
            % (", ".join(sorted(members)), ours, silent, ours))


def _starter(hosts, engines, without_unreachable, decision):
    master = next((name for name, host in hosts.items() if host["master"]), None)
    if master is None:
        raise Failure("No host is in the group master, so no host can initialise the swarm: add \"master\" to the groups of one host in "
                      "hosts.json.", kind="no_master")
    if master not in engines:
        raise Failure("No swarm exists yet, and the master %s (%s), which would initialise it, does not answer. Start it and run again."
                      % (master, hosts[master]["addr"]), kind="no_master")
    if master in decision["refused"]:
        raise Failure(decision["refused"][master], kind="no_master")
    if not hosts[master]["joins"]:
        raise Failure("No swarm exists yet; the master %s would initialise it, but this run excludes it (--limit). Run without a limit first."
                      % master, kind="limit")
    silent = sorted(name for name, host in hosts.items() if not host["engine"] and host["role"] == "manager")
    if silent and not without_unreachable:
        raise Failure(
            "No swarm exists on the hosts that answer, but the manager(s) %s do not answer and may be in one. A new swarm could be a "
            "second one. Start them, or remove them from hosts.json; if they certainly are in no swarm, run with -e "
            "swarm_init_without_unreachable=true."
            % ", ".join(silent), kind="unknown_managers", hosts=silent)
    silent = sorted(name for name, host in hosts.items() if not host["engine"])
    if silent:
        decision["warnings"].append("A new swarm is initialised on %s although %s did not answer." % (master, ", ".join(silent)))
    return master


# --- labels, roles, stale entries, network ------------------------------------------------------------------------------------------------

HOST_PIN = "node.labels.%s==" % HOST_LABEL
ID_PIN = "node.id=="


def node_summary(node):
    """The parts of a node of the engine's API that the plan uses."""
    manager = node.get("ManagerStatus") or {}
    return {
        "id": node["ID"],
        "labels": dict(node["Spec"].get("Labels") or {}),
        "role": node["Spec"]["Role"],
        "state": node["Status"]["State"],
        "hostname": (node.get("Description") or {}).get("Hostname", ""),
        "addr": (node.get("Status") or {}).get("Addr", ""),
        "reachable": manager.get("Reachability") == "reachable",
        "leader": bool(manager.get("Leader")),
        "created": node.get("CreatedAt", ""),
    }


def wanted_labels(host, labels):
    """All labels that skp.cluster sets on the node of a host. labels: {name: value} of the inventory."""
    wanted = {str(name): str(value) for name, value in labels.items()}
    wanted[HOST_LABEL] = host
    wanted[OURS_LABEL] = ",".join(sorted(str(name) for name in labels))
    return wanted


def merged_labels(current, host, labels, carried=None, asked=frozenset(), later=frozenset()):
    """The labels of a node after the update: labels of other origin are kept, own labels that are no longer wanted are removed.

    carried: the labels of the entry that the node had before it lost its state; they are added in the same way.
    asked: labels that roles of present services set on the nodes: they are own labels, whoever set them.
    later: labels that stay as they are. The role of their service changes them, when the node has what the service needs: with the label alone, the swarm
    would start the service there at once, and pull its old image.
    """
    merged = {**_not_ours(carried or {}, asked), **_not_ours(current, asked), **wanted_labels(host, labels)}
    return {**{name: value for name, value in merged.items() if name not in later}, **{name: current[name] for name in later if name in current}}


def _not_ours(labels, asked):
    ours = set(filter(None, labels.get(OURS_LABEL, "").split(","))) | asked
    return {name: value for name, value in labels.items() if name not in ours}


def _find_nodes(host, wanted, nodes):
    """(the node of a host or None, its stale entries). nodes: summaries."""
    labelled = [node for node in nodes if node["labels"].get(HOST_LABEL) == host]
    current = None
    if wanted.get("joining"):
        return None, labelled
    if wanted.get("node_id"):
        current = next((node for node in nodes if node["id"] == wanted["node_id"]), None)
    elif labelled:
        # The host did not answer: use the entry that is up, else the newest.
        current = sorted(labelled, key=lambda node: (node["state"] == "ready", node["created"]))[-1]
    return current, [node for node in labelled if node is not current]


def network_spec(wanted):
    """The overlay network as the engine's API expects it. wanted: {"name", "subnet", "encrypted"}."""
    return {
        "Name": wanted["name"], "Driver": "overlay", "Attachable": True, "Scope": "swarm",
        "IPAM": {"Driver": "default", "Config": [{"Subnet": wanted["subnet"]}]},
        "Options": {"encrypted": ""} if wanted["encrypted"] else {},
        "Labels": {"skp.role": "swarm"},
    }


def _network_hint(text):
    """The network of an address with a prefix length, empty if the text is none."""
    try:
        return "; did you mean %s" % ipaddress.ip_network(text, strict=False)
    except ValueError:
        return ""


def _network_findings(found, wanted, addresses, hosts):
    """Why the wanted network is not possible: [text]."""
    findings = []
    try:
        subnet = ipaddress.ip_network(wanted["subnet"])
    except ValueError:
        return ["skp_net_subnet: found %r, expected an IPv4 network such as 10.200.0.0/20%s." % (wanted["subnet"], _network_hint(wanted["subnet"]))]
    for host, address in addresses.items():
        try:
            inside = ipaddress.ip_address(address) in subnet
        except ValueError:
            continue
        if inside:
            findings.append("The address %s of %s lies in skp_net_subnet %s; the overlay would hide it. Choose another skp_net_subnet."
                            % (address, host, wanted["subnet"]))
    if wanted["encrypted"]:
        for host, about in hosts.items():
            findings += _plain_text(host, about.get("encryption") or "", about.get("version") or "", wanted.get("unproven"))
    if found is None:
        return findings
    name = wanted["name"]
    way = ("Set the variable to the present value, or remove the network after `down` of every service (docker network rm %s) and run again."
           % name)
    if found.get("Driver") != "overlay" or found.get("Scope") != "swarm":
        return findings + ["The network %s exists but is a %s network of scope %s; expected an overlay of scope swarm. Choose another "
                           "skp_net, or remove it." % (name, found.get("Driver"), found.get("Scope"))]
    subnets = [item.get("Subnet") for item in (found.get("IPAM") or {}).get("Config") or []]
    if subnets != [wanted["subnet"]]:
        findings.append("The network %s has the subnet %s; skp_net_subnet says %s. A subnet cannot be changed in place. %s"
                        % (name, ", ".join(filter(None, subnets)) or "none", wanted["subnet"], way))
    if not found.get("Attachable"):
        findings.append("The network %s is not attachable; expected attachable. %s" % (name, way))
    encrypted = "encrypted" in (found.get("Options") or {})
    if encrypted != wanted["encrypted"]:
        findings.append("The network %s is %s; skp_net_encrypted says %s. %s"
                        % (name, "encrypted" if encrypted else "not encrypted", str(wanted["encrypted"]).lower(), way))
    return findings


def _plain_text(host, answer, version, unproven):
    """Why a host may not encrypt: [text].

    answer: of `engine.facts.encryption`, "" of a host that was not asked. unproven: go on unless the kernel certainly does not encrypt.
    """
    if answer.startswith("no"):
        return ["skp_net_encrypted is true, but the kernel of %s does not support it (%s): no packet would pass. Load or "
                "build ESP (esp4, xfrm, gcm), or set skp_net_encrypted: false." % (host, answer[2:].lstrip(": "))]
    found = []
    if answer and not answer.startswith("yes") and not unproven:
        found.append("skp_net_encrypted is true, but whether the kernel of %s encrypts is %s. Make the test possible; if you know that the kernel has ESP, "
                     "set preflight_warn_only: [overlay]." % (host, answer))
    if version and sends_plain_text(version) and not unproven:
        found.append("skp_net_encrypted is true, but %s has Docker %s, which sends plain text over an encrypted overlay on some kernels (GHSA-232p-vwff-86mp). "
                     "Upgrade the engine to 20.10.24, 23.0.3 or newer." % (host, version))
    return found


def plan(nodes, network, desired, self_id="", services=()):
    """The changes to make on a manager.

    nodes: summaries (node_summary) of every node of the swarm. network: its inspection, or None.
    desired: {"hosts": {host: {"role", "addr", "labels": {name: value}, "node_id": id or "", "joining": bool,
              "encryption": text, "version": text}}, "inventory": [all host names of the inventory],
              "labels_in_use": [labels that any host of the inventory has], "network": {"name", "subnet", "encrypted", "unproven"}}
    self_id: the node that runs the module; its own demotion comes last.
    services: present services of skp.cluster, [{"label": the label of nodes that its role sets itself, or empty}]. Such a label is left to the role while
    it is in use.

    A node whose label has another name than its host was renamed in hosts.json: the label follows, and `repin` keeps its services where they are.

    Returns {"updates": [{"host", "id" ("" while the node joins), "before": {"role", "labels"} or None, "after": {...}}], "stale": [{"host",
    "id", "state", "manager"}], "renamed": {node id: (old name, new name)}, "create_network": bool, "demote_last": bool,
    "warnings": [text], "before": {...}, "after": {...} for the
    diff}. Raises Failure with every finding.
    """
    updates, stale, warnings, errors = [], [], [], []
    claimed = {wanted["node_id"]: host for host, wanted in desired["hosts"].items() if wanted.get("node_id")}
    asked = {service["label"] for service in services if service.get("label")}
    later = asked & set(desired.get("labels_in_use", []))
    for host, wanted in sorted(desired["hosts"].items()):
        node, old = _find_nodes(host, wanted, nodes)
        # A node with this host's label that is another host's own has been renamed, perhaps to a name that was in use.
        old = [entry for entry in old if claimed.get(entry["id"], host) == host]
        if node is None and not wanted.get("joining"):
            if wanted.get("node_id"):
                errors.append("%s reports that it is node %s of a swarm, but this swarm has no such node: it was removed here, or is in "
                              "another swarm. Run `docker swarm leave --force` on it and run again: it then joins." % (host, wanted["node_id"]))
            else:
                warnings.append("%s is not in the swarm and did not answer or did not join; a later run that reaches it sets its "
                                "labels." % host)
            continue
        # Only a host that reports its node id proves that another entry with its name is old.
        known = bool(node is None or wanted.get("node_id"))
        for entry in old if known else []:
            if entry["state"] == "ready" and node is not None and entry["hostname"] != node["hostname"]:
                errors.append("Two live nodes have the label skp.host=%s: %s (%s) and %s (%s). Remove the label from the wrong one "
                              "(docker node update --label-rm skp.host %s) and run again."
                              % (host, node["id"], node["hostname"], entry["id"], entry["hostname"], entry["id"]))
            else:
                stale.append({"host": host, "id": entry["id"], "state": entry["state"], "manager": entry["role"] == "manager"})
        carried = {}
        for entry in sorted(old if known else [], key=lambda item: item["created"]):
            carried.update(entry["labels"])
        before = {"role": node["role"], "labels": node["labels"]} if node else None
        after = {"role": wanted["role"], "labels": merged_labels(before["labels"] if before else {}, host, wanted["labels"], carried, asked, later)}
        if before != after:
            updates.append({"host": host, "id": node["id"] if node else "", "before": before, "after": after})
    renamed = {item["id"]: (item["before"]["labels"][HOST_LABEL], item["host"]) for item in updates
               if item["id"] and item["before"]["labels"].get(HOST_LABEL) not in (None, item["host"])}
    for old, new in sorted(renamed.values()):
        warnings.append("%s is now %s in hosts.json and is the same machine: its services, member ids and data stay where they are." % (old, new))
    for node in nodes:
        name = node["labels"].get(HOST_LABEL)
        if node["id"] in renamed:
            continue
        if name and name not in desired["inventory"]:
            warnings.append("%s (node %s, %s) is in the swarm but no longer in hosts.json. It was not changed. If it was renamed, run again "
                            "when it answers. To remove it: drain it, `docker swarm leave` on it, `docker node rm %s`; then make new join tokens, which "
                            "it knows: --tags swarm -e swarm_rotate_join_tokens=true."
                            % (name, node["id"], node["state"], node["id"]))
        elif not name and node["id"] not in [update["id"] for update in updates]:
            warnings.append("Node %s (%s, %s) of the swarm is not in hosts.json. It was not changed." % (node["id"], node["hostname"], node["addr"]))
    addresses = {host: wanted["addr"] for host, wanted in desired["hosts"].items()}
    errors += _network_findings(network, desired["network"], addresses, desired["hosts"])
    errors += _demotion_findings(nodes, updates, stale)
    if errors:
        raise Failure("\n".join(errors), kind="swarm", findings=errors)
    create = network is None
    return {
        "updates": updates, "renamed": renamed, "stale": stale, "create_network": create, "warnings": warnings,
        "demote_last": any(item["id"] == self_id and item["after"]["role"] == "worker" for item in updates if item["id"]),
        "before": _diff_side(updates, "before", [item["host"] + " " + item["id"] for item in stale], None),
        "after": _diff_side(updates, "after", [], network_spec(desired["network"]) if create else None),
    }


def repin(services, nodes, renamed):
    """Which services follow a renamed node, so that no task stops.

    A change of the placement alone keeps a task whose node still matches (swarmkit, IsTaskDirty).

    services: [{"id", "name", "constraints": [text]}]. nodes: {node id: name in hosts.json}. renamed: as `plan` returns it.
    Returns (first, then): lists of {"id", "name", "constraints"}. `first` is applied before the labels change, it pins to the node's id; `then`
    afterwards, it pins to the new name. A run that ended in between left services pinned to an id: they are in `then` too.
    """
    by_name = {old: node_id for node_id, (old, _new) in renamed.items()}
    first, then = [], []
    for service in services:
        pins = [text for text in service["constraints"] if text.replace(" ", "").startswith((HOST_PIN, ID_PIN))]
        for pin in pins:
            kind, value = (HOST_PIN, ID_PIN)[pin.replace(" ", "").startswith(ID_PIN)], pin.replace(" ", "").partition("==")[2]
            node_id = by_name.get(value) if kind == HOST_PIN else value
            if node_id not in nodes:
                continue
            rest = [text for text in service["constraints"] if text != pin]
            if kind == HOST_PIN:
                first.append({"id": service["id"], "name": service["name"], "constraints": rest + [ID_PIN + node_id]})
            then.append({"id": service["id"], "name": service["name"], "constraints": rest + [HOST_PIN + nodes[node_id]]})
    return first, then


def _demotion_findings(nodes, updates, stale):
    """Refuses demotions that would leave no manager, or fewer reachable managers than a majority."""
    roles = [(item["before"]["role"] if item["before"] else "worker", item["after"]["role"], item) for item in updates]
    demoted = [item["id"] for before, after, item in roles if (before, after) == ("manager", "worker")]
    promoted = [item for before, after, item in roles if (before, after) == ("worker", "manager")]
    if not demoted:
        return []
    gone = demoted + [item["id"] for item in stale]
    left = [node for node in nodes if node["role"] == "manager" and node["id"] not in gone]
    total = len(left) + len(promoted)
    alive = sum(1 for node in left if node["reachable"]) + len(promoted)
    if total and alive >= quorum(total):
        return []
    names = [item["host"] for item in updates if item["id"] in demoted]
    return ["Demoting %s would leave %d manager(s), %d of them reachable; %d are needed. Start the others, or keep the group manager."
            % (", ".join(names), total, alive, quorum(total))]


def _diff_side(updates, side, stale, network):
    value = {"nodes": {item["host"]: item[side] for item in updates}}
    if stale:
        value["stale entries"] = stale
    if network:
        value["network"] = network
    return value
