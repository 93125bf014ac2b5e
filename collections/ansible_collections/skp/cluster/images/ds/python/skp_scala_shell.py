# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spark's own Scala shell as a program to be asked: what to send, where an answer ends, what in it is a failure.

Code goes to the shell as one `:paste FILE`: several lines, classes with their companions, anything.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import pathlib
import re
import secrets
import signal
import subprocess
import tempfile

# Spark's own handler of SIGINT ends the shell when no job runs. This one cancels the jobs, or wakes a cell that waits for something else; a thread
# that does not wait would keep the interrupt, and its next reader, the shell, would end of it.
PRELUDE = """\
locally {
  val shell = Thread.currentThread
  val waits = Set(Thread.State.WAITING, Thread.State.TIMED_WAITING)
  sun.misc.Signal.handle(new sun.misc.Signal("INT"), (_: sun.misc.Signal) =>
    if (spark.sparkContext.statusTracker.getActiveJobIds().nonEmpty) spark.sparkContext.cancelAllJobs()
    else if (waits(shell.getState) && shell.getStackTrace.exists(_.getClassName.startsWith("$line"))) shell.interrupt())
  ()
}
"""
# How the answer to `:paste FILE` starts.
LEAD = ("Pasting file ", "// Exiting paste mode")
# The compiler's messages, and exceptions as the shell prints them: their stack lines start with two blanks (printStackTrace writes a tab).
COMPILER = re.compile(r"^\S*/cell\.scala:\d+: error: (.*)$", re.MULTILINE)
EXCEPTION = re.compile(r"^((?:[a-z_][\w$]*\.)+[A-Z][\w$]*(?:: .*)?)\n(?:(?!  at ).*\n)*?(?:  at \S|  \.\.\. \d+ elided)", re.MULTILINE)
TAIL = 20000
COMPLETION = re.compile(r"^\[completions\] .*?([\w$]+)$", re.MULTILINE)
WORD = re.compile(r"[\w$]*\Z")


def command(prompt, environment):
    """(arguments, environment) of a shell with this prompt."""
    spark = os.path.join(environment.get("SPARK_HOME", "/opt/spark"), "bin", "spark-submit")
    options = "-Dscala.usejavacp=true -Dscala.repl.prompt=%%n%s -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8" % prompt
    environment = dict(environment, TERM="dumb", SPARK_SUBMIT_OPTS=("%s %s" % (environment.get("SPARK_SUBMIT_OPTS", ""), options)).strip())
    return [
        spark, "--class", "org.apache.spark.repl.Main", "--name", "Notebook (Scala)", "--conf", "spark.ui.showConsoleProgress=false",
        # Without a line editor; without the warnings about what the shell itself puts round each line.
        "spark-shell", "-Xjline:off", "-Wconf:cat=deprecation:s",
    ], environment  # fmt: skip


def failure(output):
    """What went wrong, as one line, by the output of a cell; None when nothing did."""
    tail = output[-TAIL:]
    found = COMPILER.search(tail) or EXCEPTION.search(tail)
    return found.group(1) if found else None


def completions(output, code):
    """(words, how many characters before the cursor they replace) by the answer to `:completions CODE`."""
    word = WORD.search(code).group()
    return sorted({found for found in COMPLETION.findall(output) if found.startswith(word)}), len(word)


class Output:
    """Cuts what a shell writes at its prompt. `feed(text)` returns the lines that can be shown; `done` tells whether the prompt came."""

    def __init__(self, prompt):
        self._prompt = prompt
        self._held = ""
        self._lead = list(LEAD)
        self.done = False

    def feed(self, text):
        """Whole lines. An empty last one waits: it may be the one before the prompt."""
        *lines, rest = (self._held + text).split("\n")
        self.done = rest.startswith(self._prompt)
        self._held = "" if self.done else rest
        if lines and not lines[-1]:
            lines.pop()
            self._held = "" if self.done else "\n" + rest
        return "".join(line + "\n" for line in lines if not self._is_lead(line))

    def flush(self):
        """What is held back, when nothing more will come."""
        held, self._held = self._held, ""
        return held

    def _is_lead(self, line):
        while self._lead:
            if line.startswith(self._lead.pop(0)):
                return True
        return False


class ShellEnded(Exception):
    """The shell is not there any more."""


class Shell:
    """One spark-shell behind pipes."""

    def __init__(self, environment=None):
        # A prompt nobody else writes.
        self.prompt = "skp-%s>" % secrets.token_hex(8)
        arguments, environment = command(self.prompt, dict(os.environ if environment is None else environment))
        self._process = subprocess.Popen(
            arguments, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._file = pathlib.Path(tempfile.mkdtemp(prefix="skp-scala-")) / "cell.scala"

    def read(self, show):
        """Call show(text) with what comes until the prompt. KeyboardInterrupt leaves the rest to the next call."""
        output = Output(self.prompt)
        while not output.done:
            data = os.read(self._process.stdout.fileno(), 65536)
            text = output.feed(self._decode(data)) if data else output.flush()
            if text:
                show(text)
            if not data:
                raise ShellEnded(self._process.wait())

    def send(self, line):
        """One line to the shell."""
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as exc:
            raise ShellEnded(self._process.wait()) from exc

    def paste(self, code):
        """A whole cell to the shell."""
        self._file.write_text(code + "\n", encoding="utf-8")
        self.send(":paste %s" % self._file)

    def interrupt(self):
        """Cancel what runs."""
        self._process.send_signal(signal.SIGINT)

    def end(self):
        """End it, by force if need be."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._file.unlink(missing_ok=True)
        self._file.parent.rmdir()
