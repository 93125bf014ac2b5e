# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The data of an st-kilda-pier on its nodes: whose it is, what is in the way, the steps that take it over. Pure functions.

Where st-kilda-pier has its data, below the directory that env.sh names, and where the roles of the collection have it:

zookeeper   data/myid, data/version-2               the same
kafka       kafka-logs-<hostname of the container>  data; the first versions have a directory with the node's name between
mysql       the directory itself                    data
notebooks   the directory itself                    the same

Data moves by rename on its own file system. Nothing is copied and nothing is deleted.
"""

from __future__ import annotations

import re

from ..failure import Failure

RECORD = "/etc/skp/adopted.json"
"""What was stopped and moved on this node."""

OWNERS = "/etc/skp/adopted.owners"
"""Former owners of files: one line of JSON for each, [path, uid, gid]."""

STAGING = ".skp-adopt"
"""Directory below MySQL's in which its files are gathered; it gets its final name when it has all of them."""

RENAMED = "-before-skp"
"""Ending of the name of a container whose name a container of the collection needs."""

TARGETS = {"zookeeper": "/opt/zookeeper/data", "kafka": "/kafka", "mysql": "/var/lib/mysql"}
"""Where the containers of st-kilda-pier have their data."""

OURS = ("com.docker.swarm.service.id", "skp.role")
"""Labels of containers that st-kilda-pier cannot have made: it started all of them with docker run."""

REMOTE = ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs")


def is_original(container, wanted):
    """Whether a container is one that the plan names. container: {"name", "labels"}; wanted: {"name", "numbered"}."""
    if any(label in (container["labels"] or {}) for label in OURS):
        return False
    pattern = re.escape(wanted["name"]) + ("-[0-9]+" if wanted["numbered"] else "")
    return re.fullmatch(pattern, container["name"]) is not None


def stop_steps(containers, wanted):
    """[(verb, container's name, argument)] that stop the containers of one stage: `restart` no, `stop` within seconds, `rename`.

    Without the first, the engine would start a stopped container again when it starts itself, on data that another server has then.
    """
    steps = []
    for container in containers:
        matching = [entry for entry in wanted if is_original(container, entry)]
        if not matching:
            continue
        if container["restart"] not in ("", "no"):
            steps.append(("restart", container["name"], "no"))
        if container["state"] in ("running", "restarting", "paused"):
            steps.append(("stop", container["name"], matching[0]["timeout"]))
        if matching[0]["rename"]:
            steps.append(("rename", container["name"], container["name"] + RENAMED))
    return steps


def problems_of_mount(service, container, path):
    """Why the data of a service may be elsewhere than at `path`: []; or one sentence. container: {"name", "mounts": {target: source}}."""
    target = TARGETS.get(service)
    source = container["mounts"].get(target) if target else None
    if not target:
        return []
    if source is None:
        return ["its container %s has nothing mounted at %s: its data is not in %s. Copy it out (docker cp), or correct the directory in env.sh"
                % (container["name"], target, path)]
    if source != path and not source.startswith(path + "/"):
        return ["its container %s has its data in %s, and the inventory says %s. Correct the directory, in env.sh and in adopt_services"
                % (container["name"], source, path)]
    return []


def kafka_directory(found, container, taken=""):
    """(directory of the data of a broker, problems).

    found: {path: {property: value}} of all meta.properties; container: None if there is none; taken: where an earlier run has moved the data to.
    """
    if taken in found:
        return taken, []
    if not found:
        return None, ["no meta.properties is there, so there is no data of a broker"]
    if len(found) == 1:
        return next(iter(found)), []
    named = [path for path in found if container and path.endswith("/kafka-logs-" + container["hostname"])]
    if len(named) == 1:
        return named[0], []
    return None, ["more than one directory has data of a broker: %s. st-kilda-pier made a new one with each new container. Move all but the one that counts to "
                  "another place" % ", ".join(sorted(found))]


def judge(service, path, found, container):
    """The look at one service on its node: {"id", "cluster_id", "source", "counts", "problems"}.

    found: what io reads, see `io.read`. container: the original's container of this service, or None. Each problem is a sentence without its end.
    """
    result = {"id": None, "cluster_id": "", "source": path, "counts": {}, "version": found.get("version", ""), "problems": []}
    problems = result["problems"]
    if not found["exists"]:
        problems.append("%s does not exist" % path)
        return result
    if found["fstype"] in REMOTE and service != "notebooks":
        problems.append("%s is on a %s file system; a database there loses data. Stop the service by hand, move its data to a local disk, and correct "
                        "the directory" % (path, found["fstype"]))
    if container:
        problems += problems_of_mount(service, container, path)
    _JUDGES[service](result, found, container)
    return result


def _zookeeper(result, found, container):
    result["source"] = result["source"] + "/data"
    result["counts"] = {"snapshots": found["snapshots"], "logs": found["logs"]}
    number = found["myid"].strip()
    if not number.isdigit():
        result["problems"].append("%s/myid has %r, expected a number" % (result["source"], number[:20]))
        return
    result["id"] = int(number)
    if container and not container["name"].endswith("-" + number):
        result["problems"].append("myid is %s, and the container is %s: the directory belongs to another member" % (number, container["name"]))
    if not found["snapshots"]:
        # ZOOKEEPER-3056: from 3.5 on a server with a log and without a snapshot does not start, because the snapshot may be lost.
        result["problems"].append("%s/version-2 has no snapshot: ZooKeeper from 3.5 on does not start on it. Restart the old server once, it then writes one "
                                  "(docker restart), and run again" % result["source"])


def _kafka(result, found, container):
    source, problems = kafka_directory(found["meta"], container, found.get("taken", ""))
    result["problems"] += problems
    if source is None:
        return
    meta = found["meta"][source]
    number = meta.get("broker.id", "")
    result.update(source=source, cluster_id=meta.get("cluster.id", ""), counts={"partitions": found["partitions"].get(source, 0)})
    if not number.isdigit():
        result["problems"].append("%s/meta.properties has broker.id %r, expected a number" % (source, number[:20]))
        return
    result["id"] = int(number)
    started = (container or {}).get("env", {}).get("KAFKA_BROKER_ID", number)
    if started != number:
        result["problems"].append("meta.properties says broker %s, and the container was started as %s" % (number, started))


def _mysql(result, found, dummy_container):
    if found["moved"]:
        result["source"] += "/data"
    if not (found["moved"] or found["here"] or found["staged"]):
        result["problems"].append("%s has no ibdata1, so there is no database of MySQL" % result["source"])
    elif found["moved"] and found["here"]:
        result["problems"].append("%s and data below it both have a database; which one counts cannot be known. Move the other one away" % result["source"])
    elif not found["dictionary"]:
        result["problems"].append("has no mysql.ibd: it is of MySQL 5 or older, or of MariaDB, which no server of the collection reads. Dump it and load it")


def _notebooks(result, found, dummy_container):
    result["counts"] = {"notebooks": found["notebooks"], "files": found["files"]}


_JUDGES = {"zookeeper": _zookeeper, "kafka": _kafka, "mysql": _mysql, "notebooks": _notebooks}


def place(service, old_is_there):
    """The directory in which the data of a service is now: `from` until it was moved, else `path`."""
    return service["from"] if service.get("from") and old_is_there else service["path"]


def take_steps(service, look, others):
    """[(verb, ...)] that take the data over: ("make", directory), ("rename", from, to), ("gather", directory), ("own", tree, uid, [trees that are left]).

    look: of `judge`, without problems. others: directories of other services; those below the notebooks, and the
    directories on the way to them, keep their owner.
    """
    name, path, source, uid = service["name"], service["path"], look["source"], service["uid"]
    steps = []
    if name != "notebooks" and source != path + "/data":
        moved = service.get("from") and not source.startswith(path + "/") and source != path
        steps = [("make", path)] if moved else []
        steps.append(("gather", path) if name == "mysql" and not moved else ("rename", source, path + "/data"))
    tree = path if name == "notebooks" else path + "/data"
    left = sorted(other for other in others if other.startswith(path + "/")) if name == "notebooks" else []
    return steps + [("own", tree, uid, left)]


def kept(path, left):
    """Whether a path keeps its owner: a tree that is left, what is in it, or a directory on the way to it."""
    return any(path == tree or path.startswith(tree + "/") or tree.startswith(path + "/") for tree in left)


def refuse_running(service, path, containers):
    """Raises Failure if a container that runs has the directory of a service, or something in it, mounted."""
    for container in containers:
        for source in container["mounts"].values():
            inside = source == path or source.startswith(path + "/") or path.startswith(source.rstrip("/") + "/")
            if container["state"] in ("running", "restarting", "paused") and inside and source != "/":
                raise Failure(
                    "The container %s runs and has %s mounted, where the data of %s is. Nothing of it was moved. Stop it (docker stop %s), and run again."
                    % (container["name"], source, service, container["name"]), kind="in_use", container=container["name"], path=path)


# -- all nodes together ---------------------------------------------------------------------------------------------------

OWN_MYSQL = (9, 7)
READABLE = {(9, 7): [(8, 4), (9, 7)], (8, 4): [(8, 0), (8, 4)]}
"""MySQL goes from one long-term version to the next one only: server -> versions of data that it takes."""


def series(text):
    """(major, minor) of the version that a text begins with, None without one."""
    match = re.match(r"(\d+)\.(\d+)", text or "")
    return (int(match.group(1)), int(match.group(2))) if match else None


def mysql_problem(version, image, own):
    """Why the server of `image` does not start on data of `version`, '' if it does. own: whether the image is the collection's."""
    data = series(version)
    server = OWN_MYSQL if own else series(image.rpartition(":")[2] if "@" not in image else "")
    if data is None:
        return "the version of its data cannot be found: its old container does not run. Start it (docker start), and run again"
    if server is None:
        return "mysql_image %s has no version in its tag, and its data is of MySQL %s. Name the image with its version" % (image, version)
    if data in READABLE.get(server, [server]):
        return ""
    return ("its data is of MySQL %s, and MySQL %d.%d reads data of %s only. Set mysql_image in group_vars to Docker's official image of the same version, "
            "such as docker.io/library/mysql:%d.%d, and run again; go to newer versions later, one long-term version at a time. Or leave the data behind: "
            "take mysql out of adopt_services and MYSQL_VOLUME out of env.sh"
            % (version, server[0], server[1], " and ".join("%d.%d" % item for item in READABLE.get(server, [server])), data[0], data[1]))


def verdict(services, looks, mysql_image, own_mysql):
    """What all nodes say together: {"problems": [...], "lines": [...], "settings": {...}}.

    services: of the plan. looks: {host: {"services": {name: look}, "stops": [container names], "network": {...} or None}}; a host without an answer is missing.
    """
    problems, lines = [], []
    for service in services:
        for host in service["hosts"]:
            look = ((looks.get(host) or {}).get("services") or {}).get(service["name"])
            where = "%s: %s" % (host, service["name"])
            if look is None:
                problems.append("%s: the node was not looked at; run with all hosts reachable and without --limit" % where)
                continue
            problems += ["%s: %s." % (where, text) for text in look["problems"]]
            facts = ["id %d" % look["id"]] if look["id"] is not None else ["version %s" % look["version"]] if look["version"] else []
            facts += ["%s %s" % (count, what) for what, count in sorted(look["counts"].items())]
            lines.append("%s  %s  %s" % (where, look["source"], ", ".join(facts)))
            if service["name"] == "mysql":
                why = mysql_problem(look["version"], mysql_image, own_mysql)
                problems += ["%s: %s." % (where, why)] if why else []
    problems += _disagreements(services, looks)
    for host in sorted(looks):
        lines += ["%s: stops the container %s" % (host, name) for name in looks[host].get("stops") or []]
    networks = {look["network"]["subnet"] for look in looks.values() if look.get("network") and look["network"]["subnet"]}
    return {"problems": problems, "lines": lines, "settings": {"skp_net_subnet": networks.pop()} if len(networks) == 1 else {}}


def _disagreements(services, looks):
    """What is right on each node and wrong on all: an id twice, brokers of two clusters."""
    found = []
    for service in services:
        answers = {host: looks[host]["services"][service["name"]] for host in service["hosts"]
                   if service["name"] in ((looks.get(host) or {}).get("services") or {})}
        ids = {}
        for host, look in sorted(answers.items()):
            if look["id"] is not None:
                ids.setdefault(look["id"], []).append(host)
        found += ["%s: %s have the id %d each; a copied directory has the id of another node. Find out whose it is."
                  % (service["name"], " and ".join(hosts), number) for number, hosts in ids.items() if len(hosts) > 1]
        clusters = {look["cluster_id"] for look in answers.values() if look["cluster_id"]}
        if len(clusters) > 1:
            found.append("%s: the nodes have data of %d clusters (%s); adopt one of them." % (service["name"], len(clusters), ", ".join(sorted(clusters))))
    return found
