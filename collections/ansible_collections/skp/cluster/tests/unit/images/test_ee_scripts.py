# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start script of the execution environment, run as it is. Its build runs it as a user that nobody knows (images/ee/smoke)."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "images/ee/bin/skp-ee"


@pytest.fixture(autouse=True)
def _temporary(tmp_path, monkeypatch):
    """Where nothing else can be written, the script makes a directory."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def run(home, *words):
    """Run a command through the script with this home, None for none. Returns (exit code, output)."""
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    done = subprocess.run([SCRIPT, *words], env=environment if home is None else dict(environment, HOME=home), capture_output=True, text=True, timeout=30,
                          check=False)
    return done.returncode, done.stdout.strip()


def test_a_home_that_can_be_written_stays(tmp_path):
    assert run(str(tmp_path), "sh", "-c", "echo $HOME") == (0, str(tmp_path))


@pytest.mark.parametrize("home", [None, "", "/", "/proc/nowhere"])
def test_else_there_is_one(home):
    code, text = run(home, "sh", "-c", "touch $HOME/.probe && echo $HOME")
    assert code == 0 and text not in ("", "/", "/proc/nowhere")
    (pathlib.Path(text) / ".probe").unlink()


def test_the_exit_code_is_that_of_the_command():
    assert run("/", "sh", "-c", "exit 7")[0] == 7
