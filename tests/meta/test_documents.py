# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documents tell people to type is there: commands, playbooks, tags, variables, images, Make's targets, and the samples as they stand.

Nothing here needs a node. That the commands do what the documents say is shown on the lab.
"""

from __future__ import annotations

import fnmatch
import functools
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
import yaml
from tree import COLLECTION, ROOT, entry_points, files, load, relative, roles, translations

# The Korean pages have the same blocks and the same names (test_languages.py), and their links are checked with all others (test_text.py).
DOCUMENTS = sorted({path for path in files() if path.suffix == ".md"} - set(translations().values()))
HELLO = ROOT / "docs/adding_a_service.md"
# What stands for something of the reader's.
PLACES = ("inventory/mine", "path/to/", "clients.ini", "hosts.json", "skp.yml", "SOURCE", "localhost,")
OWN = {"hello", "echo"}
PLAYBOOK_VARIABLES = {"lab_node"}
"""Of the lab's playbooks, no options of a role."""


def blocks(path, language=r"\w*"):
    """Return the code blocks of a document as (language, text)."""
    return re.findall(r"^```(%s)\n(.*?)^```" % language, path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(path, program):
    """Return the words of every command of a program in a document: in code blocks a line each, in the text between backticks."""
    text = path.read_text(encoding="utf-8")
    inline = re.findall(r"`(%s [^`\n]+)`" % program, re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    lines = [line.strip().removeprefix("$ ") for _language, block in blocks(path) for line in block.splitlines()]
    found = inline + [re.split(r"\s{2,}|\s#", line)[0] for line in lines if line.startswith(program + " ")]
    return [shlex.split(line) for line in found]


@functools.lru_cache(maxsize=None)
def tags():
    """Return the tags of the collection's playbooks."""
    found = set()
    for path in (COLLECTION / "playbooks").glob("*.yml"):
        for play in load(path):
            for entry in [play, *play.get("tasks", [])]:
                found |= set(entry.get("tags", []))
    return found


@functools.lru_cache(maxsize=None)
def variables():
    """Return the options of all roles."""
    specs = [spec for role in roles() for spec in entry_points(role).values()]
    return {name for spec in specs for name in spec.get("options") or {}}


def faults(words):
    """Return what is wrong with the words of an ansible-playbook command."""
    wrong, rest = [], list(words[1:])
    while rest:
        word = rest.pop(0)
        if word in ("-i", "--limit", "--tags", "--skip-tags", "-e"):
            value = rest.pop(0)
            if word == "-i" and not ((ROOT / value).exists() or value.startswith(PLACES)):
                wrong.append("no inventory %s" % value)
            if "tags" in word:
                wrong += ["no tag %s" % tag for tag in value.split(",") if tag not in tags() | OWN and "<" not in tag]
            if word == "-e" and not value.startswith("@"):
                names = json.loads(value) if value.startswith("{") else {value.split("=")[0]}
                wrong += ["no variable %s" % name for name in names if name not in variables() | PLAYBOOK_VARIABLES]
        elif word.startswith("skp.cluster."):
            wrong += [] if (COLLECTION / "playbooks" / (word.rpartition(".")[2] + ".yml")).exists() else ["no playbook %s" % word]
        elif word.endswith(".yml") and word.removesuffix(".yml") not in OWN:
            wrong += [] if (ROOT / word).exists() else ["no playbook %s" % word]
    return wrong


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_commands_name_what_is_there(path):
    assert {" ".join(words): faults(words) for words in commands(path, "ansible-playbook") if faults(words)} == {}


def test_faults_of_commands_are_found():
    words = shlex.split("ansible-playbook -i inventory/no playbooks/no.yml skp.cluster.no --tags kafak -e no=1")
    assert [fault.rpartition(" ")[2] for fault in faults(words)] == ["inventory/no", "playbooks/no.yml", "skp.cluster.no", "kafak", "no"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_targets_of_make_are_there(path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [words[1] for words in commands(path, "make") if re.fullmatch("[a-z-]+", words[1])]
    assert [target for target in targets if not re.search("^%s:" % target, makefile, re.MULTILINE)] == []


def images():
    """Return the names of all images."""
    defaults, more = load(COLLECTION / "roles/images/defaults/main.yml"), load(COLLECTION / "roles/images/vars/main.yml")
    return {image["name"] for image in defaults["images_list"] + more["__images_more"] + more["__images_ee"]}


EXAMPLES = sorted((COLLECTION / "plugins").glob("*/skp_*.py"))


@pytest.mark.parametrize("path", DOCUMENTS + EXAMPLES, ids=relative)
def test_images_have_names_of_images(path):
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:localhost:5000|skp_registry \}\})/skp/([a-z][a-z-]*)", text))
    assert named - images() - {"docker-hello", "docker-echo", "docker-ds-ours"} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_samples_in_yaml_and_json_can_be_read_and_name_variables_of_roles(path):
    prefixes = tuple({name.split("_")[0] + "_" for name in variables()})
    for _language, text in blocks(path, "json"):
        json.loads(text)
    for _language, text in blocks(path, "ya?ml"):
        found = yaml.safe_load(text)
        names = list(found) if isinstance(found, dict) else []
        assert [name for name in names if name.startswith(prefixes) and name not in variables()] == []


def test_the_sample_of_an_own_image_keeps_the_others():
    """images_of_group replaces the default, so a sample that is copied as it stands must have all of it."""
    [sample] = [found for _language, text in blocks(ROOT / "docs/images.md", "yaml") if "images_of_group" in (found := yaml.safe_load(text))]
    default = load(COLLECTION / "roles/images/defaults/main.yml")["images_of_group"]
    assert {group: sample["images_of_group"].get(group) for group in default} == default


def test_the_sample_of_more_packages_runs_what_it_builds():
    """An image that no service is told of is built for nothing."""
    [sample] = [found for _language, text in blocks(ROOT / "docs/images.md", "yaml") if "docker-ds-ours" in text and (found := yaml.safe_load(text))]
    ours = "localhost:5000/skp/%s:latest" % sample["images_extra"][0]["name"]
    assert {name: sample.get(name) for name in ("jupyter_image", "spark_image")} == {"jupyter_image": ours, "spark_image": ours}


def ansible_playbook(*words, cwd=ROOT, **more):
    """Run ansible-playbook, at the root of the repository if nothing else is said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "SKP_"))} | more
    program = pathlib.Path(sys.executable).with_name("ansible-playbook")
    return subprocess.run([program, *map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=180, check=False)


def test_playbooks_of_the_documents_have_no_fault_in_their_syntax():
    named = {word for path in DOCUMENTS for words in commands(path, "ansible-playbook") for word in words[1:] if word.endswith(".yml")}
    playbooks = sorted(name for name in named if (ROOT / name).exists() and not name.startswith(("inventory/", "roles/")))
    assert len(playbooks) > 5
    result = ansible_playbook("-i", "inventory/cluster", "--syntax-check", *playbooks)
    assert result.returncode == 0, result.stderr


def test_the_role_of_the_tutorial_has_no_fault_in_its_syntax(tmp_path):
    """docs/adding_a_service.md: each file is named before its block."""
    page = HELLO.read_text(encoding="utf-8").split("## Data directories")[0]
    written = re.findall(r"^`([a-z/_]+\.yml)`\n\n```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    parts = [f"roles/hello/{part}.yml" for part in ("defaults/main", "meta/main", "tasks/main", "tasks/down")]
    assert [name for name, _text in written] == [*parts, "hello.yml"]
    for name, text in written:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    result = ansible_playbook("-i", "inventory/cluster", "--syntax-check", tmp_path / "hello.yml")
    assert result.returncode == 0, result.stderr
    listed = ansible_playbook("-i", "inventory/cluster", "--list-tasks", tmp_path / "hello.yml").stdout
    assert "Converge hello" in listed


def test_the_lines_of_the_collections_readme_run(tmp_path):
    """Its README is what Galaxy shows: the inventory as it is written there is read, and with the ansible.cfg a mistyped tag is an error."""
    readme = COLLECTION / "README.md"
    [(_language, text)] = blocks(readme, "")
    install, inventory, play = text.splitlines()
    assert fnmatch.fnmatch("skp-cluster-%s.tar.gz" % load(COLLECTION / "galaxy.yml")["version"], install.split()[-1])
    [(_language, settings)] = blocks(readme, "ini")
    (tmp_path / "hosts.json").write_text('{"c01": {"ipv4": "192.0.2.1", "labels": [], "groups": ["master", "manager"]}}', encoding="utf-8")
    (tmp_path / "ansible.cfg").write_text(settings, encoding="utf-8")
    subprocess.run(["sh", "-c", inventory], cwd=tmp_path, check=True, timeout=30)
    more = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_HOME": str(tmp_path / "home")}
    program, *words = shlex.split(play)
    assert program == "ansible-playbook"
    result = ansible_playbook(*words, "--list-hosts", cwd=tmp_path, **more)
    assert result.returncode == 0 and re.search(r"^ +c01$", result.stdout, re.MULTILINE), result.stdout + result.stderr
    result = ansible_playbook(*words, "--tags", "kafak", cwd=tmp_path, **more)
    assert result.returncode != 0 and "kafak" in result.stdout + result.stderr, result.stdout + result.stderr


def test_spark_is_encrypted_as_the_documents_say():
    """Without the cipher Spark uses AES-CTR, which does not notice changed data."""
    settings = load(COLLECTION / "roles/_spark/vars/main.yml")["__spark_together"]
    assert "AES-GCM" in (ROOT / "docs/spark.md").read_text(encoding="utf-8")
    assert settings["spark.network.crypto.cipher"] == "AES/GCM/NoPadding"


def test_programs_of_gates_in_examples_are_in_an_image():
    """An example is copied as it stands."""
    text = (COLLECTION / "plugins/modules/skp_service.py").read_text(encoding="utf-8")
    [program] = re.findall(r"gate: \{image: [^,]+, command: \[([a-z.-]+)", text)
    assert program in ("bash", "sh", "kafka-topics.sh")


def test_the_page_on_the_network_names_every_port_of_ours():
    """Ports that are published or looked at by preflight, and those that are closed to containers by default."""
    page = (ROOT / "docs/network.md").read_text(encoding="utf-8")
    shared = COLLECTION / "roles/_common"
    published = {re.search(r"default\((\d+)\)", entry["port"]).group(1) for entry in load(shared / "vars/main.yml")["__skp_ports"]}
    assert len(published) == 13 and [port for port in published if not re.search(r"^\| %s \|.*`\w+_publish: none`" % port, page, re.MULTILINE)] == []
    closed = ", ".join(map(str, load(shared / "defaults/main.yml")["skp_container_closed_ports"]))
    assert "`%s`" % closed in page
    checked = load(COLLECTION / "roles/preflight/defaults/main.yml")["preflight_ports"]
    assert [port for group in ("all", "master") for port in checked[group] if port not in page] == []
