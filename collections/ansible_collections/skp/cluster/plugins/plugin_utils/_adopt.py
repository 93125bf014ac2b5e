# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to skp.cluster: what becomes of every entry of an st-kilda-pier, and the inventory that takes its place.

Pure: texts in, plain data out. Sources: the documents of st-kilda-pier (hosts.json and env.sh) and the templates of its last version, commit 7bc9e52
(services, volumes, networks, images). An entry that these do not explain is never guessed: it is unclear, and the adoption is refused.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import typing as t

from ansible_collections.skp.cluster.plugins.plugin_utils import _env_file, _hosts_json

FILES = ("hosts.json", "env.sh", "networks.json", "volumes.json", "services.json", "images.json")
"""The files of an installation. The first two are required; the early versions have no others."""

TAKEN, GONE, UNCLEAR = "taken over", "no successor", "unclear"
"""What can become of an entry."""

UIDS = {"zookeeper": 61002, "kafka": 61001, "mysql": 61004}
"""User numbers of the services; a test compares them with the roles."""

NOTEBOOKS_UID = 61000
NETWORK = "net-skp"
PASSWORD_LENGTH = 12
"""The role jupyter refuses a shorter password."""

ENTRY_LIMIT = 60
_OWN_IMAGE = "the collection builds an image of its own; another one is set in %s"
_AIRFLOW = "Airflow 3 cannot read what Airflow 1 stored: it starts with a database of its own, and the old one stays in MySQL"
_LATER_TOOL = "directory of the old tool's docker volumes; the shared store is skp_home"

GONE_NAMES = {
    "AIRFLOW_VOLUME": "Airflow 3 has directories of its own; the DAGs stay where they are, copy to airflow_volume/dags those that run on Airflow 3",
    "AIRFLOW_DB": _AIRFLOW,
    "AIRFLOW_DB_USER": _AIRFLOW,
    "AIRFLOW_DB_PASSWORD": _AIRFLOW,
    "AIRFLOW__CORE__SQL_ALCHEMY_CONN": _AIRFLOW,
    "REGISTRY_VOLUME": "all images are built and pushed anew; the old store stays where it is",
    "PGSQL_VOLUME": "the version of its data is in no document; the data stays where it is: dump it with the old server and load it into the new one",
    "PORTAINER_VOLUME": "Portainer starts anew with the password of the cluster; the old data stays where it is",
}
"""Names of env.sh that set a variable elsewhere, and must not after an adoption: name -> why."""

DATA = {
    # service: (label, name of its directory in env.sh, name of its containers, default of that name)
    "zookeeper": ("zookeeper", "ZOOKEEPER_VOLUME", "ZOOKEEPER_NAME", "zookeeper-skp"),
    "kafka": ("kafka", "KAFKA_VOLUME", "KAFKA_NAME", "kafka-skp"),
    "mysql": ("mysql", "MYSQL_VOLUME", "MYSQL_NAME", "mysql-skp"),
    "notebooks": ("jupyter", "JUPYTER_VOLUME", "JUPYTER_NAME", "jupyter-skp"),
}
"""The services whose data is taken over."""

STAGES = (
    (("airflow", "AIRFLOW_NAME", "airflow-skp"), ("jupyter", "JUPYTER_NAME", "jupyter-skp"), ("spark-master", "SPARK_MNAME", "spark-skp-master"),
     ("spark-worker", "SPARK_WNAME", "spark-skp-worker"), ("flask", "FLASK_NAME", "flask-skp"), ("nginx", "NGINX_NAME", "nginx-skp"),
     ("portainer", "PORTAINER_NAME", "portainer-skp"), ("portainer-agent", "", "portainer-agent-skp")),
    (("kafka", "KAFKA_NAME", "kafka-skp"), ("mysql", "MYSQL_NAME", "mysql-skp"), ("pgsql", "PGSQL_NAME", "pgsql-skp")),
    (("zookeeper", "ZOOKEEPER_NAME", "zookeeper-skp"),),
    (("registry", "REGISTRY_NAME", "registry-skp"),),
)
"""(label, name in env.sh, default) of the containers, in the order in which they are stopped: who writes first, what others need last."""

# What the keys of services.json say in the words of env.sh. ports: port in the container -> name.
SERVICE_NAMES = {label: name for stage in STAGES for label, name, dummy in stage}
SERVICE_PORTS = {
    "registry": {"5000": "REGISTRY_PORT"},
    "jupyter": {"8888": "JUPYTER_PORT", "8088": "JUPYTER_RESTAPIPORT"},
    "spark-master": {"8080": "SPARK_MPORT"},
    "mysql": {"3306": "MYSQL_PORT"},
    "pgsql": {"5432": "PGSQL_PORT"},
    "airflow": {"8080": "AIRFLOW_PORT"},
    "portainer": {"9000": "PORTAINER_PORT"},
}
SERVICE_DATA = {
    "zookeeper": ("/opt/zookeeper/data", "ZOOKEEPER_VOLUME"),
    "kafka": ("/kafka", "KAFKA_VOLUME"),
    "mysql": ("/var/lib/mysql", "MYSQL_VOLUME"),
}
SERVICE_KEYS = ("label", "networks", "ports", "environments", "volumes", "image", "cmd", "docker", "path", "zookeeper")
OWN_IMAGES = ("skp/docker-ds", "skp/docker-ds-gpu", "skp/docker-zookeeper", "skp/docker-kafka")
VOLUME_KEYS = {
    "sshfs": {},
    "s3fs": {"account_id": "S3_ACCESS_ID", "account_key": "S3_ACCESS_KEY", "bucket": "S3_BUCKET"},
    "blobfs": {"account_name": "BLOB_ACCOUNT_NAME", "account_key": "BLOB_ACCOUNT_KEY", "container_name": "BLOB_CONTAINER_NAME"},
    "nfs": {},
    "fs": {},
}
PLACEHOLDER = "YOUR_"
"""Beginning of the values that the templates have where a site fills in its own."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One entry and what becomes of it. ``entry``: file and name; ``what``: TAKEN, GONE or UNCLEAR; ``text``: as what, why, or what to do."""

    entry: str
    what: str
    text: str


@dataclasses.dataclass
class Adoption:
    """The plan. ``files``: text by its path in the new inventory, empty if anything is unclear. ``rows``: every entry, in the order of the files."""

    rows: list[Row]
    files: dict[str, str]

    @property
    def unclear(self) -> list[Row]:
        """The entries that somebody has to decide about."""
        return [row for row in self.rows if row.what == UNCLEAR]


def plan(texts: t.Mapping[str, bytes], home: str = "", user: str = "", ignored: t.Sequence[str] = ()) -> Adoption:
    """What becomes of every entry.

    :param texts: the bytes of the files by their names in FILES; a missing file is not in it
    :param home: value of ``$HOME`` of st-kilda-pier's user on the nodes, empty if it is not known
    :param user: value of ``$USER``, likewise
    :param ignored: entries, as the first column names them, that the site leaves behind
    """
    return _Planner(texts, {name: value for name, value in (("HOME", home), ("USER", user)) if value}, ignored).run()


def lines(adoption: Adoption) -> list[str]:
    """The table of an adoption as lines of text. No line holds a secret."""
    width = min(max((len(row.entry) for row in adoption.rows), default=0), ENTRY_LIMIT)
    return ["%s  %s  %s" % (row.entry.ljust(width), row.what.ljust(len(GONE)), row.text) for row in adoption.rows]


class _Planner:
    """Reads the files one after the other; ``given`` is what all of them say, in the names of env.sh."""

    def __init__(self, texts: t.Mapping[str, bytes], environment: dict[str, str], ignored: t.Sequence[str]) -> None:
        self.texts = texts
        self.environment = environment
        self.ignored = set(ignored)
        self.rows: list[Row] = []
        self.given: dict[str, str] = {}
        self.kept: dict[str, str] = {}
        self.hosts: tuple[_hosts_json.Host, ...] = ()
        self.extra: dict[str, t.Any] = {}
        self.paths: dict[str, str] = {}

    def run(self) -> Adoption:
        """All files, then what they say together."""
        for name in FILES[:2]:
            if name not in self.texts:
                self._row(name, UNCLEAR, "the file is missing; name the directory that has it, or has it in bin/ or etc/, in adopt_from. The later versions of "
                          "st-kilda-pier have the export lines of env.sh in bin/skp.sh: copy these lines into an env.sh" if name == "env.sh" else
                          "the file is missing; name the directory that has it, or has it in etc/, in adopt_from")
        self._hosts()
        self._env()
        objects = {name: self._json(name) for name in FILES[2:]}
        self._networks(objects["networks.json"])
        self._volumes(objects["volumes.json"])
        self._services(objects["services.json"])
        self._images(objects["images.json"])
        self._names()
        unused = sorted(self.ignored - {row.entry for row in self.rows})
        for entry in unused:
            self._row("adopt_ignore", UNCLEAR, "%s is no entry of these files; take it out, or write it as the first column does" % entry)
        adoption = Adoption(rows=self.rows, files={})
        if not adoption.unclear:
            services = self._data()
            adoption.files = self._inventory(services) if not adoption.unclear else {}
        return adoption

    def _row(self, entry: str, what: str, text: str) -> None:
        # Without the name of an entry it is a file, or what all of them lack: that cannot be left behind.
        if what == UNCLEAR and entry in self.ignored and ": " in entry:
            what, text = GONE, "left behind, as adopt_ignore says"
        self.rows.append(Row(entry, what, text))

    # -- files --------------------------------------------------------------------------------------------------------

    def _hosts(self) -> None:
        if "hosts.json" not in self.texts:
            return
        try:
            found = _hosts_json.parse(self.texts["hosts.json"], "hosts.json")
        except _hosts_json.HostsFileError as exc:
            for line in exc.errors:
                self._row("hosts.json", UNCLEAR, line.removeprefix("hosts.json: "))
            return
        self.hosts = found.hosts
        doubtful = {re.search(r'label "([^"]+)": did you mean', line).group(1): line for line in found.warnings if "did you mean" in line}
        for host in self.hosts:
            swarm = ", ".join(group for group in host.groups if group in _hosts_json.GROUPS)
            self._row("hosts.json: %s" % host.name, TAKEN, "host %s, %s" % (host.ipv4, swarm))
            for label, value in host.labels.items():
                entry = "hosts.json: %s: %s" % (host.name, label)
                if label in doubtful:
                    self._row(entry, UNCLEAR, doubtful[label].removeprefix("hosts.json: ") + "; correct hosts.json, or name the entry in adopt_ignore")
                elif label in _hosts_json.SERVICES:
                    self._row(entry, TAKEN, "label of a service, %s" % value)
                else:
                    self._row(entry, TAKEN, "label of the swarm node, unchanged")

    def _env(self) -> None:
        if "env.sh" not in self.texts:
            return
        try:
            found = _env_file.parse(self.texts["env.sh"], "env.sh", self.environment)
        except _env_file.EnvFileError as exc:
            failed = {line.split(": ")[2] for line in exc.errors if line.count(": ") > 2}
            for line in exc.errors:
                reference = re.search(r"refers to \$\{?(\w+)", line)
                if reference and reference.group(1) in failed:
                    continue  # follows from another line
                hint = ""
                for name, option in (("HOME", "adopt_home"), ("USER", "adopt_user")):
                    if "refers to $%s," % name in line or "refers to ${%s}," % name in line or (name == "HOME" and "refers to ~," in line):
                        hint = "; it is that of st-kilda-pier's user on the nodes: set %s" % option
                self._row("env.sh", UNCLEAR, line.removeprefix("env.sh: ") + hint)
            return
        self.given.update(found.given)

    def _json(self, name: str) -> dict[str, t.Any]:
        """The object of a file, {} without the file or with one that cannot be read."""
        if name not in self.texts:
            self.rows.append(Row(name, GONE, "there is no such file; the first versions of st-kilda-pier have none"))
            return {}
        try:
            value = json.loads(self.texts[name].decode("utf-8-sig"))
        except ValueError as exc:
            self.rows.append(Row(name, UNCLEAR, "cannot be read: %s; correct the file" % exc))
            return {}
        if not isinstance(value, dict) or not all(isinstance(entry, dict) for entry in value.values()):
            self.rows.append(Row(name, UNCLEAR, "found no object of objects, expected one object with one object for each name; correct the file"))
            return {}
        return value

    def _networks(self, networks: dict[str, t.Any]) -> None:
        for name, entry in networks.items():
            words = " ".join(map(str, entry.get("opts") or [])).replace("=", " ").split()
            where = "networks.json: %s" % name
            if set(entry) - {"opts"} or "overlay" not in words or "--attachable" not in words:
                self._row(where, UNCLEAR, "expected opts with --attachable and --driver overlay alone; if no service needs it, name it in adopt_ignore")
            elif set(words) - {"overlay", "--attachable", "--driver", "-d"}:
                self._row(where, UNCLEAR, "has further options, which skp_net does not have; remove them, or name it in adopt_ignore")
            elif len(networks) > 1:
                self._row(where, UNCLEAR, "the cluster has one network for all services; name all but one in adopt_ignore")
            else:
                self._derive(where, "SKP_NET", name)
                self._row(where, TAKEN, "skp_net; the network that exists is used")

    def _volumes(self, volumes: dict[str, t.Any]) -> None:
        kinds = [entry.get("type") for entry in volumes.values()]
        for name, entry in volumes.items():
            where, kind = "volumes.json: %s" % name, entry.get("type")
            path = self._expand(where, entry.get("path"))
            if kind not in VOLUME_KEYS:
                self._row(where, UNCLEAR, "found type %s, expected %s; name it in adopt_ignore to leave it behind" % (json.dumps(kind), ", ".join(VOLUME_KEYS)))
            elif kind in ("nfs", "fs"):
                if path:
                    self.paths[name] = path
                self._row(where, TAKEN if path else UNCLEAR, "directory %s; what becomes of it is said where a service uses it" % path if path else
                          "has no path that the files explain; write the path")
            elif kinds.count(kind) > 1:
                self._row(where, UNCLEAR, "env.sh can name one volume of this type; write all in skp_volumes (docs/volumes.md), and name them in adopt_ignore")
            else:
                self._fuse(where, kind, entry)

    def _fuse(self, where: str, kind: str, entry: dict[str, t.Any]) -> None:
        """A volume of sshfs, S3 or Azure Blob."""
        values = {name: str(entry.get(key, "")) for key, name in VOLUME_KEYS[kind].items()}
        if kind == "sshfs":
            command = re.search(r"sshcmd=([^@\s]+)@([^:\s]+):(\S+)", " ".join(map(str, entry.get("opts") or [])))
            values = dict(zip(("SSHFS_ID", "SSHFS_HOST", "SSHFS_VOLUME"), command.groups() if command else ("", "", "")))
        if any(value.startswith(PLACEHOLDER) for value in values.values()):
            self._row(where, GONE, "has the values of the template, so it was never used")
        elif not all(values.values()):
            wanted = ", ".join(VOLUME_KEYS[kind] or ("opts with sshcmd=user@host:/directory",))
            self._row(where, UNCLEAR, "needs %s; complete it, or name it in adopt_ignore" % wanted)
        else:
            for name, value in values.items():
                self._derive(where, name, value)
            self._row(where, TAKEN, "data volume, %s" % ", ".join(_env_file.variable_of(name) for name in values))

    def _services(self, services: dict[str, t.Any]) -> None:
        labels = [entry.get("label") for entry in services.values()]
        for name, entry in services.items():
            where, label = "services.json: %s" % name, entry.get("label")
            unknown = sorted(set(entry) - set(SERVICE_KEYS))
            if label not in SERVICE_NAMES:
                self._row(where, UNCLEAR, "found label %s, which no service of st-kilda-pier has; write it in skp_custom_services "
                          "(docs/custom_services.md) and name the entry in adopt_ignore" % json.dumps(label))
            elif unknown:
                self._row(where, UNCLEAR, "has the key %s, expected %s; remove it, or name the entry in adopt_ignore" % (unknown[0], ", ".join(SERVICE_KEYS)))
            elif labels.count(label) > 1:
                self._row(where, UNCLEAR, "another entry has the label %s too; the cluster has one service for it: name the others in adopt_ignore" % label)
            else:
                self._service(where, name, label, entry)

    def _service(self, where: str, name: str, label: str, entry: dict[str, t.Any]) -> None:
        if SERVICE_NAMES[label]:
            self._derive(where, SERVICE_NAMES[label], name)
        self._row(where, TAKEN, "the service of the label %s" % label)
        for port in map(str, entry.get("ports") or []):
            outside, _colon, inside = port.rpartition(":")
            known = SERVICE_PORTS.get(label, {}).get(inside)
            if known and outside.isdigit():
                self._derive(where, known, outside)
                self._row("%s: port %s" % (where, port), TAKEN, known)
            else:
                self._row("%s: port %s" % (where, port), GONE, "the role publishes the ports of its variables, see docs/network.md")
        for variable in map(str, entry.get("environments") or []):
            self._environment(where, label, *variable.partition("=")[::2])
        for volume in map(str, entry.get("volumes") or []):
            self._mount(where, label, volume)
        for key in ("networks", "image", "cmd", "docker", "path", "zookeeper"):
            if entry.get(key):
                self._row("%s: %s" % (where, key), GONE, "the role sets it itself")

    def _environment(self, where: str, label: str, name: str, value: str) -> None:
        entry = "%s: environment %s" % (where, name.strip())
        name = {"PGSQL_ROOT_PASSWORD": "PGSQL_PASSWORD"}.get(name.strip(), name.strip())
        if name in ("MYSQL_ROOT_HOST", "PGDATA", "AIRFLOW_HOME", "AGENT_CLUSTER_ADDR") or name.startswith("SKP_S"):
            self._row(entry, GONE, "the role sets it itself" if name != "MYSQL_ROOT_HOST" else "root of MySQL logs in on its host only")
        elif name in _env_file.NAMES:
            text = self._expand(entry, value)
            if text is not None:
                self._derive(entry, name, text)
                self._row(entry, TAKEN, name)
        else:
            self._row(entry, UNCLEAR, "no role knows it; set %s_env or %s_config if the service needs it, and name the entry in adopt_ignore" % (label, label))

    def _mount(self, where: str, label: str, volume: str) -> None:
        entry = "%s: volume %s" % (where, volume)
        source, _colon, target = volume.rpartition(":")
        path = self.paths.get(source) or (self._expand(entry, source) if source.startswith(("/", "$")) else None)
        wanted, name = SERVICE_DATA.get(label, ("", ""))
        if target == wanted and path:
            if label == "zookeeper":
                path = path.removesuffix("/data")
            self._derive(entry, name, path)
            self._row(entry, TAKEN, "%s %s" % (name, path))
        elif label == "jupyter" and source == "volume-jupyter-skp" and path:
            self._derive(entry, "JUPYTER_VOLUME", path)
            self._row(entry, TAKEN, "the notebooks, JUPYTER_VOLUME %s" % path)
        else:
            self._row(entry, GONE, "the role makes the mounts itself; data that is not named elsewhere in this table stays where it is")

    def _images(self, images: dict[str, t.Any]) -> None:
        for name, entry in images.items():
            where = "images.json: %s" % name
            locale = re.search(r"locale=([A-Za-z_]+\.[A-Za-z0-9-]+)", " ".join(map(str, entry.get("opts") or [])))
            if name not in OWN_IMAGES:
                self._row(where, UNCLEAR, "an image of the site; write it as an own image (docs/images.md) and name the entry in adopt_ignore")
            elif locale and name == OWN_IMAGES[0]:
                self.extra["skp_image_locale"] = locale.group(1)
                self._row(where, TAKEN, "skp_image_locale %s; the image itself is built anew" % locale.group(1))
            else:
                self._row(where, GONE, "the collection builds its images itself")

    def _expand(self, where: str, text: t.Any) -> str | None:
        """A value of a JSON file with the names of env.sh replaced; None, with a row, if one is not known."""
        missing = []

        def value_of(match: re.Match[str]) -> str:
            name = match.group(1) or match.group(2)
            if name not in self.given:
                missing.append(name)
            return self.given.get(name, "")

        expanded = re.sub(r"\$(?:(\w+)|\{(\w+)\})", value_of, str(text or ""))
        if missing:
            self._row(where, UNCLEAR, "refers to $%s, which env.sh does not set; write it there" % missing[0])
            return None
        return expanded or None

    def _derive(self, where: str, name: str, value: str) -> None:
        """Take what a JSON file says under a name of env.sh; another value there is a contradiction."""
        if self.given.get(name, value) != value:
            shown = "another value" if _env_file.NAMES.get(name, ("", ""))[0] == _env_file.SECRET else repr(value)
            self._row(where, UNCLEAR, "says %s for %s, and another entry or env.sh says something else; make them agree" % (shown, name))
        else:
            self.given[name] = value

    # -- all together -------------------------------------------------------------------------------------------------

    def _names(self) -> None:
        """A row for every name of env.sh; ``kept`` gets those that the new env.sh has."""
        later_tool = bool(self.paths)
        for name, value in self.given.items():
            entry = "env.sh: %s" % name
            if name not in _env_file.NAMES:
                self._row(entry, UNCLEAR, "no name of st-kilda-pier that is known; if nothing needs it, name the entry in adopt_ignore")
                continue
            kind, meaning = _env_file.NAMES[name]
            if name == "SKP_USER" and value:
                self.extra["ansible_user"] = value
                self._row(entry, TAKEN, "ansible_user = %s" % value)
                continue
            reason = self._why_gone(name, value, kind, meaning, later_tool)
            if reason:
                self._row(entry, GONE, reason)
                continue
            self.kept[name] = value
            shown = "" if kind == _env_file.SECRET else " = %s" % {
                "SPARK_MNAME": value.removesuffix(_env_file.MASTER), "REGISTRY_PORT": "localhost:%s" % value}.get(name, value)
            self._row(entry, TAKEN, "%s%s" % (_env_file.variable_of(name), shown))

    def _why_gone(self, name: str, value: str, kind: str, meaning: str, later_tool: bool) -> str:
        """Why a known name of env.sh sets nothing, empty if it does."""
        if not value:
            return "empty, so it is not set"
        if name in GONE_NAMES:
            return GONE_NAMES[name]
        if kind in (_env_file.IMAGE, _env_file.TAG):
            return _OWN_IMAGE % (name.split("_")[0].lower().replace("flask", "auth").replace("pgsql", "postgresql") + "_image")
        if name == "SKP_HOME" and later_tool:
            return _LATER_TOOL
        if name == "SPARK_MNAME" and not value.endswith(_env_file.MASTER):
            return "Spark's services are named by spark_name: spark-skp-master and spark-skp-worker"
        if name == "JUPYTER_PASSWORD" and len(value) < PASSWORD_LENGTH:
            return "shorter than %d characters; a password is made, in /etc/skp/secrets/jupyter_password of the managers" % PASSWORD_LENGTH
        return "" if _env_file.variable_of(name) else meaning

    def _labelled(self, label: str) -> list[str]:
        return [host.name for host in self.hosts if host.labels.get(label) == "enable"]

    def _data(self) -> list[dict[str, t.Any]]:
        """The services whose data is taken over, as the role adopt takes them. A labelled service without a known directory is unclear."""
        services = []
        for service, (label, name, container, default) in DATA.items():
            hosts = self._labelled(label)
            if not hosts:
                continue
            path = self.given.get(name, "")
            if not re.fullmatch(r"(/[\w.@+-]+)+", path):
                self._row(name, UNCLEAR, "%s, and hosts have the label %s: its data cannot be found. Write the directory in env.sh: export %s=/..."
                          % ("found %r, expected an absolute path without blanks" % path if path else "nothing names its directory", label, name))
                continue
            if service == "notebooks":
                master = [host.name for host in self.hosts if "master" in host.groups]
                home = self.kept.get("SKP_HOME", "")
                if hosts != master and not (home and path.startswith(home + "/")):
                    others = ", ".join(host for host in hosts if host not in master)
                    self._row(name, UNCLEAR, "%s is not below the directory that all nodes share, and %s has the label jupyter too: mount it "
                              "on all nodes and set SKP_HOME above it, or label the master alone" % (path, others))
                    continue
                hosts = master
            services.append({"name": service, "hosts": hosts, "path": path, "container": self.given.get(container) or default,
                             "uid": UIDS.get(service, NOTEBOOKS_UID)})
        self._leave_the_notebooks(services)
        places = [entry["path"] for entry in services]
        for entry in services:
            if places.count(entry["path"]) > 1:
                self._row(DATA[entry["name"]][1], UNCLEAR, "%s is named for two services; correct env.sh" % entry["path"])
        return services

    def _leave_the_notebooks(self, services: list[dict[str, t.Any]]) -> None:
        """Data below the directory of the notebooks moves beside it: every notebook could put something else in its place."""
        volume = next((entry["path"] for entry in services if entry["name"] == "notebooks"), "")
        for entry in services:
            if volume and entry["path"].startswith(volume + "/"):
                name = DATA[entry["name"]][1]
                entry["from"], entry["path"] = entry["path"], "%s/skp-%s" % (volume.rpartition("/")[0], entry["name"])
                self.kept[name] = entry["path"]
                self._row("env.sh: %s: place" % name, TAKEN, "moves to %s, by rename: every notebook could replace what is below %s" % (entry["path"], volume))

    def _stages(self) -> list[list[dict[str, t.Any]]]:
        """The containers to stop, stage by stage: [{name, numbered, hosts}]; those of ZooKeeper have a number after the name."""
        return [
            [{"name": self.given.get(name) or default, "numbered": label == "zookeeper", "rename": label == "registry",
              "timeout": {"kafka": 180, "mysql": 300, "pgsql": 300}.get(label, 60)} for label, name, default in stage]
            for stage in STAGES
        ]

    def _inventory(self, services: list[dict[str, t.Any]]) -> dict[str, str]:
        names = {entry["name"] for entry in services}
        variables: dict[str, t.Any] = dict(self.extra)
        if "SKP_HOME" in self.kept and len(self.hosts) > 1:
            variables["store_mode"] = "existing"
        if "kafka" in names:
            variables["kafka_zookeeper_chroot"] = ""
        if "mysql" in names and self._labelled("airflow"):
            variables["airflow_db"] = variables["airflow_db_user"] = "airflow_skp"
        variables["adopt_services"] = services
        variables["adopt_containers"] = self._stages()
        settings = "".join("%s: %s\n" % (name, json.dumps(value)) for name, value in variables.items())
        return {
            "hosts.json": self.texts["hosts.json"].decode("utf-8-sig"),
            "env.sh": _ENV_HEAD + "".join("export %s=%s\n" % (name, shlex.quote(value)) for name, value in self.kept.items()),
            "skp.yml": _SKP,
            "group_vars/all/adopted.yml": _VARS_HEAD + settings,
        }


_HEAD = "# Written by playbooks/adopt.yml from an existing st-kilda-pier. Change it as you like: it is not written again.\n"
_ENV_HEAD = _HEAD + "# Values may be secret: ansible-vault encrypt env.sh\n"
_SKP = _HEAD + "---\nplugin: skp.cluster.hosts_json\nhosts_file: hosts.json\nenv_file: env.sh\n"
_VARS_HEAD = _HEAD + """\
# kafka_zookeeper_chroot: the topics of st-kilda-pier are at the root of ZooKeeper. store_mode: the nodes mount the shared directory themselves.
# airflow_db: a new database beside that of Airflow 1. adopt_*: what `adopt.yml -e skp_confirm=...` stops and takes over; needed until then.
---
"""
