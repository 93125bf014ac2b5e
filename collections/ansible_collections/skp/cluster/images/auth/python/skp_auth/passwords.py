# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords: argon2id, and the same time whether the account exists or not."""

from __future__ import annotations

import functools
import threading
import unicodedata

import argon2

SHORTEST, LONGEST = 8, 128

HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
"""19 MiB and two rounds, about 30 ms: what OWASP asks for at least."""


_TURN = threading.BoundedSemaphore(4)
"""So that many sign-ins at once cost time and not the container's memory."""


def make(password: str) -> str:
    """The hash to store."""
    with _TURN:
        return HASHER.hash(_same(password))


def right(stored: str | None, password: str) -> bool:
    """Whether the password belongs to the hash. Without a hash (no such account) it takes as long, and the answer is no."""
    try:
        with _TURN:
            HASHER.verify(stored or _nobodys(), _same(password))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHash):
        return False
    return stored is not None


@functools.lru_cache(maxsize=1)
def _nobodys() -> str:
    return HASHER.hash("no account has this one")


def _same(password: str) -> str:
    """One spelling of a text that keyboards write in two ways (Korean syllables on a Mac, accents)."""
    return unicodedata.normalize("NFC", password)
