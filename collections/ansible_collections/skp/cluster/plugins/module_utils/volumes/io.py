# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The data volumes of this node: their files, units and mounts. All are tried; the failures are told together."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import struct
import subprocess
import time

from .. import atomic_file, patience, run_lock
from ..engine import facts as engine_facts
from ..failure import Failure
from . import config, plan

HOME = "/etc/skp/volumes"
UNITS = "/etc/systemd/system"
SYSTEMD = "/run/systemd/system"
PROGRAMS = "/usr/local/lib/skp"
MOUNTINFO = "/proc/self/mountinfo"
FUSE = "/dev/fuse"
PROBE_SECONDS = 10
"""Time limit of one look at a mount. A look waits for the backend, which may have to be connected to again."""

POLL_SECONDS = 0.5
GET_FLAGS, SET_FLAGS, IMMUTABLE = 0x80086601, 0x40086602, 0x10
"""ioctl_iflags(2), on machines of 64 bits."""


class Node:
    """The places of the volumes on a node."""

    def __init__(self, directory, cache, timeout=60, flush_timeout=30, force=False, programs=None):
        self.directory, self.cache, self.timeout, self.flush_timeout, self.force = directory.rstrip("/"), cache, timeout, flush_timeout, force
        self.programs = dict(programs or {})

    def home(self, name):
        """The directory of a volume's files."""
        return os.path.join(HOME, name)

    def path(self, name):
        """The mount point of a volume."""
        return os.path.join(self.directory, name)


# --- all volumes ------------------------------------------------------------------------------------------------------------------------------------------

def converge(volumes, node, exclusive, check_mode, images=None, lenient=False):
    """Makes the volumes as wished. exclusive: remove those that are not in the list. images: {driver: image that has its program}.

    lenient: a volume whose program a package has is left for a call after its installation.
    Returns {"changed", "volumes": {name: facts}, "diff": [...], "failed": {name: text}, "missing_packages": [...]}.
    """
    volumes = plan.check(volumes, node.directory)
    names = {volume["name"] for volume in volumes}
    if exclusive:
        volumes += [plan.spelled({"name": name, "driver": "", "state": "absent"}) for name in present() if name not in names]
    with run_lock.alone("volumes", 300, check_mode):
        rows, failed, copied, missing = {}, {}, {}, set()
        for driver, image in (images or {}).items():
            if any(volume["driver"] == driver and volume["state"] == "mounted" for volume in volumes):
                copied[driver] = program_of_image(node, driver, image, check_mode, failed)
        for volume in volumes:
            packages = missing_packages(volume, node, images or {})
            missing.update(packages)
            if packages and lenient and not check_mode:
                continue
            try:
                rows[volume["name"]] = row_of(volume, node, check_mode)
            except (Failure, OSError) as exc:
                failed.setdefault(volume["name"], words_of(exc))
        result = {
            "changed": any(copied.values()) or any(row["steps"] for row in rows.values()),
            "missing_packages": sorted(missing),
            "diff": [dict(plan.describe(row["need"], row["found"], row["state"]), before_header=name, after_header=name)
                     for name, row in rows.items() if row["steps"]],
        }
        if not check_mode:
            apply(rows, node, failed)
        result["volumes"] = {name: facts(name, row, node, check_mode) for name, row in rows.items()}
        result["failed"] = failed
        return result


def present():
    """Names of the volumes that have files on this node."""
    try:
        return sorted(name for name in os.listdir(HOME) if plan.NAME.fullmatch(name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def row_of(volume, node, check_mode):
    """What is wanted, what is there, and the steps. Raises Failure if the volume cannot be had."""
    state = volume["state"]
    need = plan.wanted(volume, node.directory, HOME, node.cache, node.programs) if state == "mounted" else None
    found = inspect(volume["name"], node, need)
    refusal = plan.refuse(volume["name"], node.path(volume["name"]), found, state)
    if refusal:
        raise Failure(refusal, kind="volume_place")
    steps = plan.decide(need, found, state)
    if need and plan.unpinned([volume]):
        keys, words = scan(volume)
        raise Failure(plan.unpinned_text(volume, keys, words), kind="volume_unpinned", keys=keys)
    if need and steps and not check_mode:
        refuse_program(volume["driver"], node)
    return {"volume": volume, "need": need, "found": found, "state": state, "steps": steps}


def words_of(exc):
    """The text of an error, without a full stop."""
    return str(exc).rstrip(".")


# --- what is there ----------------------------------------------------------------------------------------------------------------------------------------

def inspect(name, node, need=None):
    """What is there of a volume, as `plan.decide` wants it."""
    home, path = node.home(name), node.path(name)
    unit = plan.UNIT % name
    found = {"unit": atomic_file.read_text(os.path.join(UNITS, unit)) or "", "run": atomic_file.read_text(os.path.join(home, plan.RUN)) or "",
             "enabled": os.path.islink(wants(unit)), "home": os.path.isdir(home),
             "applied": (atomic_file.read_text(os.path.join(home, plan.RECORD)) or "").strip(),
             "drift": sorted(key for key, text in need["files"].items() if atomic_file.drift(os.path.join(home, key), text)) if need else []}
    found["active"] = bool(found["unit"]) and show(unit).get("ActiveState") in ("active", "activating", "reloading", "deactivating")
    found.update(look(path, bool(found["unit"])))
    found["bare"] = bare(path, home) if found["mount"] == "none" else None
    return found


def look(path, ours=True):
    """{"mount": none | ok | stale | foreign, "type", "why"} of a mount point. ours: a volume of this module is there."""
    with open(MOUNTINFO, encoding="utf-8", errors="replace") as handle:
        mounts = plan.mounts_at(handle.read(), path)
    if not mounts:
        return {"mount": "none", "type": "", "why": "", "device": ""}
    top = mounts[-1]
    answer = {"type": top["type"], "device": top["device"]}
    if not ours or not all(plan.is_fuse(mount["type"]) for mount in mounts):
        return dict(answer, mount="foreign", why=top["source"])
    try:
        patience.within(lambda: _list(path), path, PROBE_SECONDS)
        return dict(answer, mount="ok", why="")
    except Failure:
        return dict(answer, mount="stale", why="it does not answer within %d s" % PROBE_SECONDS)
    except OSError as exc:
        return dict(answer, mount="stale", why=os.strerror(exc.errno))


def _list(path):
    os.stat(path)
    with os.scandir(path) as entries:
        next(entries, None)
    return True


def bare(path, home):
    """The directory below the mount: {"exists", "kind", "entries", "guarded"}."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"exists": False, "kind": None, "entries": [], "guarded": False}
    kind = "directory" if stat.S_ISDIR(status.st_mode) else "link" if stat.S_ISLNK(status.st_mode) else "file"
    entries = sorted(os.listdir(path)) if kind == "directory" else []
    closed = stat.S_IMODE(status.st_mode) == 0 and status.st_uid == 0
    return {"exists": True, "kind": kind, "entries": entries,
            "guarded": kind == "directory" and closed and (immutable(path) or os.path.exists(os.path.join(home, "guard-by-mode")))}


def immutable(path):
    """Whether a directory is immutable; False where the file system knows nothing of it."""
    try:
        return bool(_flags(path) & IMMUTABLE)
    except OSError:
        return False


def _flags(path, new=None):
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if new is not None:
            fcntl.ioctl(handle, SET_FLAGS, struct.pack("l", new))
        return struct.unpack("l", fcntl.ioctl(handle, GET_FLAGS, struct.pack("l", 0)))[0]
    finally:
        os.close(handle)


def show(unit):
    """Properties of a unit, {} without systemd."""
    text, _code = command(["systemctl", "show", "--property=ActiveState,SubState,NRestarts,Result,Job", unit])
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def wants(unit):
    """The link that starts a unit at boot."""
    return os.path.join(UNITS, "multi-user.target.wants", unit)


def writers(device):
    """["name (pid)"] of processes that have a file of a mounted file system open for writing, in any container. Never touches the file system itself."""
    found, mounts = [], {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, ValueError):
            space = os.readlink("/proc/%s/ns/mnt" % pid)
            if space not in mounts:
                with open("/proc/%s/mountinfo" % pid, encoding="utf-8", errors="replace") as handle:
                    mounts[space] = {line.split(" ", 1)[0] for line in handle if line.split(" ")[2] == device}
            if mounts[space] and any(_writes(pid, number, mounts[space]) for number in os.listdir("/proc/%s/fdinfo" % pid)):
                with open("/proc/%s/comm" % pid, encoding="utf-8", errors="replace") as handle:
                    found.append("%s (process %s)" % (handle.read().strip(), pid))
    return found


def _writes(pid, number, mounts):
    with contextlib.suppress(OSError):
        with open("/proc/%s/fdinfo/%s" % (pid, number), encoding="ascii", errors="replace") as handle:
            facts_of = dict(line.split(":", 1) for line in handle if ":" in line)
        return facts_of.get("mnt_id", "").strip() in mounts and bool(int(facts_of.get("flags", "0"), 8) & (os.O_WRONLY | os.O_RDWR))
    return False


def dirty(cache):
    """How many files of rclone's cache are not at the backend yet (vfs/vfscache/item.go: a JSON file for each, with Dirty)."""
    count = 0
    for directory, _directories, names in os.walk(os.path.join(cache, "vfsMeta")):
        for name in names:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                with open(os.path.join(directory, name), encoding="utf-8") as handle:
                    count += bool(json.load(handle).get("Dirty"))
    return count


def scan(volume):
    """(keys that the SSH server shows, words of ssh-keyscan)."""
    host, port = config.ssh_target(volume)
    if not shutil.which("ssh-keyscan", path=engine_facts.SEARCH_PATH):
        return [], "ssh-keyscan is not installed; install openssh-client"
    text, _code = command(["ssh-keyscan", "-T", "10", "-p", str(port), "--", host], both=False)
    keys = plan.scanned(text)
    return keys, "" if keys else "ssh-keyscan had no answer"


# --- what is done -----------------------------------------------------------------------------------------------------------------------------------------

def apply(rows, node, failed):
    """Applies all steps; waits for all starts together. Errors go into failed, under the name of their volume."""
    reload_needed = False
    started = {}
    for name, row in rows.items():
        verbs = [verb for verb, _reason in row["steps"]]
        try:
            if {"stop", "restart", "remove"} & set(verbs):
                let_end(name, row, node, verbs)
            if "stop" in verbs:
                stop(name, node)
            if "disable" in verbs:
                _unlink(wants(plan.UNIT % name))
            if "remove" in verbs:
                remove(name, node)
                reload_needed = True
            if "unmount" in verbs:
                clear(node.path(name))
            if row["need"] and verbs:
                write(row["need"])
                reload_needed = True
                if look(node.path(name))["mount"] == "none":
                    protect(name, node)
            if {"start", "restart"} & set(verbs):
                started[name] = row
        except (Failure, OSError) as exc:
            failed[name] = words_of(exc)
    if reload_needed:
        command(["systemctl", "daemon-reload"], must=True)
    if started:
        start(started, node, failed)


def write(need):
    """The files of a volume, its unit, and the link that starts it at boot."""
    atomic_file.make_directories(HOME, 0o755)
    for path, mode in ((need["home"], 0o700), (need["cache"], 0o700)):
        atomic_file.make_directories(path, mode)
        os.chmod(path, mode)
    for name, text in need["files"].items():
        if atomic_file.drift(os.path.join(need["home"], name), text):
            atomic_file.write_text(os.path.join(need["home"], name), text, 0o600)
    for name in os.listdir(need["home"]):  # of another driver
        if name not in (*need["files"], plan.RUN, plan.RECORD, "guard-by-mode"):
            os.unlink(os.path.join(need["home"], name))
    unit = plan.UNIT % need["name"]
    atomic_file.write_text(os.path.join(need["home"], plan.RUN), need["run"], 0o700)
    atomic_file.write_text(os.path.join(UNITS, unit), need["unit"], 0o644)
    if not os.path.islink(wants(unit)):
        atomic_file.make_directories(os.path.dirname(wants(unit)), 0o755)
        os.symlink(os.path.join(UNITS, unit), wants(unit))


def protect(name, node):
    """Makes the bare directory unwritable: mode 000, and immutable where the file system can, which also stops root."""
    path = node.path(name)
    atomic_file.make_directories(node.directory, 0o755)
    found = bare(path, node.home(name))
    refusal = plan.refuse(name, path, {"mount": "none", "bare": found}, "mounted")
    if refusal:
        raise Failure(refusal, kind="volume_place")
    if found["guarded"]:
        return
    if not found["exists"]:
        os.mkdir(path, 0o000)
    if not immutable(path):
        os.chown(path, 0, 0)
        os.chmod(path, 0o000)
    marker = os.path.join(node.home(name), "guard-by-mode")
    try:
        _flags(path, _flags(path) | IMMUTABLE)
        _unlink(marker)
    except OSError:
        atomic_file.write_text(marker, "This file system has no immutable directories: only the mode protects %s.\n" % path, 0o600)


def clear(path):
    """Lazily unmounts everything at a mount point."""
    for _again in range(10):
        if look_only(path):
            return
        command(["umount", "--lazy", "--internal-only", "--no-canonicalize", path])
    raise Failure("%s is still mounted after ten lazy unmounts" % path, kind="volume_unmount")


def look_only(path):
    """Whether nothing is mounted at a path. Does not touch the mount."""
    with open(MOUNTINFO, encoding="utf-8", errors="replace") as handle:
        return not plan.mounts_at(handle.read(), path)


def let_end(name, row, node, verbs):
    """Before a mount goes away: waits until nobody writes to it and everything is at the backend. Raises Failure if that does not come."""
    found, cache = row["found"], os.path.join(node.cache, name)
    keeps = "restart" in verbs and row["need"]["run"] == found["run"]  # the same program with the same cache takes up what is not uploaded
    deadline = time.monotonic() + node.flush_timeout
    while True:
        busy = writers(found["device"]) if found["mount"] == "ok" else []
        late = 0 if keeps else dirty(cache)
        if not (busy or late) or node.force:
            return
        if time.monotonic() >= deadline:
            break
        time.sleep(POLL_SECONDS)
    what = ["files are open for writing: %s" % ", ".join(busy[:5])] if busy else []
    what += ["%d files are not at the backend yet" % late] if late else []
    raise Failure("%s must be unmounted (%s), but %s. Nothing of it was changed. End what writes, wait for the backend, and run again; "
                  "volumes_force: true gives these data up" % (node.path(name), row["steps"][0][1], " and ".join(what)), kind="volume_busy", processes=busy)


def stop(name, node):
    """Ends a volume and makes sure that nothing is mounted."""
    command(["systemctl", "stop", plan.UNIT % name], seconds=90, must=os.path.exists(os.path.join(UNITS, plan.UNIT % name)))
    clear(node.path(name))


def remove(name, node):
    """Removes the files of a volume from this node. Never through a mount; what is at the backend stays."""
    path = node.path(name)
    if not look_only(path):
        raise Failure("%s is still mounted; its files were left" % path, kind="volume_unmount")
    _unlink(wants(plan.UNIT % name))
    _unlink(os.path.join(UNITS, plan.UNIT % name))
    found = bare(path, node.home(name))
    if found["kind"] == "directory" and not found["entries"]:
        if immutable(path):
            _flags(path, _flags(path) & ~IMMUTABLE)
        os.rmdir(path)
    for directory in (os.path.join(node.cache, name), node.home(name)):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(directory)


def start(rows, node, failed):
    """Starts volumes and waits for all of them together."""
    since = time.time()
    for name, row in rows.items():
        command(["systemctl", "reset-failed", plan.UNIT % name])
        command(["systemctl", "restart", "--no-block", plan.UNIT % name], must=True)
        atomic_file.write_text(os.path.join(row["need"]["home"], plan.RECORD), row["need"]["digest"] + "\n", 0o600)
    waiting, deadline = dict(rows), time.monotonic() + node.timeout
    while waiting:
        for name in list(waiting):
            late = time.monotonic() >= deadline
            mount = look(node.path(name))["mount"]
            state = plan.progress(show(plan.UNIT % name), mount)
            # A program that mounts first and asks its backend then is seen mounted for a moment: it has to stay.
            if state == "done" and settled(name, node):
                del waiting[name]
            elif state == "failed" or late:
                failed[name] = failure(name, waiting.pop(name), node, since)
        if waiting:
            time.sleep(POLL_SECONDS)


def settled(name, node):
    """Whether a volume is still mounted and its program still the same one after a moment."""
    before = show(plan.UNIT % name).get("NRestarts")
    time.sleep(POLL_SECONDS)
    after = show(plan.UNIT % name)
    return after.get("NRestarts") == before and plan.progress(after, look(node.path(name))["mount"]) == "done"


def failure(name, row, node, since):
    """The text of a volume that did not come. A mount that answers nothing is taken away; the unit goes on trying."""
    if look(node.path(name))["mount"] == "stale":
        with contextlib.suppress(Failure):
            clear(node.path(name))
    words, _code = command(["journalctl", "_SYSTEMD_UNIT=%s" % (plan.UNIT % name), "--since=@%d" % since, "--output=cat", "--no-pager", "--lines=30"])
    seen = scan(row["volume"])[0] if row["need"]["driver"] == "sshfs" and "ost key" in words else []
    return plan.failed_text(row["need"], words, int(time.time() - since), seen)


def facts(name, row, node, check_mode):
    """The returned facts of a volume."""
    before = row["found"]
    now = before if check_mode or not row["steps"] else look(node.path(name), True)
    by_mode = os.path.exists(os.path.join(node.home(name), "guard-by-mode"))
    return {"path": node.path(name), "driver": row["volume"]["driver"], "state": row["state"], "mounted": now["mount"] == "ok", "unit": plan.UNIT % name,
            "changes": ["%s: %s" % step for step in row["steps"]], "guard": "" if row["state"] == "absent" else "mode" if by_mode else "immutable"}


# --- programs ---------------------------------------------------------------------------------------------------------------------------------------------

def missing_packages(volume, node, images):
    """Packages of the distribution that a volume lacks on this node. None for a program of the site's own, or one out of an image."""
    driver = volume["driver"]
    if volume["state"] != "mounted":
        return []
    lacking = []
    if driver not in images and driver in plan.PACKAGES and not shutil.which(node.programs.get(driver) or driver, path=engine_facts.SEARCH_PATH):
        lacking.append(plan.PACKAGES[driver])
    # These two call the helper of FUSE; the others are linked to its library, which their packages bring.
    if driver in ("rclone", "blobfuse2") and not shutil.which("fusermount3", path=engine_facts.SEARCH_PATH):
        lacking.append("fuse3")
    return lacking


def refuse_program(driver, node):
    """Raises Failure if the program of a driver, or FUSE, is missing on this node."""
    program = node.programs.get(driver) or config.PROGRAMS[driver]
    if not os.path.exists(FUSE):
        raise Failure("%s does not exist. Load the kernel's module (`modprobe fuse`); a machine that is a container gets the device from its host" % FUSE,
                      kind="volume_fuse")
    if not shutil.which(program, path=engine_facts.SEARCH_PATH):
        raise Failure("the program %s is not installed. %s" % (program, plan.INSTALL[driver]), kind="volume_program", program=program)
    if driver == "rclone":
        text, _code = command([program, "version"])
        fault = plan.rclone_fault(text)
        if fault:
            raise Failure(fault, kind="volume_program", program=program)


def program_of_image(node, driver, image, check_mode, failed):
    """Copies the program of a driver out of an image that this node has, if it is not there. Returns whether something changes."""
    target = os.path.join(PROGRAMS, config.PROGRAMS[driver])
    record = target + ".image"
    node.programs[driver] = target
    if os.path.exists(target) and (atomic_file.read_text(record) or "").strip() == image:
        return False
    if check_mode:
        return True
    atomic_file.make_directories(PROGRAMS, 0o755)
    container, code = command(["docker", "create", image], both=False)
    if code:
        failed[config.PROGRAMS[driver]] = "its program could not be copied out of the image %s: %s. Run site.yml with the tag images first" % (image, container)
        return False
    try:
        command(["docker", "cp", "%s:/usr/local/bin/%s" % (container.strip(), config.PROGRAMS[driver]), target + ".new"], must=True, seconds=120)
        os.chmod(target + ".new", 0o755)
        os.replace(target + ".new", target)  # a running program keeps the old file
        atomic_file.write_text(record, image + "\n", 0o644)
    finally:
        command(["docker", "rm", container.strip()])
    return True


def _unlink(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def command(argv, seconds=60, must=False, both=True):
    """(output, exit code) of a command; with `must` an error is a Failure. No command gets a secret."""
    environment = dict(os.environ, PATH=engine_facts.SEARCH_PATH, LC_ALL="C.UTF-8")
    try:
        # run_command has no time limit.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if both else subprocess.PIPE, text=True, errors="replace",
            timeout=seconds, check=False, env=environment)
        text, code = done.stdout if not done.returncode or both else done.stdout + done.stderr, done.returncode
    except subprocess.TimeoutExpired:
        text, code = "no answer in %d s" % seconds, 124
    except OSError as exc:
        text, code = exc.strerror or str(exc), 127 if exc.errno == errno.ENOENT else 126
    if must and code:
        raise Failure("`%s` failed: %s" % (" ".join(argv)[:200], text.strip()), kind="volume_command", command=argv[:2])
    return text, code
