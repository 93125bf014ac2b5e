# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What variables of roles say in a given site, templated as in a play."""

from __future__ import annotations

import inspect
import json
import pathlib
import re

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.skp.cluster.plugins.module_utils.data_dirs.plan import plan_present
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service

ROLES = pathlib.Path(__file__).parents[3] / "roles"
# From ansible-core 2.19 on, only a trusted file has templates.
TRUSTED = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(DataLoader.load_from_file).parameters else {}
GROUPS = {"skp": ["c1", "c2", "c3"], "master": ["c1"], "manager": ["c2", "c3"], "jupyter": ["c2"]}
HOSTVARS = {"c%d" % number: {"ansible_host": "203.0.113.%d" % number, "swarm_advertise_addr": "10.0.0.%d" % number} for number in (1, 2, 3)}


def value(role, name, host="c1", groups=None, **variables):
    """A variable of a role on a host."""
    loader, found = DataLoader(), {}
    for path in ("_common/defaults", "_common/vars", role + "/defaults", role + "/vars"):
        found.update(loader.load_from_file(str(ROLES / path / "main.yml"), **TRUSTED))
    groups = dict(GROUPS, **(groups or {}))
    found.update(role_path=str(ROLES / role), inventory_hostname=host, groups=groups, hostvars=HOSTVARS, ansible_run_tags=["all"],
                 group_names=sorted(group for group, hosts in groups.items() if host in hosts and group != "skp"), ansible_skip_tags=[], **variables)
    return Templar(loader=loader, variables=found).template(found[name])


@pytest.mark.parametrize("variable, mirror, names", [
    ("skp_go_proxy", "https://goproxy.example,direct", ["goproxy.example"]),
    ("skp_go_proxy", "https://user:word@goproxy.example/a|https://other.example,off", ["goproxy.example", "other.example"]),
    ("skp_apt_mirror", "deb [a=b] https://one.example/debian trixie main\ndeb http://two.example:80/debian trixie main", ["one.example", "two.example"]),
    ("skp_pip_index", "https://user:word@pip.example/simple", ["pip.example"]),
])
def test_hosts_of_mirrors_are_resolved_where_they_are_used(variable, mirror, names):
    assert value("preflight", "__preflight_names", **{variable: mirror}) == ["localhost", *names]
    assert value("preflight", "__preflight_names", "c2", **{variable: mirror}) == ["localhost"]


@pytest.mark.parametrize("groups, variables, port", [
    ({"jupyter": ["c1"]}, {"jupyter_port": 9010}, "9010/tcp"),
    ({"jupyter": ["c1"]}, {"jupyter_restapiport": 9020}, "9020/tcp"),
    ({"kafka": ["c1"]}, {"kafka_outside_port": 9999}, "9999/tcp"),
    ({"spark_master": ["c1"]}, {"spark_ui_port": 9030}, "9030/tcp"),
    ({"registry": ["c1"]}, {"skp_registry": "localhost:5001"}, "5001/tcp"),
    ({"kafka": ["c1"]}, {}, "9094/tcp"),
])
def test_the_ports_that_services_use_are_looked_at(groups, variables, port):
    assert port in value("preflight", "__preflight_ports", groups=groups, **variables)


def test_peers_are_tried_at_the_address_that_nodes_use():
    assert value("preflight", "__preflight_peers", "c2") == {"c1": "10.0.0.1", "c3": "10.0.0.3"}


@pytest.mark.parametrize("mode, host, marker", [("nfs", "c1", "keep"), ("nfs", "c2", "none"), ("existing", "c1", "new"), ("existing", "c2", "new")])
def test_over_nfs_only_the_master_writes_a_marker(mode, host, marker):
    assert value("preflight", "__preflight_marker", host, store_mode=mode) == marker


@pytest.mark.parametrize("airflow, given, refused", [
    (["c2"], {"airflow_uid": "70000"}, "airflow_uid=70000, jupyter_uid=61000"), (["c2"], {"airflow_gid": "70000"}, "airflow_gid=70000, jupyter_gid=61000"),
    (["c2"], {}, ""), ([], {"airflow_uid": "70000"}, ""),
])
def test_over_nfs_all_services_write_as_one_user(airflow, given, refused):
    found = value("store", "__store_plan", "c1", groups={"airflow": airflow}, __store_read={"stdout": ""}, **given)["refusal"]
    assert refused in found and bool(found) is bool(refused)


@pytest.mark.parametrize("gpu, needed", [(["c2"], True), (["c3"], False), ([], False)])
def test_the_gpu_image_is_built_for_hosts_that_use_it(gpu, needed):
    assert ("docker-ds-gpu" in value("images", "__images_needed", groups={"gpu": gpu})) is needed
    for host in gpu:
        assert ("docker-ds-gpu" in value("images", "__images_here", host, groups={"gpu": gpu})) is needed


def test_a_run_without_the_master_takes_the_digests_of_the_ledger():
    known = {"docker-ds": {"digest": "sha256:1", "reference": "localhost:5000/skp/docker-ds@sha256:1"}}
    assert value("images", "__images_known", "c2", __images_ledger={"images": known}) == known
    assert value("images", "__images_known", "c2", __images_ledger={"skipped": True}) == {}


def test_the_store_is_that_of_the_master_as_nodes_see_it():
    plan = value("store", "__store_plan", "c2", __store_read={"stdout": ""})
    assert value("preflight", "__preflight_settings", "c2")["store_nfs_server"] == "10.0.0.1"
    assert value("preflight", "__preflight_settings", "c2", store_nfs_server="10.9.9.9")["store_nfs_server"] == "10.9.9.9"
    assert (plan["source"], plan["refusal"]) == ("10.0.0.1:/srv/skp", "")
    text = value("store", "__store_plan", "c1", __store_read={"stdout": ""})["exports"]
    assert "10.0.0.2(rw,all_squash,anonuid=" in text and "10.0.0.3(ro,all_squash," in text


@pytest.mark.parametrize("mode, host, words", [
    ("nfs", "c1", "mode=serve"), ("nfs", "c2", "mode=client"), ("existing", "c1", "mode=existing"), ("existing", "c2", "mode=existing")])
def test_each_node_waits_for_the_store_in_its_own_way(mode, host, words):
    files = value("store", "__store_boot", host, store_mode=mode)["files"]
    assert words in files[0]["content"] and "record=/etc/skp/registry/store_id" in files[0]["content"]
    elsewhere = value("store", "__store_boot", host, store_mode=mode, registry_store="/nas/images")["files"]
    assert "marker=/nas/images/.skp-registry-store" in elsewhere[0]["content"]


def test_the_containers_wait_for_the_store_in_both_modes():
    tasks = DataLoader().load_from_file(str(ROLES / "store/tasks/main.yml"))
    boot = [task for task in tasks if task.get("ansible.builtin.include_tasks") == "boot.yml"]
    assert len(boot) == 1 and "store_mode" not in str(boot[0])


@pytest.mark.parametrize("role, name, variable, groups", [
    ("jupyter", "__jupyter_lab", "jupyter_publish", {}),
    ("jupyter", "__jupyter_gateway", "jupyter_gateway_publish", {}),
    ("spark", "__spark_master", "spark_ui_publish", {"spark_master": ["c1"]}),
    ("spark", "__spark_history", "spark_history_publish", {"spark_master": ["c1"]}),
])
def test_a_port_can_be_left_unpublished(role, name, variable, groups):
    def ports(choice):
        loader = DataLoader()
        found = loader.load_from_file(str(ROLES / role / "vars/main.yml"), **TRUSTED)[name]["ports"]
        others = {"__skp_direct": True, "jupyter_port": 8010, "jupyter_restapiport": 8020, "spark_ui_port": 8030, "spark_history_port": 8031}
        return Templar(loader=loader, variables={variable: choice, **others}).template(found)
    assert ports("none") == [] and len(ports("all")) == 1


def filter_of(host="c1", **variables):
    return value("_service", "__service_network", host, **variables)


def test_the_packet_filter_of_a_node():
    found = filter_of("c2", groups={"kafka": ["c1", "c2"], "spark_master": ["c1"]}, skp_allow_from="10.1.0.0/16, 10.2.0.5", kafka_outside_port=9999,
                      jupyter_gateway_publish="none")
    assert found["nodes"] == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "203.0.113.1", "203.0.113.2", "203.0.113.3"]
    assert [str(port) for port in found["published"]] == ["8010", "9999"]
    # 8071 only where a host has the label portainer.
    assert [str(port) for port in found["published_anywhere"]] == ["8010", "8030", "8031", "9999", "8040", "8050", "8060", "8070"]
    assert found["allow_from"] == ["10.1.0.0/16", "10.2.0.5"]
    assert "2375-2377" in found["closed_ports"] and found["closed_networks"] == ["169.254.0.0/16"]
    assert found["publish_addresses"] == [] and found["swarm_allow_from"] == []
    assert (found["registry_port"], found["registry_users"]) == ("", ["0"])
    found = filter_of("c2", groups={"registry": ["c2"]}, skp_registry="localhost:5001", skp_registry_users="1000", registry_user="61003:61003")
    assert (found["registry_port"], found["registry_users"]) == ("5001", ["1000", "61003"])
    found = filter_of("c2", skp_publish_addresses="10.0.0.2", skp_swarm_allow_from="nodes, 10.1.0.0/16")
    assert found["publish_addresses"] == ["10.0.0.2"] and found["swarm_allow_from"] == ["nodes", "10.1.0.0/16"]
    assert value("preflight", "__preflight_settings", "c2")["publish_addresses"] == {"c1": [], "c2": [], "c3": []}


def test_a_node_that_joins_is_let_in_first():
    """The managers' filter knows the addresses of the last run only, and the visit of the nodes comes after the swarm's play."""
    names = [task["name"] for task in DataLoader().load_from_file(str(ROLES / "swarm/tasks/bootstrap.yml"))]
    assert names.index("Let the nodes that join reach the managers") < names.index("Join nodes to the swarm")


def test_ports_of_the_filter_are_those_of_the_roles():
    """The shared variables name the defaults of other roles a second time."""
    found = {str(entry["port"]) for entry in value("_common", "__skp_ports")}
    assert found == {str(value(role, name)) for role, name in (
        ("jupyter", "jupyter_port"), ("jupyter", "jupyter_restapiport"), ("spark", "spark_ui_port"), ("spark", "spark_history_port"),
        ("kafka", "kafka_outside_port"), ("mysql", "mysql_port"), ("postgresql", "postgresql_port"),
        ("airflow", "airflow_port"), ("airflow", "airflow_flower_port"), ("portainer", "portainer_port"),
        ("auth", "auth_port"), ("gateway", "gateway_port"), ("gateway", "gateway_portainer_port"))}


def test_a_port_that_is_not_published_may_be_used_by_others():
    groups = {"jupyter": ["c1"], "kafka": ["c1"]}
    ports = value("preflight", "__preflight_ports", groups=groups, jupyter_publish="none", kafka_publish="none")
    assert "8020/tcp" in ports and not {"8010/tcp", "9094/tcp"} & set(ports)


def spark_settings(role, **given):
    """The refused settings of a role that is Spark, or a client of it."""
    loader, found = DataLoader(), {}
    for path in ("_common/defaults", "_common/vars", "_spark/defaults", "_spark/vars", "jupyter/defaults", "spark/defaults",
                 *([role + "/vars"] if role == "spark" else [])):
        found.update(loader.load_from_file(str(ROLES / path / "main.yml"), **TRUSTED))
    found.update(groups=dict(GROUPS, spark_master=["c1"], spark_worker=["c2"]), hostvars=HOSTVARS, inventory_hostname="c1", **given)
    return Templar(loader=loader, variables=found).template(found["__spark_refused_settings"])


@pytest.mark.parametrize("role", ["spark", "jupyter"])
@pytest.mark.parametrize("given, refused", [
    ({}, []),
    ({"spark_config": {"spark.a": "1\nspark.authenticate false"}}, ["spark.a"]),
    ({"spark_config": {"spark.a": "1\r"}}, ["spark.a"]),
    ({"spark_config": {"spark.a\nspark.b": 1}}, ["spark.a\nspark.b"]),
    ({"spark_config": {"spark.a spark.b": 1}}, ["spark.a spark.b"]),
    ({"spark_config": {"spark.a": True, "spark.b": 1, "spark.c": "a=b c"}}, []),
    ({"spark_idle_timeout": "60s\nspark.authenticate false"}, ["spark.dynamicAllocation.executorIdleTimeout"]),
])
def test_a_setting_of_spark_is_one_line(role, given, refused):
    assert sorted(set(spark_settings(role, **given))) == refused


def test_line_breaks_do_not_leave_a_setting_of_jupyter():
    """All values of Jupyter's Python files are numbers, booleans, or JSON in a quoted text."""
    for path in sorted((ROLES / "jupyter/templates").glob("*.j2")):
        text = path.read_text(encoding="utf-8")
        raw = set(re.findall(r"\{\{ *(\w+) *\}\}", text))
        assert raw <= {"jupyter_port", "jupyter_restapiport", "jupyter_cull_idle_seconds", "jupyter_gateway_cull_idle_seconds"}, path.name
        specs = DataLoader().load_from_file(str(ROLES / "jupyter/meta/argument_specs.yml"))["argument_specs"]["main"]["options"]
        assert {specs[name]["type"] for name in raw} == {"int"}


def hosts_with(name, *results):
    """Host variables, with a registered result on each host of the play."""
    return {"ansible_play_hosts": list(HOSTVARS), "hostvars": {host: dict(HOSTVARS[host], **{name: result}) for host, result in zip(HOSTVARS, results)}}


def in_play(role, name, given, **variables):
    """A variable of a role, with these host variables."""
    loader, found = DataLoader(), {}
    for path in ("_common/defaults", "_common/vars", role + "/defaults", role + "/vars"):
        found.update(loader.load_from_file(str(ROLES / path / "main.yml"), **TRUSTED))
    found.update(groups=GROUPS, inventory_hostname="c1", skp_manager="c1", **given, **variables)
    return Templar(loader=loader, variables=found).template(found[name])


SETTLED = {"settled": True, "store_id": "a"}
ABSENT = {"settled": True}


@pytest.mark.parametrize("looks, settled", [
    ((SETTLED, SETTLED, SETTLED), True), ((SETTLED, ABSENT, SETTLED), True), ((ABSENT, ABSENT, ABSENT), True),
    ((SETTLED, {"settled": False, "store_id": "a"}, SETTLED), False), ((SETTLED, dict(SETTLED, store_id="b"), SETTLED), False),
    ((SETTLED, {"changed": False, "store_id": "a"}, SETTLED), False), ((SETTLED, {}, SETTLED), False),
])
def test_registries_that_need_no_turn(looks, settled):
    given = hosts_with("__registry_node", *looks)
    assert in_play("registry", "__registry_settled", given) is settled
    seen = in_play("images", "__images_seen", given, __images_of_registry={"alongside": {"docker-ds": {}}})
    assert seen == ({"docker-ds": {}} if looks[0].get("settled") else {}), "the master's registry was not changed since the images were looked at"


@pytest.mark.parametrize("engines, settled", [
    (({"seen": True}, {"seen": True}, {"seen": True}), True), (({"seen": True}, {"changed": False}, {"seen": True}), False), (({}, {}, {}), False)])
def test_engines_that_need_nothing(engines, settled):
    assert in_play("engine", "__engine_settled", hosts_with("__engine", *engines)) is settled


NOTHING = {"manager": "c1", "init": None, "join": [], "leave": [], "probe": [], "refused": {}, "cluster_id": "x", "warnings": [], "error": ""}


@pytest.mark.parametrize("change", [{"init": "c1"}, {"join": ["c2"]}, {"probe": ["c3"]}, {"refused": {"c2": "why"}}, {"warnings": ["text"]}, {"error": "why"}])
def test_a_decision_of_the_swarm_that_asks_for_more_than_its_manager(change):
    assert value("swarm", "__swarm_undecided", __swarm_decision=NOTHING) is False
    assert value("swarm", "__swarm_undecided", __swarm_decision=dict(NOTHING, **change)) is True


AGREED = {"unseen": [], "fetch": [], "newer": {}, "history": {}, "make": [], "next": {}, "behind": [], "share": ["a"], "problem": ""}


@pytest.mark.parametrize("change", [{"unseen": ["c2"]}, {"fetch": ["c2"]}, {"newer": {"a": "1"}}, {"make": ["a"]}, {"behind": ["c2"]}, {"problem": "why"}])
def test_secrets_on_which_the_managers_do_not_agree(change):
    assert value("_service", "__service_secrets_differ", __service_secrets_plan=AGREED) is False
    assert value("_service", "__service_secrets_differ", __service_secrets_plan=dict(AGREED, **change)) is True


def test_member_ids_that_the_visit_has_seen():
    given = hosts_with("__service_visit", {"members": {"records": {}}}, {}, {})
    assert in_play("kafka", "__skp_seen_members", given) == {"records": {}}
    assert in_play("kafka", "__skp_seen_members", given, __zookeeper={"changed": False}) == {"records": {}}
    assert in_play("kafka", "__skp_seen_members", given, __zookeeper={"changed": True}) == {}, "its members are named by others"
    assert in_play("kafka", "__skp_seen_members", hosts_with("__service_visit", {"skipped": True}, {}, {})) == {}
    assert in_play("kafka", "__skp_seen_members", hosts_with("__other", {}, {}, {})) == {}


STORED = {"jupyter_password": "p" * 64, "jupyter_password_salt": "s", "jupyter_gateway_token": "t" * 64, "spark_auth_secret": "k" * 64}


@pytest.mark.parametrize("given, stored, expected", [
    ({}, {}, []),
    ({"jupyter_password": "admin"}, {}, ["jupyter_password: at least 12 characters"]),
    ({"jupyter_password": "correct horse"}, {}, []),
    ({"jupyter_password": 123456}, {}, ["jupyter_password: at least 12 characters"]),
    ({}, {"jupyter_password": "edited"}, ["jupyter_password: at least 12 characters"]),
    ({"jupyter_password_hash": "argon2:$argon2id$..."}, {"jupyter_password": "edited"}, []),
    ({"jupyter_gateway_token": "token"}, {}, ["jupyter_gateway_token: at least 16 characters"]),
])
def test_a_password_that_can_be_guessed_is_refused(given, stored, expected):
    shared = {"__skp_secrets": dict(STORED, **stored), "__spark_masters": [], "__spark_secret_name": "spark_auth_secret"}
    assert value("jupyter", "__jupyter_guessable", **shared, **given) == expected


@pytest.mark.parametrize("given, stored, masters, expected", [
    ("", "k" * 64, ["c1"], []),
    ("short", "k" * 64, ["c1"], ["spark_auth_secret: at least 16 characters"]),
    ("", "edited", ["c1"], ["spark_auth_secret: at least 16 characters"]),
    ("short", "", [], []),
])
def test_a_spark_secret_that_can_be_guessed_is_refused(given, stored, masters, expected):
    found = value("_spark", "__spark_guessable", groups={"spark_master": masters}, spark_auth_secret=given, __skp_secrets={"spark_auth_secret": stored},
                  spark_uid="1", spark_gid="1")
    assert found == expected


@pytest.mark.parametrize("given, join, rotates", [(False, [], False), (True, [], True), ("true", [], True), (False, ["c3"], True), ("false", [], False)])
def test_join_tokens_are_new_after_each_join(given, join, rotates):
    assert value("swarm", "__swarm_rotate", swarm_rotate_join_tokens=given, __swarm_decision={"join": join}) is rotates
    (task,) = [task for task in DataLoader().load_from_file(str(ROLES / "swarm/tasks/main.yml")) if "skp.cluster.skp_swarm" in task]
    assert task["skp.cluster.skp_swarm"]["rotate_join_tokens"] == "{{ __swarm_rotate }}"


@pytest.mark.parametrize("lab, gateway, found", [
    ({}, {}, []),
    ({"ServerApp": {"trust_xheaders": True}}, {"KernelGatewayApp": {"seed_uri": "x"}}, []),
    ({"ServerApp": {"certfile": "/x.pem", "keyfile": "/x.key"}}, {}, ["certfile", "keyfile"]),
    ({"LabApp": {"certfile": "/x.pem"}, "ServerApp": {"certfile": "/x.pem"}}, {}, ["certfile"]),
    ({}, {"KernelGatewayApp": {"client_ca": "/x.pem"}, "other": 1}, ["client_ca"]),
])
def test_settings_of_jupyter_that_its_health_check_cannot_ask_are_refused(lab, gateway, found):
    """The check asks over HTTP: a server with TLS would never be healthy, and the swarm would end it again and again."""
    assert value("jupyter", "__jupyter_tls_settings", jupyter_config=lab, jupyter_gateway_config=gateway) == found
    (task,) = [task for task in DataLoader().load_from_file(str(ROLES / "jupyter/tasks/main.yml")) if "cannot work" in task["name"]]
    assert "__jupyter_tls_settings + __spark_refused_settings | length > 0" in str(task["when"]).replace("(", "").replace(")", "")


@pytest.mark.parametrize("groups, given, expected", [
    ({}, {}, {}),
    ({"kafka": []}, {}, {}),
    ({"kafka": ["c1"]}, {}, {"SKP_KAFKA": "kafka-skp:9092"}),
    ({"kafka": ["c1"]}, {"kafka_name": "bus", "kafka_inside_port": 9192}, {"SKP_KAFKA": "bus:9192"}),
    ({"kafka": ["c1"]}, {"jupyter_env": {"SKP_KAFKA": "other:9092", "A": "b"}}, {"SKP_KAFKA": "other:9092", "A": "b"}),
])
def test_notebooks_are_told_where_kafka_is(groups, given, expected):
    """In JupyterLab and in the gateway: the same notebook runs in both."""
    vars_of = DataLoader().load_from_file(str(ROLES / "jupyter/vars/main.yml"), **TRUSTED)
    for service in ("__jupyter_lab", "__jupyter_gateway"):
        found = value("jupyter", "env", groups=groups, env=vars_of[service]["env"], **given)
        assert {name: text for name, text in found.items() if not name.startswith("JUPYTERLAB_")} == expected


def test_the_notebook_directory_gets_the_notebooks_of_the_role():
    [directory] = value("jupyter", "__jupyter_directories")
    files = {path.name: path.read_text(encoding="utf-8") for path in (ROLES / "jupyter/files").glob("*.ipynb")}
    assert {file["name"]: file["content"] for file in directory["first_files"]} == files and len(files) == 2
    # They are an argument of one call of each run.
    assert len(json.dumps(directory["first_files"])) < 20000
    assert plan_present(directory, DIRECTORY, (61000, 61000, 0o2770), False)[1:] == [
        ("make", DIRECTORY["path"]), ("fill", {"owner": (61000, 61000), "files": directory["first_files"]}), ("owner", (61000, 61000)), ("mode", 0o2770)]


DIRECTORY = {"path": "/srv/skp/jupyter", "kind": "missing", "owner": None, "missing_parents": [], "marked": False}


def test_executors_know_their_node():
    """Executors inherit the environment of their worker, which the swarm completes."""
    given = {}
    for path in ("_spark/defaults/main.yml", "_spark/vars/main.yml"):
        given.update(DataLoader().load_from_file(str(ROLES / path), **TRUSTED))
    services = value("spark", "__spark_worker_services", groups={"spark_master": ["c1"], "spark_worker": ["c1", "c2"], "gpu": ["c2"]},
                     __skp_secrets={"spark_auth_secret": "k" * 64}, **given)
    assert [service["name"] for service in services] == ["spark-skp-worker", "spark-skp-worker-gpu"]
    for service in services:
        image = {"image": "localhost:5000/skp/docker-ds:latest"}
        built = build_service(dict(service, **image), "spark", "net-skp", {image["image"]: "sha256:0"})
        assert "SKP_NODE={{.Node.Hostname}}" in built["payload"]["TaskTemplate"]["ContainerSpec"]["Env"]
