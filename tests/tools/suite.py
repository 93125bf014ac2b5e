# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make up`, `make check`, `make test` and `make soak` run, in which order. `python tests/tools/suite.py test` is `make test`.

A test of the lab belongs to a phase by its directory; tests/lab/README.md says what each is for. Called by make, which sets the environment.
"""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Collection

import durations
import phases

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = "tests/lab"

LANES = {
    "services": {"a": ("spark", "jupyter", "volumes"), "b": ("mysql", "postgresql", "redis", "registry", "custom", "zookeeper", "kafka")},
    "services on services": {"a": ("airflow",), "b": ("auth", "portainer", "gateway", "awx")},
}
"""Directories of 3_services per phase and lane. Two lanes run at once, on two processors: Spark and its users beside the rest. Kafka follows ZooKeeper; what
uses databases or services of both lanes comes after them. What builds images is in one lane: two runs at once do not build.
"""
SOAK_ALONE = ("awx",)
"""Directories that `make test` leaves to `make soak`: the image of AWX's jobs is built for minutes. `make quick` runs them when their files changed."""
SERVICES = tuple(name for lanes in LANES.values() for lane in lanes.values() for name in lane)


def python(*words: str) -> list[str]:
    """A command of this environment's Python."""
    return [sys.executable, *words]


def make(target: str) -> list[str]:
    """A target of the Makefile."""
    return ["make", "--no-print-directory", target]


def playbook(*words: str) -> list[str]:
    """A run of Ansible."""
    return ["ansible-playbook", *words]


def tests(*paths: str) -> list[str]:
    """Tests on the lab, below tests/lab."""
    return python("-m", "pytest", "-q", "-s", *("%s/%s" % (LAB, path) for path in paths))


def services(chosen: Collection[str]) -> list[tuple[str, phases.Commands]]:
    """The phases with the tests of these services."""
    found = {phase: {lane: ["3_services/" + name for name in names if name in chosen] for lane, names in lanes.items()} for phase, lanes in LANES.items()}
    runs = [(phase, {lane: tests(*paths) for lane, paths in lanes.items() if paths}) for phase, lanes in found.items()]
    return [(phase, lanes) for phase, lanes in runs if lanes]


def lab(name: str) -> list[str]:
    """A playbook of the role that makes the lab."""
    return playbook("-i", "localhost,", "roles/lab/playbooks/%s.yml" % name)


def up() -> list[tuple[str, phases.Commands]]:
    """The lab, the cluster on it, the table of its state."""
    return [
        ("lab", {"": lab("up")}),
        ("site.yml", {"": playbook("site.yml")}),
        ("cache", {"": lab("cache")}),
        ("status", {"": make("status")}),
    ]


def check() -> list[tuple[str, phases.Commands]]:
    """What needs no engine."""
    return [(part, {"": make(part)}) for part in ("unit", "meta", "syntax", "lint", "sanity")]


def test() -> list[tuple[str, phases.Commands]]:
    """Each kind of property once. Cheap and likely to fail first, what gives data up last."""
    return [
        ("lab", {"": lab("up")}),
        # The browser that lane a needs is installed while images are built.
        ("first run", {"": tests("1_first_run"), "browser": ["tests/tools/browser.sh"]}),
        # The servers that the data volumes' tests need are compiled with a low share of the processors.
        ("second run", {"": tests("2_second_run"), "stores": ["tests/tools/stores.sh"]}),
        *services([name for name in SERVICES if name not in SOAK_ALONE]),
        ("changes", {"": tests("4_changes")}),
        ("outages", {"": tests("5_outages")}),
        # Each gives up data and secrets of its own service only, so that they run at once.
        ("last", {service: tests("6_last/" + service) for service in ("kafka", "spark")}),
    ]


def soak() -> list[tuple[str, phases.Commands]]:
    """What takes hours: the tests of `make test` with the product's own time-outs and JVM flags, rounds, all orders, large data, each scenario by itself."""
    scenarios = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
    return [
        ("lab", {"": lab("up")}),
        ("browser", {"": ["tests/tools/browser.sh"]}),
        ("site.yml", {"": playbook("site.yml")}),
        ("matrix", {"": make("matrix")}),
        ("matrix on the lab", {"": make("matrix-lab")}),
        *(("molecule " + name, {"": ["molecule", "test", "-s", name]}) for name in scenarios),
        *((path, {"": tests(path)}) for path in ("2_second_run", "3_services", "4_changes", "5_outages", "soak", "6_last")),
        ("benchmarks", {"": python("tests/bench/run.py")}),
        ("documents", {"": make("docs")}),
        ("machines", {"": make("test-vm")}),
    ]


def main(name: str) -> int:
    """Run a suite by its name. Returns its exit code."""
    if name == "up":
        return phases.run(up())
    if name == "check":
        return phases.run(check(), keep_going=True)
    durations.forget()
    try:
        if name == "soak":
            os.environ.update(SKP_LAB_FAST="0", SKP_LAB_KEEP="1", SKP_LAB_KILLS="20", SKP_LAB_AWAY="300", SKP_LAB_LARGE="1024",
                              SKP_LAB_ROWS="4000000", SKP_LAB_BLOB="1")
            return phases.run(soak(), keep_going=True)
        # Not earlier: until then the lab uses both processors, and its builds of images yield even to this. From "changes" on a third of them is idle.
        return phases.run(test(), background=("check", python("tests/tools/suite.py", "check")), since="changes")
    finally:
        phases.show(durations.report())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
