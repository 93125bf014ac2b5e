# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The state of the cluster: what hosts.json wants against what the machines say. Pure functions of plain data.

    site = {
        "cluster": name, "time": text,
        "hosts": {name: {"address", "role" (manager, worker), "master": bool, "labels": {label: value}, "volumes": [names] or None (not known)}},
        "services": [labels of hosts.json that a role of this version runs services for],
        "swarm": [{"host": the manager that was asked, "answer": of `io.swarm` or None, "error": text}]      in the order of the questions,
        "nodes": {name: {"answer": of `io.node` or None, "error": text}}     hosts that were asked; others are not judged by it,
        "failed_volumes": {host: {volume: text}}    of the run that this is the end of,
        "settings": {"disk_free_percent": float, "recent_seconds": int},
    }

A finding is {"kind", "subject", "where", "found", "next"}. `problems` are what is not as it should be: they decide about the exit code. `notes` do not.
"""

from __future__ import annotations

import re

from ..members.plan import natural_key

VERSION = 1
"""Of the document that `judge` returns. It grows when a key changes its meaning or goes; new keys do not count."""

PLAIN = ("registry",)
"""Labels whose service is a plain container, of which only the node knows."""

GB = 1024 ** 3
_ROLES = {"pgsql": "postgresql", "nginx": "gateway"}
"""The role of a label whose name does not begin with it."""
_PORT = re.compile(r"^[a-z][a-z0-9+.-]*://[^/]*:(\d+)(?:[/?#]|$)")
_DEFAULT_PORTS = {"http://": 80, "https://": 443}


def judge(site):
    """The state of the cluster as one document. See docs/status.md for its keys."""
    findings = _Findings()
    asked = _asked(site["swarm"], findings)
    answer = asked["answer"]
    nodes = _nodes(site, answer, findings)
    services = _services(site, answer, findings) if answer else []
    containers = _containers(site, findings)
    if answer:
        _missing(site, answer, containers, findings)
    registry = _registry(site, answer, findings)
    volumes = _volumes(site, findings)
    return {
        "version": VERSION, "cluster": site["cluster"], "time": site["time"],
        "state": "problem" if findings.problems else "ok", "problems": findings.problems, "notes": findings.notes,
        "swarm": {"answered": bool(answer), "asked": asked["host"], "error": asked["error"],
                  "leader": next((item["name"] for item in nodes if item["leader"]), ""),
                  "managers": len([item for item in nodes if item["role"] == "manager"])},
        "nodes": nodes, "services": services, "containers": containers, "labels": _labels(site["hosts"]),
        "registry": registry["tags"], "images": registry["images"], "volumes": volumes, "store": _store(site),
    }


class _Findings:
    """Collects findings in their order."""

    def __init__(self):
        self.problems, self.notes = [], []

    def problem(self, kind, subject, found, way="", where=""):
        """Something that is not as it should be."""
        self.problems.append({"kind": kind, "subject": subject, "where": where, "found": found, "next": way})

    def note(self, kind, subject, found, way="", where=""):
        """Something to know."""
        self.notes.append({"kind": kind, "subject": subject, "where": where, "found": found, "next": way})


# --- the swarm --------------------------------------------------------------------------------------------------------------------------------------------

def _asked(questions, findings):
    """The first manager that answered: {"host", "answer" (None if there is none), "error"}."""
    for question in questions:
        if question["answer"] and question["answer"]["answered"]:
            if question["answer"]["error"]:
                findings.problem("ledger", "ledger of images", question["answer"]["error"])
            return {"host": question["host"], "answer": question["answer"], "error": ""}
    silent = {question["host"]: (question["answer"] or {}).get("error") or question["error"] or "no answer" for question in questions}
    kinds = {(question["answer"] or {}).get("kind") for question in questions}
    text = "; ".join("%s: %s" % item for item in silent.items()) or "no manager was asked"
    if "no_leader" in kinds:
        findings.problem("no_leader", "swarm", "it has no leader, so nothing can be said about services and nothing can be changed. %s" % _line(text),
                         "Start managers until more than half of them run. If they are lost for ever, see docs/swarm.md.")
    else:
        findings.problem("no_manager", "swarm", "no manager answers. %s" % _line(text),
                         "Start docker on a manager (systemctl start docker), or run site.yml if there is no swarm yet.")
    return {"host": ", ".join(silent), "answer": None, "error": _line(text)}


def _line(text, limit=400):
    """A text as one line."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _entries(answer):
    """{host: its entry of the swarm}. A host that lost its state and came back has two: the one that is ready counts."""
    found = {}
    for node in sorted((answer or {}).get("nodes") or [], key=lambda item: item["state"] == "ready"):
        found[node["host"] or node["hostname"]] = node
    return found


# --- nodes ------------------------------------------------------------------------------------------------------------------------------------------------

def _nodes(site, answer, findings):
    entries = _entries(answer)
    rows = []
    for name in sorted(site["hosts"], key=natural_key):
        host, entry = site["hosts"][name], entries.get(name)
        said = site["nodes"].get(name)
        facts = (said or {}).get("answer")
        rows.append({
            "name": name, "address": host["address"], "wanted": True, "master": host["master"], "role": host["role"],
            "state": entry["state"] if entry else "not in the swarm" if answer else "unknown",
            "availability": entry["availability"] if entry else "", "leader": bool(entry and entry["leader"]),
            "engine": entry["engine"] if entry else ((facts or {}).get("engine") or {}).get("version", ""),
            "labels": sorted(host["labels"]), "reached": None if said is None else facts is not None,
            "disks": _disks((facts or {}).get("disks") or []), "memory": (facts or {}).get("memory") or {},
        })
        if answer:
            _judge_entry(name, host, entry, findings)
        if said is not None:
            _judge_facts(name, said, site["settings"], findings)
    for name in sorted(set(entries) - set(site["hosts"]), key=natural_key):
        entry = entries[name]
        rows.append({"name": name, "address": entry["address"], "wanted": False, "master": False, "role": entry["role"], "state": entry["state"],
                     "availability": entry["availability"], "leader": entry["leader"], "engine": entry["engine"], "labels": sorted(entry["labels"]),
                     "reached": None, "disks": [], "memory": {}})
        findings.note("foreign_node", name, "a node of the swarm that is not in hosts.json", "Add it to hosts.json, or remove it: docker node rm %s"
                      % entry["id"], where=name)
    return rows


def _judge_entry(name, host, entry, findings):
    """A host of hosts.json against its entry of the swarm."""
    whole_run = "ansible-playbook site.yml"
    if entry is None:
        findings.problem("node_missing", name, "is in hosts.json and not in the swarm", whole_run, where=name)
        return
    if entry["state"] != "ready":
        findings.problem("node_down", name, "the swarm says that the node is %s%s" % (entry["state"], " (%s)" % entry["message"] if entry["message"] else ""),
                         "Start the machine, or docker on it (systemctl start docker).", where=name)
    elif entry["availability"] != "active":
        findings.problem("node_set_aside", name, "the node is set to %s, so it runs no services" % entry["availability"],
                         "docker node update --availability active %s" % entry["hostname"], where=name)
    elif entry["role"] == "manager" and entry["reachability"] not in ("reachable", ""):
        findings.problem("manager_unreachable", name, "the other managers do not reach it (%s)" % entry["reachability"],
                         "Check port 2377/tcp between the managers.", where=name)
    if entry["role"] != host["role"]:
        findings.problem("node_role", name, "is a %s of the swarm, hosts.json says %s" % (entry["role"], host["role"]), whole_run + " --tags swarm", where=name)
    wrong = ["%s is missing" % label if label not in entry["labels"] else "%s is %s, not %s" % (label, entry["labels"][label], value)
             for label, value in sorted(host["labels"].items()) if entry["labels"].get(label) != value]
    wrong += ["%s is not in hosts.json" % label for label in entry["ours"] if label not in host["labels"] and label in entry["labels"]]
    if wrong:
        # Not --tags swarm: the label of a present service is set by the role of that service.
        findings.problem("labels", name, "labels of the swarm node: %s" % ", ".join(wrong), whole_run, where=name)


def _judge_facts(name, said, settings, findings):
    """What a node says of itself."""
    facts = said["answer"]
    if facts is None:
        findings.problem("unreachable", name, "does not answer: %s" % _line(said["error"] or "unreachable", 200),
                         "ansible %s -m ping tries it alone." % name, where=name)
        return
    engine = facts["engine"]
    if not engine["running"]:
        findings.problem("engine", name, "its Docker engine does not answer: %s" % _line(engine["error"], 200), "systemctl start docker", where=name)
    for disk in facts["disks"]:
        if disk.get("silent"):
            findings.problem("store_silent", disk["path"], _line(disk["silent"]), where=name)
    for disk in _disks(facts["disks"]):
        if disk["percent_free"] < settings["disk_free_percent"]:
            findings.problem("disk_full", disk["mount"], "%s free of %s (%.0f %%), less than %g %%; on it: %s"
                             % (size(disk["free"]), size(disk["total"]), disk["percent_free"], settings["disk_free_percent"], ", ".join(disk["paths"])),
                             "Free some space. `docker system df` and playbooks/registry_gc.yml help.", where=name)
        if disk["inodes_free"] is not None and disk["inodes_free"] < 1000:
            findings.problem("disk_full", disk["mount"], "only %d files more can be made on it" % disk["inodes_free"], "Remove files.", where=name)
    rules = facts["packet_filter"]
    if rules["error"] or rules["changed"] or (rules["unused"] and engine["running"]):
        text = _line(rules["error"], 200) or ("its rules are not those of the last run" if rules["changed"] else "the engine sends nothing through DOCKER-USER")
        findings.problem("packet_filter", "packet filter", text, "ansible-playbook site.yml --tags nodes. See docs/network.md.", where=name)
    for item in facts["containers"]:
        if item["health"] == "unhealthy":
            findings.problem("unhealthy", item["service"] or item["name"], "its container is unhealthy: %s" % item["status"], _logs(item["service"]),
                             where=name)


def _disks(disks):
    """One entry for each file system: {"mount", "paths", "type", "free", "total", "percent_free", "inodes_free"}."""
    found = {}
    for disk in disks:
        if disk.get("silent") or not disk.get("total"):
            continue
        entry = found.setdefault(disk["mount"], {
            "mount": disk["mount"], "type": disk["type"], "paths": [], "free": disk["free"], "total": disk["total"],
            "percent_free": round(100.0 * disk["free"] / disk["total"], 1), "inodes_free": disk["inodes_free"]})
        entry["paths"].append(disk["path"])
    return list(found.values())


def _labels(hosts):
    """{label: hosts that have it}, with `label=value` for labels that are no switch."""
    found = {}
    for name in sorted(hosts, key=natural_key):
        for label, value in hosts[name]["labels"].items():
            found.setdefault(label if value == "enable" else "%s=%s" % (label, value), []).append(name)
    return {label: found[label] for label in sorted(found)}


# --- services ---------------------------------------------------------------------------------------------------------------------------------------------

def _services(site, answer, findings):
    rows = []
    for service in sorted(answer["services"], key=lambda item: (not item["role"], item["role"], natural_key(item["name"]))):
        rows.append({
            "name": service["name"], "role": service["role"], "wanted": service["wanted"], "running": len(service["running"]),
            "healthy": service["wanted"] > 0 and len(service["running"]) == service["wanted"],
            "hosts": service["running"], "urls": urls(service, site["hosts"]), "ports": service["ports"], "login": service["login"],
            "image": service["image"], "digest": service["digest"], "image_state": service["image_state"], "edited": service["edited"],
            "waiting": service["waiting"], "away": service["away"], "last_error": service["last_error"],
        })
        if service["role"]:
            _judge_service(service, site["settings"], findings)
        elif service["waiting"]:
            findings.note("foreign_service", service["name"], "is not of skp.cluster, and %d of its tasks do not run" % len(service["waiting"]))
    return rows


def _judge_service(service, settings, findings):
    name, role = service["name"], service["role"]
    again = "ansible-playbook site.yml --tags %s" % role
    for problem in service["waiting"]:
        findings.problem("not_running", name, _line(problem["error"]), _logs(name), where=problem["host"])
    for problem in service["away"]:
        findings.problem("not_running", name, "does not run there: %s" % problem["reason"], where=problem["host"])
    if not service["wanted"]:
        findings.problem("not_running", name, "no node of the swarm may run it", again)
    if service["edited"]:
        findings.problem("edited", name, "was changed since the last run of its role", again + " --check --diff shows what; without --check it is taken back.")
    if service["paused"]:
        findings.problem("paused", name, "an update of it failed and is paused", again)
    if service["image_state"] == "other":
        findings.problem("image", name, "runs %s@%s, which is not what this cluster has pushed last under this name"
                         % (service["image"], service["digest"][:19]), again)
    elif service["image_state"] in ("unknown", "untold"):
        findings.problem("image", name, "runs %s, which is not in the ledger of images" % service["image"], "ansible-playbook site.yml --tags images,%s" % role)
    error = service["last_error"]
    if error and not service["waiting"] and error["seconds"] < settings["recent_seconds"]:
        findings.note("failed_before", name, "runs now; %s ago it failed: %s" % (ago(error["seconds"]), _line(error["text"], 200)), _logs(name),
                      where=error["host"])


def _logs(service):
    return "ansible-playbook playbooks/logs.yml -e status_service=%s" % service if service else ""


def urls(service, hosts):
    """Where people reach a service: its declared URLs, else address and port, once for each host that runs it. [] if its port is not published.

    A URL whose port the service does not publish is not shown, unless it names a host of its own (a gateway).
    """
    declared = {url: _port_of(url) for url in service["url"].split()}
    shown = [url for url in declared if "{host}" not in url]
    if shown:
        return shown
    for name in sorted(service["running"], key=natural_key):
        address = (hosts.get(name) or {}).get("address") or name
        address = "[%s]" % address if ":" in address else address
        shown += [url.replace("{host}", address) for url, port in declared.items() if port in service["ports"]]
        shown += ["%s:%d" % (address, number) for number in service["ports"] if number not in declared.values()]
    return shown


def _port_of(url):
    """The port of a URL; None if it has none and its scheme neither."""
    found = _PORT.match(url)
    return int(found.group(1)) if found else next((number for scheme, number in _DEFAULT_PORTS.items() if url.startswith(scheme)), None)


def _missing(site, answer, containers, findings):
    """Labels of hosts.json that no service follows: the service was never made, or somebody removed it."""
    entries = _entries(answer)
    for name in sorted(site["hosts"], key=natural_key):
        if name not in entries:
            continue
        for label, value in sorted(site["hosts"][name]["labels"].items()):
            if label not in site["services"] or value != "enable":
                continue
            served = [item for item in answer["services"] if serves(item, label, name)]
            plain = [item for item in containers if item["host"] == name and item["role"] == label]
            if not served and not plain and (label not in PLAIN or _engine_runs(site["nodes"].get(name))):
                findings.problem("service_missing", label, "hosts.json has the label, and no service of it is there", "ansible-playbook site.yml --tags %s"
                                 % tag_of(label), where=name)


def _engine_runs(said):
    """Whether a node was asked and its engine has listed its containers."""
    return bool(((said or {}).get("answer") or {}).get("engine", {}).get("running"))


def tag_of(label):
    """The role for a label, whose tag it is: spark-worker -> spark, pgsql -> postgresql."""
    return _ROLES.get(label) or label.partition("-")[0]


def serves(service, label, host):
    """Whether a service is there for a label on a host: by label, or pinned to the host by the label's role. Of a role with several labels the services have
    the rest of the label in their names (spark-master: spark-skp-master, spark-skp-master-2).
    """
    role, part = tag_of(label), label.partition("-")[2]
    pinned = service["host"] == host and (service["role"] == label or (service["role"] == role and (not part or part in service["name"].split("-"))))
    return label in service["labels"] or pinned


# --- what lies on the nodes -------------------------------------------------------------------------------------------------------------------------------

def _containers(site, findings):
    """The plain containers of skp.cluster, such as the registries: {"host", "name", "role", "state", "health", "status", "image"}."""
    rows = []
    for host in sorted(site["nodes"], key=natural_key):
        for item in (site["nodes"][host]["answer"] or {}).get("containers") or []:
            if item["role"] and not item["service"]:
                rows.append(dict({key: item[key] for key in ("name", "role", "state", "health", "status", "image")}, host=host))
                if item["state"] != "running":
                    findings.problem("not_running", item["name"], "its container is %s (%s)" % (item["state"], item["status"]),
                                     "ansible-playbook site.yml --tags %s" % item["role"], where=host)
    return rows


def _registry(site, answer, findings):
    """{"tags": what the registry has, "images": the ledger}, both as lists."""
    stores = {}
    for host in sorted(site["nodes"], key=natural_key):
        facts = (site["nodes"][host]["answer"] or {}).get("registry") or {}
        if facts and not facts["answering"]:
            findings.problem("registry", "registry", "does not answer: %s" % _line(facts["health"], 200), "ansible-playbook site.yml --tags registry",
                             where=host)
        if facts.get("error"):
            findings.problem("registry", "registry", _line(facts["error"]), where=host)
        if facts.get("store"):
            stores.setdefault(facts["store"], []).append(host)
    if len(stores) > 1:
        findings.problem("registry", "registry", "the nodes do not serve the same store: %s" % "; ".join(", ".join(hosts) for hosts in stores.values()),
                         "Is the shared store mounted everywhere? ansible-playbook site.yml --tags store,registry")
    look = (answer or {}).get("registry") or {}
    images = (answer or {}).get("images") or {}
    found = {"%s:%s" % (item["repository"], item["tag"]): item["digest"] for item in look.get("tags") or []}
    rows = [dict(item, ledger="not of the ledger" if name not in images else "same" if images[name] == item["digest"] else "other")
            for item in look.get("tags") or [] for name in ["%s:%s" % (item["repository"], item["tag"])]]
    for name in sorted(images):
        if found.get(name, images[name]) != images[name]:
            findings.problem("registry_tag", name, "the registry has %s under this name, this cluster has pushed %s" % (found[name][:19], images[name][:19]),
                             "ansible-playbook site.yml --tags images, and find out who has pushed.")
        elif look.get("answering") and not look["more"] and images[name] and name not in found:
            # An image that nothing runs may have gone with a purge of the registry; nobody pushes it again.
            tell = findings.problem if any(item["image"].endswith("/" + name) for item in answer["services"]) else findings.note
            tell("registry_tag", name, "this cluster has pushed it, and the registry does not have it", "ansible-playbook site.yml --tags images")
    return {"tags": rows, "images": [{"name": name, "digest": images[name], "in_registry": found.get(name) == images[name] if look.get("answering") else None}
                                     for name in sorted(images)]}


def _volumes(site, findings):
    rows = []
    for host in sorted(site["hosts"], key=natural_key):
        wanted = site["hosts"][host]["volumes"]
        facts = (site["nodes"].get(host) or {}).get("answer")
        present = (facts or {}).get("volumes") or {}
        failed = site["failed_volumes"].get(host) or {}
        for name in sorted(set(present) | set(failed) | (set(wanted or []) if facts else set())):
            seen = present.get(name) or {"path": "", "state": "none", "why": failed.get(name, ""), "active": False}
            rows.append({"host": host, "name": name, "path": seen["path"], "state": seen["state"], "why": seen["why"]})
            if name in failed or seen["state"] != "ok":
                text = failed.get(name) or seen["why"] or {"none": "is not mounted", "stale": "does not answer"}.get(seen["state"], "is %s" % seen["state"])
                findings.problem("volume", name, _line(text), "ansible-playbook site.yml --tags volumes", where=host)
            elif wanted is not None and name not in wanted:
                findings.problem("volume", name, "is mounted, and skp_volumes does not have it for this host", "ansible-playbook site.yml --tags volumes",
                                 where=host)
    return rows


def _store(site):
    """Where each node has the shared store from: [{"host", "path", "source", "type"}]."""
    rows = []
    for host in sorted(site["nodes"], key=natural_key):
        store = (site["nodes"][host]["answer"] or {}).get("store")
        if store:
            mounted = store["mounted"] or {}
            rows.append({"host": host, "path": store["path"], "source": mounted.get("source", ""), "type": mounted.get("type", "")})
    return rows


# --- words ------------------------------------------------------------------------------------------------------------------------------------------------

def size(number):
    """Bytes in a short form: 40.2 GB."""
    for unit, factor in (("TB", 1024 * GB), ("GB", GB), ("MB", 1024 ** 2)):
        if number >= factor:
            return "%.1f %s" % (number / factor, unit)
    return "%d kB" % (number // 1024)


def ago(seconds):
    """Seconds in a short form: 5 min."""
    for unit, factor in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= factor:
            return "%d %s" % (seconds // factor, unit)
    return "%d s" % seconds


def explain(finding):
    """A finding as one line."""
    where = " on %s" % finding["where"] if finding["where"] not in ("", finding["subject"]) else ""
    return "%s%s: %s%s" % (finding["subject"], where, finding["found"], " -> %s" % finding["next"] if finding["next"] else "")
