# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Containers and directories of an st-kilda-pier on this node: read, stopped, moved by rename.

The engine is asked without the Docker SDK, which an old node need not have.
"""

from __future__ import annotations

import json
import os
import re
from http.client import HTTPException
from urllib.parse import quote

from .. import atomic_file
from ..data_dirs.io import read_below
from ..data_dirs.plan import mount_of
from ..engine.facts import ask
from ..engine.wire import exchange, socket_path
from ..failure import Failure
from . import plan

META_DEPTH = 2
"""Directories between Kafka's directory and meta.properties, at most."""


def post(path, body=None, timeout=60):
    """POST to the engine; the bytes of the answer. Raises Failure with the engine's text."""
    try:
        status, answer = exchange(socket_path(), "POST", path, body=None if body is None else json.dumps(body).encode(),
                                  headers={"Content-Type": "application/json"}, timeout=timeout)
    except (OSError, HTTPException) as exc:
        raise Failure("The Docker engine did not answer POST %s: %s. Start it (systemctl start docker), and run again." % (path, exc), kind="engine") from exc
    if status >= 400:
        raise Failure("The Docker engine refused POST %s: %s" % (path, answer.decode("utf-8", "replace").strip()[:400]), kind="engine", status=status)
    return answer


def containers():
    """All containers of this node: [{"name", "id", "image", "state", "restart", "hostname", "labels", "env", "mounts": {target: source on the host}}]."""
    try:
        return [_container(ask("/containers/%s/json" % entry["Id"])) for entry in ask("/containers/json?all=1")]
    except (OSError, RuntimeError) as exc:
        raise Failure("The containers of this node cannot be read: %s. Start the engine (systemctl start docker), and run again." % exc, kind="engine") from exc


def _container(entry):
    config, host = entry.get("Config") or {}, entry.get("HostConfig") or {}
    return {
        "name": entry["Name"].lstrip("/"),
        "id": entry["Id"],
        "image": config.get("Image", ""),
        "state": (entry.get("State") or {}).get("Status", ""),
        "restart": (host.get("RestartPolicy") or {}).get("Name", ""),
        "hostname": config.get("Hostname", ""),
        "labels": config.get("Labels") or {},
        # Only what the plan asks for: the others hold passwords.
        "env": {name: value for name, _sign, value in (item.partition("=") for item in config.get("Env") or []) if name == "KAFKA_BROKER_ID"},
        "mounts": {mount["Destination"]: _source(mount) for mount in entry.get("Mounts") or []},
    }


def _source(mount):
    """Directory of the host that a mount shows; of a volume that is a bind mount itself, that directory."""
    if mount.get("Type") == "volume" and mount.get("Name"):
        try:
            options = ask("/volumes/" + quote(mount["Name"], safe="")).get("Options") or {}
        except (OSError, RuntimeError):
            options = {}
        if "bind" in options.get("o", "").split(",") and options.get("device", "").startswith("/"):
            return options["device"].rstrip("/")
    return (mount.get("Source") or "").rstrip("/")


def mysql_version(container):
    """The version that the server in a running container has, '' if it does not say one."""
    try:
        number = json.loads(post("/containers/%s/exec" % container["id"], {"Cmd": ["mysqld", "--version"], "AttachStdout": True, "AttachStderr": True}))["Id"]
        text = post("/exec/%s/start" % number, {"Detach": False, "Tty": False}).decode("utf-8", "replace")
    except (Failure, ValueError, KeyError):
        return ""
    found = re.search(r"Ver (\d+\.\d+\.\d+)", text)
    return found.group(1) if found else ""


def network(name):
    """{"subnet"} of an overlay network that this node's engine knows, None otherwise."""
    try:
        found = ask("/networks/" + quote(name, safe=""))
    except (OSError, RuntimeError):
        return None
    subnets = [entry.get("Subnet") for entry in (found.get("IPAM") or {}).get("Config") or [] if entry.get("Subnet")]
    return {"subnet": subnets[0] if len(subnets) == 1 else ""} if found.get("Driver") == "overlay" else None


# -- directories ----------------------------------------------------------------------------------------------------------


def read(service, path, mounts):
    """What `plan.judge` needs to know of one directory: "exists", "fstype" and what the service has there."""
    found = {"exists": os.path.isdir(path) and not os.path.islink(path), "fstype": mount_of(os.path.realpath(path), mounts)[1]}
    if found["exists"]:
        found.update(_READERS[service](path))
    return found


def _zookeeper(path):
    names = _names(path + "/data/version-2")
    return {
        "myid": read_below(path, "data/myid") or "" if os.path.isdir(path + "/data") else "",
        "snapshots": sum(name.startswith("snapshot.") for name in names),
        "logs": sum(name.startswith("log.") for name in names),
    }


def _kafka(path):
    meta, partitions = {}, {}
    for directory, names, files in os.walk(path):
        if "meta.properties" in files:
            text = read_below(directory, "meta.properties") or ""
            meta[directory] = dict(line.strip().split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
            partitions[directory] = sum(bool(re.fullmatch(r".+-\d+", name)) for name in names)
            names[:] = []
        elif os.path.relpath(directory, path).count("/") + 1 >= META_DEPTH and directory != path:
            names[:] = []
    return {"meta": meta, "partitions": partitions}


def _mysql(path):
    places = {"moved": path + "/data", "here": path, "staged": os.path.join(path, plan.STAGING)}
    found = {name: os.path.isfile(place + "/ibdata1") for name, place in places.items()}
    # Also while its files are being gathered.
    return dict(found, dictionary=any(os.path.isfile(place + "/mysql.ibd") for place in places.values()))


def _notebooks(path):
    count = {"notebooks": 0, "files": 0}
    for _directory, _names, files in os.walk(path):
        count["files"] += len(files)
        count["notebooks"] += sum(name.endswith(".ipynb") for name in files)
    return count


_READERS = {"zookeeper": _zookeeper, "kafka": _kafka, "mysql": _mysql, "notebooks": _notebooks}


def _names(path):
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []


def foreign(tree, uid, left):
    """[(path, uid, gid)] of everything in a tree that does not belong to `uid`, without what `plan.kept` names. No link is followed."""
    found = []
    for directory, names, files in os.walk(tree):
        if plan.kept(directory, left) and not any(other.startswith(directory + "/") for other in left):
            names[:] = []
            continue
        links = [name for name in names if os.path.islink(os.path.join(directory, name))]
        for path in [directory] + [os.path.join(directory, name) for name in files + links]:
            status = os.lstat(path)
            if (status.st_uid, status.st_gid) != (uid, uid) and not plan.kept(path, left):
                found.append((path, status.st_uid, status.st_gid))
    return found


def effective(steps):
    """The steps that would still change something, those of owners with the number of files: [(verb, ...)]."""
    todo = []
    for step in steps:
        if step[0] == "own":
            # Before a rename the tree is not there yet; then all of it has to change.
            count = len(foreign(step[1], step[2], step[3])) if os.path.isdir(step[1]) else -1
            todo += [step] if count else []
        else:
            todo.append(step)
    return todo


def apply(step):
    """One step of `plan.take_steps`. Each can be repeated after it was cut off."""
    verb, *rest = step
    if verb == "make":
        if not os.path.isdir(rest[0]):
            os.mkdir(rest[0])
            os.chmod(rest[0], 0o750)
    elif verb == "rename":
        rename(*rest)
    elif verb == "gather":
        gather(rest[0])
    elif verb == "own":
        own(*rest)


def rename(source, target):
    """A directory gets another name on its own file system. Raises Failure if the name is taken or is on another one."""
    if os.path.lexists(target):
        raise Failure("%s is there already, and the data is in %s. Nothing was moved. Move it to another place, and run again." % (target, source),
                      kind="taken", path=target)
    if os.lstat(source).st_dev != os.lstat(os.path.dirname(target)).st_dev:
        raise Failure("%s and %s are on different file systems; nothing is copied. Move the data yourself, and run again." % (source, os.path.dirname(target)),
                      kind="other_filesystem", path=source)
    os.rename(source, target)
    atomic_file.sync_directory(os.path.dirname(source))
    atomic_file.sync_directory(os.path.dirname(target))


def gather(path):
    """Everything in MySQL's directory moves into `data` below it, through a directory that gets this name last: a run that is cut off is continued."""
    staging, target = os.path.join(path, plan.STAGING), os.path.join(path, "data")
    if not os.path.isdir(staging):
        os.mkdir(staging)
        os.chmod(staging, 0o750)
    for name in sorted(os.listdir(path)):
        if name != plan.STAGING:
            rename(os.path.join(path, name), os.path.join(staging, name))
    rename(staging, target)


def own(tree, uid, left):
    """Give a tree to a user. The former owners are recorded first. No link is followed; a name that became something else meanwhile is not changed."""
    todo = foreign(tree, uid, left)
    if not todo:
        return
    atomic_file.make_directories(os.path.dirname(plan.OWNERS), 0o755)
    handle = os.open(plan.OWNERS, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.writelines(json.dumps(list(entry)) + "\n" for entry in todo)
        stream.flush()
        os.fsync(stream.fileno())
    by_directory = {}
    for path, _uid, _gid in todo:
        by_directory.setdefault(os.path.dirname(path), []).append(os.path.basename(path))
    for directory, names in by_directory.items():
        parent = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            for name in names:
                os.chown(name, uid, uid, dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(parent)


# -- the record -----------------------------------------------------------------------------------------------------------


def read_record():
    """{"containers": {name: {...}}, "moves": [[from, to]], "taken": [services], "mysql": version}; empty ones before the first run."""
    text = atomic_file.read_text(plan.RECORD)
    try:
        return dict({"containers": {}, "moves": [], "taken": [], "mysql": ""}, **json.loads(text or "{}"))
    except ValueError as exc:
        raise Failure("%s cannot be read: %s. It names what was stopped on this node; move it aside, and run again." % (plan.RECORD, exc),
                      kind="record") from exc


def write_record(record):
    """Keep the record, for root alone."""
    atomic_file.write_text(plan.RECORD, json.dumps(record, indent=1, sort_keys=True) + "\n", 0o600)
