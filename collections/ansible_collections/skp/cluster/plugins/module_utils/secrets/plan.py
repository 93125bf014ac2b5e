# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Which copy of a secret counts: pure functions of what each manager has.

Every manager has a copy of every secret and, beside it, its history: the number of its generation, when that was made, and its fingerprint.
The newest generation wins. A copy that was edited by hand is a new generation of the time of the edit.

A copy is a dictionary {"fingerprint": text or None, "generation": int, "time": seconds since 1970 (int)}. fingerprint None means that the history
names the secret, but its file is missing or empty. An entry of the history also has "sha256", the plain hash of the value; it never leaves the manager.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone


ROUNDS = 100000


def sha256(value):
    """Plain hash of a secret, for the history file only: a password that somebody chose can be guessed from it."""
    return hashlib.sha256(value.encode()).hexdigest()


def fingerprint(name, value):
    """Text that is the same for the same secret on every manager. Slow to compute (PBKDF2), so that a chosen password cannot be guessed from it."""
    return hashlib.pbkdf2_hmac("sha256", value.encode(), ("skp.cluster/secret/%s" % name).encode(), ROUNDS).hex()


def entry(name, value, generation, time):
    """The entry of the history for a secret with a value."""
    return {"sha256": sha256(value), "fingerprint": fingerprint(name, value), "generation": generation, "time": time}


def entries(files, history):
    """{name: entry} of one manager.

    files: {name: (value, time of the last change)}; an empty value means a damaged file. history: {name: entry} as it was stored.
    The entry of a lost secret also has "stored", its entry of the history: what it is again when its file comes back.
    """
    known = {}
    for name in sorted(set(files) | set(history)):
        value, changed = files.get(name, ("", 0))
        kept = history.get(name)
        if not value:
            stored = kept or {"sha256": None, "fingerprint": None, "generation": 0, "time": 0}
            known[name] = dict(stored, sha256=None, fingerprint=None, stored=stored)
        elif kept and kept["sha256"] == sha256(value):
            known[name] = dict(kept)
        else:
            known[name] = entry(name, value, (kept["generation"] if kept else 0) + 1, int(changed))
    return known


def stored(known):
    """{name: entry} as the history keeps them."""
    return {name: found.get("stored", found) for name, found in known.items()}


def copies(known):
    """{name: copy} of entries: without the plain hashes."""
    return {name: {key: found[key] for key in ("fingerprint", "generation", "time")} for name, found in known.items()}


def plan(wanted, here, managers, rotate=()):
    """What is to be done about the secrets of all managers.

    wanted: names that must exist. here: the manager in use. managers: {manager: {name: copy}, or None if it did not answer}; `here` is one of them.
    rotate: names that get a new value.
    Returns {"take": {name: manager that has the newest copy, where `here` has not}, "make": [name], "behind": [other managers that lack or have an old
    copy of any secret], "share": [names that all managers shall have], "next": {name of `make`: its generation}, "problem": why nothing may be done, or ""}.
    """
    heard = {manager: found for manager, found in managers.items() if found is not None}
    silent = sorted(set(managers) - set(heard))
    newest, problems, lost = {}, [], []
    for name in sorted(set(wanted).union(*heard.values())):
        best, problem = _newest(name, heard)
        if best:
            newest[name] = best
        if problem and name in wanted and name not in rotate:
            problems.append(problem)
        if not best and not problem and name in wanted:
            lost.append(name)
    make = sorted(set(lost) | set(rotate))
    if make and silent:
        problems.append(
            "%s did not answer and may have, or keep, another value of the secrets %s. Data and logins protected by one value cannot be used with another."
            % (", ".join(silent), ", ".join(make))
        )
    take = {
        name: min(manager for manager, found in heard.items() if _same(found.get(name), best))
        for name, best in newest.items()
        if not _same(heard[here].get(name), best) and name not in rotate
    }
    behind = [
        manager
        for manager, found in sorted(heard.items())
        if manager != here and (make or any(not _same(found.get(name), best) for name, best in newest.items()))
    ]
    return {
        "take": take,
        "make": make,
        "next": {name: 1 + max(found[name]["generation"] if name in found else 0 for found in heard.values()) for name in make},
        "behind": behind,
        "share": sorted(set(newest) | set(make)),
        "problem": " ".join(problems + ["Nothing was changed."] + (["Run again when all managers answer."] if silent else [])) if problems else "",
    }


def rotation(needs, tags):
    """Which secrets a rotation replaces: those whose users are all named, so that no service keeps the old value of a secret that another one has new.

    needs: {service: {"secrets": [name], "hosts": [host], "enabled": bool, "kept_secrets": [name]}}; a service without hosts, or not enabled, uses none.
    kept_secrets: those of the secrets that never change, because data could not be read with another one. tags: what the user named.
    Returns {"names": [secret], "summary": text, "problem": text or ""}.
    """
    users = {}
    for service, need in sorted(needs.items()):
        if need.get("enabled", bool(need.get("hosts"))):
            for name in need.get("secrets") or []:
                users.setdefault(name, []).append(service)
    services = sorted({service for found in users.values() for service in found})
    asked = [service for service in services if service in tags]
    forever = {name for service in asked for name in needs[service].get("kept_secrets") or []}
    names = sorted(name for name, found in users.items() if set(found) <= set(asked) and name not in forever)
    shared = {name: found for name, found in sorted(users.items()) if name not in names and name not in forever and set(found) & set(asked)}
    kept = "; ".join(["%s is kept: also used by %s" % (name, ", ".join(s for s in found if s not in asked)) for name, found in shared.items()]
                     + ["%s is kept: data is encrypted with it" % name for name in sorted(forever & set(users))])
    problem = ""
    if not asked:
        problem = "Name the services whose secrets shall be replaced, for example --tags %s. Services with secrets: %s. Nothing was changed." % (
            services[0] if services else "jupyter", ", ".join(services) or "none")
    elif not names:
        together = sorted({service for found in shared.values() for service in found} | set(asked))
        problem = "Nothing to rotate for %s alone: %s. Rotate them together: --tags %s. Nothing was changed." % (
            ", ".join(asked), kept, ",".join(together))
    return {"names": names, "summary": "New: %s.%s" % (", ".join(names), " " + kept + "." if kept else ""), "problem": problem}


def _same(one, other):
    """Whether two copies are of one generation and value; the same value may have been typed on two managers at different times."""
    return bool(one) and (one["fingerprint"], one["generation"]) == (other["fingerprint"], other["generation"])


def _newest(name, heard):
    """(newest copy or None, problem or None) of one secret."""
    found = {manager: entries[name] for manager, entries in heard.items() if name in entries}
    if not found:
        return None, None
    last = max(copy["generation"] for copy in found.values())
    best = {manager: copy for manager, copy in found.items() if copy["generation"] == last and copy["fingerprint"]}
    if not best:
        older = sorted(manager for manager, copy in found.items() if copy["fingerprint"])
        return None, (
            "The secret %s (generation %d, %s) is missing or empty on every manager that answered%s. Data and logins may need it. Restore its file "
            "from a backup, or make a new one: ansible-playbook playbooks/rotate_secrets.yml --tags <service>."
            % (name, last, _date(max(copy["time"] for copy in found.values())), ("; %s has an older one" % ", ".join(older)) if older else "")
        )
    if len({copy["fingerprint"] for copy in best.values()}) > 1:
        return None, (
            "The secret %s has different values of generation %d: %s. Keep the right file: delete it on the other managers, with its entry in "
            ".history.json. Or make a new one: ansible-playbook playbooks/rotate_secrets.yml --tags <service>."
            % (name, last, ", ".join("%s (%s)" % (manager, _date(copy["time"])) for manager, copy in sorted(best.items())))
        )
    return max(best.values(), key=lambda copy: copy["time"]), None


def _date(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
