# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of skp_image with an engine, a registry and a swarm in memory: what runs after what, and what is entered in the ledger."""

from __future__ import annotations

import base64
import contextlib
import hashlib

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.image import states

REF = "localhost:5000/skp/%s:latest"


def context(text):
    return [{"path": "Dockerfile", "mode": 0o644, "content": base64.b64encode(text.encode()).decode()}]


def image(name, base="", **more):
    return dict({"name": name, "tag": None, "base": base, "args": {}, "archive": False, "files": context("ARG BASE\nFROM ${BASE}\n# %s\n" % name)}, **more)


class Module:
    """The options, and warnings."""

    check_mode = False

    def __init__(self, **params):
        texts = ("platform", "archive_dir", "archive", "checksum", "refresh", "extra_ca", "apt_mirror", "apt_security_mirror", "pip_index", "maven_mirror",
                 "go_proxy")
        self.params = dict({
            "state": "built", "ledger": True, "images": [image("base"), image("kafka", "base")], "names": [], "alongside": [], "jobs": 1, "digests": {},
            "tag": "latest", "registry": "localhost:5000", "push": True, "common_args": {}, "base_image": "debian:13", "base_suite": "trixie",
            "plan_only": False, "max_age_days": 0}, **dict(dict.fromkeys(texts, ""), **params))
        self.run_command = None
        self.warnings = []
        self.warn = self.warnings.append


class World:
    """Engine, registry and ledger."""

    def __init__(self):
        self.engine, self.registry, self.book, self.builds = {}, {}, {"images": {}, "archives": {}}, 0
        self.pulled, self.kept, self.cleaned, self.platforms = [], set(), [], []

    def config_digest(self, path, digest):
        return "config of " + digest

    def digest(self, path, reference):
        if reference.startswith("sha256:"):
            return reference if (path, reference) in self.kept else None
        return self.registry.get("%s:%s" % (path, reference))

    def health(self):
        return True, "200"

    def build(self, client, item, site, buildkit, progress, traces, login, platform):
        self.builds += 1
        self.platforms.append(platform)
        self.engine[item["ref"]] = {"id": "id%d" % self.builds, "hash": item["hash"], "digests": [], "created": "2026-01-02T03:04:05.678901234Z"}

    def push(self, client, item, progress):
        digest = "sha256:" + hashlib.sha256(self.engine[item["ref"]]["id"].encode()).hexdigest()
        self.registry["%s:%s" % (item["path"], item["tag"])] = digest
        self.engine[item["ref"]]["digests"] = ["%s@%s" % (item["repository"], digest)]
        return digest

    def pull(self, client, repository, reference, progress, name):
        assert reference.startswith("sha256:")
        self.pulled.append((repository, reference))
        if name.startswith("localhost"):
            return
        entry = self.book["images"]["skp/%s:latest" % name]
        named = "%s@%s" % (repository, reference)
        self.engine["%s:latest" % repository] = {"id": "pulled", "hash": entry["hash"], "digests": [named], "created": ""}

    def record(self, client, images=None, archives=None):
        self.book = {"images": dict(self.book["images"], **(images or {})), "archives": dict(self.book["archives"], **(archives or {}))}

    def run(self, **params):
        module = Module(**params)
        return states.STATES[module.params["state"]](module, "client", lambda text: None)


@pytest.fixture(name="world")
def _world(monkeypatch, tmp_path):
    world = World()
    nothing = {"id": "", "hash": "", "digests": [], "created": ""}
    for name, value in {
        "in_engine": lambda client, ref: dict(world.engine.get(ref, nothing)), "build": world.build, "push": world.push, "pull": world.pull,
        "registry_client": lambda registry: world, "has_buildkit": lambda *args, **options: False, "lock": contextlib.nullcontext,
        "remove_superseded": lambda client, repository, keep, progress: world.cleaned.append((repository, keep)),
        "patient": lambda client: client, "pull_reference": lambda *args: None, "tag": lambda *args: None, "remove_image": lambda *args: None,
    }.items():
        monkeypatch.setattr(states.io, name, value)
    monkeypatch.setattr(states.io, "UNFINISHED", str(tmp_path / "unfinished"))
    monkeypatch.setattr(states.io, "WORK_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(states.io, "MEMORY", str(tmp_path))
    monkeypatch.setattr(states.engine, "connect", lambda **options: "client")
    for name, value in {"read": lambda client: world.book, "record": world.record, "manager": lambda module: "client"}.items():
        monkeypatch.setattr(states.ledger, name, value)
    return world


def done(result):
    return [" ".join(line.split()[:2]).replace("localhost:5000/skp/", "") for line in result["plan"]]


def test_what_was_pushed_is_known_and_nothing_is_done_again(world):
    assert done(world.run()) == ["pull debian:13", "build base:latest", "push base:latest", "build kafka:latest", "push kafka:latest"]
    base, kafka = world.book["images"]["skp/base:latest"], world.book["images"]["skp/kafka:latest"]
    assert kafka["parent"] == base["config"] == "config of " + base["digest"] and base["parent"] == ""
    again = world.run()
    assert (again["changed"], again["images"]["kafka"]["digest"]) == (False, kafka["digest"])
    assert world.run(state="known", names=["kafka", "none"])["images"]["kafka"]["reference"] == "localhost:5000/skp/kafka@" + kafka["digest"]


def test_another_platform_is_other_content_under_a_name_of_its_own(world):
    """What the cluster runs and its ledger stay as they are."""
    world.run()
    book, own = world.book, dict(world.engine)
    done_for = world.run(platform="linux/riscv64", tag="latest-riscv64", push=False, names=["kafka"])
    assert done(done_for) == ["pull debian:13", "build base:latest-riscv64", "build kafka:latest-riscv64"]
    assert world.platforms == ["", "", "linux/riscv64", "linux/riscv64"] and world.book == book
    assert {ref: world.engine[ref] for ref in own} == own
    with pytest.raises(Failure, match="expected linux and an architecture"):
        world.run(platform="amd64")


def test_a_base_that_the_dockerfile_does_not_ask_for_is_not_built(world):
    own = image("own", "base", files=context("FROM scratch\nCOPY x /\n"))
    assert done(world.run(images=[image("base"), own], names=["own"])) == ["build own:latest", "push own:latest"]
    assert world.run(images=[image("base"), own], names=["own"])["changed"] is False


def test_an_image_that_somebody_else_pushed_is_replaced(world):
    world.run()
    ours = world.registry["skp/kafka:latest"]
    world.registry["skp/kafka:latest"] = "sha256:poisoned"
    assert done(world.run()) == ["push kafka:latest"]
    assert world.registry["skp/kafka:latest"] == ours
    world.registry["skp/base:latest"] = "sha256:poisoned"
    world.engine.clear()
    world.builds = 10
    assert done(world.run()) == ["pull debian:13", "build base:latest", "push base:latest", "build kafka:latest", "push kafka:latest"]
    assert world.run()["changed"] is False


def test_a_tag_that_was_moved_is_put_back_without_a_build(world):
    world.run()
    ours = world.registry["skp/kafka:latest"]
    world.kept = {("skp/kafka", ours)}
    world.registry["skp/kafka:latest"] = "sha256:poisoned"
    world.engine.clear()
    assert done(world.run(plan_only=True)) == ["pull kafka:latest", "push kafka:latest"]


def test_a_new_master_uses_what_the_ledger_knows(world):
    world.run()
    world.engine.clear()
    assert world.run()["changed"] is False
    changed = [image("base"), image("kafka", "base", files=context("ARG BASE\nFROM ${BASE}\n# new\n"))]
    assert done(world.run(images=changed)) == ["pull base:latest", "build kafka:latest", "push kafka:latest"]
    assert world.run(images=changed)["changed"] is False


def test_check_mode_only_tells(world):
    world.run()
    world.registry["skp/kafka:latest"] = "sha256:poisoned"
    answer = world.run(plan_only=True)
    assert (done(answer), answer["images"]["kafka"]["digest"], world.registry["skp/kafka:latest"]) == (["push kafka:latest"], "", "sha256:poisoned")


def test_a_call_for_one_image_tells_whether_the_others_are_pushed(world, monkeypatch):
    """The role registry asks for its own image; if there is nothing to do for any, the role images needs no call."""
    asked = {"names": ["base"], "alongside": ["kafka"], "push": False}
    assert world.run(**asked)["alongside"] == {}
    pushed = world.run()["images"]
    assert world.run(**asked)["alongside"] == pushed and pushed["kafka"]["digest"]
    assert world.run(names=["base"], push=False)["alongside"] == {}
    monkeypatch.setattr(world, "health", lambda: (False, "refused"))
    assert world.run(**asked)["alongside"] == {}


@pytest.mark.parametrize("what", ["moved tag", "new content", "error"])
def test_an_image_with_something_to_do_is_not_seen_as_pushed(world, monkeypatch, what):
    asked = {"names": ["base"], "alongside": ["kafka"], "push": False}
    world.run()
    if what == "moved tag":
        world.registry["skp/kafka:latest"] = "sha256:poisoned"
    elif what == "new content":
        asked["images"] = [image("base"), image("kafka", "base", files=context("ARG BASE\nFROM ${BASE}\n# new\n"))]
    else:
        real = world.digest

        def digest(path, reference):
            if path == "skp/kafka":
                raise Failure("no answer", "registry")
            return real(path, reference)

        monkeypatch.setattr(world, "digest", digest)
    answer = world.run(**asked)
    assert (answer["changed"], answer["alongside"]) == (False, {})


def test_nodes_pull_by_digest_only(world):
    world.run()
    digest = world.book["images"]["skp/kafka:latest"]["digest"]
    world.engine.clear()
    with pytest.raises(Failure) as caught:
        world.run(state="pulled", names=["kafka"])
    assert caught.value.failure["kind"] == "image_unknown"
    assert world.run(state="pulled", names=["kafka"], digests={"kafka": digest})["changed"] is True


def test_a_base_in_the_registry_is_that_of_the_ledger(world):
    child = [image("echo", REF % "base")]
    with pytest.raises(Failure) as caught:
        world.run(images=child)
    assert caught.value.failure["kind"] == "image_unknown"
    world.run()
    world.registry["skp/base:latest"] = "sha256:poisoned"
    world.run(images=child)
    assert world.pulled == [("localhost:5000/skp/base", world.book["images"]["skp/base:latest"]["digest"])]


def test_what_a_killed_run_left_is_removed_by_the_next_one(world, monkeypatch, tmp_path):
    """The stages of its builds hold the site's settings: unnamed images, caches, the directory of a bootstrap. What has got a name stays."""
    world.run()
    assert not (tmp_path / "unfinished").exists(), "a run that ends leaves no word"
    killed = states.io.Traces(True)
    for layer in ("aaa", "aaa", "bbb", "named"):
        killed.layer("kafka", layer)
    (tmp_path / "skp-bootstrap-x").mkdir()
    (tmp_path / "skp-image-secrets-x").mkdir()
    (tmp_path / "skp-bootstrap-x" / "sources.list").write_text("deb http://user:word@mirror")
    images, removed, pruned = {"bbb": {}, "aaa": {"RepoTags": []}, "named": {"RepoTags": ["localhost:5000/skp/kafka:latest"]}}, [], []
    monkeypatch.setattr(states.io.engine, "get", lambda client, path, **options: images[path.split("/")[2]])
    monkeypatch.setattr(states.io, "remove_image", lambda client, layer: removed.append(layer))
    monkeypatch.setattr(states.io, "forget_builds", pruned.append)
    planned = world.run(plan_only=True)
    assert planned["changed"] and planned["plan"] == [states.FORGET] and not removed and (tmp_path / "unfinished").exists()
    done_now = world.run()
    assert done_now["changed"] and removed == ["bbb", "aaa"] and pruned == ["client"]
    assert [path.name for path in tmp_path.iterdir()] == [] and world.run()["changed"] is False


def test_a_run_that_still_builds_has_left_nothing(world, monkeypatch, tmp_path):
    world.run()
    states.io.Traces(True).layer("kafka", "aaa")

    def held():
        raise Failure("Another run builds images", "build_running")

    monkeypatch.setattr(states.io, "lock", held)
    assert world.run()["changed"] is False and (tmp_path / "unfinished").exists()


def test_old_images_are_removed_when_a_new_one_comes(world):
    """The new one and the one before it stay: services run that until they are updated."""
    world.run()
    old = world.registry["skp/kafka:latest"]
    world.cleaned.clear()
    world.run(images=[image("base"), image("kafka", "base", files=context("ARG BASE\nFROM ${BASE}\n# new\n"))])
    new = world.registry["skp/kafka:latest"]
    assert world.cleaned == [("localhost:5000/skp/kafka", {old, new})]
    world.cleaned.clear()
    world.engine["localhost:5000/skp/kafka:latest"]["digests"] = ["localhost:5000/skp/kafka@" + old]
    world.run(state="pulled", names=["kafka"], digests={"kafka": new})
    assert world.cleaned == [("localhost:5000/skp/kafka", {old, new})]
    assert world.run(state="pulled", names=["kafka"], digests={"kafka": new})["changed"] is False and len(world.cleaned) == 1


def test_old_images_are_warned_of(world):
    """Debian's packages are never renewed by themselves."""
    world.run()
    module = Module(max_age_days=90)
    assert states.built(module, "client", lambda text: None)["changed"] is False
    (warning,) = module.warnings
    assert "base, kafka: built " in warning and "skp_image_refresh" in warning
    module = Module(max_age_days=0)
    states.built(module, "client", lambda text: None)
    assert module.warnings == []


@pytest.mark.parametrize("inside", ["localhost:5000/skp/base:latest", "localhost:5000/skp/base:2025", "old.example:5001/skp/base:latest"])
def test_an_image_from_an_archive_gets_its_present_name(monkeypatch, inside):
    """An archive has the tag and the registry of the time it was saved; what is built upon it names it by those of today."""
    present = set()
    monkeypatch.setattr(states.io, "in_archive", lambda path: {"hash": "h", "ref": inside})
    monkeypatch.setattr(states.io, "load", lambda *args: present.add(inside))
    monkeypatch.setattr(states.io, "tag", lambda client, reference, repository, tag: reference in present and present.add("%s:%s" % (repository, tag)))
    item = {"name": "base", "ref": REF % "base", "repository": "localhost:5000/skp/base", "tag": "latest", "hash": "h", "archive": "/srv/skp/images/base.tar",
            "path": "skp/base"}
    states._load("client", item, {"images": {}, "archives": {}}, None)
    assert REF % "base" in present
