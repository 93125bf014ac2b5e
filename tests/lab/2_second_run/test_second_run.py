# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second run changes nothing and costs little, for all services at once; also backwards, from the installed collection, and with --limit."""
from __future__ import annotations

import lablib
import pytest
import witness
from witness import definitions

MASTER = "c01"

# Module calls of a second run of the site: on a node for what lies on it (preflight, node, registry; preflight sees that the engine needs nothing), whatever
# the number of services; on the master besides, for the cluster (labels, secrets, images, the table at the end) and for each service, which learns its member
# ids from the visit.
ON_A_NODE = 3
FOR_THE_CLUSTER = 4
FOR_A_SERVICE = 1
# Its role builds its image itself.
WITH_AN_IMAGE_OF_ITS_OWN = {"echo"}
# What its program holds is looked at through its own API, on the node of its label.
WITH_AN_API_OF_ITS_OWN = {"portainer"}
# The registry is no swarm service: its play looks at all nodes at once, and its two calls on the master are for the cluster as well.
REGISTRY_ON_THE_MASTER, REGISTRY_ON_A_NODE = 3, 1

# The same for a run of one service, with the tasks and the lines it may show: it fits on a screen. One call more where secrets are read.
TASKS = 8
LINES = 60
ON_THE_MANAGER = 2
FOR_SECRETS = 1
ON_A_NODE_WITH_DATA = 1
ELSEWHERE = 0


def for_a_service(one):
    """Calls on the master for a service in a run of the site."""
    return FOR_A_SERVICE + (one.name in WITH_AN_IMAGE_OF_ITS_OWN)


def to_its_api(one, node):
    """Calls of a service's role on a node to ask the service itself."""
    return int(one.name in WITH_AN_API_OF_ITS_OWN and node in one.nodes())


def counts(result, rows=lambda row: True):
    """{node: module calls} of a run: of all its rows, or of those for which `rows` is true."""
    return {node: sum(map(rows, result.calls(node))) for node in sorted(lablib.hosts())}


def test_second_run(site, figures):
    """changed=0, and by another path: every container, service version and managed file as before. Calls of nodes and services are counted."""
    before = lablib.snapshot()
    result = lablib.play(site)
    assert result.changed == set()
    assert lablib.snapshot() == before
    figures["site.yml second run, seconds"] = round(result.seconds, 1)
    figures["site.yml second run, module calls per node"] = counts(result)
    figures["site.yml second run, module calls for each service"] = {
        one.name: counts(result, lambda row, one=one: one.name in row["play"]) for one in witness.ALL}
    for node, count in counts(result).items():
        more = FOR_THE_CLUSTER + sum(for_a_service(one) for one in witness.ALL if one.name != "registry") if node == MASTER else 0
        more += sum(to_its_api(one, node) for one in witness.ALL)
        assert count <= ON_A_NODE + more, result.calls(node)
    for one in witness.ALL:
        for node, count in counts(result, lambda row, one=one: one.name in row["play"]).items():
            on_the_master, on_a_node = (REGISTRY_ON_THE_MASTER, REGISTRY_ON_A_NODE) if one.name == "registry" else (for_a_service(one), 0)
            assert count <= (on_the_master if node == MASTER else on_a_node) + to_its_api(one, node), (one.name, node)


def test_every_service_has_a_witness(site):
    """What the swarm runs is what the witnesses name: no service without one, none that is missing."""
    assert set(definitions.read()) == witness.services()


# One with member ids, one with a database, secrets and many services. The others in `make soak`; the calls of each are counted in the second run above.
KINDS = ("kafka", "airflow")


@pytest.mark.parametrize("one", [one if one.name in KINDS else pytest.param(one, marks=pytest.mark.soak) for one in witness.ALL], ids=lambda one: one.name)
def test_one_service_again_stays_in_its_budget(site, one, figures):
    """--tags <service> on a cluster that is as it should be: nothing changed, few tasks, a handful of calls, none on nodes without a part in it."""
    result = lablib.play(site, "--tags", one.name)
    assert result.changed == set()
    tasks, calls = result.text.count("\nTASK ["), counts(result)
    figures[f"--tags {one.name} second run: seconds, tasks, module calls per node"] = (round(result.seconds, 1), tasks, calls)
    assert tasks <= TASKS and len(result.text.splitlines()) <= LINES, result.text
    for node, count in calls.items():
        on_the_manager = ON_THE_MANAGER + (FOR_SECRETS if one.secrets() else 0)
        there = on_the_manager if node == MASTER else ON_A_NODE_WITH_DATA if node in one.nodes() else ELSEWHERE
        assert count <= there + to_its_api(one, node), result.calls(node)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Arguments of `play` that run the collection as it is built and installed into an empty directory, from elsewhere."""
    here = tmp_path_factory.mktemp("installed")
    source = lablib.ROOT / "collections/ansible_collections/skp/cluster"
    lablib.run(lablib.BIN / "ansible-galaxy", "collection", "build", "--output-path", here / "dist", cwd=source)
    tarball = next((here / "dist").glob("skp-cluster-*.tar.gz"))
    (here / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
    env = {"ANSIBLE_COLLECTIONS_PATH": str(here / "collections"), "ANSIBLE_CONFIG": str(here / "ansible.cfg")}
    lablib.run(lablib.BIN / "ansible-galaxy", "collection", "install", "--offline", "--no-deps", "-p", here / "collections", tarball, cwd=here, env=env)
    return {"inventory": str(lablib.ROOT / "inventory/lab/skp.yml"), "cwd": here, "env": env}


# Where an order of hosts could show: ids of members, lists of servers, labels, what lies on nodes.
IN_ORDER = "engine,swarm,nodes,registry,zookeeper,kafka,spark,airflow"


def in_order(names):
    """A change of hosts.json: its hosts in another order."""
    return lambda data: {name: data[name] for name in names}


def test_installed_collection_and_hosts_json_backwards(site, installed):
    """The built collection, run from elsewhere, with hosts.json backwards, which turns every pair of hosts round: changed=0. `make soak` runs the whole site
    and takes one host at a time, so that they also answer in this order.
    """
    before = lablib.snapshot()
    backwards = in_order(sorted(lablib.hosts(), reverse=True))
    with lablib.edited_hosts(backwards):
        both = lablib.play(site, *(("--forks", "1") if lablib.SOAK else ("--tags", IN_ORDER)), **installed).changed
        order = lablib.play(site).changed if both else set()
    assert both == set(), f"{both}; of it {order} also from the sources: that is the order's doing, the rest the installed collection's"
    assert lablib.snapshot() == before


# `make test` has a run with --limit in tests/lab/6_last/kafka, where the record of the brokers is lost besides.
@pytest.mark.soak
def test_limit_to_one_host_changes_nothing_elsewhere(site):
    """--limit c02 on a cluster that is as it should be: nothing changes, and the member lists still name everybody."""
    before = lablib.snapshot()
    result = lablib.play(site, "--limit", "c02")
    assert result.changed == set()
    assert lablib.snapshot() == before
