# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Records stored in the swarm (as configs, so every manager has them) and labels of its nodes.

A record is JSON in a swarm config `<prefix>-<name>-<generation>`. A config cannot be changed, so a new generation is written first and the
older ones are removed afterwards; the highest generation counts, also if a run stopped in between.
"""

from __future__ import annotations

import base64
import json

from ..engine import client as engine
from ..failure import Failure
from ..service.spec import ROLE_LABEL
from .plan import by_host, latest

MEMBERS = ("skp-members", "skp.members")
"""Prefix of the config's name and its label, for the record of member ids."""

PLACEMENT = ("skp-placement", "skp.placement")
"""The same for the record of the hosts of services that own data."""


def read_generations(client, kind, name):
    """All generations of a record, oldest first: [{"id": config id, "generation": int, "content": dict}]."""
    return _generations(client, kind, "%s=%s" % (kind[1], name), "the record of %s" % name, [name]).get(name, [])


def _generations(client, kind, wanted, what, names=None):
    """{name: all generations of its record, oldest first} of the records with a label; of these names only, if some are given."""
    prefix, label = kind
    found = {}
    for item in engine.get(client, "/configs", params={"filters": {"label": [wanted]}}, what="reading %s" % what) or []:
        name = (item["Spec"].get("Labels") or {}).get(label, "")
        number = item["Spec"]["Name"][len("%s-%s-" % (prefix, name)) :]
        if not number.isdigit() or (names is not None and name not in names):
            continue
        try:
            content = json.loads(base64.b64decode(item["Spec"].get("Data") or ""))
        except ValueError as exc:
            raise Failure(
                "The record %s in the swarm is damaged (%s). Show it with: docker config inspect --pretty %s"
                % (item["Spec"]["Name"], exc, item["Spec"]["Name"]),
                kind="record_damaged",
                config=item["Spec"]["Name"],
            ) from exc
        found.setdefault(name, []).append({"id": item["ID"], "generation": int(number), "content": content})
    return {name: sorted(items, key=lambda item: item["generation"]) for name, items in found.items()}


def write_generation(client, kind, name, content, older):
    """Write a record as the generation after the highest of `older` (from `read_generations`), then remove those. Returns its number."""
    prefix, label = kind
    generation = (older[-1]["generation"] if older else 0) + 1
    body = {
        "Name": "%s-%s-%d" % (prefix, name, generation),
        "Labels": {label: name},
        "Data": base64.b64encode(json.dumps(dict(content, generation=generation), sort_keys=True).encode()).decode(),
    }
    engine.post(client, "/configs/create", body, what="writing the record %s" % body["Name"])
    remove_generations(client, older)
    return generation


def remove_generations(client, generations):
    """Remove these generations of a record."""
    for item in generations:
        engine.delete(client, "/configs/%s" % item["id"], what="removing an old record")


def read_members(client, service):
    """(record, generations): the member record of a service, `empty_record` if there is none or no client."""
    generations = read_generations(client, MEMBERS, service) if client else []
    return latest(service, generations), generations


def look(client, services=None):
    """What decides about the member ids of these services, or of all, as plain data. client None: all empty.

    Returns {"records": {service: its generations}, "nodes": [raw node with what matters of it], "running": [services that the swarm runs]}.
    """
    if client is None:
        return {"records": {}, "nodes": [], "running": []}
    roles = {(raw["Spec"].get("Labels") or {}).get(ROLE_LABEL) for raw in engine.get(client, "/services", what="listing services") or []}
    return {
        "records": _generations(client, MEMBERS, MEMBERS[1], "the records of members", services),
        "nodes": [_slim(raw) for raw in engine.get(client, "/nodes", what="listing the swarm's nodes") or []],
        "running": sorted(role for role in roles if role),
    }


def _slim(raw):
    """The parts of a raw node that tell whose it is and which ids it has."""
    labels = {name: value for name, value in (raw["Spec"].get("Labels") or {}).items() if name.startswith("skp.")}
    return {"ID": raw["ID"], "CreatedAt": raw["CreatedAt"], "Status": {"State": raw["Status"]["State"]}, "Spec": {"Labels": labels}}


def write_members(client, record, generations):
    """Write a member record as a new generation; returns the record with its generation."""
    generation = write_generation(client, MEMBERS, record["service"], record, generations)
    return dict(record, generation=generation)


def nodes_by_host(client, renamed=None):
    """{inventory name: raw swarm node}, see `members.plan.by_host`. client None: empty."""
    return by_host(engine.get(client, "/nodes", what="listing the swarm's nodes") or [], renamed) if client else {}


def set_node_labels(client, node_id, labels):
    """Set labels of one swarm node; a value of None removes the label. Returns True if something was written."""
    def change(spec):
        present = dict(spec.get("Labels") or {})
        wanted = {key: value for key, value in present.items() if key not in labels}
        wanted.update({key: str(value) for key, value in labels.items() if value is not None})
        return dict(spec, Labels=wanted) if wanted != present else None

    return engine.update(client, "/nodes/%s" % node_id, change, "reading swarm node %s" % node_id, "labelling swarm node %s" % node_id)
