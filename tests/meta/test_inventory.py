# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories of this repository as its own ansible.cfg reads them, and docs/hosts_json.md against the plugin's lists.

``python tests/meta/test_inventory.py`` writes the lists into the document.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import yaml
from tree import entry_points

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/hosts_json.md"
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.skp.cluster.plugins.plugin_utils import _env_file, _hosts_json  # noqa: E402  (needs the path above)


def section(name: str) -> re.Pattern[str]:
    """A part of the document between its two comments."""
    return re.compile(rf"(<!-- {name}: [^\n]*-->\n)(.*?)(<!-- end of {name} -->\n)", re.DOTALL)


def lists() -> dict[str, str]:
    """What the parts must hold."""
    services = [
        f"| `{label}` | {text} |" for label, text in _hosts_json.SERVICES.items()
    ]
    names = [
        f"| `{name}` | {f'`{_env_file.variable_of(name)}`' if _env_file.variable_of(name) else ''} | {kind} | {text} |"
        for name, (kind, text) in sorted(_env_file.NAMES.items())
    ]
    return {
        "services": "\n".join(["", "| label | what |", "|---|---|", *services, "", ""]),
        "env": "\n".join(["", "| name | variable | kind | what |", "|---|---|---|---|", *names, "", ""]),
    }


def ansible_inventory(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command at the root of the repository, with the ansible.cfg that is there; `more` goes into its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "SKP_"))} | more
    program = pathlib.Path(sys.executable).with_name("ansible-inventory")
    return subprocess.run([program, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", lists())
def test_the_document_has_the_list(name):
    assert section(name).search(DOCUMENT.read_text(encoding="utf-8")).group(2) == lists()[name]


@pytest.mark.parametrize("source", ["inventory/cluster", "inventory/cluster/skp.yml", "inventory/cluster/hosts.json"])
def test_the_example_by_each_of_its_three_names(source):
    result = ansible_inventory("-i", source, "--list")
    assert (result.returncode, result.stderr) == (0, "")
    inventory = json.loads(result.stdout)
    hosts = json.loads((ROOT / "inventory/cluster/hosts.json").read_text(encoding="utf-8"))
    assert {name: host["ansible_host"] for name, host in inventory["_meta"]["hostvars"].items()} == {
        name: host["ipv4"] for name, host in hosts.items()
    }
    assert inventory["master"]["hosts"] == ["c01"]
    assert inventory["zookeeper"]["hosts"] == ["c01", "c02", "c03"]
    assert inventory["_meta"]["hostvars"]["c05"]["skp_net"] == "net-skp", "group_vars beside the file are read"


def test_the_example_env_file_is_good():
    path = ROOT / "inventory/cluster/env.sh.example"
    found = _env_file.parse(path.read_bytes(), path.name, {})
    assert found.warnings == ()
    assert found.variables["jupyter_volume"] == "/srv/skp/volume"


def test_a_variable_of_env_file_is_one_that_a_role_reads():
    """Except those of services that this version does not have, about which there is a warning."""
    known = set()
    for path in (ROOT / "collections/ansible_collections/skp/cluster/roles").glob("*/defaults/main.yml"):
        known |= set(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    variables = {name: _env_file.variable_of(name) for name in _env_file.NAMES}
    assert {name: variable for name, variable in variables.items() if variable and variable not in known} == {}


def test_every_label_has_a_play():
    playbooks = ROOT / "collections/ansible_collections/skp/cluster/playbooks"
    hosts = {group for path in playbooks.glob("*.yml") for play in yaml.safe_load(path.read_text("utf-8")) for group in play.get("hosts", "").split(":")}
    assert {label for label in _hosts_json.SERVICES if _hosts_json.group_name(label) not in hosts} == {"gpu"}


@pytest.mark.parametrize("path", sorted((ROOT / "inventory").glob("*/group_vars/**/*.yml")), ids=lambda path: str(path.relative_to(ROOT)))
def test_variables_of_our_inventories_are_those_of_roles(path):
    known, prefixes = {"ansible_"}, {"skp_"}
    for role in (ROOT / "collections/ansible_collections/skp/cluster/roles").iterdir():
        known |= {name for spec in entry_points(role).values() for name in spec.get("options") or {}}
        prefixes.add(role.name.lstrip("_") + "_")
    written = re.findall(r"^(?:# )?([a-z_]+): ", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in written if name.startswith(tuple(prefixes)) and name not in known] == []


def test_other_files_of_a_directory_are_no_inventories(tmp_path):
    (tmp_path / "hosts.json").write_bytes((ROOT / "inventory/cluster/hosts.json").read_bytes())
    (tmp_path / "skp.yml").write_text("plugin: skp.cluster.hosts_json\nenv_file: env.sh\n", encoding="utf-8")
    (tmp_path / "env.sh").write_text(f"#!/bin/sh\nexport SKP_NET=net-of-env # touch {tmp_path}/run\n", encoding="utf-8")
    (tmp_path / "env.sh").chmod(0o755)
    (tmp_path / "README.md").write_text("notes", encoding="utf-8")
    (tmp_path / "ssh").mkdir()
    (tmp_path / "ssh" / "id_ed25519").write_text("key", encoding="utf-8")
    result = ansible_inventory("-i", str(tmp_path), "--list")
    assert (result.returncode, result.stderr) == (0, "")
    inventory = json.loads(result.stdout)
    assert sorted(inventory["_meta"]["hostvars"]) == ["c01", "c02", "c03", "c04", "c05"]
    assert inventory["_meta"]["hostvars"]["c01"]["skp_net"] == "net-of-env"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("clients.ini", "[clients]\nlaptop ansible_host=10.9.9.9\n"),
        ("clients", "[clients]\nlaptop ansible_host=10.9.9.9\n"),
        ("clients.yml", "clients: {hosts: {laptop: {ansible_host: 10.9.9.9}}}\n"),
        ("clients.json", '{"clients": {"hosts": {"laptop": {"ansible_host": "10.9.9.9"}}}}\n'),
        ("clients.toml", '[clients.hosts.laptop]\nansible_host = "10.9.9.9"\n'),
    ],
)
def test_other_inventories_still_work(name, text, tmp_path):
    (tmp_path / name).write_text(text, encoding="utf-8")
    result = ansible_inventory("-i", str(tmp_path / name), "--list")
    assert result.returncode == 0, result.stderr
    inventory = json.loads(result.stdout)
    assert inventory["clients"]["hosts"] == ["laptop"]


def test_a_mistyped_path_is_an_error():
    assert ansible_inventory("-i", "inventory/none/hosts.json", "--list").returncode != 0


def test_before_the_lab_is_up_its_inventory_is_empty_and_no_error(tmp_path):
    (tmp_path / "skp.yml").write_bytes((ROOT / "inventory/lab/skp.yml").read_bytes())
    result = ansible_inventory("-i", str(tmp_path), "--list")
    assert result.returncode == 0, result.stderr
    assert "hosts.json: the file does not exist yet, so there are no hosts" in result.stderr
    assert json.loads(result.stdout)["_meta"]["hostvars"] == {}


@pytest.mark.parametrize(("environment", "fast"), [({}, True), ({"SKP_LAB_FAST": "1"}, True), ({"SKP_LAB_FAST": "0"}, False)])
def test_the_labs_own_time_outs_can_be_left_out(tmp_path, environment, fast):
    lab = ROOT / "inventory/lab"
    (tmp_path / "hosts.json").write_text(json.dumps({"c01": {"ipv4": "192.0.2.1", "groups": ["master"], "labels": []}}), encoding="utf-8")
    (tmp_path / "group_vars/all").mkdir(parents=True)
    for name in ("skp.yml", "group_vars/lab_fast.yml", "group_vars/all/lab.yml"):
        (tmp_path / name).write_bytes((lab / name).read_bytes())
    result = ansible_inventory("-i", str(tmp_path), "--host", "c01", **environment)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    own = set(yaml.safe_load((lab / "group_vars/lab_fast.yml").read_text(encoding="utf-8")))
    everywhere = set(yaml.safe_load((lab / "group_vars/all/lab.yml").read_text(encoding="utf-8")))
    assert own & set(found) == (own if fast else own & everywhere)
    assert ("TieredStopAtLevel" in result.stdout) is fast


if __name__ == "__main__":
    written = DOCUMENT.read_text(encoding="utf-8")
    for part, content in lists().items():
        written = section(part).sub(lambda match, content=content: match.group(1) + content + match.group(3), written)
    DOCUMENT.write_text(written, encoding="utf-8")
