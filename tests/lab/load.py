# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that ask a server as fast as it answers: how many requests it serves, and how late the latest are."""
from __future__ import annotations

import concurrent.futures
import time


def rate(clients, seconds, client, ask):
    """Return (requests per second, 99th percentile in ms, statuses) of so many clients, each with one request after the other.

    ``client()`` makes a client, once for each; ``ask(client)`` asks and returns the status of the answer. The first request of each client, which connects,
    is not counted.
    """
    def one(_number):
        found, mine = [], client()
        ask(mine)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            started = time.monotonic()
            found.append((ask(mine), time.monotonic() - started))
        return found

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        found = [answer for part in pool.map(one, range(clients)) for answer in part]
    took = sorted(answer[1] for answer in found)
    return round(len(found) / seconds), round(took[int(len(took) * 0.99)] * 1000), {answer[0] for answer in found}
