# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway and its page: a person at a browser, who is let in where, what attacks get, services that are away, what the way through it costs."""
from __future__ import annotations

import importlib.resources
import json
import re
import time
import uuid

import accounts
import airflows
import browsers
import gateways
import lablib
import load
import notebooks
import portainers
import pytest
import requests
from playwright.sync_api import expect, sync_playwright

EVERY = set(gateways.PATHS)
AXE = "async () => (await axe.run()).violations.filter(one => ['serious', 'critical'].includes(one.impact)).map(one => one.id)"


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium. Its certificate check is off: requests' is on, and Chromium takes authorities from its user's settings only."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**browsers.options())
        yield browser
        browser.close()


@pytest.fixture
def person(chromium):
    """person(language) -> a page of a browser of its own that nobody has signed in with."""
    contexts = []

    def make(language="en-US", **more):
        context = chromium.new_context(ignore_https_errors=True, locale=language, viewport={"width": 1280, "height": 1200}, **more)
        context.set_default_timeout(browsers.MILLISECONDS)
        contexts.append(context)
        return context.new_page()
    yield make
    for context in contexts:
        context.close()


def sign_in(page, ident, word):
    """Type a name and a password into the page's form and send it."""
    page.fill("#name", ident)
    page.fill("#password", word)
    page.click("#sign-form button")


def admin_word():
    """The password of the cluster's admin."""
    return accounts.secret("auth_admin_password")


# A person at a browser ---------------------------------------------------------------------------------------------------------------------------------

def test_one_sign_in_opens_all_and_a_sign_out_closes_all(person, figures):
    """Sign in, see the token and the cluster, run a cell in a notebook (a websocket), see Spark's page and Airflow's DAGs; sign out, and see nothing."""
    page = person()
    page.goto(gateways.url("/jupyter-skp/lab?reset"))
    sign_in(page, "admin", "a wrong password")
    expect(page.locator("#wrong")).not_to_be_empty()
    started = time.monotonic()
    sign_in(page, "admin", admin_word())
    page.wait_for_url(re.compile(r":8070/jupyter-skp/lab"))
    page.wait_for_selector("#jp-main-dock-panel")
    figures["gateway: from the sign-in to JupyterLab, seconds"] = round(time.monotonic() - started, 1)

    page.goto(gateways.url())
    expect(page.locator("#links a")).to_have_count(5)
    expect(page.locator("#token")).to_be_hidden()
    sign_in(page, "admin", admin_word())
    page.click("#token-show")
    text = page.locator("#token-text").input_value()
    assert accounts.request("GET", "/v1/accounts/admin", text).json()["id"] == "admin"
    page.click("#token-refresh")
    expect(page.locator("#token-text")).not_to_have_value(text)
    expect(page.locator("#said")).not_to_be_empty()
    expect(page.locator("#tables")).to_contain_text("gateway-skp")
    for node in lablib.hosts():
        expect(page.locator("#tables")).to_contain_text(node)
    expect(page.locator("#tables")).to_contain_text("skp/docker-gateway:latest")
    assert text not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"), "pages of services could read it there"
    # For the README, so without the token.
    page.click("#token-show")
    expect(page.locator("#token-text")).to_have_value("•" * 40)
    page.screenshot(path=browsers.SCREENSHOTS / "gateway.png", full_page=True)

    assert run_a_cell(page.context.new_page()) == "42"
    spark = page.context.new_page()
    spark.goto(gateways.url("/spark/"))
    expect(spark.get_by_role("heading", name=re.compile(r"Workers \(\d+\)"))).to_be_visible()
    spark.screenshot(path=browsers.SCREENSHOTS / "gateway-spark.png")
    spark.locator("a[href*='/proxy/worker']").first.click()
    expect(spark).to_have_title(re.compile("Spark Worker at"))
    assert spark.evaluate("[...document.styleSheets].length") > 1, "its style sheets are not there"
    airflow = page.context.new_page()
    airflow.goto(gateways.url("/airflow/dags"))
    expect(airflow.get_by_text("example_plain").first).to_be_visible()
    airflow.screenshot(path=browsers.SCREENSHOTS / "gateway-airflow.png")

    page.bring_to_front()
    page.click("#sign-out")
    expect(page.locator("#sign")).to_be_visible()
    for path in gateways.PATHS.values():
        assert page.context.request.get(gateways.url(path), max_redirects=0).status == 401, path
    page.goto(gateways.url("/spark/"))
    page.wait_for_url(re.compile(r":8070/\?next=/spark/"))


def run_a_cell(page):
    """What a cell of a new notebook prints, opened and run through the gateway."""
    name = f"test-{uuid.uuid4().hex[:8]}.ipynb"
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "cells": [{"id": "cell-0", "cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": "print(6 * 7)"}]}
    notebooks.save(name, json.dumps(book))
    try:
        page.goto(gateways.url(f"/jupyter-skp/lab/tree/{name}?reset"))
        panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        expect(panel.locator(".jp-CodeCell").first).to_be_visible()
        lablib.wait("the notebook's kernel is connected",
                    lambda: notebooks.connected(page.context.request.get(gateways.url("/jupyter-skp/api/sessions")).json(), name), 60)
        expect(panel.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_visible()
        panel.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Control+Enter")
        output = panel.locator(".jp-OutputArea-output").first
        expect(output).to_have_text(re.compile("42"), timeout=90000)
        page.screenshot(path=browsers.SCREENSHOTS / "gateway-jupyter.png")
        return output.text_content().strip()
    finally:
        right = notebooks.authorization(notebooks.health_token())
        for session in requests.get(notebooks.lab_url() + "/api/sessions", headers=right, timeout=30).json():
            if session["path"] == name:
                requests.delete(f"{notebooks.lab_url()}/api/sessions/{session['id']}", headers=right, timeout=30)
        lablib.on(notebooks.node(), "rm", "-f", f"{notebooks.WORK}/{name}")


def test_an_admin_manages_accounts_and_a_user_sees_only_its_share(person):
    ident, word = f"page{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    page, other = person(), person()
    page.goto(gateways.url())
    sign_in(page, "admin", admin_word())
    page.fill("#new-name", ident)
    page.fill("#new-password", word)
    page.click("#new-form button")
    expect(page.locator("#said")).to_contain_text(ident)

    other.goto(gateways.url())
    sign_in(other, ident, word)
    expect(other.locator("#links a")).to_have_count(3)
    expect(other.locator("#accounts")).to_be_hidden()
    assert other.goto(gateways.url("/airflow/")).status == other.goto(gateways.url("/portainer/")).status == 403
    assert other.goto(gateways.url("/spark/")).status == 200

    while page.locator("#accounts-table tr", has_text=ident).count() == 0:
        page.click("#accounts-more")
        page.wait_for_timeout(500)
    row = page.locator("#accounts-table tr", has_text=ident)
    row.get_by_role("button", name="Disable").click()
    expect(row.get_by_role("button", name="Enable")).to_be_visible()
    assert accounts.everyone()[ident]["active"] is False and other.context.request.get(gateways.url("/spark/"), max_redirects=0).status == 401
    accounts.as_admin("DELETE", "/v1/accounts/" + ident)


def test_korean_and_english_and_a_phone(person):
    """The browser's language, then the chosen one, which stays."""
    page = person("ko-KR")
    page.goto(gateways.url())
    expect(page.locator("#sign-title")).to_have_text("로그인")
    page.get_by_role("button", name="English").click()
    expect(page.locator("#sign-title")).to_have_text("Sign in")
    page.reload()
    expect(page.locator("#sign-title")).to_have_text("Sign in")
    page.get_by_role("button", name="한국어").click()
    page.set_viewport_size({"width": 360, "height": 740})
    sign_in(page, "admin", admin_word())
    expect(page.locator("#tables table").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.screenshot(path=browsers.SCREENSHOTS / "gateway-korean-phone.png", full_page=True)


def test_no_serious_finding_of_accessibility(person):
    """By axe-core's rules, signed out and in, on each page of the gateway's own; and by keyboard alone."""
    page = person()
    page.context.add_init_script((importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    for path in ("/", "/page/403.html", "/page/404.html", "/page/502.html", "/page/503.html"):
        page.goto(gateways.url(path))
        assert page.evaluate(AXE) == [], path
    page.goto(gateways.url())
    page.focus("#name")
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(admin_word())
    page.keyboard.press("Enter")
    expect(page.locator("#tables table").first).to_be_visible()
    expect(page.locator("#accounts-table tbody tr").first).to_be_visible()
    assert page.evaluate(AXE) == []


# Who is not let in -----------------------------------------------------------------------------------------------------------------------------------

def test_its_certificate_is_of_the_clusters_authority_alone():
    assert gateways.ask(gateways.session(), "GET", "/").status_code == 200
    stranger = requests.Session()
    stranger.trust_env = False
    with pytest.raises(requests.exceptions.SSLError):
        stranger.get(gateways.url(), timeout=30)
    found = requests.get(gateways.url("/spark/?a=b").replace("https", "http", 1), allow_redirects=False, timeout=30)
    assert (found.status_code, found.headers["Location"]) == (308, gateways.url("/spark/?a=b"))


@pytest.mark.parametrize("cookie", ["unknown", "access", "refresh", "forged", "of another kind of key"])
def test_a_cookie_that_is_none_opens_nothing(cookie):
    client, tokens = gateways.sign_in()
    good = client.cookies[gateways.COOKIE]
    head, body, signature = good.split(".")
    value = {"unknown": "x", "access": tokens["access_token"], "refresh": tokens["refresh_token"], "forged": f"{head}.{body}.{signature[::-1]}",
             "of another kind of key": f"{tokens['access_token'].split('.')[0]}.{body}.{signature}"}[cookie]
    stranger = gateways.session()
    stranger.headers["Cookie"] = f"{gateways.COOKIE}={value}"
    assert set(gateways.opened(stranger).values()) == {401}
    assert set(gateways.opened(client).values()) == {200}


def test_a_sign_in_that_has_ended_opens_nothing():
    """The rows of its session are gone from the database, as after twelve hours; the cookie itself is still good."""
    ident, word = accounts.new()
    client, _tokens = gateways.sign_in(ident, word)
    assert gateways.ask(client, "GET", gateways.PATHS["spark"]).status_code == 200
    accounts.as_admin("PUT", "/v1/accounts/" + ident, json={"active": False})
    assert set(gateways.opened(client).values()) == {401}


def test_pages_of_other_origins_get_nothing():
    """What a foreign page could make a browser send. The cookie is not sent from another site; another port of the host is the same site."""
    client, _tokens = gateways.sign_in()
    for origin in ("https://evil.example", f"http://{lablib.address(lablib.labelled('nginx')[0])}:8010", "null"):
        assert gateways.ask(client, "POST", "/jupyter-skp/api/kernels", headers={"Origin": origin}).status_code == 403
        assert gateways.ask(client, "GET", "/jupyter-skp/api/status", headers={"Origin": origin}).status_code == 403
    assert gateways.ask(client, "POST", "/v1/accounts", json={"id": "nobody", "pw": "a good password"}).status_code == 401, "the cookie changes no account"


def test_at_its_own_port_jupyter_asks_as_before():
    client, _tokens = gateways.sign_in()
    assert gateways.ask(client, "GET", "/jupyter-skp/api/contents").status_code == 200
    assert requests.get(notebooks.lab_url() + "/api/contents", timeout=30).status_code == 403
    assert requests.get(notebooks.lab_url() + "/api/contents", cookies=dict(client.cookies), timeout=30).status_code == 403


ME = "/airflow/ui/auth/me"


def test_airflow_knows_who_the_gateway_has_let_in():
    """Each request is its account's: whatever else the browser has of Airflow, and until the account's end. Nothing outlives it."""
    ident, word = accounts.new(level="A")
    client, tokens = gateways.sign_in(ident, word)
    try:
        assert gateways.ask(client, "GET", ME).json()["username"] == "skp:" + ident
        client.cookies.set("_token", airflows.token().json()["access_token"])
        assert gateways.ask(client, "GET", ME).json()["username"] == "skp:" + ident, "a token of Airflow's own admin, from its own port"
        assert gateways.ask(client, "POST", "/airflow/api/v2/variables", json={"key": ident, "value": "1"}).status_code == 201, "the role Admin"
        for path in ("/airflow/auth/login/", "/airflow/auth/users/list/"):
            answer = gateways.ask(client, "GET", path)
            assert answer.status_code < 400 and "_token=" not in answer.headers.get("Set-Cookie", ""), path
        program = gateways.session()
        program.headers["Authorization"] = "Bearer " + tokens["access_token"]
        assert gateways.ask(program, "DELETE", "/airflow/api/v2/variables/" + ident).status_code == 204, "a program with a token of the auth service"
    finally:
        accounts.as_admin("PUT", "/v1/accounts/" + ident, json={"active": False})
    assert gateways.ask(client, "GET", ME).status_code == 401


def test_at_its_own_port_airflow_believes_no_header():
    headers = {"X-Skp-Account": "admin", "X-Skp-Level": "A"}
    for secret in ("", "x", "0" * 64, "admin"):
        assert requests.get(airflows.url("/ui/auth/me"), headers={**headers, "X-Skp-Gateway": secret}, timeout=30).status_code == 401
    client, _tokens = gateways.sign_in()
    forged = {"X-Skp-Account": "somebody", "X-Skp-Gateway": "0" * 64}
    assert gateways.ask(client, "GET", ME, headers=forged).json()["username"] == "skp:admin", "what a client sends of these headers is replaced"


def portainer(client, method, path, **more):
    """An answer of Portainer through the gateway."""
    return gateways.ask(client, method, f":{gateways.PORTAINER_PORT}/api{path}", **more)


def test_portainer_opens_without_a_login_of_its_own():
    """As the gateway's account, whatever else the browser has of Portainer; only for those who may; and only while they may."""
    ident, word = accounts.new(level="A")
    client, _tokens = gateways.sign_in(ident, word)
    try:
        me = portainer(client, "GET", "/users/me").json()
        assert (me["Username"], me["Role"]) == ("skp-gateway", 1)
        assert portainers.nodes() == sorted(one["NodeName"] for one in portainer(client, "GET", f"/endpoints/{environment()}/docker/v2/agents").json())
        client.cookies.set("portainer_api_key", "of its own port")
        made = portainer(client, "POST", "/users", json={"username": ident, "password": word, "role": 2}, headers={"Authorization": "Bearer x"})
        assert made.status_code == 200 and "Set-Cookie" not in made.headers, made.text
        assert portainer(client, "DELETE", f"/users/{made.json()['Id']}").status_code == 204
        found = gateways.ask(client, "GET", "/portainer/")
        assert (found.status_code, found.headers["Location"]) == (302, gateways.url(f":{gateways.PORTAINER_PORT}/"))
    finally:
        accounts.as_admin("PUT", "/v1/accounts/" + ident, json={"active": False})
    assert portainer(client, "GET", "/users/me").status_code == 401
    user = gateways.sign_in(*accounts.new())[0]
    assert portainer(user, "GET", "/users/me").status_code == 403
    stranger = gateways.ask(gateways.session(), "GET", f":{gateways.PORTAINER_PORT}/", headers={"Accept": "text/html"})
    assert (stranger.status_code, stranger.headers["Location"]) == (302, gateways.url("/?next=/portainer/"))


def environment():
    """The number of the one environment."""
    return portainers.call("GET", "/endpoints")[0]["Id"]


def test_a_gateway_that_starts_again_has_one_access_token(figures):
    """The one of before is removed, and the sign-in goes on."""
    client, _tokens = gateways.sign_in()
    node, ident = lablib.task_container("gateway-skp")
    before = lablib.on(node, "docker", "exec", ident, "cat", "/tmp/gateway/portainer.conf")
    lablib.on(node, "docker", "kill", "-s", "KILL", ident)
    figures["gateway: killed, Portainer open again after seconds"] = lablib.wait(
        "Portainer through the gateway", lambda: portainer(client, "GET", "/users/me").status_code == 200, 60)[1]
    after = lablib.execute("gateway-skp", "cat", "/tmp/gateway/portainer.conf")
    assert after != before and after.startswith('proxy_set_header X-API-Key "ptr_')
    number = portainer(client, "GET", "/users/me").json()["Id"]
    login = portainers.login("skp-gateway", accounts.secret("gateway_portainer_password")).json()["jwt"]
    tokens = requests.get(portainers.url(f"/users/{number}/tokens"), headers={"Authorization": "Bearer " + login}, timeout=30).json()
    assert [one["description"] for one in tokens] == [f"gateway on {lablib.on(node, 'hostname').strip()}"]


def test_a_script_in_a_page_of_jupyter_cannot_ask_portainer(person):
    """In the browser of an admin who has signed in: it can ask what has the page's origin, and Portainer has another."""
    page, name = person(), f"by-script-{uuid.uuid4().hex[:8]}"
    page.goto(gateways.url())
    sign_in(page, "admin", admin_word())
    expect(page.locator("#links a").first).to_be_visible()
    page.goto(gateways.url("/jupyter-skp/lab"))
    script = """async ([url, name, mode]) => {
        const body = name ? JSON.stringify({username: name, password: name, role: 1}) : null;
        const sent = {method: name ? "POST" : "GET", mode, credentials: "include", body};
        try { return (await fetch(url, sent)).type; } catch (error) { return "refused"; }
    }"""
    address = gateways.url(f":{gateways.PORTAINER_PORT}/api/users")
    assert page.evaluate(script, [gateways.url(gateways.PATHS["spark"]), "", "cors"]) == "basic", "the same origin"
    assert page.evaluate(script, [address, "", "cors"]) == page.evaluate(script, [address, name, "cors"]) == "refused"
    assert page.evaluate(script, [address, name, "no-cors"]) == "opaque"
    assert name not in [user["Username"] for user in portainers.call("GET", "/users")]
    assert page.goto(gateways.url(f":{gateways.PORTAINER_PORT}/api/users/me")).json()["Username"] == "skp-gateway", "a person who opens it is let in"


# What is away, and what it costs ---------------------------------------------------------------------------------------------------------------------

def test_a_service_that_is_away_is_one_clear_page(figures):
    client, _tokens = gateways.sign_in()
    lablib.on(lablib.manager(), "docker", "service", "scale", "-d", "spark-skp-history=0")
    try:
        lablib.wait("the page that says so", lambda: gateways.ask(client, "GET", "/history/").status_code == 502, 60)
        text = gateways.ask(client, "GET", "/history/").text
        assert "The service does not answer" in text and "서비스가 응답하지 않습니다" in text
        assert gateways.ask(client, "GET", gateways.PATHS["spark"]).status_code == 200
    finally:
        lablib.on(lablib.manager(), "docker", "service", "scale", "-d", "spark-skp-history=1")
    figures["gateway: a service that was away is there again after seconds"] = lablib.wait(
        "the history server", lambda: gateways.ask(client, "GET", gateways.PATHS["history"]).status_code == 200, 180)[1]


def test_without_the_auth_service_nobody_is_let_in():
    """It hangs: no answer is no. Then it goes on, and the sign-in of before is good."""
    client, _tokens = gateways.sign_in()
    node, ident = lablib.task_container("flask-skp")
    lablib.on(node, "docker", "pause", ident)
    try:
        answer = gateways.ask(client, "GET", gateways.PATHS["spark"])
        assert answer.status_code == 503 and "The auth service does not answer" in answer.text
    finally:
        lablib.on(node, "docker", "unpause", ident)
    lablib.wait("the sign-in of before", lambda: set(gateways.opened(client).values()) == {200}, 60)


def test_what_the_way_through_it_costs(figures):
    """One client with one connection; a figure, since the lab's nodes share two processors. `make soak` has many clients."""
    client, page = gateways.sign_in()[0], f"http://{lablib.address(lablib.labelled('spark-master')[0])}:8030/json/"
    through = load.rate(1, 10, lambda: client, lambda one: gateways.ask(one, "GET", gateways.PATHS["spark"]).status_code)
    alone = load.rate(1, 10, requests.Session, lambda one: one.get(page, timeout=30).status_code)
    assert through[2] == alone[2] == {200}
    figures["gateway: requests per second and p99 in ms, through it, direct, ratio"] = (through[:2], alone[:2], round(alone[0] / max(1, through[0]), 1))
