# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement of the cluster, and its text. One healthy cluster of three hosts; each case breaks one thing and names what must be found."""

from __future__ import annotations

import copy
import json

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.cluster_info import plan, table

GB = 1024 ** 3
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
HOSTS = ("c1", "c2", "c3")


def entry(host):
    """A host in the swarm."""
    return {"id": "n-" + host, "host": host, "hostname": "h-" + host, "address": "10.0.0.9", "engine": "26.1.5",
            "role": "manager" if host == "c1" else "worker", "leader": host == "c1", "reachability": "reachable" if host == "c1" else "", "state": "ready",
            "availability": "active", "message": "",
            "labels": {"kafka": "enable", "registry": "enable"}, "ours": ["kafka", "registry"]}


def service(name, host="", **more):
    return dict({"name": name, "role": name.split("-")[0], "host": host, "labels": [] if host else [name.split("-")[0]], "ports": [], "url": "", "login": "",
                 "image": "localhost:5000/skp/x:latest", "digest": DIGEST, "image_state": "same", "wanted": 1, "running": [host] if host else ["c1"],
                 "waiting": [], "away": [], "edited": False, "paused": False, "last_error": None}, **more)


def facts():
    """What a node says."""
    disk = {"path": "/", "mount": "/", "type": "ext4", "free": 50 * GB, "total": 100 * GB, "inodes_free": 10 ** 6}
    return {"engine": {"running": True, "version": "26.1.5", "error": "", "root": "/var/lib/docker"}, "memory": {},
            "containers": [{"id": "0", "name": "registry-skp", "service": "", "role": "registry", "image": "r", "state": "running", "status": "Up (healthy)",
                            "health": "healthy", "ports": []}],
            "disks": [disk, dict(disk, path="/var/lib/skp")], "store": {"path": "/srv/skp", "mounted": {"source": "c1:/srv/skp", "type": "nfs4"}},
            "registry": {"answering": True, "health": "200", "store": "s1", "error": ""},
            "volumes": {"lake": {"path": "/mnt/skp/lake", "state": "ok", "why": "", "active": True}},
            "packet_filter": {"made": True, "changed": False, "unused": False, "error": ""}}


def healthy():
    """The site of a cluster that is as it should be."""
    return {
        "cluster": "mine", "time": "2026-01-01 00:00:00 UTC",
        "hosts": {host: {"address": "10.0.0.%s" % host[1], "role": "manager" if host == "c1" else "worker", "master": host == "c1",
                         "labels": {"kafka": "enable", "registry": "enable"}, "volumes": ["lake"]} for host in HOSTS},
        "services": ["kafka", "registry", "spark-master", "spark-worker", "jupyter"],
        "swarm": [{"host": "c1", "error": "", "answer": {
            "answered": True, "kind": "", "error": "", "nodes": [entry(host) for host in HOSTS],
            "services": [service("kafka-skp-%s" % host[1], host, ports=[9094]) for host in HOSTS],
            "images": {"skp/x:latest": DIGEST},
            "registry": {"answering": True, "health": "200", "more": 0,
                         "tags": [{"repository": "skp/x", "tag": "latest", "digest": DIGEST, "size": 3 * GB}]}}}],
        "nodes": {host: {"answer": facts(), "error": ""} for host in HOSTS},
        "failed_volumes": {}, "settings": {"disk_free_percent": 5.0, "recent_seconds": 3600},
    }


def swarm(site):
    return site["swarm"][0]["answer"]


def swarm_node(site, host):
    return next(node for node in swarm(site)["nodes"] if node["host"] == host)


def swarm_service(site, name):
    return next(item for item in swarm(site)["services"] if item["name"] == name)


def judged(change):
    site = healthy()
    change(site)
    return plan.judge(site)


def test_a_healthy_cluster():
    document = plan.judge(healthy())
    assert (document["state"], document["problems"], document["notes"]) == ("ok", [], [])
    assert document["services"][0]["urls"] == ["10.0.0.1:9094"] and document["labels"] == {"kafka": list(HOSTS), "registry": list(HOSTS)}
    assert document["nodes"][0]["disks"][0]["paths"] == ["/", "/var/lib/skp"], "one row for each file system"
    assert json.loads(json.dumps(document)) == document


def drop(site, host):
    swarm(site)["nodes"] = [node for node in swarm(site)["nodes"] if node["host"] != host]


# What is broken, and the problems: (kind, subject, where, a part of what was found).
CASES = {
    "node down": (lambda site: swarm_node(site, "c2").update(state="down"), [("node_down", "c2", "c2", "says that the node is down")]),
    "node drained": (lambda site: swarm_node(site, "c2").update(availability="drain"), [("node_set_aside", "c2", "c2", "set to drain")]),
    "node not in the swarm": (lambda site: drop(site, "c3"), [("node_missing", "c3", "c3", "not in the swarm")]),
    "wrong role": (lambda site: swarm_node(site, "c2").update(role="manager", reachability="reachable"), [
        ("node_role", "c2", "c2", "is a manager of the swarm, hosts.json says worker")]),
    "manager cut off": (lambda site: swarm_node(site, "c1").update(reachability="unreachable"), [("manager_unreachable", "c1", "c1", "do not reach it")]),
    "missing label": (lambda site: swarm_node(site, "c2")["labels"].pop("registry"), [("labels", "c2", "c2", "registry is missing")]),
    "label too many": (lambda site: site["hosts"]["c2"].update(labels={"kafka": "enable"}), [("labels", "c2", "c2", "registry is not in hosts.json")]),
    "another value": (lambda site: swarm_node(site, "c2")["labels"].update(kafka="x"), [("labels", "c2", "c2", "kafka is x, not enable")]),
    "somebody's own label": (lambda site: swarm_node(site, "c2")["labels"].update(rack="r1"), []),
    "unreachable": (lambda site: site["nodes"].update(c2={"answer": None, "error": "no route to host"}), [("unreachable", "c2", "c2", "no route to host")]),
    "not asked": (lambda site: site["nodes"].pop("c2"), []),
    "engine": (lambda site: site["nodes"]["c2"]["answer"].update(engine={"running": False, "error": "refused", "version": ""}, containers=[], registry={}), [
        ("engine", "c2", "c2", "refused")]),
    "full disk": (lambda site: site["nodes"]["c2"]["answer"]["disks"][0].update(free=4 * GB), [("disk_full", "/", "c2", "4.0 GB free of 100.0 GB (4 %)")]),
    "no inodes": (lambda site: site["nodes"]["c2"]["answer"]["disks"][0].update(inodes_free=10), [("disk_full", "/", "c2", "only 10 files")]),
    "silent store": (lambda site: site["nodes"]["c2"]["answer"]["disks"].append({"path": "/srv/skp", "silent": "does not answer"}), [
        ("store_silent", "/srv/skp", "c2", "does not answer")]),
    "stopped service": (lambda site: swarm_service(site, "kafka-skp-2").update(running=[], waiting=[{"host": "c2", "error": "exit (1)"}]), [
        ("not_running", "kafka-skp-2", "c2", "exit (1)")]),
    "service on a dead node": (lambda site: swarm_service(site, "kafka-skp-2").update(running=[], away=[{"host": "c2", "reason": "node is down"}]), [
        ("not_running", "kafka-skp-2", "c2", "node is down")]),
    "service that nothing may run": (lambda site: swarm_service(site, "kafka-skp-2").update(running=[], wanted=0), [
        ("not_running", "kafka-skp-2", "", "no node of the swarm")]),
    "removed service": (lambda site: swarm(site)["services"].pop(1), [("service_missing", "kafka", "c2", "no service of it")]),
    "label of a later version": (lambda site: [labels.update(mysql="enable") for labels in (
        site["hosts"]["c2"]["labels"], swarm_node(site, "c2")["labels"])], []),
    "edited service": (lambda site: swarm_service(site, "kafka-skp-2").update(edited=True), [("edited", "kafka-skp-2", "", "was changed")]),
    "paused update": (lambda site: swarm_service(site, "kafka-skp-2").update(paused=True), [("paused", "kafka-skp-2", "", "is paused")]),
    "another image": (lambda site: swarm_service(site, "kafka-skp-2").update(image_state="other", digest=OTHER), [
        ("image", "kafka-skp-2", "", "not what this cluster has pushed last")]),
    "an image of nobody": (lambda site: swarm_service(site, "kafka-skp-2").update(image_state="unknown"), [("image", "kafka-skp-2", "", "not in the ledger")]),
    "an image of another registry": (lambda site: swarm_service(site, "kafka-skp-2").update(image_state="foreign"), []),
    "unhealthy container": (lambda site: site["nodes"]["c2"]["answer"]["containers"][0].update(health="unhealthy"), [
        ("unhealthy", "registry-skp", "c2", "unhealthy")]),
    "stopped registry": (lambda site: site["nodes"]["c2"]["answer"]["containers"][0].update(state="exited", status="Exited (1)", health=""), [
        ("not_running", "registry-skp", "c2", "exited")]),
    "removed registry": (lambda site: site["nodes"]["c2"]["answer"].update(containers=[], registry={}), [("service_missing", "registry", "c2", "no service")]),
    "silent registry": (lambda site: site["nodes"]["c2"]["answer"]["registry"].update(answering=False, health="503"), [("registry", "registry", "c2", "503")]),
    "two stores": (lambda site: site["nodes"]["c2"]["answer"]["registry"].update(store="s2"), [("registry", "registry", "", "c1, c3; c2")]),
    "tag of somebody else": (lambda site: swarm(site)["registry"]["tags"][0].update(digest=OTHER), [
        ("registry_tag", "skp/x:latest", "", "the registry has sha256:bbbb")]),
    "tag that is gone": (lambda site: swarm(site)["registry"].update(tags=[]), [("registry_tag", "skp/x:latest", "", "does not have it")]),
    "tags not all seen": (lambda site: swarm(site)["registry"].update(tags=[], more=7), []),
    "changed packet filter": (lambda site: site["nodes"]["c2"]["answer"]["packet_filter"].update(changed=True), [
        ("packet_filter", "packet filter", "c2", "not those of the last run")]),
    "packet filter without effect": (lambda site: site["nodes"]["c2"]["answer"]["packet_filter"].update(unused=True), [
        ("packet_filter", "packet filter", "c2", "DOCKER-USER")]),
    "packet filter that cannot be read": (lambda site: site["nodes"]["c2"]["answer"]["packet_filter"].update(error="no iptables-save"), [
        ("packet_filter", "packet filter", "c2", "no iptables-save")]),
    "dead volume": (lambda site: site["nodes"]["c2"]["answer"]["volumes"]["lake"].update(state="stale", why="Transport endpoint is not connected"), [
        ("volume", "lake", "c2", "Transport endpoint")]),
    "missing volume": (lambda site: site["nodes"]["c2"]["answer"].update(volumes={}), [("volume", "lake", "c2", "is not mounted")]),
    "volume too many": (lambda site: site["hosts"]["c2"].update(volumes=[]), [("volume", "lake", "c2", "skp_volumes does not have it")]),
    "volume that this run could not mount": (lambda site: site["failed_volumes"].update(c2={"sea": "no such bucket"}), [
        ("volume", "sea", "c2", "no such bucket")]),
    "damaged ledger": (lambda site: swarm(site).update(error="The record is damaged"), [("ledger", "ledger of images", "", "damaged")]),
}


@pytest.mark.parametrize("change, expected", CASES.values(), ids=CASES)
def test_what_is_found(change, expected):
    document = judged(change)
    found = document["problems"]
    assert [(item["kind"], item["subject"], item["where"]) for item in found] == [case[:3] for case in expected]
    assert [item["found"] for item, case in zip(found, expected) if case[3] not in item["found"]] == []
    assert document["state"] == ("problem" if expected else "ok")
    for item in found:
        assert any(plan.explain(item) in line for line in table.full(document)) and any(plan.explain(item) in line for line in table.summary(document))


@pytest.mark.parametrize("case", ["missing label", "label too many", "another value"])
def test_labels_are_mended_by_the_whole_run(case):
    """The role of a present service sets its label, so that --tags swarm does not."""
    assert [item["next"] for item in judged(CASES[case][0])["problems"]] == ["ansible-playbook site.yml"]


@pytest.mark.parametrize("change, kind", [
    (lambda site: swarm(site)["nodes"].append(dict(entry("c9"), host="", hostname="laptop")), "foreign_node"),
    (lambda site: swarm(site)["services"].append(service("mine", role="", waiting=[{"host": "c1", "error": "x"}])), "foreign_service"),
    (lambda site: swarm_service(site, "kafka-skp-2").update(last_error={"host": "c2", "text": "exit (1)", "seconds": 90}), "failed_before"),
    (lambda site: swarm(site)["images"].update({"skp/unused:latest": DIGEST}), "registry_tag"),
])
def test_what_is_worth_a_note(change, kind):
    document = judged(change)
    assert document["state"] == "ok" and [item["kind"] for item in document["notes"]] == [kind]


def test_an_old_failure_is_no_news():
    assert judged(lambda site: swarm_service(site, "kafka-skp-2").update(last_error={"host": "c2", "text": "x", "seconds": 4000}))["notes"] == []


def test_a_node_that_came_back_counts_by_its_new_entry():
    def twice(site):
        swarm(site)["nodes"].append(dict(entry("c2"), id="old", state="down"))
    assert judged(twice)["problems"] == []


NO_LEADER = {"answered": False, "kind": "no_leader", "error": "rpc error: The swarm does not have a leader.\nMore than half", "nodes": [], "services": [],
             "images": {}, "registry": {}}


@pytest.mark.parametrize("questions, kind, words", [
    ([{"host": "c1", "answer": NO_LEADER, "error": ""}], "no_leader", "it has no leader"),
    ([{"host": "c1", "answer": None, "error": "no route"}, {"host": "c2", "answer": NO_LEADER, "error": ""}], "no_leader", "c1: no route; c2: rpc error"),
    ([{"host": "c1", "answer": None, "error": "no route"}], "no_manager", "c1: no route"),
    ([], "no_manager", "no manager was asked"),
])
def test_a_swarm_that_says_nothing(questions, kind, words):
    """The nodes still have their rows."""
    document = judged(lambda site: site.update(swarm=questions))
    assert [item["kind"] for item in document["problems"]] == [kind] and words in document["problems"][0]["found"]
    assert [node["state"] for node in document["nodes"]] == ["unknown"] * 3 and document["services"] == []
    assert table.full(document)[0].endswith("NO MANAGER ANSWERS)")


def test_another_manager_answers():
    document = judged(lambda site: site["swarm"].insert(0, {"host": "c0", "answer": None, "error": "no route"}))
    assert document["state"] == "ok" and document["swarm"]["asked"] == "c1"


@pytest.mark.parametrize("more, shown", [
    ({"url": "http://{host}:8010/lab", "ports": [8010]}, ["http://10.0.0.1:8010/lab"]),
    ({"url": "http://{host}:8010/lab", "ports": [8010, 8011]}, ["http://10.0.0.1:8010/lab", "10.0.0.1:8011"]),
    ({"url": "http://{host}:8010/lab", "ports": []}, []),
    ({"url": "http://{host}/lab", "ports": [80]}, ["http://10.0.0.1/lab"]),
    ({"url": "https://{host}:8070 https://{host}:8071", "ports": [8070, 8071, 8072]}, ["https://10.0.0.1:8070", "https://10.0.0.1:8071", "10.0.0.1:8072"]),
    ({"url": "https://{host}:8070 https://{host}:8071", "ports": [8070]}, ["https://10.0.0.1:8070"]),
    ({"url": "https://door.example/lab", "ports": []}, ["https://door.example/lab"]),
    ({"ports": [9094]}, ["10.0.0.1:9094"]),
    ({"ports": [9094], "running": []}, []),
    ({"ports": [9094], "running": ["stranger"]}, ["stranger:9094"]),
])
def test_addresses(more, shown):
    assert plan.urls(service("kafka-1", **more), healthy()["hosts"]) == shown


def test_addresses_of_ipv6():
    assert plan.urls(service("x", url="http://{host}:80/", ports=[80]), {"c1": {"address": "fd00::1"}}) == ["http://[fd00::1]:80/"]


@pytest.mark.parametrize("item, label, host, answer", [
    (service("kafka-1", "c1"), "kafka", "c1", True), (service("kafka-1", "c1"), "kafka", "c2", False),
    (service("spark-skp-master-2", "c1", role="spark"), "spark-master", "c1", True),
    (service("spark-skp-history", "c1", role="spark"), "spark-master", "c1", False),
    (service("spark-w", role="spark", labels=["spark-worker"]), "spark-worker", "c3", True),
    (service("pgsql-skp", "c2", role="postgresql"), "pgsql", "c2", True), (service("pgsql-skp", "c2", role="postgresql"), "pgsql", "c1", False),
    (service("kafka-1", "c1"), "jupyter", "c1", False)])
def test_which_service_follows_a_label(item, label, host, answer):
    assert plan.serves(item, label, host) is answer


def test_the_table():
    def change(site):
        swarm(site)["services"] += [service("jupyter-skp", ports=[8010], url="http://{host}:8010/jupyter-skp", login="/etc/skp/secrets/jupyter_password",
                                            wanted=5, running=["c1", "c2", "c3", "c4", "c5"])]
        swarm_service(site, "kafka-skp-2").update(running=[], waiting=[{"host": "c2", "error": "exit (1)"}])
    lines = table.full(judged(change))
    assert lines[0] == "Cluster mine: 1 problem (2026-01-01 00:00:00 UTC, asked c1)"
    [jupyter] = [line for line in lines if line.startswith("jupyter-skp")]
    assert "5/5" in jupyter and "c1, c2, c3 and 2 more" in jupyter and jupyter.endswith("/etc/skp/secrets/jupyter_password on the managers")
    assert "http://10.0.0.1:8010/jupyter-skp" in jupyter
    below = [line.strip() for line in lines[lines.index(jupyter) + 1:][:3]]
    assert below == ["http://10.0.0.2:8010/jupyter-skp", "http://10.0.0.3:8010/jupyter-skp", "and 2 more"], "an address is a line of its own"
    assert any(line.split() == ["kafka-skp-2", "0/1", "!", "-", "x:latest@aaaaaaaaaaaa", "-"] for line in lines)
    assert any(line.startswith("skp/x:latest") and "3.0 GB" in line and line.endswith("yes") for line in lines)
    assert any(line.startswith("lake") and line.endswith("ok") for line in lines) and any(line.startswith("/srv/skp") and "nfs4" in line for line in lines)
    assert lines[-1].startswith("- kafka-skp-2 on c2: exit (1) -> ansible-playbook playbooks/logs.yml")


def test_the_end_of_a_run_claims_no_more_than_it_has_asked():
    assert table.summary(plan.judge(dict(healthy(), nodes={})))[0] == "Cluster mine: all services run (2026-01-01 00:00:00 UTC, asked c1)"


def test_the_containers_of_every_node():
    nodes = {"c1": {"answer": facts(), "error": ""}, "c2": {"answer": None, "error": "no route"},
             "c3": {"answer": dict(copy.deepcopy(facts()), engine={"running": False, "error": "refused"}), "error": ""}}
    lines = table.containers(nodes)
    assert [line.split() for line in lines] == [["NODE", "CONTAINER", "STATUS", "PORTS", "IMAGE"], ["c1", "registry-skp", "Up", "(healthy)", "r"],
                                                ["c2", "-", "NO", "ANSWER", "no", "route"], ["c3", "-", "NO", "ENGINE", "refused"]]


@pytest.mark.parametrize("number, text", [(512, "0 kB"), (5 * 1024 ** 2, "5.0 MB"), (int(40.25 * GB), "40.2 GB"), (2048 * GB, "2.0 TB")])
def test_sizes(number, text):
    assert plan.size(number) == text


@pytest.mark.parametrize("seconds, text", [(5, "5 s"), (300, "5 min"), (7300, "2 h"), (200000, "2 d")])
def test_times(seconds, text):
    assert plan.ago(seconds) == text
