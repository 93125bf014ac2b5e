# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The I/O of the registry modules on a node: the engine, the store's directory, the files."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
import time

from .. import atomic_file, patience
from ..data_dirs.plan import parse_mountinfo
from ..engine import client as engine
from ..failure import Failure
from .plan import ADOPTED, ADOPTED_TEXT, MARKER, STORE_TARGET, digest_of

POLL = 0.2  # seconds between two polls
STOP_SECONDS = 40  # the registry drains for 30 s at most
LOG_LINES = 15


def read_container(client, name):
    """None, or the container as plain data: {"id", "name", "ours", "kind" (writer, reader, gc or ""), "hash", "store", "image",
    "image_id", "user", "running", "status", "health", "restarts", "exit_code", "error", "started_at", "pid"}."""
    try:
        found = engine.get(client, "/containers/%s/json" % name, what="reading container %s" % name)
    except engine.EngineError as exc:
        if exc.failure.get("status") == 404:
            return None
        raise
    labels = found["Config"].get("Labels") or {}
    state = found["State"]
    return {
        "id": found["Id"],
        "name": name,
        "ours": labels.get("skp.role") == "registry",
        "kind": labels.get("skp.registry", ""),
        "hash": labels.get("skp.hash", ""),
        "store": labels.get("skp.store", ""),
        "image": found["Config"].get("Image", ""),
        "image_id": found.get("Image", ""),
        "user": found["Config"].get("User", ""),
        "running": bool(state.get("Running")) and not state.get("Restarting"),
        "status": state.get("Status", ""),
        "health": (state.get("Health") or {}).get("Status", ""),
        "restarts": found.get("RestartCount", 0),
        "exit_code": state.get("ExitCode", 0),
        "error": state.get("Error", ""),
        "started_at": state.get("StartedAt", ""),
        "pid": state.get("Pid", 0),
    }


def store_is_stale(container, store):
    """True if the container's directory is not the one that is now at the store's path: the store was mounted again after the container
    started, or the file handle is stale. Compared by device and inode through /proc."""
    try:
        inside, outside = patience.within(
            lambda: [(found.st_dev, found.st_ino) for found in (os.stat("/proc/%d/root%s" % (container["pid"], STORE_TARGET)), os.stat(store))], store)
    except OSError as exc:
        return exc.errno in (errno.ESTALE, errno.EIO, errno.ENOTCONN)
    return inside != outside


def read_image(client, reference):
    """None, or {"id", "hash"}: the image's id and its label `skp.hash` ("" without)."""
    try:
        found = engine.get(client, "/images/%s/json" % reference, what="reading image %s" % reference)
    except engine.EngineError as exc:
        if exc.failure.get("status") == 404:
            return None
        raise
    return {"id": found["Id"], "hash": ((found.get("Config") or {}).get("Labels") or {}).get("skp.hash", "")}


def load_image(client, archive, checksum):
    """`docker load` of an archive on this node's disk or on the shared store. Returns the name of the image in it, "" if it has none. Raises Failure.

    checksum: the SHA-256 that the file must have ("" for any); nothing of another file reaches the engine.
    """
    name = ""
    try:
        with open(archive, "rb") as handle:
            state = hashlib.sha256()
            for piece in iter(lambda: handle.read(1 << 20), b""):
                state.update(piece)
            if checksum and state.hexdigest() != checksum:
                raise Failure(
                    "%s was changed: its SHA-256 is %s, expected %s. It was not loaded. The next run of --tags registry with the master writes it again; "
                    "find out who can write to the shared store (docs/store.md)." % (archive, state.hexdigest(), checksum),
                    "archive_changed", path=archive, found=state.hexdigest(), expected=checksum)
            handle.seek(0)
            for line in engine.raw(client).load_image(handle):
                _image_error(line, "loading %s" % archive)
                text = str(line.get("stream") or "").strip()
                if text.startswith("Loaded image: "):
                    name = text[len("Loaded image: "):]
    except OSError as exc:
        if exc.filename != archive:
            raise engine.EngineError("loading %s: the engine did not accept it: %s" % (archive, exc), kind="engine_unreachable") from exc
        raise Failure(
            "The registry's image cannot be loaded: %s: %s. --tags registry builds it on the master; is the shared store mounted here?"
            % (archive, exc.strerror), "archive_missing", path=archive) from exc
    return name


def tag_image(client, reference, wanted):
    """Give an image of this engine another name (`repository:tag`)."""
    repository, _colon, tag = wanted.rpartition(":")
    engine.post(client, "/images/%s/tag" % reference, params={"repo": repository, "tag": tag}, what="tagging %s" % reference)


def former_names(client, name):
    """Names of other registries of skp.cluster on this node: registry_name was changed, and the old one still uses the port."""
    filters = {"label": ["skp.role=registry"]}
    listed = engine.get(client, "/containers/json", params={"all": "true", "filters": filters}, what="listing registries") if client else []
    return sorted(item["Names"][0].lstrip("/") for item in listed
                  if item["Labels"].get("skp.registry") in ("writer", "reader") and "/" + name not in item["Names"])


def running_digests(client):
    """{digest: [services]} of all images that services of the swarm run: the old ones too while an update or its way back has not ended."""
    found = {}
    for service in engine.get(client, "/services", what="listing the services") or []:
        ended = (service.get("UpdateStatus") or {}).get("State") in (None, "", "completed", "rollback_completed")
        for spec in (service["Spec"], {} if ended else service.get("PreviousSpec") or {}):
            image = ((spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}).get("Image") or ""
            if digest_of(image):
                found.setdefault(digest_of(image), set()).add(service["Spec"]["Name"])
    return {digest: sorted(names) for digest, names in found.items()}


def pull_image(client, reference):
    """`docker pull` of an upstream image. Raises EngineError with the engine's error message."""
    name, tag = reference, "latest"
    if "@" not in reference and ":" in reference.rsplit("/", 1)[-1]:
        name, tag = reference.rsplit(":", 1)
    params = {"fromImage": name} if "@" in reference else {"fromImage": name, "tag": tag}
    answer = engine.post(client, "/images/create", params=params, what="pulling %s" % reference, timeout=1800, decode=False)
    for line in answer.splitlines():
        if line.strip():
            _image_error(json.loads(line.decode("utf-8")), "pulling %s" % reference)


def _image_error(line, what):
    if "error" in line:
        raise engine.EngineError("%s: %s" % (what, line["error"]), kind="api", what=what)


def create(client, name, spec):
    """Create a container; it is not started."""
    engine.post(client, "/containers/create", body=spec, params={"name": name}, what="creating container %s" % name)


def start(client, name):
    """Start a container, if it is not running."""
    engine.post(client, "/containers/%s/start" % name, what="starting container %s" % name)


def stop(client, name):
    """Stop a container and let it finish its requests."""
    engine.post(client, "/containers/%s/stop" % name, params={"t": STOP_SECONDS}, what="stopping container %s" % name,
                timeout=STOP_SECONDS + 60)


def remove(client, name):
    """Stop and remove a container with its anonymous volumes (an upstream image may declare one); the store is not a volume."""
    stop(client, name)
    engine.delete(client, "/containers/%s" % name, params={"v": "true", "force": "true"}, what="removing container %s" % name)


def log_tail(client, name, lines=LOG_LINES):
    """The last lines of a container's log, as text."""
    content = engine.get(client, "/containers/%s/logs" % name, params={"stdout": "1", "stderr": "1", "tail": str(lines)},
                         what="reading the log of %s" % name, decode=False)
    return engine.demultiplex(content)


def wait_healthy(client, name, registry, seconds):
    """Wait until the container runs and its registry is healthy. Raises Failure with the last lines of the container's log."""
    deadline = time.monotonic() + seconds
    while True:
        healthy, text = registry.health()
        container = read_container(client, name)
        if container is None:
            raise Failure("Container %s disappeared during the wait; something else removed it. Run again." % name, "not_healthy", name=name)
        if healthy and container["running"]:
            return container
        failing = container["restarts"] >= 2 or container["status"] in ("exited", "dead")
        if failing or time.monotonic() > deadline:
            log = log_tail(client, name)
            raise Failure(
                "The registry %s %s: %s. Container: %s%s, %d restarts. Last lines of its log:\n%s" % (
                    name, "exits again and again" if failing else "is not healthy after %d s" % seconds, text, container["status"],
                    ", exit code %d %s" % (container["exit_code"], container["error"]) if failing else "", container["restarts"], log),
                "not_healthy", name=name, container=container, log=log)
        time.sleep(POLL)


def wait_answer(registry, seconds):
    """True as soon as the registry is healthy, False if it is not within that time. The first poll is immediate."""
    deadline = time.monotonic() + seconds
    while not registry.ping():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def refuse_taken_port(address, port):
    """Raises Failure if another program listens on the registry's port. Called only while the registry's container is not running."""
    try:
        with socket.create_connection((address, port), timeout=2):
            pass
    except OSError:
        return
    raise Failure(
        "Port %d on %s is taken by another program, so the registry cannot start. "
        "Show it with: ss -ltnp 'sport = :%d'" % (port, address, port),
        "port_taken", address=address, port=port)


def run_to_end(client, name, spec, seconds):
    """Run a one-shot container to its end and remove it. Returns (exit code, output). After a timeout it is killed and Failure raised."""
    engine.delete(client, "/containers/%s" % name, params={"v": "true", "force": "true"}, what="removing container %s" % name)
    create(client, name, spec)
    try:
        start(client, name)
        deadline = time.monotonic() + seconds
        while True:
            container = read_container(client, name)
            if container is None or container["status"] in ("exited", "dead"):
                break
            if time.monotonic() > deadline:
                raise Failure(
                    "%s did not finish within %d s and was stopped. Increase gc_timeout." % (name, seconds), "gc_timeout", name=name)
            time.sleep(POLL)
        if container is None:
            raise Failure("Something else removed the container %s while it ran." % name, "gc_failed", name=name)
        return container["exit_code"], log_tail(client, name, lines="all")
    finally:
        engine.delete(client, "/containers/%s" % name, params={"v": "true", "force": "true"}, what="removing container %s" % name)


def read_store(path, wait_marker=0):
    """The state of the store's path: {"exists", "parent_exists", "entries" (names without the marker), "marker", "uid", "mode"}.

    wait_marker: seconds to wait for the marker; over NFS a node may cache for up to 60 s that a file does not exist.
    """
    deadline = time.monotonic() + wait_marker
    while True:
        found = _look_at_store(path)
        if found["marker"] or time.monotonic() >= deadline:
            return found
        time.sleep(POLL * 2)


def _look_at_store(path):
    try:
        return patience.within(lambda: _list_store(path), path)
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def _unreadable(path, exc):
    return Failure("The registry store %s cannot be read: %s. Does the shared store's server run (findmnt -T %s)?" % (path, exc.strerror, path),
                   "store_unreadable", path=path)


def _list_store(path):
    found = {"exists": False, "entries": [], "marker": None, "uid": None, "mode": None, "adopted": False}
    found["parent_exists"] = os.path.isdir(os.path.dirname(path))
    try:
        names = sorted(os.listdir(path))
        about = os.stat(path)
    except FileNotFoundError:
        return found
    found.update(exists=True, entries=[name for name in names if name not in (MARKER, ADOPTED)], uid=about.st_uid, mode=about.st_mode & 0o7777,
                 adopted=ADOPTED in names)
    if MARKER in names:
        with atomic_file.open_plain(os.path.join(path, MARKER)) as handle:
            found["marker"] = handle.read(256).decode("utf-8", "replace").strip()
    return found


def create_store(path, uid, gid):
    """Create the store's directory, owned by the registry's user. Its parent must exist."""
    os.mkdir(path)
    os.chmod(path, 0o755)
    os.chown(path, uid, gid)


def mark_store(path, store_id, uid, gid):
    """Write the marker; world-readable, because nodes with a squashed root read it too."""
    atomic_file.write_text(os.path.join(path, MARKER), store_id + "\n", mode=0o644, uid=uid, gid=gid)


def adopt_store(path, uid, gid):
    """Note that the images were there before: a purge leaves them."""
    atomic_file.write_text(os.path.join(path, ADOPTED), ADOPTED_TEXT, mode=0o644, uid=uid, gid=gid)


def mount_points():
    """The mount points of this node."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as handle:
        return [point for point, _kind, _source in parse_mountinfo(handle.read())]


def empty_store(path):
    """Remove the images and then the marker, so that an interrupted removal can be repeated. The directory itself stays."""
    images = os.path.join(path, "docker")
    if os.path.isdir(images):
        shutil.rmtree(images)
    if os.path.exists(os.path.join(path, MARKER)):
        os.unlink(os.path.join(path, MARKER))
