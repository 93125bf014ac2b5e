# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""skp_secret run as Ansible runs it: a process of its own with its arguments as JSON."""

from __future__ import annotations

import json
import os
import pathlib
import stat
import subprocess
import sys

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.secrets.plan import fingerprint
from ansible_collections.skp.cluster.plugins.modules import skp_secret

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="the module writes root's files")
TOP = pathlib.Path(skp_secret.__file__).parents[5]


@pytest.fixture(name="run")
def _run(tmp_path):
    def run(check=False, **args):
        arguments = tmp_path / "arguments.json"
        wanted = dict(args, directory=str(run.directory), _ansible_check_mode=check)
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": wanted}))
        done = subprocess.run([sys.executable, skp_secret.__file__, str(arguments)], capture_output=True, text=True, check=False,
                              timeout=60, env=dict(os.environ, PYTHONPATH=os.pathsep.join([str(TOP)] + sys.path)))
        answer = json.loads(done.stdout)
        # From core 2.22 on a module tells the controller what to mask; the controller takes it out before anything is shown or kept.
        answer.pop("_ansible_new_secrets", None)
        return answer, json.dumps(answer) + done.stderr

    run.directory = tmp_path / "secrets"
    return run


def test_made_once(run):
    first, _text = run(names=["one", "two"])
    assert first["changed"] and first["created"] == ["one", "two"]
    assert len({first["secrets"]["one"], first["secrets"]["two"]}) == 2
    for name in ("one", "two"):
        path = run.directory / name
        assert path.read_text() == first["secrets"][name] + "\n" and len(first["secrets"][name]) == 64
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(run.directory.stat().st_mode) == 0o700
    second, _text = run(names=["one", "two"])
    assert not second["changed"] and second["secrets"] == first["secrets"]


def test_check_mode_keeps_nothing(run):
    result, _text = run(check=True, names=["one"])
    assert result["changed"] and len(result["secrets"]["one"]) == 64
    assert not run.directory.exists()


def given(value, generation=1):
    """Options for a secret `one` of another manager."""
    return {"values": {"one": value}, "history": {"one": {"fingerprint": "", "generation": generation, "time": 100}}}


def test_given_values_are_kept_and_not_shown(run):
    result, text = run(**given("given-by-the-site"))
    assert result["changed"] and (run.directory / "one").read_text() == "given-by-the-site\n"
    assert "given-by-the-site" not in text
    assert result["history"]["one"] == {"fingerprint": fingerprint("one", "given-by-the-site"), "generation": 1, "time": 100}
    assert not run(**given("given-by-the-site"))[0]["changed"]
    assert run(**given("another", 2))[0]["repaired"] == ["one"]


@pytest.mark.parametrize("generation", [1, 2])
def test_an_older_copy_never_replaces_a_newer_secret(run, generation):
    run(**given("newer", 2))
    result, text = run(**given("stale", generation))
    assert result["failed"] and result["failure"]["kind"] == "older_value" and "stale" not in text
    assert (run.directory / "one").read_text() == "newer\n"


def test_rotation_makes_a_new_generation_and_leaves_the_others(run):
    before = run(names=["one", "two"])[0]
    result, _text = run(names=["one"], rotate=["one"], generations={"one": 7}, everything=True)
    assert result["repaired"] == ["one"] and result["history"]["one"]["generation"] == 7 and result["history"]["two"] == before["history"]["two"]
    assert result["secrets"]["one"] != before["secrets"]["one"] and result["secrets"]["two"] == before["secrets"]["two"]
    assert run(names=["one"], rotate=["one"])[0]["history"]["one"]["generation"] == 8


def test_a_file_edited_by_hand_is_a_new_generation(run):
    run(names=["one"])
    (run.directory / "one").write_text("chosen-by-the-owner\n")
    first, _text = run(everything=True)
    assert first["changed"] and first["secrets"]["one"] == "chosen-by-the-owner" and first["history"]["one"]["generation"] == 2
    second, _text = run(everything=True)
    assert not second["changed"] and second["history"] == first["history"]


def test_a_removed_secret_is_not_made_again(run):
    """Removing the file was the documented way to a new secret, and an accident was the same."""
    run(names=["one"])
    (run.directory / "one").unlink()
    result, _text = run(names=["one"])
    assert result["failed"] and result["failure"]["kind"] == "lost_secret" and not (run.directory / "one").exists()
    assert run(names=["one"], rotate=["one"])[0]["history"]["one"]["generation"] == 2


def test_a_lost_file_that_comes_back_is_the_same_generation(run):
    """Reading while it is away tells that it is lost, and does not forget what it was."""
    made, _text = run(names=["one"])
    file, history = run.directory / "one", (run.directory / ".history.json")
    before, away = history.read_text(), run.directory / ".away"
    file.rename(away)
    lost, _text = run(everything=True)
    assert not lost["changed"] and history.read_text() == before
    assert lost["history"]["one"] == dict(made["history"]["one"], fingerprint=None)
    away.rename(file)
    back, _text = run(names=["one"])
    assert not back["changed"] and back["history"] == made["history"]


def test_a_damaged_history_changes_nothing(run):
    run(names=["one"])
    (run.directory / ".history.json").write_text("{")
    before = (run.directory / "one").read_text()
    result, _text = run(names=["one", "two"])
    assert result["failed"] and result["failure"]["kind"] == "damaged_history"
    assert (run.directory / "one").read_text() == before and not (run.directory / "two").exists()


def test_no_verbosity_shows_a_given_value(tmp_path):
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [
        {"skp.cluster.skp_secret": {"directory": str(tmp_path / "secrets"), **given("given-by-the-site")}, "register": "kept"},
        {"ansible.builtin.debug": {"var": "kept"}}]}]
    (tmp_path / "play.json").write_text(json.dumps(play))
    program = pathlib.Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [program, "-i", "localhost,", "-vvv", "--diff", "-e", "ansible_python_interpreter=" + sys.executable, str(tmp_path / "play.json")],
        capture_output=True, text=True, check=False, timeout=60, env=dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(TOP)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "secrets" / "one").read_text() == "given-by-the-site\n"
    assert "created" in done.stdout and "given-by-the-site" not in done.stdout + done.stderr


def test_mode_is_repaired_and_the_value_stays(run):
    value = run(names=["one"])[0]["secrets"]["one"]
    (run.directory / "one").chmod(0o644)
    result, _text = run(names=["one"])
    assert result["repaired"] == ["one"] and result["secrets"]["one"] == value
    assert stat.S_IMODE((run.directory / "one").stat().st_mode) == 0o600


def test_everything_is_read_and_nothing_made(run):
    assert run(everything=True)[0]["secrets"] == {} and not run.directory.exists()
    made = run(names=["one", "two"])[0]["secrets"]
    (run.directory / "cut-short").write_text("")
    (run.directory / ".one.new").write_text("half")
    run(everything=True)  # it remembers the damaged file
    result, _text = run(everything=True)
    assert not result["changed"] and result["secrets"] == made
    more, _text = run(everything=True, names=["three"], values={"two": made["two"]}, history=result["history"])
    assert more["created"] == ["three"] and sorted(more["secrets"]) == ["one", "three"]


@pytest.mark.parametrize("args,kind", [
    ({"names": ["../etc/passwd"]}, "bad_name"),
    ({"names": [".hidden"]}, "bad_name"),
    ({"names": ["one"], "bytes": 4}, "too_short"),
    ({"names": ["one"], "create": False}, "missing_secret"),
    ({"rotate": ["one"]}, "bad_name"),
    ({"values": {"one": "x"}}, "no_history"),
])
def test_refused(run, args, kind):
    result, _text = run(**args)
    assert result["failed"] and result["failure"]["kind"] == kind
    assert not run.directory.exists()


def test_empty_file_is_not_replaced(run):
    run.directory.mkdir()
    (run.directory / "one").write_text("")
    result, _text = run(names=["one"])
    assert result["failed"] and result["failure"]["kind"] == "lost_secret"
    assert (run.directory / "one").read_text() == ""


def test_the_history_is_read_once(tmp_path, monkeypatch):
    (tmp_path / "one").write_text("value\n")
    params = {"directory": str(tmp_path), "names": ["one"], "rotate": [], "generations": {}, "values": {}, "history": {}, "everything": True, "bytes": 32,
              "create": True}
    assert skp_secret.run(params, False)["changed"]
    (tmp_path / "one").unlink()
    reads, read = [], skp_secret.io.read_history
    monkeypatch.setattr(skp_secret.io, "read_history", lambda directory: reads.append(directory) or read(directory))
    assert not skp_secret.run(dict(params, names=[]), False)["changed"] and len(reads) == 1
