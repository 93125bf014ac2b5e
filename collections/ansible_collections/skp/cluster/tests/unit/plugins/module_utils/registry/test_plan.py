# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry's plan: which store, which container, what is refused, what is shown."""

from __future__ import annotations

import copy

import pytest
import yaml

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.registry import plan

SECRET = 'odd "quoted": # secret'
OPTIONS = {
    "name": "registry-skp", "image": "localhost:5000/skp/docker-registry:latest", "image_hash": "h1", "writer": True,
    "store": "/srv/skp/registry", "config_dir": "/etc/skp/registry", "user": "0:0",
}


def _config(writer=True):
    return plan.render_config(writer, "127.0.0.1", 5000, SECRET)


def _spec(**changes):
    config = changes.pop("config", _config())
    store_id = changes.pop("store_id", "id-1")
    return plan.container_spec(dict(OPTIONS, **changes), config, store_id)


@pytest.mark.parametrize("writer", [True, False])
def test_config(writer):
    config = yaml.safe_load(_config(writer))
    assert config["http"] == {"addr": "127.0.0.1:5000", "secret": SECRET, "draintimeout": "30s"}
    assert config["storage"]["maintenance"]["readonly"]["enabled"] is not writer
    assert config["storage"]["maintenance"]["uploadpurging"]["enabled"] is writer
    assert config["storage"]["delete"]["enabled"] is writer
    assert config["health"]["storagedriver"]["enabled"] is True
    assert "cache" not in config["storage"]
    assert "debug" not in config["http"]


def test_config_for_ipv6():
    assert yaml.safe_load(plan.render_config(True, "::1", 5000, "s"))["http"]["addr"] == "[::1]:5000"


def test_masked_config_hides_the_secret_and_shows_that_it_changed():
    shown = plan.masked(_config())
    assert "odd" not in shown and "sha256:" in shown
    assert shown != plan.masked(plan.render_config(True, "127.0.0.1", 5000, "other"))
    assert shown.count("\n") == _config().count("\n")


def test_spec_is_hardened():
    host = _spec()["HostConfig"]
    assert host["NetworkMode"] == "host" and "PortBindings" not in host and "Binds" not in host
    assert host["ReadonlyRootfs"] is True and host["CapDrop"] == ["ALL"] and host["SecurityOpt"] == ["no-new-privileges"]
    assert host["RestartPolicy"]["Name"] == "always"
    assert all(mount["Type"] == "bind" for mount in host["Mounts"])


@pytest.mark.parametrize("writer", [True, False])
def test_only_the_writer_may_write(writer):
    mounts = {mount["Target"]: mount["ReadOnly"] for mount in _spec(writer=writer)["HostConfig"]["Mounts"]}
    assert mounts == {"/var/lib/registry": not writer, "/etc/skp/registry": True}


def test_spec_holds_no_secret():
    assert SECRET not in str(_spec())


@pytest.mark.parametrize("changes", [
    {"image": "other"}, {"image_hash": "h2"}, {"writer": False}, {"store": "/other"}, {"config_dir": "/other"}, {"user": "5:5"},
    {"store_id": "id-2"}, {"config": "other"},
])
def test_hash_covers_everything(changes):
    assert _spec()["Labels"]["skp.hash"] == _spec()["Labels"]["skp.hash"]
    assert _spec(**changes)["Labels"]["skp.hash"] != _spec()["Labels"]["skp.hash"]


@pytest.mark.parametrize("writer, container, marked, first", [
    (True, {"kind": "writer"}, True, False),
    (True, {"kind": "reader"}, True, True),
    (True, None, True, True),
    (True, None, False, False),  # a new store
    (False, {"kind": "writer"}, True, False),
])
def test_a_new_writer_waits_until_the_old_one_is_a_reader(writer, container, marked, first):
    assert plan.readers_first(writer, container, marked) is first


def test_untagged_manifests_that_services_run_are_kept():
    running = {"sha256:1": ["kafka-skp-1", "kafka-skp-2"]}
    plan.refuse_running(["sha256:2"], running)
    with pytest.raises(Failure) as caught:
        plan.refuse_running(["sha256:1", "sha256:2"], running)
    assert "kafka-skp-1, kafka-skp-2" in caught.value.msg and caught.value.failure["kind"] == "gc_running"


@pytest.mark.parametrize("image, digest", [
    ("localhost:5000/skp/docker-kafka@sha256:1", "sha256:1"), ("localhost:5000/skp/docker-kafka:latest@sha256:1", "sha256:1"), ("redis:8", ""),
])
def test_digest_of_a_service(image, digest):
    assert plan.digest_of(image) == digest


def test_gc_runs_apart():
    spec = plan.gc_spec(OPTIONS, dry_run=False, delete_untagged=True)
    assert spec["Cmd"] == ["garbage-collect", "--delete-untagged", "/etc/skp/registry/config.yml"]
    assert spec["HostConfig"]["NetworkMode"] == "none" and spec["HostConfig"]["RestartPolicy"]["Name"] == "no"
    dry = plan.gc_spec(OPTIONS, dry_run=True, delete_untagged=False)
    assert "--dry-run" in dry["Cmd"] and dry["HostConfig"]["Mounts"][0]["ReadOnly"] is True


EMPTY = {"exists": True, "parent_exists": True, "entries": [], "marker": None, "uid": 0, "mode": 0o755}
MISSING = dict(EMPTY, exists=False)
NOWHERE = dict(MISSING, parent_exists=False)
MARKED = dict(EMPTY, marker="id-1", entries=["docker"])
FOREIGN = dict(EMPTY, entries=["docker"])
BY_HAND = dict(FOREIGN, marker="")


@pytest.mark.parametrize("found,writer,create,recorded,expected,result", [
    (EMPTY, True, True, "", "", (["mark_store"], "new")),
    (MISSING, True, True, "", "", (["create_store", "mark_store"], "new")),
    (BY_HAND, True, True, "", "", (["adopt_store", "mark_store"], "new")),
    (dict(BY_HAND, entries=[]), True, True, "", "", (["mark_store"], "new")),
    (MARKED, True, True, "", "", ([], "id-1")),
    (MARKED, True, False, "id-1", "", ([], "id-1")),
    (MARKED, False, False, "", "id-1", ([], "id-1")),
    (MARKED, False, False, "", "", ([], "id-1")),
    (EMPTY, True, False, "", "", "store_missing"),
    (NOWHERE, True, True, "", "", "store_missing"),
    (FOREIGN, True, True, "", "", "store_foreign"),
    (EMPTY, False, True, "", "", "store_missing"),
    (MISSING, False, False, "", "id-1", "store_missing"),
    (EMPTY, True, True, "id-1", "", "store_missing"),
    (MISSING, True, True, "id-1", "", "store_missing"),
    (FOREIGN, True, True, "id-1", "", "store_missing"),
    (MARKED, True, True, "id-0", "", "store_changed"),
    (MARKED, False, False, "", "id-0", "store_changed"),
    (MARKED, False, False, "id-1", "id-0", "store_changed"),
])
def test_store(found, writer, create, recorded, expected, result):
    def run():
        return plan.plan_store(found, "/srv/skp/registry", writer, create, recorded, expected, "new")

    if isinstance(result, tuple):
        assert run() == result
    else:
        with pytest.raises(Failure) as caught:
            run()
        assert caught.value.failure["kind"] == result
        assert "/srv/skp/registry" in caught.value.msg


@pytest.mark.parametrize("found,uid,fine", [
    (EMPTY, 0, True), (MISSING, 7, True), (EMPTY, 7, False), (dict(EMPTY, uid=7), 7, True), (dict(EMPTY, uid=7), 0, False),
    (dict(EMPTY, mode=0o777), 7, True), (dict(EMPTY, mode=0o555), 0, False),
])
def test_owner(found, uid, fine):
    if fine:
        plan.refuse_unwritable(found, "/s", uid)
    else:
        with pytest.raises(Failure, match="registry_user"):
            plan.refuse_unwritable(found, "/s", uid)


@pytest.mark.parametrize("text,expected", [
    ("0:0", (0, 0)), ("5000", (5000, 5000)), ("1:2", (1, 2)), ("root", None), ("1:", None), ("-1", None), ("", None),
])
def test_user(text, expected):
    if expected:
        assert plan.parse_user(text) == expected
    else:
        with pytest.raises(Failure):
            plan.parse_user(text)


@pytest.mark.parametrize("address,fine", [
    ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("0.0.0.0", False), ("10.0.0.1", False), ("::", False),
    ("localhost.evil", False),
    ("127.0.0.1.evil", False),
])
def test_loopback_only(address, fine):
    if fine:
        plan.refuse_exposed(address)
    else:
        with pytest.raises(Failure):
            plan.refuse_exposed(address)


@pytest.mark.parametrize("found,image_hash,archive,expected", [
    ({"id": "i", "hash": "h1"}, "h1", "/a.tar", []),
    ({"id": "i", "hash": ""}, "", "", []),
    ({"id": "i", "hash": "h0"}, "h1", "/a.tar", ["load_image"]),
    (None, "h1", "/a.tar", ["load_image"]),
    (None, "", "", ["pull_image"]),
])
def test_image(found, image_hash, archive, expected):
    assert plan.plan_image(found, "ref", image_hash, archive) == expected


GOOD = {
    "ours": True, "kind": "writer", "hash": _spec()["Labels"]["skp.hash"], "status": "running", "running": True, "image_id": "i1",
    "store_stale": False,
}


@pytest.mark.parametrize("changes,image_id,drift,answering,actions", [
    ({}, "i1", False, True, []),
    ({}, None, False, True, []),
    ({"hash": "x"}, "i1", False, True, ["remove", "create", "start"]),
    ({}, "i2", False, True, ["remove", "create", "start"]),
    ({"running": False, "status": "exited"}, "i1", True, False, ["start"]),
    ({"running": False, "status": "restarting"}, "i1", False, False, ["restart"]),
    ({}, "i1", True, True, ["restart"]),
    ({}, "i1", False, False, ["restart"]),
    ({"store_stale": True}, "i1", False, True, ["restart"]),
    (None, "i1", False, False, ["create", "start"]),
])
def test_container(changes, image_id, drift, answering, actions):
    container = None if changes is None else dict(copy.deepcopy(GOOD), **changes)
    found, reasons = plan.plan_container(container, _spec(), {"id": image_id} if image_id else None, drift, answering)
    assert found == actions
    assert bool(reasons) == bool(actions)


def test_foreign_container_is_refused():
    plan.refuse_foreign(None, "n")
    plan.refuse_foreign(GOOD, "n")
    with pytest.raises(Failure, match="docker rm -f n"):
        plan.refuse_foreign(dict(GOOD, ours=False), "n")


@pytest.mark.parametrize("container,writer,kind", [
    (GOOD, True, None), (GOOD, False, "gc_on_reader"), (dict(GOOD, kind="reader"), True, "gc_on_reader"), (None, True, "no_container"),
    (dict(GOOD, ours=False, kind=""), True, "foreign_container"),
])
def test_gc_only_on_the_writer(container, writer, kind):
    if kind is None:
        plan.plan_gc(container, writer, "n")
    else:
        with pytest.raises(Failure) as caught:
            plan.plan_gc(container, writer, "n")
        assert caught.value.failure["kind"] == kind


REGISTRY_3 = """skp/one
skp/one: marking manifest sha256:aa
manifest eligible for deletion: sha256:ee

3 blobs marked, 2 blobs and 1 manifests eligible for deletion
blob eligible for deletion: sha256:bb
time="..." level=info msg="Deleting blob: /docker/registry/v2/blobs/sha256/bb/bb"
blob eligible for deletion: sha256:cc
"""


# Registry 3.0 and newer print a manifest with its repository and tags.
REGISTRY_31 = """\
skp/docker-kafka: marking manifest sha256:aa
manifest eligible for deletion: {skp/docker-kafka sha256:%s []}
manifest eligible for deletion: {skp/docker-kafka sha256:%s [old older]}
manifest eligible for deletion: {skp/docker-ds sha256:%s []}

3 blobs marked, 1 blobs and 3 manifests eligible for deletion
blob eligible for deletion: sha256:bb
""" % ("1" * 64, "2" * 64, "3" * 64)


@pytest.mark.parametrize("text,expected", [
    (REGISTRY_31, {"marked": 3, "blobs": ["sha256:bb"], "manifests": ["sha256:" + digit * 64 for digit in "123"]}),
    (REGISTRY_3, {"marked": 3, "blobs": ["sha256:bb", "sha256:cc"], "manifests": ["sha256:ee"]}),
    ("\n7 blobs marked, 0 blobs and 0 manifests eligible for deletion\n", {"marked": 7, "blobs": [], "manifests": []}),
    ("failed to garbage collect: failed to mark: Path not found", None),
])
def test_parse_gc(text, expected):
    assert plan.parse_gc(text) == expected


@pytest.mark.parametrize("text,words", [
    # The message of the original's guide.
    ("filesystem layer verification failed for digest sha256:c3d73fc284d6c3350a83cd5125af8af011a5aa426368b6619fab1a85234cad92",
     ["clock", "name servers", "registry_verify.yml"]),
    ("x509: certificate has expired or is not yet valid", ["clock"]),
    ("dial tcp: lookup registry.example on 10.0.0.1:53: no such host", ["name server"]),
    ("Get http://localhost:5000/v2/: dial tcp 127.0.0.1:5000: connect: connection refused", ["--tags registry"]),
    ("manifest for localhost:5000/skp/x:latest not found: manifest unknown", ["--tags images"]),
    ("unknown: Method not allowed", ["reader"]),
    # The message of the seed's lesson, and the SDK's own.
    ("Error saving credentials: error storing credentials - err: docker-credential-desktop resolves to executable in current directory "
     "(./docker-credential-desktop), out:", ["credential helper", "credsStore", "Remove that line"]),
    ("Credentials store error: StoreError('docker-credential-desktop not installed or not available in PATH')", ["credential helper", "Docker Desktop"]),
    ("Get \"https://registry.example/v2/me/hello/manifests/1.0\": no basic auth credentials", ["docker login", "on the master"]),
    ("pull access denied for me/hello, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
     ["docker login", "name right"]),
    ("received unexpected HTTP status: 503 Service Unavailable", ["store"]),
    # Interrupted uploads are not what garbage collection frees.
    ("write /var/lib/docker/tmp/x: no space left on device", ["df -h", "registry_gc.yml", "does not remove uploads", "_uploads", "week"]),
])
def test_explanations(text, words):
    hint = plan.explain_pull_error(text)
    assert all(word in hint for word in words), hint


def test_no_explanation():
    assert plan.explain_pull_error("the moon is full") == ""
    assert plan.explain_pull_error(None) == ""


def test_diff_sides():
    before = plan.summary(None, None, "")
    after = plan.wish_summary(_spec(), {"id": "i1"}, _config(), "id-1")
    assert before["registry"] == {"container": "absent", "store": "none"} and before["config"] == ""
    assert after["registry"]["container"] == "running" and SECRET not in after["config"]
    same = plan.summary(GOOD, _config(), "id-1")
    assert same == after
