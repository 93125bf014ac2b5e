# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Scala kernel's side of Spark's shell. The texts are what a shell of Spark 4.3 wrote; the shell run here is a program that answers likewise."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import signal
import threading
import time

import pytest

IMAGE = pathlib.Path(__file__).resolve().parents[3] / "images/ds"
PROMPT = "skp-1f>"
PASTED = "Pasting file /tmp/x/cell.scala...\n// Exiting paste mode... now interpreting.\n"


def load(name):
    """A module of the image."""
    spec = importlib.util.spec_from_file_location(name, IMAGE / "python" / (name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


shell = load("skp_scala_shell")


@pytest.mark.parametrize(
    "written, shown",
    [
        (PASTED + "val res0: Int = 2\n\n" + PROMPT, "val res0: Int = 2\n"),
        (PASTED + "no newline\n" + PROMPT, "no newline\n"),
        (PASTED + "안녕\n\n\nX\n\n" + PROMPT, "안녕\n\n\nX\n"),
        (PASTED + "\n" + PROMPT, ""),
        ("[completions] spark\n\n" + PROMPT, "[completions] spark\n"),
        (PASTED + "Pasting file mine\n\n" + PROMPT, "Pasting file mine\n"),
        (PASTED + "skp-1 is no prompt\n\n" + PROMPT, "skp-1 is no prompt\n"),
    ],
)
def test_an_answer_ends_at_the_prompt_however_it_is_cut(written, shown):
    for size in (1, 2, 7, len(written)):
        output = shell.Output(PROMPT)
        found = ""
        for start in range(0, len(written), size):
            assert not output.done
            found += output.feed(written[start:start + size])
        assert (found, output.done) == (shown, True), size


def test_lines_are_shown_as_they_come():
    output = shell.Output(PROMPT)
    assert output.feed(PASTED + "1\n2\nha") == "1\n2\n"
    assert output.feed("lf\n") == "half\n"
    assert output.feed("end without a prompt") == ""
    assert output.flush() == "end without a prompt"
    assert not output.done


@pytest.mark.parametrize(
    "output, expected",
    [
        ("val res1: Int = 2\n", None),
        ("\nundefinedThing\n^\n/tmp/skp-scala-x/cell.scala:1: error: not found: value undefinedThing\n", "not found: value undefinedThing"),
        ("java.lang.ArithmeticException: / by zero\n  ... 50 elided\n", "java.lang.ArithmeticException: / by zero"),
        ("before\njava.lang.RuntimeException: boom\n  at scala.sys.package$.error(package.scala:27)\n  ... 42 elided\n", "java.lang.RuntimeException: boom"),
        ("org.apache.SparkException: Job aborted: x\n\tat mine\n\nDriver stacktrace:\n  at org.apache.X\n", "org.apache.SparkException: Job aborted: x"),
        # What a program prints is no failure: its own words, a stack trace it prints itself, a warning with a trace in the log.
        ("error: mine\n", None),
        ("java.lang.RuntimeException: caught\n\tat Main.main(Main.scala:1)\nval res0: Int = 1\n", None),
        ("26/11/21 01:36:05 WARN X: java.io.IOException: y\n\tat a.b\n", None),
    ],
)
def test_failures_are_told_from_output(output, expected):
    assert shell.failure(output) == expected


def test_a_failure_after_much_output_is_found_soon():
    output = "org.example.Thing: a line that looks like one\n" * 200000 + "java.lang.ArithmeticException: / by zero\n  ... 50 elided\n"
    assert shell.failure(output) is not None


@pytest.mark.parametrize(
    "answer, code, expected",
    [
        ("[completions] val q = spark.range\n[completions] val q = spark.range\n", "val q = spark.ra", (["range"], 2)),
        ("[completions] spark\n[completions] spire\n", "sp", (["spark", "spire"], 2)),
        ("[completions] Seq(1).map\n[completions] Seq(1).max\n", "Seq(1).", (["map", "max"], 0)),
        ("", "zz", ([], 2)),
    ],
)
def test_completions(answer, code, expected):
    assert shell.completions(answer, code) == expected


SPARK_SUBMIT = r"""#!/usr/bin/env python3
import os, re, signal, sys, time
prompt = re.search(r"-Dscala.repl.prompt=%n(\S+)", os.environ["SPARK_SUBMIT_OPTS"]).group(1)
woken = []
signal.signal(signal.SIGINT, lambda *_: woken.append(1))
print("Welcome", " ".join(sys.argv[1:]))
while True:
    print("\n" + prompt, end="", flush=True)
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    if line.startswith(":paste "):
        print("Pasting file %s...\n// Exiting paste mode... now interpreting." % line[7:].strip(), flush=True)
        code = open(line[7:].strip(), encoding="utf-8").read()
        if code == "wait\n":
            print("waiting", flush=True)
            while not woken:
                time.sleep(0.01)
            print("woken")
        elif code == "end\n":
            print("last words", flush=True)
            sys.exit(3)
        else:
            print(repr(code))
    else:
        print("answer to " + line.strip())
"""


@pytest.fixture(name="interruptible", autouse=True)
def fixture_interruptible():
    """SIGINT as Python has it, here and in what is started: a run in the background begins with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(name="running")
def _running(tmp_path):
    """(shell that is ready, what it said at its start)."""
    program = tmp_path / "bin/spark-submit"
    program.parent.mkdir()
    program.write_text(SPARK_SUBMIT)
    program.chmod(0o755)
    started = shell.Shell(dict(os.environ, SPARK_HOME=str(tmp_path)))
    written = []
    started.read(written.append)
    yield started, "".join(written)
    started.end()


def answer(running):
    """What comes until the prompt."""
    written = []
    running.read(written.append)
    return "".join(written)


def test_cells_and_questions_in_turn(running):
    ready, start = running
    assert "--class org.apache.spark.repl.Main" in start and "-Xjline:off" in start
    ready.paste("val a = 1\n\nval 나 = \"둘\"")
    assert answer(ready) == "'val a = 1\\n\\nval 나 = \"둘\"\\n'\n"
    ready.send(":completions spa")
    assert answer(ready) == "answer to :completions spa\n"


def test_an_interrupt_reaches_the_shell_and_the_rest_is_read(running):
    ready, _start = running
    ready.paste("wait")
    written = []

    def interrupt():
        deadline = time.monotonic() + 20
        while "waiting\n" not in written and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        ready.read(written.append)
    thread.join()
    ready.interrupt()
    assert answer(ready) == "woken\n"


def test_a_shell_that_ends_says_so(running):
    ready, _start = running
    ready.paste("end")
    written = []
    with pytest.raises(shell.ShellEnded, match="3"):
        ready.read(written.append)
    assert "".join(written) == "last words\n"
    with pytest.raises(shell.ShellEnded):
        ready.paste("again")
