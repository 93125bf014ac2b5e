# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tests a changed file asks for."""

from __future__ import annotations

import pytest
import quick

C = quick.COLLECTION


@pytest.mark.parametrize(("path", "groups"), [
    ("docs/kafka.md", {"meta"}),
    ("README.md", {"meta"}),
    ("tests/lab/README.md", {"meta"}),
    (C + "/tests/unit/test_names.py", {"unit"}),
    ("tests/tools/phases.py", {"unit"}),
    (C + "/roles/kafka/vars/main.yml", {"kafka"}),
    (C + "/images/zookeeper/Dockerfile", {"zookeeper"}),
    (C + "/images/ds/requirements.lock", {"spark", "jupyter"}),
    (C + "/images/base/Dockerfile", {"all"}),
    (C + "/plugins/module_utils/zookeeper/plan.py", {"zookeeper"}),
    (C + "/plugins/module_utils/service/plan.py", {"all"}),
    (C + "/plugins/modules/skp_registry_info.py", {"registry"}),
    (C + "/playbooks/registry_gc.yml", {"registry"}),
    ("playbooks/spark.yml", {"spark"}),
    (C + "/playbooks/site.yml", {"all"}),
    (C + "/roles/_service/tasks/main.yml", {"all"}),
    (C + "/roles/_spark/vars/main.yml", {"spark", "jupyter"}),
    ("roles/lab/tasks/main.yml", {"all"}),
    ("molecule/jupyter/verify.yml", {"jupyter"}),
    ("tests/lab/witness/kafka.py", {"kafka"}),
    ("tests/lab/witness/base.py", {"all"}),
    ("tests/lab/3_services/spark/test_spark.py", {"spark"}),
    ("tests/lab/5_outages/test_outages.py", {"tests/lab/5_outages/test_outages.py"}),
    ("tests/lab/sparks.py", {"spark"}),
    ("tests/lab/databases.py", {"mysql", "postgresql", "redis"}),
    (C + "/roles/_database/vars/main.yml", {"mysql", "postgresql", "redis"}),
    (C + "/playbooks/mysql_client.yml", {"mysql"}),
    ("tests/lab/airflows.py", {"airflow"}),
    (C + "/images/socketproxy/filter.lua", {"airflow"}),
    ("tests/lab/lablib.py", {"all"}),
    ("something/new", {"all"}),
])
def test_whom_a_path_concerns(path, groups):
    assert quick.concerns(path) == groups


def test_all_covers_each_service_but_not_a_test_of_another_phase():
    paths = [C + "/roles/kafka/vars/main.yml", "roles/lab/tasks/main.yml", "tests/lab/4_changes/test_changes.py"]
    assert quick.chosen(paths) == {"all", "tests/lab/4_changes/test_changes.py"}


def test_nothing_changed_runs_nothing():
    assert quick.plan(quick.chosen([])) == []


def test_documents_run_the_tests_of_the_tree_alone():
    assert [name for name, _ in quick.plan({"meta"})] == ["meta"]


def test_a_service_is_run_and_tested_alone():
    found = dict(quick.plan({"kafka"}))
    assert list(found) == ["unit", "meta", "site.yml", "services", "second run"]
    assert found["site.yml"][""][-1] == "images,kafka"
    assert list(found["services"]) == ["b"] and found["services"]["b"][-1] == "tests/lab/3_services/kafka"


def test_all_run_in_both_lanes():
    found = dict(quick.plan({"all"}))
    assert set(found["services"]) == {"a", "b"} and found["site.yml"][""][-1] == "site.yml"
