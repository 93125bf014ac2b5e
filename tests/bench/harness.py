# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure commands against each other: interleaved rounds, one of them twice as a control, ratios of medians.

Absolute times say little on a machine that others use too; a ratio taken in one interleaved run does, as far as the control is near 1.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import time
from collections.abc import Callable


@dataclasses.dataclass
class Variant:
    """One thing to measure.

    ``command`` has ``{round}`` where the number of the round belongs, which is 0 for the round that warms up. ``environment`` is added to that of the caller.
    ``code`` is the exit code that the command must have.
    ``check`` is given what the command printed and raises when the run was not what the figure is to stand for (something changed, say).
    """

    name: str
    command: list[str]
    check: Callable[[str], None] = lambda printed: None
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    code: int = 0
    seconds: list[float] = dataclasses.field(default_factory=list)

    @property
    def median(self) -> float:
        """Median of the measured wall times, in seconds."""
        return statistics.median(self.seconds)

    def run(self, cwd: str, number: int) -> float:
        """Run once, in the round of this number; return the wall time in seconds. Raises RuntimeError with the output for another exit code."""
        command = [word.replace("{round}", str(number)) for word in self.command]
        environment = {**os.environ, **self.environment}
        began = time.monotonic()
        done = subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        took = time.monotonic() - began
        if done.returncode != self.code:
            raise RuntimeError("%s ended with %d:\n%s" % (" ".join(command), done.returncode, done.stdout[-4000:]))
        self.check(done.stdout)
        return took


def measure(variants: list[Variant], rounds: int, cwd: str, say: Callable[[str], None] = print) -> list[Variant]:
    """Run all variants in interleaved rounds, each round beginning with another one; the first round only warms up.

    Returns the variants with their times, and after the first one its control: the same command measured once more in every round.
    """
    control = dataclasses.replace(variants[0], name="%s, again (control)" % variants[0].name, seconds=[])
    lineup = [variants[0], control, *variants[1:]]
    for number in range(rounds + 1):
        began = time.monotonic()
        shift = number % len(lineup)
        for variant in lineup[shift:] + lineup[:shift]:
            took = variant.run(cwd, number)
            if number:
                variant.seconds.append(took)
        say("round %s of %d: %.0f s" % (number or "0 (warm-up)", rounds, time.monotonic() - began))
    return lineup


def table(lineup: list[Variant]) -> list[str]:
    """Return a Markdown table of measured variants: medians, spread, ratio to the first."""
    base = lineup[0].median
    lines = ["| what | median | fastest to slowest | ratio to the first |", "|---|---|---|---|"]
    for variant in lineup:
        spread = "%.2f to %.2f s" % (min(variant.seconds), max(variant.seconds))
        lines.append("| %s | %.2f s | %s | %.2f |" % (variant.name, variant.median, spread, variant.median / base))
    return lines
