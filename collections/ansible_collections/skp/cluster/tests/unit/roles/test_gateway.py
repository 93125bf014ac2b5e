# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role of the gateway asks for in a given site, templated as in a play, and what that asks of the roles behind it."""

from __future__ import annotations

import functools
import inspect
import json
import pathlib
import re

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.skp.cluster.plugins.module_utils.service import args
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service

ROLES = pathlib.Path(__file__).parents[3] / "roles"
PAGE = ROLES.parent / "images/gateway/page"
# From ansible-core 2.19 on, only a trusted file has templates.
TRUSTED = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(DataLoader.load_from_file).parameters else {}
HOSTVARS = {"c%d" % number: {"ansible_host": "192.0.2.%d" % number} for number in (1, 2, 3)}
SECRETS = {name: "%064x" % number for number, name in enumerate((
    "gateway_ca_seed", "gateway_jupyter_token", "gateway_airflow_token", "gateway_portainer_password", "jupyter_password", "jupyter_password_salt",
    "jupyter_health_token", "jupyter_cookie_secret", "jupyter_gateway_token", "spark_auth_secret", "airflow_jwt_secret", "airflow_api_secret",
    "airflow_fernet_key", "airflow_admin_password", "airflow_docker_token", "mysql_airflow_password"), 1000)}
ALL = {"skp": ["c1", "c2", "c3"], "master": ["c1"], "nginx": ["c1"], "flask": ["c2"], "mysql": ["c2"], "jupyter": ["c1"], "spark_master": ["c1"],
       "spark_worker": ["c1", "c2"], "airflow": ["c1"], "portainer": ["c2"]}
PATHS = ["/jupyter-skp/", "/spark/", "/proxy/", "/history/", "/airflow/"]
PORTAINER = "# Portainer, with an origin of its own"


@functools.lru_cache(maxsize=None)
def variables_of(path):
    """The variables of one file of a role."""
    return DataLoader().load_from_file(str(ROLES / path / "main.yml"), **TRUSTED) if (ROLES / path / "main.yml").exists() else {}


def value(name, groups=None, role="gateway", **variables):
    """A variable of a role."""
    loader, found = DataLoader(), {}
    for path in ("_common/defaults", "_common/vars", "_spark/defaults", "_spark/vars", role + "/defaults", role + "/vars"):
        # As in a play: the gateway's role does not have the variables of the others.
        if role in ("jupyter", "airflow") or not path.startswith("_spark"):
            found.update(variables_of(path))
    found.update(role_path=str(ROLES / role), ansible_search_path=[str(ROLES / role)], groups=ALL if groups is None else groups, hostvars=HOSTVARS,
                 inventory_hostname="c1", skp_cluster_name="lab", __skp_secrets=SECRETS)
    found.update(variables)
    loader.set_basedir(str(ROLES / role))
    return Templar(loader=loader, variables=found).template(found[name])


def without(*labels):
    """The groups of the site without these labels."""
    return {name: hosts for name, hosts in ALL.items() if name not in labels}


def service(groups=None, **variables):
    """The service; it is one that the module takes."""
    return made(json.dumps([groups, variables], sort_keys=True))


@functools.lru_cache(maxsize=None)
def made(asked):
    """The service of a site, templated once."""
    groups, variables = json.loads(asked)
    [found] = value("__gateway_services", groups, **variables)
    assert set(found) <= set(args.service_options())
    build_service(found, "gateway", "net", {})
    return found


def config(groups=None, **variables):
    """The text of nginx's configuration."""
    return next(item["content"] for item in service(groups, **variables)["configs"] if item["name"] == "nginx.conf")


def locations(text, portainer=False):
    """{location: its lines} of a configuration's server for most pages, or of the one for Portainer."""
    part = text.partition(PORTAINER)[2 if portainer else 0]
    return dict(re.findall(r"^        location ([^{]+) \{\n(.*?)^        \}$", part, re.DOTALL | re.MULTILINE))


def listed(groups=None, **variables):
    """What the page can open: {path: (title, area, whose login it asks for)}."""
    text = next(item["content"] for item in service(groups, **variables)["configs"] if item["name"] == "services.json")
    return {one["path"]: (one["title"], one["area"], one["login"]) for one in json.loads(text)}


def test_a_path_exists_where_a_host_has_the_label():
    found = locations(config())
    assert [name for name in found if name in PATHS] == PATHS
    assert listed() == {
        "/jupyter-skp/lab": ("JupyterLab", "jupyter", ""), "/spark/": ("Spark", "spark", ""), "/history/": ("Spark history", "history", ""),
        "/airflow/": ("Airflow", "airflow", ""), "/portainer/": ("Portainer", "portainer", "")}
    for labels, gone in ((("jupyter",), PATHS[:1]), (("spark_master",), PATHS[1:4]), (("airflow",), PATHS[4:5]), (("portainer",), [])):
        assert [name for name in locations(config(without(*labels))) if name in PATHS] == [name for name in PATHS if name not in gone]
    assert locations(config(spark_recovery_mode="zookeeper")).keys().isdisjoint(PATHS[1:3]), "which master has the cluster changes"


def test_whatever_is_behind_it_asks_the_auth_service_first():
    found, text = locations(config()), config()
    assert text.count("if ($foreign) {") == text.count(" ssl;") == 2
    for path in PATHS:
        area = {"/jupyter-skp/": "jupyter", "/proxy/": "spark"}.get(path, path.strip("/"))
        assert "auth_request /_check/%s;" % area in found[path] and "internal;" in found["= /_check/%s" % area]
        assert "?area=%s;" % area in found["= /_check/%s" % area]
        assert "proxy_set_header Cookie $other_cookies;" in found[path] and "proxy_set_header X-Forwarded-For $remote_addr;" in found[path]
    assert "auth_request /_check/overview;" in found["/overview/"] and "auth_request /_check/overview;" in found["= /overview/services.json"]
    proxied = {name for name, body in found.items() if "proxy_pass" in body and "auth_request" not in body}
    assert proxied == {"/v1/"} | {name for name in found if name.startswith("= /_check/")}, "nothing else goes on unasked"
    other = locations(text, portainer=True)
    assert set(other) == {"/page/", "@sign_in", "= /_check/portainer", "/"} and "auth_request /_check/portainer;" in other["/"]
    assert text.index("if ($foreign)") < text.index("location "), "pages of other origins are refused before anything"


def test_the_areas_are_those_of_the_auth_service():
    areas = set(value("auth_areas", role="auth"))
    assert set(value("__gateway_areas")) == areas
    assert value("auth_proxies", role="auth") == [value("gateway_name")]


def test_names_are_looked_up_when_somebody_asks():
    """A name in proxy_pass itself is looked up when nginx starts, which then does not start without the service."""
    text = config()
    assert [line for line in re.findall(r"proxy_pass (\S+);", text) if not re.match(r"http://\$(auth|to)\b", line)] == []
    assert "resolver 127.0.0.11" in text
    assert re.findall(r"set \$to (\S+);", text) == ["jupyter-skp:8010", *3 * ["spark-skp-master:8030"], "spark-skp-history:8031",
                                                    "airflow-skp:8040", "portainer-skp:8050"]
    moved = config(jupyter_name="lab", jupyter_port=9010, airflow_port=9040, auth_name="people", jupyter_baseurl="notes")
    assert "set $to lab:9010;" in moved and "set $to airflow-skp:9040;" in moved and "set $auth people:8060;" in moved and "/notes/" in locations(moved)


def test_jupyter_gets_a_token_and_others_their_own_or_none():
    found = locations(config())
    assert "include /run/secrets/gateway_jupyter.conf;" in found["/jupyter-skp/"] and "Authorization" not in found["/jupyter-skp/"]
    assert 'proxy_set_header Authorization "";' in found["/spark/"] and "proxy_set_header Authorization $their_authorization;" in found["/airflow/"]
    secret = {item["name"]: item for item in service()["secrets"]}
    assert secret["gateway_jupyter.conf"]["content"] == 'proxy_set_header Authorization "token %s";\n' % SECRETS["gateway_jupyter_token"]
    assert secret["gateway_airflow.conf"]["content"] == "proxy_set_header X-Skp-Gateway %s;\n" % SECRETS["gateway_airflow_token"]
    assert "include /run/secrets/gateway_airflow.conf;" in found["/airflow/"] and "proxy_set_header X-Skp-Level $level;" in found["/airflow/"]
    assert [path for path in PATHS if "gateway_airflow" in found[path]] == ["/airflow/"], "whoever has it is anybody in Airflow"
    assert {item["mode"] for item in secret.values()} == {"0400"} and {item["uid"] for item in secret.values()} == {"61008"}
    assert value("__gateway_needs")["secrets"] == ["gateway_ca_seed", "gateway_jupyter_token", "gateway_airflow_token", "gateway_portainer_password"]
    assert value("__gateway_needs", without("jupyter", "airflow", "portainer"))["secrets"] == ["gateway_ca_seed"]


def test_portainer_has_an_origin_of_its_own():
    text = config(gateway_portainer_port=9071)
    assert "return 302 https://$host:9071/;" in locations(text)["/portainer/"] and "return 302 /portainer/;" in locations(text)["= /portainer"]
    found = locations(text, portainer=True)
    assert "listen 9071 ssl;" in text.partition(PORTAINER)[2] and "return 302 https://$host:8070/?next=/portainer/;" in found["@sign_in"]
    assert "add_header" not in found["/"], "it would not have those of its server"
    assert "proxy_pass http://$to;" in found["/"]
    assert [port["target"] for port in service(gateway_portainer_port=9071)["ports"]] == [8070, 9071]
    assert service()["labels"]["skp.url"] == "https://{host}:8070 https://{host}:8071"
    assert service(without("portainer"))["labels"]["skp.url"] == "https://{host}:8070"
    alone = without("portainer")
    assert [port["target"] for port in service(alone)["ports"]] == [8070] and PORTAINER not in config(alone) and "portainer" not in config(alone)
    assert service(gateway_publish="none")["ports"] == []


def test_portainer_gets_an_access_token_of_its_own_account():
    """Neither a token nor a cookie of the browser goes there with it: Portainer refuses the one, and forgets the token for the other."""
    found = locations(config(), portainer=True)
    for line in ('proxy_set_header Authorization "";', 'proxy_set_header Cookie "";', "proxy_hide_header Set-Cookie;", "include /tmp/gateway/portainer.conf;"):
        assert line in found["/"], line
    assert config().count("portainer.conf") == 1
    env, files = service()["env"], {item["name"]: item["content"] for item in service()["secrets"]}
    assert (env["SKP_GATEWAY_PORTAINER"], env["SKP_GATEWAY_PORTAINER_ACCOUNT"]) == ("portainer-skp:8050", "skp-gateway")
    assert files["gateway_portainer_password"] == SECRETS["gateway_portainer_password"] and service()["hostname"] == "{{.Node.Hostname}}"
    for groups, more in ((without("portainer"), {}), (ALL, {"portainer_gateway_account": ""})):
        made_so = service(groups, **more)
        assert "SKP_GATEWAY_PORTAINER" not in made_so["env"] and "gateway_portainer_password" not in json.dumps(made_so["secrets"])
        assert "gateway_portainer_password" not in value("__gateway_needs", groups, **more)["secrets"]
    own = locations(config(portainer_gateway_account=""), portainer=True)["/"]
    assert "proxy_set_header Authorization $their_authorization;" in own and "portainer.conf" not in own and "$other_cookies" in own
    assert listed(portainer_gateway_account="")["/portainer/"][2] == "portainer", "the page says that it asks for its own login"


def test_several_jupyters_have_a_path_each():
    groups = {**ALL, "jupyter": ["c3", "c1"]}
    text = config(groups)
    assert set(locations(text)) >= {"= /jupyter/c1", "= /jupyter/c3", "/jupyter-skp/"} and "set $to $jupyter;" in text
    assert '"~(?:^|; *)skp_jupyter=c3(?:;|$)" "192.0.2.3:8010";' in text and 'default "192.0.2.1:8010";' in text
    assert set(listed(groups)) >= {"/jupyter/c1", "/jupyter/c3"} and "/jupyter-skp/lab" not in listed(groups)
    assert value("__gateway_problems", groups) == [] and "skp_expose" in value("__gateway_problems", groups, skp_expose="gateway")[0]
    assert "c1, c3" in value("__gateway_problems", groups, jupyter_publish="none")[0]
    one_gpu = {**groups, "gpu": ["c3"]}
    assert '"jupyter-skp-gpu:8010"' in config(one_gpu) and value("__gateway_problems", one_gpu, skp_expose="gateway") == []


def test_its_own_authority_or_the_sites_certificate(tmp_path):
    found = service(gateway_names=["skp.example"])
    assert found["env"]["SKP_GATEWAY_NAMES"].split(",") == ["c1", "192.0.2.1", "skp.example", "gateway-skp", "localhost", "127.0.0.1"]
    (tmp_path / "key").write_text("-----BEGIN PRIVATE KEY-----\nof a file\n", encoding="utf-8")
    given = {"gateway_certificate": "-----BEGIN CERTIFICATE-----\ngiven\n", "gateway_key": str(tmp_path / "key")}
    files = {item["name"]: item["content"] for item in service(**given)["secrets"]}
    assert set(files) == {"gateway_certificate", "gateway_key", "gateway_jupyter.conf", "gateway_airflow.conf", "gateway_portainer_password"}
    assert "of a file" in files["gateway_key"]
    assert "gateway_ca_seed" not in value("__gateway_needs", **given)["secrets"] and "SKP_GATEWAY_NAMES" not in service(**given)["env"]


def test_no_secret_is_in_a_config_an_environment_or_an_argument():
    seen = json.dumps({key: entry for key, entry in service(gateway_key="-----BEGIN canary", gateway_certificate="-----BEGIN x").items() if key != "secrets"})
    assert [word for word in (*SECRETS.values(), "canary") if word in seen] == []


@pytest.mark.parametrize("groups, variables, words", [
    (without("flask"), {}, "no host with the label flask"), (ALL, {"gateway_certificate": "x"}, "expected both or none"),
    (ALL, {"gateway_key": "a-secret"}, "expected both or none"), (ALL, {"jupyter_baseurl": "/"}, "jupyter_baseurl"),
    (ALL, {"jupyter_baseurl": "spark"}, "jupyter_baseurl"), (ALL, {"jupyter_baseurl": "a; return 200"}, "jupyter_baseurl"),
    (without("nginx"), {"skp_expose": "gateway"}, "no host has the label nginx")])
def test_what_cannot_work_is_refused(groups, variables, words):
    [found] = value("__gateway_problems", groups, **variables)
    assert words in found and "a-secret" not in found


def test_a_site_without_the_label_gets_nothing():
    none = without("nginx")
    assert value("__gateway_problems", none) == [] and value("__gateway_problems") == [] and value("__gateway_needs", none)["hosts"] == []


# The roles behind it --------------------------------------------------------------------------------------------------------------------------------

PUBLISHED = {"jupyter": 8010, "spark_master": 8030, "airflow": 8040, "portainer": 8050, "flask": 8060, "nginx": 8070}


def ports(groups, **variables):
    """{port: published} of the list for the packet filter and other roles."""
    return {int(one["port"]): one["publish"] for one in value("__skp_ports", groups, **variables)}


def test_behind_the_gateway_alone_services_publish_no_port():
    direct, alone, nobody = ports(ALL), ports(ALL, skp_expose="gateway"), ports(without("nginx"), skp_expose="gateway")
    for found in (direct, nobody):
        assert {port: found[port] for port in PUBLISHED.values()} == dict.fromkeys(PUBLISHED.values(), "all")
    assert {port: alone[port] for port in PUBLISHED.values()} == {**dict.fromkeys(PUBLISHED.values(), "none"), 8070: "all"}
    assert direct[8071] == alone[8071] == "all" and ports(without("portainer"))[8071] == "none"
    assert {port for port in direct if direct[port] != alone[port]} == {8010, 8030, 8031, 8040, 8050, 8060}, "programs' ports stay as they are"
    for groups, expose, shown in ((ALL, "direct", [8010]), (ALL, "gateway", []), (without("nginx"), "gateway", [8010])):
        lab = value("__jupyter_lab", groups, role="jupyter", skp_expose=expose)
        assert [port["target"] for port in lab["ports"]] == shown


def test_jupyter_takes_the_gateways_token_only_where_there_is_one():
    def settings(groups):
        lab = value("__jupyter_lab", groups, role="jupyter")
        files = {item["name"]: item["content"] for item in lab["configs"] + lab["secrets"]}
        compile(files["jupyter_server_config.py"], "jupyter_server_config.py", "exec")
        return files
    behind, alone = settings(ALL), settings(without("nginx"))
    assert "class BehindGateway(PasswordIdentityProvider)" in behind["jupyter_server_config.py"] and behind["gateway_jupyter_token"]
    assert "ateway" not in alone["jupyter_server_config.py"] and "gateway_jupyter_token" not in alone
    assert "gateway_jupyter_token" not in value("__jupyter_secret_names", without("nginx"), role="jupyter")


def test_airflow_has_the_gateways_path_wherever_it_is_named():
    def settings(groups):
        return {name: value(name, groups, role="airflow") for name in ("__airflow_path", "__airflow_base", "__airflow_environment", "__airflow_api")}
    behind, alone = settings(ALL), settings(without("nginx"))
    assert behind["__airflow_base"] == {"AIRFLOW__API__BASE_URL": "/airflow/"} and alone["__airflow_base"] == {}
    for found, path in ((behind, "/airflow/"), (alone, "/")):
        assert found["__airflow_environment"]["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://airflow-skp:8040%sexecution/" % path
        assert found["__airflow_api"]["labels"]["skp.url"] == "http://{host}:8040" + path.rstrip("/") + ("/" if path != "/" else "")
    assert "/airflow/" in locations(config())


def test_airflow_takes_the_gateways_secret_only_where_there_is_one():
    behind, alone = (value("__airflow_api", groups, role="airflow") for groups in (ALL, without("nginx")))
    assert [item["name"] for item in behind["secrets"]] == ["airflow.cfg", "gateway_airflow_token"]
    assert [item["name"] for item in alone["secrets"]] == ["airflow.cfg"] and "SKP_AIRFLOW_GATEWAY_ROLE" not in alone["env"]
    others = [one for one in value("__airflow_services", role="airflow") if one["name"] != "airflow-skp"]
    assert len(others) > 4 and "gateway_airflow_token" not in json.dumps(others), "whoever has it is anybody in Airflow"
    assert "gateway_airflow_token" not in value("__airflow_secret_names", without("nginx"), role="airflow")


# The page ---------------------------------------------------------------------------------------------------------------------------------------------

def test_the_page_keeps_to_its_policy():
    """Nothing inline and nothing from elsewhere: the Content-Security-Policy forbids both."""
    policy = re.search(r'Content-Security-Policy "([^"]+)" always', config()).group(1)
    assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    for path in PAGE.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=", text) == []
        urls = re.findall(r'(?:src|href)="([^"]*)"', text)
        assert [url for url in urls if not url.startswith(("/page/", "#", "data:,")) and url not in ("/", "/ca.crt")] == []
    script = (PAGE / "page.js").read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|sessionStorage|document\.cookie", script)
    assert set(re.findall(r"localStorage\.\w+\((\"\w+\")", script)) == {'"skp_language"'}, "no token is ever stored"


def words():
    """{language: {key: text}} of the page's words."""
    text = (PAGE / "words.js").read_text(encoding="utf-8").partition("const STATES")[0]
    parts = re.split(r"^  (en|ko): \{$", text, flags=re.MULTILINE)[1:]
    return {name: dict(re.findall(r'\b(\w+): ((?:"[^"]*"(?:\s*\+ )?)+)', body)) for name, body in zip(parts[::2], parts[1::2])}


def test_every_word_is_there_in_both_languages():
    found = words()
    assert set(found) == {"en", "ko"} and found["en"].keys() == found["ko"].keys()
    for key, text in found["en"].items():
        assert sorted(re.findall(r"\{\d\}", text)) == sorted(re.findall(r"\{\d\}", found["ko"][key])), key
        assert re.search("[가-힣]", found["ko"][key]), key
    html, script = ((PAGE / name).read_text(encoding="utf-8") for name in ("index.html", "page.js"))
    used = set(re.findall(r'data-(?:say|label)="(\w+)"', html)) | set(re.findall(r'\bsay\("(\w+)"', script))
    assert used - set(found["en"]) - {"level_", "login_"} == set()


def test_every_element_that_the_script_asks_for_is_there():
    html, script = ((PAGE / name).read_text(encoding="utf-8") for name in ("index.html", "page.js"))
    ids = re.findall(r'\bid="([\w-]+)"', html)
    assert len(ids) == len(set(ids)) and set(re.findall(r'\$\("([\w-]+)"\)', script)) <= set(ids)
    assert set(re.findall(r'<label for="([\w-]+)"', html)) == set(re.findall(r'<(?:input|textarea|select)[^>]* id="([\w-]+)"', html)) | set(
        re.findall(r'<(?:input|textarea|select) id="([\w-]+)"', html)), "every field has a label"
