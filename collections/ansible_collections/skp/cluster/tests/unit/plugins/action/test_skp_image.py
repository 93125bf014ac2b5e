# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How build contexts are found and read on the controller, and what becomes of them on the way to an engine."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import types

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.loader import action_loader

from ansible_collections.skp.cluster.plugins.action import skp_image as action
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.image import io as image_io, plan


@pytest.fixture(name="context")
def _context(tmp_path):
    directory = tmp_path / "role" / "images" / "hello"
    (directory / "bin").mkdir(parents=True)
    (directory / "__pycache__").mkdir()
    (directory / "Dockerfile").write_text("FROM scratch\n")
    (directory / "bin" / "run").write_bytes(b"\x00\xff")
    (directory / "bin" / "run").chmod(0o750)
    (directory / "__pycache__" / "x.pyc").write_text("")
    return directory


def test_the_role_comes_before_the_collection(context, tmp_path):
    other = tmp_path / "collection" / "images" / "hello"
    other.mkdir(parents=True)
    roots = [str(tmp_path / "role"), str(tmp_path / "collection")]
    assert action.find_context("images/hello", roots[::-1]) == str(context), "a directory without a Dockerfile is none"
    (other / "Dockerfile").write_text("FROM scratch\n")
    assert action.find_context("images/hello", roots) == str(context)
    assert action.find_context("images/hello", roots[::-1]) == str(other)
    assert action.find_context(str(context), ["/nowhere"]) == str(context)
    assert action.find_context("images/none", roots) is None


def test_a_context_arrives_as_it_was(context):
    files = action.read_context(str(context))
    assert [item["path"] for item in files] == ["Dockerfile", "bin/run"]
    with tarfile.open(fileobj=image_io.context_archive(files, {"ca/site-00.crt": "PEM"})) as archive:
        found = {entry.name: (entry.mode, entry.mtime, archive.extractfile(entry).read()) for entry in archive}
    assert found == {
        "Dockerfile": (0o644, image_io.CONTEXT_TIME, b"FROM scratch\n"),
        "bin/run": (0o755, image_io.CONTEXT_TIME, b"\x00\xff"),
        ".skp-site/ca/site-00.crt": (0o644, image_io.CONTEXT_TIME, b"PEM"),
    }


def test_an_image_may_hold_the_collection():
    """With all that an installed collection has: modules, roles, images; without tests and what Python has compiled."""
    found = {entry["path"] for entry in action.read_collection()}
    assert {"collection/" + name for name in ("galaxy.yml", "plugins/modules/skp_image.py", "roles/awx/files/awx.yml", "images/ee/Dockerfile")} <= found
    assert not any(path.startswith("collection/tests/") or path.endswith(".pyc") for path in found)


def test_extra_ca_is_text_or_a_path(tmp_path):
    (tmp_path / "ca.pem").write_text("-----BEGIN x")
    assert action.read_pem("ca.pem", ["/nowhere", str(tmp_path)]) == "-----BEGIN x"
    assert action.read_pem(str(tmp_path / "ca.pem"), ["/nowhere"]) == "-----BEGIN x"
    assert action.read_pem("-----BEGIN y", []) == "-----BEGIN y"
    assert action.read_pem("", []) == ""
    with pytest.raises(AnsibleActionFail, match="/nowhere/ca.pem"):
        action.read_pem("ca.pem", ["/nowhere"])


@pytest.mark.parametrize("name", ["base", "java", "registry", "zookeeper", "kafka", "ee"])
def test_every_image_of_the_collection_is_found_and_keeps_secrets_out_of_its_last_stage(name):
    files = action.read_context(action.find_context("images/" + name, [action.COLLECTION]))
    dockerfile = base64.b64decode(files[[item["path"] for item in files].index("Dockerfile")]["content"]).decode()
    assert "BASE" in plan.declared_args(dockerfile)
    last = dockerfile[dockerfile.rindex("\nFROM "):]
    assert "skp-site" not in last and "apt-get" not in last
    assert name in ("base", "java") or "\nUSER " in last


@pytest.mark.parametrize("make, words", [
    (lambda path: (path / "dir").symlink_to("/tmp"), "link to a directory"),
    (lambda path: (path / "gone").symlink_to("/no/such/file"), "cannot be read"),
    (lambda path: os.mkfifo(path / "pipe"), "no regular file"),
    (lambda path: os.truncate(os.open(path / "big", os.O_CREAT | os.O_WRONLY), action.CONTEXT_LIMIT + 1), "larger than 64 MB"),
])
def test_what_a_context_cannot_hold_is_refused(tmp_path, make, words):
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    make(tmp_path)
    with pytest.raises(AnsibleActionFail, match=words):
        action.read_context(str(tmp_path))


def test_what_editors_leave_is_no_content(tmp_path):
    for name in ("Dockerfile", "Dockerfile~", ".DS_Store", ".Dockerfile.swp", ".#Dockerfile"):
        (tmp_path / name).write_text("FROM x\n")
    assert [item["path"] for item in action.read_context(str(tmp_path))] == ["Dockerfile"]


def refuses_to_wait(path):
    """A second run, in a process of its own."""
    with image_io.lock(str(path)):
        code = ("import sys; from ansible_collections.skp.cluster.plugins.module_utils.image import io\n"
                "try:\n    with io.lock(sys.argv[1]): pass\nexcept Exception as exc: print(exc)")
        return subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True,
                              env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))).stdout


def test_two_runs_never_build_at_the_same_time(tmp_path):
    said = refuses_to_wait(tmp_path / "lock")
    assert "Another run builds images" in said and str(os.getpid()) in said
    with image_io.lock(str(tmp_path / "lock")):
        pass


class Engine:
    """The engine's client, as far as an archive needs it."""

    def __init__(self):
        self.loaded = []
        self.api = self

    def load_image(self, handle):
        self.loaded.append(handle.read())
        return iter([])


def test_a_changed_archive_never_reaches_the_engine(tmp_path):
    path, client = tmp_path / "image.tar", Engine()
    path.write_bytes(b"other")
    with pytest.raises(Failure) as caught:
        image_io.load(client, str(path), lambda text: None, "one", hashlib.sha256(b"ours").hexdigest())
    assert caught.value.failure["kind"] == "archive_changed" and client.loaded == []
    image_io.load(client, str(path), lambda text: None, "one", hashlib.sha256(b"other").hexdigest())
    assert client.loaded == [b"other"]


@pytest.mark.parametrize("entry, there", [
    (None, True),
    ({}, False),
    ({"hash": "H", "sha256": hashlib.sha256(b"ours").hexdigest()}, True),
    ({"hash": "H", "sha256": "0" * 64}, False),
    ({"hash": "old", "sha256": hashlib.sha256(b"ours").hexdigest()}, False),
])
def test_an_archive_counts_as_the_ledger_knows_it(tmp_path, entry, there):
    (tmp_path / "image.tar").write_bytes(b"ours")
    assert image_io.has_archive(str(tmp_path / "image.tar"), entry, "H") is there
    assert image_io.has_archive(str(tmp_path / "missing.tar"), entry, "H") is False


def archive_of(path, manifest, config, tags):
    with tarfile.open(path, "w") as archive:
        for member, value in ((manifest, [{"Config": config, "RepoTags": tags}]), (config, {"config": {"Labels": {"skp.hash": "abc"}}})):
            data = json.dumps(value).encode()
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize("config", ["0123.json", "blobs/sha256/0123"], ids=["docker 20 to 24", "docker 25 and newer"])
def test_what_is_in_an_archive(tmp_path, config):
    path = tmp_path / "image.tar"
    archive_of(path, "manifest.json", config, ["localhost:5000/skp/one:latest"])
    assert image_io.in_archive(str(path)) == {"hash": "abc", "ref": "localhost:5000/skp/one:latest"}


def test_an_archive_that_is_none(tmp_path):
    assert image_io.in_archive(str(tmp_path / "missing.tar")) is None
    (tmp_path / "cut.tar").write_bytes(b"no tar")
    archive_of(tmp_path / "other.tar", "other.json", "c", [])
    for name in ("cut.tar", "other.tar"):
        with pytest.raises(Failure) as caught:
            image_io.in_archive(str(tmp_path / name))
        assert name in caught.value.msg


@pytest.mark.parametrize(("data", "lines", "size"), [
    (b"", [], 0),
    (b"one", [], 0),
    (b"one\n", ["one"], 4),
    (b"one\n\ntwo\nthr", ["one", "", "two"], 9),
    ("서울\n".encode() + "서".encode()[:1], ["서울"], 7),
])
def test_only_finished_lines_are_shown(data, lines, size):
    assert action.finished_lines(data) == (lines, size)


def plan_of(*after):
    return [{"do": "build", "image": str(number), "after": list(numbers)} for number, numbers in enumerate(after)]


def test_independent_steps_run_at_the_same_time():
    meeting = threading.Barrier(2, timeout=30)  # each waits for the other: one after the other they would break it
    image_io.side_by_side(plan.Schedule(plan_of([], []), 2), 2, lambda number: meeting.wait())


def test_a_failure_starts_nothing_new_lets_the_others_end_and_is_the_error():
    ended = []
    schedule = plan.Schedule(plan_of([], [], [], [1], []), 3)
    first_is_over, count = threading.Event(), schedule.end

    def end(number, failed):
        count(number, failed)
        first_is_over.set()

    schedule.end = end

    def work(number):
        if number == 0:
            raise Failure("zero", "build_failed")
        assert first_is_over.wait(30)
        ended.append(number)
        if number == 2:
            raise Failure("two", "build_failed")

    with pytest.raises(Failure, match="zero"):
        image_io.side_by_side(schedule, 3, work)
    assert sorted(ended) == [1, 2]


def test_lines_of_side_by_side_steps_stay_whole(tmp_path):
    path = tmp_path / "progress"
    progress = image_io.Progress(str(path))
    image_io.side_by_side(plan.Schedule(plan_of(*[[]] * 50), 8), 8, lambda number: progress("docker-%d: %s" % (number, "x" * 5000)))
    lines = [line.partition("] ")[2] for line in path.read_text().splitlines()]
    assert sorted(lines) == sorted("docker-%d: %s" % (number, "x" * 5000) for number in range(50))


def test_progress_ends_with_its_last_word(tmp_path):
    path = tmp_path / "progress"
    progress = image_io.Progress(str(path))
    progress("one")
    progress.end()
    lines = path.read_text().splitlines()
    assert lines[0].endswith("] one") and lines[-1] == action.END
    image_io.Progress()("goes nowhere")


def test_images_that_the_run_has_seen_need_no_call(monkeypatch):
    seen = {"docker-kafka": {"ref": "localhost:5000/skp/docker-kafka:latest", "digest": "sha256:1"}}
    task = types.SimpleNamespace(args={"images": [{"name": "docker-kafka"}], "seen": seen}, check_mode=False, async_val=0, action="skp.cluster.skp_image")
    plugin = action_loader.get("skp.cluster.skp_image", task=task, connection=types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir="/nowhere")),
                               play_context=None, loader=None, templar=None, shared_loader_obj=None)
    monkeypatch.setattr(plugin, "_plan_and_run", lambda arguments, task_vars: {"called": arguments})
    monkeypatch.setattr(plugin, "_with_files", lambda found, places: found)
    found = plugin.run(task_vars={})
    assert (found["changed"], found["images"], found["seen"], "called" in found) == (False, seen, True, False)
    task.args["seen"] = {}
    plugin._loader = types.SimpleNamespace(get_basedir=lambda: "")
    assert "seen" not in plugin.run(task_vars={})["called"]
