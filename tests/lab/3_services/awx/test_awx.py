# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Job templates run as AWX runs them, in the image that the cluster built. All of them: tests/lab/soak/test_awx.py. The API of AWX: tests/meta/test_awx.py."""
from __future__ import annotations

import json

import jobs
import lablib
import pytest


@pytest.fixture(scope="module", autouse=True)
def image():
    """skp/ee in the cluster's registry; a second run of its playbook changes nothing."""
    jobs.build()
    assert jobs.build().changed == set()
    yield jobs.image()
    jobs.clear()


def test_the_image_serves_a_user_that_nobody_knows():
    """Without a home, and with a project that cannot be written."""
    job = jobs.directory({})
    code, text = jobs.container(job, "sh", "-c", "id -un; echo home:$HOME; touch $HOME/x && touch /runner/project/x; ls -d ~/.ansible; true", user=60001)
    assert code == 0 and "user60001" in text and "home:/home/runner" in text and "Read-only file system" in text, text


@pytest.mark.parametrize("awx", jobs.SYNCS)
def test_an_awx_reads_the_inventory(awx):
    """Both with what AWX sets by itself and with the variable that roles/awx gives the source. Hosts, groups and labels are those of hosts.json."""
    ours = "/runner/project/collections:/runner/requirements_collections:/usr/share/ansible/collections"
    for more in ({}, {"ANSIBLE_COLLECTIONS_PATH": "/runner/requirements_collections:" + ours}):
        code, text, found = jobs.sync({**jobs.SYNCS[awx], **more})
        assert code == 0, text
        assert sorted(found["_meta"]["hostvars"]) == sorted(lablib.hosts())
        assert sorted(found["kafka"]["hosts"]) == lablib.labelled("kafka")


def test_an_inventory_that_cannot_be_read_is_an_error():
    assert jobs.sync(jobs.SYNCS["AWX of 2026"], source="inventory/lab/nowhere.yml")[0] != 0


def test_the_state_is_in_the_artifacts():
    """Other tests break other services at the same time: then the job fails, and says so."""
    result = jobs.run("status", {"status_recent_seconds": 0})
    state = result.artifacts["skp_status"]
    assert result.changed == 0 and state["cluster"] == "lab" and (result.rc == 0) == (state["problems"] == []), result.text[-3000:]


def test_a_service_by_its_template(figures):
    before = {name: version for name, version in lablib.services().items() if name.startswith("kafka-")}
    result = jobs.run("kafka")
    figures["AWX job kafka, seconds"] = result.seconds
    assert (result.rc, result.changed) == (0, 0), result.text[-3000:]
    assert {name: version for name, version in lablib.services().items() if name.startswith("kafka-")} == before and before


def test_answers_as_text_and_as_numbers():
    """A choice is text, also `false`; a number may come as either; a list is text with commas."""
    assert jobs.run("logs", {"status_service": "kafka", "status_lines": "3"}).rc == 0
    assert jobs.run("logs", {"status_service": "kafka", "status_lines": 3}).rc == 0
    result = jobs.run("engine", {"engine_manage": "false"}, check=True)
    assert (result.rc, result.changed) == (0, 0), result.text[-3000:]
    assert jobs.run("preflight", {"preflight_warn_only": "overlay, disk"}).rc == 0


def test_a_failed_job_leaves_its_reason():
    result = jobs.run("logs", {"status_service": "nobody-at-all"})
    [failure] = result.artifacts["skp_failures"]
    assert result.rc != 0 and failure["msg"].startswith("No service, role or container is named nobody-at-all"), json.dumps(result.artifacts)
