# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of the site: what an entry becomes, the rules that it keeps, one clear sentence for each that is wrong."""

from __future__ import annotations

import base64
import copy
import os
import pathlib
import re
import subprocess

import pytest
import yaml

from ansible_collections.skp.cluster.plugins.filter.custom_services import FilterModule
from ansible_collections.skp.cluster.plugins.module_utils.service.args import service_options
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service
from ansible_collections.skp.cluster.plugins.plugin_utils import _custom_services as plan

GROUPS = {"skp": ["c1", "c2", "c3"], "master": ["c1"], "hello": ["c2"], "web": ["c2", "c3"], "jupyter": ["c2"], "my_label": ["c1"]}
SETTINGS = {"registry": "localhost:5000", "tag": "latest", "data": "/var/lib/skp", "home": "/srv/skp", "volumes_dir": "/mnt/skp",
            "secrets_dir": "/etc/skp/secrets", "ports": [{"group": "jupyter", "port": "8010", "publish": "all"},
                                                         {"group": "jupyter", "port": 8020, "publish": "none"}], "reserved": [22, 5000]}
HELLO = {
    "name": "hello", "build": "hello", "ports": ["8080:80"], "env": {"GREETING": "hi", "TOKEN_FILE": "/run/secrets/hello_token"},
    "secrets": ["hello_token"], "volumes": [{"data": "notes", "target": "/data"}], "command": ["python3", "/app.py"],
    "healthcheck": "curl -f localhost", "url": "http://{host}:8080", "login": "hello_token", "memory": "64m",
}


def of(*entries, groups=None, secrets=None, **settings):
    """The plan of some entries."""
    return plan.of_cluster(list(entries), groups or GROUPS, dict(SETTINGS, **settings), secrets)


def one(**keys):
    """The service of one entry, which has no fault."""
    found = of({"name": "web", "image": "localhost:5000/skp/docker-base:latest", **keys})
    assert found["problems"] == []
    return found["services"][0]


def refusal(**keys):
    """The only problem of one entry."""
    entry = {"name": "web", "image": "example/web:1", **keys}
    [problem] = of({key: value for key, value in entry.items() if value is not None})["problems"]
    assert problem.startswith("Service ") and "skp_custom_services: " in problem and "\n" not in problem
    return problem


def test_the_name_of_the_filter():
    assert FilterModule().filters() == {"custom_services": plan.of_cluster}


def test_what_an_entry_becomes():
    found = of(HELLO, secrets={"hello_token": "canary"})
    assert found["problems"] == found["idle"] == []
    [service] = found["services"]
    assert service == {
        "name": "hello", "image": "localhost:5000/skp/custom-hello:latest", "host": "c2", "owns_data": "/var/lib/skp/custom/hello",
        "env": {"GREETING": "hi", "TOKEN_FILE": "/run/secrets/hello_token"},
        "secrets": [{"name": "hello_token", "uid": "61000", "gid": "61000", "content": "canary"}],
        "mounts": [{"source": "/var/lib/skp/custom/hello/notes", "target": "/data", "read_only": False},
                   {"type": "tmpfs", "target": "/tmp", "size": "64m", "mode": "1777"}],
        "ports": [{"target": 80, "published": 8080}], "labels": {"skp.url": "http://{host}:8080", "skp.login": "/etc/skp/secrets/hello_token"},
        "init": True, "read_only": True, "cap_drop": ["ALL"], "cap_add": [], "limits": {"memory": "64m"}, "restart": {"condition": "any", "delay": "5s"},
        "user": "61000:61000", "args": ["python3", "/app.py"], "healthcheck": dict(plan.HEALTH, test="curl -f localhost"),
    }
    assert found["images"] == [{"name": "custom-hello", "context": "hello", "base": "docker-base", "args": {}}]
    assert found["images_of_group"] == {"hello": ["custom-hello"]}
    assert found["ports"] == [{"group": "hello", "port": 8080, "publish": "all"}]
    owned = {"owner": "61000", "group": "61000", "mode": "0750"}
    assert found["needs"] == {
        "custom": {"hosts": ["c2"], "enabled": True, "shared_directories": [], "purge_directories": [{"path": "/var/lib/skp/custom/hello", **owned}],
                   "purge_shared_directories": [], "secrets": ["hello_token"]},
        "custom-hello": {"hosts": ["c2"], "directories": [{"path": "/var/lib/skp/custom/hello" + part, **owned} for part in ("", "/notes")]},
    }
    assert (found["secrets"], found["labels"], found["hosts"]) == (["hello_token"], {"hello": ["c2"]}, ["c2"])


def test_what_the_module_takes():
    """Only its options, and a definition can be built of it."""
    for service in (of(HELLO, secrets={"hello_token": "canary"})["services"][0], one(), one(user="image", cpus=0.5, healthcheck=["true"])):
        assert set(service) <= set(service_options())
        assert "canary" not in str(build_service(service, "custom", "net-skp", {})["payload"])


def test_the_rules_for_containers_hold_without_a_word():
    container = build_service(one(), "custom", "net-skp", {})["payload"]["TaskTemplate"]
    spec = container["ContainerSpec"]
    assert spec["ReadOnly"] and spec["User"] == "61000:61000" and spec["CapabilityDrop"] == ["ALL"] and "CapabilityAdd" not in spec
    assert spec["Privileges"]["NoNewPrivileges"] and container["Resources"]["Limits"] == {"MemoryBytes": 512 * 2**20, "Pids": 4096}


def test_exceptions_have_names():
    service = one(read_only=False, user="0:0", capabilities=["NET_BIND_SERVICE"], memory="", init=False)
    assert (service["read_only"], service["user"], service["cap_add"], service["limits"], service["mounts"], service["init"]) == (
        False, "0:0", ["NET_BIND_SERVICE"], {}, [], False)
    assert "user" not in one(user="image") and one(user=1000)["user"] == "1000"
    assert one(user="image", secrets=["a"])["secrets"] == [{"mode": "0444", "name": "a"}]
    assert one(tmp="")["mounts"] == []
    assert [mount["target"] for mount in one(volumes=[{"shared": "t", "target": "/tmp"}])["mounts"]] == ["/tmp"]


def test_an_image_of_somebody_else_becomes_one_of_the_cluster():
    found = of({"name": "web", "image": "docker.io/library/node:22-alpine"})
    [image] = found["images"]
    assert (image["name"], image["base"]) == ("custom-web", "docker.io/library/node:22-alpine")
    [file] = image["files"]
    assert file["path"] == "Dockerfile" and base64.b64decode(file["content"]) == b"ARG BASE\nFROM ${BASE}\n"
    assert found["services"][0]["image"] == "localhost:5000/skp/custom-web:latest"


def test_an_image_of_the_cluster_is_used_as_it_is():
    found = of({"name": "web", "image": "localhost:5000/skp/docker-ds:latest"})
    assert found["images"] == [] and found["services"][0]["image"] == "localhost:5000/skp/docker-ds:latest"


def test_without_data_a_service_follows_its_label():
    service = one()
    assert service["label"] == "web" and "host" not in service and "owns_data" not in service
    assert one(label="my-label")["label"] == "my-label"


def test_a_label_without_hosts():
    found = of(dict(HELLO, label="nobody"))
    assert found["idle"] == ["hello"] and found["services"] == found["images"] == found["secrets"] == found["hosts"] == []
    assert found["needs"] == {"custom": {"hosts": [], "enabled": False, "shared_directories": [], "purge_directories": [], "purge_shared_directories": [],
                                         "secrets": []}}


def test_nothing():
    found = of()
    assert found["needs"]["custom"]["enabled"] is False and not any(value for key, value in found.items() if key != "needs")


def test_volumes():
    found = of({"name": "web", "image": "example/web", "user": "1000:1001", "volumes": [
        {"shared": "a", "target": "/a"}, {"shared": "b", "target": "/b", "read_only": True}, {"path": "/mnt/skp", "target": "/mnt"}]})
    service = found["services"][0]
    assert service["mounts"][:3] == [
        {"source": "/srv/skp/custom/web/a", "target": "/a", "read_only": False}, {"source": "/srv/skp/custom/web/b", "target": "/b", "read_only": True},
        {"source": "/mnt/skp", "target": "/mnt", "read_only": False, "propagation": "rslave"}]
    needs = found["needs"]["custom"]
    assert [directory["path"] for directory in needs["shared_directories"]] == ["/srv/skp/custom/web" + part for part in ("", "/a", "/b")]
    assert {(directory["owner"], directory["group"]) for directory in needs["shared_directories"]} == {("1000", "1001")}
    assert [directory["path"] for directory in needs["purge_shared_directories"]] == ["/srv/skp/custom/web"] and needs["purge_directories"] == []
    assert service["label"] == "web", "what is on the shared store is there for all hosts"


def test_a_secret_in_the_environment(tmp_path):
    """The definition has the name only; the program finds the value, and its arguments are as they were."""
    service = one(env={"API_TOKEN": {"secret": "api_token"}, "PLAIN": "x"}, entrypoint=["/bin/sh"], command=["-c", 'echo "$API_TOKEN/$0/$1"', "a b", "$c"])
    assert [entry["name"] for entry in service["secrets"]] == ["api_token"] and service["env"] == {"PLAIN": "x"}
    (tmp_path / "api_token").write_text("can'ary $x", encoding="utf-8")
    argv = [word.replace("/run/secrets", str(tmp_path)) for word in [*service["command"], *service["args"]]]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "can'ary $x/a b/$c\n"
    os.unlink(tmp_path / "api_token")
    assert subprocess.run(argv, capture_output=True, check=False).returncode != 0, "no start without the secret"


DATA = {"data": "a", "target": "/a"}


@pytest.mark.parametrize("keys, expected", [
    ({"name": None}, "number 1 of skp_custom_services: found name ''"),
    ({"name": "Web"}, "found name 'Web', expected lower-case letters"),
    ({"name": "a--b"}, "found name"),
    ({"name": "kafka-skp"}, "names with -skp are those of the collection's services"),
    ({"name": "kafka-skp-4"}, "names with -skp"),
    ({"label": "a b"}, "found label 'a b'"),
    ({"imge": "x"}, "unknown key imge. Did you mean image?"),
    ({"zzz": "x"}, "unknown key zzz. Keys are name, image,"),
    ({"build": "web"}, "found both image and build, expected exactly one"),
    ({"image": None}, "found neither image nor build"),
    ({"image": "https://example/web"}, "found image"),
    ({"image": "a b"}, "found image 'a b', expected a reference"),
    ({"base": "docker-java"}, "base is for build"),
    ({"ports": "8080"}, "ports is '8080', expected a list"),
    ({"ports": [133342]}, "found port 133342, expected the port on the node and that in the container, such as 8080 or \"8080:80\" in quotes"),
    ({"ports": ["80:http"]}, "found port '80:http'"),
    ({"ports": [0]}, "found port 0"),
    ({"ports": [True]}, "found port true"),
    ({"ports": [8080, "8080:80"]}, "port 8080 stands there twice"),
    ({"ports": [5000]}, "port 5000 is the cluster's own. Publish another one, for example \"15000:5000\"."),
    ({"ports": [8010]}, "port 8010 on c2 is that of the service of the label jupyter. Publish another one"),
    ({"user": "node"}, "found user 'node', expected numbers"),
    ({"secrets": ["a b"]}, "found secret 'a b'"),
    ({"secrets": [{"name": "a"}]}, "found secret an object with name"),
    ({"env": {"1A": "x"}}, "found '1A' in env"),
    ({"env": {"A": ["x"]}}, "A in env is a list"),
    ({"env": {"A": {"secret": "no good"}}, "command": ["x"]}, "found secret 'no good'"),
    ({"env": {"A": {"secret": "a"}}}, "env takes A from a secret, which needs a shell"),
    ({"command": "node app.js"}, "command is 'node app.js', expected a list"),
    ({"command": [["a"]]}, "command has a list, expected words"),
    ({"volumes": ["/a:/b"]}, "found volume '/a:/b', expected {data: name"),
    ({"volumes": [dict(DATA, shared="b")]}, "found volume an object with data, shared, target"),
    ({"volumes": [dict(DATA, mode="ro")]}, "found volume an object with data, mode, target"),
    ({"volumes": [dict(DATA, target="a")], "label": "hello"}, "found target 'a'"),
    ({"volumes": [dict(DATA, target="/run/secrets")], "label": "hello"}, "found target '/run/secrets'"),
    ({"volumes": [DATA, dict(DATA, data="b")], "label": "hello"}, "two volumes have the target /a"),
    ({"volumes": [dict(DATA, data="../b")], "label": "hello"}, "found data '../b' of a volume"),
    ({"volumes": [dict(DATA, read_only="yes")], "label": "hello"}, "read_only of the volume /a is 'yes'"),
    ({"volumes": [DATA]}, "data is on one host's disk, and c2, c3 have the label web"),
    ({"volumes": [DATA], "label": "hello", "user": "image"}, "needs the number of its owner"),
    ({"volumes": [{"path": "/", "target": "/a"}]}, "a container may not have / of its node"),
    ({"volumes": [{"path": "/var/run/docker.sock", "target": "/a"}]}, "a container may not have /var/run/docker.sock"),
    ({"volumes": [{"path": "/etc/skp/secrets", "target": "/a"}]}, "a container may not have"),
    ({"volumes": [{"path": "/srv/../etc", "target": "/a"}]}, "found path '/srv/../etc'"),
    ({"volumes": [{"path": "/var/lib/skp/kafka", "target": "/a"}]}, "has the data of the cluster's services"),
    ({"volumes": [{"path": "/mnt/skp/lake", "target": "/a"}]}, "found path /mnt/skp/lake, expected /mnt/skp"),
    ({"healthcheck": {"interval": "1s"}}, "found healthcheck an object with interval"),
    ({"healthcheck": {"test": "true", "retry": 1}}, "found healthcheck an object with retry, test"),
    ({"healthcheck": {"test": "true", "interval": "soon"}}, "healthcheck: 'soon' is not a duration"),
    ({"memory": "lots"}, "'lots' is not a size"),
    ({"tmp": "lots"}, "'lots' is not a size"),
    ({"cpus": "many"}, "cpus is 'many', expected a number"),
    ({"read_only": "yes"}, "read_only is 'yes', expected true or false"),
])
def test_a_bad_entry_gets_one_sentence(keys, expected):
    assert expected in refusal(**keys)


@pytest.mark.parametrize("key", ["PASSWORD", "MYSQL_ROOT_PASSWORD", "api_token", "AWS_SECRET_ACCESS_KEY", "APIKEY"])
def test_a_secret_in_plain_text_is_refused_and_not_shown(key):
    text = refusal(env={key: "canary"})
    assert "%s in env looks like a secret" % key in text and "{secret: a_name}" in text and "canary" not in text


@pytest.mark.parametrize("key, value", [("MYSQL_ALLOW_EMPTY_PASSWORD", "yes"), ("RANDOM_PASSWORD", True), ("PASSWORD", ""), ("TOKEN", None),
                                        ("TOKEN_URL", "x"), ("TOKEN", "/run/secrets/a"), ("KEYBOARD", "ko")])
def test_what_only_sounds_like_a_secret(key, value):
    assert one(env={key: value})["env"] == {key: value}


def test_entries_that_are_none():
    assert of("web")["problems"] == ["Service number 1 of skp_custom_services: found 'web', expected an object with name and image or build."]
    assert "found a list" in of([])["problems"][0]


def test_a_bad_entry_is_in_nothing_and_the_others_stay():
    found = of({"name": "web", "image": "a b", "ports": [80]}, HELLO)
    assert len(found["problems"]) == 1 and [service["name"] for service in found["services"]] == ["hello"]
    assert [port["port"] for port in found["ports"]] == [8080]


def test_names_and_ports_of_two_entries():
    [problem] = of(HELLO, dict(HELLO, ports=[]))["problems"]
    assert "Service hello of skp_custom_services: 2 entries have this name" in problem
    other = {"name": "web", "image": "example/web", "ports": [8080]}
    [problem] = of(HELLO, other)["problems"]
    assert "port 8080 on c2 is that of the service hello" in problem and "\"18080:8080\"" in problem
    assert of(HELLO, dict(other, label="my-label"))["problems"] == [], "other hosts"
    assert of({"name": "web", "image": "example/web", "ports": [8020]})["problems"] == [], "that service publishes nothing"


def test_the_entries_stay_as_they_were():
    entries = [copy.deepcopy(HELLO)]
    plan.of_cluster(entries, GROUPS, SETTINGS)
    assert entries == [HELLO]


PAGE = pathlib.Path(__file__).parents[8] / "docs/custom_services.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the collection is installed without the repository's docs")
def test_the_samples_of_the_page_are_right():
    """Copied as they stand, and all keys are in its table."""
    text = PAGE.read_text(encoding="utf-8")
    samples = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)]
    lists = [sample["skp_custom_services"] for sample in samples if "skp_custom_services" in sample]
    parts = [sample for sample in samples if set(sample) <= set(plan.KEYS)]
    assert [len(entries) for entries in lists] == [1, 2] and len(parts) == 1
    for entries in [*lists, *([dict(part, name="part", image="example/part:1")] for part in parts)]:
        groups = {"hello": ["c1"], "cache": ["c1"], "spark_worker": ["c1", "c2"], "part": ["c1"]}
        found = of(*entries, groups=groups)
        assert found["problems"] == found["idle"] == []
    table = text.partition("## Keys of an entry")[2].partition("## Rules")[0]
    rules = text.partition("## Rules, and")[2].partition("## Secrets")[0]
    assert [key for key in plan.KEYS if "`%s`" % key not in table and "`%s: " % key not in rules] == []
    for phrase, value in (("`/tmp` is 64 MB", plan.TMP), ("The user is 61000:61000", plan.USER), ("512 MB of memory", plan.MEMORY)):
        assert phrase in rules and re.sub("[a-z]", "", value) in phrase
    assert all("`%s` (%s)" % item in table for item in plan.HEALTH.items())
