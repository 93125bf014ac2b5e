# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/from_st_kilda_pier.md has every command that the documents of st-kilda-pier name, and every name of env.sh with the variable that the plugin sets."""

from __future__ import annotations

import re
import sys

import pytest
from tree import ROOT

sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.skp.cluster.plugins.plugin_utils._env_file import NAMES, variable_of  # noqa: E402  (needs the path above)

PAGES = [ROOT / "docs/from_st_kilda_pier.md", ROOT / "docs/ko/from_st_kilda_pier.md"]
COMMANDS = set(
    """
    blobfs.init docker.airflow-db-init docker.airflow-rm docker.airflow-run docker.airflow-web-passwd-init docker.exec-shell docker.flask-run
    docker.flask-shell docker.image-build-ds docker.image-build-kafka docker.image-build-zookeeper docker.jupyter-rm docker.jupyter-run docker.kafka-run
    docker.mysql-airflow-init docker.mysql-client docker.mysql-rm docker.mysql-run docker.nginx-run docker.portainer-rm docker.portainer-run docker.ps
    docker.registry-rm docker.registry-run docker.spark-rm docker.spark-run docker.swarm-init docker.swarm-join docker.swarm-label docker.swarm-network
    docker.zookeeper-run s3fs.init sshfs.copy-id sshfs.keygen
    """.split()
)
"""Of `skp.sh`, as the published pages of st-kilda-pier name them."""


def rows(text, cells):
    """Return the rows of all tables with so many cells, without the line below the header."""
    found = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in row] for row in found if len(row) == cells]


def faults(text):
    """Return what is wrong with a page: commands that are missing or unknown, names that are missing, twice, or lead to another variable."""
    first = [name for row in rows(text, 2) for name in re.findall(r"`((?:docker|sshfs|s3fs|blobfs)\.[\w-]+)`", row[0])]
    without = [name for row in rows(text, 2) for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row[0])]
    variables = [(row[0].strip("`"), row[1].strip("`")) for row in rows(text, 3) if re.fullmatch(r"`[A-Z][A-Z0-9_]+`", row[0])]
    return {
        "commands": sorted(COMMANDS ^ set(first)),
        "twice": sorted(name for name in first + without if (first + without).count(name) > 1),
        "variables": sorted({name: variable_of(name) for name in NAMES if variable_of(name)}.items() ^ dict(variables).items()),
        "without": sorted({name for name in NAMES if not variable_of(name)} ^ set(without)),
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_every_command_and_name_is_there_once(page):
    assert {what: found for what, found in faults(page.read_text(encoding="utf-8")).items() if found} == {}


@pytest.mark.parametrize(
    ("was", "now", "fault"),
    [
        ("`docker.ps`", "`docker.pss`", "commands"),
        ("| `KAFKA_VOLUME` | `kafka_data_dir`", "| `KAFKA_VOLUME` | `kafka_volume`", "variables"),
        ("| `KAFKA_NAME` |", "| `KAFKA_NAMES` |", "variables"),
        ("| `SKP_USER` |", "| `SKP_DFS`, `SKP_USER` |", "twice"),
        ("| `SPARK_VOLUME` |", "| none |", "without"),
    ],
)
def test_a_fault_is_found(was, now, fault):
    text = PAGES[0].read_text(encoding="utf-8")
    assert was in text and faults(text.replace(was, now))[fault] != []
