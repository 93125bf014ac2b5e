# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the phases of a suite: one command or several at the same time, a sign of life while they run, the table of times at the end.

A phase's main command shows its output as it comes. Each of those that run beside it has its own log in build/log, shown when it ends. Ctrl-C, SIGTERM
and a failure end every process that was started.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence

import durations

ROOT = pathlib.Path(__file__).resolve().parents[2]
PULSE = 30
"""Seconds between two signs of life."""
PATIENCE = ((signal.SIGINT, 90), (signal.SIGTERM, 10), (signal.SIGKILL, 5))
"""How a process group is ended: each signal, and the seconds it is given. Tests that are interrupted put hosts.json and the like back first."""
COMPLAINT = re.compile(r"^ *(- .)?(fatal:|failed:|\[ERROR\]|FAILED |ERROR |E   |.* error:)")
COLOUR = re.compile(r"\033\[[0-9;]*m")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Commands = Mapping[str, Sequence[str]]
"""{lane: command}. All of a phase run at the same time. The output of the one without a name ("") is shown as it comes."""


def clock(seconds: float) -> str:
    """Return seconds as m:ss."""
    return "%d:%02d" % divmod(int(seconds), 60)


def complaints(text: str, follow: int = 12, limit: int = 80) -> list[str]:
    """Return the lines that say what failed, each with what follows it."""
    found, rest = [], 0
    for line in COLOUR.sub("", text).splitlines():
        rest = follow if COMPLAINT.match(line) else rest - 1
        if rest > 0:
            found.append("  " + line)
    return found[:limit]


def table(rows: Iterable[tuple[str, float, str]], total: float) -> list[str]:
    """Return the lines of the table of phases: name, time, result."""
    lines = ["%-34s %8s  %s" % ("phase", "time", "result")]
    lines += ["%-34s %8s  %s" % (name, clock(seconds), result) for name, seconds, result in rows]
    return [*lines, "%-34s %8s" % ("total", clock(total))]


def result(code: int) -> str:
    """Return the word for an exit code."""
    return "ok" if code == 0 else "FAILED (%d)" % code


class Job:
    """One command in a process group of its own. Its output goes to a log; with `follow` to this program's output as well, to a terminal only there."""

    def __init__(self, name: str, argv: Sequence[str], log: pathlib.Path, follow: bool = False):
        self.name, self.log = name, log
        self.began = time.monotonic()
        self.seconds: float | None = None
        self.reader: threading.Thread | None = None
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as target:
            output = None if follow and sys.stdout.isatty() else subprocess.PIPE if follow else target
            self.process = subprocess.Popen(
                argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=None if output is None else subprocess.STDOUT, start_new_session=True
            )
        if output == subprocess.PIPE:
            self.reader = threading.Thread(target=self._copy, daemon=True)
            self.reader.start()

    def _copy(self) -> None:
        with self.log.open("wb") as target:
            while chunk := os.read(self.process.stdout.fileno(), 65536):
                for stream in (target, sys.stdout.buffer):
                    stream.write(chunk)
                    stream.flush()

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        code = self.process.poll()
        if code is not None and self.seconds is None:
            self.seconds = time.monotonic() - self.began
            if self.reader:
                # Not for ever: a daemon that the command left behind may hold the pipe open.
                self.reader.join(timeout=5)
        return code

    def text(self) -> str:
        """Return what it has printed so far; nothing where that went to a terminal."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: int) -> None:
        """Send a signal to all of the command's process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def end(self) -> None:
        """End the command and all of its group; nothing happens where none is left."""
        for number, seconds in PATIENCE:
            deadline = time.monotonic() + seconds
            if self.poll() is None:
                self.signal(number)
            while self.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
        # Those of its group that outlived it.
        self.signal(signal.SIGKILL)


def show(text: str, end: str = "\n") -> None:
    """Print at once: the output is read while the suite runs."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


class Suite:
    """Phases that run one after the other, and the command in the background."""

    def __init__(self, log: pathlib.Path = durations.LOG):
        self.log = log
        self.began = time.monotonic()
        self.phases = 0
        self.rows: list[tuple[str, float, str]] = []
        self.failed: list[Job] = []
        self.running: list[Job] = []
        self.beside: Job | None = None
        self.interrupted = False

    def interrupt(self, _number: int, _frame: object) -> None:
        """Handle a signal: it is noted, and acted on between two steps. Raised at once it could come between a command's start and its being noted."""
        self.interrupted = True

    def pause(self) -> None:
        """Wait a moment. Raises KeyboardInterrupt where a signal has come."""
        if self.interrupted:
            raise KeyboardInterrupt
        time.sleep(0.1)

    def start(self, name: str, argv: Sequence[str], follow: bool = False) -> Job:
        """Start a command."""
        job = Job(name, argv, self.log / (re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-") + ".log"), follow)
        self.running.append(job)
        return job

    def ended(self, job: Job) -> None:
        """Note that a command has ended."""
        self.running.remove(job)
        if job.poll():
            self.failed.append(job)

    def phase(self, name: str, commands: Commands) -> bool:
        """Run one phase: its commands at the same time. Returns whether all went well; one that fails does not end the others."""
        self.phases += 1
        show("\n=== %s (phase %d, %s since the start)" % (name, self.phases, clock(time.monotonic() - self.began)))
        began = pulse = time.monotonic()
        jobs = [self.start(("%s %s" % (name, lane)).strip(), argv, follow=not lane) for lane, argv in commands.items()]
        waiting = list(jobs)
        while waiting:
            self.pause()
            for job in [job for job in waiting if job.poll() is not None]:
                waiting.remove(job)
                self.ended(job)
                if job.name != name:
                    show("\n--- %s: %s after %s\n%s" % (job.name, result(job.poll()), clock(job.seconds), job.text()))
            if waiting and time.monotonic() - pulse >= PULSE:
                pulse = time.monotonic()
                show("... %s: %s" % (", ".join(job.name for job in waiting), clock(pulse - began)))
        codes = [job.poll() for job in jobs]
        self.rows.append((name, time.monotonic() - began, result(next(filter(None, codes), 0))))
        self.rows += [("  " + job.name, job.seconds, result(job.poll())) for job in jobs if job.name != name]
        return not any(codes)

    def background(self, name: str, argv: Sequence[str]) -> None:
        """Start a command beside the phases, with what they leave of the processors. Its result is asked for after each phase."""
        self.beside = self.start(name, ["nice", "-n", "19", *argv])

    def background_is_good(self, wait: bool = False) -> bool:
        """Whether the command in the background has not failed so far; with `wait`, whether it went well in the end."""
        job = self.beside
        while wait and job and job.poll() is None:
            self.pause()
        if job is None or job.poll() is None:
            return True
        if job in self.running:
            self.ended(job)
            self.rows.append(("%s (in the background)" % job.name, job.seconds, result(job.poll())))
            tail = job.text().splitlines()[-60 if job.poll() else -12:]
            show("\n--- %s, in the background: %s; the end of %s:\n%s" % (job.name, result(job.poll()), job.log, "\n".join(tail)))
        return job.poll() == 0

    def end(self) -> None:
        """End what still runs, then print what failed and the table of phases."""
        # Interrupted once more: no time for anybody.
        for number in SIGNALS:
            signal.signal(number, lambda *_: [job.signal(signal.SIGKILL) for job in self.running])
        for job in reversed(self.running):
            job.end()
            self.rows.append((job.name, job.seconds or 0, "stopped"))
        for job in self.failed:
            show("\n=== %s failed; all of it: %s\n%s" % (job.name, job.log, "\n".join(complaints(job.text()))))
        show("\n" + "\n".join(table(self.rows, time.monotonic() - self.began)))


def run(phases: Iterable[tuple[str, Commands]], background: tuple[str, Sequence[str]] | None = None, since: str = "", keep_going: bool = False) -> int:
    """Run a suite. Returns its exit code. The first phase that fails ends it, unless `keep_going`.

    background: name and command of what runs beside the phases; it starts with the phase that `since` names, by default with the first.
    """
    suite = Suite()
    # SIGTERM and SIGHUP as Ctrl-C. SIGINT too: a shell starts programs in the background with SIGINT ignored, and they would hand that on.
    for number in SIGNALS:
        signal.signal(number, suite.interrupt)
    good = True
    try:
        for name, commands in phases:
            if background and not suite.beside and since in ("", name):
                suite.background(*background)
            good = suite.phase(name, commands) and good
            good = suite.background_is_good() and good
            if not good and not keep_going:
                return 1
        good = suite.background_is_good(wait=True) and good
    except KeyboardInterrupt:
        show("\ninterrupted: what runs is being ended")
        return 130
    finally:
        suite.end()
    return 0 if good else 1
