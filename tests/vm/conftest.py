# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines, and the cluster on them, once per run of the tests. Prints the figures at the end."""
from __future__ import annotations

import os
import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import vm_io  # noqa: E402  (the path above comes first)

TAGS = "preflight,engine,store,swarm,nodes,registry"
FIGURES = []


def pytest_configure(config):
    """Say which tests took long."""
    if config.option.durations is None:
        config.option.durations, config.option.durations_min = 20, 5


def pytest_runtest_logreport(report):
    """Show a failure at once: the tests take hours, and what is wrong may be seen on the machines now."""
    if report.failed:
        print("\n%s, %s: %s" % (report.nodeid, report.when, report.longreprtext[-3000:]), flush=True)


def pytest_terminal_summary(terminalreporter):
    """The table of seconds."""
    for what, seconds in FIGURES:
        terminalreporter.write_line("%7.1f s  %s" % (seconds, what))


@pytest.fixture(scope="session")
def figure():
    """Keeps a figure: figure("what", seconds)."""
    def keep(what, seconds):
        FIGURES.append((what, seconds))
        vm_io.say("%s: %s s" % (what, seconds))
    return keep


@pytest.fixture(scope="session", autouse=True)
def cluster(figure):
    """Machines with the cluster on them, by site.yml. They stay, for the next run and for a look by hand; `python tests/vm/machines.py down` removes them."""
    started = time.monotonic()
    vm_io.up()
    figure("machines up", round(time.monotonic() - started, 1))
    if not os.environ.get("SKP_VM_READY"):
        started = time.monotonic()
        vm_io.play("site.yml", "--tags", TAGS)
        figure("site.yml --tags %s" % TAGS, round(time.monotonic() - started, 1))
    return vm_io
