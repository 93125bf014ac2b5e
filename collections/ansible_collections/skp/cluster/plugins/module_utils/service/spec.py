# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. A service's specification: built by `service.build`, returned by the engine, or changed by hand.

Pure functions of plain data. Field names and units are those of the Docker Engine API 1.41, ServiceCreate (times in nanoseconds).
"""

from __future__ import annotations

import hashlib
import json

ROLE_LABEL = "skp.role"
HASH_LABEL = "skp.hash"
URL_LABEL = "skp.url"
"""Label of a service: where people open it, such as `http://{host}:8010/jupyter-skp`; {host} stands for the address of each host that runs it."""
LOGIN_LABEL = "skp.login"
"""Label of a service: where its password lies: the path of a file on the managers, or the name of the variable that holds it. Never the password."""
SECRETS_LABEL = "skp.secrets"
"""Label of a service: `name=generation` of the cluster's secrets that it was made with, with commas between."""
NODE_LABEL = "skp.label"
"""Label of a service: the label of nodes by which it chooses its nodes, if its role sets that label itself."""
GATE_LABEL = "skp.stop-gate"
"""Label of a container: JSON list, the command in it that exits with 0 while it is safe to stop it."""
HOST_CONSTRAINT = "node.labels.skp.host=="

_ANY_ORDER = {
    "Env": str,
    "Constraints": str,
    "Aliases": str,
    "CapabilityAdd": str,
    "CapabilityDrop": str,
    "Groups": str,
    "Mounts": lambda item: item.get("Target", ""),
    "Networks": lambda item: item.get("Target", ""),
    "Configs": lambda item: json.dumps(item, sort_keys=True),
    "Secrets": lambda item: json.dumps(item, sort_keys=True),
    "Ports": lambda item: json.dumps(item, sort_keys=True),
    "Ulimits": lambda item: item.get("Name", ""),
}
_ENGINE_OWN = {"ForceUpdate", "Runtime", "ConfigID", "SecretID", "Platforms"}
"""Fields set by the engine (or by `docker service update --force`) that are not part of the desired state."""


class Spec:
    """One service's specification. raw: in the API's format. networks: {network id: name}, for an answer of the engine."""

    def __init__(self, raw, networks=None):
        self.raw, self._networks, self._comparable = raw, networks, None

    @property
    def labels(self):
        """The service's labels."""
        return self.raw.get("Labels") or {}

    @property
    def role(self):
        """The role that owns the service, None for another owner."""
        return self.labels.get(ROLE_LABEL)

    @property
    def mode(self):
        """`Replicated` (by member) or `Global` (by label)."""
        return next(iter(self.raw["Mode"]))

    @property
    def constraints(self):
        """The placement constraints."""
        return ((self.raw.get("TaskTemplate") or {}).get("Placement") or {}).get("Constraints") or []

    @property
    def host(self):
        """The host that the service is pinned to, or None."""
        for constraint in self.constraints:
            text = constraint.replace(" ", "")
            if text.startswith(HOST_CONSTRAINT):
                return text[len(HOST_CONSTRAINT) :]
        return None

    def objects(self, kind):
        """Names of the configs (kind 'config') or secrets that the service uses."""
        container = (self.raw.get("TaskTemplate") or {}).get("ContainerSpec") or {}
        title = kind.capitalize()
        return {item[title + "Name"] for item in container.get(title + "s") or []}

    def allows(self, node):
        """Whether the placement constraints allow this node (an entry of the state's `nodes`)."""
        return matches(self.constraints, node["facts"])

    @property
    def comparable(self):
        """The specification in a form that can be compared and shown."""
        if self._comparable is None:
            self._comparable = normalise(self.raw, self._networks)
        return self._comparable

    def changes_to(self, other):
        """Dotted paths of the fields that differ in another specification, sorted; [] if both are equal."""
        return changed_fields(self.comparable, other.comparable)

    def reordered(self, other):
        """Whether the task template of an equal specification has its lists in another order: the engine restarts the tasks for that."""
        mine, others = (normalise(one.raw.get("TaskTemplate") or {}, one._networks, order=False) for one in (self, other))
        return mine != others

    @property
    def edited(self):
        """Whether the service is not what the last run has made of it. False without the label of that run."""
        found = self.labels.get(HASH_LABEL)
        labels = {key: value for key, value in self.labels.items() if key != HASH_LABEL}
        return bool(found) and found != content_hash(normalise(dict(self.raw, Labels=labels), self._networks))

    @property
    def fingerprint(self):
        """Hash of the content: the same for the payload built here and for the engine's answer to it."""
        return content_hash(self.comparable)


def content_hash(plain):
    """sha256 of plain data."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def matches(constraints, facts):
    """Whether a node satisfies placement constraints. facts: {"node.id": ..., "node.labels.kafka": ..., ...}; a missing fact is ''.

    The rules are those of swarmkit: `==` and `!=`, case-insensitive.
    """
    for constraint in constraints or []:
        operator = "!=" if "!=" in constraint else "=="
        key, _separator, value = constraint.partition(operator)
        equal = str(facts.get(key.strip(), "")).lower() == value.strip().lower()
        if equal != (operator == "=="):
            return False
    return True


def capabilities(names):
    """Capabilities in the engine's names and order: `net_bind_service` is CAP_NET_BIND_SERVICE, ALL stays."""
    names = [str(name).upper() for name in names or []]
    return sorted(name if name == "ALL" or name.startswith("CAP_") else "CAP_" + name for name in names)


def prune(value):
    """Without None, empty text, empty lists and dicts, zero and false, at every depth: the engine may omit or return those.

    `Global` keeps its empty dict, because the key itself has the meaning.
    """
    if isinstance(value, dict):
        pruned = {key: prune(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if item not in (None, "", [], {}, 0, False) or key == "Global"}
    if isinstance(value, list):
        return [prune(item) for item in value]
    return value


def normalise(raw, network_names=None, order=True):
    """A specification or task template in one comparable form: built here, returned by the engine, or changed by hand.

    network_names: {network id: name}; an unknown id stays and therefore counts as a difference. order: whether lists whose order has no meaning are
    sorted. The engine itself compares them as they are, and restarts a task whose lists are in another order (swarmkit, IsTaskDirty).
    """
    names = network_names or {}

    def walk(value, key):
        if isinstance(value, dict):
            result = {}
            for name, item in value.items():
                if name in _ENGINE_OWN or (name == "Isolation" and item == "default"):
                    continue
                result[name] = walk(item, name)
            if key == "Networks" and "Target" in result:
                result["Target"] = names.get(result["Target"], result["Target"])
            return result
        if isinstance(value, list):
            items = [walk(item, key) for item in value]
            if key in ("CapabilityAdd", "CapabilityDrop"):
                items = capabilities(items)
            return sorted(items, key=_ANY_ORDER[key]) if order and key in _ANY_ORDER else items
        return value

    return prune(walk(prune(raw), ""))


def in_order(value, key=""):
    """A payload whose lists without a meaning of their order are sorted: the engine compares them in order, and so does the hash."""
    if isinstance(value, dict):
        return {name: in_order(item, name) for name, item in value.items()}
    if isinstance(value, list):
        items = [in_order(item, key) for item in value]
        return sorted(items, key=_ANY_ORDER[key]) if key in _ANY_ORDER else items
    return value


def changed_fields(before, after, path=""):
    """Dotted paths of the values that differ between two normalised specifications, sorted."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in sorted(set(before) | set(after)):
            found += changed_fields(before.get(key), after.get(key), "%s.%s" % (path, key) if path else key)
        return found
    return [] if before == after else [path]
