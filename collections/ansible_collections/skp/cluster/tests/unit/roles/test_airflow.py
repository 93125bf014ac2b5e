# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Airflow's role asks for in a given site, templated as in a play."""

from __future__ import annotations

import configparser
import inspect
import json
import pathlib

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.skp.cluster.plugins.module_utils.service import args
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service

ROLES = pathlib.Path(__file__).parents[3] / "roles"
# From ansible-core 2.19 on, only a trusted file has templates.
TRUSTED = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(DataLoader.load_from_file).parameters else {}
HOSTVARS = {"c%d" % number: {"ansible_host": "203.0.113.%d" % number} for number in (1, 2, 3)}
BASE = {"skp": ["c1", "c2", "c3"], "master": ["c1"], "manager": ["c2"], "airflow": ["c1"]}
LOCAL = dict(BASE, mysql=["c2"])
CELERY = dict(LOCAL, airflow_worker=["c2", "c3"], redis=["c1"], spark_master=["c1"], spark_worker=["c2"], kafka=["c1"])
SECRETS = {name: "%064x" % number for number, name in enumerate((
    "airflow_jwt_secret", "airflow_api_secret", "airflow_fernet_key", "airflow_admin_password", "airflow_docker_token", "airflow_flower_password",
    "redis_password", "mysql_airflow_password", "postgresql_airflow_password", "spark_auth_secret"), 1000)}


def value(name, groups, **variables):
    """A variable of the role."""
    loader, found = DataLoader(), {}
    for path in ("_common/defaults", "_common/vars", "_spark/defaults", "_spark/vars", "airflow/defaults", "airflow/vars"):
        found.update(loader.load_from_file(str(ROLES / path / "main.yml"), **TRUSTED))
    found.update(role_path=str(ROLES / "airflow"), ansible_search_path=[str(ROLES / "airflow")], inventory_hostname="c1", groups=groups, hostvars=HOSTVARS,
                 ansible_run_tags=["all"], ansible_skip_tags=[], __skp_secrets=SECRETS)
    found.update(variables)
    loader.set_basedir(str(ROLES / "airflow"))
    return Templar(loader=loader, variables=found).template(found[name])


def services(groups, **variables):
    """{name: service}; each is one that the module takes."""
    found = value("__airflow_services", groups, **variables)
    known = set(args.service_options())
    for one in found:
        assert set(one) <= known, set(one) - known
        build_service(one, "airflow", "net", {})
    return {one["name"]: one for one in found}


def settings(service, name="airflow.cfg"):
    """Airflow's own settings that a service gets as a secret."""
    [text] = [item["content"] for item in service["secrets"] if item.get("target", item["name"]) == name]
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return parser


def test_one_host_with_a_database():
    found = services(LOCAL)
    assert list(found) == ["airflow-skp-metadata", "airflow-skp", "airflow-skp-scheduler", "airflow-skp-dag-processor", "airflow-skp-triggerer",
                           "airflow-skp-docker", "airflow-skp-swarm"], "what the others need comes first"
    assert found["airflow-skp-metadata"]["host"] == "c1" and not found["airflow-skp-metadata"]["label"]
    assert {found[name]["label"] for name in ("airflow-skp", "airflow-skp-scheduler", "airflow-skp-docker")} == {"airflow"}
    scheduler = found["airflow-skp-scheduler"]
    assert scheduler["env"]["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor" and scheduler["env"]["DOCKER_HOST"] == "unix:///run/skp-docker/docker.sock"
    database = settings(scheduler)["database"]
    password = SECRETS["mysql_airflow_password"]
    assert database["sql_alchemy_conn"] == "mysql+mysqldb://airflow:%s@mysql-skp:3306/airflow?charset=utf8mb4&ssl_mode=PREFERRED" % password
    assert database["sql_alchemy_conn_async"] == "mysql+aiomysql://airflow:%s@mysql-skp:3306/airflow?charset=utf8mb4" % password
    assert all("healthcheck" in one and one["cap_drop"] == ["ALL"] for one in found.values())
    assert [name for name, one in found.items() if not one.get("read_only")] == ["airflow-skp-scheduler"], "tasks run there"


def test_workers_have_neither_the_metadata_nor_the_keys():
    found = services(CELERY, airflow_flower=True)
    worker = found["airflow-skp-worker"]
    assert worker["label"] == "airflow-worker" and found["airflow-skp-docker"]["label"] == "airflow-worker"
    assert settings(worker).sections() == ["api", "celery"]
    assert settings(worker)["celery"]["broker_url"] == "redis://:%s@redis-skp:6379/0" % SECRETS["redis_password"]
    assert {"spark_auth_secret"} <= {item["name"] for item in worker["secrets"]} and worker["env"]["SKP_KAFKA"] == "kafka-skp:9092"
    assert found["airflow-skp-scheduler"]["read_only"] and "DOCKER_HOST" not in found["airflow-skp-scheduler"]["env"]
    assert settings(found["airflow-skp-flower"])["celery"]["flower_basic_auth"] == "admin:" + SECRETS["airflow_flower_password"]


def test_no_secret_is_in_an_environment_a_config_or_an_argument():
    for one in services(CELERY, airflow_flower=True).values():
        seen = json.dumps({key: entry for key, entry in one.items() if key != "secrets"})
        assert [name for name, secret in SECRETS.items() if secret in seen] == []


def test_only_proxies_have_the_socket_of_the_engine():
    for name, one in services(CELERY).items():
        sources = {item.get("source") for item in one.get("mounts", ())}
        assert ("/var/run/docker.sock" in sources) is (name in ("airflow-skp-docker", "airflow-skp-swarm"))
    assert not [name for name in services(CELERY, airflow_docker=False) if "docker" in name or "swarm" in name]


def test_a_password_with_signs_arrives_as_it_is():
    found = settings(services(LOCAL, airflow_db_password="a%/@:$ b")["airflow-skp"])
    assert found["database"]["sql_alchemy_conn"].startswith("mysql+mysqldb://airflow:a%25%2F%40%3A%24%20b@mysql-skp")


@pytest.mark.parametrize("url, expected", [
    ("mysql+pymysql://airflow:airflow@mysql-skp/airflow", "mysql+mysqldb://airflow:%s@mysql-skp:3306/" % SECRETS["mysql_airflow_password"]),
    ("mysql+pymysql://me:word@db.example/airflow", "mysql+mysqldb://me:word@db.example/airflow"),
    ("postgres://me:word@db.example/airflow", "postgresql+psycopg2://me:word@db.example/airflow"),
])
def test_the_url_of_an_env_file(url, expected):
    assert settings(services(LOCAL, airflow_sql_alchemy_conn=url)["airflow-skp"])["database"]["sql_alchemy_conn"].startswith(expected)


def test_without_a_server_the_metadata_is_a_file():
    found = services(BASE)
    assert str(found["airflow-skp"]["env"]["AIRFLOW__CORE__PARALLELISM"]) == "1"
    assert settings(found["airflow-skp"])["database"]["sql_alchemy_conn"] == "sqlite:////var/lib/airflow/db/airflow.db"
    assert "/var/lib/skp/airflow/db" in {item["path"] for item in value("__airflow_needs", BASE)["directories"]}


def test_pods():
    found = services(LOCAL, airflow_executor="LocalKubernetesExecutor", airflow_kubeconfig="apiVersion: v1\nkind: Config\n",
                     airflow_kubernetes_image="203.0.113.1:5000/skp/docker-airflow:x1")["airflow-skp-scheduler"]
    assert found["env"]["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor,KubernetesExecutor"
    assert found["env"]["AIRFLOW__KUBERNETES_EXECUTOR__WORKER_CONTAINER_REPOSITORY"] == "203.0.113.1:5000/skp/docker-airflow"
    assert found["env"]["AIRFLOW__KUBERNETES_EXECUTOR__WORKER_CONTAINER_TAG"] == "x1"
    assert "kind: Config" in [item["content"] for item in found["secrets"] if item["name"] == "kubeconfig"][0]
    [text] = [item["content"] for item in found["configs"] if item["name"] == "pod_template.yml"]
    [container] = yaml.safe_load(text)["spec"]["containers"]
    env = {item["name"]: item["value"] for item in container["env"]}
    assert env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://203.0.113.1:8040/execution/" and env["AIRFLOW__CORE__PARALLELISM"] == "1"
    assert env["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor,KubernetesExecutor", "a DAG whose task names an executor is refused where it is not configured"
    assert not [name for name, secret in SECRETS.items() if secret in text]


@pytest.mark.parametrize("groups, options, hosts, secrets", [
    (BASE, {}, ["c1"], {"airflow_jwt_secret", "airflow_api_secret", "airflow_fernet_key", "airflow_admin_password", "airflow_docker_token"}),
    (LOCAL, {"airflow_docker": False, "airflow_admin_password": "x"}, ["c1"],
     {"airflow_jwt_secret", "airflow_api_secret", "airflow_fernet_key", "mysql_airflow_password"}),
    (CELERY, {"airflow_flower": True}, ["c1", "c2", "c3"], set(SECRETS) - {"postgresql_airflow_password"}),
    ({"skp": ["c1"], "master": ["c1"]}, {}, [], None),
])
def test_needs(groups, options, hosts, secrets):
    needs = value("__airflow_needs", groups, **options)
    assert sorted(needs["hosts"]) == hosts and needs["enabled"] is bool(hosts)
    assert secrets is None or (set(needs["secrets"]) == secrets and needs["kept_secrets"] == ["airflow_fernet_key"])


def test_own_settings_win():
    env = services(LOCAL, airflow_config={"core.parallelism": 3, "scheduler.max_tis_per_query": 4}, airflow_env={"A": "b"})["airflow-skp"]["env"]
    assert (env["AIRFLOW__CORE__PARALLELISM"], env["AIRFLOW__SCHEDULER__MAX_TIS_PER_QUERY"], env["A"]) == (3, 4, "b")


@pytest.mark.parametrize("groups, options", [
    (BASE, {}), (LOCAL, {}), (LOCAL, {"airflow_database": "postgresql"}), (dict(BASE, pgsql=["c2"]), {"airflow_db": "other"}), (CELERY, {}),
    (LOCAL, {"airflow_sql_alchemy_conn": "mysql://a:b@db.example/airflow"}), (LOCAL, {"airflow_sql_alchemy_conn": "mysql://a:b@mysql-skp/airflow"}),
    (LOCAL, {"airflow_database": "sqlite"}),
])
def test_the_server_makes_the_database_that_airflow_uses(groups, options):
    [made] = [one for one in value("__skp_own_databases", groups, **options) if one["group"] == "airflow"] or [{"server": None, "name": None}]
    secret = value("__airflow_db_secret", groups, **options)
    assert secret == ("%s_%s_password" % (made["server"], made["name"]) if made["server"] else "")


def test_what_the_proxies_allow_follows_the_settings():
    env = services(CELERY, airflow_docker_networks="net-skp,bridge", airflow_docker_images=["localhost:5000/", "mirror:5000/x/"])["airflow-skp-docker"]["env"]
    assert (env["SKP_IMAGES"], env["SKP_NETWORKS"], env["SKP_OWN"]) == ("localhost:5000/,mirror:5000/x/", "net-skp,bridge", "airflow-skp")
    assert env["SKP_MOUNTS"] == "/mnt/skp,/srv/skp/spark/events"


def test_pods_alone_need_no_proxy():
    found = services(LOCAL, airflow_executor="KubernetesExecutor", airflow_kubeconfig="apiVersion: v1\nkind: Config\n")
    assert [name for name in found if "docker" in name or "swarm" in name or "worker" in name] == []
    assert str(found["airflow-skp"]["env"]["AIRFLOW__CORE__PARALLELISM"]) == "32"


@pytest.mark.parametrize("given, admin, flower", [
    ({}, "/etc/skp/secrets/airflow_admin_password", "/etc/skp/secrets/airflow_flower_password"),
    ({"airflow_admin_password": "x", "airflow_flower_password": "y", "airflow_port": 8140}, "variable airflow_admin_password",
     "variable airflow_flower_password"),
])
def test_the_table_of_the_cluster_says_where_people_open_it(given, admin, flower):
    found = services(CELERY, airflow_flower=True, **given)
    assert {name: one["labels"] for name, one in found.items() if "labels" in one} == {
        "airflow-skp": {"skp.url": "http://{host}:%s" % given.get("airflow_port", 8040), "skp.login": admin},
        "airflow-skp-flower": {"skp.url": "http://{host}:8041", "skp.login": flower}}
