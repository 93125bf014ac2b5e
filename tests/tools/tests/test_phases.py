# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a suite, with real processes: order, results, the one in the background, and that nothing is left behind."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import phases
import pytest

TOOLS = pathlib.Path(phases.__file__).parent


def program(tmp_path, text):
    """Write a program that runs a suite; the logs of its phases lie in `tmp_path`. Returns its command."""
    path = tmp_path / "program.py"
    head = "import sys, pathlib\nsys.path.insert(0, %r)\nimport durations, phases\nphases.Suite.__init__.__defaults__ = (pathlib.Path(%r),)\n"
    path.write_text(head % (str(TOOLS), str(tmp_path / "log")) + text, encoding="utf-8")
    return [sys.executable, str(path)]


def run(tmp_path, text):
    """Run such a program. Returns (exit code, what it printed)."""
    done = subprocess.run(program(tmp_path, text), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def alive(pid):
    """Whether a process runs; one that has ended and is not yet collected does not."""
    try:
        return "\nState:\tZ" not in pathlib.Path("/proc/%d/status" % pid).read_text(encoding="ascii")
    except OSError:
        return False


def until(probe, seconds=20):
    """Poll until something is true; fail otherwise."""
    deadline = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_clock_and_table():
    assert [phases.clock(s) for s in (0, 59.9, 61, 3600)] == ["0:00", "0:59", "1:01", "60:00"]
    lines = phases.table([("lab", 61, "ok"), ("first run", 600, "FAILED (2)")], 661)
    assert [" ".join(line.split()) for line in lines] == ["phase time result", "lab 1:01 ok", "first run 10:00 FAILED (2)", "total 11:01"]


def test_complaints_are_the_lines_that_say_what_failed_and_what_follows():
    text = "ok: [c01]\n\033[31mfatal: [c02]: no\033[0m\nwhy\n\nmore\nend\n"
    assert phases.complaints(text, follow=3) == ["  fatal: [c02]: no", "  why", "  "]
    assert phases.complaints("all is well\n") == []
    assert len(phases.complaints("FAILED x\n" * 100)) == 80


def test_phases_run_in_order_and_a_failure_ends_the_suite(tmp_path):
    code, text = run(tmp_path, """
sys.exit(phases.run([("one", {"": ["echo", "first"]}), ("two", {"": ["sh", "-c", "echo FAILED here; exit 3"]}), ("three", {"": ["echo", "never"]})]))
""")
    assert code == 1
    assert text.index("=== one (phase 1") < text.index("first\n") < text.index("=== two (phase 2") < text.index("=== two failed")
    assert "FAILED (3)" in text and "never" not in text
    assert (tmp_path / "log" / "two.log").read_text(encoding="utf-8") == "FAILED here\n"


def test_a_suite_that_keeps_going_fails_in_the_end(tmp_path):
    code, text = run(tmp_path, """
sys.exit(phases.run([("one", {"": ["false"]}), ("two", {"": ["echo", "second"]})], keep_going=True))
""")
    assert code == 1 and "second" in text


def test_lanes_run_at_the_same_time_and_show_their_own_logs(tmp_path):
    """Each lane waits for a file that the other makes: one after the other they would never end."""
    code, text = run(tmp_path, """
def meet(mine, other):
    return ["timeout", "20", "sh", "-c", "touch %%s; until [ -e %%s ]; do sleep 0.1; done; echo met %%s" %% (mine, other, other)]
sys.exit(phases.run([("both", {"a": meet("%(p)s/1", "%(p)s/2"), "b": meet("%(p)s/2", "%(p)s/1"), "c": ["false"]})]))
""" % {"p": tmp_path})
    assert code == 1
    assert "--- both a: ok" in text and "--- both b: ok" in text and "met %s/1" % tmp_path in text and "--- both c: FAILED (1)" in text


def test_a_background_command_that_fails_ends_the_suite_after_the_phase(tmp_path):
    code, text = run(tmp_path, """
wait = ["timeout", "20", "sh", "-c", "until [ -e %s/failed ]; do sleep 0.1; done; sleep 1"]
check = ["sh", "-c", "echo broken; touch %s/failed; exit 2"]
sys.exit(phases.run([("one", {"": wait}), ("two", {"": ["echo", "never"]})], background=("check", check)))
""" % (tmp_path, tmp_path))
    assert code == 1
    assert "check (in the background)" in text and "broken" in text and "never" not in text


def test_the_background_command_is_waited_for_at_the_end(tmp_path):
    code, text = run(tmp_path, """
sys.exit(phases.run([("one", {"": ["true"]})], background=("check", ["sh", "-c", "sleep 1; exit 4"])))
""")
    assert code == 1 and "FAILED (4)" in text


def test_the_background_command_can_start_with_a_later_phase(tmp_path):
    code, text = run(tmp_path, """
there = %r
until = ["timeout", "20", "sh", "-c", "until [ -e %%s ]; do sleep 0.1; done" %% there]
sys.exit(phases.run([("one", {"": ["sh", "-c", "sleep 1; test ! -e " + there]}), ("two", {"": until})], background=("check", ["touch", there]), since="two"))
""" % str(tmp_path / "there"))
    assert code == 0, text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_no_process_behind(tmp_path, number):
    """All that was started ends, also a child that ignores SIGINT; an interrupted program gets the time to put things back."""
    child = "trap 'echo put back >%s/put-%s; exit 1' INT; sleep 300 & echo $$ $! >%s/%s; wait"

    def words(name):
        return child % (tmp_path, name, tmp_path, name)

    text = """
phases.run([("one", {"": ["bash", "-c", %r], "beside": ["bash", "-c", %r]})], background=("check", ["bash", "-c", %r]))
""" % (words("one"), words("two"), words("three"))
    process = subprocess.Popen(program(tmp_path, text), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    files = [tmp_path / name for name in ("one", "two", "three")]
    until(lambda: all(path.exists() and len(path.read_text(encoding="ascii").split()) == 2 for path in files))
    pids = [int(word) for path in files for word in path.read_text(encoding="ascii").split()]
    assert all(map(alive, pids))
    os.kill(process.pid, number)
    printed = process.communicate(timeout=30)[0].decode()
    assert "interrupted" in printed and printed.count("stopped") == 3
    until(lambda: not any(map(alive, pids)))
    assert all((tmp_path / ("put-" + path.name)).exists() for path in files)


def test_interrupted_while_it_starts_a_command_it_leaves_no_process_behind(tmp_path):
    """The signal comes when the process is there and the suite has not noted it yet."""
    code, text = run(tmp_path, """
import os, signal
start = phases.Job.__init__
def interrupted(job, *words, **more):
    start(job, *words, **more)
    pathlib.Path(%r).write_text(str(job.process.pid))
    os.kill(os.getpid(), signal.SIGINT)
phases.Job.__init__ = interrupted
sys.exit(phases.run([("one", {"": ["sleep", "300"]})]))
""" % str(tmp_path / "pid"))
    assert code == 130 and "interrupted" in text and "stopped" in text
    assert not alive(int((tmp_path / "pid").read_text(encoding="ascii")))
