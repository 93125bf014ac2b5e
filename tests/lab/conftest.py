# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab tests need a lab that `make up` brought up; they never make one by themselves."""
from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest

# kafka-python gives it two hundred times when it is imported.
warnings.filterwarnings("ignore", message="(read|open)_text is deprecated", category=DeprecationWarning)
sys.path.insert(0, str(Path(__file__).parent))

import lablib  # noqa: E402  (the path above comes first)
from witness import definitions  # noqa: E402
import durations  # noqa: E402  (lablib puts tests/tools on the path)


def pytest_configure(config):
    """Say which tests took long; show failures short, because the long form shows the arguments of calls, and requests carry passwords and tokens."""
    config.addinivalue_line("markers", "soak: takes minutes, and another test of `make test` shows most of it; runs in `make soak`, or when it is named")
    if config.option.durations is None:
        config.option.durations, config.option.durations_min = 12, 30
    if config.option.tbstyle == "auto":
        config.option.tbstyle = "short"


def pytest_collection_modifyitems(config, items):
    """Leave what is marked for `make soak` to it, except tests that are named one by one."""
    if not lablib.SOAK and not any("::" in str(argument) for argument in config.args):
        later = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=later)
        items[:] = [item for item in items if item not in later]


def pytest_runtest_logreport(report):
    """Show a failure at once, not at the end of the phase. Keep what every test took, its fixtures apart; what took no time says nothing."""
    if report.failed:
        print(f"\n{report.nodeid}, {report.when}: {report.longreprtext[-3000:]}", flush=True)
    if report.duration >= 0.1 or report.when == "call":
        durations.keep(durations.TESTS, {"test": report.nodeid, "when": report.when, "seconds": round(report.duration, 1), "outcome": report.outcome})


@pytest.fixture(scope="session", autouse=True)
def lab():
    """Refuse to run without a lab: a message for the reader instead of a hundred errors."""
    if not lablib.HOSTS_JSON.exists():
        pytest.exit("inventory/lab/hosts.json does not exist: run `make up` first", returncode=2)
    return lablib


@pytest.fixture(scope="session")
def site():
    """The playbook of the cluster with the throw-away service, which has its label while the process runs. Where it does not run yet, it comes:
    what the dry run announced, and nothing else moves.
    """
    playbook = str(lablib.ROOT / "tests/lab/next_service/site.yml")
    with lablib.edited_hosts(lablib.with_labels({"echo": ["c03"]})):
        before = definitions.read()
        if "echo-skp" not in before:
            dry = lablib.play(playbook, "--tags", "swarm,echo", "--check", "--diff")
            assert dry.changed and definitions.read() == before
            assert lablib.play(playbook, "--tags", "swarm,echo").changed == dry.changed
            assert definitions.changed(before, definitions.read()) == {"echo-skp": {"created"}}
        elif lablib.tasks("echo-skp") != ["c03"]:
            lablib.play(playbook, "--tags", "swarm,echo")
        yield playbook


@pytest.fixture(scope="session")
def figures():
    """Figures the tests measured, printed at the end so that a closing note can quote them."""
    rows = {}
    yield rows
    if rows:
        print("\nfigures:")
        for name, value in rows.items():
            print(f"  {name}: {value}")
