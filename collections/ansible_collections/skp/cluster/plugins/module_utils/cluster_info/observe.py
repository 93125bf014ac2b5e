# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. What one manager says of the swarm and a node of itself, made small before it goes to the controller.

Pure functions of plain data. `cluster_info.plan` judges the answers of all machines together.
"""

from __future__ import annotations

from ..service import watch
from ..service.spec import LOGIN_LABEL, ROLE_LABEL, URL_LABEL, Spec

SETTLE_SECONDS = 3
"""A program that fails at once is also running for a short time."""
PAUSED = ("paused", "rollback_paused")
OURS_LABEL = "skp.labels"
_LABEL, _ENABLED = "node.labels.", "==enable"


def host_of(node):
    """The inventory name of a swarm node, else its hostname."""
    return node["host"] or node["hostname"] or node["id"]


def swarm(snapshot, ledger, registry, now):
    """The swarm as `plan.judge` takes it. snapshot: of `service.io.snapshot`. ledger: of `image.ledger.read`. registry: `localhost:5000`. now: seconds since
    1970.

    Returns {"nodes": [...], "services": [...], "images": {name with tag: digest}}; see `_node` and `_service`.
    """
    images = {name: item.get("digest") or "" for name, item in ledger["images"].items()}
    return {
        "nodes": [_node(node) for node in sorted(snapshot["nodes"], key=host_of)],
        "services": [_service(name, snapshot, images, registry, now) for name in sorted(snapshot["services"])],
        "images": images,
    }


def _node(node):
    """One swarm node. labels: those of `hosts.json` that the last run has set, see `skp_swarm`."""
    labels = {key[len(_LABEL):]: value for key, value in node["facts"].items() if key.startswith(_LABEL)}
    ours = [name for name in labels.get(OURS_LABEL, "").split(",") if name]
    return {
        "id": node["id"], "host": node["host"] or "", "hostname": node["hostname"], "address": node["address"], "engine": node["engine"],
        "role": node["facts"].get("node.role", ""), "leader": node["leader"], "reachability": node["reachability"],
        "state": node["state"], "availability": node["availability"], "message": node["message"],
        "labels": {name: labels[name] for name in sorted(labels) if not name.startswith("skp.")}, "ours": sorted(ours),
    }


def _service(name, snapshot, images, registry, now):
    """One service.

    wanted: number of its tasks that should run. running: hosts. waiting: [{"host", "error"}] that should run and do not. away: [{"host", "reason"}] whose
    node is down or set aside. image_state: see `image_state`. last_error: {"host", "text", "seconds" (ago)} or None.
    """
    item = snapshot["services"][name]
    spec = Spec(item["spec"], snapshot["networks"])
    tasks = [task for task in snapshot["tasks"] if task["ServiceID"] == item["id"]]
    verdict = watch.judge(name, item, tasks, snapshot["nodes"], _ages(tasks, now), SETTLE_SECONDS)
    image, _at, digest = (spec.raw["TaskTemplate"].get("ContainerSpec") or {}).get("Image", "").partition("@")
    ports = (spec.raw.get("EndpointSpec") or {}).get("Ports") or []
    return {
        "name": name, "role": spec.role or "", "host": spec.host or "",
        "labels": [text[len(_LABEL):-len(_ENABLED)] for text in (entry.replace(" ", "") for entry in spec.constraints)
                   if text.startswith(_LABEL) and text.endswith(_ENABLED)],
        "ports": sorted(port.get("PublishedPort") or port["TargetPort"] for port in ports if port.get("PublishMode") == "host"),
        "url": spec.labels.get(URL_LABEL, ""), "login": spec.labels.get(LOGIN_LABEL, ""),
        "image": image, "digest": digest, "image_state": image_state(image, digest, images, registry),
        "wanted": len(verdict["running"]) + len(verdict["waiting"]) + len(verdict["down"]),
        "running": sorted(entry["host"] for entry in verdict["running"]),
        "waiting": [{"host": entry["host"] or "", "error": watch.explain(dict(entry, host=None))[len(name) + 2:]} for entry in verdict["waiting"]],
        "away": [{"host": entry["host"], "reason": entry["reason"]} for entry in verdict["down"]],
        "edited": spec.edited, "paused": item["update_state"] in PAUSED,
        "last_error": _last_error(tasks, {node["id"]: host_of(node) for node in snapshot["nodes"]}, now),
    }


def _ages(tasks, now):
    """Seconds that each running task has been up. A node whose clock is ahead says nothing about it: then the task counts."""
    ages = {}
    for task in tasks:
        if task["Status"]["State"] == "running":
            seconds = watch.seconds_since(task["Status"].get("Timestamp"), now)
            ages[task["ID"]] = seconds if seconds > 0 else SETTLE_SECONDS
    return ages


def _last_error(tasks, hosts, now):
    """The newest failure that the swarm still knows, or None."""
    failed = [task for task in tasks if task["Status"]["State"] in ("failed", "rejected")]
    if not failed:
        return None
    last = max(failed, key=lambda task: task["Status"].get("Timestamp") or task.get("CreatedAt") or "")
    status = last["Status"]
    return {"host": hosts.get(last.get("NodeID"), ""), "text": status.get("Err") or status.get("Message") or status["State"],
            "seconds": max(0, int(watch.seconds_since(status.get("Timestamp"), now)))}


def image_state(image, digest, images, registry):
    """Whether a service's image is the one that this cluster has pushed last: same, other (another digest), untold (without a digest), unknown (not in the
    ledger) or foreign (of another registry).
    """
    if not image.startswith(registry + "/"):
        return "foreign"
    if not digest:
        return "untold"
    name = image[len(registry) + 1:]
    known = images.get(name if ":" in name else name + ":latest")
    return "unknown" if not known else "same" if known == digest else "other"


def size_of(manifest):
    """Bytes of an image from its manifest: configuration and layers, as the registry stores them."""
    return sum(int(part.get("size") or 0) for part in [manifest.get("config") or {}, *(manifest.get("layers") or [])])


def containers(listed):
    """What matters of the items of GET /containers/json?all=1: those that run, and stopped ones of skp.cluster that are no task of a service.

    A task that has ended is replaced by the swarm, which tells about it; a plain container is told about here only.
    """
    found = []
    for item in listed:
        labels, status = item.get("Labels") or {}, item.get("Status") or ""
        service = labels.get("com.docker.swarm.service.name", "")
        role = labels.get(ROLE_LABEL, "")
        if item.get("State") != "running" and (service or not role):
            continue
        health = "unhealthy" if "(unhealthy)" in status else "starting" if "(health: starting)" in status else "healthy" if "(healthy)" in status else ""
        ports = sorted({"%d/%s" % (port["PublicPort"], port.get("Type", "tcp")) for port in item.get("Ports") or [] if port.get("PublicPort")})
        found.append({"id": item["Id"][:12], "name": (item.get("Names") or [item["Id"][:12]])[0].lstrip("/"), "service": service, "role": role,
                      "image": item.get("Image", "").partition("@")[0], "state": item.get("State", ""), "status": status, "health": health, "ports": ports})
    return sorted(found, key=lambda entry: entry["name"])


TASKS_OF_A_PLACE = 2
"""The task that runs and the one before it: that one tells why it was replaced."""


def tasks_for_logs(snapshot, wanted):
    """(names of the services meant, [{"id", "host", "service"}] whose logs can be read now). wanted: name of a service or of a role."""
    services = {name: item for name, item in snapshot["services"].items() if wanted in (name, Spec(item["spec"]).role)}
    names = {item["id"]: name for name, item in services.items()}
    ready = {node["id"]: host_of(node) for node in snapshot["nodes"] if node["ready"]}
    places = {}
    for task in sorted(snapshot["tasks"], key=lambda item: item.get("CreatedAt") or "", reverse=True):
        started = task["Status"]["State"] in ("running", "starting", "complete", "failed", "shutdown")
        if task["ServiceID"] in names and task.get("NodeID") in ready and started:
            places.setdefault((names[task["ServiceID"]], task["NodeID"]), []).append(task["ID"])
    return sorted(services), [{"id": task, "host": ready[node], "service": service}
                              for (service, node), ids in sorted(places.items()) for task in ids[:TASKS_OF_A_PLACE]]


def log_lines(found, limit):
    """Lines of several logs in the order of their time. found: [(host, name, text)], each line begins with its time. The last `limit` of each name and host."""
    logs = {}
    for host, name, text in found:
        logs.setdefault((name, host), []).extend(line.rstrip("\r") for line in text.split("\n") if line.strip())
    rows = []
    for (name, host), lines in logs.items():
        for line in sorted(lines, key=lambda item: item.split(" ", 1)[0])[-limit:]:
            rows.append((line.split(" ", 1)[0], "%s%s | %s" % (name, "@" + host if host else "", line)))
    return [text for _time, text in sorted(rows, key=lambda row: row[0])]
