# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to skp.cluster: hosts.json as typed hosts, or the complete list of its errors.

Pure: bytes in, plain data out; no import of Ansible. Both formats of st-kilda-pier are supported, per host:

* labels as a list of one-key objects with ``groups`` (first format), labels as one object with ``roles`` (later format);
* ``roles`` also accepts "slave" (every host that is not the master), which creates no group.

A message is always one line: ``file: host: key: found X, expected Y``.
"""

from __future__ import annotations

import collections
import dataclasses
import difflib
import ipaddress
import json
import re
import typing as t

SERVICES: dict[str, str] = {
    "registry": "Image registry of the node, on its loopback address.",
    "jupyter": "Jupyter with its kernel gateway.",
    "spark-master": "Master of the Spark standalone cluster.",
    "spark-worker": "Worker of the Spark standalone cluster.",
    "mysql": "MySQL server.",
    "pgsql": "PostgreSQL server (the label name of st-kilda-pier).",
    "postgresql": "PostgreSQL server.",
    "airflow": "Airflow: web server, scheduler and their helpers.",
    "airflow-worker": "Worker of Airflow's Celery executor.",
    "portainer": "Portainer's web UI.",
    "portainer-agent": "Portainer's agent: the node shows in Portainer.",
    "zookeeper": "Member of the ZooKeeper ensemble.",
    "kafka": "Kafka broker.",
    "flask": "Auth service: accounts and tokens.",
    "nginx": "Gateway: one sign-in for the web UIs, and the admin page.",
    "redis": "Redis, the queue of Airflow's Celery executor.",
    "gpu": "The node has GPUs; services can use them.",
}
"""Labels that switch a service or feature on; the value must be "enable" or "disable"."""

SWITCH = ("enable", "disable")
CLUSTER = "skp"
"""The group of all hosts of the cluster: what every play of the collection is limited to."""
GROUPS = ("master", "manager", "worker")
ROLES = ("master", "slave", "manager", "worker")
HOST_KEYS = ("ipv4", "labels", "groups", "roles")

MAX_LABEL = 63
MAX_VALUE = 255

_EXAMPLE = '{"c01": {"ipv4": "10.0.0.4", "labels": [{"kafka": "enable"}], "groups": ["master", "manager"]}}'
_NAME_PART = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_NAME_PART}(?:\.{_NAME_PART})*\Z")
_LABEL_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,%d}[A-Za-z0-9])?\Z" % (MAX_LABEL - 2))
# Names that are special: two groups of Ansible, the controller (a group of this name would take its place), the group of the cluster.
_RESERVED_GROUPS = frozenset(("all", "ungrouped", "localhost", CLUSTER))
_RESERVED_HOSTS = frozenset(("localhost", "127.0.0.1"))
# Label prefixes reserved for the engine and for skp.cluster.
_RESERVED_LABELS = ("skp.", "com.docker.", "io.docker.", "org.dockerproject.")
# Common wrong names of labels that difflib does not match.
_OFTEN_MEANT = {
    "spark": "spark-master or spark-worker",
    "postgres": "postgresql",
    "zk": "zookeeper",
    "jupyterlab": "jupyter",
    "jupyterhub": "jupyter",
}


class HostsFileError(Exception):
    """The file is refused. ``errors`` holds one line per finding, in the order of the file."""

    def __init__(self, errors: t.Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


@dataclasses.dataclass(frozen=True)
class Host:
    """One host.

    ``labels``: unchanged (name -> value). ``groups``: the Ansible groups, first those of the swarm, then one per enabled label.
    """

    name: str
    ipv4: str
    labels: dict[str, str]
    groups: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class HostsFile:
    """All hosts in the order of the file, and warnings of one line each."""

    hosts: tuple[Host, ...]
    warnings: tuple[str, ...]


def group_name(label: str) -> str:
    """The Ansible group of an enabled label: ``spark-worker`` -> ``spark_worker``."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", label)
    return "_" + name if name[0].isdigit() else name


def parse(content: bytes, name: str) -> HostsFile:
    """Read the bytes of a hosts.json.

    :param content: the file as it is on disk; UTF-8, with or without a byte order mark
    :param name: name of the file in messages
    :raises HostsFileError: with every finding, one line each
    """
    data = _load(_decode(content, name), name)
    reader = _Reader(name)
    hosts = reader.read(data)
    if reader.errors:
        raise HostsFileError(reader.errors)
    return HostsFile(hosts=tuple(hosts), warnings=tuple(reader.warnings()))


# -- from bytes to plain data ------------------------------------------------------------------------------------------


class _Repeated(dict):
    """A JSON object with duplicate keys, listed in ``repeated``."""

    repeated: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Number:
    """A number (or NaN, Infinity) as written. No number is valid anywhere in the file, so none is ever converted."""

    text: str


def _decode(content: bytes, name: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise HostsFileError([f"{name}: the file is UTF-16, expected UTF-8; save it as UTF-8"])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line, column = _place(content[: exc.start].decode("utf-8-sig", "replace"))
        found = f"found byte 0x{content[exc.start]:02x}, which is not UTF-8"
        raise HostsFileError([f"{name}: line {line}, column {column}: {found}, expected a file saved as UTF-8"]) from exc
    if not text.strip():
        raise HostsFileError([f"{name}: the file is empty, expected one object with an entry per host such as {_EXAMPLE}"])
    return text


def _load(text: str, name: str) -> t.Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except json.JSONDecodeError as exc:
        raise HostsFileError([f"{name}: {_explain(text, exc)}"]) from exc
    except RecursionError as exc:
        raise HostsFileError([f"{name}: brackets are nested too deeply, expected one object with an entry per host"]) from exc


def _object(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeated = _Repeated(found)
    repeated.repeated = tuple(key for key, count in collections.Counter(key for key, dummy in pairs).items() if count > 1)
    return repeated


def _place(before: str) -> tuple[int, int]:
    """Line and column (both from 1) of the character after ``before``."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


_TOKEN = re.compile(r"\.\.+|'[^'\n]{0,20}|//|/\*|[A-Za-z0-9_+-]{1,20}|\"[^\"\n]{0,20}\"?|.", re.DOTALL)
_EXPECTED = (
    ("Expecting property name", "a key in double quotes"),
    ("Expecting ':'", "a colon"),
    ("Expecting ','", "a comma or a closing bracket"),
    ("Expecting value", "a value"),
    ("Extra data", "the end of the file"),
    ("Unterminated string", "a closing double quote"),
    ("Invalid \\", "a valid escape such as \\\\ or \\n"),
)
_TOKEN_HINTS = (
    (re.compile(r"\.\."), "dots in an example mean omitted text"),
    (re.compile(r"'"), "JSON quotes with double quotes"),
    (re.compile(r"//|/\*|#"), "JSON has no comments"),
    (re.compile(r"(True|False|None|yes|no|enable|disable)\Z"), "strings take double quotes"),
)


def _explain(text: str, exc: json.JSONDecodeError) -> str:
    """A JSON error as one line: Python's own texts, and some positions, differ between versions."""
    pos = exc.pos
    while pos < len(text) and text[pos].isspace() and not exc.msg.startswith("Invalid control"):
        pos += 1
    before = text[:pos].rstrip()
    if pos < len(text) and text[pos] in "}]" and before.endswith(","):
        pos = len(before) - 1
        found, expected, hint = '","', f'no comma before "{text[exc.pos :].strip()[0]}"', ""
    elif exc.msg.startswith("Illegal trailing comma"):
        found, expected, hint = '","', f'no comma before "{text[pos + 1 :].strip()[0]}"', ""
    elif exc.msg.startswith("Invalid control"):
        names = {"\t": "a tab", "\n": "a line break", "\r": "a line break"}
        found, expected, hint = f"{names.get(text[pos], 'a control character')} inside a string", "a closing double quote first", ""
    else:
        token = _TOKEN.match(text, pos)
        found = _show(token.group()) if token else "the end of the file"
        expected = next((words for start, words in _EXPECTED if exc.msg.startswith(start)), exc.msg)
        hint = next((words for pattern, words in _TOKEN_HINTS if token and pattern.match(token.group())), "")
    line, column = _place(text[:pos])
    return f"line {line}, column {column}: invalid JSON: found {found}, expected {expected}" + (f" ({hint})" if hint else "")


# -- from plain data to hosts ------------------------------------------------------------------------------------------


def quote(text: str, limit: int = 60) -> str:
    """A string in double quotes, cut at ``limit`` characters, without terminal control characters."""
    short = text if len(text) <= limit else text[: limit - 3] + "..."
    escaped = (char if char.isprintable() and char != "\\" else char.encode("unicode_escape").decode() for char in short)
    return '"' + "".join(escaped).replace('"', '\\"') + '"'


def _show(value: t.Any) -> str:
    """A found value as short text on one line."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, _Number):
        return f"the number {value.text[:40]}"
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return {None: "null", True: "true", False: "false"}[value]


def near(word: str, known: t.Iterable[str], cutoff: float = 0.75) -> str | None:
    """The known word that is most similar, if one is similar enough."""
    matches = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=cutoff)
    return matches[0] if matches else None


def _any_of(words: t.Iterable[str]) -> str:
    quoted = [f'"{word}"' for word in words]
    return ", ".join(quoted[:-1]) + " or " + quoted[-1]


_SWITCH_WORDS = _any_of(SWITCH)


class _Reader:
    """Checks all hosts and collects every finding, then refuses the file if there are any."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.errors: list[str] = []
        self._addresses: dict[str, str] = {}
        self._groups_known = True  # False once the groups of some host could not be read: then masters cannot be counted
        self._good_labels = set(SERVICES)
        self._label_of_group = {group_name(label): label for label in SERVICES}
        self._meant: dict[str, str | None] = {}
        self._doubtful: dict[str, list[str]] = {}

    def read(self, data: t.Any) -> list[Host]:
        if not isinstance(data, dict):
            self._error(None, None, f"found {_show(data)}, expected one object with an entry per host such as {_EXAMPLE}")
            return []
        if not data:
            self._error(None, None, f"no hosts, expected one object with an entry per host such as {_EXAMPLE}")
            return []
        for host in getattr(data, "repeated", ()):
            self._error(host, None, "the host is written twice, expected each name once")
        self._check_names(data)
        hosts = [self._host(name, entry, len(data) == 1) for name, entry in data.items()]
        self._check_masters([host for host in hosts if "master" in host.groups])
        self._check_group_names(hosts)
        return hosts

    def warnings(self) -> list[str]:
        """One line per label that is not a service but has a similar name."""
        lines = []
        for label, hosts in self._doubtful.items():
            more = f" (and {len(hosts) - 1} more)" if len(hosts) > 1 else ""
            lines.append(
                f'{self.name}: {hosts[0]}{more}: label "{label}": did you mean "{self._meant[label]}"? '
                f'"{label}" is not a service; it is set on the swarm node unchanged'
            )
        return lines

    def _error(self, host: str | None, key: str | None, text: str) -> None:
        shown = None if host is None else host if _HOST_NAME.match(host) else _show(host)
        self.errors.append(": ".join(part for part in (self.name, shown, key, text) if part))

    def _check_names(self, data: dict[str, t.Any]) -> None:
        seen: dict[str, str] = {}
        for name in data:
            if not _HOST_NAME.match(name):
                self._error(name, None, "not a host name, expected letters, digits, hyphens and dots, such as c01")
            elif name.lower() in _RESERVED_HOSTS:
                self._error(name, None, "this name means the controller in Ansible, expected another name, such as c01")
            elif name.lower() in seen:
                self._error(name, None, f'differs from host "{seen[name.lower()]}" in upper and lower case only, expected another name')
            seen.setdefault(name.lower(), name)

    def _host(self, name: str, entry: t.Any, alone: bool) -> Host:
        if not isinstance(entry, dict):
            self._groups_known = False
            self._error(name, None, f'found {_show(entry)}, expected an object with "ipv4", "labels" and "groups"')
            return Host(name, "", {}, ())
        for key in getattr(entry, "repeated", ()):
            self._error(name, f'"{key}"', "the key is written twice, expected once")
        for key in entry:
            if key not in HOST_KEYS:
                self._unknown_key(name, key)
        address = self._address(name, entry, alone)
        labels = self._labels(name, entry.get("labels", []))
        groups = self._swarm_groups(name, entry)
        enabled = dict.fromkeys(group_name(label) for label, value in labels.items() if value == "enable")
        return Host(name, address, labels, (*groups, *enabled))

    def _unknown_key(self, host: str, key: str) -> None:
        if key.startswith("ansible_") or key in ("port", "user", "vars", "ssh_user", "ssh_port"):
            hint = f"put variables of a host in host_vars/{host}.yml beside the inventory"
        elif key in ("ip", "address", "addr", "ipv6", "host"):
            hint = 'the address of a host is its "ipv4"'
        else:
            meant = near(key, HOST_KEYS, 0.6)
            hint = f'did you mean "{meant}"?' if meant else ""
        self._error(host, _show(key), 'unknown key, expected "ipv4", "labels" and "groups" (or "roles")' + (f"; {hint}" if hint else ""))

    def _address(self, host: str, entry: dict[str, t.Any], alone: bool) -> str:
        expected = "expected an IPv4 address such as 10.0.0.4"
        if "ipv4" not in entry:
            self._error(host, '"ipv4"', f"missing, {expected}")
            return ""
        found = entry["ipv4"]
        if not isinstance(found, str):
            self._error(host, '"ipv4"', f"found {_show(found)}, {expected}, in double quotes")
            return ""
        try:
            address = ipaddress.IPv4Address(found)
        except ValueError:
            self._error(host, '"ipv4"', f"found {_show(found)}, {expected}{self._address_hint(found)}")
            return ""
        unusable = self._unusable(address, alone)
        if unusable:
            self._error(host, '"ipv4"', f"found {_show(found)}, {unusable}, {expected}")
        elif found in self._addresses:
            owner = self._addresses[found]
            self._error(host, '"ipv4"', f"found {_show(found)}, the address of {owner} already, expected one address per host")
        else:
            self._addresses[found] = host
        return found

    @staticmethod
    def _address_hint(found: str) -> str:
        if found != found.strip():
            return " without spaces around it"
        if "/" in found:
            return ", not a network"
        if found.count(":") > 1:
            return "; IPv6 is not supported"
        if re.fullmatch(r"[\d.]+:\d+", found):
            return " without a port"
        if re.fullmatch(r"\d+(\.\d+){3}", found) and re.search(r"\b0\d", found):
            return " without leading zeros"
        if re.search(r"[A-Za-z]", found):
            return ", not a name"
        return ""

    @staticmethod
    def _unusable(address: ipaddress.IPv4Address, alone: bool) -> str:
        if address.packed[0] == 0:
            return "which means no address"
        if address.is_multicast:
            return "a multicast address"
        if address.packed[0] >= 240:
            return "a reserved or broadcast address"
        if address.is_loopback and not alone:
            return "a loopback address, which other hosts cannot reach"
        return ""

    def _labels(self, host: str, found: t.Any) -> dict[str, str]:
        labels: dict[str, str] = {}
        for name, value in self._label_pairs(host, found):
            if not self._label_name_is_good(host, name) or not self._label_value_is_good(host, name, value):
                continue
            if labels.get(name, value) != value:
                self._error(host, f'label "{name}"', f"found both {_show(labels[name])} and {_show(value)}, expected one value")
                continue
            labels[name] = value
            if name not in SERVICES and self._meaning(name):
                self._doubtful.setdefault(name, []).append(host)
        return labels

    def _label_pairs(self, host: str, found: t.Any) -> list[tuple[str, t.Any]]:
        """Name and value of every label, from a list of one-key objects or from one object."""
        if isinstance(found, dict):
            for name in getattr(found, "repeated", ()):
                self._error(host, f"label {_show(name)}", "the label is written twice, expected once")
            return list(found.items())
        if not isinstance(found, list):
            expected = 'expected a list such as [{"kafka": "enable"}] or an object such as {"kafka": "enable"}'
            self._error(host, '"labels"', f"found {_show(found)}, {expected}")
            return []
        pairs = []
        for number, entry in enumerate(found, 1):
            where = f'"labels", entry {number}'
            if isinstance(entry, dict) and len(entry) == 1 and not getattr(entry, "repeated", ()):
                pairs.extend(entry.items())
            elif isinstance(entry, dict) and entry:
                self._error(host, where, f'found an object with the keys {", ".join(map(_show, entry))}, expected one label per object')
            else:
                self._error(host, where, f'found {_show(entry)}, expected an object such as {{"kafka": "enable"}}')
        return pairs

    def _label_name_is_good(self, host: str, name: str) -> bool:
        if name in self._good_labels:
            return True
        where = f"label {quote(name)}"
        if not _LABEL_NAME.match(name):
            self._error(host, where, f"not a label, expected 1 to {MAX_LABEL} letters, digits, hyphens, underscores and dots")
            return False
        if name.startswith(_RESERVED_LABELS):
            self._error(host, where, "the name is reserved for the engine or skp.cluster, expected another name")
            return False
        group = group_name(name)
        if group in GROUPS:
            self._error(host, where, 'a role of the node, not a label, expected it in "groups" (or "roles")')
            return False
        if group in _RESERVED_GROUPS:
            self._error(host, where, "a name with a meaning in Ansible or skp.cluster, expected another name")
            return False
        owner = self._label_of_group.setdefault(group, name)
        if owner != name:
            self._error(host, where, f'creates the same group "{group}" as label "{owner}", expected one of the two')
            return False
        self._good_labels.add(name)
        return True

    def _label_value_is_good(self, host: str, name: str, value: t.Any) -> bool:
        if name in SERVICES:
            good, expected = isinstance(value, str) and value in SWITCH, _SWITCH_WORDS
        elif not isinstance(value, str):
            good, expected = False, 'a string such as "r1"'
        else:
            good, expected = 0 < len(value) <= MAX_VALUE and value.isprintable(), f"1 to {MAX_VALUE} printable characters"
        if not good:
            self._error(host, f'label "{name}"', f"found {_show(value)}, expected {expected}")
        return good

    def _meaning(self, label: str) -> str | None:
        """The known service whose name is similar to the label's."""
        if label not in self._meant:
            self._meant[label] = _OFTEN_MEANT.get(label.lower()) or near(label, SERVICES)
        return self._meant[label]

    def _swarm_groups(self, host: str, entry: dict[str, t.Any]) -> tuple[str, ...]:
        """The groups master, manager and worker of a host; the master is always a manager."""
        before = len(self.errors)
        words = self._group_words(host, entry)
        if len(self.errors) > before:
            self._groups_known = False
            return ()
        key = '"roles"' if "roles" in entry else '"groups"'
        if "master" in words and "slave" in words:
            self._error(host, key, 'found both "master" and "slave", expected one of them')
        if "worker" in words and ("manager" in words or "master" in words):
            other = "manager" if "manager" in words else "master"
            self._error(host, key, f'found both "{other}" and "worker", expected one of them (managers run services too)')
        if not words.intersection(GROUPS):
            self._error(host, key, 'found "slave" alone, expected "manager" or "worker" with it')
        if "master" in words:
            words.add("manager")
        return tuple(group for group in GROUPS if group in words)

    def _group_words(self, host: str, entry: dict[str, t.Any]) -> set[str]:
        if "groups" in entry and "roles" in entry:
            self._error(host, '"roles"', 'found "groups" too, expected one of the two')
            return set()
        key = "roles" if "roles" in entry else "groups"
        known = ROLES if key == "roles" else GROUPS
        expected = f'expected a list such as ["{known[-2]}"]'
        if key not in entry:
            self._error(host, f'"{key}"', f"missing, {expected}")
            return set()
        found = entry[key]
        if not isinstance(found, list) or not found:
            self._error(host, f'"{key}"', f"found {_show(found)}, {expected}")
            return set()
        for word in found:
            if not isinstance(word, str) or word not in known:
                meant = near(word, known, 0.6) if isinstance(word, str) else None
                hint = f'; did you mean "{meant}"?' if meant else '; "slave" is valid in "roles" only' if word == "slave" else ""
                self._error(host, f'"{key}"', f"found {_show(word)}, expected {_any_of(known)}{hint}")
        return {word for word in found if isinstance(word, str)}

    def _check_masters(self, masters: list[Host]) -> None:
        if not self._groups_known or len(masters) == 1:
            return
        if masters:
            names = ", ".join(host.name for host in masters)
            self._error(masters[1].name, '"groups"', f"found {len(masters)} masters ({names}), expected exactly one")
        else:
            self._error(None, '"groups"', 'no host is "master", expected exactly one')

    def _check_group_names(self, hosts: list[Host]) -> None:
        taken = {*GROUPS, *_RESERVED_GROUPS}.union(*(host.groups for host in hosts)) - _RESERVED_HOSTS
        for host in hosts:
            if host.name in taken:
                self._error(host.name, None, "also the name of a group, expected another name, such as c01")
