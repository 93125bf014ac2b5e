# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Not AWX: a stand-in for its REST API, for tests where no AWX can be had.

It checks each request as an AWX 24.6.1 did that was asked in October 2024: types, what is required, choices, uniqueness, references, refusals; unknown
fields are ignored without an error, and text loses its white space at both ends. It keeps objects in memory and runs nothing. A project finishes its update
after it was looked at twice. What it cannot show: permissions of accounts, jobs, the web page.

TABLE holds the fields that can be written, as AWX's OPTIONS gave them: name -> (type, default[, choices]). test_standin.py compares it with the recorded
answers where they are at hand (SKP_AWX_API).
"""

from __future__ import annotations

import base64
import http.server
import json
import re
import threading
import urllib.parse

import yaml

TOKEN = "standin-token"
USER = ("admin", "standin-password")
TABLE = {
    "organizations": {
        "default_environment": ("id", None), "description": ("string", ""), "max_hosts": ("integer", 0), "name": ("string", ""),
    },
    "labels": {
        "name": ("string", ""), "organization": ("id", None),
    },
    "credential_types": {
        "description": ("string", ""), "injectors": ("json", {}), "inputs": ("json", {}), "kind": ("choice", None), "name": ("string", ""),
    },
    "credentials": {
        "credential_type": ("id", None), "description": ("string", ""), "inputs": ("json", {}), "name": ("string", ""), "organization": ("id", None),
        "team": ("id", None), "user": ("id", None),
    },
    "execution_environments": {
        "credential": ("id", None), "description": ("string", ""), "image": ("string", ""), "name": ("string", ""), "organization": ("id", None),
        "pull": ("choice", "", ["", "always", "missing", "never"]),
    },
    "projects": {
        "allow_override": ("boolean", False), "credential": ("id", None), "default_environment": ("id", None), "description": ("string", ""),
        "local_path": ("string", ""), "name": ("string", ""), "organization": ("id", None), "scm_branch": ("string", ""), "scm_clean": ("boolean", False),
        "scm_delete_on_update": ("boolean", False), "scm_refspec": ("string", ""), "scm_track_submodules": ("boolean", False),
        "scm_type": ("choice", "", ["", "git", "svn", "insights", "archive"]), "scm_update_cache_timeout": ("integer", 0),
        "scm_update_on_launch": ("boolean", False), "scm_url": ("string", ""), "signature_validation_credential": ("id", None), "timeout": ("integer", 0),
    },
    "inventories": {
        "description": ("string", ""), "host_filter": ("string", None), "kind": ("choice", "", ["", "smart", "constructed"]), "name": ("string", ""),
        "organization": ("id", None), "prevent_instance_group_fallback": ("boolean", False), "variables": ("json", ""),
    },
    "inventory_sources": {
        "credential": ("integer", None), "description": ("string", ""), "enabled_value": ("string", ""), "enabled_var": ("string", ""),
        "execution_environment": ("id", None), "host_filter": ("string", ""), "inventory": ("id", None), "limit": ("string", ""), "name": ("string", ""),
        "overwrite": ("boolean", False), "overwrite_vars": ("boolean", False), "scm_branch": ("string", ""), "source": ("choice", None),
        "source_path": ("string", ""), "source_project": ("id", None), "source_vars": ("string", ""), "timeout": ("integer", 0),
        "update_cache_timeout": ("integer", 0), "update_on_launch": ("boolean", False), "verbosity": ("choice", 1, [0, 1, 2]),
    },
    "job_templates": {
        "allow_simultaneous": ("boolean", False), "ask_credential_on_launch": ("boolean", False), "ask_diff_mode_on_launch": ("boolean", False),
        "ask_execution_environment_on_launch": ("boolean", False), "ask_forks_on_launch": ("boolean", False),
        "ask_instance_groups_on_launch": ("boolean", False), "ask_inventory_on_launch": ("boolean", False),
        "ask_job_slice_count_on_launch": ("boolean", False), "ask_job_type_on_launch": ("boolean", False), "ask_labels_on_launch": ("boolean", False),
        "ask_limit_on_launch": ("boolean", False), "ask_scm_branch_on_launch": ("boolean", False), "ask_skip_tags_on_launch": ("boolean", False),
        "ask_tags_on_launch": ("boolean", False), "ask_timeout_on_launch": ("boolean", False), "ask_variables_on_launch": ("boolean", False),
        "ask_verbosity_on_launch": ("boolean", False), "become_enabled": ("boolean", False), "description": ("string", ""), "diff_mode": ("boolean", False),
        "execution_environment": ("id", None), "extra_vars": ("json", ""), "force_handlers": ("boolean", False), "forks": ("integer", 0),
        "host_config_key": ("string", ""), "inventory": ("id", None), "job_slice_count": ("integer", 1), "job_tags": ("string", ""),
        "job_type": ("choice", "run", ["run", "check"]), "limit": ("string", ""), "name": ("string", ""), "playbook": ("string", ""),
        "prevent_instance_group_fallback": ("boolean", False), "project": ("id", None), "scm_branch": ("string", ""), "skip_tags": ("string", ""),
        "start_at_task": ("string", ""), "survey_enabled": ("boolean", False), "timeout": ("integer", 0), "use_fact_cache": ("boolean", False),
        "verbosity": ("choice", 0, [0, 1, 2, 3, 4, 5]), "webhook_credential": ("id", None),
        "webhook_service": ("choice", None, ["", "github", "gitlab", "bitbucket_dc"]),
    },
    "workflow_job_templates": {
        "allow_simultaneous": ("boolean", False), "ask_inventory_on_launch": ("boolean", False), "ask_labels_on_launch": ("boolean", False),
        "ask_limit_on_launch": ("boolean", False), "ask_scm_branch_on_launch": ("boolean", False), "ask_skip_tags_on_launch": ("boolean", False),
        "ask_tags_on_launch": ("boolean", False), "ask_variables_on_launch": ("boolean", False), "description": ("string", ""), "extra_vars": ("json", ""),
        "inventory": ("id", None), "job_tags": ("string", None), "limit": ("string", None), "name": ("string", ""), "organization": ("id", None),
        "scm_branch": ("string", None), "skip_tags": ("string", None), "survey_enabled": ("boolean", False), "webhook_credential": ("id", None),
        "webhook_service": ("choice", None, ["", "github", "gitlab", "bitbucket_dc"]),
    },
    "workflow_job_template_nodes": {
        "all_parents_must_converge": ("boolean", False), "diff_mode": ("boolean", None), "execution_environment": ("id", None), "extra_data": ("json", {}),
        "forks": ("integer", None), "identifier": ("string", None), "inventory": ("id", None), "job_slice_count": ("integer", None),
        "job_tags": ("string", None), "job_type": ("choice", None, [None, "", "run", "check"]), "limit": ("string", None), "scm_branch": ("string", None),
        "skip_tags": ("string", None), "timeout": ("integer", None), "unified_job_template": ("id", None),
        "verbosity": ("choice", None, [None, 0, 1, 2, 3, 4, 5]), "workflow_job_template": ("id", None),
    },
    "schedules": {
        "description": ("string", ""), "diff_mode": ("boolean", None), "enabled": ("boolean", True), "execution_environment": ("id", None),
        "extra_data": ("json", {}), "forks": ("integer", None), "inventory": ("id", None), "job_slice_count": ("integer", None), "job_tags": ("string", None),
        "job_type": ("choice", None, [None, "", "run", "check"]), "limit": ("string", None), "name": ("string", ""), "rrule": ("string", ""),
        "scm_branch": ("string", None), "skip_tags": ("string", None), "timeout": ("integer", None), "unified_job_template": ("id", None),
        "verbosity": ("choice", None, [None, 0, 1, 2, 3, 4, 5]),
    },
}

REQUIRED = {
    "organizations": ("name",), "labels": ("name", "organization"), "credential_types": ("name", "kind"), "credentials": ("name", "credential_type"),
    "execution_environments": ("name", "image"), "projects": ("name",), "inventories": ("name", "organization"),
    "inventory_sources": ("name", "inventory", "source"), "job_templates": ("name",), "workflow_job_templates": ("name",),
    "workflow_job_template_nodes": ("workflow_job_template",), "schedules": ("name", "rrule", "unified_job_template"),
}
POINTS_TO = {
    "organization": ("organizations",), "credential_type": ("credential_types",), "default_environment": ("execution_environments",),
    "execution_environment": ("execution_environments",), "project": ("projects",), "source_project": ("projects",), "inventory": ("inventories",),
    "workflow_job_template": ("workflow_job_templates",), "credential": ("credentials",),
    "unified_job_template": ("job_templates", "workflow_job_templates", "projects", "inventory_sources", "approvals"),
}
UNIQUE = {
    "organizations": ("name",), "labels": ("name", "organization"), "credential_types": ("name", "kind"),
    "credentials": ("organization", "name", "credential_type"), "execution_environments": ("name",), "projects": ("organization", "name"),
    "inventories": ("name", "organization"), "inventory_sources": ("inventory", "name"), "job_templates": ("organization", "name"),
    "workflow_job_templates": ("organization", "name"), "workflow_job_template_nodes": ("identifier", "workflow_job_template"),
    "schedules": ("unified_job_template", "name"),
}
QUESTIONS = ("text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float")
EDGES = ("success_nodes", "failure_nodes", "always_nodes")


class Refused(Exception):
    """An answer that is no success: status and body."""

    def __init__(self, status, body):
        super().__init__(status)
        self.status, self.body = status, body


class Awx:
    """The state, and the answers. playbooks: what the project has after its first update."""

    def __init__(self, playbooks):
        self.playbooks = list(playbooks)
        self.objects = {kind: {} for kind in TABLE}
        self.objects["approvals"] = {}
        self.surveys, self.links, self.log, self._last = {}, {}, [], 0
        self.lock = threading.Lock()
        machine = {"name": "Machine", "kind": "ssh", "managed": True, "description": "", "inputs": {}, "injectors": {}}
        self.objects["credential_types"][self.number()] = machine
        machine["id"] = self._last

    def number(self):
        """The next id."""
        self._last += 1
        return self._last

    def named(self, kind, name):
        """The object of a kind with this name, for tests."""
        return next(item for item in self.objects[kind].values() if item.get("name") == name or item.get("identifier") == name)

    def add(self, kind, **fields):
        """Make an object as somebody else would, for tests. Returns its id."""
        return self.create(kind, fields)["id"]

    # Requests

    def answer(self, method, path, body, headers):
        """(status, JSON-able body or None) of a request."""
        url = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(url.query))
        with self.lock:
            try:
                if not self.allowed(headers):
                    raise Refused(401, {"detail": "Authentication credentials were not provided. To establish a login session, visit /api/login/."})
                if not url.path.endswith("/"):
                    raise Refused(301, None)
                status, found = self.route(method, [part for part in url.path.split("/") if part][2:], body, query)
            except Refused as exc:
                status, found = exc.status, exc.body
            if method != "GET":
                self.log.append((method, url.path, body, status))
            return status, found

    @staticmethod
    def allowed(headers):
        """Whether the request has the token, or the account."""
        basic = base64.b64encode(":".join(USER).encode()).decode()
        return headers.get("Authorization") in ("Bearer " + TOKEN, "Basic " + basic)

    def route(self, method, parts, body, query):
        """Find what a path means."""
        kind = parts[0]
        if kind == "workflow_approval_templates" and len(parts) == 2:
            return self.approval(method, int(parts[1]), body)
        if kind not in TABLE:
            raise Refused(404, {"detail": "Not found."})
        if len(parts) == 1:
            if method == "GET":
                return 200, self.page(list(self.objects[kind].values()), query, kind)
            if method == "POST":
                return 201, self.show(kind, self.create(kind, self.decoded(body)))
            raise Refused(405, {"detail": 'Method "%s" not allowed.' % method})
        number = int(parts[1])
        if number not in self.objects[kind]:
            raise Refused(404, {"detail": "No object matches the given query."})
        if len(parts) == 2:
            return self.detail(method, kind, number, body)
        return self.below(method, kind, number, parts[2], body, query)

    @staticmethod
    def decoded(body):
        """The object of a body."""
        if not isinstance(body, dict):
            raise Refused(400, {"detail": "JSON parse error - not a JSON object"})
        return body

    def page(self, items, query, kind):
        """A page of a list, filtered by equal fields."""
        size = int(query.pop("page_size", 25))
        page = int(query.pop("page", 1))
        query.pop("order_by", None)
        for name, value in query.items():
            if name not in TABLE[kind] and name not in ("id", "organization"):
                raise Refused(400, {"detail": "%s has no field named '%s'" % (kind, name)})
            items = [item for item in items if str(item.get(name)) == value]
        items = sorted(items, key=lambda item: item["id"])
        shown = [self.show(kind, item) for item in items[(page - 1) * size:page * size]]
        more = urllib.parse.urlencode(dict(query, page_size=size, page=page + 1))
        return {"count": len(items), "next": "/api/v2/%s/?%s" % (kind, more) if page * size < len(items) else None, "previous": None, "results": shown}

    def detail(self, method, kind, number, body):
        """GET, PATCH and DELETE of one object. A PUT would set the rest to defaults; no caller of ours may do that."""
        item = self.objects[kind][number]
        if method == "GET":
            if kind == "projects":
                self.advance(item)
            return 200, self.show(kind, item)
        if item.get("managed"):
            raise Refused(403, {"detail": "Modifications not allowed for managed credential types"})
        if method == "PATCH":
            fields = self.checked(kind, self.decoded(body), item)
            if kind == "credentials" and "inputs" in fields:
                stored = item.get("inputs") or {}
                fields["inputs"] = {name: stored.get(name, value) if value == "$encrypted$" else value for name, value in fields["inputs"].items()}
            self.unique(kind, dict(item, **fields), number)
            item.update(fields)
            if kind == "projects" and {"scm_url", "scm_branch", "scm_type"} & set(fields):
                item["_looks"] = 0
            return 200, self.show(kind, item)
        if method == "DELETE":
            if kind == "labels":
                raise Refused(405, {"detail": 'Method "DELETE" not allowed.'})
            if kind == "credential_types" and any(one["credential_type"] == number for one in self.objects["credentials"].values()):
                raise Refused(403, {"detail": "Credential types that are in use cannot be deleted"})
            if item.get("_running"):
                raise Refused(409, {"active_jobs": [{"id": 1, "type": "job"}], "error": "Resource is being used by running jobs."})
            self.forget(kind, number)
            return (202 if kind == "inventories" else 204), None
        raise Refused(405, {"detail": 'Method "%s" not allowed.' % method})

    def forget(self, kind, number):
        """Remove an object and what hangs on it."""
        del self.objects[kind][number]
        for other, field in (("schedules", "unified_job_template"), ("workflow_job_template_nodes", "workflow_job_template")):
            for one in [one for one, item in self.objects[other].items() if item.get(field) == number]:
                del self.objects[other][one]
        for item in self.objects["workflow_job_template_nodes"].values():
            if item.get("unified_job_template") == number:
                item["unified_job_template"] = None
        for key, values in self.links.items():
            if key[2] in EDGES:
                values.discard(number)

    # Checks

    def create(self, kind, body):
        """Make an object. Defaults fill what is not given."""
        fields = self.checked(kind, body, None)
        for name, rule in TABLE[kind].items():
            fields.setdefault(name, rule[1] if not isinstance(rule[1], (dict, list)) else type(rule[1])())
        number = self.number()
        if kind == "workflow_job_template_nodes" and not fields.get("identifier"):
            fields["identifier"] = "node-%d" % number
        if kind == "job_templates":
            fields["organization"] = self.objects["projects"][fields["project"]]["organization"]
        if kind == "projects":
            fields["_looks"] = 0
        self.unique(kind, fields, None)
        self.objects[kind][number] = dict(fields, id=number)
        return self.objects[kind][number]

    def checked(self, kind, body, item):
        """The known fields of a body, converted. item: the object that is changed, None for a new one. Raises Refused."""
        wrong, fields = {}, {}
        for name in REQUIRED[kind]:
            if item is None and name not in body:
                wrong[name] = ["This field is required."]
        for name, value in body.items():
            if name not in TABLE[kind]:
                continue
            if kind == "job_templates" and name == "organization":
                continue
            try:
                fields[name] = self.converted(kind, name, value)
            except ValueError as exc:
                wrong[name] = [str(exc)]
        if wrong:
            raise Refused(400, wrong)
        whole = dict({name: rule[1] for name, rule in TABLE[kind].items()}, **dict(item or {}, **fields))
        special = getattr(self, "check_" + kind, None)
        if special:
            special(whole, fields)
        return fields

    def converted(self, kind, name, value):
        """A value as AWX stores it. Raises ValueError with its words."""
        what, default, *choices = TABLE[kind][name]
        if name in REQUIRED[kind] and what == "string" and value in ("", None):
            raise ValueError("This field may not be blank.")
        if what == "boolean":
            if value in (True, False) or value is None and default is None:
                return value
            if value in ("true", "false"):
                return value == "true"
            raise ValueError("Must be a valid boolean.")
        if what == "integer":
            if value is None and default is None:
                return None
            if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)):
                raise ValueError("A valid integer is required.")
            if int(value) < 0:
                raise ValueError("Ensure this value is greater than or equal to 0.")
            return int(value)
        if what == "id":
            if value in (None, ""):
                return None
            if not any(value in self.objects[other] for other in POINTS_TO.get(name, ())):
                raise ValueError('Invalid pk "%s" - object does not exist.' % value)
            return value
        if what == "choice":
            if choices and value not in choices[0]:
                raise ValueError('"%s" is not a valid choice.' % value)
            return value
        if name in ("extra_vars", "variables", "source_vars"):
            return self.text_of_variables(value)
        if what == "json":
            return value
        if isinstance(value, (dict, list)):
            raise ValueError("Not a valid string.")
        return value if value is None else str(value).strip()

    @staticmethod
    def text_of_variables(value):
        """Variables are text, and hold a dictionary."""
        if not isinstance(value, str):
            raise ValueError("Not a valid string.")
        try:
            found = yaml.safe_load(value)
        except yaml.YAMLError as exc:
            raise ValueError("Cannot parse as JSON or YAML (error: %s)" % exc) from exc
        if found is not None and not isinstance(found, dict):
            raise ValueError("Cannot parse as JSON or YAML (error: Input type `%s` is not a dictionary)." % type(found).__name__)
        return value.strip()

    def unique(self, kind, fields, number):
        """Refuse a second object with the same name in its place."""
        key = [fields.get(name) for name in UNIQUE[kind]]
        for other, item in self.objects[kind].items():
            if other != number and [item.get(name) for name in UNIQUE[kind]] == key:
                raise Refused(400, {"__all__": ["%s with this %s already exists." % (kind, " and ".join(UNIQUE[kind]))]})

    def check_credential_types(self, whole, fields):
        """Kind, labels of inputs, names in injectors."""
        if whole["kind"] not in ("cloud", "net"):
            raise Refused(400, {"kind": ["Must be 'cloud' or 'net', not %s" % whole["kind"]]})
        inputs = (whole["inputs"] or {}).get("fields", [])
        if any("label" not in one or "id" not in one for one in inputs):
            raise Refused(400, {"inputs": ["'label' is a required property"]})
        names = {one["id"] for one in inputs} | {"tower"}
        used = set(re.findall(r"\{\{\s*(\w+)", json.dumps(whole["injectors"] or {})))
        if used - names:
            raise Refused(400, {"injectors": ["X uses an undefined field ('%s' is undefined)" % sorted(used - names)[0]]})

    def check_credentials(self, whole, fields):
        """One owner, known inputs."""
        if sum(bool(whole.get(name)) for name in ("organization", "user", "team")) != 1:
            raise Refused(400, {"detail": ["Missing 'user', 'team', or 'organization'."]})
        known = {"username", "password", "ssh_key_data", "ssh_key_unlock", "become_method", "become_username", "become_password", "ssh_public_key_data"}
        strange = sorted(set(whole["inputs"] or {}) - known) if self.objects["credential_types"][whole["credential_type"]]["name"] == "Machine" else []
        if strange:
            raise Refused(400, {"inputs": ["Additional properties are not allowed ('%s' was unexpected)" % strange[0]]})
        key = (whole["inputs"] or {}).get("ssh_key_data", "$encrypted$")
        if key != "$encrypted$" and "-----BEGIN" not in key:
            raise Refused(400, {"inputs": {"ssh_key_data": ["Invalid certificate or key: not a key..."]}})

    def check_execution_environments(self, whole, fields):
        """The name of an image."""
        if " " in whole["image"]:
            raise Refused(400, {"image": ["The container image name %s is not valid" % whole["image"]]})

    def check_projects(self, whole, fields):
        """git needs an address; a manual project has no update options."""
        if whole["scm_type"] == "git" and not whole["scm_url"]:
            raise Refused(400, {"scm_url": ["SCM URL is required."]})
        if whole["scm_type"] == "" and whole["scm_update_on_launch"]:
            raise Refused(400, {"scm_update_on_launch": ["Update options must be set to false for manual projects."]})

    def check_inventory_sources(self, whole, fields):
        """A source of the project is one of a git project."""
        if whole["source"] == "scm" and not whole["source_project"]:
            raise Refused(400, {"source_project": ["Project required for scm type sources."]})
        if whole["source_project"] and self.objects["projects"][whole["source_project"]]["scm_type"] == "":
            raise Refused(400, {"source_project": ["Cannot use manual project for SCM-based inventory."]})

    def check_job_templates(self, whole, fields):
        """Project, playbook and inventory."""
        if not whole["project"]:
            raise Refused(400, {"project": ["Job Templates must have a project assigned."]})
        if not whole["playbook"]:
            raise Refused(400, {"playbook": ["Must select playbook for project."]})
        if whole["playbook"] not in self.known_playbooks(self.objects["projects"][whole["project"]]):
            raise Refused(400, {"playbook": ["Playbook not found for project."]})
        if not whole["inventory"] and not whole["ask_inventory_on_launch"]:
            raise Refused(400, {"inventory": ["You must either set a default value or ask to prompt on launch."]})

    def check_schedules(self, whole, fields):
        """AWX's form of a rule."""
        rule = whole["rrule"]
        if not re.match(r"DTSTART(;TZID=\S+)?:\d{8}T\d{6}Z? ", rule) or ("TZID" not in rule and not re.match(r"DTSTART:\d{8}T\d{6}Z ", rule)):
            raise Refused(400, {"rrule": ["Valid DTSTART required in rrule. Value should start with: DTSTART:YYYYMMDDTHHMMSSZ"]})
        if "INTERVAL=" not in rule:
            raise Refused(400, {"rrule": ["INTERVAL required in rrule: %s" % rule.split()[-1]]})

    # Projects

    def known_playbooks(self, project):
        """What AWX knows of a project: nothing of a git project before its first update has ended."""
        return self.playbooks if project["scm_type"] == "" else project.get("_read", [])

    def advance(self, project):
        """Each look brings a running update nearer to its end."""
        project["_looks"] += 1
        if project["_looks"] == 2:
            project["_read"] = list(self.playbooks)

    # Below an object

    def below(self, method, kind, number, name, body, query):
        """Surveys, links, updates, approvals."""
        if name == "survey_spec":
            return self.survey(method, (kind, number), body)
        if name == "playbooks":
            return 200, self.known_playbooks(self.objects["projects"][number])
        if name == "update" and method == "POST":
            if kind == "projects":
                if self.objects[kind][number]["scm_type"] == "":
                    raise Refused(405, {"detail": 'Method "POST" not allowed.'})
                self.objects[kind][number]["_looks"] = 0
            return 202, {"id": self.number()}
        if name == "create_approval_template" and method == "POST":
            return self.new_approval(number, self.decoded(body))
        lists = {"inventory_sources": ("inventory_sources", "inventory"), "workflow_nodes": ("workflow_job_template_nodes", "workflow_job_template")}
        if name in lists and method == "GET":
            other, field = lists[name]
            return 200, self.page([item for item in self.objects[other].values() if item[field] == number], query, other)
        if name in ("labels", "credentials", *EDGES):
            return self.connect(method, kind, number, name, body, query)
        raise Refused(404, {"detail": "Not found."})

    def survey(self, method, key, body):
        """The survey of a template."""
        if method == "GET":
            return 200, self.surveys.get(key, {})
        if method == "DELETE":
            self.surveys.pop(key, None)
            return 200, None
        body = self.decoded(body)
        for name in ("name", "description", "spec"):
            if name not in body:
                raise Refused(400, {"error": "Field '%s' is missing from survey spec." % name})
        if not isinstance(body["spec"], list):
            raise Refused(400, {"error": "Expected list of items for field 'spec', received %s type." % type(body["spec"]).__name__})
        if not body["spec"]:
            raise Refused(400, {"error": "'spec' doesn't contain any items."})
        seen = set()
        for place, question in enumerate(body["spec"]):
            self.check_question(place, question, seen)
        self.surveys[key] = body
        return 200, None

    @staticmethod
    def check_question(place, question, seen):
        """One question."""
        for name in ("type", "question_name", "variable", "required"):
            if name not in question:
                raise Refused(400, {"error": "'%s' missing from survey question %d" % (name, place)})
        kind = question["type"]
        if kind not in QUESTIONS:
            raise Refused(400, {"error": "'%s' in survey question %d is not one of '%s' allowed question types." % (kind, place, ", ".join(QUESTIONS))})
        if question["variable"] in seen:
            raise Refused(400, {"error": "'variable' '%s' duplicated in survey question %d." % (question["variable"], place)})
        seen.add(question["variable"])
        if kind in ("multiplechoice", "multiselect"):
            if "choices" not in question:
                raise Refused(400, {"error": "Survey question %d of type %s must specify choices." % (place, kind)})
            if question.get("default") and kind == "multiplechoice" and question["default"] not in question["choices"]:
                raise Refused(400, {"error": "Default choice must be answered from the choices listed."})
        if kind == "integer" and question.get("default", "") != "" and not isinstance(question["default"], int):
            raise Refused(400, {"error": "Default value %s in survey question %d expected to be integer." % (question["default"], place)})
        for name in ("min", "max"):
            if isinstance(question.get(name), str):
                raise Refused(400, {"error": "The %s limit in survey question %d expected to be integer." % (name, place)})

    def connect(self, method, kind, number, name, body, query):
        """Associate and disassociate."""
        values = self.links.setdefault((kind, number, name), set())
        other = {"labels": "labels", "credentials": "credentials"}.get(name, "workflow_job_template_nodes")
        if method == "GET":
            return 200, self.page([self.objects[other][one] for one in values], query, other)
        body = self.decoded(body)
        if not isinstance(body.get("id"), int):
            raise Refused(400, {"msg": '"id" field must be an integer.'})
        if body["id"] not in self.objects[other]:
            raise Refused(400, {"detail": "%s matching query does not exist." % other})
        if body.get("disassociate"):
            values.discard(body["id"])
            return 204, None
        if name == "credentials":
            self.one_of_a_kind(values, body["id"])
        if name in EDGES:
            if body["id"] == number:
                raise Refused(400, {"Error": "Cycle detected."})
            if any(body["id"] in self.links.get((kind, number, edge), ()) for edge in EDGES if edge != name):
                raise Refused(400, {"Error": "Relationship not allowed."})
        values.add(body["id"])
        return 204, None

    def one_of_a_kind(self, values, new):
        """A template has at most one credential of a type."""
        kind = self.objects["credentials"][new]["credential_type"]
        if any(self.objects["credentials"][one]["credential_type"] == kind for one in values if one != new):
            raise Refused(400, {"error": "Cannot assign multiple %s credentials." % self.objects["credential_types"][kind]["name"]})

    def new_approval(self, number, body):
        """The approval of a node."""
        if not body.get("name"):
            raise Refused(400, {"name": ["This field is required."]})
        if body.get("timeout", 0) < 0:
            raise Refused(400, {"timeout": ["Ensure this value is greater than or equal to 0."]})
        one = {"id": self.number(), "name": body["name"], "description": body.get("description", ""), "timeout": body.get("timeout", 0)}
        self.objects["approvals"][one["id"]] = one
        self.objects["workflow_job_template_nodes"][number]["unified_job_template"] = one["id"]
        return 201, one

    def approval(self, method, number, body):
        """GET and PATCH of an approval. There is no list of them."""
        if number not in self.objects["approvals"]:
            raise Refused(404, {"detail": "Not found."})
        if method == "PATCH":
            known = {name: value for name, value in self.decoded(body).items() if name in ("name", "description", "timeout")}
            self.objects["approvals"][number].update(known)
        return 200, self.objects["approvals"][number]

    def show(self, kind, item):
        """An object as AWX shows it."""
        shown = {name: value for name, value in item.items() if not name.startswith("_")}
        key, summary = (kind, item["id"]), {}
        if kind in ("job_templates", "workflow_job_templates"):
            labels = sorted(self.links.get((*key, "labels"), ()))
            # AWX shows ten.
            summary["labels"] = {"count": len(labels), "results": [{"id": one, "name": self.objects["labels"][one]["name"]} for one in labels[:10]]}
            summary["credentials"] = [{"id": one} for one in sorted(self.links.get((*key, "credentials"), ()))]
        if kind == "workflow_job_template_nodes":
            shown.update({edge: sorted(self.links.get((*key, edge), ())) for edge in EDGES})
            if item["unified_job_template"] in self.objects["approvals"]:
                summary["unified_job_template"] = {"id": item["unified_job_template"], "unified_job_type": "workflow_approval"}
        if kind == "projects":
            shown["status"] = "successful" if item["scm_type"] and item["_looks"] >= 2 else "pending" if item["scm_type"] else "ok"
        if kind == "credentials":
            secret = ("ssh_key_data", "password", "become_password")
            shown["inputs"] = {name: "$encrypted$" if name in secret else value for name, value in (item["inputs"] or {}).items()}
        return dict(shown, summary_fields=summary, url="/api/v2/%s/%d/" % key)


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives each request to `self.server.app.answer`."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, or each answer waits for an acknowledgement

    def handle_any(self):
        """One request."""
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        status, found = self.server.app.answer(self.command, self.path, json.loads(text) if text else None, self.headers)
        data = b"" if found is None else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

    def log_message(self, format, *args):
        """Be quiet."""


def serve(app):
    """A server of an Awx on a free port of the loopback; server.server_address, server.shutdown()."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.app = app
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
