# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The planned content of the engine's daemon.json. Pure functions.

The file belongs to the machine's owner; the module only adds to it. A record of the settings made (and of the values before) lets a later
run restore a setting that is no longer wanted, without a change to the owner's settings.
"""

from __future__ import annotations

import copy
import json

from ..failure import Failure

RELOADABLE = frozenset((
    "debug", "labels", "live-restore", "max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts",
    "default-runtime", "runtimes", "authorization-plugins", "insecure-registries", "registry-mirrors", "shutdown-timeout", "features",
))
"""Keys that the engine reloads on SIGHUP (docs: dockerd, "Configuration reload behavior"). All other keys need a restart."""


def parse(text, path):
    """The content of a daemon.json as a dict; an empty file is an empty dict (as for the engine). Raises Failure."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except ValueError as exc:
        line, column = getattr(exc, "lineno", 0), getattr(exc, "colno", 0)
        raise Failure(
            "%s is not valid JSON: line %d, column %d: %s. The file was not changed; correct it (the engine would not start "
            "with it) and run again." % (path, line, column, getattr(exc, "msg", exc)),
            kind="config_invalid", path=path, line=line, column=column) from exc
    if not isinstance(value, dict):
        raise Failure("%s: found a JSON %s, expected an object ({...}). The file was not changed; correct it and run again."
                      % (path, type(value).__name__), kind="config_invalid", path=path)
    return value


def leaves(value, path=()):
    """{path tuple: value} of all values in a nested dict that are not non-empty dicts."""
    found = {}
    for key, item in value.items():
        if isinstance(item, dict) and item:
            found.update(leaves(item, path + (key,)))
        else:
            found[path + (key,)] = item
    return found


def _lookup(config, path):
    """(exists, value) of a path."""
    for key in path:
        if not isinstance(config, dict) or key not in config:
            return False, None
        config = config[key]
    return True, config


def _assign(config, path, value):
    for depth, key in enumerate(path[:-1], 1):
        config = config.setdefault(key, {})
        if not isinstance(config, dict):
            raise Failure("daemon.json: %s is %r, expected an object, because %s must be set in it. The file was not changed; "
                          "correct it."
                          % (".".join(path[:depth]), config, path[-1]), kind="config_invalid", key=".".join(path[:depth]))
    config[path[-1]] = value


def _delete(config, path):
    """Removes a path, and its parent dicts that are then empty."""
    there, parent = _lookup(config, path[:-1])
    if there and isinstance(parent, dict) and path[-1] in parent:
        del parent[path[-1]]
        if not parent and len(path) > 1:
            _delete(config, path[:-1])


def _take_back(config, entry):
    """Restores the value before one recorded setting, unless somebody has changed the setting since."""
    path = tuple(entry["path"])
    there, value = _lookup(config, path)
    if not there:
        return
    if "added" in entry:
        if not isinstance(value, list):
            return
        rest = [item for item in value if item not in entry["added"]]
        if rest or entry["had"]:
            _assign(config, path, rest)
        else:
            _delete(config, path)
    elif value == entry["value"]:
        if entry["had"]:
            _assign(config, path, copy.deepcopy(entry["was"]))
        else:
            _delete(config, path)


def _set(config, path, wanted, entry):
    """Sets one path and returns its record, or None if the owner had already set the same value.

    Lists are combined, new entries first: the owner's registry mirrors stay when one is added.
    """
    had, before = _lookup(config, path)
    if isinstance(wanted, list) and (not had or isinstance(before, list)) and not (entry and "value" in entry):
        ours = entry["added"] if entry and "added" in entry else []
        present = before or []
        _assign(config, path, wanted + [item for item in present if item not in wanted and item not in ours])
        added = [item for item in wanted if item not in present or item in ours]
        return {"path": list(path), "added": added, "had": entry["had"] if entry else had} if added else None
    if had and before == wanted and not entry:
        return None
    _assign(config, path, copy.deepcopy(wanted))
    first = entry if entry and "value" in entry else {"had": had, "was": before}
    return {"path": list(path), "value": wanted, "had": first["had"], "was": first["was"]}


def merge(current, desired, record):
    """Merges `desired` into `current`, and restores settings that are in `record` but no longer in `desired`.

    Returns {"config": the new content, "record": the new list of records, "keys": sorted top-level keys that differ}.
    """
    config = copy.deepcopy(current)
    wanted = leaves(desired)
    known = {tuple(entry["path"]): entry for entry in record}
    for path, entry in known.items():
        if path not in wanted:
            _take_back(config, entry)
    new_record = []
    for path, value in wanted.items():
        entry = _set(config, path, value, known.get(path))
        if entry:
            new_record.append(entry)
    keys = sorted(key for key in set(current) | set(config) if current.get(key) != config.get(key) or (key in current) != (key in config))
    return {"config": config, "record": new_record, "keys": keys}


def effect(keys):
    """The action that makes the engine use changed top-level keys: "", "reload" or "restart"."""
    if not keys:
        return ""
    return "reload" if set(keys) <= RELOADABLE else "restart"


def is_settled(result):
    """Whether a result of `skp_engine` says that nothing has to be done for the engine, and that it can be used."""
    engine = result.get("engine") or {}
    usable = engine.get("running") and engine.get("installed") and engine.get("sdk_version") and not engine.get("live_restore")
    return bool(usable) and not (
        result.get("changed", True) or result.get("restart_required", True) or result.get("missing_packages", True) or result.get("reloaded", True))


def check(config, path):
    """Raises Failure for settings that do not work in a swarm."""
    if config.get("live-restore") is True:
        raise Failure(
            "%s: found \"live-restore\": true, which excludes swarm mode (the engine refuses to start or to join a swarm with it). "
            "Remove the key, or set engine_daemon_config_extra: {live-restore: false}. See docs/engine.md." % path,
            kind="live_restore", path=path)


def render(config):
    """The text of a daemon.json: the owner's keys in their order, then new keys."""
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"
