# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Chromium of this machine, as the tests of web pages use it."""
from __future__ import annotations

import shutil

import lablib
from playwright.sync_api import expect

SCREENSHOTS = lablib.ROOT / "build" / "screenshots"
MILLISECONDS = 60_000
"""How long a page may take: it loads for longer than Playwright's 5 s while other tests use both processors."""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-sync"]


def options():
    """What every Chromium is started with. There is a directory for screenshots afterwards."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert program, "no Chromium on this machine: tests/tools/browser.sh installs it"
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=MILLISECONDS)
    return {"executable_path": program, "headless": True, "args": ARGUMENTS}
