# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store walker on a store laid out on disk as the registry's filesystem driver does, then damaged in one place."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.registry import store as store_module


class Store:
    """Writes a store the way a push does: blobs, links, then the tag."""

    def __init__(self, path):
        self.path = path
        self.root = path / "docker" / "registry" / "v2"

    @staticmethod
    def _write(path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def data(self, digest):
        value = digest.split(":")[1]
        return self.root / "blobs" / "sha256" / value[:2] / value / "data"

    def blob(self, content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self._write(self.data(digest), content)
        return {"digest": digest, "size": len(content)}

    def repo(self, repository, *rest):
        return self.root.joinpath("repositories", repository, *rest)

    def link(self, repository, *rest, digest):
        self._write(self.repo(repository, *rest, "link"), digest.encode())

    def layer(self, repository, content):
        entry = self.blob(content)
        self.link(repository, "_layers", "sha256", entry["digest"][7:], digest=entry["digest"])
        return entry

    def manifest(self, repository, content):
        entry = self.blob(json.dumps(content).encode())
        self.link(repository, "_manifests", "revisions", "sha256", entry["digest"][7:], digest=entry["digest"])
        return entry

    def image(self, repository, *layers):
        return self.manifest(repository, {
            "config": self.layer(repository, b'{"os": "linux"}'), "layers": [self.layer(repository, layer) for layer in layers]})

    def tag(self, repository, tag, entry):
        self.link(repository, "_manifests", "tags", tag, "index", "sha256", entry["digest"][7:], digest=entry["digest"])
        self.link(repository, "_manifests", "tags", tag, "current", digest=entry["digest"])


@pytest.fixture(name="store")
def _store(tmp_path):
    store = Store(tmp_path)
    store.base = b"shared layer" * 1000
    store.one = store.image("skp/one", store.base, b"one")
    store.tag("skp/one", "latest", store.one)
    store.tag("skp/one", "v1", store.one)
    store.two = store.image("skp/deep/two", store.base, b"two")
    store.index = store.manifest("skp/deep/two", {"manifests": [store.two]})
    store.tag("skp/deep/two", "latest", store.index)
    store.orphan = store.blob(b"nobody names me")
    return store


def _verify(store, **options):
    return store_module.verify(str(store.path), **options)


def _only(store):
    problems = _verify(store)["problems"]
    assert len(problems) == 1, problems
    return problems[0]


def test_sound_store(store):
    seen = []
    result = _verify(store, progress=lambda done, total, size: seen.append((done, total, size)))
    assert result["problems"] == []
    assert result["tags"] == ["skp/deep/two:latest", "skp/one:latest", "skp/one:v1"]
    assert result["repositories"] == 2
    on_disk = list(store.root.joinpath("blobs").rglob("data"))
    assert result["blobs"] == len(on_disk) == len(seen)
    assert result["bytes"] == sum(path.stat().st_size for path in on_disk) == seen[-1][2]


def test_empty_store(tmp_path):
    assert store_module.verify(str(tmp_path))["problems"] == []


def test_no_store(tmp_path):
    with pytest.raises(Failure, match="mounted"):
        store_module.verify(str(tmp_path / "nowhere"))


def test_flipped_byte_of_a_shared_layer(store):
    digest = "sha256:" + hashlib.sha256(store.base).hexdigest()
    damaged = bytearray(store.base)
    damaged[100] ^= 1
    store.data(digest).write_bytes(damaged)
    problem = _only(store)
    assert problem["kind"] == "blob_corrupt"
    assert problem["digest"] == digest
    assert problem["found"] == "sha256:" + hashlib.sha256(damaged).hexdigest()
    assert problem["path"] == str(store.data(digest))
    assert problem["used_by"] == ["skp/deep/two:latest", "skp/one:latest", "skp/one:v1"]
    assert problem["manifests"] == sorted([store.one["digest"], store.two["digest"]])
    for word in (digest, problem["found"], problem["path"], "skp/one:v1", store.one["digest"]):
        assert word in problem["msg"]


def test_flipped_byte_of_a_blob_without_users(store):
    store.data(store.orphan["digest"]).write_bytes(b"nobody names mE")
    problem = _only(store)
    assert (problem["kind"], problem["used_by"]) == ("blob_corrupt", [])
    assert problem["msg"].startswith("no tag: ")


def test_missing_layer(store):
    digest = "sha256:" + hashlib.sha256(b"one").hexdigest()
    os.unlink(store.data(digest))
    problem = _only(store)
    assert (problem["kind"], problem["digest"], problem["used_by"]) == ("blob_missing", digest, ["skp/one:latest", "skp/one:v1"])


def test_truncated_layer(store):
    digest = "sha256:" + hashlib.sha256(b"two").hexdigest()
    store.data(digest).write_bytes(b"t")
    assert sorted(problem["kind"] for problem in _verify(store)["problems"]) == ["blob_corrupt", "blob_size"]


@pytest.mark.parametrize("content,kind", [(b"", "link_empty"), (b"sha256:short", "link_invalid"), (None, "link_missing")])
@pytest.mark.parametrize("which", ["tag", "tag_index", "revision", "layer"])
def test_broken_link(store, which, content, kind):
    digest = store.one["digest"][7:]
    layer = hashlib.sha256(b"one").hexdigest()
    path = {
        "tag": store.repo("skp/one", "_manifests", "tags", "v1", "current", "link"),
        "tag_index": store.repo("skp/one", "_manifests", "tags", "v1", "index", "sha256", digest, "link"),
        "revision": store.repo("skp/one", "_manifests", "revisions", "sha256", digest, "link"),
        "layer": store.repo("skp/one", "_layers", "sha256", layer, "link"),
    }[which]
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    problem = _only(store)
    assert (problem["kind"], problem["path"]) == (kind, str(path))
    assert "skp/one:v1" in problem["used_by"]


def test_empty_link_that_no_tag_leads_to(store):
    store.link("skp/one", "_manifests", "revisions", "sha256", "0" * 64, digest="")
    problem = _only(store)
    assert (problem["kind"], problem["used_by"]) == ("link_empty", [])


@pytest.fixture(name="untagged")
def _untagged(store):
    """A build that lost its tag to a newer one; services may run it by its digest."""
    return store.image("skp/one", store.base, b"old")


def test_an_image_without_a_tag_is_checked_too(store, untagged):
    assert _verify(store)["problems"] == []
    digest = "sha256:" + hashlib.sha256(b"old").hexdigest()
    os.unlink(store.data(digest))
    problem = _only(store)
    assert (problem["kind"], problem["digest"], problem["used_by"], problem["manifests"]) == ("blob_missing", digest, [], [untagged["digest"]])


def test_manifest_of_an_image_without_a_tag_is_missing(store, untagged):
    os.unlink(store.data(untagged["digest"]))
    assert (_only(store)["kind"], _only(store)["digest"]) == ("blob_missing", untagged["digest"])


@pytest.mark.parametrize("sub", ["_layers/sha256", "_manifests/revisions/sha256"])
def test_a_link_with_the_digest_of_another_blob(store, untagged, sub):
    name = hashlib.sha256(b"old").hexdigest() if sub.startswith("_layers") else untagged["digest"][7:]
    store.repo("skp/one", *sub.split("/"), name, "link").write_text(store.orphan["digest"])
    problem = _only(store)
    assert (problem["kind"], problem["found"]) == ("link_invalid", store.orphan["digest"])


def test_child_of_an_index_is_missing(store):
    os.unlink(store.data(store.two["digest"]))
    problem = _only(store)
    assert (problem["kind"], problem["digest"], problem["manifests"]) == ("blob_missing", store.two["digest"], [store.index["digest"]])


def test_manifest_that_is_no_json(store):
    store.data(store.one["digest"]).write_bytes(b"\x00")
    assert [problem["kind"] for problem in _verify(store)["problems"]] == ["blob_corrupt", "manifest_invalid"]


def test_foreign_layer_is_not_wanted_here(store):
    entry = {"digest": "sha256:" + "e" * 64, "size": 1, "urls": ["https://vendor.example/layer"]}
    image = store.manifest("skp/one", {"config": store.layer("skp/one", b"{}"), "layers": [entry]})
    store.tag("skp/one", "windows", image)
    assert _verify(store)["problems"] == []


def a_link_to(path, secret):
    path.symlink_to(secret)


def a_pipe(path, _secret):
    os.mkfifo(path)


def a_copy(path, secret):
    path.write_bytes(secret.read_bytes())


@pytest.mark.parametrize("plant", [a_link_to, a_pipe, a_copy])
@pytest.mark.parametrize("place", ["link", "manifest", "layer"])
def test_nothing_but_digests_of_plain_files_is_shown(store, tmp_path, place, plant):
    """Whoever writes to the store may plant links to files of this machine, and pipes; the walk runs as root."""
    secret = tmp_path / "shadow"
    secret.write_text("root:HASH:20228", encoding="utf-8")
    digest = "sha256:" + hashlib.sha256(b"one").hexdigest()
    path = {"link": store.repo("skp/one", "_manifests", "tags", "v1", "current", "link"), "manifest": store.data(store.one["digest"]),
            "layer": store.data(digest)}[place]
    path.unlink()
    plant(path, secret)
    problems = _verify(store)["problems"]
    assert problems and {problem["path"] for problem in problems} == {str(path)}
    assert "HASH" not in json.dumps(problems)
