# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that a user sets as variables are in nothing that a run shows, not at the most talkative, and not when it fails."""
from __future__ import annotations

import json
import uuid

import lablib
import pytest
import sweeps

WORDS = {name: f"skpcanary{uuid.uuid4().hex}" for name in (
    "jupyter_password", "jupyter_gateway_token", "spark_auth_secret", "registry_http_secret", "mysql_root_password", "postgresql_password", "redis_password",
    "database", "airflow_admin_password", "airflow_fernet_key", "airflow_db_password", "airflow_flower_password", "portainer_admin_password", "proxy",
    "auth_admin_password", "auth_db_password")}
# 64 hexadecimal digits: nothing else is taken for a key.
WORDS.update({name: uuid.uuid4().hex + uuid.uuid4().hex for name in ("auth_access_key", "auth_refresh_key")})
VARIABLES = {
    **{name: WORDS[name] for name in (
        "jupyter_password", "jupyter_gateway_token", "spark_auth_secret", "registry_http_secret", "mysql_root_password", "postgresql_password",
        "redis_password", "airflow_admin_password", "airflow_fernet_key", "airflow_db_password", "airflow_flower_password", "auth_admin_password",
        "auth_db_password", "portainer_admin_password", "auth_access_key", "auth_refresh_key")},
    "airflow_flower": True,
    "skp_databases": [{"name": "reports", "server": server, "password": WORDS["database"]} for server in ("mysql", "postgresql")],
    "engine_daemon_config_extra": {"proxies": {"http-proxy": f"http://user:{WORDS['proxy']}@proxy.example:3128"}},
}
ROLES = ("engine", "registry", "mysql", "postgresql", "redis", "auth", "spark", "jupyter", "airflow", "portainer")
NOWHERE = "localhost:5000/skp/nowhere:none"
# Tag: what makes its role fail late, with its secrets at hand, and changes nothing.
FAILURES = {
    "registry": {"registry_user": "nobody"},
    "zookeeper": {"zookeeper_image": NOWHERE},
    "kafka": {"kafka_image": NOWHERE},
    "mysql": {"mysql_image": NOWHERE},
    "postgresql": {"postgresql_image": NOWHERE},
    "redis": {"redis_image": NOWHERE},
    "auth": {"auth_image": NOWHERE},
    "spark": {"spark_image": NOWHERE},
    "jupyter": {"jupyter_image": NOWHERE},
    "airflow": {"airflow_image": NOWHERE},
    "portainer": {"portainer_image": NOWHERE},
    "gateway": {"gateway_image": NOWHERE},
}
TALKATIVE = ("-vvv", "--diff")


@pytest.fixture
def given(tmp_path):
    """given(more variables) -> arguments of a run with the canaries, in a file: an argument could be read by everybody on the controller."""
    def make(more=()):
        path = tmp_path / "variables.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({**VARIABLES, **dict(more)}), encoding="utf-8")
        return ["-e", f"@{path}"]
    return make


def shown(text):
    """Names of the canaries that a text has."""
    return sorted(name for name, word in WORDS.items() if word in text)


def test_a_dry_run_shows_no_secret(site, given):
    """All roles with all canaries, nothing changed: each that is new to the cluster appears as a change, and none by its value."""
    before = lablib.snapshot()
    result = lablib.play(site, "--check", *TALKATIVE, *given())
    changed = set().union(*(row["play"] for row in result.rows if row["changed"]))
    assert shown(result.text) == [] and set(ROLES) <= changed
    assert lablib.snapshot() == before


@pytest.mark.parametrize("tag", FAILURES)
def test_a_failure_shows_no_secret(tag, given):
    """The role fails with the canaries at hand."""
    before = lablib.snapshot()
    result = lablib.play("site.yml", "--tags", tag, *TALKATIVE, *given(FAILURES[tag]), check=False)
    assert shown(result.text) == []
    assert result.rc != 0 and any(row["status"] == "failed" and "skp.cluster." in row["task"] for row in result.rows), result.text[-3000:]
    assert lablib.snapshot() == before


def test_failed_runs_leave_no_secret_on_the_nodes():
    """After all of them: no canary in containers, definitions, arguments, environments, logs, the journal, or a file that others can read."""
    found = sweeps.search(WORDS, {})
    assert found == {}
    readable = "find /etc /tmp /var/tmp /home /root/.ansible /run /var/log /srv/skp /var/lib/skp -xdev -type f -perm /o=r -size -2M -print0 2>/dev/null"
    for node, text in lablib.look(f"{readable} | xargs -0 -r grep -lsE 'skpcanary|^root:x:0:0:' || true", timeout=180).items():
        assert set(text.split()) - {"/etc/passwd-"} == {"/etc/passwd"}, (node, text)
