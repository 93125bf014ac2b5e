# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of single containers, and what the engines say of containers meanwhile. Faults of nodes: lablib."""
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading

import lablib

# As the engine tells it: when, of which service, what. A health check that succeeds for the first time is the moment from which others find the name.
FORMAT = '{{.TimeNano}} {{index .Actor.Attributes "com.docker.swarm.service.name"}} {{.Action}}'
EVENTS = ("--filter", "type=container", "--filter", "event=die", "--filter", "event=health_status", "--format", FORMAT)
LIMIT = "900"


class Events:
    """Ends and first answers of the containers of services whose names begin with a prefix and end with a number."""

    def __init__(self, prefix):
        self.prefix, self.rows = prefix, []

    def read(self, stream):
        """Take lines of `docker events` until there are no more."""
        for line in stream:
            when, service, what = line.rstrip("\n").split(" ", 2)
            if service.startswith(self.prefix) and service[len(self.prefix):].isdigit():
                self.rows.append((int(when), service, what))

    def stopped(self):
        """The services whose containers ended, in this order."""
        return [service for _, service, what in sorted(self.rows) if what == "die"]

    def most_down(self):
        """How many of them were down at the same time, at most: from the end of a container to the first good answer of the next."""
        down, most = set(), 0
        for _, service, what in sorted(self.rows):
            if what == "die":
                down.add(service)
            elif what.endswith(" healthy"):
                down.discard(service)
            most = max(most, len(down))
        return most


@contextlib.contextmanager
def watched(prefix):
    """Within the block the engines of all nodes tell of their containers. Yields Events."""
    seen, processes, threads = Events(prefix), [], []
    for node in sorted(lablib.hosts()):
        # It would outlive the command that asks for it: hence the limit.
        command = ["docker", "exec", lablib.container(node), "timeout", LIMIT, "docker", "events", *EVENTS]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
        threads.append(threading.Thread(target=seen.read, args=(processes[-1].stdout,), daemon=True))
        threads[-1].start()
    try:
        yield seen
    finally:
        for process in processes:
            process.terminate()
            process.wait(30)
        for thread in threads:
            thread.join(30)


RULES = "for chain in 'INPUT ! -i' 'OUTPUT ! -o'; do nsenter -t {pid} -n iptables -w {what} $chain lo -j DROP{end}; done"


@contextlib.contextmanager
def cut_off(*services):
    """Within the block the containers of services reach nobody and nobody reaches them. Their own checks, on loopback, do not notice."""
    places = []
    for service in services:
        node, ident = lablib.task_container(service)
        places.append((node, lablib.on(node, "docker", "inspect", "-f", "{{.State.Pid}}", ident).strip()))
    try:
        for node, pid in places:
            lablib.on(node, "bash", "-euc", RULES.format(pid=pid, what="-I", end=""))
        yield
    finally:
        for node, pid in places:
            # The container may have ended, and its network with it.
            lablib.on(node, "bash", "-c", RULES.format(pid=pid, what="-D", end=" || true"), check=False)


@contextlib.contextmanager
def started(*args):
    """Start a playbook as a user does and do not wait for it. Yields the process; .interrupt() is Ctrl-C: SIGINT to it and to all that it has started."""
    process = subprocess.Popen([str(lablib.BIN / "ansible-playbook"), *map(str, args)], cwd=lablib.ROOT, start_new_session=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process.interrupt = lambda: os.killpg(process.pid, signal.SIGINT)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def words(text):
    """Output of a playbook without its line breaks: long messages are folded."""
    return " ".join(text.split())


# Runs on a node, as root: mounts memory over a path that a process sees, so that it is small and soon full. MNT_DETACH is 2, CLONE_NEWNS 0x20000.
SMALL = r"""
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
pid, path, what = sys.argv[1:]
if libc.setns(os.open("/proc/%s/ns/mnt" % pid, os.O_RDONLY), 0x00020000):
    sys.exit("setns: %s" % os.strerror(ctypes.get_errno()))
if what == "mount":
    done = libc.mount(b"tmpfs", path.encode(), b"tmpfs", 0, b"size=256k,mode=0777")
else:
    done = libc.umount2(path.encode(), 2)
sys.exit("%s: %s" % (what, os.strerror(ctypes.get_errno())) if done else 0)
"""


@contextlib.contextmanager
def full(node, pid, path):
    """Within the block a directory, as a process of the node sees it, has room for 256 KiB and is empty."""
    lablib.on(node, "python3", "-c", SMALL, pid, path, "mount")
    try:
        yield
    finally:
        lablib.on(node, "python3", "-c", SMALL, pid, path, "umount")


# Runs on a node: a SYN to an address and port, put on the wire for the machine with this hardware address, whatever the routes say. Prints "answer" if a
# SYN-ACK or a RST from that port comes back within two seconds, else "silence".
ROUTED = r"""
import os, socket, struct, sys, time
interface, mac, target, port, source = sys.argv[1:]
ours = bytes.fromhex(open("/sys/class/net/%s/address" % interface).read().strip().replace(":", ""))

def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

src, dst, sport = socket.inet_aton(source), socket.inet_aton(target), 40000 + os.getpid() % 20000
tcp = struct.pack("!HHIIBBHHH", sport, int(port), 1, 0, 5 << 4, 2, 8192, 0, 0)
sums = checksum(src + dst + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)
tcp = tcp[:16] + struct.pack("!H", sums) + tcp[18:]
head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, src, dst)
head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
wire.bind((interface, 0))
wire.settimeout(0.2)
wire.send(bytes.fromhex(mac.replace(":", "")) + ours + struct.pack("!H", 0x0800) + head + tcp)
end = time.monotonic() + 2
while time.monotonic() < end:
    try:
        packet = wire.recv(2048)
    except OSError:
        continue
    start = 14 + (packet[14] & 15) * 4
    if packet[23] == 6 and struct.unpack("!HH", packet[start:start + 4]) == (int(port), sport):
        print("answer")
        sys.exit()
print("silence")
"""


def routed(node, neighbour, target, port):
    """"answer" or "silence": what a node gets for a packet to an address and port that it hands to a neighbour, as a machine on the same network can."""
    interface = lablib.on(node, "sh", "-c", f"ip -o -4 addr show | grep -F ' {lablib.address(node)}/' | awk '{{print $2}}'").split()[0]
    mac = lablib.on(neighbour, "sh", "-c", f"cat /sys/class/net/$(ip -o -4 addr show | grep -F ' {lablib.address(neighbour)}/' | awk '{{print $2}}')/address")
    return lablib.on(node, "python3", "-c", ROUTED, interface, mac.strip(), target, str(port), lablib.address(node)).strip()


NEW_IMAGE = """
head -c {size} /dev/urandom >/tmp/{tag} && tar -C /tmp -c {tag} | docker import - localhost:5000/{name}:{tag} && rm /tmp/{tag}
"""
WRITER = "docker inspect -f '{{.State.Pid}}' registry-skp"
EMPTY_LINKS = "find /srv/skp/registry/docker -name link -size 0 | wc -l"


def new_image(name, tag, size):
    """Make an image of random bytes on the master's engine; nothing is pushed."""
    lablib.on("c01", "bash", "-euo", "pipefail", "-c", NEW_IMAGE.format(name=name, tag=tag, size=size))


def push(name, tag):
    """Push an image from the master's engine. Returns its digest."""
    lablib.on("c01", "docker", "push", "-q", f"localhost:5000/{name}:{tag}")
    shown = lablib.on("c01", "docker", "image", "inspect", "-f", "{{json .RepoDigests}}", f"localhost:5000/{name}:{tag}")
    return shown.split(f"{name}@")[1].split('"')[0]


PULL = """
docker rmi -f {0} >/dev/null 2>&1 || true
docker pull -q {0} >/tmp/pulled 2>&1 || cat /tmp/pulled
docker rmi -f {0} >/dev/null 2>&1 || true
"""


def pull(name, digest, nodes=None):
    """{node: None, or what its engine said} of a pull by digest on nodes (all by default), without what was there before."""
    return {node: said.strip() or None for node, said in lablib.look(PULL.format(f"localhost:5000/{name}@{digest}"), nodes).items()}


INTERRUPTED = """
docker push -q {image} >/dev/null 2>&1 &
end=$((SECONDS + 20))
until [[ $(du -sb {uploads} 2>/dev/null | cut -f1) -gt {bytes} ]] || ((SECONDS > end)); do :; done
kill -9 $({writer})
wait
"""


def push_with_a_killed_writer(number):
    """The registry's process gets SIGKILL during a push, with 2 to 30 MB of it done. Then the image is pushed again. Returns what the pulls said."""
    name, tag, size = "skp/killed", f"n{number}", 32_000_000
    new_image(name, tag, size)
    uploads = "/srv/skp/registry/docker/registry/v2/repositories/skp/killed/_uploads"
    command = INTERRUPTED.format(image=f"localhost:5000/{name}:{tag}", uploads=uploads, bytes=2_000_000 + number * 1_400_000, writer=WRITER)
    lablib.on("c01", "bash", "-c", command, timeout=300, check=False)
    lablib.wait("the registry answers", lambda: "{}" in lablib.on("c01", "curl", "-s", "-m", "3", "http://127.0.0.1:5000/v2/", check=False), 60)
    digest = push(name, tag)
    lablib.on("c01", "docker", "rmi", f"localhost:5000/{name}:{tag}")
    assert lablib.on("c01", "sh", "-c", EMPTY_LINKS).strip() == "0"
    return pull(name, digest)
