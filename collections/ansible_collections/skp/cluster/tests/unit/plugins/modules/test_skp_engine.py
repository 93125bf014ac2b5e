# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""skp_engine on files of the test: what is not done when a run ends half-way is done by the next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types

import pytest
from ansible.module_utils.common.parameters import PASS_VARS
from ansible.plugins.loader import action_loader

from ansible_collections.skp.cluster.plugins.module_utils.engine import facts as engine_facts, io as engine_io, plan as engine_plan
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.modules import skp_engine, skp_preflight

RUNNING = dict(engine_facts.EMPTY, installed=True, running=True)


class Module:
    """As much of AnsibleModule as the function needs."""

    check_mode = False

    def __init__(self, tmp_path, **config):
        self.params = {"config_file": str(tmp_path / "daemon.json"), "record_file": str(tmp_path / "engine.json"), "config": config}


@pytest.fixture(name="engine")
def _engine(monkeypatch):
    """An engine that started long ago and notes when it is told to reload; `engine.dies_at` is what kills the run."""
    class Engine:
        reloads, dies_at = 0, ""

    def write_text(path, text, mode):
        if Engine.dies_at and path.endswith(Engine.dies_at):
            raise KeyboardInterrupt
        real(path, text, mode)

    def reload_engine():
        if Engine.dies_at == "reload":
            raise Failure("systemctl reload failed", kind="service")
        Engine.reloads += 1

    real = engine_io.write_text
    monkeypatch.setattr(engine_io, "write_text", write_text)
    monkeypatch.setattr(engine_io, "reload_engine", reload_engine)
    monkeypatch.setattr(engine_io, "validate", lambda *args: None)
    monkeypatch.setattr(engine_io, "engine_started", lambda: 0.0)
    return Engine


def test_a_run_killed_between_its_two_files_is_completed(tmp_path, engine):
    module = Module(tmp_path, **{"log-driver": "journald"})
    engine.dies_at = "daemon.json"
    with pytest.raises(KeyboardInterrupt):
        skp_engine.present(module, RUNNING)
    engine.dies_at = ""
    again = skp_engine.present(module, RUNNING)
    assert again["restart_required"] and json.loads((tmp_path / "daemon.json").read_text()) == {"log-driver": "journald"}
    assert skp_engine.present(module, RUNNING)["restart_required"], "until the engine has been restarted"
    # The setting is ours: it goes when it is no longer wanted.
    skp_engine.present(Module(tmp_path), RUNNING)
    assert json.loads((tmp_path / "daemon.json").read_text()) == {}


def test_a_reload_that_failed_is_repeated(tmp_path, engine):
    module = Module(tmp_path, debug=True)
    engine.dies_at = "reload"
    with pytest.raises(Failure):
        skp_engine.present(module, RUNNING)
    engine.dies_at = ""
    assert skp_engine.present(module, RUNNING)["reloaded"] and engine.reloads == 1
    last = skp_engine.present(module, RUNNING)
    assert not last["changed"] and not last["reloaded"] and engine.reloads == 1


def test_a_proxys_login_is_for_root_only(tmp_path, engine):
    """It stood in two files of mode 0644 and in the diff."""
    (tmp_path / "daemon.json").write_text("{}")
    (tmp_path / "daemon.json").chmod(0o644)
    result = skp_engine.present(Module(tmp_path, proxies={"http-proxy": "http://user:canary@proxy.example:3128"}), RUNNING)
    assert "canary" not in str(result) and "http://***@proxy.example:3128" in result["diff"]["after"]
    for name in ("daemon.json", "engine.json"):
        assert "canary" in (tmp_path / name).read_text() and (tmp_path / name).stat().st_mode & 0o7777 == 0o600


ALONE = """
from ansible_collections.skp.cluster.plugins.modules import skp_engine, skp_preflight
skp_engine.engine_facts.read = lambda **options: dict(skp_engine.engine_facts.EMPTY)
skp_engine.main()
"""


@pytest.mark.parametrize("broken", [False, True])
def test_no_verbosity_shows_a_proxys_login(tmp_path, broken):
    """-vvv shows the arguments of a module, of one that fails too."""
    (tmp_path / "daemon.json").write_text("{" if broken else "{}")
    config = {"proxies": {"http-proxy": "http://user:canary@proxy.example:3128", "no-proxy": "10.0.0.0/8"}, "debug": True}
    arguments = {"config": config, "config_file": str(tmp_path / "daemon.json"), "record_file": str(tmp_path / "record"), "_ansible_check_mode": True}
    if "inject_invocation" in PASS_VARS:  # what -vvv asks for since core 2.21
        arguments["_ansible_inject_invocation"] = True
    (tmp_path / "arguments.json").write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    done = subprocess.run([sys.executable, "-c", ALONE, str(tmp_path / "arguments.json")], capture_output=True, text=True, check=False, timeout=60,
                          env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)))
    answer = json.loads(done.stdout)
    answer.pop("_ansible_new_secrets", None)
    assert bool(answer.get("failed")) is broken and answer["invocation"]["module_args"]["config"]["proxies"]["no-proxy"] == "10.0.0.0/8"
    assert "canary" not in json.dumps(answer) + done.stderr


@pytest.mark.parametrize(
    "before, now, words",
    [
        ({"kafka": True}, {"kafka": True}, ""),
        ({"kafka": True}, {}, "services that ran on this node are not running again: kafka"),
        ({"kafka": True}, {"kafka": False}, "services are not healthy again: kafka"),
        ({"kafka": False}, {"kafka": False}, ""),
        ({}, {"kafka": False}, ""),
    ],
)
def test_the_next_engine_waits_for_what_served(before, now, words):
    assert engine_io.not_serving(before, now) == words


def gate(monkeypatch, codes):
    """One service with a gate whose command ends with these codes, one after the other, the last one for ever. Returns the calls."""
    calls = []

    def run(argv, _timeout):
        calls.append(argv)
        code = codes[min(len(calls), len(codes)) - 1]
        return subprocess.CompletedProcess(argv, code, "1 partition is not in sync", "")

    monkeypatch.setattr(engine_io, "gates", lambda: [("kafka-skp-1", "abc", ["skp-kafka-gate"])])
    monkeypatch.setattr(engine_io, "_run", run)
    return calls


def test_an_engine_waits_until_its_services_may_stop(monkeypatch):
    calls = gate(monkeypatch, [1, 1, 0])
    engine_io.wait_for_gates(30)
    assert calls == [["docker", "exec", "abc", "skp-kafka-gate"]] * 3


def test_an_engine_is_not_restarted_while_a_gate_is_closed(monkeypatch):
    gate(monkeypatch, [1])
    with pytest.raises(Failure) as refused:
        engine_io.wait_for_gates(0)
    assert refused.value.failure["kind"] == "gate" and "kafka-skp-1: 1 partition is not in sync" in refused.value.msg


class DryModule(Module):
    """The same in check mode."""

    check_mode = True


@pytest.mark.parametrize("before, settled", [
    ("{}", False), ('{"log-driver": "journald"}', True), ('{"log-driver": "journald", "proxies": {"http-proxy": "http://u:p@x"}}', True), ("", False),
])
def test_preflight_sees_what_the_engines_role_would_do(tmp_path, monkeypatch, before, settled):
    (tmp_path / "daemon.json").write_text(before)
    wish = {"log-driver": "journald"}
    monkeypatch.setattr(engine_io.compare, "__defaults__", (str(tmp_path / "daemon.json"), str(tmp_path / "engine.json")))
    facts = dict(RUNNING, cli=True, sdk_version="5.0.3")
    seen = skp_preflight.engine_plan({"config": wish, "packages": {"engine": ["docker.io"]}}, facts)
    expected = skp_engine.present(DryModule(tmp_path, **wish), facts)
    del expected["diff"]
    assert seen == dict(expected, engine=facts, missing_packages=[])
    assert engine_plan.is_settled(seen) is settled
    assert "u:p" not in json.dumps(seen) and (tmp_path / "daemon.json").read_text() == before


EMPTY_WISH = {"config": {}, "packages": {}}


@pytest.mark.parametrize("wish, text", [(None, "{}"), (EMPTY_WISH, "no JSON"), (EMPTY_WISH, '{"live-restore": true}')])
def test_preflight_says_nothing_about_an_engine_for_which_the_role_fails(tmp_path, monkeypatch, wish, text):
    (tmp_path / "daemon.json").write_text(text)
    monkeypatch.setattr(engine_io.compare, "__defaults__", (str(tmp_path / "daemon.json"), str(tmp_path / "engine.json")))
    assert skp_preflight.engine_plan(wish, RUNNING) == {}


SETTLED = {"changed": False, "changed_keys": [], "reloaded": False, "restart_required": False, "missing_packages": [],
           "engine": dict(RUNNING, sdk_version="5.0.3")}


@pytest.mark.parametrize("change", [
    {"changed": True}, {"reloaded": True}, {"restart_required": True}, {"missing_packages": ["docker.io"]}, {"engine": {}}, {"engine": RUNNING},
    {"engine": dict(SETTLED["engine"], running=False)}, {"engine": dict(SETTLED["engine"], live_restore=True)}])
def test_anything_to_do_for_the_engine_needs_the_module(change):
    assert engine_plan.is_settled(SETTLED) is True
    assert engine_plan.is_settled(dict(SETTLED, **change)) is False
    assert engine_plan.is_settled({}) is False


@pytest.mark.parametrize("arguments, called", [
    ({"seen": SETTLED}, False), ({"seen": SETTLED, "state": "present"}, False), ({"seen": {}}, True), ({"seen": dict(SETTLED, changed=True)}, True),
    ({"seen": SETTLED, "state": "gathered"}, True), ({"seen": SETTLED, "state": "restarted"}, True)])
def test_the_action_calls_the_module_only_if_something_is_to_be_done(monkeypatch, arguments, called):
    task = types.SimpleNamespace(args=arguments, check_mode=False, async_val=0, action="skp.cluster.skp_engine")
    plugin = action_loader.get("skp.cluster.skp_engine", task=task, connection=types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir="/nowhere")),
                               play_context=None, loader=None, templar=None, shared_loader_obj=None)
    monkeypatch.setattr(plugin, "_execute_module", lambda module_args, task_vars: {"called": module_args})
    found = plugin.run(task_vars={})
    assert ("called" in found) is called
    assert found == ({"called": {name: value for name, value in arguments.items() if name != "seen"}} if called else dict(SETTLED, seen=True))
