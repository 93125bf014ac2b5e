# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to skp.cluster: st-kilda-pier's env.sh as variables.

Pure: bytes in, plain data out. The file is parsed, never executed: it can contain assignments, quotes, comments and
references to earlier names; anything else is an error with its line number. Messages never show a value that may be a secret.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.skp.cluster.plugins.plugin_utils._hosts_json import near, quote

TEXT, PORT, SWITCH, SECRET, IMAGE, UNUSED = "text", "port", "switch", "secret", "image", "unused"

OWN_IMAGES = "skp/"
"""Prefix of the images that st-kilda-pier built itself (no registry, no tag). The roles have their own images instead."""


def _table() -> dict[str, tuple[str, str]]:
    """Every name of env.sh -> (kind, meaning). The variable is the name in lower case; names of kind UNUSED set no variable."""
    table = {
        "SKP_HOME": (TEXT, "directory shared by all nodes"),
        "SKP_NET": (TEXT, "name of the overlay network"),
        "SKP_DFS": (TEXT, "path of a distributed file system"),
        "SKP_PRI_ETH": (TEXT, "private network interface of the nodes"),
        "SKP_PUB_ETH": (TEXT, "public network interface of the nodes"),
        "SKP_USER": (UNUSED, "user on the nodes; set ansible_user instead"),
        "SKP_ETC": (UNUSED, "directory of the old tool's files"),
        "SKP_HOSTS": (UNUSED, "path of hosts.json; set hosts_file instead"),
        "SKP_IMAGES": (UNUSED, "path of a file of the old tool"),
        "SKP_NETWORKS": (UNUSED, "path of a file of the old tool"),
        "SKP_SERVICES": (UNUSED, "path of a file of the old tool"),
        "SKP_VOLUMES": (UNUSED, "path of a file of the old tool"),
        "SKP_MNT": (UNUSED, "mount directory of the old tool"),
        "SKP_SUSER": (UNUSED, "user inside the old containers"),
        "SKP_SHOME": (UNUSED, "home inside the old containers"),
        "SKP_SMNT": (UNUSED, "mount directory inside the old containers"),
        "SSHFS_ID": (TEXT, "user on the SSH server of the data volume"),
        "SSHFS_HOST": (TEXT, "SSH server of the data volume"),
        "SSHFS_VOLUME": (TEXT, "directory on the SSH server"),
        "BLOB_ACCOUNT_NAME": (TEXT, "Azure Blob account"),
        "BLOB_ACCOUNT_KEY": (SECRET, "Azure Blob key"),
        "BLOB_CONTAINER_NAME": (TEXT, "Azure Blob container"),
        "S3_ACCOUNT": (TEXT, "S3 account"),
        "S3_ACCESS_ID": (TEXT, "S3 access key id"),
        "S3_ACCESS_KEY": (SECRET, "S3 secret key"),
        "S3_BUCKET": (TEXT, "S3 bucket"),
        "REGISTRY_PORT": (PORT, "port of the registry"),
        "JUPYTER_PORT": (PORT, "port of Jupyter"),
        "JUPYTER_PASSWORD": (SECRET, "password of Jupyter"),
        "JUPYTER_BASEURL": (TEXT, "path of Jupyter in its URL"),
        "JUPYTER_RESTAPIPORT": (PORT, "port of the kernel gateway"),
        "JUPYTER_DOCKER": (UNUSED, "docker command of the old tool"),
        "SPARK_MNAME": (TEXT, "name of the Spark master's service"),
        "SPARK_WNAME": (TEXT, "name of the Spark workers' service"),
        "SPARK_MPORT": (PORT, "port of the Spark master's web UI"),
        "SPARK_URL": (TEXT, "address of the Spark master"),
        "MYSQL_PORT": (PORT, "port of MySQL"),
        "MYSQL_ROOT_PASSWORD": (SECRET, "password of MySQL's root"),
        "PGSQL_PORT": (PORT, "port of PostgreSQL"),
        "PGSQL_PASSWORD": (SECRET, "password of PostgreSQL's superuser"),
        "AIRFLOW_PORT": (PORT, "port of Airflow"),
        "AIRFLOW_DB": (TEXT, "Airflow's database"),
        "AIRFLOW_DB_USER": (TEXT, "Airflow's user in its database"),
        "AIRFLOW_DB_PASSWORD": (SECRET, "password of Airflow's user"),
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN": (SECRET, "URL of Airflow's database, with the password"),
        "PORTAINER_PORT": (PORT, "port of Portainer"),
        "FLASK_PORT": (PORT, "port of the authentication service"),
        "FLASK_SECRET": (SECRET, "signing secret of the authentication service"),
        "NGINX_PORT": (PORT, "port of nginx"),
    }
    common = {
        "NAME": (TEXT, "name of the service"),
        "VOLUME": (TEXT, "directory of the service's data"),
        "IMAGE": (IMAGE, "image of the service"),
        "TAG": (TEXT, "tag of the image"),
    }
    with_gpu = {
        "GPU": (SWITCH, "use the GPU image"),
        "GPU_IMAGE": (IMAGE, "image for nodes with a GPU"),
        "GPU_TAG": (TEXT, "tag of the GPU image"),
    }
    for service in ("REGISTRY", "JUPYTER", "SPARK", "MYSQL", "PGSQL", "AIRFLOW", "PORTAINER", "ZOOKEEPER", "KAFKA", "FLASK", "NGINX"):
        endings = dict(common)
        if service in ("JUPYTER", "SPARK", "AIRFLOW", "FLASK"):
            endings.update(with_gpu)
        if service == "SPARK":  # Spark has two names instead, for its master and its workers
            del endings["NAME"]
        table.update((f"{service}_{ending}", entry) for ending, entry in endings.items())
    return table


NAMES: dict[str, tuple[str, str]] = _table()
"""All known names; docs/hosts_json.md shows this table and a test compares both."""

ENVIRONMENT = ("HOME", "USER")
"""Names that a file can refer to without setting them; their values come from the controller, with a warning."""


class EnvFileError(Exception):
    """The file is refused. ``errors`` holds one line per finding."""

    def __init__(self, errors: t.Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


@dataclasses.dataclass(frozen=True)
class EnvFile:
    """Variables (text, ports as int, switches as bool) and warnings of one line each."""

    variables: dict[str, str | int | bool]
    warnings: tuple[str, ...]


def parse(content: bytes, name: str, environment: t.Mapping[str, str]) -> EnvFile:
    """Read the bytes of an env.sh.

    :param content: the file as it is on disk, UTF-8
    :param name: name of the file in messages
    :param environment: source of ``$HOME`` and ``$USER`` if the file does not set them; no other name is used
    :raises EnvFileError: with every finding, one line each
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise EnvFileError([f"{name}: line {line}: found a byte that is not UTF-8, expected a file saved as UTF-8"]) from exc
    reader = _Reader(name, environment)
    for number, line in _logical_lines(text):
        reader.read(number, line)
    if reader.errors:
        raise EnvFileError(reader.errors)
    return EnvFile(variables=reader.variables, warnings=tuple(reader.warnings))


def _logical_lines(text: str) -> t.Iterator[tuple[int, str]]:
    """Lines with their first line number (from 1); a backslash at the end of a line joins it with the next."""
    start, held = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        start = start or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            held += line[:-1]
            continue
        yield start, held + line
        start, held = 0, ""
    if held:
        yield start, held


class _LineError(Exception):
    """The error in a line, as ``found X, expected Y``."""


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_PLAIN = "expected plain text (the file is never executed)"
_SINGLE = "or single quotes around text with a dollar sign"


class _Reader:
    """Reads line by line; ``scope`` has all names set so far, known or unknown, for references."""

    def __init__(self, name: str, environment: t.Mapping[str, str]) -> None:
        self.name = name
        self.environment = environment
        self.scope: dict[str, str] = {}
        self.variables: dict[str, str | int | bool] = {}
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self._place = ""

    def read(self, number: int, line: str) -> None:
        self._place = f"{self.name}: line {number}"
        try:
            self._statements(line)
        except _LineError as exc:
            self.errors.append(f"{self._place}: {exc}")

    def _statements(self, line: str) -> None:
        pos, exported = 0, False
        while pos < len(line) and line[pos] != "#":
            if line[pos] in " \t;\r":
                exported = exported and line[pos] != ";"
                pos += 1
                continue
            name = _NAME.match(line, pos)
            after = name.end() if name else pos
            if name and name.group() == "export" and (after == len(line) or line[after] in " \t"):
                exported, pos = True, after
            elif name and after < len(line) and line[after] == "=":
                pos = self._assignment(line, name.group(), after + 1)
            elif name and exported and (after == len(line) or line[after] in " \t;"):
                pos = after  # "export NAME" of a name that is already set has no effect here
            else:
                word = line[pos:].split(None, 1)[0]
                word = word.split("=", 1)[0] or word
                raise _LineError(f"found {quote(word, 30)}, expected export NAME=value (the file is never executed)")

    def _assignment(self, line: str, name: str, pos: int) -> int:
        outer, self._place = self._place, f"{self._place}: {name}"
        value, pos = self._word(line, pos)
        self.scope[name] = value
        self._take(name, value)
        self._place = outer
        return pos

    def _word(self, line: str, pos: int) -> tuple[str, int]:
        """The value that starts at ``pos``, unquoted and with references resolved, and its end position."""
        parts: list[str] = []
        if line.startswith(("~/", "~ "), pos) or line[pos:] == "~":
            parts.append(self._lookup("HOME", "~"))
            pos += 1
        while pos < len(line) and line[pos] not in " \t;\r":
            char = line[pos]
            if char == "'":
                end = line.find("'", pos + 1)
                if end < 0:
                    raise _LineError("found an opening single quote, expected a closing one on the same line")
                parts.append(line[pos + 1 : end])
                pos = end + 1
            elif char == '"':
                pos = self._double_quoted(line, pos + 1, parts)
            elif char == "\\":
                parts.append(line[pos + 1 : pos + 2])
                pos += 2
            elif char in "$`":
                pos = self._dollar(line, pos, parts)
            elif char in "&|<>(){}":
                raise _LineError(f"found {quote(char)} outside quotes, {_PLAIN}, or quotes around it")
            else:
                parts.append(char)
                pos += 1
        return "".join(parts), pos

    def _double_quoted(self, line: str, pos: int, parts: list[str]) -> int:
        while pos < len(line):
            char = line[pos]
            if char == '"':
                return pos + 1
            if char == "\\" and line[pos + 1 : pos + 2] in ("$", "`", '"', "\\"):
                parts.append(line[pos + 1])
                pos += 2
            elif char in "$`":
                pos = self._dollar(line, pos, parts)
            else:
                parts.append(char)
                pos += 1
        raise _LineError("found an opening double quote, expected a closing one on the same line")

    def _dollar(self, line: str, pos: int, parts: list[str]) -> int:
        reference = _REFERENCE.match(line, pos)
        if reference:
            parts.append(self._lookup(reference.group(1) or reference.group(2), reference.group()))
            return reference.end()
        following = line[pos + 1 : pos + 2]
        if line[pos] == "`" or following == "(":
            raise _LineError(f"found a command, {_PLAIN}")
        if following == "{":
            raise _LineError(f'found "${{" with more than a name, expected $NAME or ${{NAME}}, {_SINGLE}')
        if following and (following.isdigit() or following in "$?!#*@-"):
            raise _LineError(f"found {quote('$' + following)}, expected $NAME or ${{NAME}}, {_SINGLE}")
        parts.append("$")  # a dollar sign without a name is literal, as in the shell
        return pos + 1

    def _lookup(self, name: str, written: str) -> str:
        if name in self.scope:
            return self.scope[name]
        if name in ENVIRONMENT and name in self.environment:
            value = self.environment[name]
            source = f"{written} is taken from the controller: {quote(value)}"
            self.warnings.append(f"{self._place}: {source}; write the value if the nodes differ")
            return value
        raise _LineError(f"refers to {written}, expected a name that an earlier line sets")

    def _take(self, name: str, value: str) -> None:
        if name not in NAMES:
            meant = near(name, {known.lower(): known for known in NAMES})
            hint = f"; did you mean {meant.upper()}?" if meant else ""
            self.warnings.append(f"{self._place}: unknown name, no variable is set{hint}")
            return
        kind, dummy = NAMES[name]
        if kind == UNUSED or (kind == IMAGE and value.startswith(OWN_IMAGES)):
            return
        if kind in (PORT, SWITCH) and not value:
            self.variables.pop(name.lower(), None)  # empty means "not set" in env.sh
            return
        self.variables[name.lower()] = self._convert(kind, value)

    @staticmethod
    def _convert(kind: str, value: str) -> str | int | bool:
        if kind == PORT:
            if not (value.isascii() and value.isdigit() and 1 <= int(value[:6]) <= 65535):
                raise _LineError(f"found {quote(value)}, expected a port from 1 to 65535")
            return int(value)
        if kind == SWITCH:
            if value.upper() not in ("TRUE", "FALSE"):
                raise _LineError(f"found {quote(value)}, expected TRUE or FALSE")
            return value.upper() == "TRUE"
        return value
