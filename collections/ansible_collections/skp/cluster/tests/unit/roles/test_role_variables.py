# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What variables of roles say in a given site, templated as in a play."""

from __future__ import annotations

import inspect
import pathlib

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLES = pathlib.Path(__file__).parents[3] / "roles"
# From ansible-core 2.19 on, only a trusted file has templates.
TRUSTED = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(DataLoader.load_from_file).parameters else {}
GROUPS = {"skp": ["c1", "c2", "c3"], "master": ["c1"], "manager": ["c2", "c3"], "jupyter": ["c2"]}
HOSTVARS = {"c%d" % number: {"ansible_host": "203.0.113.%d" % number, "swarm_advertise_addr": "10.0.0.%d" % number} for number in (1, 2, 3)}


def value(role, name, host="c1", groups=None, **variables):
    """A variable of a role on a host."""
    loader, found = DataLoader(), {}
    for path in ("_common/defaults", role + "/defaults", role + "/vars"):
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


def test_the_engine_waits_for_the_store_in_both_modes():
    tasks = DataLoader().load_from_file(str(ROLES / "store/tasks/main.yml"))
    boot = [task for task in tasks if task.get("ansible.builtin.include_tasks") == "boot.yml"]
    assert len(boot) == 1 and "store_mode" not in str(boot[0])
