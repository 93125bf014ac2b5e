# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin on good files: groups, variables, options, cache. Broken files are in test_bad_hosts.py."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import typing as t

import pytest
from ansible import constants
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from ansible_collections.skp.cluster.plugins.plugin_utils import _hosts_json

# The first form, as st-kilda-pier's guide prints it (its dots filled in) ...
FIRST_FORM = """{
  "c01" : {
    "ipv4" : "10.0.0.4",
    "labels" : [
        {"registry" : "enable"},      
        {"jupyter" : "enable"},
        {"spark-master" : "enable"},
        {"portainer" : "enable"},
        {"mysql" : "enable"}
    ],
    "groups" : ["master", "manager"]
  },
  "c02" : {
    "ipv4" : "10.0.0.5",
    "labels" : [
        {"spark-worker" : "enable"}
    ],
    "groups" : ["manager"]
  },
  "c05" : {
    "ipv4" : "10.0.0.8",
    "labels" : [
        {"spark-worker":"enable"}
    ],
    "groups" : ["worker"]
  }
}
"""  # noqa: W291  (the guide has the spaces too)
# ... and the same cluster in the later one.
LATER_FORM = """{
  "c01" : {
    "ipv4" : "10.0.0.4",
    "labels" : {
      "registry" : "enable",
      "jupyter" : "enable",
      "spark-master" : "enable",
      "portainer" : "enable",
      "mysql" : "enable"
    },
    "roles" : ["master", "manager"]
  },
  "c02" : {
    "ipv4" : "10.0.0.5",
    "labels" : {
      "spark-worker" : "enable"
    },
    "roles" : ["slave", "manager"]
  },
  "c05" : {
    "ipv4" : "10.0.0.8",
    "labels" : {
      "spark-worker" : "enable"
    },
    "roles" : ["slave", "worker"]
  }
}
"""
GROUPS = {
    "master": ["c01"],
    "manager": ["c01", "c02"],
    "worker": ["c05"],
    "registry": ["c01"],
    "jupyter": ["c01"],
    "spark_master": ["c01"],
    "portainer": ["c01"],
    "mysql": ["c01"],
    "spark_worker": ["c02", "c05"],
}


@pytest.fixture(autouse=True)
def enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin enabled for ``-i hosts.json``, before Ansible's own."""
    monkeypatch.setattr(constants, "INVENTORY_ENABLED", ["skp.cluster.hosts_json", *constants.INVENTORY_ENABLED])


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every warning shown, in order."""
    shown: list[str] = []
    display = inventory_loader.get("skp.cluster.hosts_json").display
    monkeypatch.setattr(type(display), "warning", lambda self, msg, *args, **kwargs: shown.append(msg))
    return shown


def hosts(**changes: t.Any) -> dict[str, t.Any]:
    """A cluster of two; keywords change the second host."""
    return {
        "c01": {"ipv4": "10.0.0.4", "labels": [{"kafka": "enable"}], "groups": ["master"]},
        "c02": {"ipv4": "10.0.0.5", "labels": [], "groups": ["worker"], **changes},
    }


def write(directory: pathlib.Path, content: t.Any, config: str | None = None) -> str:
    """Write hosts.json, and skp.yml when a configuration is given; return the source to load."""
    (directory / "hosts.json").write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    if config is None:
        return str(directory / "hosts.json")
    (directory / "skp.yml").write_text(f"plugin: skp.cluster.hosts_json\n{config}", encoding="utf-8")
    return str(directory / "skp.yml")


def load(*sources: str, cache: bool = True) -> InventoryManager:
    """What Ansible makes of the sources."""
    return InventoryManager(DataLoader(), sources=list(sources), cache=cache)


def groups(inventory: InventoryManager) -> dict[str, list[str]]:
    """The groups of the swarm and those with hosts, but Ansible's own two and that of the cluster."""
    found = {name: members for name, members in inventory.get_groups_dict().items() if name not in ("all", "ungrouped", "skp")}
    return {name: members for name, members in found.items() if members or name in ("master", "manager", "worker")}


def test_no_order_of_hosts_changes_groups_or_variables(tmp_path: pathlib.Path) -> None:
    """All orders of the file: the same members of every group, the same variables of every host."""
    data, seen = json.loads(LATER_FORM), []
    for order in itertools.permutations(data):
        inventory = load(write(tmp_path, {name: data[name] for name in order}), cache=False)
        members = {name: sorted(names) for name, names in groups(inventory).items()}
        seen.append((members, {name: inventory.get_host(name).get_vars() for name in data}))
    assert len(seen) == 6 and seen[0][0] == GROUPS
    assert all(one == seen[0] for one in seen)


@pytest.mark.parametrize("content", [FIRST_FORM, LATER_FORM, "\ufeff" + FIRST_FORM], ids=["first form", "later form", "byte order mark"])
@pytest.mark.parametrize("config", [None, ""], ids=["hosts.json", "skp.yml"])
def test_both_forms_from_both_sources(content: str, config: str | None, tmp_path: pathlib.Path, warnings: list[str]) -> None:
    inventory = load(write(tmp_path, content, config))
    assert groups(inventory) == GROUPS
    variables = inventory.get_host("c02").vars
    assert variables["ansible_host"] == "10.0.0.5"
    assert variables["skp_labels"] == {"spark-worker": "enable"}
    assert warnings == []


def test_the_master_is_a_manager_even_if_only_master_is_written(tmp_path: pathlib.Path) -> None:
    assert groups(load(write(tmp_path, hosts())))["manager"] == ["c01"]


def test_groups_of_the_swarm_exist_without_hosts(tmp_path: pathlib.Path) -> None:
    assert groups(load(write(tmp_path, hosts(groups=["manager"]))))["worker"] == []


def test_all_hosts_of_the_file_are_the_group_of_the_cluster(tmp_path: pathlib.Path) -> None:
    (tmp_path / "others.yml").write_text("all: {hosts: {printer: {}}}", encoding="utf-8")
    write(tmp_path, hosts())
    inventory = InventoryManager(loader=DataLoader(), sources=[str(tmp_path / "hosts.json"), str(tmp_path / "others.yml")])
    assert inventory.get_groups_dict()["skp"] == ["c01", "c02"]
    assert "printer" in inventory.hosts


def test_the_group_of_a_service_exists_without_hosts(tmp_path: pathlib.Path) -> None:
    everything = load(write(tmp_path, hosts(labels=[{"nginx": "disable"}]))).get_groups_dict()
    assert everything["nginx"] == everything["spark_worker"] == []


def test_a_disabled_label_makes_no_group_but_is_a_label(tmp_path: pathlib.Path) -> None:
    inventory = load(write(tmp_path, hosts(labels=[{"nginx": "disable"}])))
    assert "nginx" not in groups(inventory)
    assert inventory.get_host("c02").vars["skp_labels"] == {"nginx": "disable"}


@pytest.mark.parametrize(("label", "group"), [("big-disk", "big_disk"), ("com.example.ssd", "com_example_ssd"), ("10g", "_10g")])
def test_an_enabled_label_that_is_no_service_makes_a_group_too(label: str, group: str, tmp_path: pathlib.Path) -> None:
    assert groups(load(write(tmp_path, hosts(labels={label: "enable"}))))[group] == ["c02"]


def test_a_label_with_a_value_passes_as_it_is(tmp_path: pathlib.Path, warnings: list[str]) -> None:
    inventory = load(write(tmp_path, hosts(labels=[{"rack": "r1"}, {"zone": "서울 1"}])))
    assert inventory.get_host("c02").vars["skp_labels"] == {"rack": "r1", "zone": "서울 1"}
    assert set(groups(inventory)) == {"master", "manager", "worker", "kafka"}
    assert warnings == []


@pytest.mark.parametrize(
    ("label", "meant"),
    [
        ("kafak", "kafka"),
        ("Kafka", "kafka"),
        ("zookeper", "zookeeper"),
        ("spark-workers", "spark-worker"),
        ("spark", "spark-master or spark-worker"),
    ],
)
def test_a_label_close_to_a_service_warns(label: str, meant: str, tmp_path: pathlib.Path, warnings: list[str], monkeypatch: t.Any) -> None:
    monkeypatch.chdir(tmp_path)
    load(write(tmp_path, hosts(labels={label: "enable"})))
    text = f'did you mean "{meant}"? "{label}" is not a service; it is set on the swarm node unchanged'
    assert warnings == [f'hosts.json: c02: label "{label}": {text}']


def test_a_doubtful_label_of_many_hosts_warns_once(tmp_path: pathlib.Path) -> None:
    data = hosts(labels={"kafak": "enable"})
    data["c03"] = {"ipv4": "10.0.0.6", "labels": {"kafak": "enable"}, "groups": ["worker"]}
    assert [line.split(": label")[0] for line in _hosts_json.parse(json.dumps(data).encode(), "f").warnings] == ["f: c02 (and 1 more)"]


@pytest.mark.parametrize("label", ["rack", "zone", "disk", "ssd", "storage", "building", "rack-unit", "arch", "owner", "stage"])
def test_usual_labels_do_not_warn(label: str) -> None:
    assert _hosts_json.parse(json.dumps(hosts(labels={label: "x"})).encode(), "f").warnings == ()


def test_a_single_host_may_be_this_machine(tmp_path: pathlib.Path) -> None:
    inventory = load(write(tmp_path, {"s01": {"ipv4": "127.0.0.1", "labels": {}, "roles": ["master", "manager"]}}))
    assert inventory.get_host("s01").vars["ansible_host"] == "127.0.0.1"


def test_nothing_is_ever_a_template(tmp_path: pathlib.Path) -> None:
    trap = "{{ lookup('pipe', 'touch " + str(tmp_path / "trap") + "') }}{% raw %}"
    (tmp_path / "env.sh").write_text(f'export S3_ACCESS_KEY="{trap}"', encoding="utf-8")
    inventory = load(write(tmp_path, hosts(labels=[{"note": trap}]), "env_file: env.sh\ncompose: {copy: volumes_s3_access_key, note: skp_labels.note}"))
    manager = VariableManager(loader=DataLoader(), inventory=inventory)
    variables = manager.get_vars(host=inventory.get_host("c02"))
    templar = Templar(loader=DataLoader(), variables=variables)
    assert templar.template(variables["skp_labels"]) == {"note": trap}
    assert templar.template(variables["volumes_s3_access_key"]) == trap
    assert (templar.template(variables["copy"]), templar.template(variables["note"])) == (trap, trap)
    assert not (tmp_path / "trap").exists()


def test_a_directory_with_both_files_is_one_cluster(tmp_path: pathlib.Path, warnings: list[str]) -> None:
    write(tmp_path, FIRST_FORM, "keyed_groups: [{key: ansible_host, prefix: at}]")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("skp_net: from-group-vars", encoding="utf-8")
    inventory = load(str(tmp_path))
    found = groups(inventory)
    assert {name: members for name, members in found.items() if not name.startswith("at_")} == GROUPS
    assert found["at_10_0_0_5"] == ["c02"]
    variables = VariableManager(loader=DataLoader(), inventory=inventory).get_vars(host=inventory.get_host("c02"))
    assert variables["skp_net"] == "from-group-vars"
    assert warnings == []


def test_two_clusters_in_one_inventory_are_refused(tmp_path: pathlib.Path) -> None:
    for name, address in (("a", "10.0.0.1"), ("b", "10.0.0.2")):
        (tmp_path / name).mkdir()
        write(tmp_path / name, {f"{name}01": {"ipv4": address, "labels": [], "groups": ["master"]}})
    inventory = load(str(tmp_path / "a" / "hosts.json"))
    plugin = inventory_loader.get("skp.cluster.hosts_json")
    with pytest.raises(AnsibleParserError) as caught:
        plugin.parse(inventory._inventory, DataLoader(), str(tmp_path / "b" / "hosts.json"))
    assert str(caught.value).endswith(
        '/b/hosts.json: b01: "groups": found "master", but a01 of another inventory source is already the master, expected exactly one'
    )
    assert list(inventory.hosts) == ["a01"]


def test_an_old_copy_in_the_directory_is_refused(tmp_path: pathlib.Path) -> None:
    """Merged in, it would bring back hosts and labels that were taken away."""
    write(tmp_path, hosts())
    old = hosts(labels={"kafka": "enable", "zookeeper": "enable"})
    (tmp_path / "old-hosts.json").write_text(json.dumps(old), encoding="utf-8")
    inventory = load(str(tmp_path / "hosts.json"))
    with pytest.raises(AnsibleParserError, match="old-hosts.json: a second file with hosts of this cluster.*Move a copy out"):
        inventory_loader.get("skp.cluster.hosts_json").parse(inventory._inventory, DataLoader(), str(tmp_path / "old-hosts.json"))
    (tmp_path / "same-hosts.json").write_bytes((tmp_path / "hosts.json").read_bytes())
    inventory_loader.get("skp.cluster.hosts_json").parse(inventory._inventory, DataLoader(), str(tmp_path / "same-hosts.json"))


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, hosts())
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root can read everything
    assert inventory_loader.get("skp.cluster.hosts_json").verify_file(str(tmp_path / "hosts.json"))


def test_another_inventory_beside_ours_still_works(tmp_path: pathlib.Path) -> None:
    (tmp_path / "extra.ini").write_text("[clients]\nlaptop ansible_host=10.9.9.9\n", encoding="utf-8")
    (tmp_path / "more.yml").write_text("all: {hosts: {desk: {ansible_host: 10.9.9.8}}}\n", encoding="utf-8")
    inventory = load(write(tmp_path, hosts()), str(tmp_path / "extra.ini"), str(tmp_path / "more.yml"), "one,two")
    assert set(inventory.hosts) == {"c01", "c02", "laptop", "desk", "one", "two"}


# -- options ----------------------------------------------------------------------------------------------------------


def test_hosts_file_is_relative_to_the_configuration(tmp_path: pathlib.Path) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path / "data", FIRST_FORM)
    (tmp_path / "skp.yml").write_text("plugin: skp.cluster.hosts_json\nhosts_file: data/hosts.json\n", encoding="utf-8")
    assert groups(load(str(tmp_path / "skp.yml"))) == GROUPS


def test_constructed_options(tmp_path: pathlib.Path) -> None:
    config = """
strict: true
compose: {ansible_user: "'admin-' ~ inventory_hostname", skp_first_label: skp_labels | first}
groups: {brokers: "skp_labels.kafka | default('') == 'enable'"}
keyed_groups: [{key: "skp_labels.rack | default([])", prefix: rack}]
"""
    inventory = load(write(tmp_path, hosts(labels={"rack": "r1"}), config))
    assert inventory.get_host("c02").vars["ansible_user"] == "admin-c02"
    assert groups(inventory)["brokers"] == ["c01"]
    assert groups(inventory)["rack_r1"] == ["c02"]


def test_constructed_options_see_the_variables_of_env_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "env.sh").write_text("export JUPYTER_PORT=8010\n", encoding="utf-8")
    inventory = load(write(tmp_path, hosts(), "env_file: env.sh\ncompose: {port_after: jupyter_port + 1}\nstrict: true"))
    assert int(inventory.get_host("c02").vars["port_after"]) == 8011


def test_every_option_can_come_from_the_environment(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.json").write_text(json.dumps(hosts(labels={"rack": "r1"})), encoding="utf-8")
    (tmp_path / "env.sh").write_text("export SKP_NET=net-x\n", encoding="utf-8")
    (tmp_path / "skp.yml").write_text("plugin: skp.cluster.hosts_json\n", encoding="utf-8")
    for name, value in {
        "SKP_HOSTS_FILE": "other.json",
        "SKP_ENV_FILE": "env.sh",
        "SKP_INVENTORY_STRICT": "true",
        "SKP_INVENTORY_COMPOSE": '{"twice": "inventory_hostname * 2"}',
        "SKP_INVENTORY_GROUPS": '{"second": "inventory_hostname == \'c02\'"}',
        "SKP_INVENTORY_KEYED_GROUPS": '[{"key": "skp_labels.rack | default([])", "prefix": "rack"}]',
    }.items():
        monkeypatch.setenv(name, value)
    inventory = load(str(tmp_path / "skp.yml"))
    assert inventory.get_host("c02").vars["twice"] == "c02c02"
    assert groups(inventory)["second"] == ["c02"]
    assert groups(inventory)["rack_r1"] == ["c02"]
    assert inventory.groups["all"].get_vars()["skp_net"] == "net-x"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            "host_file: hosts.json",
            'unknown option "host_file", expected an option listed by ansible-doc -t inventory skp.cluster.hosts_json; did you mean "hosts_file"?',
        ),
        ("hosts_file: [a", "line 2, column 15: invalid YAML: "),
    ],
)
def test_a_broken_configuration(config: str, message: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = write(tmp_path, hosts(), config)
    with pytest.raises(AnsibleParserError) as caught:
        inventory_loader.get("skp.cluster.hosts_json").parse(InventoryData(), DataLoader(), source)
    assert str(caught.value).startswith(f"skp.yml: {message}")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(("value", "message"), [("{", "found text that is not JSON"), ("[]", "found list, expected an object")])
def test_a_broken_option_in_the_environment(value: str, message: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKP_INVENTORY_COMPOSE", value)
    source = write(tmp_path, hosts())
    with pytest.raises(AnsibleParserError, match=message):
        inventory_loader.get("skp.cluster.hosts_json").parse(InventoryData(), DataLoader(), source)


def test_a_missing_file_is_an_error_unless_it_is_allowed(tmp_path: pathlib.Path, warnings: list[str], monkeypatch: t.Any) -> None:
    monkeypatch.chdir(tmp_path)
    source = write(tmp_path, hosts(), "hosts_file: none.json")
    with pytest.raises(AnsibleParserError) as caught:
        inventory_loader.get("skp.cluster.hosts_json").parse(InventoryData(), DataLoader(), source)
    assert str(caught.value) == "none.json: the file does not exist"
    inventory = load(write(tmp_path, hosts(), "hosts_file: none.json\nallow_missing: true"))
    assert warnings == ["none.json: the file does not exist yet, so there are no hosts"]
    assert groups(inventory) == {"master": [], "manager": [], "worker": []}


def test_env_file_makes_variables_of_all(tmp_path: pathlib.Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "env.sh").write_text("export JUPYTER_PORT=8010\nexport NGINX_PORT=8070\nexport NO_SUCH=1\n", encoding="utf-8")
    inventory = load(write(tmp_path, hosts(), "env_file: env.sh"))
    variables = inventory.groups["all"].get_vars()
    assert (variables["jupyter_port"], variables["gateway_port"]) == (8010, 8070)
    assert warnings == ["env.sh: line 3: NO_SUCH: unknown name, no variable is set"]


def test_a_broken_env_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "env.sh").write_text("export JUPYTER_PORT=eighty\n", encoding="utf-8")
    source = write(tmp_path, hosts(), "env_file: env.sh")
    inventory = InventoryData()
    with pytest.raises(AnsibleParserError) as caught:
        inventory_loader.get("skp.cluster.hosts_json").parse(inventory, DataLoader(), source)
    assert str(caught.value) == 'env.sh: line 1: JUPYTER_PORT: found "eighty", expected a port from 1 to 65535'
    assert not inventory.hosts


# -- cache ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read and checked rather than taken from the cache."""
    seen: list[str] = []
    check = _hosts_json.parse
    monkeypatch.setattr(_hosts_json, "parse", lambda content, name: seen.append(name) or check(content, name))
    return seen


def test_the_cache_is_used_until_the_file_changes(tmp_path: pathlib.Path, checks: list[str], warnings: list[str]) -> None:
    config = f"cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: {tmp_path / 'cache'}"
    source = write(tmp_path, hosts(labels={"kafak": "enable", "rack": "{{ x }}"}), config)
    first = load(source)
    second = load(source)
    assert len(checks) == 1
    assert groups(first) == groups(second)
    assert second.get_host("c02").vars == first.get_host("c02").vars
    assert len(warnings) == 2, "warnings are told again when the hosts come from the cache"
    write(tmp_path, hosts(labels={"nginx": "enable"}))
    assert "nginx" in groups(load(source))
    assert len(checks) == 2
    load(source, cache=False)
    assert len(checks) == 3


def test_the_cache_works_for_a_plain_hosts_json(tmp_path: pathlib.Path, checks: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_INVENTORY_CACHE", "true")
    monkeypatch.setenv("ANSIBLE_INVENTORY_CACHE_PLUGIN", "ansible.builtin.jsonfile")
    monkeypatch.setenv("ANSIBLE_INVENTORY_CACHE_CONNECTION", str(tmp_path / "cache"))
    source = write(tmp_path, FIRST_FORM)
    assert groups(load(source)) == groups(load(source)) == GROUPS
    assert len(checks) == 1
