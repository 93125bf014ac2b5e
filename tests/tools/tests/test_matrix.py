# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix of ansible-core versions: its rows against the other places that name versions, and how it reads the output of programs."""

from __future__ import annotations

import re

import matrix
import pytest

CONSTRAINTS = matrix.CONSTRAINTS.read_text(encoding="utf-8")


def test_what_make_venv_installs_is_in_the_matrix():
    installed = {name: set(re.findall(r"^%s==(\S+)" % name, CONSTRAINTS, re.MULTILINE)) for name in ("ansible", "ansible-core")}
    assert len(installed["ansible"]) == len(installed["ansible-core"]) == 2
    assert installed["ansible"] <= {row.ansible for row in matrix.ROWS}
    assert installed["ansible-core"] <= {row.ansible_core for row in matrix.ROWS}


def test_readme_has_every_line_of_the_matrix():
    section = (matrix.ROOT / "README.md").read_text(encoding="utf-8").partition("## Tested with\n")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in row.split("|")] for row in section.splitlines() if re.match(r"\| \d", row)]
    written = {(line.split()[0], ansible.split()[0], python) for _, line, ansible, pythons, *_rest in cells for python in pythons.split(", ")}
    assert written == {(row.line, row.ansible.split(".")[0], row.pythons[0]) for row in matrix.ROWS}


def test_rows_are_chosen_by_line_or_name():
    assert matrix.chosen([]) == list(matrix.ROWS)
    assert {row.line for row in matrix.chosen(["2.21"])} == {"2.21"} and len(matrix.chosen(["2.21"])) == 2
    assert [row.name for row in matrix.chosen(["2.21-python3.14", "2.19"])] == ["2.19-python3.11", "2.21-python3.14"]
    with pytest.raises(matrix.MatrixError, match="no such row: 2.1. "):
        matrix.chosen(["2.1"])


def test_pins_are_the_constraints_with_another_ansible():
    row = matrix.Row("2.20.10", "13.8.0", ("3.12",))
    text = matrix.pins(row, "ansible==12.3.0 ; python_full_version < '3.12'\nansible-compat==26.10.0\nansible-core==2.19.14\ndocker==7.2.0\n")
    assert text == "ansible-compat==26.10.0\ndocker==7.2.0\nansible==13.8.0\nansible-core==2.20.10\n"


def test_a_row_installs_the_product_and_pytest_only():
    assert set(matrix.packages()) == {"ansible", "ansible-core", "docker", "jmespath", "netaddr", "pytest", "pytest-xdist"}


def test_playbooks_are_found_by_what_they_hold():
    found = matrix.playbooks()
    assert {"site.yml", "playbooks/kafka.yml", "roles/lab/playbooks/up.yml", "molecule/default/converge.yml"} <= set(found)
    assert "collections/ansible_collections/skp/cluster/playbooks/site.yml" in found
    assert not [path for path in found if "/tasks/" in path or path.endswith("molecule.yml")]


def test_documents_are_those_of_the_tree():
    names = [name for _words, names in matrix.documents() for name in names]
    assert {"skp.cluster.skp_service", "skp.cluster.hosts_json", "skp.cluster.manager", "skp.cluster.kafka", "lab"} <= set(names)


def test_a_name_without_a_heading_is_not_documented():
    text = "> MODULE skp.cluster.a (/x/a.py)\n\n  Text.\n\n> ROLE: *skp.cluster.b* (/x)\n> FILTER skp.cluster._c (/x/c.py)\n"
    names = ["skp.cluster.a", "skp.cluster.b", "skp.cluster._c", "skp.cluster.d"]
    assert matrix.undocumented(names, text) == ["skp.cluster.d"]


def test_objections_are_errors_and_deprecations():
    text = "ok\n[WARNING]: no hosts\n[DEPRECATION WARNING]: old\n[DEPRECATION WARNING]: old\nFAILED a.py::test\nERROR! no\n"
    assert matrix.objections(text) == ["[DEPRECATION WARNING]: old", "FAILED a.py::test", "ERROR! no"]


@pytest.mark.parametrize("text,count", [
    ("1295 passed in 39.67s\n", 1295),
    ("...\n1 failed, 1294 passed, 8 warnings in 64.47s (0:01:04)\n", 1294),
    ("==== 3 passed, 1 skipped in 1s ====\n", 3),
    ("no tests ran\n", 0),
])
def test_passed_tests_are_counted(text, count):
    assert matrix.tests_passed(text) == count


RECAP = """c09 : ok=1 changed=9
PLAY RECAP ***
c01   : ok=55   changed=0    unreachable=0    failed=0    skipped=37
c02 : ok=40 changed=%d unreachable=%d failed=0
"""


def test_a_run_without_changes_is_told_from_others():
    assert matrix.not_idle(matrix.recap(RECAP % (0, 0))) == []
    assert matrix.not_idle(matrix.recap(RECAP % (2, 1))) == ["c02: changed=2", "c02: unreachable=1"]
    assert matrix.not_idle(matrix.recap("nothing ran")) == ["no host in the recap"]


def test_this_machines_interpreter_comes_before_the_container():
    here = {"3.12": "/usr/bin/python3.12"}.get
    assert matrix.place(("3.12", "3.13"), here) == ("3.12", "/usr/bin/python3.12")
    assert matrix.place(("3.13", "3.12"), here) == ("3.12", "/usr/bin/python3.12")
    assert matrix.place(("3.14",), here) == ("3.14", None)
    with pytest.raises(matrix.MatrixError, match="3.11"):
        matrix.place(("3.11",), here)
