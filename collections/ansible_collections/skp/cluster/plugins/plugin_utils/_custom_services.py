# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to skp.cluster: the services that users describe in `skp_custom_services`, as what the roles of the collection need to run them.

Pure functions of plain data. An entry keeps to the rules for containers unless it names the exception: a read-only root, no capabilities, a user that is not
root, a limit of memory.
"""

from __future__ import annotations

import base64
import re

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.service.build import build_service

from ._hosts_json import group_name, near

VARIABLE = "skp_custom_services"
ROLE = "custom"
USER = "61000:61000"
"""That of the notebooks and of what is on the shared store, which over NFS has one owner."""
MEMORY = "512m"
TMP = "64m"
KEEP_USER = "image"
MIRROR = "ARG BASE\nFROM ${BASE}\n"
"""The Dockerfile of a third party's image: it then has a content hash and is in the ledger, as the images that are built here."""

_NAME = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){0,39}\Z")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")
_SECRET = re.compile(r"[a-z0-9][a-z0-9_]{0,59}\Z")
_REFERENCE = re.compile(r"[a-z0-9][A-Za-z0-9.-]*(?::\d+)?(?:/[a-z0-9._-]+)*(?::[A-Za-z0-9_][A-Za-z0-9._-]*)?(?:@sha256:[0-9a-f]{64})?\Z")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PORT = re.compile(r"(?:(\d{1,5}):)?(\d{1,5})\Z")
_USER = re.compile(r"\d{1,10}(?::\d{1,10})?\Z")
_PART = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}\Z")
_SOUNDS_SECRET = re.compile(r"(?:^|_)(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY)\Z", re.IGNORECASE)
_NO_SECRETS = ("", "yes", "no", "true", "false", "0", "1")
SENSITIVE = ("/boot", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sys", "/usr", "/var/lib/docker", "/var/run")
"""Paths of a node that no container may have: with them it could read or change the node itself."""

_TEXTS = ("name", "image", "build", "base", "label", "user", "memory", "tmp", "url", "login")
_LISTS = ("ports", "volumes", "secrets", "entrypoint", "command", "capabilities")
_OBJECTS = ("env", "args")
_FLAGS = ("read_only", "init")
KEYS = (*_TEXTS, *_LISTS, *_OBJECTS, *_FLAGS, "cpus", "healthcheck")
HEALTH_KEYS = ("test", "interval", "timeout", "retries", "start_period", "start_interval")
HEALTH = {"interval": "10s", "timeout": "5s", "retries": 3, "start_period": "60s", "start_interval": "1s"}


def of_cluster(entries, groups, settings, secrets=None):
    """All that the cluster needs for the services, and what is wrong with their entries.

    entries: the variable. groups: {group: [host]} of the inventory. settings: {"registry", "tag", "data", "home", "volumes_dir", "secrets_dir",
    "ports": [{"group", "port", "publish"}] of the collection's own services, "reserved": [ports that no service may take]}. secrets: {name: value}, for the
    contents of the services' secrets, which they have not without it.
    Returns {"services": entries for skp_service, "images": entries for skp_image, "images_of_group": {group: [name]},
    "ports": [{"group", "port", "publish"}], "needs": {name: needs of the role _service}, "secrets": [name], "labels": {label: [host]},
    "hosts": [host], "idle": [name of a service whose label no host has], "problems": [sentence]}.
    An entry with a problem is in none of them.
    """
    read = [_Entry(entry, number, groups, settings) for number, entry in enumerate(entries, 1)]
    problems = [line for one in read for line in one.problems]
    good = [one for one in read if not one.problems]
    names = [one.name for one in good]
    problems += ["%s: %d entries have this name, expected one. Rename the others." % (good[names.index(name)].where, names.count(name))
                 for name in sorted(set(names)) if names.count(name) > 1]
    problems += _ports_taken(good, groups, settings)
    active = [one for one in good if one.hosts]
    found = {
        "services": [_with_contents(one.service(), secrets) if secrets is not None else one.service() for one in active],
        "images": [image for one in active for image in one.images()],
        "images_of_group": {},
        "ports": [{"group": one.group, "port": published, "publish": "all"} for one in good for published in one.ports],
        "needs": {ROLE: _needs(active)},
        "secrets": sorted({name for one in active for name in one.secrets}),
        "labels": {one.label: one.hosts for one in active},
        "hosts": sorted({host for one in active for host in one.hosts}),
        "idle": [one.name for one in good if not one.hosts],
        "problems": problems,
    }
    for one in active:
        for image in one.images():
            found["images_of_group"].setdefault(one.group, []).append(image["name"])
        if one.directories:
            found["needs"]["%s-%s" % (ROLE, one.name)] = {"hosts": one.hosts, "directories": one.directories}
    return found


def _needs(active):
    """The needs of all of them together; data directories differ by service, so each has needs of its own besides."""
    return {
        "hosts": sorted({host for one in active for host in one.hosts}),
        "enabled": bool(active),
        "shared_directories": [directory for one in active for directory in one.shared],
        "purge_directories": [one.directories[0] for one in active if one.directories],
        "purge_shared_directories": [one.shared[0] for one in active if one.shared],
        "secrets": sorted({name for one in active for name in one.secrets}),
    }


def _ports_taken(good, groups, settings):
    """A sentence for each port that two services would publish on one host."""
    lines = []
    taken = [(int(entry["port"]), "the service of the label %s" % entry["group"].replace("_", "-"), set(groups.get(entry["group"]) or []))
             for entry in settings["ports"] if entry["publish"] == "all"]
    for one in good:
        for published, target in one.ports.items():
            for other, who, hosts in taken:
                both = hosts & set(one.hosts)
                if other == published and both:
                    lines.append("%s: port %d on %s is that of %s. Publish another one, for example \"%d:%d\"."
                                 % (one.where, published, ", ".join(sorted(both)), who, published % 50000 + 10000, target))
        taken += [(published, "the service %s" % one.name, set(one.hosts)) for published in one.ports]
    return lines


class _Entry:
    """One entry, read and checked. `problems` are its faults, one sentence each; the other attributes count only without one."""

    def __init__(self, entry, number, groups, settings):
        self.settings, self.problems = settings, []
        self.given = entry if isinstance(entry, dict) else {}
        self.where = "Service %s of %s" % (self.given.get("name") or "number %d" % number, VARIABLE)
        self.secrets, self.directories, self.shared, self.mounts, self.targets = [], [], [], [], []
        self.ports, self.env, self.exported = {}, {}, {}
        self.hosts, self.health = [], None
        if not isinstance(entry, dict):
            self.no("found %s, expected an object with name and image or build" % _show(entry))
            return
        self._types()
        if self.problems:
            return
        self.name = str(entry.get("name") or "")
        self.label = str(entry.get("label") or self.name)
        self.group = group_name(self.label or "-")
        self.hosts = sorted(groups.get(self.group) or [])
        self.user = str(entry.get("user") or USER)
        self._names()
        if self.problems:
            return
        self._image()
        self._ports()
        self._user()
        self._secrets()
        self._environment()
        self._volumes()
        self._health()
        if not self.problems:
            self._buildable()

    def no(self, text, do=""):
        """Note a fault: what was found and expected, and what to do."""
        self.problems.append("%s: %s.%s" % (self.where, text, " " + do if do else ""))

    def _types(self):
        for key in self.given:
            if key not in KEYS:
                meant = near(str(key), KEYS, 0.6)
                self.no("unknown key %s" % key, "Did you mean %s?" % meant if meant else "Keys are %s." % ", ".join(KEYS))
        kinds = ((_TEXTS, (str, int, float), "text"), (_LISTS, list, "a list"), (_OBJECTS, dict, "an object"), (_FLAGS, bool, "true or false"))
        for keys, kind, words in kinds:
            for key in keys:
                value = self.given.get(key)
                if value is not None and (not isinstance(value, kind) or (kind is not bool and isinstance(value, bool))):
                    self.no("%s is %s, expected %s" % (key, _show(value), words))
        for key in ("entrypoint", "command", "capabilities"):
            for word in self.given.get(key) or [] if isinstance(self.given.get(key), list) else []:
                if isinstance(word, (dict, list)) or word is None:
                    self.no("%s has %s, expected words" % (key, _show(word)))
        cpus = self.given.get("cpus")
        if cpus is not None and (isinstance(cpus, bool) or not re.match(r"\d+(\.\d+)?\Z", str(cpus)) or not float(cpus)):
            self.no("cpus is %s, expected a number such as 0.5" % _show(cpus))

    def _names(self):
        if not _NAME.match(self.name):
            self.no("found name %r, expected lower-case letters, digits and single -, at most 40, a letter first" % self.name,
                    "It is the name of the service, and of its containers on the overlay network.")
        elif re.search(r"-skp(-|\Z)", self.name):
            self.no("found name %s, and names with -skp are those of the collection's services" % self.name, "Choose another one.")
        elif not _LABEL.match(self.label):
            self.no("found label %r, expected a label as in hosts.json" % self.label)

    def _image(self):
        image, build = str(self.given.get("image") or ""), str(self.given.get("build") or "")
        self.image, self.build = image, build
        if bool(image) == bool(build):
            self.no("found %s, expected exactly one of image (a reference) and build (a directory with a Dockerfile)"
                    % ("both image and build" if image else "neither image nor build"))
        elif image and not _REFERENCE.match(image):
            self.no("found image %r, expected a reference such as docker.io/library/node:22-alpine" % image)
        for key in ("base", "args"):
            if image and self.given.get(key):
                self.no("%s is for build, and the service has an image" % key, "Remove it.")

    @property
    def own(self):
        """Whether the image is the cluster's already: it is neither built nor fetched for this service."""
        return self.image.startswith(self.settings["registry"] + "/")

    def _ports(self):
        for item in self.given.get("ports") or []:
            match = _PORT.match(str(item)) if isinstance(item, (str, int)) and not isinstance(item, bool) else None
            published, target = (int(match.group(1) or match.group(2)), int(match.group(2))) if match else (0, 0)
            if not (0 < published < 65536 and 0 < target < 65536):
                self.no("found port %s, expected the port on the node and that in the container, such as 8080 or \"8080:80\" in quotes" % _show(item),
                        "YAML reads two numbers with a colon and without quotes as another number." if isinstance(item, int) else "")
            elif published in self.settings["reserved"]:
                self.no("port %d is the cluster's own" % published, "Publish another one, for example \"%d:%d\"." % (published % 50000 + 10000, target))
            elif published in self.ports:
                self.no("port %d stands there twice" % published, "Remove one.")
            else:
                self.ports[published] = target

    def _user(self):
        if self.user != KEEP_USER and not _USER.match(self.user):
            self.no("found user %r, expected numbers such as 1000 or 1000:1000, or %s for that of the image" % (self.user, KEEP_USER),
                    "Files and secrets belong to a number.")

    def _owner(self):
        uid, _colon, gid = self.user.partition(":")
        return uid, gid or uid

    def _secrets(self):
        for item in self.given.get("secrets") or []:
            self._secret(item)

    def _secret(self, item):
        if not isinstance(item, str) or not _SECRET.match(item):
            self.no("found secret %s, expected a name of lower-case letters, digits and _" % _show(item),
                    "The value is made once; docs/secrets.md says how to choose it.")
        elif item not in self.secrets:
            self.secrets.append(item)

    def _environment(self):
        for key, value in ((str(key), value) for key, value in (self.given.get("env") or {}).items()):
            if not _VARIABLE_NAME.match(key):
                self.no("found %r in env, expected the name of a variable" % key)
            elif isinstance(value, dict) and list(value) == ["secret"]:
                self._secret(value["secret"])
                self.exported[key] = value["secret"]
            elif isinstance(value, (dict, list)):
                self.no("%s in env is %s, expected text, or {secret: name}" % (key, _show(value)))
            elif _SOUNDS_SECRET.search(key) and not _harmless(value):
                # Not the value: the sentence is shown.
                self.no("%s in env looks like a secret, and everybody who may ask the engine can read env" % key,
                        "Write {secret: a_name} instead of the value, or give the program a file of secrets.")
            else:
                self.env[key] = value
        if self.exported and not self._words("entrypoint") + self._words("command"):
            self.no("env takes %s from a secret, which needs a shell before the program" % ", ".join(sorted(self.exported)),
                    "Set command to the image's whole command, program first.")

    def _volumes(self):
        for item in self.given.get("volumes") or []:
            kinds = [key for key in ("data", "shared", "path") if isinstance(item, dict) and item.get(key)]
            if not isinstance(item, dict) or len(kinds) != 1 or set(item) - {"data", "shared", "path", "target", "read_only"}:
                self.no("found volume %s, expected {data: name, target: /path}, {shared: name, target: /path} or {path: /path, target: /path}; read_only may "
                        "be there too" % _show(item))
                continue
            target = str(item.get("target") or "")
            if not _is_path(target) or (target + "/").startswith(("/run/secrets/", "/proc/", "/sys/", "/dev/")):
                self.no("found target %r of a volume, expected an absolute path in the container" % target)
            elif target in self.targets:
                self.no("two volumes have the target %s" % target, "Each needs its own.")
            elif not isinstance(item.get("read_only", False), bool):
                self.no("read_only of the volume %s is %s, expected true or false" % (target, _show(item["read_only"])))
            else:
                self.targets.append(target)
                self._volume(kinds[0], str(item[kinds[0]]), target, bool(item.get("read_only")))

    def _volume(self, kind, source, target, read_only):
        mount = {"target": target, "read_only": read_only}
        if kind == "path":
            problem = self._path_problem(source)
            if problem:
                self.no(*problem)
            # What is mounted below the directory later shows in the container too.
            self.mounts.append(dict(mount, source=source, propagation="rslave"))
            return
        if not _PART.match(source):
            self.no("found %s %r of a volume, expected a name: lower-case letters, digits, . _ and -" % (kind, source))
            return
        if self.user == KEEP_USER:
            self.no("a volume with %s needs the number of its owner, and user is %s" % (kind, KEEP_USER), "Set user to the number that the image uses.")
            return
        if kind == "data" and len(self.hosts) > 1:
            self.no("data is on one host's disk, and %s have the label %s" % (", ".join(self.hosts), self.label),
                    "Leave the label on one of them, or use shared, on the shared store.")
        top = "%s/%s/%s" % (self.settings["data" if kind == "data" else "home"], ROLE, self.name)
        owner, group = self._owner()
        made = self.directories if kind == "data" else self.shared
        for path in ([] if made else [top]) + ["%s/%s" % (top, source)]:
            if path not in [directory["path"] for directory in made]:
                made.append({"path": path, "owner": owner, "group": group, "mode": "0750"})
        self.mounts.append(dict(mount, source="%s/%s" % (top, source)))

    def _path_problem(self, path):
        """(what is wrong with a directory of the node, what to do), or None."""
        below = [top for top in (*SENSITIVE, self.settings["secrets_dir"]) if path == top or path.startswith(top + "/")]
        volumes, data = self.settings["volumes_dir"], self.settings["data"]
        if path != "/" and not _is_path(path):
            return "found path %r of a volume, expected an absolute path on the node" % path, ""
        if path == "/" or below:
            return "a container may not have %s of its node" % path, "Copy what it needs to another directory."
        if path == data or path.startswith(data + "/"):
            return "%s has the data of the cluster's services" % path, "Use data, which makes a directory of its own."
        if path.startswith(volumes + "/"):
            return ("found path %s, expected %s: a data volume that is mounted again shows only below it" % (path, volumes),
                    "Mount %s; the volume is in it." % volumes)
        return None

    def _health(self):
        check = self.given.get("healthcheck")
        if check is None:
            return
        check = check if isinstance(check, dict) else {"test": check}
        test = check.get("test")
        if set(check) - set(HEALTH_KEYS) or not test or not isinstance(test, (str, list)):
            self.no("found healthcheck %s, expected a command, or an object with test and %s" % (_show(check), ", ".join(HEALTH_KEYS[1:])))
            return
        words = ["CMD", *map(str, test)] if isinstance(test, list) and test[0] not in ("CMD", "CMD-SHELL", "NONE") else test
        self.health = dict(HEALTH, **dict(check, test=words))

    def _words(self, key):
        return [str(word) for word in self.given.get(key) or []]

    def _buildable(self):
        """What the definition itself refuses: sizes, times."""
        service = dict(self.service(), host=None, label=self.label, secrets=[])
        try:
            build_service(service, ROLE, "net", {})
        except Failure as exc:
            self.no(exc.msg.replace(self.name + ": ", "", 1).rstrip("."))

    def images(self):
        """The image to build, or to fetch and keep, in the form of skp_image; none for an image that the cluster has."""
        if self.own:
            return []
        name = "%s-%s" % (ROLE, self.name)
        if self.build:
            return [{"name": name, "context": self.build, "base": str(self.given.get("base") or "docker-base"), "args": self.given.get("args") or {}}]
        file = {"path": "Dockerfile", "mode": 0o644, "content": base64.b64encode(MIRROR.encode()).decode()}
        return [{"name": name, "base": self.image, "files": [file]}]

    def service(self):
        """The entry for skp_service."""
        given, settings = self.given, self.settings
        uid, gid = self._owner()
        # Without a user of its own the file belongs to root: everybody in the container may read it.
        file = {"mode": "0444"} if self.user == KEEP_USER else {"uid": uid, "gid": gid}
        read_only = given.get("read_only", True) is not False
        tmp = str(given.get("tmp", TMP) or "") if read_only and "/tmp" not in self.targets else ""
        found = {
            "name": self.name,
            "image": self.image if self.own else "%s/skp/%s-%s:%s" % (settings["registry"], ROLE, self.name, settings["tag"]),
            "env": self.env,
            "secrets": [dict(file, name=name) for name in self.secrets],
            "mounts": self.mounts + ([{"type": "tmpfs", "target": "/tmp", "size": tmp, "mode": "1777"}] if tmp else []),
            "ports": [{"target": target, "published": published} for published, target in self.ports.items()],
            "labels": self._labels(),
            "init": given.get("init", True) is not False,
            "read_only": read_only,
            "cap_drop": ["ALL"],
            "cap_add": self._words("capabilities"),
            "limits": {key: value for key, value in (("memory", str(given.get("memory", MEMORY) or "")), ("cpus", given.get("cpus"))) if value},
            "restart": {"condition": "any", "delay": "5s"},
        }
        if self.user != KEEP_USER:
            found["user"] = self.user
        if self.health:
            found["healthcheck"] = self.health
        # The engine's names: what replaces ENTRYPOINT is Command, what replaces CMD is Args.
        words = self._words("entrypoint")
        if self.exported:
            words = ["/bin/sh", "-c", _exporting(self.exported), "sh", *words]
        found.update({key: value for key, value in (("command", words), ("args", self._words("command"))) if value})
        if self.directories and self.hosts:
            return dict(found, host=self.hosts[0], owns_data=self.directories[0]["path"])
        return dict(found, label=self.label)

    def _labels(self):
        login = str(self.given.get("login") or "")
        labels = {"skp.url": str(self.given.get("url") or ""),
                  "skp.login": "%s/%s" % (self.settings["secrets_dir"], login) if login in self.secrets else login}
        return {key: value for key, value in labels.items() if value}


def _exporting(names):
    """A script of a shell that starts its arguments with these secrets as variables: the definition has no value, the program finds them."""
    return "".join('%s="$(cat /run/secrets/%s)" && export %s && ' % (key, name, key) for key, name in sorted(names.items())) + 'exec "$@"'


def _harmless(value):
    """Whether the value of a variable that is named like a secret is none: a switch, or the path of a secret's file."""
    return str("" if value is None else value).lower() in _NO_SECRETS or str(value).startswith("/run/secrets/")


def _is_path(text):
    return bool(re.match(r"/[^\x00-\x1f:,]*\Z", text)) and text != "/" and not {"..", "."} & set(text.split("/")) and not text.endswith("/")


def _show(value):
    """A found value, short, and no value of an object: it may be a secret."""
    if isinstance(value, dict):
        return "an object with %s" % (", ".join(sorted(map(str, value))) or "nothing")
    if isinstance(value, list):
        return "a list"
    return {True: "true", False: "false", None: "nothing"}[value] if isinstance(value, bool) or value is None else repr(value)[:60]


def _with_contents(service, secrets):
    return dict(service, secrets=[dict(entry, content=secrets[entry["name"]]) for entry in service["secrets"]])
