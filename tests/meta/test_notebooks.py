# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The welcome notebooks as they are shipped: valid, without outputs, the same program in each language, small."""

from __future__ import annotations

import ast
import json
import pathlib
import re
import sys
import types

import pytest
from tree import COLLECTION, files

BOOKS = tuple(path for path in files() if path.is_relative_to(COLLECTION) and path.suffix == ".ipynb")
ENGLISH, KOREAN = "welcome.ipynb", "welcome.ko.ipynb"
LIMIT = 10000
"""Bytes of one notebook as an argument of a module: each run sends them to one manager."""
CELL_KEYS = {"markdown": {"cell_type", "id", "metadata", "source"}, "code": {"cell_type", "id", "metadata", "source", "execution_count", "outputs"}}
"""The keys of a cell that nbformat 4.5 demands and allows (nbformat.v4.5.schema.json; attachments are allowed too, and not used here)."""
SHOWN = {"print", "title", "ylabel", "xlabel"}
"""Functions whose texts people read."""


def load(path: pathlib.Path) -> dict:
    """Return a notebook."""
    return json.loads(path.read_text(encoding="utf-8"))


def code(path: pathlib.Path) -> dict[str, str]:
    """Return {id: program text} of the code cells, in their order."""
    return {cell["id"]: "".join(cell["source"]) for cell in load(path)["cells"] if cell["cell_type"] == "code"}


def by_name(name: str) -> pathlib.Path:
    """Return one of the notebooks."""
    [path] = [path for path in BOOKS if path.name == name]
    return path


class Texts(ast.NodeTransformer):
    """Takes the words out of what is shown; of an f-string the values stay, in any order."""

    def visit_Call(self, node: ast.Call) -> ast.AST:  # noqa: N802 (the name is ast's)
        """Replace the words in the arguments of functions that show text."""
        self.generic_visit(node)
        if getattr(node.func, "id", getattr(node.func, "attr", "")) in SHOWN:
            node.args = [self.words(argument) for argument in node.args]
        return node

    @staticmethod
    def words(argument: ast.expr) -> ast.expr:
        """Return an argument without its words."""
        if isinstance(argument, ast.JoinedStr):
            values = sorted((part for part in argument.values if isinstance(part, ast.FormattedValue)), key=ast.dump)
            return ast.Tuple(elts=values, ctx=ast.Load())
        return ast.Constant(value="") if isinstance(argument, ast.Constant) else argument


def program(text: str) -> str:
    """Return what a cell does, without the words that it shows and without comments."""
    return ast.dump(Texts().visit(ast.parse(text)))


def test_there_is_one_in_each_language():
    assert sorted(path.name for path in BOOKS) == sorted([ENGLISH, KOREAN])


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.name)
def test_a_notebook_is_valid_and_as_jupyter_saves_it(path):
    book = load(path)
    assert set(book) == {"cells", "metadata", "nbformat", "nbformat_minor"} and (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    # The name of the image's kernel.
    assert (COLLECTION / "images/ds/kernels" / book["metadata"]["kernelspec"]["name"] / "kernel.json").exists()
    ids = [cell["id"] for cell in book["cells"]]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", ident) for ident in ids)
    for cell in book["cells"]:
        assert set(cell) == CELL_KEYS[cell["cell_type"]] and cell["metadata"] == {} and cell["source"]
        assert all(line.endswith("\n") for line in cell["source"][:-1]) and not cell["source"][-1].endswith("\n")
    assert path.read_text(encoding="utf-8") == json.dumps(book, indent=1, ensure_ascii=False) + "\n", "JupyterLab would save it in another form"


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.name)
def test_a_notebook_has_no_outputs(path):
    assert [cell["id"] for cell in load(path)["cells"] if cell.get("outputs") or cell.get("execution_count") is not None] == []


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.name)
def test_a_notebook_is_small(path):
    assert len(json.dumps(path.read_text(encoding="utf-8"))) < LIMIT
    assert [line for text in code(path).values() for line in text.splitlines() if len(line) > 160] == []


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.name)
def test_ansible_finds_no_template_in_a_notebook(path):
    """They pass through variables: what looks like a template must not be there, whatever version of Ansible reads it."""
    assert re.search(r"\{\{|\{%|\{#", path.read_text(encoding="utf-8")) is None


def test_both_languages_are_the_same_program():
    english, korean = code(by_name(ENGLISH)), code(by_name(KOREAN))
    assert list(english) == list(korean) == ["spark", "plot", "kafka", "volumes", "stop"]
    for cell, text in english.items():
        assert program(text) == program(korean[cell]), cell
    kinds = [[(cell["cell_type"], cell["id"]) for cell in load(by_name(name))["cells"]] for name in (ENGLISH, KOREAN)]
    assert kinds[0] == kinds[1]


def test_the_korean_notebook_is_in_korean():
    def hangul(name):
        return [cell["id"] for cell in load(by_name(name))["cells"] if re.search("[\uac00-\ud7a3]", "".join(cell["source"]))]

    assert hangul(ENGLISH) == []
    assert hangul(KOREAN) == [cell["id"] for cell in load(by_name(KOREAN))["cells"] if cell["id"] != "stop"]


def test_the_comparison_sees_a_change_of_the_program_and_no_change_of_words():
    assert program('print("a")') == program('print("가")')
    assert program('print(f"{a} of {b}")') == program('print(f"{b}개 중 {a}개")')
    assert program('plt.title("a")') == program('plt.title("가")')
    for other in ('print("a", b)', 'print(f"{a}")', 'open("a")', "print(1 + 1)"):
        assert program('print("a")') != program(other), other
    assert program('open("a")') != program('open("b")')


@pytest.mark.parametrize("name", [ENGLISH, KOREAN])
def test_the_cell_of_the_volumes_says_what_there_is(name, tmp_path, capsys):
    cell = code(by_name(name))["volumes"].replace('"/mnt"', repr(str(tmp_path)))

    def said():
        exec(compile(cell, name, "exec"), {})  # noqa: S102 (our own text)
        return capsys.readouterr().out

    assert "--tags volumes" in said()
    (tmp_path / "lake").mkdir()
    (tmp_path / ".hidden").mkdir()
    for number in range(9):
        (tmp_path / "lake" / ("file%d" % number)).touch()
    shown = said()
    assert shown.startswith("%s/lake [" % tmp_path) and shown.count("file") == 5 and "hidden" not in shown and "--tags" not in shown
    # What cannot be listed: the directory of a volume that is not mounted has no rights, which root would not notice.
    (tmp_path / "other").touch()
    assert "%s/other" % tmp_path in (shown := said()) and "playbooks/status.yml" in shown


@pytest.mark.parametrize("servers", [None, ""])
@pytest.mark.parametrize("name", [ENGLISH, KOREAN])
def test_the_cell_of_kafka_says_what_to_do_without_kafka(name, servers, monkeypatch, capsys):
    """The client library is the image's: here its names are enough."""
    names = ("OFFSET_BEGINNING", "Consumer", "Producer", "TopicPartition", "AdminClient", "NewTopic")
    stand_in = types.SimpleNamespace(**dict.fromkeys(names))
    monkeypatch.setitem(sys.modules, "confluent_kafka", stand_in)
    monkeypatch.setitem(sys.modules, "confluent_kafka.admin", stand_in)
    monkeypatch.delenv("SKP_KAFKA", raising=False)
    if servers is not None:
        monkeypatch.setenv("SKP_KAFKA", servers)
    exec(compile(code(by_name(name))["kafka"], name, "exec"), {})  # noqa: S102 (our own text)
    assert "kafka" in (said := capsys.readouterr().out) and "ansible-playbook site.yml" in said
