# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No test of the lab is forgotten: each file belongs to exactly one phase of `make test` or to `make soak`, and each phase runs what it names."""

from __future__ import annotations

import pathlib
import re
import sys

from tree import ROOT, files, relative

sys.path.insert(0, str(ROOT / "tests" / "tools"))

import quick  # noqa: E402  (the path above comes first)
import suite  # noqa: E402


def named(phases):
    """Paths of tests/lab that the commands of phases name, one entry for each time."""
    commands = [argv for _, lanes in phases for argv in lanes.values()]
    return [pathlib.Path(word) for argv in commands for word in argv if word.startswith(suite.LAB + "/")]


def lab_tests():
    """Every file with tests on the lab."""
    return sorted(path.relative_to(ROOT) for path in files() if path.is_relative_to(ROOT / suite.LAB) and path.name.startswith("test_"))


def test_each_file_runs_once_in_test_or_only_in_soak():
    once, soak = named(suite.test()), named(suite.soak())
    alone = ["tests/lab/soak", *("tests/lab/3_services/" + name for name in suite.SOAK_ALONE)]
    for path in lab_tests():
        runs = sum(path.is_relative_to(place) for place in once)
        assert runs == (0 if any(map(path.is_relative_to, alone)) else 1), "%s runs %d times in make test" % (path, runs)
        # Nodes that have nothing are there once, so that make soak does without the first run.
        assert path.is_relative_to("tests/lab/1_first_run") or sum(path.is_relative_to(place) for place in soak) == 1, path


def test_what_a_phase_names_is_there():
    for place in {*named(suite.test()), *named(suite.soak())}:
        assert any(path.is_relative_to(place) for path in lab_tests()), "%s has no tests" % place


def test_every_service_is_in_one_lane():
    assert sorted(suite.SERVICES) == sorted({relative(ROOT / path).split("/")[3] for path in lab_tests() if "3_services" in path.parts})


def test_phases_run_in_the_order_of_the_directories():
    places = [str(path) for path in named(suite.test())]
    phases = [place.split("/")[2] for place in places]
    assert phases == sorted(phases)


def test_every_scenario_runs_by_itself_in_soak():
    scenarios = {argv[-1] for _, lanes in suite.soak() for argv in lanes.values() if argv[:2] == ["molecule", "test"]}
    assert scenarios == {path.parent.name for path in files() if path.is_relative_to(ROOT / "molecule") and path.name == "molecule.yml"}


def test_the_table_of_make_quick_knows_the_tree():
    """Each of its patterns matches a file, and each file of a test on the lab concerns somebody by name, not by being unknown."""
    paths = [relative(path) for path in files()]
    assert [pattern for pattern, _ in quick.TABLE if not any(re.match(pattern, path) for path in paths)] == []
    assert [str(path) for path in lab_tests() if quick.concerns(str(path)) == {quick.ALL}] == []
