# SPDX-License-Identifier: GPL-3.0-or-later
"""How many attempts there may be in a time: of one address at one account, of one address, at one account. Counted in the database, so for all instances."""

from __future__ import annotations

import hashlib
import ipaddress
import socket
import time
import typing as t

from .settings import Settings
from .store import Store


class TooMany(Exception):
    """Refused without a look at the password. `seconds`: how long."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Limits:
    """The counters."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store

    def check(self, address: str, account: str = "") -> None:
        """Raise TooMany if there were too many. Attempts under way are not counted yet: as many more as there are threads may be let through at once, and
        in return any number of people behind one address may sign in at the same time.
        """
        counters = self._counters(address, account)
        counted = self._store.attempts(counters)
        late = [expires for name, (count, expires) in counted.items() if count >= counters[name]]
        if late:
            raise TooMany(max(1, max(late) - int(time.time())))

    def failed(self, address: str, account: str = "") -> None:
        """Count an attempt."""
        for name in self._counters(address, account):
            self._store.count(name, self._settings.attempts_seconds)

    def _counters(self, address: str, account: str) -> dict[str, int]:
        """{name of a counter: its limit}. A name is a hash: what was typed as the name of an account may be a password."""
        few, many = self._settings.attempts, self._settings.attempts_total
        found = {"address " + address: many}
        if account:
            found.update({"account " + account: many, "pair %s %s" % (account, address): few})
        return {hashlib.sha256(text.encode("utf-8")).hexdigest(): limit for text, limit in found.items()}


class Proxies:
    """Who may say for whom a request is: addresses, networks and names of the gateway. Others could choose an address for each guess."""

    SECONDS = 10

    def __init__(self, trusted: t.Iterable[str], resolve: t.Callable[[str], set[str]] | None = None) -> None:
        self._networks, self._names = [], []
        for text in trusted:
            try:
                self._networks.append(ipaddress.ip_network(text))
            except ValueError:
                self._names.append(text)
        self._resolve = resolve or addresses
        self._known: set[str] = set()
        self._until = 0.0

    def client(self, peer: str, forwarded: str) -> str:
        """The address a request is from. forwarded: X-Forwarded-For; of a gateway, its last entry is what the gateway has seen."""
        said = forwarded.rpartition(",")[2].strip()
        if not said or not self._trusts(peer):
            return peer
        try:
            return str(ipaddress.ip_address(said))
        except ValueError:
            return peer

    def _trusts(self, peer: str) -> bool:
        try:
            if any(ipaddress.ip_address(peer) in network for network in self._networks):
                return True
        except ValueError:
            return False
        if self._names and time.monotonic() >= self._until:
            # Containers get new addresses. The time first: one request asks, and the others do not wait for it.
            self._until = time.monotonic() + self.SECONDS
            self._known = set().union(*(self._resolve(name) for name in self._names))
        return peer in self._known


def addresses(name: str) -> set[str]:
    """The addresses of a name, none if nobody has it."""
    try:
        return {entry[4][0] for entry in socket.getaddrinfo(name, None, socket.AF_INET)}
    except OSError:
        return set()
