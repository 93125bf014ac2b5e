# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.airflow import plan

ONE = {"airflow": ["c1"], "mysql": ["c1"]}
WORKERS = dict(ONE, airflow_worker=["c2", "c3"], redis=["c1"])


@pytest.mark.parametrize("executor, groups, core, parallelism, tasks_on", [
    ("SequentialExecutor", {"airflow": ["c1"]}, "LocalExecutor", 1, ["airflow"]),
    ("SequentialExecutor", ONE, "LocalExecutor", 1, ["airflow"]),
    ("LocalExecutor", ONE, "LocalExecutor", 0, ["airflow"]),
    ("CeleryExecutor", WORKERS, "CeleryExecutor", 0, ["airflow-worker"]),
    ("KubernetesExecutor", ONE, "KubernetesExecutor", 0, []),
    ("CeleryKubernetesExecutor", WORKERS, "CeleryExecutor,KubernetesExecutor", 0, ["airflow-worker"]),
    ("LocalKubernetesExecutor", ONE, "LocalExecutor,KubernetesExecutor", 0, ["airflow"]),
])
def test_the_names_of_airflow_2_mean_what_they_meant(executor, groups, core, parallelism, tasks_on):
    found = plan.of_cluster(executor, "", groups, kubeconfig=True)
    assert (found["problems"], found["executor"], found["core"], found["parallelism"], found["tasks_on"]) == ([], executor, core, parallelism, tasks_on)
    assert [name for name in ("local", "celery", "kubernetes") if found[name]] == [name.removesuffix("Executor").lower() for name in core.split(",")]


@pytest.mark.parametrize("groups, own, executor, database", [
    ({"airflow": ["c1"]}, False, "SequentialExecutor", "sqlite"),
    ({"airflow": ["c1"]}, True, "LocalExecutor", "own"),
    (ONE, False, "LocalExecutor", "mysql"),
    ({"airflow": ["c1"], "pgsql": ["c2"]}, False, "LocalExecutor", "postgresql"),
    ({"airflow": ["c1"], "postgresql": ["c2"]}, False, "LocalExecutor", "postgresql"),
    (dict(ONE, pgsql=["c2"]), False, "LocalExecutor", "mysql"),
    (WORKERS, False, "CeleryExecutor", "mysql"),
])
def test_without_a_choice_the_labels_decide(groups, own, executor, database):
    found = plan.of_cluster("", "", groups, own_database=own)
    assert (found["executor"], found["database"], found["problems"]) == (executor, database, [])


@pytest.mark.parametrize("executor, database, groups, options, reason", [
    ("DaskExecutor", "", ONE, {}, "expected one of SequentialExecutor, LocalExecutor,"),
    ("local", "", ONE, {}, "airflow_executor is local"),
    ("LocalExecutor", "mariadb", ONE, {}, "airflow_database is mariadb, expected mysql, postgresql, sqlite"),
    ("LocalExecutor", "postgresql", ONE, {}, "no host has the label pgsql or postgresql"),
    ("LocalExecutor", "", {"airflow": ["c1"]}, {}, "SQLite has one writer"),
    ("LocalExecutor", "sqlite", ONE, {}, "SQLite has one writer"),
    ("SequentialExecutor", "sqlite", {"airflow": ["c1", "c2"]}, {}, "c1, c2 have the label airflow"),
    ("CeleryExecutor", "", ONE | {"redis": ["c1"]}, {}, "no host has the label airflow-worker"),
    ("CeleryExecutor", "", ONE | {"airflow_worker": ["c2"]}, {}, "no host has the label redis"),
    ("CeleryExecutor", "sqlite", WORKERS, {}, "SQLite has one writer"),
    ("KubernetesExecutor", "", ONE, {}, "airflow_kubeconfig"),
    ("CeleryKubernetesExecutor", "", WORKERS, {}, "airflow_kubeconfig"),
    ("LocalKubernetesExecutor", "", ONE, {}, "airflow_kubeconfig"),
    ("LocalExecutor", "", ONE, {"flower": True}, "Set airflow_flower to false"),
    ("", "", {"airflow_worker": ["c2"]}, {}, "no host has the label airflow."),
])
def test_what_cannot_work_is_refused_with_the_reason(executor, database, groups, options, reason):
    [problem] = plan.of_cluster(executor, database, groups, **options)["problems"]
    assert reason in problem


def test_a_cluster_without_airflow_is_no_problem():
    assert plan.of_cluster("CeleryExecutor", "", {"mysql": ["c1"]})["problems"] == []


def test_a_generated_secret_is_a_fernet_key_with_all_its_bits():
    secret = "0123456789abcdef" * 4
    assert base64.urlsafe_b64decode(plan.fernet_key(secret)) == bytes.fromhex(secret)
    own = base64.urlsafe_b64encode(b"k" * 32).decode()
    assert plan.fernet_key(own) == own and plan.fernet_key(own + "," + own) == own + "," + own
