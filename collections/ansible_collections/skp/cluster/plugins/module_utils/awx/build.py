# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. From the list of job templates (roles/awx/files/awx.yml) to the objects that AWX should have: pure functions of plain data.

An object is a dictionary:

    kind      the list of AWX's API in which it is, for example job_templates
    key       what others name it by, unique in its kind
    name      its name in AWX
    fields    what AWX should hold; a value {"ref": [kind, key]} stands for the id of another object
    links     {"labels": [ref], "credentials": [ref]}: what it is connected with
    survey    {"name", "description", "spec"}, or None for none; only templates have this key
    formerly  its former names: an object of ours with one of them is renamed, so that it keeps its history
    edges     nodes of a workflow: {"success_nodes": [key], ...}
    approval  nodes of a workflow: {"name", "description", "timeout"}
"""

from __future__ import annotations

from ..failure import Failure

ASK = {"tags": "ask_tags_on_launch", "limit": "ask_limit_on_launch", "variables": "ask_variables_on_launch", "check": "ask_job_type_on_launch",
       "diff": "ask_diff_mode_on_launch"}
"""What a template may ask at its start, and AWX's field."""

QUESTIONS = ("text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect")
TEMPLATE = {"name", "formerly", "playbook", "tags", "description", "ask", "survey", "labels", "extra_vars", "check", "simultaneous"}
QUESTION = {"variable", "ask", "help", "type", "required", "default", "choices", "min", "max"}
NODE = {"id", "template", "approve", "after", "timeout", "description"}
WORKFLOW = {"name", "formerly", "description", "survey", "nodes", "labels"}
SCHEDULE = {"name", "template", "workflow", "rule", "description", "enabled"}
EDGES = ("success_nodes", "failure_nodes", "always_nodes")
LIMIT = 1024
"""AWX's own largest length of a text answer in its form."""


def wanted(menu, settings):
    """All objects, in the order in which they can be made. Raises Failure where the list cannot be right.

    menu: the file. settings: {"organization", "cluster", "prefix", "label", "project": {...}, "inventory": {...}, "image", "pull", "machine": {...}}.
    """
    objects = _base(menu, settings)
    objects += [_template(entry, settings) for entry in menu.get("job_templates", [])]
    for entry in menu.get("workflows", []):
        objects += _workflow(entry, settings)
    objects += [_schedule(entry, settings) for entry in menu.get("schedules", [])]
    _check(objects)
    return objects


def ref(kind, key):
    """Stands for the id of an object."""
    return {"ref": [kind, key]}


def mark(settings):
    """The end of the description of what is ours. What carries it is removed when it leaves the list."""
    return "[%s]" % settings["label"]


def marked(text, settings):
    """A description with the mark."""
    return ("%s %s" % (text or "", mark(settings))).strip()


def _object(kind, key, name, fields, **more):
    return dict({"kind": kind, "key": key, "name": name, "fields": dict(fields, name=name), "formerly": []}, **more)


def _base(menu, settings):
    organization = ref("organizations", "organization")
    owner = {"organization": organization}
    objects = [_object("organizations", "organization", settings["organization"], {})]
    used = {label for entry in menu.get("job_templates", []) + menu.get("workflows", []) for label in entry.get("labels", [])}
    for label in [settings["label"]] + sorted(used):
        objects.append(_object("labels", label, label, owner))
    for entry in menu.get("credential_types", []):
        objects.append(_object("credential_types", entry["name"], settings["prefix"] + entry["name"], {
            "kind": "cloud", "description": marked(entry.get("description"), settings), "inputs": entry["inputs"], "injectors": entry["injectors"]}))
    machine = settings["machine"]
    # With neither a user nor a key this only names a credential that somebody made in AWX.
    objects.append(_object("credentials", "machine", machine["name"], dict(
        owner, credential_type=ref("credential_types", "Machine"), **({"inputs": machine["inputs"]} if machine.get("inputs") else {}))))
    for name in settings.get("credentials", []):
        objects.append(_object("credentials", name, name, {}))
    objects.append(_object("execution_environments", "ee", settings["prefix"] + "ee", dict(
        owner, image=settings["image"], pull=settings["pull"], description=marked("Ansible with skp.cluster", settings))))
    environment = ref("execution_environments", "ee")
    project = settings["project"]
    git = {"scm_type": "git", "scm_url": project.get("url", ""), "scm_branch": project.get("branch", ""), "scm_update_on_launch": True,
           "scm_update_cache_timeout": 60}
    manual = {"scm_type": "", "local_path": project.get("local_path", "")}
    fields = dict(owner, description=marked("hosts.json, variables and playbooks of the cluster", settings), default_environment=environment)
    if project.get("url") and project.get("credential"):
        fields["credential"] = ref("credentials", project["credential"])
        objects.append(_object("credentials", project["credential"], project["credential"], {}))
    objects.append(_object("projects", "project", project["name"], dict(fields, **(git if project.get("url") else manual))))
    inventory = settings["inventory"]
    objects.append(_object("inventories", "inventory", settings["prefix"] + "hosts", dict(
        owner, description=marked("What %s says. Hosts are changed there, not here." % inventory["path"], settings))))
    if project.get("url"):
        # A manual project cannot be the source of an inventory.
        objects.append(_object("inventory_sources", "source", "hosts.json", {
            "inventory": ref("inventories", "inventory"), "source": "scm", "source_project": ref("projects", "project"), "source_path": inventory["path"],
            "source_vars": inventory["variables"], "execution_environment": environment, "overwrite": True, "overwrite_vars": True,
            "update_on_launch": True, "update_cache_timeout": 60, "description": marked("", settings)},
            links={"credentials": [ref("credentials", name) for name in inventory.get("credentials", [])]}))
    return objects


def _known(entry, names, what):
    strange = sorted(set(entry) - names)
    if strange:
        raise Failure("%s %s of the list of job templates: it has %s, expected some of %s."
                      % (what, entry.get("name") or entry.get("variable") or entry.get("id"), ", ".join(strange), ", ".join(sorted(names))), kind="awx_list")


def _template(entry, settings):
    _known(entry, TEMPLATE, "Job template")
    ask = set(entry.get("ask", []))
    if ask - set(ASK):
        raise Failure("Job template %s: it asks for %s, expected some of %s." % (entry["name"], ", ".join(sorted(ask - set(ASK))), ", ".join(sorted(ASK))),
                      kind="awx_list")
    fields = {
        "description": entry.get("description", ""), "playbook": entry["playbook"], "job_tags": entry.get("tags", ""),
        "job_type": "check" if entry.get("check") else "run", "diff_mode": bool(entry.get("check")),
        "project": ref("projects", "project"), "inventory": ref("inventories", "inventory"), "execution_environment": ref("execution_environments", "ee"),
        "allow_simultaneous": bool(entry.get("simultaneous")), "survey_enabled": bool(entry.get("survey")),
        # The inventory of a job is a copy in a directory of AWX, whose name says nothing.
        "extra_vars": dict({"skp_cluster_name": settings["cluster"]}, **entry.get("extra_vars", {})),
    }
    fields.update({field: name in ask for name, field in ASK.items()})
    return _object("job_templates", entry["name"], settings["prefix"] + entry["name"], fields, survey=survey(entry),
                   formerly=[settings["prefix"] + name for name in entry.get("formerly", [])],
                   links={"labels": _labels(entry, settings), "credentials": [ref("credentials", "machine")] + [
                       ref("credentials", name) for name in settings.get("credentials", [])]})


def _labels(entry, settings):
    return [ref("labels", label) for label in [settings["label"]] + entry.get("labels", [])]


def survey(entry):
    """The survey as AWX takes it, None without questions."""
    if not entry.get("survey"):
        return None
    return {"name": "", "description": "", "spec": [_question(question, entry["name"]) for question in entry["survey"]]}


def _question(question, of):
    _known(question, QUESTION, "Question of %s" % of)
    kind = question.get("type", "text")
    if kind not in QUESTIONS:
        raise Failure("Job template %s: the question for %s is of type %s, expected one of %s." % (of, question["variable"], kind, ", ".join(QUESTIONS)),
                      kind="awx_list")
    found = {"question_name": question["ask"], "question_description": question.get("help", ""), "variable": question["variable"], "type": kind,
             "required": bool(question.get("required"))}
    if kind in ("multiplechoice", "multiselect"):
        found["choices"] = [str(choice) for choice in question["choices"]]
    elif kind in ("integer", "float"):
        found.update({name: question[name] for name in ("min", "max") if name in question})
    else:
        found.update({"min": question.get("min", 0), "max": question.get("max", LIMIT)})
    if "default" in question:
        found["default"] = question["default"]
    return found


def _workflow(entry, settings):
    _known(entry, WORKFLOW, "Workflow")
    name = settings["prefix"] + entry["name"]
    fields = {"description": entry.get("description", ""), "organization": ref("organizations", "organization"), "survey_enabled": bool(entry.get("survey")),
              "allow_simultaneous": False}
    objects = [_object("workflow_job_templates", entry["name"], name, fields, survey=survey(entry), links={"labels": _labels(entry, settings)},
                       formerly=[settings["prefix"] + former for former in entry.get("formerly", [])])]
    nodes = entry.get("nodes", [])
    for node in nodes:
        _known(node, NODE, "Node")
        if ("approve" in node) == ("template" in node):
            raise Failure("Workflow %s: the node %s has %s, expected either template or approve." % (
                entry["name"], node.get("id"), "both template and approve" if "approve" in node else "neither"), kind="awx_list")
        unknown = sorted(set(node.get("after", {})) - {other["id"] for other in nodes})
        if unknown:
            raise Failure("Workflow %s: the node %s comes after %s, expected ids of its nodes." % (entry["name"], node["id"], ", ".join(unknown)),
                          kind="awx_list")
        fields = {"identifier": node["id"], "workflow_job_template": ref("workflow_job_templates", entry["name"]), "all_parents_must_converge": False}
        if "template" in node:
            fields["unified_job_template"] = ref("job_templates", node["template"])
        edges = {edge: sorted(other["id"] for other in nodes if other.get("after", {}).get(node["id"]) == edge.split("_", 1)[0]) for edge in EDGES}
        one = _object("workflow_job_template_nodes", "%s/%s" % (entry["name"], node["id"]), node["id"], fields, edges=edges, workflow=entry["name"],
                      approval={"name": node["approve"], "description": node.get("description", ""), "timeout": node.get("timeout", 0)}
                      if "approve" in node else None)
        del one["fields"]["name"]
        objects.append(one)
    return objects


def _schedule(entry, settings):
    _known(entry, SCHEDULE, "Schedule")
    of = ref("workflow_job_templates", entry["workflow"]) if "workflow" in entry else ref("job_templates", entry["template"])
    return _object("schedules", entry["name"], settings["prefix"] + entry["name"], {
        "unified_job_template": of, "rrule": entry["rule"], "enabled": entry.get("enabled", True), "description": marked(entry.get("description"), settings)})


def _check(objects):
    """Every reference has its object, and no two objects have one name."""
    known = {(item["kind"], item["key"]) for item in objects} | {("credential_types", "Machine")}
    for item in objects:
        named = [value for value in item["fields"].values() if isinstance(value, dict) and "ref" in value]
        for value in named + [value for values in item.get("links", {}).values() for value in values]:
            if tuple(value["ref"]) not in known:
                raise Failure("%s %s: it names %s of %s, which the list of job templates does not have."
                              % (item["kind"], item["name"], value["ref"][1], value["ref"][0]), kind="awx_list")
    # One credential may serve twice.
    names = [(item["kind"], item.get("workflow"), item["name"]) for item in objects if item["kind"] != "credentials"]
    twice = sorted({name[2] for name in names if names.count(name) > 1})
    if twice:
        raise Failure("The list of job templates has %s twice. Names are unique." % ", ".join(twice), kind="awx_list")
