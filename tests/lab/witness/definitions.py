# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services' definitions as the swarm keeps them, read with the docker command and taken apart, so that a test can say what changed in each."""
from __future__ import annotations

import json

import lablib

OURS = ("skp.hash",)
"""Labels that follow from the rest of the definition."""


def parts(spec, networks):
    """{part: value} of a definition: config FILE, secret FILE, env NAME, placement, and the rest by the engine's own names. networks: {id: name}."""
    task = dict(spec["TaskTemplate"])
    task.pop("ForceUpdate", None)  # how often somebody restarted it by hand
    container = dict(task.pop("ContainerSpec"))
    found = {"placement": task.pop("Placement", {}).get("Constraints")}
    found.update({f"config {item['File']['Name']}": item["ConfigName"] for item in container.pop("Configs", None) or ()})
    found.update({f"secret {item['File']['Name']}": item["SecretName"] for item in container.pop("Secrets", None) or ()})
    found.update({"env " + entry.partition("=")[0]: entry for entry in container.pop("Env", None) or ()})
    found.update(container)
    # By name: a role's own network goes with its services, and the next one has another id.
    task["Networks"] = [dict(item, Target=networks.get(item["Target"], item["Target"])) for item in task.get("Networks") or ()]
    found.update(task)
    found.update({key: value for key, value in spec.items() if key not in ("TaskTemplate", "Labels")})
    found["labels"] = {key: value for key, value in (spec.get("Labels") or {}).items() if key not in OURS}
    return found


def read():
    """{service: {part: value}} of all services of the swarm."""
    node = lablib.manager()
    ids = lablib.on(node, "docker", "service", "ls", "-q").split()
    networks = dict(line.split() for line in lablib.on(node, "docker", "network", "ls", "--no-trunc", "--format", "{{.ID}} {{.Name}}").splitlines())
    return {item["Spec"]["Name"]: parts(item["Spec"], networks) for item in json.loads(lablib.on(node, "docker", "service", "inspect", *ids))} if ids else {}


def changed(before, after):
    """{service: set of the parts that differ}, without the services in which none does; {"removed"} and {"created"} for those that are in one only."""
    found = {name: {"removed"} for name in before.keys() - after.keys()} | {name: {"created"} for name in after.keys() - before.keys()}
    for name in before.keys() & after.keys():
        one, other = before[name], after[name]
        different = {part for part in one.keys() | other.keys() if one.get(part) != other.get(part)}
        if different:
            found[name] = different
    return found
