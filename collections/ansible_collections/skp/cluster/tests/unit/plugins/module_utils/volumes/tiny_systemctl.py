# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of systemctl and journalctl as the volumes use: it keeps a unit's program running as the unit's lines say.

TINY_SYSTEMD is a directory of its own. A unit that runs has a process `keep`, which is its systemd.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

HOME = pathlib.Path(os.environ["TINY_SYSTEMD"])


def line(unit, name):
    """The command in a line of a unit, without systemd's marks."""
    return shlex.split(re.search("^%s=-?(.*)$" % name, (HOME / "units" / unit).read_text(), re.MULTILINE).group(1))


def keep(unit):
    """Run the program of a unit, clear up after it, run it again; until SIGTERM."""
    state, stopping, child = HOME / unit, [], []

    def stop(*_args):
        stopping.append(True)
        for one in child:
            one.terminate()

    signal.signal(signal.SIGTERM, stop)
    restarts = 0
    while not stopping:
        with open(HOME / (unit + ".log"), "ab") as log:
            child[:] = [subprocess.Popen(line(unit, "ExecStart"), stdin=subprocess.DEVNULL, stdout=log, stderr=log)]
            note(state, "active %d %d %d" % (restarts, os.getpid(), child[0].pid))
            child[0].wait()
        note(state, "activating %d %d 0" % (restarts, os.getpid()))
        subprocess.run(line(unit, "ExecStopPost"), check=False)
        deadline = time.monotonic() + 0.3
        while not stopping and time.monotonic() < deadline:
            time.sleep(0.02)
        restarts += 1
    state.unlink()


def note(state, text):
    """Write the state of a unit in one step."""
    new = state.with_suffix(".new")
    new.write_text(text)
    new.replace(state)


def end(unit):
    """Stop a unit and wait for it."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int((HOME / unit).read_text().split()[2]), signal.SIGTERM)
        while (HOME / unit).exists():
            time.sleep(0.02)


def main():
    """One command."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    with open(HOME / "calls", "a", encoding="utf-8") as calls:
        calls.write(" ".join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]) + "\n")
    if sys.argv[0].endswith("journalctl"):
        log = HOME / (words[0].split("=")[1] + ".log")
        print(log.read_text() if log.exists() else "", end="")
    elif words[0] == "show":
        state, restarts = ((HOME / words[1]).read_text().split() + ["", ""])[:2] if (HOME / words[1]).exists() else ("inactive", "0")
        print("ActiveState=%s\nNRestarts=%s" % (state, restarts))
    elif words[0] == "stop":
        end(words[1])
    elif words[0] == "restart":
        end(words[1])
        if os.fork() == 0:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(null, number)
            keep(words[1])
            os._exit(0)
        while not (HOME / words[1]).exists():
            time.sleep(0.02)


if __name__ == "__main__":
    main()
