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

TEXT, PORT, SWITCH, SECRET, IMAGE, TAG, UNUSED = "text", "port", "switch", "secret", "image", "tag", "unused"
"""Kinds. A name of kind UNUSED sets no variable."""

OWN_IMAGES = "skp/"
"""Prefix of the images that st-kilda-pier built itself (no registry, no tag). The roles have their own images instead."""


def _table() -> dict[str, tuple[str, str]]:
    """Every name of env.sh -> (kind, meaning)."""
    table = {
        "SKP_HOME": (TEXT, "directory shared by all nodes"),
        "SKP_NET": (TEXT, "name of the overlay network"),
        "SKP_DFS": (UNUSED, "path of a distributed file system; mount it on the nodes and set skp_home"),
        "SKP_PRI_ETH": (UNUSED, "private network interface; the addresses of hosts.json are used, or swarm_advertise_addr"),
        "SKP_PUB_ETH": (UNUSED, "public network interface"),
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
        "S3_ACCOUNT": (TEXT, "S3 bucket, if S3_BUCKET is empty"),
        "S3_ACCESS_ID": (TEXT, "S3 access key id"),
        "S3_ACCESS_KEY": (SECRET, "S3 secret key"),
        "S3_BUCKET": (TEXT, "S3 bucket"),
        "REGISTRY_PORT": (PORT, "port of the registry, and of the names of all images"),
        "JUPYTER_PORT": (PORT, "port of Jupyter"),
        "JUPYTER_PASSWORD": (SECRET, "password of Jupyter"),
        "JUPYTER_BASEURL": (TEXT, "path of Jupyter in its URL"),
        "JUPYTER_RESTAPIPORT": (PORT, "port of the kernel gateway"),
        "JUPYTER_DOCKER": (UNUSED, "docker command of the old tool"),
        "SPARK_MNAME": (TEXT, "name of the Spark master's service; its beginning, without -master, names all Spark services"),
        "SPARK_WNAME": (UNUSED, "name of the Spark workers' service; follows from SPARK_MNAME"),
        "SPARK_MPORT": (PORT, "port of the Spark master's web UI"),
        "SPARK_URL": (UNUSED, "address of the Spark master; follows from SPARK_MNAME"),
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
        "FLASK_PORT": (PORT, "port of the auth service"),
        "FLASK_SECRET": (UNUSED, "one word for sessions and tokens; the auth service has a key of its own for each kind of token"),
        "NGINX_PORT": (PORT, "port of the gateway"),
    }
    common = {
        "NAME": (TEXT, "name of the service"),
        "VOLUME": (TEXT, "directory of the service's data"),
        "IMAGE": (IMAGE, "image of the service"),
        "TAG": (TAG, "tag of the image"),
    }
    with_gpu = {
        "GPU": (SWITCH, "use the GPU image; the label gpu of a host does it instead"),
        "GPU_IMAGE": (IMAGE, "image for nodes with a GPU"),
        "GPU_TAG": (TAG, "tag of the GPU image"),
    }
    for service in ("REGISTRY", "JUPYTER", "SPARK", "MYSQL", "PGSQL", "AIRFLOW", "PORTAINER", "ZOOKEEPER", "KAFKA", "FLASK", "NGINX"):
        endings = dict(common)
        if service in ("JUPYTER", "SPARK", "AIRFLOW", "FLASK"):
            endings.update(with_gpu)
        if service == "SPARK":  # Spark has two names instead, for its master and its workers
            del endings["NAME"]
            endings["VOLUME"] = (UNUSED, "directory of the notebooks in Spark's containers; set spark_mounts")
        if service == "AIRFLOW":
            endings["GPU_IMAGE"] = (UNUSED, "image for nodes with a GPU; a task with a GPU runs in an image of its own")
        if service == "FLASK":
            endings["VOLUME"] = (UNUSED, "directory of the programs; they are in the image, and the accounts in a database")
            endings["GPU_IMAGE"] = (UNUSED, "image for nodes with a GPU; the auth service needs none")
            endings["GPU"] = (SWITCH, "use the GPU image; the auth service needs none")
        if service == "NGINX":
            endings["VOLUME"] = (UNUSED, "directory of pages; the admin page is in the image")
        table.update((f"{service}_{ending}", entry) for ending, entry in endings.items())
    return table


NAMES: dict[str, tuple[str, str]] = _table()
"""All known names; docs/hosts_json.md shows this table and a test compares both."""

VARIABLES = {
    "REGISTRY_PORT": "skp_registry",
    "REGISTRY_VOLUME": "registry_store",
    "AIRFLOW__CORE__SQL_ALCHEMY_CONN": "airflow_sql_alchemy_conn",
    "SPARK_MNAME": "spark_name",
    "SPARK_MPORT": "spark_ui_port",
    "ZOOKEEPER_VOLUME": "zookeeper_data_dir",
    "KAFKA_VOLUME": "kafka_data_dir",
    "MYSQL_VOLUME": "mysql_data_dir",
    "PGSQL_VOLUME": "postgresql_data_dir",
    "PORTAINER_VOLUME": "portainer_data_dir",
    "PGSQL_NAME": "postgresql_name",
    "PGSQL_PORT": "postgresql_port",
    "PGSQL_PASSWORD": "postgresql_password",
    "PGSQL_IMAGE": "postgresql_image",
    "FLASK_NAME": "auth_name",
    "FLASK_PORT": "auth_port",
    "FLASK_IMAGE": "auth_image",
    "NGINX_NAME": "gateway_name",
    "NGINX_PORT": "gateway_port",
    "NGINX_IMAGE": "gateway_image",
    **{name: "volumes_" + name.lower() for name in (
        "SSHFS_ID", "SSHFS_HOST", "SSHFS_VOLUME", "S3_ACCOUNT", "S3_BUCKET", "S3_ACCESS_ID", "S3_ACCESS_KEY", "BLOB_ACCOUNT_NAME", "BLOB_ACCOUNT_KEY",
        "BLOB_CONTAINER_NAME")},
}
"""Names whose variable is not the name in lower case. A test compares all variables with those of the roles."""

MASTER = "-master"
QUIET = {
    "SPARK_WNAME": lambda values: values.get("SPARK_MNAME", "spark-skp-master").removesuffix(MASTER) + "-worker",
    "SPARK_URL": lambda values: "spark://%s:7077" % values.get("SPARK_MNAME", "spark-skp-master"),
}
"""Unused names that may have the value that follows from others; another value has no effect, which is said."""

SILENT = ("SKP_USER", "SKP_ETC", "SKP_HOSTS", "SKP_IMAGES", "SKP_NETWORKS", "SKP_SERVICES", "SKP_VOLUMES", "SKP_MNT", "SKP_SUSER", "SKP_SHOME", "SKP_SMNT",
          "JUPYTER_DOCKER", "SKP_PUB_ETH")
"""Unused names of the old tool's own files and containers: nothing is missing without them."""


def variable_of(name: str) -> str:
    """The variable that a name sets, empty for one that sets none."""
    kind = NAMES[name][0]
    if kind in (UNUSED, TAG, SWITCH):
        return ""
    return VARIABLES.get(name, name.lower())


ENVIRONMENT = ("HOME", "USER")
"""Names that a file can refer to without setting them; their values come from the controller, with a warning."""


class EnvFileError(Exception):
    """The file is refused. ``errors`` holds one line per finding."""

    def __init__(self, errors: t.Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = tuple(errors)


@dataclasses.dataclass(frozen=True)
class EnvFile:
    """Variables (text, ports as int, switches as bool), warnings of one line each, and all names of the file with their text, known or not."""

    variables: dict[str, str | int | bool]
    warnings: tuple[str, ...]
    given: dict[str, str]


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
        if reader.unclosed:
            break  # the shell would take the next lines as a part of the value, which may be secret
    if reader.errors:
        raise EnvFileError(reader.errors)
    reader.finish()
    return EnvFile(variables=reader.variables, warnings=tuple(reader.warnings), given=reader.scope)


def _logical_lines(text: str) -> t.Iterator[tuple[int, str]]:
    """Lines with their first line number (from 1); a backslash at the end of a line joins it with the next, as in the shell."""
    start, held = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        start = start or number
        if _continues(held + line):
            held += line[:-1]
            continue
        yield start, held + line
        start, held = 0, ""
    if held:
        yield start, held


def _continues(line: str) -> bool:
    """Whether the last character is a backslash that means "the next line": not escaped, not in a comment, not in single quotes."""
    pos, quoted, word = 0, "", False
    while pos < len(line):
        char = line[pos]
        if quoted == "'":
            quoted = "" if char == "'" else quoted
        elif char == "\\":
            if pos + 1 == len(line):
                return True
            pos += 1
        elif quoted:
            quoted = "" if char == quoted else quoted
        elif char in "'\"":
            quoted = char
        elif char == "#" and not word:
            return False
        word = bool(quoted) or char not in " \t;\r"
        pos += 1
    return False


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
        self.values: dict[str, str | int | bool] = {}
        self.places: dict[str, str] = {}
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self.unclosed = False
        self._place = ""

    def read(self, number: int, line: str) -> None:
        self._place = f"{self.name}: line {number}"
        try:
            self._statements(line)
        except _LineError as exc:
            self.errors.append(f"{self._place}: {exc}")

    def _statements(self, line: str) -> None:
        pos, exported, assigned = 0, False, ""
        while pos < len(line) and line[pos] != "#":
            if line[pos] in " \t;\r":
                if line[pos] == ";":
                    exported, assigned = False, ""
                pos += 1
                continue
            name = _NAME.match(line, pos)
            after = name.end() if name else pos
            if name and name.group() == "export" and (after == len(line) or line[after] in " \t"):
                exported, pos = True, after
            elif name and after < len(line) and line[after] == "=":
                pos, assigned = self._assignment(line, name.group(), after + 1), name.group()
            elif name and exported and (not assigned or name.group() in self.scope) and (after == len(line) or line[after] in " \t;"):
                pos = after  # "export NAME" of a name that is already set has no effect here
            elif assigned:
                # What follows may be the second half of a password.
                raise _LineError(f"found text after the value of {assigned}, expected quotes around a value with spaces")
            else:
                word = line[pos:].split(None, 1)[0]
                word = word.split("=", 1)[0] or word
                raise _LineError(f"found {quote(word, 30)}, expected export NAME=value (the file is never executed)")

    def _assignment(self, line: str, name: str, pos: int) -> int:
        outer, self._place = self._place, f"{self._place}: {name}"
        try:
            value, pos = self._word(line, pos)
        except _LineError as exc:
            # The name that a dollar sign seems to refer to may be a part of a password.
            if NAMES.get(name, (SECRET, ""))[0] == SECRET and str(exc).startswith("refers to"):
                raise _LineError(f"refers to a name that no earlier line sets, expected an earlier name, {_SINGLE}") from None
            raise
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
        elif line.startswith("~", pos):
            raise _LineError('found "~" and more than a slash after it, expected the complete path')
        while pos < len(line) and line[pos] not in " \t;\r":
            char = line[pos]
            if char == "$" and line[pos + 1 : pos + 2] in ("'", '"'):
                raise _LineError("found a dollar sign before a quote, expected only the quotes")
            if char == ":" and line[pos + 1 : pos + 2] == "~":
                raise _LineError('found "~" after a colon, expected the complete path')
            if char == "'":
                end = line.find("'", pos + 1)
                if end < 0:
                    raise self._open_quote("single")
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
        raise self._open_quote("double")

    def _open_quote(self, kind: str) -> _LineError:
        self.unclosed = True
        return _LineError(f"found an opening {kind} quote, expected a closing one on the same line")

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
        if kind in (PORT, SWITCH, IMAGE) and not value:
            self.values.pop(name, None)  # empty means "not set" in env.sh
            return
        self.values[name] = self._convert(kind, value)
        self.places[name] = self._place

    def finish(self) -> None:
        """The variables of all names, and one warning for each name that has no effect."""
        values = self.values
        for name, value in values.items():
            variable = variable_of(name)
            reason = self._no_effect(name, value)
            if reason:
                self.warnings.append(f"{self.places[name]}: has no effect: {reason}")
            elif NAMES[name][0] == IMAGE:
                if not str(value).startswith(OWN_IMAGES):
                    self.variables[variable] = self._image(str(value), str(values.get(name.removesuffix("IMAGE") + "TAG", "")))
            elif name == "REGISTRY_PORT":
                self.variables[variable] = f"localhost:{value}"
            elif name == "SPARK_MNAME":
                self.variables[variable] = str(value).removesuffix(MASTER)
            elif variable:
                self.variables[variable] = value

    def _no_effect(self, name: str, value: str | int | bool) -> str:
        """Why a value has no effect, empty if it has one or is not missed."""
        kind, text = NAMES[name]
        if kind == TAG:
            image = str(self.values.get(name.removesuffix("TAG") + "IMAGE", OWN_IMAGES))
            return "the image is built by skp.cluster; set skp_image_tag" if image.startswith(OWN_IMAGES) and value not in ("", "latest") else ""
        if kind == SWITCH:
            return text if value else ""
        if name == "SPARK_MNAME":
            return "" if str(value).endswith(MASTER) else f'the names of Spark\'s services begin with spark_name; expected a name that ends with "{MASTER}"'
        if kind == UNUSED and value and name not in SILENT:
            return "" if name in QUIET and value == QUIET[name](self.values) else text
        return ""

    @staticmethod
    def _image(image: str, tag: str) -> str:
        """The image with its tag, which env.sh has in another name."""
        return image if not tag or "@" in image or ":" in image.rpartition("/")[2] else f"{image}:{tag}"

    @staticmethod
    def _convert(kind: str, value: str) -> str | int | bool:
        if kind == PORT:
            if not (re.fullmatch(r"[1-9][0-9]{0,4}", value) and int(value) <= 65535):
                raise _LineError(f"found {quote(value)}, expected a port from 1 to 65535")
            return int(value)
        if kind == SWITCH:
            if value.upper() not in ("TRUE", "FALSE"):
                raise _LineError(f"found {quote(value)}, expected TRUE or FALSE")
            return value.upper() == "TRUE"
        return value
