# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jupyter: a person at a browser, programs at the gateway, who is let in and who is not, whose files they are, what a restart leaves."""
from __future__ import annotations

import base64
import concurrent.futures
import itertools
import json
import re
import uuid

import browsers
import lablib
import notebooks
import pytest
import requests
import websocket
from playwright.sync_api import expect, sync_playwright

LAB, GATEWAY = "jupyter-skp", "jupyter-skp-gateway"
UID = 61000

# Work with both executors at once, however late the second one comes: each task says where it ran, and takes long enough that one cannot have them all.
SPARK_CELL = """
import json, socket, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("{name}").getOrCreate()
def where(rows):
    time.sleep(0.2)
    return [(socket.gethostname(), sum(rows))]
end = time.monotonic() + 120
while True:
    parts = spark.sparkContext.parallelize(range(100000), 16).mapPartitions(where).collect()
    hosts = sorted({{host for host, _ in parts}})
    if len(hosts) >= 2 or time.monotonic() > end:
        break
print(json.dumps({{"master": spark.sparkContext.master, "hosts": hosts, "sum": sum(part for _, part in parts)}}))
"""
TABLE_CELL = """
from pyspark.sql import functions as F
table = spark.range(1_000_000).groupBy((F.col("id") % 5).alias("나머지")).agg(F.count("*").alias("개수")).orderBy("나머지").toPandas()
table
"""
PLOT_CELL = """
import matplotlib.pyplot as plt
table.plot.bar(x="나머지", y="개수", title="스파크 집계 결과")
plt.ylabel("개수")
plt.show()
"""


@pytest.fixture(scope="module")
def token():
    """The gateway's token."""
    return notebooks.secret("jupyter_gateway_token")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A context of a headless Chromium with a profile of its own."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"), viewport={"width": 1280, "height": 1400}, **browsers.options())
        context.set_default_timeout(browsers.MILLISECONDS)
        yield context
        context.close()


def log_in(page, password):
    """Type a password into the login form and send it."""
    page.goto(notebooks.lab_url() + "/lab")
    page.fill("input[name=password]", password)
    page.click("#login_submit")


def open_notebook(page, name):
    """Open a notebook in a fresh layout. Returns the panel, whose kernel is ready."""
    page.goto(f"{notebooks.lab_url()}/lab/tree/{name}?reset")
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(panel.locator(".jp-CodeCell").first).to_be_visible()

    lablib.wait("the notebook's kernel is connected",
                lambda: notebooks.connected(page.context.request.get(notebooks.lab_url() + "/api/sessions").json(), name), 60)
    expect(panel.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_visible()
    return panel


def place_notebook(name, *cells):
    """Put a notebook on the shared store, as its user would."""
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "cells": [{"id": f"cell-{n}", "cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": source.strip()}
                      for n, source in enumerate(cells)]}
    lablib.on(notebooks.node(), "sh", "-c", f"cat > {notebooks.WORK}/{name} && chown {UID}:{UID} {notebooks.WORK}/{name}", stdin=json.dumps(book))


def read_notebook(name):
    """The notebook as it lies on the store: list of outputs per cell."""
    return [cell["outputs"] for cell in json.loads(lablib.on(notebooks.node(), "cat", f"{notebooks.WORK}/{name}"))["cells"]]


@pytest.fixture
def notebook():
    """A name for a notebook; the file is removed afterwards, and its kernel ended: it would hold Spark's executors."""
    name = f"test-{uuid.uuid4().hex[:8]}.ipynb"
    yield name
    right = notebooks.authorization(notebooks.health_token())
    for session in requests.get(notebooks.lab_url() + "/api/sessions", headers=right, timeout=30).json():
        if session["path"] == name:
            requests.delete(f"{notebooks.lab_url()}/api/sessions/{session['id']}", headers=right, timeout=30).raise_for_status()
    lablib.on(notebooks.node(), "rm", "-f", f"{notebooks.WORK}/{name}")


def test_a_person_logs_in_and_computes_on_spark(browser, notebook, figures):
    """Wrong password refused; then a notebook, opened and run in the browser, computes on executors of two nodes and draws Korean labels."""
    page = browser.new_page()
    log_in(page, "wrong-password")
    expect(page.get_by_text("Invalid credentials")).to_be_visible()
    assert page.context.request.get(notebooks.lab_url() + "/api/contents").status == 403
    page.screenshot(path=browsers.SCREENSHOTS / "jupyter-wrong-password.png")

    log_in(page, notebooks.secret("jupyter_password"))
    page.wait_for_url("**/lab**")
    page.wait_for_selector("#jp-main-dock-panel")
    page.screenshot(path=browsers.SCREENSHOTS / "jupyter-lab.png")

    place_notebook(notebook, SPARK_CELL.format(name=notebook), TABLE_CELL, PLOT_CELL)
    panel = open_notebook(page, notebook)
    # What is asked of others: pop-ups of news or builds would stand in the way of the menu, and of people.
    assert page.locator(".Toastify__toast, .jp-Dialog").count() == 0
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    image = panel.locator(".jp-RenderedImage img")
    expect(image).to_be_visible(timeout=240000)
    expect(panel.locator(".jp-RenderedHTMLCommon table")).to_be_visible()
    image.scroll_into_view_if_needed()
    page.screenshot(path=browsers.SCREENSHOTS / "jupyter-notebook.png")
    page.keyboard.press("Control+s")

    outputs, _ = lablib.wait("the notebook is saved with its plot", lambda: (saved := read_notebook(notebook)) and saved[2] and saved, 60)
    errors = [output for cell in outputs for output in cell if output["output_type"] == "error"]
    assert errors == []
    printed = "".join("".join(output["text"]) for cell in outputs for output in cell if output["output_type"] == "stream")
    assert "missing from" not in printed and "findfont" not in printed, printed
    [said] = [json.loads("".join(output["text"])) for output in outputs[0] if output.get("name") == "stdout"]
    assert said["master"].startswith("spark://spark-skp-master") and said["sum"] == sum(range(100000))
    # The engines say on which nodes these containers are, not the job.
    where = notebooks.places()
    nodes = {where[host] for host in said["hosts"]}
    assert len(nodes) >= 2, f"executors only on {nodes}"
    figures["jupyter: a cell computed on Spark executors of the nodes"] = ", ".join(sorted(nodes))
    [png] = [output["data"]["image/png"] for output in outputs[2] if "image/png" in output.get("data", {})]
    picture = base64.b64decode(png)
    assert picture.startswith(b"\x89PNG") and len(picture) > 5000
    (browsers.SCREENSHOTS / "jupyter-plot.png").write_bytes(picture)
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Shut Down All Kernels")).click()
    page.get_by_role("button", name="Shut Down All", exact=True).click()
    lablib.wait("no kernel runs", lambda: page.context.request.get(notebooks.lab_url() + "/api/kernels").json() == [], 60)
    page.close()


@pytest.mark.parametrize("name,code,expected", [
    ("python3", "import os\nprint(sum(range(10)), os.environ['KERNEL_GATEWAY'])", r"45 1"),
    ("spark-scala", 'println(s"version ${spark.version} sum ${spark.range(10).selectExpr("sum(id)").head.getLong(0)}")', r"version 4\.\d\S* sum 45"),
    ("ir", "cat(R.version$language, sum(0:9), iconv('한글', to='UTF-8'))", r"R 45 한글"),
], ids=["Python", "Spark", "R"])
def test_every_kernel_answers_through_the_gateway(token, name, code, expected):
    """Each of the image's kernels starts over the API and gives the result of real code."""
    found = notebooks.gateway("GET", "/api/kernelspecs", token).json()["kernelspecs"]
    assert name in found, sorted(found)
    with notebooks.kernel(name, token) as kernel:
        assert re.search(expected, kernel.run(code, seconds=180))


def test_a_kernel_with_an_environment_of_its_own_finds_the_cluster(token):
    """Clients like JupyterLab send an environment; the kernel has the container's all the same, and what the client gave."""
    with notebooks.kernel("python3", token, env={"KERNEL_USERNAME": "someone"}) as kernel:
        said = kernel.run("import os\nprint(os.environ['KERNEL_USERNAME'], os.environ['SPARK_CONF_DIR'], os.environ['LANG'])")
    assert said.split() == ["someone", "/run/skp/spark", "ko_KR.UTF-8"]


LIST_ROUTES = """
import asyncio, json
from kernel_gateway.gatewayapp import KernelGatewayApp
async def main():
    app = KernelGatewayApp.instance()
    app.initialize(argv=[], new_httpserver=False)
    print(json.dumps([rule.matcher.regex.pattern for rule in app.web_app.wildcard_router.rules]))
asyncio.run(main())
"""


def sample(pattern, ident):
    """A path that a route's pattern matches, with a kernel that runs where one is named."""
    values = {"kernel_id": ident, "session_id": ident, "kernel_name": "python3", "action": "interrupt", "path": "logo-64x64.png"}

    def value(match):
        return values[match["name"]] if match["name"] else "/nowhere" if match[0].startswith("(/") else "nowhere"

    path = re.sub(r"\((?:\?P<(?P<name>\w+)>)?(?:[^()]|\([^()]*\))*\)", value, pattern.rstrip("$")).replace("\\", "").replace("?", "")
    assert re.match(pattern, path), f"{path} is no example of the route {pattern}: teach it to this test"
    return path


def test_the_gateway_is_closed(token):
    """Every route the application itself lists, with each method, without a token and with wrong ones: 401 or 403, and nothing happened."""
    routes = json.loads(notebooks.execute(GATEWAY, "python3", "-c", LIST_ROUTES).splitlines()[-1])
    assert {"/api/?", "/api/swagger.json"} & {r.rstrip("$").replace("\\", "") for r in routes} and len(routes) >= 8, routes
    with notebooks.kernel("python3", token) as kernel:
        paths = sorted({sample(route, kernel.ident) for route in routes} | {
            "/", "/api", "/api/kernels", "/api/kernelspecs", "/api/sessions", "/api/swagger.json", "/api/swagger.yaml", "/nowhere"})
        before = notebooks.gateway("GET", "/api/kernels", token).json()

        def let_in(attempt):
            path, method, wrong = attempt
            answer = requests.request(method, notebooks.gateway_url() + path, json={"name": "python3"}, allow_redirects=False, timeout=60, **wrong)
            # 405: a method the route does not have, whoever asks.
            unknown = answer.status_code == 405 and notebooks.gateway(method, path, token).status_code == 405
            return None if unknown or answer.status_code in (401, 403) else (method, path, sorted(wrong), answer.status_code)

        attempts = list(itertools.product(paths, ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"), wrong_credentials(token)))
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            assert [found for found in pool.map(let_in, attempts) if found] == []
        assert len(attempts) > 300
        for wrong in wrong_credentials(token):
            with pytest.raises(websocket.WebSocketBadStatusException) as refused:
                websocket.create_connection(
                    f"{notebooks.gateway_url().replace('http', 'ws', 1)}/api/kernels/{kernel.ident}/channels"
                    + (f"?token={wrong['params']['token']}" if "params" in wrong else ""), header=wrong.get("headers", {}), timeout=30)
            assert refused.value.status_code in (401, 403)
        assert [k["id"] for k in notebooks.gateway("GET", "/api/kernels", token).json()] == [k["id"] for k in before]
        assert kernel.run("print(6 * 7)").strip() == "42"


def wrong_credentials(token):
    """Requests' arguments of those who have no token, an empty one, another service's, and nearly the right one."""
    return [{}, {"headers": notebooks.authorization("")}, {"headers": notebooks.authorization(notebooks.health_token())},
            {"headers": notebooks.authorization(token[:-1])}, {"params": {"token": ""}}, {"params": {"token": token.upper() + "x"}}]


def test_the_lab_is_closed():
    """JupyterLab without a login: no API, no page, no websocket; and no other origin's page may use a login."""
    for path in ("/api/contents", "/api/kernels", "/api/kernelspecs", "/api/sessions", "/api/terminals", "/api/config/notebook", "/api/status", "/api/me",
                 "/lab/api/settings", "/lab/api/workspaces", "/files/x", "/nbconvert/html/x", "/metrics"):
        answer = requests.get(notebooks.lab_url() + path, allow_redirects=False, timeout=30)
        assert answer.status_code in (401, 403) or (answer.status_code == 302 and "/login" in answer.headers["Location"]), (path, answer.status_code)
    session = notebooks.login()
    assert session.get(notebooks.lab_url() + "/api/contents", timeout=30).status_code == 200
    stranger = session.get(notebooks.lab_url() + "/api/contents", headers={"Origin": "http://elsewhere.example"}, timeout=30)
    assert stranger.status_code in (403, 404) and "Access-Control-Allow-Origin" not in stranger.headers
    assert session.post(notebooks.lab_url() + "/api/kernels", json={"name": "python3"}, timeout=30).status_code == 403, "without the XSRF header"
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(f"{notebooks.lab_url().replace('http', 'ws', 1)}/terminals/websocket/1", timeout=30)
    assert refused.value.status_code in (401, 403)


# What st-kilda-pier and the products themselves come with, and what people try first.
USUAL = ("", "admin", "admin-pw", "airflow", "changeme", "jovyan", "jupyter", "jupyter-skp", "password", "root", "secret", "skp", "user", "1234")


@pytest.mark.parametrize("word", USUAL)
def test_no_usual_password_or_token_opens_anything(word):
    """As the password of the login form, and as the token of JupyterLab and of the gateway. The other services have no login: they are closed, or open by
    intent as their pages say.
    """
    session, page = requests.Session(), notebooks.lab_url() + "/login"
    session.get(page, timeout=30).raise_for_status()
    session.post(page, data={"_xsrf": session.cookies["_xsrf"], "password": word}, timeout=30)
    assert session.get(notebooks.lab_url() + "/api/contents", timeout=30).status_code == 403
    for url in (notebooks.lab_url() + "/api/contents", notebooks.gateway_url() + "/api/kernels"):
        assert requests.get(url, headers=notebooks.authorization(word), timeout=30).status_code in (401, 403), url


def test_the_health_checks_leave_no_trace_in_the_logs():
    """They ask every few seconds; a log of nothing but that is of no use."""
    for service in (LAB, GATEWAY):
        assert "health" not in lablib.on(notebooks.node(), "docker", "logs", notebooks.running(service))


def test_files_belong_to_the_user_and_volumes_appear(token):
    """What a notebook writes belongs to its user on the host's store; what the host mounts below /mnt/skp later is there below /mnt in the container."""
    node, name = notebooks.node(), f"test-{uuid.uuid4().hex[:8]}"
    with notebooks.kernel("python3", token) as kernel:
        try:
            kernel.run(f"import os\nos.mkdir('/home/skp/work/{name}')\nopen('{name}/file', 'w').write('hello')")
            listed = lablib.on(node, "stat", "-c", "%u:%g %a %n", f"{notebooks.WORK}/{name}", f"{notebooks.WORK}/{name}/file")
            assert listed.split("\n")[:2] == [f"{UID}:{UID} 2775 {notebooks.WORK}/{name}", f"{UID}:{UID} 664 {notebooks.WORK}/{name}/file"]
            assert kernel.run("import os\nprint(os.getuid(), os.getgid(), [l for l in open('/proc/self/status') if l.startswith('CapEff')])").startswith(
                f"{UID} {UID} ['CapEff:\\t0000000000000000")
            lablib.on(node, "sh", "-c", f"mkdir /mnt/skp/{name} && mount -t tmpfs none /mnt/skp/{name} && echo volume > /mnt/skp/{name}/word")
            assert kernel.run(f"print(open('/mnt/{name}/word').read())").strip() == "volume"
        finally:
            lablib.on(node, "sh", "-c", f"umount /mnt/skp/{name}; rmdir /mnt/skp/{name}; rm -rf {notebooks.WORK}/{name}", check=False)


def test_a_killed_server_comes_back_with_everything(browser, notebook, figures):
    """kill -9 of JupyterLab: the login still holds, notebooks and settings are as they were."""
    theme = "/lab/api/settings/@jupyterlab/apputils-extension:themes"
    right = notebooks.authorization(notebooks.health_token())
    page = browser.new_page()
    if browser.request.get(notebooks.lab_url() + "/api/me").status != 200:
        log_in(page, notebooks.secret("jupyter_password"))
        page.wait_for_selector("#jp-main-dock-panel")
    place_notebook(notebook, "1 + 1")
    before = requests.get(notebooks.lab_url() + theme, headers=right, timeout=30).json()["raw"]
    wanted = '{"theme": "JupyterLab Dark"}'
    try:
        requests.put(notebooks.lab_url() + theme, headers=right, json={"raw": wanted}, timeout=30).raise_for_status()
        old = notebooks.running(LAB)
        lablib.on(notebooks.node(), "docker", "kill", "-s", "KILL", old)
        _, seconds = lablib.wait("JupyterLab is healthy again", lambda: notebooks.running(LAB) not in ("", old), 120)
        figures["jupyter: killed server healthy again, seconds"] = seconds
        assert requests.get(notebooks.lab_url() + theme, headers=right, timeout=30).json()["raw"] == wanted
        expect(open_notebook(page, notebook).locator(".jp-CodeCell")).to_contain_text("1 + 1")
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
        page.screenshot(path=browsers.SCREENSHOTS / "jupyter-after-restart.png")
    finally:
        requests.put(notebooks.lab_url() + theme, headers=right, json={"raw": before or "{}"}, timeout=30).raise_for_status()
        page.close()


@pytest.mark.soak
def test_data_on_spark_and_on_pandas(token, figures):
    """Spark writes 100 MB to a volume all nodes see; Spark and pandas alone aggregate it to the same numbers. `make soak` does it with 1 GB."""
    rows = 6_000_000
    with notebooks.volume(UID) as volume, notebooks.kernel("python3", token) as kernel:
        said = notebooks.aggregate(kernel, rows, f"{volume}/rows")
    assert said["equal"] and said["groups"] == 1000 and said["rows"] == rows, said
    assert said["bytes"] >= 10 ** 8 and said["executors"] >= 2, said
    figures["jupyter: 100 MB of Parquet: bytes, seconds to write, on Spark, on pandas alone"] = (said["bytes"], *said["seconds"].values())
