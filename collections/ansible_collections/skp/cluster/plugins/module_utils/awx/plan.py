# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. What AWX must be asked for: pure functions of plain data.

    objects = build.wanted(...)
    found = {kind: [object as AWX shows it]}, and with names that begin with "_" what AWX shows elsewhere:
        "_labels", "_credentials": ids of what is connected; "_survey": {} for none; "_approval": {"id", "name", "description", "timeout"} or None
    found["playbooks"] = names that AWX knows of the project, None if there is no project

A step is a dictionary with "do" and "what" (a line for people), and with what io.apply needs for it.
"""

from __future__ import annotations

import json

from ..failure import Failure
from . import build

OURS_BY_LABEL = ("workflow_job_templates", "job_templates")
"""Templates are ours if they carry our label. In the order in which they are removed."""
OURS_BY_MARK = ("schedules", "inventory_sources", "credential_types", "execution_environments")
"""Others are ours if their description ends with our mark. Projects, inventories and credentials stay: they hold a history or secrets."""
TEXTS = ("extra_vars", "source_vars", "variables")
"""Fields that are YAML or JSON in a text."""
TITLES = {"organizations": "organisation", "labels": "label", "credential_types": "credential type", "credentials": "credential",
          "execution_environments": "execution environment", "projects": "project", "inventories": "inventory", "inventory_sources": "inventory source",
          "job_templates": "job template", "workflow_job_templates": "workflow", "workflow_job_template_nodes": "node of a workflow", "schedules": "schedule"}


class Ids(dict):
    """(kind, key) -> id of what AWX has."""

    def of(self, value):
        """The id that a reference stands for, None if AWX does not have it yet. Anything else as it is."""
        return self.get(tuple(value["ref"])) if is_ref(value) else value


def is_ref(value):
    """Whether a value stands for the id of another object."""
    return isinstance(value, dict) and set(value) == {"ref"}


def plan(objects, found, settings, secrets=None, parse=json.loads):
    """(steps, ids of what is there). secrets: {key of a credential: {input: value}}. parse: reads a text of YAML or JSON; raises ValueError.

    settings as for build.wanted, and "update_secrets". Raises Failure where AWX lacks what is not made here.
    """
    ids, steps, kept = Ids(), [], set()
    for item in found.get("credential_types", []):
        if item["name"] == "Machine":
            ids["credential_types", "Machine"] = item["id"]
    synced = False
    for wanted in objects:
        if wanted["kind"] == "job_templates" and not synced:
            steps += _sync(objects, found, steps)
            synced = True
        there = _match(wanted, found, ids)
        if there is not None:
            ids[wanted["kind"], wanted["key"]] = there["id"]
            kept.add((wanted["kind"], there["id"]))
        steps += _converge(wanted, there, ids, settings, (secrets or {}).get(wanted["key"], {}), parse)
    # Links between nodes need all nodes.
    for wanted in objects:
        if wanted.get("edges") is not None:
            steps += _edges(wanted, objects, found, ids, kept)
    changed = {(step["kind"], step["key"]) for step in steps if step["do"] in ("create", "update")}
    if ("inventory_sources", "source") in changed:
        steps.append(_step("refresh", "inventory_sources", "source", "hosts.json", "read the inventory"))
    return steps + _removals(objects, found, ids, kept, settings), ids


def _step(do, kind, key, name, what, **more):
    return dict({"do": do, "kind": kind, "key": key, "name": name, "what": "%s %s: %s" % (TITLES[kind], name, what)}, **more)


def _match(wanted, found, ids):
    """The object of AWX with the name of a wanted one, or with one of its former names. None if there is none."""
    names = [wanted["name"]] + wanted["formerly"]
    scope = {"inventory_sources": "inventory", "workflow_job_template_nodes": "workflow_job_template", "schedules": "unified_job_template"}.get(wanted["kind"])
    for name in names:
        for item in found.get(wanted["kind"], []):
            same = item.get("identifier" if wanted["kind"] == "workflow_job_template_nodes" else "name") == name
            if same and (scope is None or (item.get(scope) is not None and item.get(scope) == ids.of(wanted["fields"][scope]))):
                return item
    return None


def _converge(wanted, there, ids, settings, secrets, parse):
    kind, key, name = wanted["kind"], wanted["key"], wanted["name"]
    if there is None and kind == "credentials" and "inputs" not in wanted["fields"]:
        raise Failure("AWX has no credential %s in the organisation %s. Make it in AWX, or name another one; for the machines: give awx_ssh_user and "
                      "awx_ssh_private_key, and it is made here." % (name, settings["organization"]), kind="awx_credential")
    fields = _fields(wanted, there, secrets, settings)
    steps = []
    if there is None:
        steps.append(_step("create", kind, key, name, "new", fields=fields, before={}, after=_shown(fields)))
    else:
        differing = {field: value for field, value in fields.items() if not _same(field, value, there.get(field), ids, parse)}
        if differing:
            before = {field: there.get(field) for field in differing}
            title = "renamed from %s" % there["name"] if "name" in differing else ", ".join(sorted(differing))
            steps.append(_step("update", kind, key, name, title, fields=differing, before=_shown(before), after=_shown(differing)))
    if "survey" in wanted:
        steps += _survey(wanted, (there or {}).get("_survey") or {})
    for field, values in sorted(wanted.get("links", {}).items()):
        steps += _links(wanted, field, values, (there or {}).get("_" + field, []), ids)
    if wanted.get("approval"):
        steps += _approval(wanted, (there or {}).get("_approval"))
    return steps


def _fields(wanted, there, secrets, settings):
    """The fields to compare and write. Inputs of a credential are replaced as a whole, so what is stored there goes back as AWX shows it: $encrypted$."""
    fields = dict(wanted["fields"])
    if wanted["kind"] == "credentials" and "inputs" in fields:
        stored = (there or {}).get("inputs") or {}
        fresh = {name: value for name, value in secrets.items() if value and (settings.get("update_secrets") or name not in stored)}
        fields["inputs"] = dict(stored, **fields["inputs"], **fresh)
    return fields


def _shown(fields):
    """Fields for a diff, other objects by their key, of a credential's inputs the names."""
    return {name: value["ref"][1] if is_ref(value) else sorted(value) if name == "inputs" and isinstance(value, dict) and "fields" not in value else value
            for name, value in fields.items()}


def _same(field, value, there, ids, parse):
    if is_ref(value):
        return ids.of(value) is not None and ids.of(value) == there
    if field in TEXTS:
        return _parsed(value, parse) == _parsed(there, parse)
    if value in ("", None) and there in ("", None):
        return True
    return value == there


def _parsed(value, parse):
    if not isinstance(value, str):
        return value or {}
    try:
        return parse(value) or {}
    except ValueError:
        return value


def text_of(field, value):
    """A field as AWX takes it: some are text."""
    return json.dumps(value, sort_keys=True) if field in TEXTS and not isinstance(value, str) else value


def _survey(wanted, there):
    ours, theirs = wanted["survey"], there.get("spec") or []
    if ours is None:
        gone = _step("unsurvey", wanted["kind"], wanted["key"], wanted["name"], "no survey", before={"survey": theirs}, after={"survey": []})
        return [gone] if theirs else []
    # AWX may add keys of its own to a question.
    if len(theirs) == len(ours["spec"]) and all(_same_question(one, other) for one, other in zip(ours["spec"], theirs)):
        return []
    return [_step("survey", wanted["kind"], wanted["key"], wanted["name"], "survey", fields=ours, before={"survey": theirs} if theirs else {},
                  after={"survey": ours["spec"]})]


def _same_question(one, other):
    return all(other.get(key) == value for key, value in one.items()) and ("default" in one or not other.get("default"))


def _links(wanted, field, values, there, ids):
    """Connect what is missing. What somebody else has connected stays, except that of credentials: each stands for what a job may do."""
    steps = [_step("link", wanted["kind"], wanted["key"], wanted["name"], "%s %s" % (TITLES[field], value["ref"][1]), field=field, to=value,
                   before={}, after={field: [value["ref"][1]]})
             for value in values if ids.of(value) is None or ids.of(value) not in there]
    ours = {ids.of(value) for value in values}
    extra = [one for one in there if one not in ours] if field == "credentials" else []
    # Before the others: a template has at most one credential of a kind.
    return [_step("unlink", wanted["kind"], wanted["key"], wanted["name"], "without %s %s" % (TITLES[field], one), field=field, to=one,
                  before={field: [one]}, after={}) for one in extra] + steps


def _approval(wanted, there):
    ours = wanted["approval"]
    if there is None:
        return [_step("approval", wanted["kind"], wanted["key"], wanted["name"], "asks for an approval", fields=ours, before={}, after=ours)]
    differing = {name: value for name, value in ours.items() if there.get(name) != value}
    if not differing:
        return []
    return [_step("change_approval", wanted["kind"], wanted["key"], wanted["name"], "approval", fields=differing, to=there["id"],
                  before={name: there.get(name) for name in differing}, after=differing)]


def _edges(wanted, objects, found, ids, kept):
    """Connect the nodes of a workflow, each with those that follow it. A node that goes takes its links along."""
    there = next((item for item in found.get(wanted["kind"], []) if item["id"] == ids.get((wanted["kind"], wanted["key"]))), {})
    keys = {item["name"]: item["key"] for item in objects if item.get("workflow") == wanted["workflow"]}
    add, remove = [], []
    for edge, names in sorted(wanted["edges"].items()):
        targets = [build.ref(wanted["kind"], keys[name]) for name in names]
        ours = {ids.of(target) for target in targets}
        for target in targets:
            if ids.of(target) is None or ids.of(target) not in there.get(edge, []):
                add.append(_step("link", wanted["kind"], wanted["key"], wanted["name"], "%s %s" % (edge, target["ref"][1]), field=edge, to=target,
                                 before={}, after={edge: [target["ref"][1]]}))
        remove += [_step("unlink", wanted["kind"], wanted["key"], wanted["name"], "without %s %s" % (edge, one), field=edge, to=one,
                         before={edge: [one]}, after={}) for one in there.get(edge, []) if one not in ours and (wanted["kind"], one) in kept]
    # AWX refuses two kinds of links between the same nodes.
    return remove + add


def _sync(objects, found, steps):
    """Read the project anew, if AWX does not know one of the playbooks yet."""
    named = {item["fields"]["playbook"] for item in objects if item["kind"] == "job_templates"}
    project = next(item for item in objects if item["kind"] == "projects")
    missing = sorted(named - set(found.get("playbooks") or []))
    touched = any(step["kind"] == "projects" for step in steps)
    if not missing and not touched:
        return []
    return [_step("sync", "projects", project["key"], project["name"], "read its playbooks", playbooks=sorted(named),
                  manual=project["fields"]["scm_type"] == "", new=found.get("playbooks") is None)]


def _removals(objects, found, ids, kept, settings):
    """What carries our label or mark and is no longer wanted, and nodes of our workflows."""
    label = ids.get(("labels", settings["label"]))
    workflows = {ids[item["kind"], item["key"]] for item in objects if item["kind"] == "workflow_job_templates" and (item["kind"], item["key"]) in ids}
    steps = []

    def drop(kind, item):
        name = item.get("name") or item.get("identifier")
        steps.append(_step("delete", kind, "", name, "removed", to=item["id"], before={"name": name}, after={}))

    for item in found.get("workflow_job_template_nodes", []):
        if item["workflow_job_template"] in workflows and ("workflow_job_template_nodes", item["id"]) not in kept:
            drop("workflow_job_template_nodes", item)
    by_mark = [("schedules", item) for item in found.get("schedules", [])]
    for kind in OURS_BY_LABEL:
        by_mark += [(kind, item) for item in found.get(kind, [])]
    by_mark += [(kind, item) for kind in OURS_BY_MARK[1:] for item in found.get(kind, [])]
    for kind, item in by_mark:
        ours = label in item.get("_labels", []) if kind in OURS_BY_LABEL else (item.get("description") or "").endswith(build.mark(settings))
        if ours and label is not None and (kind, item["id"]) not in kept:
            drop(kind, item)
    return steps


def lost(step, answer, ids, parse):
    """Names of fields that AWX took without an error and did not keep. It ignores names that it does not know."""
    return sorted(field for field, value in step["fields"].items() if field != "inputs" and not _same(field, value, answer.get(field), ids, parse))


def diff(steps):
    """{"before", "after"}: what changes, by object."""
    before, after = {}, {}
    for step in steps:
        title = "%s %s" % (TITLES[step["kind"]], step["name"])
        for side, values in ((before, step.get("before")), (after, step.get("after"))):
            for name, value in (values or {}).items():
                slot = side.setdefault(title, {})
                slot[name] = slot[name] + value if isinstance(value, list) and isinstance(slot.get(name), list) else value
    return {"before": before, "after": after}
