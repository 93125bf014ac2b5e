# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup against real ports on loopback: one that listens, one that does not, one that never answers."""

from __future__ import annotations

import multiprocessing
import pathlib
import socket
import time
import typing as t

import pytest
from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar


@pytest.fixture(autouse=True)
def run_directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The temporary directory of "this run", and no settings of the machine the tests run on."""
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    for name in ("ANSIBLE_SSH_ARGS", "ANSIBLE_SSH_COMMON_ARGS", "ANSIBLE_SSH_EXTRA_ARGS", "ANSIBLE_REMOTE_PORT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def listening() -> t.Iterator[int]:
    """A port that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed() -> int:
    """A port that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def host(port: int, **more: t.Any) -> dict[str, t.Any]:
    """The variables of a host on loopback."""
    return {"ansible_host": "127.0.0.1", "ansible_port": port, **more}


def ask(hostvars: dict[str, dict[str, t.Any]], managers: list[str] | None = None, **options: t.Any) -> list[str]:
    """The lookup's answer for hosts of which the first is the master and all are managers."""
    names = list(hostvars)
    groups = {"master": names[:1], "manager": names if managers is None else managers, "all": names}
    lookup = lookup_loader.get("skp.cluster.manager", loader=DataLoader(), templar=Templar(loader=DataLoader()))
    return lookup.run([], variables={"groups": groups, "hostvars": hostvars}, **options)


def test_the_master_where_it_answers(listening: int, closed: int) -> None:
    assert ask({"c01": host(listening), "c02": host(listening)}) == ["c01"]
    assert ask({"c01": host(listening), "c03": host(closed)}) == ["c01"]


def test_the_first_manager_that_answers_where_the_master_does_not(listening: int, closed: int) -> None:
    assert ask({"c01": host(closed), "c02": host(closed), "c03": host(listening), "c04": host(listening)}) == ["c03"]


def test_the_master_where_none_answers(closed: int) -> None:
    assert ask({"c01": host(closed), "c02": host(closed)}) == ["c01"]


def test_the_master_first_wherever_it_stands_in_the_group(listening: int) -> None:
    assert ask({"c01": host(listening), "c02": host(listening)}, managers=["c02", "c01"]) == ["c01"]


def test_a_host_that_never_answers_costs_the_timeout(listening: int) -> None:
    # A server that accepts nothing: its queue is full, so that further connections hang, as they do to a machine without power.
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = []
        for dummy in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(server.getsockname())
            waiting.append(client)
        start = time.monotonic()
        assert ask({"c01": host(server.getsockname()[1]), "c02": host(listening)}, timeout=0.4) == ["c02"]
        assert 0.4 <= time.monotonic() - start < 1.5
        for client in waiting:
            client.close()


@pytest.mark.parametrize(
    "variables",
    [
        {"ansible_connection": "community.docker.docker"},
        {"ansible_connection": "local"},
        {"ansible_ssh_common_args": "-o ProxyJump=bastion"},
        {"ansible_ssh_common_args": "-J bastion"},
        {"ansible_ssh_extra_args": "-o ProxyCommand='ssh -W %h:%p bastion'"},
        {"ansible_ssh_args": "-C -o proxyjump=bastion"},
    ],
    ids=str,
)
def test_no_try_where_it_would_prove_nothing(variables: dict[str, str], listening: int, closed: int) -> None:
    assert ask({"c01": host(closed, **variables), "c02": host(listening)}) == ["c01"]


@pytest.mark.parametrize("connection", ["ssh", "ansible.builtin.ssh", "smart", "paramiko_ssh"])
def test_a_try_for_every_kind_of_ssh(connection: str, listening: int, closed: int) -> None:
    assert ask({"c01": host(closed, ansible_connection=connection), "c02": host(listening)}) == ["c02"]


@pytest.mark.parametrize("name", ["ANSIBLE_SSH_COMMON_ARGS", "ANSIBLE_SSH_ARGS"])
def test_a_jump_host_of_the_environment(name: str, listening: int, closed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "-o ProxyJump=bastion")
    assert ask({"c01": host(closed), "c02": host(listening)}) == ["c01"]


def test_one_manager_is_not_tried(closed: int) -> None:
    class Untouchable(dict):
        def __getitem__(self, key: str) -> t.NoReturn:
            raise AssertionError("the variables of hosts are not needed here")

    groups = {"master": ["c01"], "manager": ["c01"]}
    lookup = lookup_loader.get("skp.cluster.manager", loader=DataLoader(), templar=Templar(loader=DataLoader()))
    assert lookup.run([], variables={"groups": groups, "hostvars": Untouchable()}) == ["c01"]


def test_the_answer_stays_the_same_for_the_run(listening: int, closed: int, run_directory: pathlib.Path) -> None:
    down = {"c01": host(closed), "c02": host(listening)}
    up = {"c01": host(listening), "c02": host(listening)}
    assert ask(down) == ["c02"]
    assert ask(up) == ["c02"], "another process of the same run asks when the master is back"
    for file in run_directory.iterdir():
        file.unlink()
    assert ask(up) == ["c01"], "the next run"


def test_workers_that_ask_at_once_get_one_answer(listening: int, closed: int, run_directory: pathlib.Path) -> None:
    # Half of the workers see the master, half do not; whoever is first decides for all.
    context = multiprocessing.get_context("fork")
    cases = [{"c01": host(listening if number % 2 else closed), "c02": host(listening)} for number in range(8)]
    with context.Pool(8) as pool:
        answers = pool.map(ask, cases, chunksize=1)
    assert len({tuple(answer) for answer in answers}) == 1
    assert len(list(run_directory.iterdir())) == 1, "no temporary files stay"


def test_without_a_directory_to_keep_it_the_answer_is_found_each_time(listening: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", "/nonexistent")
    assert ask({"c01": host(listening), "c02": host(listening)}) == ["c01"]


def test_no_master_is_one_clear_error() -> None:
    with pytest.raises(AnsibleError) as caught:
        ask({})
    assert str(caught.value) == (
        'skp.cluster.manager: the inventory has no host in the group "master", expected one; see docs/hosts_json.md'
    )
