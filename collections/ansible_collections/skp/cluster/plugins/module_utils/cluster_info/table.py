# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The state of the cluster as text for people. Pure; `cluster_info.plan.judge` makes what is shown here."""

from __future__ import annotations

from .plan import explain, size

HOSTS_SHOWN = 3
"""Of a service that runs on every node only the first hosts are named."""


def full(document):
    """Lines of the complete table."""
    return [*_head(document, "as it should be"), *_nodes(document), *_services(document, True), *_containers(document), *_registry(document),
            *_volumes(document), *_store(document), *_findings(document)]


def summary(document):
    """Lines for the end of a run, in which only the swarm was asked: services, addresses, what is wrong."""
    return [*_head(document, "all services run"), *_services(document, False), *_volumes(document), *_findings(document)]


def containers(nodes):
    """Lines: the containers of every node. nodes: as in the site of `plan.judge`."""
    rows = []
    for host in sorted(nodes):
        answer = nodes[host]["answer"]
        if answer is None:
            rows.append((host, "-", "NO ANSWER", "", nodes[host]["error"]))
        elif not answer["engine"]["running"]:
            rows.append((host, "-", "NO ENGINE", "", answer["engine"]["error"]))
        else:
            rows += [(host, item["name"], item["status"], ", ".join(item["ports"]), item["image"]) for item in answer["containers"]]
    return _table("", ("NODE", "CONTAINER", "STATUS", "PORTS", "IMAGE"), rows)[1:]


def _table(title, heading, rows):
    """Lines of one table, with an empty line before it; none without rows. The last column is as wide as it is."""
    if not rows:
        return []
    rows = [tuple(str(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in [heading, *rows]) for column in range(len(heading))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [heading, *rows]]
    return ["", *([title] if title else []), *lines]


def _few(names, more="and %d more"):
    names = list(names)
    shown = ", ".join(names[:HOSTS_SHOWN])
    return shown if len(names) <= HOSTS_SHOWN else "%s %s" % (shown, more % (len(names) - HOSTS_SHOWN))


def _head(document, fine):
    number = len(document["problems"])
    verdict = fine if not number else "1 problem" if number == 1 else "%d problems" % number
    asked = "asked %s" % document["swarm"]["asked"] if document["swarm"]["answered"] else "NO MANAGER ANSWERS"
    return ["Cluster %s: %s (%s, %s)" % (document["cluster"], verdict, document["time"], asked)]


def _nodes(document):
    rows = []
    for node in document["nodes"]:
        role = ", ".join(word for word, true in (("master", node["master"]), (node["role"], True), ("leader", node["leader"])) if true)
        state = node["state"] + ("" if node["availability"] in ("", "active") else " (%s)" % node["availability"])
        reached = {True: "yes", False: "NO", None: "-"}[node["reached"]]
        disks = ", ".join("%s %s" % (disk["mount"], size(disk["free"])) for disk in node["disks"]) or "-"
        rows.append((node["name"], node["address"], role, state, reached, node["engine"] or "-", disks, " ".join(node["labels"])))
    return _table("", ("NODE", "ADDRESS", "ROLE", "SWARM", "REACHED", "ENGINE", "FREE ON", "LABELS"), rows)


def _services(document, images):
    """images: whether the image of each is shown, by its short name and the beginning of its digest."""
    rows = []
    for service in document["services"]:
        running = "%d/%d" % (service["running"], service["wanted"]) + ("" if service["healthy"] else " !")
        login = service["login"] + (" on the managers" if service["login"].startswith("/") else "")
        # A service that does not run has no address; one that publishes no port has one inside only.
        first, *others = service["urls"] or ["-" if service["ports"] else "inside the overlay only"]
        image = service["image"].rpartition("/")[2] + ("@" + service["digest"][7:19] if service["digest"] else "")
        rows.append((service["name"], running, _few(service["hosts"]) or "-", image, first, login))
        more = others[:HOSTS_SHOWN - 1] + (["and %d more" % (len(others) - HOSTS_SHOWN + 1)] if len(others) >= HOSTS_SHOWN else [])
        rows += [("", "", "", "", address, "") for address in more]
    shown = [0, 1, 2, 3, 4, 5] if images else [0, 1, 2, 4, 5]
    heading = ("SERVICE", "RUNS", "ON", "IMAGE", "ADDRESS", "PASSWORD")
    return _table("", tuple(heading[column] for column in shown), [tuple(row[column] for column in shown) for row in rows])


def _containers(document):
    rows = [(item["name"], item["host"], item["state"] + (", %s" % item["health"] if item["health"] else ""), item["image"]) for item in document["containers"]]
    return _table("", ("CONTAINER", "ON", "STATE", "IMAGE"), rows)


def _registry(document):
    rows = [("%s:%s" % (item["repository"], item["tag"]), item["digest"][7:19], size(item["size"]),
             {"same": "yes", "other": "NO, another digest", "not of the ledger": "-"}[item["ledger"]]) for item in document["registry"]]
    return _table("", ("IMAGE IN THE REGISTRY", "DIGEST", "SIZE", "PUSHED BY THIS CLUSTER"), rows)


def _volumes(document):
    rows = [(item["name"], item["host"], item["path"] or "-", item["state"] + (": %s" % item["why"] if item["why"] else "")) for item in document["volumes"]]
    return _table("", ("DATA VOLUME", "ON", "PATH", "STATE"), rows)


def _store(document):
    places = {}
    for item in document["store"]:
        where = "%s (%s)" % (item["source"], item["type"]) if item["source"] else "a directory of the node"
        places.setdefault((item["path"], where), []).append(item["host"])
    return _table("", ("SHARED STORE", "FROM", "ON"), [(path, where, _few(hosts)) for (path, where), hosts in places.items()])


def _findings(document):
    lines = []
    for title, key in (("PROBLEMS", "problems"), ("NOTES", "notes")):
        if document[key]:
            lines += ["", title, *("- " + explain(finding) for finding in document[key])]
    return lines
