# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls of AWX's API, before a stand-in that refuses what a real AWX refused. roles/awx is tried on a real AWX by hand: docs/awx.md."""

from __future__ import annotations

import copy
import importlib.util
import pathlib

import pytest
import yaml

from ansible_collections.skp.cluster.plugins.module_utils.awx import io
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.modules import skp_awx

SPEC = importlib.util.spec_from_file_location("awx_standin", pathlib.Path(__file__).with_name("awx_standin.py"))
standin = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(standin)

MENU = yaml.safe_load((pathlib.Path(__file__).parents[5] / "roles/awx/files/awx.yml").read_text(encoding="utf-8"))
PLAYBOOKS = sorted({entry["playbook"] for entry in MENU["job_templates"]})
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nbut a test\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.fixture
def site(monkeypatch):
    """An AWX without anything of ours: the app, and what the module is given."""
    monkeypatch.setattr(io, "POLL_SECONDS", 0.01)
    # It reads the certificates of this machine for each call, of which there are hundreds; the stand-in has none.
    monkeypatch.setattr("ansible.module_utils.urls.make_context", lambda **_options: None)
    app = standin.Awx(PLAYBOOKS)
    server = standin.serve(app)
    settings = {
        "organization": "ops", "cluster": "mine", "prefix": "mine ", "label": "skp.cluster mine", "image": "localhost:5000/skp/ee:latest", "pull": "always",
        "project": {"name": "mine project", "url": "https://git.example/ops.git", "branch": "main", "local_path": "", "credential": ""},
        "inventory": {"path": "inventory/mine/skp.yml", "variables": {"ANSIBLE_COLLECTIONS_PATH": "/runner/project/collections"}, "credentials": []},
        "machine": {"name": "mine machines", "inputs": {"username": "skp", "become_method": "sudo"}}, "credentials": [], "update_secrets": False,
    }
    params = {"url": "http://127.0.0.1:%d/" % server.server_address[1], "api": "/api/v2", "token": standin.TOKEN, "username": "", "password": "",
              "validate_certs": True, "ca_path": None, "menu": copy.deepcopy(MENU), "settings": settings, "secrets": {"ssh_key_data": KEY}, "timeout": 2}
    yield app, params
    server.shutdown()
    server.server_close()


def run(params, check_mode=False):
    return skp_awx.run(params, check_mode, io.Api(params))


def template(params, name):
    return next(entry for entry in params["menu"]["job_templates"] if entry["name"] == name)


def test_a_first_run_and_a_second_one(site):
    app, params = site
    predicted = run(params, check_mode=True)
    assert predicted["changed"] and app.log == []
    result = run(params)
    assert result["plan"] == predicted["plan"] and result["diff"]["before"] == {}
    assert [entry for entry in app.log if entry[3] >= 300] == [] and not any(entry[0] == "PUT" for entry in app.log)
    assert {item["name"] for item in app.objects["job_templates"].values()} == {"mine " + entry["name"] for entry in MENU["job_templates"]}
    kafka = app.named("job_templates", "mine kafka")
    assert kafka["job_tags"] == "kafka" and kafka["playbook"] == "site.yml" and kafka["ask_job_type_on_launch"]
    assert yaml.safe_load(kafka["extra_vars"]) == {"skp_cluster_name": "mine"}
    assert app.named("inventory_sources", "hosts.json")["overwrite"] is True
    assert app.named("credentials", "mine machines")["inputs"]["ssh_key_data"] == KEY
    app.log.clear()
    again = run(params)
    assert not again["changed"] and again["plan"] == [] and app.log == []


def test_the_workflow_asks_before_it_changes_anything(site):
    app, params = site
    run(params)
    nodes = {item["identifier"]: number for number, item in app.objects["workflow_job_template_nodes"].items()}

    def after(name, edge):
        return app.links.get(("workflow_job_template_nodes", nodes[name], edge), set())

    assert after("preflight", "success_nodes") == {nodes["dry run"]} and after("dry run", "success_nodes") == {nodes["approve"]}
    assert after("approve", "success_nodes") == {nodes["site"]} and after("site", "always_nodes") == {nodes["status"]}
    approval = app.objects["approvals"][app.objects["workflow_job_template_nodes"][nodes["approve"]]["unified_job_template"]]
    assert approval["name"] == "Apply what the dry run shows?" and approval["timeout"] == 86400


def test_a_renamed_template_keeps_its_history_and_a_removed_one_goes(site):
    app, params = site
    run(params)
    kafka = app.named("job_templates", "mine kafka")["id"]
    template(params, "kafka").update(name="brokers", formerly=["kafka"])
    params["menu"]["job_templates"].remove(template(params, "redis"))
    result = run(params)
    assert result["plan"] == ["job template mine brokers: renamed from mine kafka", "job template mine redis: removed"]
    assert app.named("job_templates", "mine brokers")["id"] == kafka
    assert "mine redis" not in {item["name"] for item in app.objects["job_templates"].values()}
    assert not run(params)["changed"]


def test_a_changed_survey(site):
    app, params = site
    run(params)
    logs = template(params, "logs")
    logs["survey"][1]["default"] = 50
    result = run(params)
    assert result["plan"] == ["job template mine logs: survey"] and result["diff"]["after"]["job template mine logs"]["survey"][1]["default"] == 50
    assert app.surveys["job_templates", app.named("job_templates", "mine logs")["id"]]["spec"][1]["default"] == 50
    del logs["survey"]
    assert run(params)["plan"] == ["job template mine logs: survey_enabled", "job template mine logs: no survey"]
    assert not run(params)["changed"]


def test_what_others_made_is_left_alone(site):
    app, params = site
    run(params)
    project, inventory = app.named("projects", "mine project")["id"], app.named("inventories", "mine hosts")["id"]
    theirs = app.add("job_templates", name="mine own", project=project, playbook="site.yml", inventory=inventory)
    night = app.add("schedules", name="theirs", unified_job_template=theirs, rrule="DTSTART:20260101T180000Z RRULE:FREQ=DAILY;INTERVAL=1")
    label = app.add("labels", name="theirs", organization=app.named("organizations", "ops")["id"])
    status = app.named("job_templates", "mine status")["id"]
    app.links["job_templates", status, "labels"].add(label)
    assert not run(params)["changed"]
    assert theirs in app.objects["job_templates"] and night in app.objects["schedules"]


def test_what_somebody_changed_in_awx_is_put_right_and_no_more_than_that(site):
    app, params = site
    run(params)
    app.named("job_templates", "mine status")["job_type"] = "check"
    app.named("job_templates", "mine status")["verbosity"] = 3  # not ours to say
    app.log.clear()
    assert run(params)["plan"] == ["job template mine status: job_type"]
    assert [(method, body) for method, _path, body, _status in app.log] == [("PATCH", {"job_type": "run"})]
    assert app.named("job_templates", "mine status")["verbosity"] == 3


def test_the_form_of_extra_vars_is_no_difference(site):
    app, params = site
    run(params)
    app.named("job_templates", "mine status")["extra_vars"] = "---\nskp_cluster_name: mine"
    assert not run(params)["changed"]


def test_a_schedule_that_left_the_list_goes(site):
    app, params = site
    run(params)
    params["menu"]["schedules"] = []
    assert run(params)["plan"] == ["schedule mine nightly status: removed"] and app.objects["schedules"] == {}


def test_a_node_that_left_the_workflow_goes(site):
    app, params = site
    run(params)
    nodes = params["menu"]["workflows"][0]["nodes"]
    nodes[:] = [node for node in nodes if node["id"] != "status"]
    assert run(params)["plan"] == ["node of a workflow status: removed"]
    assert not run(params)["changed"]


def test_more_labels_than_awx_shows(site):
    app, params = site
    template(params, "status")["labels"] = ["label %02d" % number for number in range(15)]
    run(params)
    assert not run(params)["changed"]


def test_secrets_are_written_again_only_when_asked(site):
    app, params = site
    run(params)
    params["secrets"] = {"ssh_key_data": KEY.replace("test", "new one"), "become_password": "b"}
    # The password is new to AWX; of the key it has one.
    assert run(params)["plan"] == ["credential mine machines: inputs"]
    assert app.named("credentials", "mine machines")["inputs"] == {"username": "skp", "become_method": "sudo", "ssh_key_data": KEY, "become_password": "b"}
    assert not run(params)["changed"]
    params["settings"]["update_secrets"] = True
    result = run(params)
    assert "new one" in app.named("credentials", "mine machines")["inputs"]["ssh_key_data"]
    assert "new one" not in str(result)


def test_a_playbook_that_awx_does_not_know_yet_is_read_first(site):
    app, params = site
    run(params)
    app.playbooks.append("playbooks/new.yml")
    params["menu"]["job_templates"].append({"name": "new", "playbook": "playbooks/new.yml", "labels": ["look"]})
    result = run(params)
    assert result["plan"][:2] == ["project mine project: read its playbooks", "job template mine new: new"]
    assert not run(params)["changed"]


def test_a_project_without_the_playbooks(site):
    app, params = site
    app.playbooks.remove("playbooks/logs.yml")
    with pytest.raises(Failure, match="has no playbooks/logs.yml. Expected the playbooks of this repository at its root"):
        run(params)
    assert app.objects["job_templates"] == {}


def test_an_account_and_a_wrong_one(site):
    app, params = site
    params.update(token="", username=standin.USER[0], password=standin.USER[1])
    assert run(params)["changed"]
    params["password"] = "wrong"
    with pytest.raises(Failure, match="HTTP 401: .*Check the token, or the user and the password"):
        run(params)


def test_no_awx(site):
    app, params = site
    with pytest.raises(Failure, match="no answer .*Check awx_url"):
        run(dict(params, url="http://127.0.0.1:9"))


def test_a_machine_credential_that_must_be_there(site):
    app, params = site
    params["settings"]["machine"]["inputs"] = {}
    with pytest.raises(Failure, match="no credential mine machines in the organisation ops. Make it in AWX"):
        run(params)


def test_a_field_that_awx_does_not_keep(site, monkeypatch):
    """It takes unknown fields without an error."""
    app, params = site
    monkeypatch.delitem(standin.TABLE["job_templates"], "ask_tags_on_launch")
    with pytest.raises(Failure, match="took ask_tags_on_launch without an error, but did not keep it"):
        run(params)


def test_a_template_with_a_running_job_is_not_removed(site):
    app, params = site
    run(params)
    app.named("job_templates", "mine redis")["_running"] = True
    params["menu"]["job_templates"].remove(template(params, "redis"))
    with pytest.raises(Failure, match="HTTP 409: .*Wait for its end"):
        run(params)


def test_two_clusters_in_one_awx(site):
    app, params = site
    run(params)
    other = copy.deepcopy(params)
    other["settings"].update(cluster="two", prefix="two ", label="skp.cluster two")
    other["settings"]["project"]["name"] = "two project"
    other["settings"]["machine"]["name"] = "two machines"
    other["menu"]["job_templates"] = [entry for entry in other["menu"]["job_templates"] if entry["name"] in ("status", "preflight", "dry run", "site")]
    run(other)
    assert not run(params)["changed"] and not run(other)["changed"]


def test_a_manual_project(site):
    app, params = site
    params["settings"]["project"].update(url="", local_path="cluster")
    run(params)
    assert app.objects["inventory_sources"] == {} and app.named("projects", "mine project")["local_path"] == "cluster"
    assert not run(params)["changed"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda menu: menu["job_templates"][0].update(playbok="x"), "it has playbok, expected some of"),
        (lambda menu: menu["job_templates"][0].update(ask=["limits"]), "it asks for limits, expected some of"),
        (lambda menu: menu["job_templates"][0]["survey"][0].update(type="number"), "is of type number, expected one of text"),
        (lambda menu: menu["schedules"][0].update(template="statuz"), "it names statuz of job_templates"),
        (lambda menu: menu["workflows"][0]["nodes"][1].update(after={"pre": "success"}), "comes after pre, expected ids of its nodes"),
        (lambda menu: menu["workflows"][0]["nodes"][1].update(approve="x"), "has both template and approve"),
        (lambda menu: menu["job_templates"].append(menu["job_templates"][0]), "has mine status twice"),
    ],
)
def test_a_list_that_cannot_be_right(site, change, expected):
    app, params = site
    change(params["menu"])
    with pytest.raises(Failure, match=expected):
        run(params)
    assert app.log == []
