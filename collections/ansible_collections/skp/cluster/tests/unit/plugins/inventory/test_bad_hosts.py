# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A broken hosts.json gives its exact one-line messages: from the reader, from the plugin and from Ansible's own commands."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible_collections.skp.cluster.plugins.plugin_utils import _hosts_json
from ansible_collections.skp.cluster.tests.unit.plugins.inventory.bad_hosts import CASES, GOOD

COLLECTIONS = pathlib.Path(__file__).parents[7]
ENABLED = "skp.cluster.hosts_json, host_list, script, auto, yaml, ini, toml"
IDS = [name for name, dummy, dummy in CASES]
# One of each layer: bytes, JSON, shape, address, label, group. A process per case would take a minute for all.
BY_COMMAND = (
    "empty",
    "null",
    "comma after the last host",
    "UTF-16",
    "name half a character",
    "address twice",
    "label yes",
    "two masters",
    "several faults",
)


def load(path: pathlib.Path) -> InventoryData:
    """The inventory the plugin makes of a file, in this process."""
    inventory = InventoryData()
    inventory_loader.get("skp.cluster.hosts_json").parse(inventory, DataLoader(), str(path))
    return inventory


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """One of Ansible's commands, with the plugin enabled and without any ansible.cfg."""
    program = pathlib.Path(sys.executable).with_name(words[0])
    settings = {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_INVENTORY_ENABLED": ENABLED, "ANSIBLE_NOCOLOR": "1"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return subprocess.run(
        [program, *words[1:]], cwd=COLLECTIONS, env={**environment, **settings}, capture_output=True, text=True, timeout=60, check=False
    )


def test_there_are_enough_cases_and_each_is_its_own() -> None:
    assert len(CASES) >= 40
    assert len({content for dummy, content, dummy in CASES} | {b""}) >= len(CASES) - 1
    assert len(set(IDS)) == len(IDS)


def test_the_file_the_cases_are_made_from_is_good(tmp_path: pathlib.Path) -> None:
    (tmp_path / "hosts.json").write_bytes(GOOD)
    assert list(load(tmp_path / "hosts.json").hosts) == ["c01", "c02", "c03"]


@pytest.mark.parametrize(("content", "lines"), [case[1:] for case in CASES], ids=IDS)
def test_reader(content: bytes, lines: list[str]) -> None:
    with pytest.raises(_hosts_json.HostsFileError) as caught:
        _hosts_json.parse(content, "hosts.json")
    assert list(caught.value.errors) == [f"hosts.json: {line}" for line in lines]
    assert all(line.isprintable() for line in caught.value.errors)


@pytest.mark.parametrize(("content", "lines"), [case[1:] for case in CASES], ids=IDS)
def test_plugin(content: bytes, lines: list[str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts.json").write_bytes(content)
    with pytest.raises(AnsibleParserError) as caught:
        load(tmp_path / "hosts.json")
    assert str(caught.value).splitlines() == [f"hosts.json: {line}" for line in lines]


@pytest.mark.parametrize("name", BY_COMMAND)
def test_command(name: str, tmp_path: pathlib.Path) -> None:
    content, lines = next(case[1:] for case in CASES if case[0] == name)
    path = tmp_path / "hosts.json"
    path.write_bytes(content)
    result = command("ansible-inventory", "-i", str(path), "--list")
    assert result.stderr.splitlines() == [f"[ERROR]: {path}: {line}" for line in lines]
    assert (result.returncode, result.stdout) == (4, "")


def test_a_playbook_stops_too_and_a_configuration_says_the_same(tmp_path: pathlib.Path) -> None:
    (tmp_path / "hosts.json").write_bytes(b"")
    (tmp_path / "skp.yml").write_text("plugin: skp.cluster.hosts_json\n", encoding="utf-8")
    (tmp_path / "play.yml").write_text("- hosts: all\n  gather_facts: false\n", encoding="utf-8")
    for source in (tmp_path / "skp.yml", tmp_path):
        result = command("ansible-playbook", "-i", str(source), str(tmp_path / "play.yml"))
        assert result.returncode == 4
        assert result.stderr.splitlines()[0].startswith(f"[ERROR]: {tmp_path}/hosts.json: the file is empty, expected ")
        assert len(result.stderr.splitlines()) == 1
