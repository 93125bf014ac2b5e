# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services need on a node, against real directories."""

from __future__ import annotations

import hashlib
import os

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.secrets.plan import fingerprint
from ansible_collections.skp.cluster.plugins.modules import skp_node


class Module:
    """The part of AnsibleModule that `run` uses."""

    def __init__(self, check_mode=False, state="present", secrets_dir=None, **services):
        owner = {"owner": str(os.geteuid()), "group": str(os.getegid()), "mode": "0750"}
        self.check_mode = check_mode
        self.params = {
            "state": state,
            "secrets_dir": secrets_dir,
            "services": [
                {"name": name, "directories": [dict(owner, **entry) for entry in entries], "shared_directories": []} for name, entries in services.items()
            ],
        }


@pytest.fixture(autouse=True)
def no_engine(monkeypatch):
    """No engine answers."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")


def test_directories_of_several_services(tmp_path):
    wanted = {"kafka": [{"path": str(tmp_path / "data/kafka")}], "spark": [{"path": str(tmp_path / "data/spark")}]}
    dry = skp_node.run(Module(check_mode=True, **wanted))
    assert dry["changed"] and not (tmp_path / "data").exists()
    real = skp_node.run(Module(**wanted))
    assert real["diff"] == dry["diff"] and sorted(os.listdir(tmp_path / "data")) == [".skp-data", "kafka", "spark"]
    again = skp_node.run(Module(**wanted))
    assert not again["changed"] and [entry["existed"] for entry in again["services"]["kafka"]["directories"]] == [True]


def test_the_same_directory_for_two_services(tmp_path):
    wanted = {"spark": [{"path": str(tmp_path / "events")}], "jupyter": [{"path": str(tmp_path / "events")}]}
    assert skp_node.run(Module(**wanted))["changed"]
    assert not skp_node.run(Module(**wanted))["changed"]


def test_first_files_are_predicted_written_once_and_then_a_persons(tmp_path):
    path = tmp_path / "srv/skp/jupyter"
    wanted = {"jupyter": [{"path": str(path), "first_files": [{"name": "welcome.ipynb", "content": "{}\n"}]}]}
    dry = skp_node.run(Module(check_mode=True, **wanted))
    assert dry["changed"] and not (tmp_path / "srv").exists() and "%s/welcome.ipynb: 3 bytes" % path in dry["diff"]["after"]
    real = skp_node.run(Module(**wanted))
    assert real["diff"] == dry["diff"] and (path / "welcome.ipynb").read_text(encoding="utf-8") == "{}\n"
    for change in (lambda: (path / "welcome.ipynb").write_text("mine", encoding="utf-8"), (path / "welcome.ipynb").unlink):
        change()
        before = [(file.name, file.read_text(encoding="utf-8")) for file in path.iterdir()]
        again = skp_node.run(Module(**wanted))
        assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"]
        assert [(file.name, file.read_text(encoding="utf-8")) for file in path.iterdir()] == before
    # A purge removes the directory; then it is new again.
    skp_node.run(Module(state="absent", **wanted))
    assert not path.exists() and skp_node.run(Module(**wanted))["changed"] and os.listdir(path) == ["welcome.ipynb"]


def test_the_options_take_first_files_for_both_kinds_of_directories():
    options = skp_node.argument_spec()["services"]["options"]
    for kind in ("directories", "shared_directories"):
        assert set(options[kind]["options"]["first_files"]["options"]) == {"name", "content"}


def test_the_id_in_the_data(tmp_path):
    identity = {"file": "myid", "keys": []}
    (tmp_path / "zookeeper").mkdir()
    (tmp_path / "zookeeper/myid").write_text("3\n", encoding="utf-8")
    assert skp_node.run(Module(zookeeper=[{"path": str(tmp_path / "zookeeper"), "identity": identity}]))["services"]["zookeeper"]["id"] == 3


def test_what_is_wrong_with_one_service_leaves_all_as_they_are(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(skp_node.Failure):
        skp_node.run(Module(kafka=[{"path": str(tmp_path / "kafka")}], spark=[{"path": str(tmp_path / "file")}]))
    assert os.listdir(tmp_path) == ["file"]


def test_directories_that_disagree(tmp_path):
    identity = {"file": "myid", "keys": []}
    for number in "12":
        (tmp_path / number).mkdir()
        (tmp_path / number / "myid").write_text(number, encoding="utf-8")
    with pytest.raises(skp_node.Failure, match="belong to different members"):
        skp_node.run(Module(zookeeper=[{"path": str(tmp_path / number), "identity": identity} for number in "12"]))


def test_secrets_are_listed_by_their_fingerprint_and_recorded(tmp_path):
    (tmp_path / "token").write_text("secret\n", encoding="utf-8")
    (tmp_path / ".token.new").write_text("half", encoding="utf-8")
    result = skp_node.run(Module(secrets_dir=str(tmp_path)))
    assert result["secrets"]["token"]["fingerprint"] == fingerprint("token", "secret") and result["secrets"]["token"]["generation"] == 1
    # A password that somebody chose could be guessed from a plain hash.
    assert hashlib.sha256(b"secret").hexdigest() not in str(result)
    # Once: the history is written beside the secrets.
    assert result["changed"] and not skp_node.run(Module(secrets_dir=str(tmp_path)))["changed"]
    assert skp_node.run(Module(secrets_dir=str(tmp_path / "missing")))["secrets"] == {}


def test_only_directories_of_ours_are_removed(tmp_path):
    path = tmp_path / "a/b/kafka"
    wanted = {"kafka": [{"path": str(path)}]}
    skp_node.run(Module(**wanted))
    (path / "log").write_text("message", encoding="utf-8")
    dry = skp_node.run(Module(state="absent", check_mode=True, **wanted))
    assert dry["removes"] == [str(path)] and path.exists()
    assert skp_node.run(Module(state="absent", **wanted))["changed"] and not path.exists()
    assert not skp_node.run(Module(state="absent", **wanted))["changed"]


def test_a_directory_full_of_somebodys_files_is_used_and_left(tmp_path):
    path = tmp_path / "a/b/volume"
    (path / "home/alice").mkdir(parents=True)
    (path / "home/alice/thesis").write_text("text", encoding="utf-8")
    wanted = {"jupyter": [{"path": str(path)}]}
    assert skp_node.run(Module(**wanted))["changed"]
    assert not skp_node.run(Module(**wanted))["changed"]
    result = skp_node.run(Module(state="absent", **wanted))
    assert not result["changed"] and (path / "home/alice/thesis").read_text(encoding="utf-8") == "text"
    assert result["removes"] == [] and len(result["leaves"]) == 1 and str(path) in result["leaves"][0]


def test_a_member_whose_directory_is_not_ours_is_refused_before_any_change(tmp_path):
    path, other = tmp_path / "a/b/zookeeper", tmp_path / "a/b/logs"
    path.mkdir(parents=True)
    (path / "myid").write_text("3\n", encoding="utf-8")
    wanted = {"zookeeper": [{"path": str(other)}, {"path": str(path), "identity": {"file": "myid", "keys": []}}]}
    skp_node.run(Module(**wanted))
    with pytest.raises(skp_node.Failure, match="holds the data of member 3"):
        skp_node.run(Module(state="absent", **wanted))
    assert other.exists() and path.exists()


def test_a_visit_of_the_manager_tells_the_member_ids(monkeypatch):
    asked = Module()
    asked.params["members"] = True
    assert skp_node.run(asked)["members"] == {}, "no engine answers: the module that needs them says why"
    monkeypatch.setattr(skp_node, "connect", lambda: "client")
    monkeypatch.setattr(skp_node, "look", lambda client: {"records": client})
    assert skp_node.run(asked)["members"] == {"records": "client"}
    assert skp_node.run(Module())["members"] == {}
