# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Reads the facts of one node for preflight. It reads only; plan.py has the checks."""

from __future__ import annotations

import errno
import ipaddress
import os
import platform
import pwd
import re
import select
import shutil
import socket
import tempfile
import time
import uuid

from .. import patience
from ..engine import facts as engine_facts
from ..failure import Failure
from ..store import plan as store_plan
from ..volumes import io as volumes_io

MARKERS = ".skp-preflight"
"""Directory in the shared store with one marker file per host."""

CONTAINER_ID = re.compile(r"[0-9a-f]{64}")


def read_file(path, default=""):
    """The stripped text of a small file, `default` if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read().strip()
    except OSError:
        return default


def system():
    """Operating system, kernel, Python, and the type of container, if the node is one."""
    release = {}
    for line in read_file("/etc/os-release").splitlines():
        key, dummy, value = line.partition("=")
        release[key] = value.strip("\"'")
    return {
        "hostname": socket.gethostname(),
        "machine_id": read_file("/etc/machine-id"),
        "os": release.get("ID", ""), "os_version": release.get("VERSION_ID", ""), "os_name": release.get("PRETTY_NAME", ""),
        "kernel": platform.release(), "architecture": platform.machine(), "python": platform.python_version(),
        "container": read_file("/run/systemd/container"),
        "systemd": os.path.isdir("/run/systemd/system"),
        "uid": os.geteuid(),
    }


def accounts(numbers):
    """{user id as text: name of the account} of those ids that have an account on this node."""
    found = {}
    for number in numbers:
        try:
            found[str(number)] = pwd.getpwuid(int(number)).pw_name
        except KeyError:
            continue
    return found


def secrets(path):
    """Why root cannot store secrets in a directory, made if need be: text, "" if it can. Only looks; `access` also knows read-only and immutable."""
    parent = os.path.abspath(path)
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent):
        return "%s is no directory" % parent
    if not os.access(parent, os.W_OK | os.X_OK):
        return "%s cannot be written" % parent
    space = os.statvfs(parent)
    if not space.f_bavail or (space.f_files and not space.f_favail):
        return "the disk of %s is full" % parent
    files = os.listdir(parent) if parent == os.path.abspath(path) else []
    kept = [name for name in files if not os.access(os.path.join(parent, name), os.W_OK)]
    return "%s cannot be written" % ", ".join(os.path.join(parent, name) for name in sorted(kept)) if kept else ""


def memory():
    """{"total", "available", "swap"} in bytes, and "cpus"."""
    values = {}
    for line in read_file("/proc/meminfo").splitlines():
        key, dummy, rest = line.partition(":")
        values[key] = int(rest.split()[0]) * 1024
    return {"total": values.get("MemTotal", 0), "available": values.get("MemAvailable", 0), "swap": values.get("SwapTotal", 0),
            "cpus": os.cpu_count() or 0}


def mounts():
    """[{"source", "point", "type"}] in the order of the mounts."""
    return store_plan.read_mounts(read_file("/proc/self/mounts"))


def disk(path):
    """Space under a path, or under its nearest existing parent.

    Returns {"path", "exists", "on", "mount", "type", "free", "total", "inodes_free", "device", "inode"}: sizes in bytes (free: for users other than root,
    as the services are), inodes_free is None if the file system does not count inodes. {"path", "silent"} (text) if its file system does not answer.
    """
    try:
        return patience.within(lambda: _disk(path), path)
    except Failure as exc:
        return {"path": path, "silent": exc.msg}


def _disk(path):
    parent = os.path.abspath(path)
    while not os.path.exists(parent):
        parent = os.path.dirname(parent)
    real = os.path.realpath(parent)
    space, status = os.statvfs(real), os.stat(real)
    mount, kind = "/", ""
    for item in mounts():
        if (real == item["point"] or real.startswith(item["point"].rstrip("/") + "/")) and len(item["point"]) >= len(mount):
            mount, kind = item["point"], item["type"]
    return {"path": path, "exists": os.path.exists(path), "on": parent, "mount": mount, "type": kind,
            "free": space.f_bavail * space.f_frsize, "total": space.f_blocks * space.f_frsize,
            "inodes_free": space.f_favail if space.f_files else None, "device": status.st_dev, "inode": status.st_ino}


def resolve(names):
    """{name: {"addresses": [text]} or {"error": text}, with "seconds"}."""
    answers = {}
    for name in names:
        start = time.monotonic()
        try:
            addresses = sorted({item[4][0] for item in socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)})
            answers[name] = {"addresses": addresses}
        except (OSError, UnicodeError) as exc:
            answers[name] = {"error": str(exc)}
        answers[name]["seconds"] = round(time.monotonic() - start, 3)
    return answers


def public_addresses(proc="/proc/net"):
    """Addresses of this node that the internet can reach, unless something in front of it forbids that."""
    found, address = set(), ""
    try:
        with open(os.path.join(proc, "fib_trie"), encoding="ascii") as handle:
            for line in handle:
                words = line.split()
                if "|--" in words:
                    address = words[-1]
                elif words[:3] == ["/32", "host", "LOCAL"]:
                    found.add(address)
    except OSError:
        pass
    try:
        with open(os.path.join(proc, "if_inet6"), encoding="ascii") as handle:
            found |= {str(ipaddress.IPv6Address(int(line.split()[0], 16))) for line in handle if line.strip()}
    except OSError:
        pass
    return sorted(text for text in found if ipaddress.ip_address(text).is_global)


def is_local(address):
    """Whether this machine has the address (binding to it works); None if the text is not an address."""
    try:
        family = socket.getaddrinfo(address, None, flags=socket.AI_NUMERICHOST)[0][0]
    except OSError:
        return None
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
            return True
        except OSError as exc:
            return None if exc.errno != errno.EADDRNOTAVAIL else False


def reach(peers, port, timeout):
    """{host: ""} for every peer that answers on the port, else {host: why not}. peers: {host: address}.

    All in parallel, within `timeout` seconds. A refused connection also proves that the address is reachable.
    """
    answers, waiting = {}, {}
    poller = select.poll()
    for host, address in peers.items():
        try:
            family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
            connection = socket.socket(family, socket.SOCK_STREAM)
            connection.setblocking(False)
            code = connection.connect_ex((address, port))
        except OSError as exc:
            answers[host] = str(exc)
            continue
        if code in (0, errno.ECONNREFUSED):
            answers[host] = ""
            connection.close()
        elif code != errno.EINPROGRESS:
            answers[host] = os.strerror(code)
            connection.close()
        else:
            waiting[connection.fileno()] = (host, connection)
            poller.register(connection, select.POLLOUT)
    deadline = time.monotonic() + timeout
    while waiting and time.monotonic() < deadline:
        for number, dummy in poller.poll(max(1, (deadline - time.monotonic()) * 1000)):
            host, connection = waiting.pop(number)
            code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            answers[host] = "" if code in (0, errno.ECONNREFUSED) else os.strerror(code)
            poller.unregister(number)
            connection.close()
    for host, connection in waiting.values():
        answers[host] = "no answer within %g s" % timeout
        connection.close()
    return answers


def listening(ports):
    """Sockets on the wanted ports: [{"port": "5000/tcp", "inode"}]. ports: ["number/protocol"]."""
    found = []
    for protocol in ("tcp", "udp"):
        wanted = {int(port.split("/")[0]) for port in ports if port.endswith("/" + protocol)}
        for suffix in ("", "6"):
            for line in read_file("/proc/net/%s%s" % (protocol, suffix)).splitlines()[1:]:
                fields = line.split()
                number = fields[1].rpartition(":")[2]
                # 0A is LISTEN; an unconnected UDP socket is 07 (a connected one, 01, belongs to a client).
                if int(number, 16) in wanted and fields[3] == {"tcp": "0A", "udp": "07"}[protocol]:
                    found.append({"port": "%d/%s" % (int(number, 16), protocol), "inode": fields[9]})
    return found


def _owners(inodes):
    """{socket inode: pid} from /proc; only called if a wanted port is in use."""
    owners = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for target in _open_files(pid):
            if target.startswith("socket:[") and target[8:-1] in inodes:
                owners.setdefault(target[8:-1], int(pid))
    return owners


def _open_files(pid):
    """What the open files of a process are. A file that is closed meanwhile, or a process that ends, is passed over."""
    try:
        numbers = os.listdir("/proc/%s/fd" % pid)
    except OSError:
        return
    for number in numbers:
        try:
            yield os.readlink("/proc/%s/fd/%s" % (pid, number))
        except OSError:
            continue


PROXY_PATIENCE = 10
"""Maximum seconds from a container's first open port until the engine lists it as running."""


def held_ports(ports, running, patience=PROXY_PATIENCE):
    """Which processes use the wanted ports: [{"port", "process", "pid", "container", "ours"}].

    ours: used by the engine itself, or by (or published for) a container of skp.cluster. running: whether the engine answers.

    The engine opens a container's port before it lists the container as running: if docker-proxy uses a port and no container is listed
    for it, the ports are read again, for up to `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        held = _held_now(ports, running)
        starting = [item for item in held if item["process"] == "docker-proxy" and not item["container"]]
        if not running or not starting or time.monotonic() >= deadline:
            return held
        time.sleep(0.2)


def _held_now(ports, running):
    containers = {}
    if running:
        try:
            containers = {item["Id"]: item for item in engine_facts.ask("/containers/json")}
        except (OSError, RuntimeError):
            containers = {}
    published = {}
    for item in containers.values():
        for port in item.get("Ports") or []:
            if port.get("PublicPort"):
                published["%d/%s" % (port["PublicPort"], port.get("Type", "tcp"))] = item
    sockets = listening(ports)
    owners = _owners({item["inode"] for item in sockets}) if sockets else {}
    held = {}
    for item in sockets:
        pid = owners.get(item["inode"])
        process = read_file("/proc/%d/comm" % pid) if pid else ""
        ids = CONTAINER_ID.findall(read_file("/proc/%d/cgroup" % pid)) if pid else []
        container = published.get(item["port"]) or next((containers[key] for key in reversed(ids) if key in containers), None)
        ours = process == "dockerd" or bool(container and engine_facts.our_name(container))
        # The kernel uses the engine's VXLAN port, without a process.
        ours = ours or (item["port"] == "4789/udp" and not pid and running)
        held.setdefault(item["port"], {"port": item["port"], "process": process or ("the kernel" if not pid else "?"), "pid": pid or 0,
                                       "container": (container or {}).get("Names", [""])[0].lstrip("/"), "ours": ours})
    for port, item in published.items():
        if port in ports and port not in held:
            held[port] = {"port": port, "process": "", "pid": 0, "container": item["Names"][0].lstrip("/"),
                          "ours": bool(engine_facts.our_name(item))}
    return sorted(held.values(), key=lambda item: item["port"])


def own_directories(path):
    """Sorted names of the directories below a path that root owns with mode 0755; empty if the path cannot be read."""
    try:
        with os.scandir(path) as entries:
            seen = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(name for name, found in seen if found.st_uid == 0 and found.st_mode & 0o7777 == 0o755)


def store(path, host, marker):
    """The shared store as this node sees it: {"exists", "writable", "error", "markers": {host: random text},
    "nfs_client", "nfs_server" (whether these programs are installed), "directories" (names of those below it that root owns, mode 0755),
    "mounted" (the mount at exactly this path, or None), "exports" (text of the NFS server's file), "own" (not mounted, and it holds images),
    "entries" (some names in it, if it is not mounted), "boot" (digest of the files of role store)} and disk(path). If it does not answer: "silent"
    (text) instead of what only it can tell.

    marker: "new" writes a marker of this host with a new random text, "keep" only if there is none, "none" writes nothing. The marker is written before the
    directory is listed: if two nodes share the directory, the later one sees the marker of the earlier one; if neither sees the marker of the other,
    they do not share it. writable: None if not tested.
    """
    mounted = store_plan.mounted_at(mounts(), path)
    facts = {"path": path, "exists": True, "writable": None, "error": "", "markers": {}, "directories": [], "own": False, "entries": [], "mounted": mounted,
             "exports": read_file(store_plan.EXPORTS), "boot": store_plan.digest([read_file(name) for name in store_plan.BOOT_FILES]),
             "nfs_client": bool(shutil.which("mount.nfs4", path=engine_facts.SEARCH_PATH)),
             "nfs_server": bool(shutil.which("exportfs", path=engine_facts.SEARCH_PATH))}
    try:
        return dict(facts, **patience.within(lambda: _look_at_store(path, host, marker, mounted), path))
    except Failure as exc:
        return dict(facts, silent=exc.msg)


def _look_at_store(path, host, marker, mounted):
    """The part of `store` that its file system must answer."""
    facts = dict(_disk(path), directories=own_directories(path), own=not mounted and os.path.exists(os.path.join(path, store_plan.MARKER)))
    directory = os.path.join(path, MARKERS)
    if not os.path.isdir(path):
        return dict(facts, exists=False)
    facts["entries"] = [] if mounted else sorted(os.listdir(path))[:5]
    if marker == "new" or (marker == "keep" and not os.path.exists(os.path.join(directory, host))):
        try:
            os.makedirs(directory, mode=0o755, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".new-", dir=directory)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(uuid.uuid4().hex + "\n")
            os.chmod(temporary, 0o644)  # nodes whose root is squashed read it too
            os.replace(temporary, os.path.join(directory, host))
            facts["writable"] = True
        except OSError as exc:
            facts.update(writable=False, error=str(exc))
    facts["markers"] = {}
    try:
        for name in sorted(os.listdir(directory)):
            if not name.startswith("."):
                facts["markers"][name] = _read_marker(os.path.join(directory, name))
    except OSError:
        facts["markers"] = {}
    return facts


def _read_marker(path):
    """The random text of a marker, "" if it is something else: others may write to a shared store, and root reads this."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), encoding="ascii", errors="replace") as handle:
            text = handle.read(64).strip()
    except OSError:
        return ""
    return text if re.fullmatch(r"[0-9a-f]{32}", text) else ""


def gpu():
    """Requirements of containers with NVIDIA GPUs: {"driver": first line of the loaded driver's version or "", "devices": ["nvidia0", ...],
    "toolkit": path of nvidia-container-runtime or ""}."""
    devices = [name for name in os.listdir("/dev") if re.fullmatch(r"nvidia\d+", name)]
    return {"driver": read_file("/proc/driver/nvidia/version").partition("\n")[0], "devices": sorted(devices),
            "toolkit": shutil.which("nvidia-container-runtime", path=engine_facts.SEARCH_PATH) or ""}


def volumes():
    """What data volumes need: {"fuse": whether the kernel's device is there, "present": names of the volumes that this node has}."""
    return {"fuse": os.path.exists(volumes_io.FUSE), "present": volumes_io.present()}


def vxlan():
    """Whether the kernel supports VXLAN, which every overlay network needs: the result of `engine.facts.try_ip`."""
    return engine_facts.try_ip("link", "add", "skpvx0", "type", "vxlan", "id", "4095", "dstport", "4789")
