# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small real machines: their names and addresses, how QEMU is called, what is in their files. Pure functions of plain data."""
from __future__ import annotations

import dataclasses
import hashlib
import json
import re

PREFIX = "skp-vm"
NETWORK = "10.77.0"
LAN_GROUP = "230.77.77.77"
"""Multicast group on loopback that is the machines' own network: no bridge, no right and no address of this host is needed for it."""

PACKAGES = (
    "systemd-sysv", "dbus", "udev", "kmod", "iproute2", "iptables", "procps", "netbase", "openssh-server", "sudo", "python3", "ca-certificates",
    "linux-image-cloud-amd64", "apparmor", "docker.io", "python3-docker", "nfs-common", "e2fsprogs",
)
"""What a machine has. The NFS server is not there: the role has to install it."""

TOOLS = ("docker-registry", "busybox-static")
"""Packages whose programs make the image `skp-vm/tools:1`: registry and shell, nothing is built."""

DISK_GIB = 6
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "dpkg-db-backup.timer")


@dataclasses.dataclass(frozen=True)
class Machine:
    """One machine, by its number from 1 on."""

    number: int
    base_port: int = 22770

    @property
    def name(self):
        """Name in hosts.json, and hostname."""
        return "c%02d" % self.number

    @property
    def address(self):
        """Address in the machines' own network."""
        return "%s.%d" % (NETWORK, 10 + self.number)

    @property
    def port(self):
        """Port of this host's loopback that leads to the machine's sshd."""
        return self.base_port + self.number

    def mac(self, network):
        """Hardware address in one of its networks: lan or nat."""
        return "52:54:00:77:%s:%02x" % ({"lan": "01", "nat": "02"}[network], self.number)


def qemu(machine, state, memory, cpus):
    """The command that starts a machine. state: directory with its disk, kernel and initrd.

    Software emulation: on some hosts /dev/kvm is there and guests hang. Its kernel is booted directly. Disk without `unsafe`: a killed machine is a power cut,
    and what it had synced must be there.
    """
    append = "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet systemd.mask=serial-getty@ttyS0.service systemd.hostname=%s" % machine.name
    return [
        "qemu-system-x86_64", "-name", "%s-%s" % (PREFIX, machine.name), "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max",
        "-smp", str(cpus), "-m", str(memory), "-display", "none", "-nodefaults", "-no-user-config", "-daemonize",
        "-pidfile", "%s/%s.pid" % (state, machine.name), "-serial", "file:%s/%s.console" % (state, machine.name),
        "-kernel", "%s/vmlinuz" % state, "-initrd", "%s/initrd.img" % state, "-append", append,
        "-drive", "file=%s/%s.disk,format=raw,if=virtio,cache=writeback" % (state, machine.name),
        "-netdev", "user,id=nat,hostfwd=tcp:127.0.0.1:%d-:22" % machine.port, "-device", "virtio-net-pci,netdev=nat,romfile=,mac=%s" % machine.mac("nat"),
        "-netdev", "socket,id=lan,mcast=%s:%d,localaddr=127.0.0.1" % (LAN_GROUP, machine.base_port),
        "-device", "virtio-net-pci,netdev=lan,romfile=,mac=%s" % machine.mac("lan"),
        "-device", "virtio-rng-pci",
    ]


def network_files(machines):
    """{path: text} for systemd-networkd. All machines start from one disk and tell their address from their hardware address."""
    files = {"etc/systemd/network/20-nat.network": "[Match]\nMACAddress=%s\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
                                                   % " ".join(machine.mac("nat") for machine in machines)}
    for machine in machines:
        files["etc/systemd/network/10-%s.network" % machine.name] = (
            "[Match]\nMACAddress=%s\n\n[Network]\nAddress=%s/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n" % (machine.mac("lan"), machine.address))
    return files


def root_files(machines, public_key):
    """{path: text} of what a machine has beyond its packages. 10.0.2.3 is the resolver that QEMU's network of the user has."""
    return dict(network_files(machines), **{
        "etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 1\n",
        "etc/resolv.conf": "nameserver 10.0.2.3\n",
        "etc/hosts": "127.0.0.1 localhost\n" + "".join("%s %s\n" % (machine.address, machine.name) for machine in machines),
        "etc/sudoers.d/skp": "skp ALL=(ALL) NOPASSWD: ALL\n",
        "home/skp/.ssh/authorized_keys": public_key,
        # A rate of tries that a test may need, and no lookup of the client's name.
        "etc/ssh/sshd_config.d/skp-vm.conf": "UseDNS no\nMaxStartups 50:30:100\n",
    })


def ssh_config(machines, state):
    """Lets Ansible reach the machines under their own addresses, through ports of loopback."""
    parts = ["Host %s %s\n  HostName 127.0.0.1\n  Port %d\n" % (machine.address, machine.name, machine.port) for machine in machines]
    parts.append("Host *\n  User skp\n  IdentityFile %s/ssh/id_ed25519\n  IdentitiesOnly yes\n  UserKnownHostsFile %s/ssh/known_hosts\n  HostKeyAlias skp-vm\n"
                 "  StrictHostKeyChecking yes\n  ConnectTimeout 60\n  LogLevel ERROR\n" % (state, state))
    return "".join(parts)


def hosts_json(machines):
    """The cluster: the first machine is the master, the second writes to the store (it has the label jupyter), the others only read."""
    labels = {1: [{"registry": "enable"}], 2: [{"registry": "enable"}, {"jupyter": "enable"}]}
    return json.dumps({machine.name: {
        "ipv4": machine.address, "labels": labels.get(machine.number, [{"registry": "enable"}]),
        "groups": ["master", "manager"] if machine.number == 1 else ["worker"]} for machine in machines}, indent=2) + "\n"


def variables(state):
    """group_vars of the machines. NFS is the default of store_mode; it is named because this is what is tested."""
    return """\
# SPDX-License-Identifier: GPL-3.0-or-later
# Written by tests/vm.
---
skp_cluster_name: vm
ansible_user: skp
ansible_python_interpreter: /usr/bin/python3
ansible_ssh_common_args: "-F %s/ssh/config"
# A machine that starts its engine may be busy for longer than the 45 s after which a connection counts as lost elsewhere.
ansible_timeout: 120
ansible_ssh_args: -o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=60 -o ServerAliveCountMax=10
store_mode: nfs
registry_image: skp-vm/tools:1
registry_wait_timeout: 180
engine_restart_timeout: 300
# Emulated processors are slow, and the disks small.
preflight_dns_seconds_max: 20
preflight_memory_min_mb: 900
preflight_memory_available_min_mb: 200
preflight_disk_data_min_gb: 0.5
preflight_disk_docker_min_gb: 0.5
preflight_disk_home_min_gb: 0.5
preflight_peer_timeout: 15
""" % state


def inventory_files(machines, state):
    """{path below the inventory: text}."""
    plugin = "# SPDX-License-Identifier: GPL-3.0-or-later\n---\nplugin: skp.cluster.hosts_json\nhosts_file: hosts.json\n"
    return {"hosts.json": hosts_json(machines), "skp.yml": plugin, "group_vars/all.yml": variables(state)}


def codename(os_release):
    """VERSION_CODENAME of a text of /etc/os-release."""
    found = re.search(r"^VERSION_CODENAME=(\S+)$", os_release, re.MULTILINE)
    return found.group(1) if found else ""


def host_sources(texts, suite):
    """Of the host's own package sources, {path: text}, those that hold this suite and nothing of a third party.

    Empty where the host has another suite: mmdebstrap then knows the distribution's own.
    """
    return [path for path, text in sorted(texts.items())
            if re.search(r"\b%s\b" % re.escape(suite), text) and path.rpartition("/")[2] in ("sources.list", "debian.sources")]


def build_hash(suite, files):
    """Names a disk by what is in it: a change of packages, files or keys makes another."""
    wish = json.dumps([suite, PACKAGES, TOOLS, DISK_GIB, MASKED, sorted(files.items())], sort_keys=True)
    return hashlib.sha256(wish.encode()).hexdigest()[:12]


def mmdebstrap(suite, target, sources):
    """The command that makes the root of a machine."""
    fetch = ('mkdir -p "$1/var/tools/root" && cd "$1/var/tools" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get download %s && '
             'for name in *.deb; do dpkg-deb -x "$name" root; done && rm -- *.deb' % " ".join(TOOLS))
    users = ('chroot "$1" useradd --create-home --shell /bin/bash skp && chroot "$1" systemctl enable systemd-networkd && chroot "$1" systemctl mask %s'
             % " ".join(MASKED))
    return ["mmdebstrap", "--mode=root", "--variant=minbase", "--include=%s" % ",".join(PACKAGES), "--customize-hook=%s" % fetch,
            "--customize-hook=%s" % users, suite, target, *sources]
