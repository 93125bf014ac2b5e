# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Logins in URLs, as those of mirrors and proxies: `https://user:password@host/`. Pure functions of text."""

from __future__ import annotations

import re

_LOGIN = re.compile(r"(://)([^/?#\s\"']+)@")
"""Up to the last @ before the path: a password may contain one, although it should be written as %40."""


def has_login(text):
    """Whether a text has a URL with a login."""
    return bool(_LOGIN.search(text))


def logins(value):
    """The logins in the URLs of a value at any depth: "user:password", which must not be shown."""
    if isinstance(value, dict):
        return set().union(*map(logins, value.values()))
    if isinstance(value, list):
        return set().union(*map(logins, value))
    return {found for dummy, found in _LOGIN.findall(value)} if isinstance(value, str) else set()


def without_logins(text):
    """A text for messages and diffs: logins in URLs are replaced by ***."""
    return _LOGIN.sub(r"\1***@", text)
