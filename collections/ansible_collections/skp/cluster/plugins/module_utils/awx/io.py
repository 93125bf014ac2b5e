# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. AWX's REST API.

Only differing fields are written, with PATCH: PUT sets fields that it is not given to their defaults. What AWX answers is compared with what was sent, because
it ignores unknown fields without an error.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse

from ansible.module_utils.urls import open_url

from ..failure import Failure
from . import plan

POLL_SECONDS = 2
TIMEOUT = 60
"""Seconds for one answer. Removing a project or an inventory takes AWX a while."""
PAGE = 200
"""AWX's largest page."""
RUNNING = ("new", "pending", "waiting", "running")


class Api:
    """The API of one AWX. params: url, api, token or username and password, validate_certs, ca_path."""

    def __init__(self, params):
        self._home = params["url"].rstrip("/")
        self._api = "/%s/" % params["api"].strip("/")
        self._headers = {"Content-Type": "application/json"}
        self._options = {"validate_certs": params["validate_certs"], "ca_path": params["ca_path"], "timeout": TIMEOUT, "use_netrc": False}
        if params["token"]:
            self._headers["Authorization"] = "Bearer " + params["token"]
        else:
            self._options.update(url_username=params["username"], url_password=params["password"], force_basic_auth=True)

    def ask(self, method, path, body=None, **query):
        """What AWX answers, decoded; None for no content. path: below the API, or as AWX names it in an answer. Raises Failure."""
        path = path if path.startswith("/") else self._api + path
        address = self._home + path + ("?" + urllib.parse.urlencode(query) if query else "")
        try:
            with open_url(address, method=method, headers=self._headers, data=None if body is None else json.dumps(body), **self._options) as answer:
                text = answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as exc:
            raise self._refused(method, path, exc) from exc
        except (OSError, ValueError) as exc:
            raise Failure("AWX: %s %s%s: no answer (%s). Check awx_url, and whether this machine trusts its certificate (awx_ca_path)."
                          % (method, self._home, path, exc), kind="awx_silent") from exc
        if not text.strip():
            return None
        try:
            return json.loads(text)
        except ValueError as exc:
            raise Failure("AWX: %s %s%s did not answer in JSON. Expected the API of AWX there; is awx_url the address of AWX itself?"
                          % (method, self._home, path), kind="awx_answer") from exc

    def _refused(self, method, path, exc):
        text = exc.read().decode("utf-8", "replace")
        try:
            said = json.loads(text)
        except ValueError:
            said = {"detail": "no message"}
        advice = {401: "Check the token, or the user and the password.",
                  403: "The account may not do this. It must be an administrator of the organisation; credential types are made by administrators of AWX.",
                  404: "Is %s the API of AWX (awx_api)?" % self._api,
                  409: "Something of it is running. Wait for its end, then run this again."}.get(exc.code, "")
        return Failure("AWX: %s %s%s: HTTP %d: %s. %s" % (method, self._home, path, exc.code, words(said), advice), kind="awx_refused", status=exc.code)

    def all(self, path, **query):
        """All objects of a list, over all its pages."""
        answer = self.ask("GET", path, **dict(query, page_size=PAGE, order_by="id"))
        found = answer["results"]
        while answer.get("next"):
            answer = self.ask("GET", answer["next"])
            found += answer["results"]
        return found


def words(said):
    """The message of a refusal, in one line."""
    if not isinstance(said, dict):
        return str(said)[:600]
    return "; ".join("%s: %s" % (name, ", ".join(map(str, value)) if isinstance(value, list) else value) for name, value in said.items())[:600]


def look(api, settings):
    """The present state, as plan.plan takes it."""
    found = {"organizations": api.all("organizations/", name=settings["organization"]), "credential_types": api.all("credential_types/"), "playbooks": None}
    if not found["organizations"]:
        return found
    mine = {"organization": found["organizations"][0]["id"]}
    for kind in ("labels", "credentials", "execution_environments", "projects", "inventories", "job_templates", "workflow_job_templates"):
        found[kind] = api.all(kind + "/", **mine)
    found["inventory_sources"] = [item for inventory in found["inventories"] for item in api.all("inventories/%d/inventory_sources/" % inventory["id"])]
    label = next((item["id"] for item in found["labels"] if item["name"] == settings["label"]), None)
    for kind in plan.OURS_BY_LABEL:
        for item in found[kind]:
            _connected(api, kind, item)
    ours = [item for item in found["workflow_job_templates"] if label in item["_labels"] or item["name"].startswith(settings["prefix"])]
    found["workflow_job_template_nodes"] = [_node(api, item) for one in ours for item in api.all("workflow_job_templates/%d/workflow_nodes/" % one["id"])]
    for item in found["inventory_sources"]:
        item["_credentials"] = [one["id"] for one in api.all("inventory_sources/%d/credentials/" % item["id"])]
    templates = {item["id"] for kind in plan.OURS_BY_LABEL for item in found[kind]}
    found["schedules"] = [item for item in api.all("schedules/") if item["unified_job_template"] in templates]
    project = next((item for item in found["projects"] if item["name"] == settings["project"]["name"]), None)
    if project:
        found["playbooks"] = api.ask("GET", "projects/%d/playbooks/" % project["id"])
    return found


def _connected(api, kind, item):
    """Add to a template its survey and what it is connected with. A list of AWX shows ten labels only, then the whole list is asked for."""
    summary = item.get("summary_fields", {})
    labels = summary.get("labels") or {"count": 0, "results": []}
    item["_labels"] = [one["id"] for one in (labels["results"] if labels["count"] <= len(labels["results"]) else
                                             api.all("%s/%d/labels/" % (kind, item["id"])))]
    item["_credentials"] = [one["id"] for one in summary.get("credentials") or []]
    # A survey may be there without being enabled.
    item["_survey"] = api.ask("GET", "%s/%d/survey_spec/" % (kind, item["id"])) or {}


def _node(api, item):
    """A node with its approval."""
    below = item.get("summary_fields", {}).get("unified_job_template") or {}
    item["_approval"] = None
    if below.get("unified_job_type") == "workflow_approval":
        approval = api.ask("GET", "workflow_approval_templates/%d/" % item["unified_job_template"])
        item["_approval"] = {name: approval[name] for name in ("id", "name", "description", "timeout")}
    return item


def apply(api, step, ids, timeout, parse):
    """Do one step. ids gets the id of what is made."""
    do, kind = step["do"], step["kind"]
    number = ids.get((kind, step["key"]))
    if do in ("create", "update"):
        fields = {name: plan.text_of(name, ids.of(value)) for name, value in step["fields"].items()}
        answer = api.ask("POST", kind + "/", fields) if do == "create" else api.ask("PATCH", "%s/%d/" % (kind, number), fields)
        ids[kind, step["key"]] = answer["id"]
        missing = plan.lost(step, answer, ids, parse)
        if missing:
            raise Failure("AWX: %s: it took %s without an error, but did not keep it. This AWX may be older or newer than those that skp.cluster knows (24.6). "
                          "Found: %s." % (step["what"], ", ".join(missing), {name: answer.get(name) for name in missing}), kind="awx_not_kept")
    elif do == "survey":
        api.ask("POST", "%s/%d/survey_spec/" % (kind, number), step["fields"])
    elif do == "unsurvey":
        api.ask("DELETE", "%s/%d/survey_spec/" % (kind, number))
    elif do == "link":
        api.ask("POST", "%s/%d/%s/" % (kind, number, step["field"]), {"id": ids.of(step["to"])})
    elif do == "unlink":
        api.ask("POST", "%s/%d/%s/" % (kind, number, step["field"]), {"id": step["to"], "disassociate": True})
    elif do == "approval":
        api.ask("POST", "%s/%d/create_approval_template/" % (kind, number), step["fields"])
    elif do == "change_approval":
        api.ask("PATCH", "workflow_approval_templates/%d/" % step["to"], step["fields"])
    elif do == "sync":
        sync(api, number, step, timeout)
    elif do == "refresh":
        api.ask("POST", "%s/%d/update/" % (kind, number), {})
    elif do == "delete":
        api.ask("DELETE", "%s/%d/" % (kind, step["to"]))


def sync(api, number, step, timeout):
    """Wait until AWX knows the playbooks of the project. A new or changed git project reads them by itself; one that has not changed is told to."""
    path = "projects/%d/" % number
    project = api.ask("GET", path)
    if not step["manual"] and project["status"] not in RUNNING and set(step["playbooks"]) - set(api.ask("GET", path + "playbooks/")):
        api.ask("POST", path + "update/", {})
    deadline = time.monotonic() + timeout
    while True:
        project = api.ask("GET", path)
        missing = sorted(set(step["playbooks"]) - set(api.ask("GET", path + "playbooks/")))
        if project["status"] not in RUNNING or time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    if missing:
        raise Failure(
            "AWX: the project %s is %s and has no %s. Expected the playbooks of this repository at its root. The update's output is in AWX, under Projects. Is "
            "the branch right, and has it been pushed? Job templates were not changed." % (step["name"], project["status"], ", ".join(missing)),
            kind="awx_project")
