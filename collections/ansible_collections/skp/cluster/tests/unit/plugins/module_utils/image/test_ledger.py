# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger of images, with the swarm's configs in memory."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.image import ledger
from ansible_collections.skp.cluster.plugins.module_utils.service import io as service_io

KAFKA = {"hash": "H", "digest": "sha256:1", "config": "sha256:c", "parent": ""}


@pytest.fixture(name="configs")
def _configs(monkeypatch):
    """The swarm's configs, by id."""
    found = {}

    def get(client, path, params=None, **options):
        return [{"ID": key, "Spec": spec} for key, spec in found.items()]

    def post(client, path, body, **options):
        assert body["Name"] not in [spec["Name"] for spec in found.values()]
        found["id%d" % (len(found) + 100)] = body

    monkeypatch.setattr("ansible_collections.skp.cluster.plugins.module_utils.members.io.engine.get", get)
    monkeypatch.setattr("ansible_collections.skp.cluster.plugins.module_utils.members.io.engine.post", post)
    monkeypatch.setattr("ansible_collections.skp.cluster.plugins.module_utils.members.io.engine.delete", lambda client, path, **options: found.pop(path[9:]))
    return found


def test_entries_are_added_and_the_old_generation_goes(configs):
    assert ledger.read("client") == {"images": {}, "archives": {}}
    ledger.record("client", images={"skp/docker-kafka:latest": KAFKA})
    ledger.record("client", archives={"docker-registry": {"hash": "R", "sha256": "s"}})
    assert [spec["Name"] for spec in configs.values()] == ["skp-images-ledger-2"]
    assert ledger.read("client") == {"images": {"skp/docker-kafka:latest": KAFKA}, "archives": {"docker-registry": {"hash": "R", "sha256": "s"}}}
    content = json.loads(base64.b64decode(next(iter(configs.values()))["Data"]))
    assert content["generation"] == 2


def test_what_is_known_already_writes_nothing(configs):
    ledger.record("client", images={"skp/docker-kafka:latest": KAFKA})
    ledger.record("client", images={"skp/docker-kafka:latest": dict(KAFKA)})
    assert [spec["Name"] for spec in configs.values()] == ["skp-images-ledger-1"]


class Registry:
    """A registry with these digests, whatever its tags say."""

    def __init__(self, *digests):
        self.digests = digests

    def digest(self, repository, reference):
        return reference if reference in self.digests else "sha256:of somebody else" if reference == "latest" else None


def resolve(monkeypatch, registry, *images, **options):
    monkeypatch.setattr(service_io, "RegistryClient", lambda url: registry)
    return service_io.resolve_images("client", images, "localhost:5000", **options)


IMAGE = "localhost:5000/skp/docker-kafka:latest"


def test_a_service_runs_what_was_pushed_whatever_the_tag_says_now(configs, monkeypatch):
    ledger.record("client", images={"skp/docker-kafka:latest": KAFKA})
    others = ("localhost:5000/skp/x@sha256:9", "docker.io/library/redis:8")
    assert resolve(monkeypatch, Registry("sha256:1"), IMAGE, *others) == {IMAGE: "sha256:1"}


@pytest.mark.parametrize("known, kind", [({}, "image_unknown"), ({"skp/docker-kafka:latest": KAFKA}, "image_missing")])
def test_a_service_never_runs_what_was_not_pushed(configs, monkeypatch, known, kind):
    ledger.record("client", images=known)
    with pytest.raises(Failure) as caught:
        resolve(monkeypatch, Registry(), IMAGE)
    assert caught.value.failure["kind"] == kind and "--tags images" in caught.value.msg
    assert resolve(monkeypatch, Registry(), IMAGE, missing_ok=True) == {IMAGE: None}


def test_check_mode_counts_an_image_that_the_run_would_build_anew(configs, monkeypatch):
    """Its present digest is known and in the registry, but the services would run another one."""
    ledger.record("client", images={"skp/docker-kafka:latest": KAFKA})
    assert resolve(monkeypatch, Registry("sha256:1"), IMAGE, rebuilt=[IMAGE], missing_ok=True) == {IMAGE: None}
    assert resolve(monkeypatch, Registry("sha256:1"), IMAGE, rebuilt=["localhost:5000/skp/docker-spark:latest"], missing_ok=True) == {IMAGE: "sha256:1"}


def test_check_mode_before_there_is_an_engine(monkeypatch):
    monkeypatch.setattr(service_io, "RegistryClient", lambda url: Registry())
    assert service_io.resolve_images(None, [IMAGE], "localhost:5000", missing_ok=True) == {IMAGE: None}
