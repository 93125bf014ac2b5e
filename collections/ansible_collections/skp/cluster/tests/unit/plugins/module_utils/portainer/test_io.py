# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls of Portainer's API, before a stand-in that answers as its documents say. The real one could not be had: docs/portainer.md."""

from __future__ import annotations

import importlib.util
import pathlib

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.portainer import io
from ansible_collections.skp.cluster.plugins.modules import skp_portainer

SPEC = importlib.util.spec_from_file_location("portainer_standin", pathlib.Path(__file__).with_name("portainer_standin.py"))
standin = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(standin)

ADMIN, HELPER, SECRET = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def start():
    """start(app) -> port; ended after the test."""
    servers = []

    def begin(app):
        servers.append(standin.serve(app, 0, "127.0.0.1"))
        return servers[-1].server_address[1]
    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site(start, tmp_path, monkeypatch):
    """A Portainer with two agents: the app, and what the module is given."""
    monkeypatch.setattr(io, "POLL_SECONDS", 0.01)
    found = []
    found += [("127.0.0.1", start(standin.Agent(SECRET, name, lambda: found))) for name in ("n1", "n2")]
    app = standin.Portainer(str(tmp_path), SECRET, ADMIN)
    params = {"port": start(app), "admin": "admin", "password": ADMIN, "helper": "skp-helper", "helper_password": HELPER, "environment": "mine",
              "gateway": "skp-gateway", "gateway_password": "",
              "url": "tcp://127.0.0.1:%d" % found[0][1], "agents": 2, "timeout": 1}
    return app, params, found


def run(params, check_mode=False, **more):
    given = dict(params, **more)
    return skp_portainer.run(given, check_mode, io.Api(given["port"]))


def test_a_first_run_and_a_second_one(site):
    app, params, _agents = site
    predicted = run(params, check_mode=True)
    assert predicted["changed"] and app.data["environments"] == [] and predicted["nodes"] == []
    result = run(params)
    assert result["plan"] == predicted["plan"] == ["account skp-helper: new", "environment mine: " + params["url"]]
    assert result["nodes"] == ["n1", "n2"]
    again = run(params)
    assert not again["changed"] and again["nodes"] == ["n1", "n2"] and again["diff"]["after"] == ""
    assert len(app.data["environments"]) == 1
    assert skp_portainer.run(params, True, None)["plan"] == predicted["plan"], "the same is predicted before there is a container"


def test_a_new_password_after_a_rotation(site, tmp_path):
    app, params, _agents = site
    run(params)
    assert run(params, password="d" * 64)["plan"] == ["account admin: new password"]
    assert not io.Api(params["port"]).login("admin", ADMIN)
    assert not run(params, password="d" * 64)["changed"]
    # A container that starts again gets the file with a newer password, and does not look at it.
    assert standin.Portainer(str(tmp_path), SECRET, "e" * 64).data == app.data
    assert run(params, password="d" * 64, helper_password="f" * 64)["plan"] == ["account skp-helper: new password"]


def test_the_account_of_the_gateway(site):
    """It comes with a password, gets a new one after a rotation, also while the admin's changes too, and goes with the gateway, with its access tokens."""
    app, params, _agents = site
    run(params)
    assert run(params, gateway_password="g" * 64)["plan"] == ["account skp-gateway: new"]
    api = io.Api(params["port"])
    assert api.login("skp-gateway", "g" * 64)
    number = api.get("GET", "/users/me")["Id"]
    assert {user["Id"]: user["Role"] for user in app.data["users"]}[number] == 1
    api.get("POST", "/users/%d/tokens" % number, {"password": "g" * 64, "description": "x"})
    assert not run(params, gateway_password="g" * 64)["changed"]
    assert run(params, password="d" * 64, gateway_password="h" * 64)["plan"] == ["account admin: new password", "account skp-gateway: new password"]
    assert not run(params, password="d" * 64, gateway_password="h" * 64)["changed"]
    assert run(params, password="d" * 64)["plan"] == ["account skp-gateway: removed"] and app.data["keys"] == []
    assert not run(params, password="d" * 64)["changed"]


def test_nobody_is_let_in(site):
    app, params, _agents = site
    with pytest.raises(Failure, match="accepts neither") as caught:
        run(params, password="x" * 64)
    assert caught.value.failure["kind"] == "portainer_refused" and [user["Username"] for user in app.data["users"]] == ["admin"]
    assert "x" * 64 not in caught.value.msg


def test_a_node_that_is_not_seen(site):
    _app, params, _agents = site
    with pytest.raises(Failure, match="its environment shows 2 of 3 nodes: n1, n2.*docker service update --force") as caught:
        run(params, agents=3, timeout=0)
    assert caught.value.failure["kind"] == "portainer_agents"


def test_agents_that_are_late(site, monkeypatch):
    _app, params, agents = site
    late = agents.pop()
    monkeypatch.setattr(io.time, "sleep", lambda seconds: agents.append(late) if len(agents) < 2 else None)
    assert run(params)["nodes"] == ["n1", "n2"]


def test_agents_with_another_secret(site):
    app, params, _agents = site
    app.secret = "another"
    with pytest.raises(Failure, match="HTTP 500: .*another Portainer instance") as caught:
        run(params, timeout=0)
    assert caught.value.failure["kind"] == "portainer_answer" and app.data["environments"] == []


def test_no_answer_at_all():
    with pytest.raises(Failure, match=r"POST /api/auth on port 1: no answer") as caught:
        io.look(io.Api(1), {"helper": "h", "helper_password": HELPER, "admin": "a", "password": ADMIN, "gateway_password": ""})
    assert caught.value.failure["kind"] == "portainer_silent"


def test_what_it_says_is_shown_and_never_what_it_was_given():
    assert io.words({"message": "m", "details": "d"}) == "d"
    assert io.words("<html>") == io.words({}) == "no message"


def test_the_network_of_a_process_is_left_again():
    """Entering needs root; without it the error is one of the system, which `ask` explains."""
    with io.network_of(None):
        pass
    with pytest.raises(OSError), io.network_of("none"):
        pass


def test_the_process_of_a_service(monkeypatch):
    answers = {"/containers/json": [{"Id": "abc"}], "/containers/abc/json": {"State": {"Pid": 42}}}
    monkeypatch.setattr(io.engine, "get", lambda client, path, **more: answers[path])
    assert io.process("client", "portainer-skp") == 42
    answers["/containers/json"] = []
    assert io.process("client", "portainer-skp") is None
