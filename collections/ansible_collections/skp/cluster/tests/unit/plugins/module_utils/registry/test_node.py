# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at a registry: it changes nothing, and everything that is not as it should be needs a turn."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.registry import node

IMAGE = "localhost:5000/skp/docker-registry:latest"


class Module:
    """The options of a registry over a store of the test."""

    check_mode = False

    def __init__(self, tmp_path, **params):
        self.params = {"state": "present", "name": "registry-skp", "image": IMAGE, "image_hash": "h", "archive": "", "archive_sha256": "",
                       "readers_first": False, "look": True, "store": str(tmp_path / "registry"), "writer": True, "create_store_marker": True,
                       "store_id": "", "http_secret": "secret", "secret_file": "", "address": "127.0.0.1", "port": 5000, "user": "0:0",
                       "log_level": "info", "config_dir": str(tmp_path / "etc"), "timeout": 5, "purge": False, **params}
        self.warn = lambda text: None


@pytest.fixture(name="look")
def _look(tmp_path, monkeypatch):
    """A function that looks, after the registry was set up as its options want it. Changes of the engine are errors."""
    state = {"image": {"id": "i1", "hash": "h"}, "container": None, "former": []}
    monkeypatch.setattr(node, "connect_or_predict", lambda module, **options: "client")
    monkeypatch.setattr(node.io, "read_image", lambda client, reference: state["image"])
    monkeypatch.setattr(node.io, "former_names", lambda client, name: state["former"])
    monkeypatch.setattr(node.io, "read_container", lambda client, name: None if name.endswith("-gc") else state["container"])
    monkeypatch.setattr(node.io, "store_is_stale", lambda container, store: False)
    monkeypatch.setattr(node.io, "wait_answer", lambda registry, seconds: True)
    for name in ("create", "start", "stop", "remove", "create_store", "mark_store"):
        monkeypatch.setattr(node.io, name, lambda *args, name=name: pytest.fail("a look did: %s" % name))
    monkeypatch.setattr(node.plan, "refuse_unwritable", lambda *args: None)

    def look(**params):
        return node.RegistryNode(Module(tmp_path, **params)).look()

    look.state, look.path = state, tmp_path
    return look


def settle(look):
    """Make all as the options want it."""
    store = look.path / "registry"
    store.mkdir()
    (store / node.plan.MARKER).write_text("id-1\n")
    one = node.RegistryNode(Module(look.path))
    config = node.plan.render_config(True, "127.0.0.1", 5000, "secret", "info")
    node.atomic_file.write_text(one.config_path, config, uid=0, gid=0)
    node.atomic_file.write_text(one.record_path, "id-1\n", mode=0o644)
    spec = node.plan.container_spec(one.params, config, "id-1")
    look.state["container"] = {
        "id": "c", "name": "registry-skp", "ours": True, "kind": "writer", "hash": spec["Labels"]["skp.hash"], "store": "id-1", "image": IMAGE,
        "image_id": "i1", "user": "0:0", "running": True, "status": "running", "health": "", "restarts": 0, "exit_code": 0, "error": "",
        "started_at": "", "pid": 1}


@pytest.mark.skipif("__import__('os').geteuid() != 0", reason="the files are root's")
def test_a_registry_as_it_should_be_is_settled(look):
    settle(look)
    found = look(readers_first=True)
    assert (found["settled"], found["changed"], found["store_id"]) == (True, False, "id-1")


@pytest.mark.skipif("__import__('os').geteuid() != 0", reason="the files are root's")
@pytest.mark.parametrize("change", ["image", "container", "former", "log_level", "archive"])
def test_anything_to_do_needs_a_turn(look, change):
    settle(look)
    params = {}
    if change == "image":
        look.state["image"] = None
    elif change == "container":
        look.state["container"]["running"] = False
    elif change == "former":
        look.state["former"] = ["registry-old"]
    elif change == "archive":
        look.state["image"], params["archive"] = None, "/nowhere.tar"
    else:
        params["log_level"] = "debug"
    assert look(**params) == {**look(**params), "settled": False, "changed": False}


def test_an_error_is_left_to_the_turn(look, monkeypatch):
    def broken(client, name):
        raise Failure("foreign", "foreign")

    monkeypatch.setattr(node.io, "read_container", broken)
    assert look() == {"changed": False, "settled": False}
    assert look(store_id="x", writer=False) == {"changed": False, "settled": False}


def test_a_registry_that_is_gone_is_settled(look):
    assert look(state="absent")["settled"] is True
    look.state["container"] = {"name": "registry-skp", "ours": True, "running": False, "status": "exited", "kind": "reader", "image": IMAGE,
                               "image_id": "i1", "store": "", "hash": ""}
    assert look(state="absent")["settled"] is False


def test_nothing_is_collected_before_the_first_push(tmp_path, monkeypatch):
    """The registry's own collector fails over a store without repositories, which was then called damaged."""
    store = tmp_path / "registry"
    store.mkdir()
    (store / node.plan.MARKER).write_text("id-1\n")
    monkeypatch.setattr(node, "connect_or_predict", lambda module, **options: "client")
    container = {"ours": True, "running": True, "kind": "writer", "store": "id-1", "image_id": "i1", "user": "0:0", "status": "running", "name": "registry-skp"}
    monkeypatch.setattr(node.io, "read_container", lambda client, name: None if name.endswith("-gc") else container)
    monkeypatch.setattr(node.io, "store_is_stale", lambda container, store: False)
    monkeypatch.setattr(node.io, "run_to_end", lambda *args: (1, "failed to garbage collect: failed to mark: filesystem: Path not found: /docker/registry/v2"))
    found = node.RegistryNode(Module(tmp_path, delete_untagged=False, gc_timeout=5)).gc()
    assert (found["changed"], found["gc"]["blobs"], found["gc"]["bytes"]) == (False, [], 0)
    (store / node.store_walk.ROOT / "repositories").mkdir(parents=True)
    with pytest.raises(Failure, match="ended with exit code 1"):
        node.RegistryNode(Module(tmp_path, delete_untagged=False, gc_timeout=5)).gc()


@pytest.fixture(name="purge")
def _purge(tmp_path, monkeypatch):
    """A function that purges a registry whose container is gone, over a store with one image."""
    monkeypatch.setattr(node, "connect_or_predict", lambda module, **options: "client")
    monkeypatch.setattr(node.io, "former_names", lambda client, name: [])
    monkeypatch.setattr(node.io, "read_container", lambda client, name: None)
    (tmp_path / "registry/docker").mkdir(parents=True)
    (tmp_path / "registry/docker/image").write_text("x", encoding="utf-8")

    def purge():
        module = Module(tmp_path, state="absent", purge=True, look=False)
        module.said = []
        module.warn = module.said.append
        return dict(node.RegistryNode(module).absent(), said=module.said)

    purge.store = tmp_path / "registry"
    return purge


def test_a_purge_removes_the_images(purge):
    (purge.store / node.plan.MARKER).write_text("id-1\n")
    assert purge()["actions"] == ["purge_store"] and list(purge.store.iterdir()) == []
    assert purge()["changed"] is False


@pytest.mark.parametrize("below", ["docker", "docker/registry/v2"])
def test_a_purge_ends_where_something_is_mounted(purge, monkeypatch, below):
    """Somebody's disk below the images: nothing is removed, not even what lies beside it."""
    (purge.store / node.plan.MARKER).write_text("id-1\n")
    monkeypatch.setattr(node.io, "mount_points", lambda: ["/", str(purge.store), str(purge.store / below)])
    with pytest.raises(Failure, match="Unmount it first") as caught:
        purge()
    assert str(purge.store / below) in caught.value.msg and (purge.store / "docker/image").exists()


def test_a_purge_leaves_images_that_were_there_before(purge, monkeypatch):
    """A store of another registry, taken over with an empty marker."""
    monkeypatch.setattr(node.io, "read_image", lambda client, reference: {"id": "i1", "hash": "h"})
    (purge.store / node.plan.MARKER).touch()
    one = node.RegistryNode(Module(purge.store.parent, look=False))
    actions, store_id = one._plan_store()
    one._apply("client", [name for name in actions if name.endswith("_store")], "", store_id, {})
    assert node.io.read_store(str(purge.store))["marker"] == store_id and node.io.read_store(str(purge.store))["entries"] == ["docker"]
    found = purge()
    assert found["actions"] == [] and (purge.store / "docker/image").exists()
    assert ["were there before" in text and str(purge.store) in text for text in found["said"]] == [True]
    assert purge()["actions"] == [], "also the next time"


@pytest.mark.parametrize("inside", [IMAGE, "localhost:5000/skp/docker-registry:2025", "old.example:5001/skp/docker-registry:latest"])
def test_a_loaded_image_gets_its_present_name(tmp_path, monkeypatch, inside):
    """An archive has the tag and the registry of the time it was saved; the container names the image by those of today."""
    present = {}
    monkeypatch.setattr(node.io, "load_image", lambda client, archive, checksum: present.update({inside: {"id": "i1", "hash": "h"}}) or inside)
    monkeypatch.setattr(node.io, "tag_image", lambda client, reference, wanted: present.update({wanted: present[reference]}))
    monkeypatch.setattr(node.io, "read_image", lambda client, reference: present.get(reference))
    one = node.RegistryNode(Module(tmp_path, archive="/srv/skp/images/docker-registry.tar"))
    assert one._fetch_image("client", "load_image") == {"id": "i1", "hash": "h"} and IMAGE in present
