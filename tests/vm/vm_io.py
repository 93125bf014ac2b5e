# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small real machines: makes their disk, starts them, cuts their power, runs commands on them. `python tests/vm/machines.py` is its command line.

Everything is below .cache/vm of the checkout. Only processes are ended whose pid QEMU itself wrote there and whose command line has the machine's name.
"""
from __future__ import annotations

import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import time

import vm_plan

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATE = pathlib.Path(os.environ.get("SKP_VM_STATE", ROOT / ".cache" / "vm"))
INVENTORY = STATE / "inventory"
COUNT = int(os.environ.get("SKP_VM_NODES", "2"))
CPUS = int(os.environ.get("SKP_VM_CPUS", "1"))
MEMORY = int(os.environ.get("SKP_VM_MEMORY", "1536"))
SUITE = os.environ.get("SKP_VM_SUITE", "bookworm")
MACHINES = [vm_plan.Machine(number, int(os.environ.get("SKP_VM_PORT", "22770"))) for number in range(1, COUNT + 1)]
BY_NAME = {machine.name: machine for machine in MACHINES}
BOOT_SECONDS = 300
SLOW = float(os.environ.get("SKP_VM_SLOW", "1"))
"""All time limits are multiplied with it: for a host that does other things too."""


class Failed(AssertionError):
    """A command ended otherwise than expected; the text has its last output."""


def run(argv, timeout=600, check=True, stdin=None, env=None):
    """A command on this host. Returns CompletedProcess with text."""
    done = subprocess.run([str(word) for word in argv], input=stdin, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout * SLOW, check=False,
                          env=env, cwd=ROOT)
    if check and done.returncode:
        raise Failed("%s ended with %d:\n%s" % (" ".join(map(str, argv))[:300], done.returncode, done.stdout[-6000:]))
    return done


def say(text):
    """A line for the person who waits."""
    print("%s %s" % (time.strftime("%H:%M:%S"), text), flush=True)


# --- the disk ---------------------------------------------------------------------------------------------------------------------------------------------

def need():
    """Says in one message what this host lacks."""
    missing = [name for name in ("qemu-system-x86_64", "mmdebstrap", "mkfs.ext4", "ssh", "ssh-keygen") if not shutil.which(name)]
    if missing:
        packages = "qemu-system-x86 mmdebstrap e2fsprogs openssh-client"
        raise Failed("not installed: %s. On Debian: apt-get install --no-install-recommends %s" % (", ".join(missing), packages))


def write(path, text, mode=0o644):
    """A file with its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def keys():
    """The key pair of this checkout's machines; returns the public key."""
    private = STATE / "ssh" / "id_ed25519"
    if not private.exists():
        private.parent.mkdir(parents=True, exist_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "skp-vm", "-f", private])
    return private.with_suffix(".pub").read_text(encoding="utf-8")


def build():
    """The disk that all machines start from, if it is not there. Returns its path; kernel and initrd are beside it."""
    files = vm_plan.root_files([vm_plan.Machine(number) for number in range(1, 10)], keys())
    disk = STATE / ("base-%s-%s.disk" % (SUITE, vm_plan.build_hash(SUITE, files)))
    if disk.exists():
        return disk
    if os.geteuid():
        raise Failed("Only root can make the disk of the machines (mmdebstrap, mkfs.ext4 -d). Run `sudo make test-vm` once.")
    started, root = time.monotonic(), STATE / "root"
    shutil.rmtree(root, ignore_errors=True)
    for old in STATE.glob("base-*.disk"):
        old.unlink()
    places = [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*")]
    texts = {str(path): path.read_text(encoding="utf-8", errors="replace") for path in places if path.is_file()}
    same = vm_plan.codename(pathlib.Path("/etc/os-release").read_text(encoding="utf-8")) == SUITE
    sources = vm_plan.host_sources(texts, SUITE) if same else []
    say("making the root of the machines (%s)" % (", ".join(sources) or "the distribution's own sources"))
    run(vm_plan.mmdebstrap(SUITE, root, sources), timeout=1800)
    for name, text in files.items():
        write(root / name, text, 0o600 if "authorized_keys" in name else 0o440 if "sudoers" in name else 0o644)
    run(["chroot", root, "chown", "-R", "skp:skp", "/home/skp"])
    (root / "home/skp/.ssh").chmod(0o700)
    (root / "etc/machine-id").write_text("", encoding="utf-8")
    tools_image(root)
    write(STATE / "ssh" / "known_hosts", "skp-vm " + (root / "etc/ssh/ssh_host_ed25519_key.pub").read_text(encoding="utf-8"))
    for name in ("vmlinuz", "initrd.img"):
        found = sorted((root / "boot").glob(name.split(".")[0] + "*"))[-1]
        shutil.copyfile(found, STATE / name)
    new = disk.with_suffix(".new")
    run(["truncate", "-s", "%dG" % vm_plan.DISK_GIB, new])
    run(["mkfs.ext4", "-q", "-F", "-d", root, new], timeout=900)
    shutil.rmtree(root)
    new.rename(disk)
    say("disk made in %d s" % (time.monotonic() - started))
    return disk


def tools_image(root):
    """The archive for `docker import` on the machines: the distribution's registry, and busybox."""
    tools = root / "var/tools"
    registry = tools / "root/usr/bin/docker-registry"
    listed = run(["chroot", root, "ldd", "/" + str(registry.relative_to(root))], check=False).stdout
    libraries = [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]
    busybox = next(path for path in (tools / "root/bin/busybox", tools / "root/usr/bin/busybox") if path.exists())
    with tarfile.open(root / "var/lib/skp-vm-tools.tar", "w") as archive:
        archive.add(registry, "usr/bin/registry")
        archive.add(busybox, "bin/busybox")
        for name in sorted(set(libraries)):
            archive.add(resolved(root, name), name.lstrip("/"))
        for name in ("sh", "test", "sleep", "cat", "nc", "httpd", "wget", "sync", "touch", "date", "ls", "id"):
            link = tarfile.TarInfo("bin/" + name)
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        for name in ("tmp", "var/lib/registry", "etc"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        text = b"skp:x:61000:61000::/:/bin/sh\nroot:x:0:0::/:/bin/sh\n"
        passwd = tarfile.TarInfo("etc/passwd")
        passwd.size = len(text)
        archive.addfile(passwd, io.BytesIO(text))
    shutil.rmtree(tools)


def resolved(root, name):
    """The file that a link within another root means."""
    path = pathlib.PurePosixPath(name)
    for _step in range(10):
        here = root / str(path).lstrip("/")
        if not here.is_symlink():
            return here
        path = path.parent / os.readlink(here)
    raise Failed("too many links: %s" % name)


# --- machines ---------------------------------------------------------------------------------------------------------------------------------------------

def prepare():
    """Disks of all machines, keys, inventory. New disks for machines that do not run."""
    need()
    base = build()
    write(STATE / "ssh" / "config", vm_plan.ssh_config(MACHINES, STATE), 0o600)
    for name, text in vm_plan.inventory_files(MACHINES, STATE).items():
        write(INVENTORY / name, text)
    for machine in MACHINES:
        if not pid(machine.name):
            run(["cp", "--reflink=auto", "--sparse=always", base, STATE / (machine.name + ".disk")])


def pid(name):
    """The process of a machine, or 0. What QEMU wrote may be the number of a process of somebody else by now."""
    try:
        number = int((STATE / (name + ".pid")).read_text(encoding="ascii"))
        words = pathlib.Path("/proc/%d/cmdline" % number).read_bytes().split(b"\0")
    except (OSError, ValueError):
        return 0
    return number if b"%s-%s" % (vm_plan.PREFIX.encode(), name.encode()) in words and str(STATE).encode() in b"".join(words) else 0


def start(name):
    """Switch a machine on."""
    if not pid(name):
        run(vm_plan.qemu(BY_NAME[name], STATE, MEMORY, CPUS))


def cut(name):
    """Cut the power of a machine: nothing is written any more. Returns when its process is gone."""
    number = pid(name)
    if number:
        os.kill(number, signal.SIGKILL)
        wait(lambda: not pid(name), 30, "%s to end" % name)


def wait(condition, seconds, what, poll=0.5):
    """Seconds until the condition is true. Raises Failed after the limit."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds * SLOW:
            raise Failed("waited %d s for %s" % (seconds * SLOW, what))
        time.sleep(poll)
    return round(time.monotonic() - begun, 1)


def on(name, text, timeout=120, check=True):
    """A shell text on a machine as root. Returns what it printed, both streams."""
    argv = ["ssh", "-F", STATE / "ssh" / "config", "-o", "ControlMaster=no", "-o", "ControlPath=none", name, "sudo", "sh", "-eu"]
    return run(argv, timeout=timeout, check=check, stdin=text).stdout


def ok(name, text, timeout=20):
    """Whether a shell text ends without an error in that time."""
    argv = ["ssh", "-F", STATE / "ssh" / "config", "-o", "ControlMaster=no", "-o", "ControlPath=none", name, "sudo", "sh", "-eu"]
    try:
        return not run(argv, timeout=timeout, check=False, stdin=text).returncode
    except subprocess.TimeoutExpired:
        return False


def wait_login(name, seconds=BOOT_SECONDS):
    """Seconds until a person can log in (and no longer meets pam_nologin)."""
    return wait(lambda: ok(name, "true"), seconds, "a login on %s; its console is %s" % (name, STATE / (name + ".console")))


def boot_id(name):
    """Which boot of a machine this is, "" while nobody can log in."""
    try:
        return on(name, "cat /proc/sys/kernel/random/boot_id", 20).strip()
    except (Failed, subprocess.TimeoutExpired):
        return ""


def wait_boot(name, before):
    """Seconds until a person can log in to another boot than `before`."""
    return wait(lambda: boot_id(name) not in ("", before), BOOT_SECONDS, "another boot of %s" % name)


def up():
    """All machines run and take logins, with the tools' image in their engines."""
    prepare()
    for machine in MACHINES:
        start(machine.name)
    for machine in MACHINES:
        say("%s takes logins after %s s more" % (machine.name, wait_login(machine.name)))
        wait(lambda name=machine.name: ok(name, "docker info", 60), 180, "the engine of %s" % machine.name)
        on(machine.name, "docker image inspect skp-vm/tools:1 >/dev/null 2>&1 || docker import /var/lib/skp-vm-tools.tar skp-vm/tools:1", timeout=300)


def down():
    """Ends all machines and removes their disks. The disk they start from stays."""
    for path in STATE.glob("*.pid"):
        cut(path.stem)
    for path in [*STATE.glob("c*.disk"), *STATE.glob("c*.console"), *STATE.glob("*.pid")]:
        path.unlink()


def play(playbook, *args, check=True, timeout=1800, program="ansible-playbook"):
    """A run of Ansible on the machines. Returns CompletedProcess."""
    argv = [pathlib.Path(sys.executable).parent / program, "-i", INVENTORY / "skp.yml", playbook, *args]
    return run(argv, check=check, timeout=timeout, env=dict(os.environ, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_NOCOLOR="1"))
