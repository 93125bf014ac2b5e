# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The welcome notebooks: every cell of both does what its text says, and they are written once, with their directory."""
from __future__ import annotations

import json
import re
import uuid

import lablib
import notebooks
import pytest
import sparks
import yaml

FILES = lablib.ROOT / "collections/ansible_collections/skp/cluster/roles/jupyter/files"
NAMES = ("welcome.ipynb", "welcome.ko.ipynb")
UID = 61000

# What the run of one service does on the manager before it touches a service: the role's needs, then the visit.
VISIT = [{
    "name": "Visit the manager for Jupyter", "hosts": "master", "gather_facts": False, "become": True, "vars": {"ansible_pipelining": True},
    "tasks": [
        {"name": "Say what Jupyter needs", "ansible.builtin.import_role": {"name": "skp.cluster.jupyter", "tasks_from": "needs", "rolespec_validate": False}},
        {"name": "Visit", "ansible.builtin.import_role": {"name": "skp.cluster._service", "tasks_from": "visit", "rolespec_validate": False}},
    ],
}]
NO_VOLUME = """
import os, tempfile
place = tempfile.mkdtemp()
os.mkdir(os.path.join(place, "{name}"), 0o000)
"""
TOPICS = """
import os
from confluent_kafka.admin import AdminClient
print([name for name in AdminClient({"bootstrap.servers": os.environ["SKP_KAFKA"]}).list_topics(timeout=30).topics if name.startswith("welcome-")])
"""


@pytest.fixture(scope="module")
def token():
    """The gateway's token."""
    return notebooks.secret("jupyter_gateway_token")


def shipped(name):
    """The text of a notebook as the role has it."""
    return (FILES / name).read_text(encoding="utf-8")


def cells(name):
    """{id: program} of a notebook's code cells, in their order."""
    return {cell["id"]: "".join(cell["source"]) for cell in json.loads(shipped(name))["cells"] if cell["cell_type"] == "code"}


def tasks_in(text):
    """{node: tasks} that the Spark cell printed, one in each line; the JVM's warnings and its bar of progress are in the same text."""
    lines = text.replace("\r", "\n")
    return {node: int(one or other) for node, one, other in re.findall(r"^(\S+): (?:(\d+) tasks|태스크 (\d+)개)$", lines, re.MULTILINE)}


# Both have the same programs but for the texts that they print: tests/meta/test_notebooks.py.
# `make test` runs their parts: a notebook on Spark and a plot in test_jupyter.py, a volume, Kafka.
@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
def test_every_cell_succeeds(token, name, figures):
    """In the order of the notebook, in one kernel: all workers' nodes, the plot, ten messages, a volume with its content, the end of the session."""
    program, workers = cells(name), set(sparks.worker_nodes())
    assert list(program) == ["spark", "plot", "kafka", "volumes", "stop"], "a new cell needs its check here"
    with notebooks.volume(UID) as path, notebooks.kernel("python3", token) as kernel:
        lablib.on(notebooks.node(), "touch", path.replace("/mnt/", "/srv/skp/") + "/sales.parquet")

        def everywhere():
            """What the cell printed, once it names all nodes: the text says to run it again while an executor was late."""
            said = kernel.run(program["spark"], seconds=240)
            return set(tasks_in(said)) >= workers and said

        said, seconds = lablib.wait(f"{name}: executors on {sorted(workers)}", everywhere, 300)
        assert set(tasks_in(said)) == workers and sum(tasks_in(said).values()) == 200 and "hosts.json" not in said, said
        figures[f"jupyter: {name}, Spark on all nodes, seconds"] = seconds
        said = kernel.run(program["plot"])
        assert "<Figure size" in said and "missing from" not in said and "findfont" not in said, said
        # The tests of Kafka run at the same time, and stop brokers.
        said, seconds = lablib.wait(f"{name}: ten messages", lambda: (text := kernel.run(program["kafka"], 200)) and "'message 9'" in text and text, 300)
        assert all(f"'message {number}'" in said for number in range(10)) and "kafka-skp:9092" in said
        figures[f"jupyter: {name}, ten messages through Kafka, seconds"] = seconds
        lablib.wait("the topic is deleted", lambda: "[]" in kernel.run(TOPICS).splitlines(), 60)
        assert f"{path} ['sales.parquet']" in kernel.run(program["volumes"]).splitlines()
        assert sparks.application("welcome")
        kernel.run(program["stop"])
        lablib.wait("the executors are given back", lambda: not sparks.application("welcome"), 60)


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_says_what_to_do_where_its_part_is_missing(token, name):
    """No Kafka, no volume, a volume that is not mounted (its directory then has no rights at all): a sentence with the command, no error."""
    program = cells(name)
    with notebooks.kernel("python3", token) as kernel:
        kernel.run("import os\nos.environ.pop('SKP_KAFKA')")
        assert "ansible-playbook site.yml" in kernel.run(program["kafka"])
        kernel.run(NO_VOLUME.format(name="lake"))
        looks = program["volumes"].replace('"/mnt"', "place")
        assert "/lake" in (said := kernel.run(looks)) and "playbooks/status.yml" in said
        kernel.run('os.rmdir(os.path.join(place, "lake"))')
        assert "--tags volumes" in kernel.run(looks)
        kernel.run("os.rmdir(place)")


@pytest.fixture
def directory():
    """A name for a notebook directory inside that of the cluster, so that JupyterLab shows it; removed afterwards, with the mark beside it."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    lablib.on(notebooks.node(), "sh", "-c", f"rm -rf {notebooks.WORK}/{name} {notebooks.WORK}/.skp-data")


def test_they_are_written_once_and_then_a_persons(directory, tmp_path):
    """A dry run says what the run then writes, JupyterLab takes them as valid notebooks, and later runs leave what a person changed or deleted."""
    place, book = f"{notebooks.WORK}/{directory}", tmp_path / "visit.yml"
    book.write_text(yaml.safe_dump(VISIT, sort_keys=False), encoding="utf-8")

    def visit(*words):
        return lablib.play(str(book), "--diff", "-e", f"jupyter_volume={place}", *words)

    def there():
        listed = lablib.on(notebooks.node(), "sh", "-c", f"cd {place} && stat -c '%n %u:%g %a' * && sha256sum *", check=False)
        return sorted(listed.splitlines())

    dry = visit("--check")
    assert lablib.on(notebooks.node(), "sh", "-c", f"ls -d {place} 2>/dev/null || echo none").strip() == "none"
    real = visit()
    assert dry.changed and dry.changed == real.changed
    for name in NAMES:
        assert f"{place}/{name}: " in dry.text and f"{place}/{name}: " in real.text
        assert lablib.on(notebooks.node(), "stat", "-c", "%u:%g %a", f"{place}/{name}").strip() == f"{UID}:{UID} 644"
        answer = notebooks.login().get(f"{notebooks.lab_url()}/api/contents/{directory}/{name}", params={"type": "notebook"}, timeout=30)
        answer.raise_for_status()
        # With a `message` JupyterLab says what is wrong with a notebook.
        assert not answer.json().get("message"), answer.json()["message"]
        assert {cell["id"]: cell["source"] for cell in answer.json()["content"]["cells"] if cell["cell_type"] == "code"} == cells(name)

    lablib.on(notebooks.node(), "sh", "-c", f"echo mine > {place}/{NAMES[0]} && rm {place}/{NAMES[1]}")
    before = there()
    again = visit()
    assert not again.changed and f"{place}/welcome" not in again.text
    assert there() == before and len(before) == 2
