# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of every entry of an st-kilda-pier."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.plugins.loader import lookup_loader

from ansible_collections.skp.cluster.plugins.plugin_utils import _adopt, _env_file, _hosts_json

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import adoption_example as example  # noqa: E402  (the path above comes first)

ROLES = pathlib.Path(_adopt.__file__).parents[2] / "roles"


def planned(texts, **options):
    """The plan with the home directory of the example's user."""
    return _adopt.plan(texts, **{"home": "/home/skp", "user": "skp", **options})


def rows(adoption):
    """{entry: (what, text)}; an entry twice would hide one."""
    found = {row.entry: (row.what, row.text) for row in adoption.rows}
    assert len(found) == len(adoption.rows), [row.entry for row in adoption.rows]
    return found


def settings(adoption):
    """The variables of the written inventory: those of env.sh, read by the inventory's own parser, and those of group_vars."""
    env = _env_file.parse(adoption.files["env.sh"].encode(), "env.sh", {})
    assert env.warnings == ()
    return env.variables, yaml.safe_load(adoption.files["group_vars/all/adopted.yml"])


def test_every_entry_of_the_early_files_has_a_row():
    adoption = planned(example.early())
    assert adoption.unclear == []
    found = rows(adoption)
    names = _env_file.parse(example.ENV.encode(), "env.sh", {"HOME": "/home/skp"}).given
    assert {entry for entry in found if entry.startswith("env.sh: ")} == {"env.sh: %s" % name for name in [*names, "MYSQL_VOLUME: place"]}
    labels = {"hosts.json: %s: %s" % (host, key) for host, entry in example.HOSTS.items() for label in entry["labels"] for key in label}
    assert {entry for entry in found if entry.startswith("hosts.json: ")} == labels | {"hosts.json: %s" % host for host in example.HOSTS}
    assert all(found[name][0] == _adopt.GONE for name in _adopt.FILES[2:])


@pytest.mark.parametrize("entry, what, word", [
    ("env.sh: ZOOKEEPER_VOLUME", _adopt.TAKEN, "zookeeper_data_dir = /var/zookeeper"),
    ("env.sh: JUPYTER_PORT", _adopt.TAKEN, "jupyter_port = 8010"),
    ("env.sh: SKP_USER", _adopt.TAKEN, "ansible_user = skp"),
    ("env.sh: MYSQL_ROOT_PASSWORD", _adopt.TAKEN, "mysql_root_password"),
    ("env.sh: JUPYTER_PASSWORD", _adopt.GONE, "shorter than 12"),
    ("env.sh: MYSQL_IMAGE", _adopt.GONE, "mysql_image"),
    ("env.sh: AIRFLOW_DB", _adopt.GONE, "Airflow 1"),
    ("env.sh: S3_ACCOUNT", _adopt.GONE, "empty"),
    ("hosts.json: c01: nginx", _adopt.TAKEN, "label of a service"),
    ("hosts.json: c05: rack", _adopt.TAKEN, "unchanged"),
])
def test_rows(entry, what, word):
    assert rows(planned(example.early()))[entry][0] == what
    assert word in rows(planned(example.early()))[entry][1]


def test_the_inventory_of_the_early_files():
    adoption = planned(example.early())
    env, variables = settings(adoption)
    assert sorted(adoption.files) == ["env.sh", "group_vars/all/adopted.yml", "hosts.json", "skp.yml"]
    assert _hosts_json.parse(adoption.files["hosts.json"].encode(), "hosts.json").hosts == _hosts_json.parse(example.early()["hosts.json"], "x").hosts
    assert env["skp_home"] == "/home/skp/st-kilda-pier" and env["mysql_data_dir"] == "/home/skp/st-kilda-pier/skp-mysql"
    assert env["kafka_data_dir"] == "/var/kafka" and env["spark_name"] == "spark-skp" and env["volumes_sshfs_host"] == "sshfs.example"
    assert not {"airflow_db", "mysql_image", "jupyter_password", "airflow_volume", "registry_store"} & env.keys()
    assert variables["kafka_zookeeper_chroot"] == "" and variables["store_mode"] == "existing" and variables["airflow_db"] == "airflow_skp"
    services = {entry["name"]: entry for entry in variables["adopt_services"]}
    assert {name: entry["hosts"] for name, entry in services.items()} == {
        "zookeeper": ["c01", "c02", "c03"], "kafka": ["c01", "c02", "c03"], "mysql": ["c01"], "notebooks": ["c01"]}
    assert services["notebooks"]["path"] == "/home/skp/st-kilda-pier/volume"
    # Every notebook could replace what is below its directory.
    assert services["mysql"]["from"] == "/home/skp/st-kilda-pier/volume/var/mysql" and "from" not in services["kafka"]


def test_the_containers_stop_in_an_order():
    """Kafka writes to ZooKeeper when it stops, and everything may write to Kafka and MySQL."""
    stages = [[entry["name"] for entry in stage] for stage in settings(planned(example.early()))[1]["adopt_containers"]]
    place = {name: number for number, stage in enumerate(stages) for name in stage}
    assert place["jupyter-skp"] < place["kafka-skp"] < place["zookeeper-skp"] < place["registry-skp"] and place["airflow-skp"] < place["mysql-skp"]


def test_the_five_files_of_the_last_version():
    adoption = planned(example.later())
    assert adoption.unclear == []
    env, variables = settings(adoption)
    assert env["jupyter_port"] == 8011 and env["jupyter_baseurl"] == "jupyter-skp" and env["volumes_blob_container_name"] == "lake"
    assert env["zookeeper_data_dir"] == "/home/skp/mnt/volume-zookeeper-skp" and env["kafka_data_dir"] == "/home/skp/mnt/volume-kafka-skp"
    assert env["jupyter_volume"] == "/home/skp/mnt/volume-jupyter-skp" and "skp_home" not in env and "store_mode" not in variables
    assert variables["skp_image_locale"] == "en_US.UTF-8"
    assert rows(adoption)["volumes.json: volume-s3fs"][0] == _adopt.GONE
    named = {row.entry for row in adoption.rows}
    for name, content in (("networks.json", example.NETWORKS), ("volumes.json", example.VOLUMES), ("services.json", example.SERVICES_JSON),
                          ("images.json", example.IMAGES)):
        assert {"%s: %s" % (name, key) for key in content} <= named


@pytest.mark.parametrize("texts", [example.early, example.later])
def test_no_line_shows_a_secret(texts):
    adoption = planned(texts())
    shown = "\n".join(_adopt.lines(adoption))
    assert [canary for canary in example.CANARIES if canary in shown] == []
    assert "canary-of-mysql" in adoption.files["env.sh"], "the canary was there"


def changed(name, old, new, texts=example.early):
    """The example with one text of one file replaced."""
    files = texts()
    assert old.encode() in files[name]
    return {**files, name: files[name].replace(old.encode(), new.encode())}


def with_entry(name, key, entry):
    """The last version's files with one entry more, or another one."""
    files = example.later()
    return {**files, name: json.dumps({**json.loads(files[name]), key: entry}).encode()}


BROKEN = {
    "no hosts.json": ({"env.sh": b""}, "hosts.json", "adopt_from"),
    "no env.sh": ({"hosts.json": example.early()["hosts.json"]}, "env.sh", "bin/skp.sh"),
    "hosts.json is not JSON": (changed("hosts.json", "{", "[{"), "hosts.json", "line 1"),
    "a label with a fault": (changed("hosts.json", '"rack"', '"kafak"'), "hosts.json: c05: kafak", 'did you mean "kafka"'),
    "env.sh runs a program": (changed("env.sh", '"skp"\n', "$(whoami)\n"), "env.sh", "line 2"),
    "env.sh with a name of nobody": (changed("env.sh", "# SSHFS", "export MY_OWN=1"), "env.sh: MY_OWN", "adopt_ignore"),
    "no directory of a labelled service": (changed("env.sh", 'export ZOOKEEPER_VOLUME="/var/zookeeper"', ""), "ZOOKEEPER_VOLUME", "label zookeeper"),
    "one directory for two": (changed("env.sh", "=/var/kafka", "=/var/zookeeper"), "KAFKA_VOLUME", "two services"),
    "a directory that is not one": (changed("env.sh", "=/var/kafka", "=kafka"), "KAFKA_VOLUME", "absolute path"),
    "services.json is not JSON": ({**example.later(), "services.json": b"{"}, "services.json", "cannot be read"),
    "services.json is a list": ({**example.later(), "services.json": b"[]"}, "services.json", "one object"),
    "a service of the site": (with_entry("services.json", "mine", {"label": "mine"}), "services.json: mine", "skp_custom_services"),
    "a key of nobody": (with_entry("services.json", "mysql-skp", {"label": "mysql", "memory": "1g"}), "services.json: mysql-skp", "key memory"),
    "two services of one label": (with_entry("services.json", "sql", {"label": "mysql"}), "services.json: sql", "another entry"),
    "a volume of an unknown type": (with_entry("volumes.json", "tape", {"type": "tape"}), "volumes.json: tape", "tape"),
    "a second network": (with_entry("networks.json", "other", {"opts": ["--attachable --driver overlay"]}), "networks.json: other", "one network"),
    "an image of the site": (with_entry("images.json", "me/mine", {"opts": []}), "images.json: me/mine", "docs/images.md"),
    "a name that nothing sets": (with_entry("volumes.json", "dfs", {"type": "fs", "path": "$NOWHERE/x"}), "volumes.json: dfs", "$NOWHERE"),
    "files that disagree": ({**example.later(), "env.sh": (example.LATER_ENV + "export JUPYTER_PORT=8010\n").encode()},
                            "services.json: jupyter-skp", "make them agree"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_unclear_is_refused(case):
    texts, entry, word = BROKEN[case]
    adoption = planned(texts)
    assert any(row.entry == entry and word in row.text for row in adoption.unclear), adoption.unclear
    assert adoption.files == {}


def test_a_home_that_nobody_named():
    adoption = _adopt.plan(example.early())
    [row] = [row for row in adoption.unclear if "adopt_home" in row.text]
    assert "line 3" in row.text and adoption.files == {}


def test_notebooks_that_other_nodes_cannot_see():
    texts = changed("hosts.json", '{"rack": "r1"}', '{"jupyter": "enable"}')
    assert planned(texts).unclear == [], "below the shared directory"
    texts["env.sh"] = texts["env.sh"].replace(b"JUPYTER_VOLUME=$SKP_HOME/volume", b"JUPYTER_VOLUME=/var/notebooks")
    [row] = planned(texts).unclear
    assert row.entry == "JUPYTER_VOLUME" and "c05" in row.text


def test_an_entry_that_the_site_leaves_behind():
    texts = changed("env.sh", "# SSHFS", "export MY_OWN=1")
    adoption = planned(texts, ignored=["env.sh: MY_OWN"])
    assert adoption.unclear == [] and rows(adoption)["env.sh: MY_OWN"][0] == _adopt.GONE
    [row] = planned(example.early(), ignored=["env.sh: NOTHING"]).unclear
    assert "no entry" in row.text


@pytest.mark.parametrize("service", sorted(_adopt.UIDS))
def test_user_numbers_are_those_of_the_roles(service):
    variables = yaml.safe_load((ROLES / service / "vars/main.yml").read_text(encoding="utf-8"))
    assert variables["__%s_uid" % service] == str(_adopt.UIDS[service])


def test_the_notebooks_user_is_that_of_the_role():
    defaults = yaml.safe_load((ROLES / "jupyter/defaults/main.yml").read_text(encoding="utf-8"))
    assert defaults["jupyter_uid"] == defaults["jupyter_gid"] == str(_adopt.NOTEBOOKS_UID)


def look_up(directory, **options):
    """The lookup as a playbook calls it."""
    from ansible.parsing.dataloader import DataLoader

    return lookup_loader.get("skp.cluster.adoption", loader=DataLoader()).run([str(directory)], {}, **options)[0]


def test_the_lookup_finds_the_files_in_their_places(tmp_path):
    for name, content in example.early().items():
        place = tmp_path / ("bin" if name == "env.sh" else "etc")
        place.mkdir()
        (place / name).write_bytes(content)
    found = look_up(tmp_path, home="/home/skp", user="skp")
    assert found["unclear"] == [] and found["files"] == planned(example.early()).files


def test_the_lookup_takes_no_file_of_two(tmp_path):
    (tmp_path / "etc").mkdir()
    for place in (tmp_path, tmp_path / "etc"):
        (place / "hosts.json").write_text("{}")
    with pytest.raises(AnsibleError, match="both there"):
        look_up(tmp_path)
    with pytest.raises(AnsibleError, match="no directory"):
        look_up(tmp_path / "nothing")
