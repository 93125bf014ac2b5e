# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that a user sets as variables are in nothing that a run shows, not at the most talkative, and not when it fails."""
from __future__ import annotations

import json
import time
import uuid

import lablib
import pytest
import sweeps

WORDS = {name: f"skpcanary{uuid.uuid4().hex}" for name in (
    "jupyter_password", "jupyter_gateway_token", "spark_auth_secret", "registry_http_secret", "mysql_root_password", "postgresql_password", "redis_password",
    "database", "airflow_admin_password", "airflow_fernet_key", "airflow_db_password", "airflow_flower_password", "portainer_admin_password", "proxy",
    "auth_admin_password", "auth_db_password", "index")}
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
    "engine": {"engine_daemon_config": {"no-such-key": 1}},
    "store": {"store_mode": "nfs", "store_export_options": "rw"},
    "swarm": {"skp_net_subnet": "10.200.0.1/20"},
    "images": {"skp_base_image": NOWHERE, "skp_pip_index": f"http://user:{WORDS['index']}@proxy.example/simple"},
    "custom": {"skp_custom_services": [{"name": "nowhere", "label": "hello", "image": NOWHERE, "secrets": ["hello_token"]}]},
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


# `make test` has the dry run and the real one of test_there_down_and_back, with the cluster's own secrets.
@pytest.mark.soak
def test_a_dry_run_shows_no_secret(site, given):
    """All roles with all canaries, nothing changed: each that is new to the cluster appears as a change, and none by its value."""
    before = lablib.snapshot()
    result = lablib.play(site, "--check", *TALKATIVE, *given())
    changed = set().union(*(row["play"] for row in result.rows if row["changed"]))
    assert shown(result.text) == [] and set(ROLES) <= changed
    assert lablib.snapshot() == before


# What reads secrets before it fails in a way of its own; the other services' roles fail as MySQL's does, in `make soak`.
KINDS = ("swarm", "images", "registry", "mysql", "jupyter", "airflow")


@pytest.mark.parametrize("tag", [tag if tag in KINDS else pytest.param(tag, marks=pytest.mark.soak) for tag in FAILURES])
def test_a_failure_shows_no_secret(tag, given):
    """The role fails with the canaries at hand. Meanwhile the arguments and environments of all processes of the nodes are read."""
    before, kept = lablib.snapshot(), sweeps.secrets()
    # A secret of a custom service is never a variable: its canary is the one that the cluster has made.
    with sweeps.watched({**WORDS, "hello_token": kept["hello_token"]}) as found:
        result = lablib.play("site.yml", "--tags", tag, *TALKATIVE, *given(FAILURES[tag]), check=False)
    assert shown(result.text) == [] and found == {} and [name for name, word in kept.items() if word in result.text] == []
    assert result.rc != 0 and any(row["status"] == "failed" and "skp.cluster." in row["task"] for row in result.rows), result.text[-3000:]
    assert lablib.snapshot() == before


def test_failed_runs_leave_no_secret_on_the_nodes():
    """After all of them: no canary in containers, definitions, arguments, environments, logs, the journal, or a file that others can read."""
    found = sweeps.search(WORDS, {})
    assert found == {}
    readable = "find /etc /tmp /var/tmp /home /root/.ansible /run /var/log /srv/skp /var/lib/skp -xdev -type f -perm /o=r -size -2M -print0 2>/dev/null"
    for node, text in lablib.look(f"{readable} | xargs -0 -r grep -lsE 'skpcanary|^root:x:0:0:' || true", timeout=180).items():
        assert set(text.split()) - {"/etc/passwd-"} == {"/etc/passwd"}, (node, text)


# An image whose build needs the settings of the site: it ends only if the login was there. What it leaves in a layer shows that the search reads layers.
CONTROL = f"skpcontrol{uuid.uuid4().hex}"
DOCKERFILE = f"""ARG BASE
FROM ${{BASE}} AS build
COPY .skp-site/ /skp-site/
RUN grep -q skpcanary /skp-site/env && mkdir /out && echo {CONTROL} >/out/control%s

FROM ${{BASE}}
COPY --from=build /out/ /
USER nobody
"""
# Files of the engine and its builder that are newer than a time: layers, caches, metadata.
LAYERS = """
find /var/lib/docker -xdev -type f -newerct "@{since}" -print0 | {{ xargs -0 -r grep -ohaE 'skp(canary|control)[0-9a-f]{{32}}' || true; }} | sort -u
"""
DESCRIPTIONS = """
docker image ls -aq --no-trunc | sort -u | xargs docker image inspect
docker image ls -aq --no-trunc | sort -u | xargs -n 1 docker image history --no-trunc
"""


@pytest.mark.soak
@pytest.mark.parametrize("end", ["", " && false"], ids=["a build", "a build that fails"])
def test_a_login_of_a_mirror_is_in_no_layer(given, tmp_path, end):
    """A run that builds an image with a login in skp_pip_index: it is in no layer, no cache, no description of an image, in no process, and not shown."""
    context, since = tmp_path / "context", int(time.time())
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE % end, encoding="utf-8")
    more = {"images_extra": [{"name": "docker-canary", "base": "docker-base", "context": str(context)}],
            "skp_pip_index": f"http://user:{WORDS['index']}@proxy.example/simple"}
    with sweeps.watched(WORDS) as found:
        result = lablib.play("site.yml", "--tags", "images", *TALKATIVE, *given(more), check=False)
    assert (result.rc == 0) is (end == ""), result.text[-3000:]
    assert shown(result.text) == [] and found == {}
    in_files = lablib.on("c01", "bash", "-euo", "pipefail", "-c", LAYERS.format(since=since), timeout=300).split()
    descriptions = lablib.on("c01", "bash", "-euo", "pipefail", "-c", DESCRIPTIONS, timeout=300)
    assert "skpcanary" not in " ".join(in_files) and shown(descriptions) == []
    if not end:
        assert in_files == [CONTROL] and "docker-canary" in descriptions, "the search does not read the layers"
