# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make bench``: measures on the running lab and writes docs/benchmarks.md and docs/ko/benchmarks.md.

``--rounds N`` takes another number of measured rounds than 7 (the file says how many); ``--skip-lab`` leaves out what needs the lab.
"""

from __future__ import annotations

import argparse
import datetime
import ipaddress
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version

import korean
from harness import Variant, measure, table

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import datastores  # noqa: E402  (needs the path above)
import lablib  # noqa: E402

TARGET = ROOT / "docs/benchmarks.md"
KOREAN = ROOT / "docs/ko/benchmarks.md"
STOCK = "tests/bench/stock_kafka.yml"
LAB = ROOT / "inventory/lab"
MANY = 40
MITOGEN = "0.3.54"
SERVICES = ("zookeeper", "kafka", "mysql", "postgresql", "redis", "auth", "spark", "jupyter", "airflow", "portainer", "gateway")
MEGABYTES = 128
PING = ["ansible", "skp", "-m", "ansible.builtin.ping"]

HEAD = """# Benchmarks

[한국어](ko/benchmarks.md)

Written by `make bench`; not edited by hand. Each figure is a median of {rounds} interleaved rounds after one to warm up, given with the
ratio to the first line of its table. The line marked "control" is the first command once more: how far its ratio is from 1 is how far
all the others may be trusted.

- {date}, commit {commit}
- {machine}
- {versions}

![Medians of all measurements, with the fastest and the slowest round](pictures/benchmarks.svg)
"""


def output(*command: str) -> str:
    """Return what a command prints; raises when it fails."""
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def machine() -> str:
    """Say what was measured on, in one line."""
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(encoding="ascii"))
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    load = "load %.1f when it began" % os.getloadavg()[0]
    return "%d processors, %.0f GiB, %s, kernel %s, %s" % (os.cpu_count(), int(memory.group(1)) / 2**20, system, platform.release(), load)


def versions() -> str:
    """Say with what, in one line."""
    packages = ", ".join("%s %s" % (name, version(name)) for name in ("ansible", "ansible-core", "docker"))
    return "Python %s, %s" % (platform.python_version(), packages)


def nothing_changed(printed: str) -> None:
    """Raise unless a playbook's recap says that nothing changed: a second run is what the figure stands for."""
    changes = re.findall(r"changed=(\d+)", printed)
    if not changes or any(int(count) for count in changes):
        tasks = re.findall(r"^TASK \[(.*?)\].*\n(?:(?!TASK).*\n)*?changed: .*$", printed, re.MULTILINE)
        raise RuntimeError("the run was to change nothing, but these tasks did: %s\n%s" % (", ".join(tasks), printed[-3000:]))


def kafka_image() -> str:
    """Return the image, with its digest, that the running brokers have."""
    printed = output(
        "ansible", "master", "-b", "-o", "-m", "community.docker.docker_swarm_service_info", "-a", "name=kafka-skp-1"
    )  # fmt: skip
    found = re.search(r'"Image":\s*"([^"]+@sha256:[0-9a-f]{64})', printed)
    if not found:
        raise RuntimeError("no running kafka-skp-1 with an image by digest: `make up` first\n%s" % printed[:2000])
    return found.group(1)


def mitogen() -> dict[str, str]:
    """Return the environment that makes ansible-playbook use mitogen's strategy; installed under .cache, it is no part of the project."""
    target = ROOT / ".cache/bench/mitogen"
    if not target.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target), "mitogen==%s" % MITOGEN], check=True)
    return {"ANSIBLE_STRATEGY": "mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS": str(target / "ansible_mitogen/plugins/strategy"), "PYTHONPATH": str(target)}


def second_run(rounds: int) -> list[str]:
    """Second runs of the site and of one service, against a ping of all nodes and against stock tasks for the same service."""
    stock = ["ansible-playbook", STOCK, "-e", "stock_image=%s" % kafka_image()]
    subprocess.run(stock, cwd=ROOT, check=True)
    try:
        lineup = measure(
            [
                Variant("`ansible skp -m ping`", PING),
                Variant("`ansible-playbook site.yml`", ["ansible-playbook", "site.yml"], nothing_changed),
                Variant("`ansible-playbook site.yml --tags kafka`", ["ansible-playbook", "site.yml", "--tags", "kafka"], nothing_changed),
                Variant("Kafka with the tasks of community.docker (`%s`)" % STOCK, stock, nothing_changed),
                Variant("the same tasks under mitogen %s" % MITOGEN, stock, nothing_changed, mitogen()),
            ],
            rounds,
            str(ROOT),
        )
    finally:
        subprocess.run([*stock, "-e", "stock_state=absent"], cwd=ROOT, check=True)
    by_role, by_tasks = lineup[3], lineup[4]
    return [
        "## A second run",
        "",
        "Nothing changes in any of these runs (it is checked). The lab's nodes and the controller share the machine.",
        "",
        *table(lineup),
        "",
        "Kafka by its role takes %.2f of the time that the same service takes as stock tasks." % (by_role.median / by_tasks.median),
    ]


def each_service(rounds: int) -> list[str]:
    """A second run of each service alone, against a ping of all nodes."""
    runs = [Variant("`--tags %s`" % name, ["ansible-playbook", "site.yml", "--tags", name], nothing_changed) for name in SERVICES]
    lineup = measure([Variant("`ansible skp -m ping`", PING), *runs], rounds, str(ROOT))
    return ["## Each service alone", "", "A second run of one service: `ansible-playbook site.yml` with its tag. Nothing changes.", "", *table(lineup)]


def status(rounds: int) -> list[str]:
    """The state of the cluster, with 3 hosts and with 37 further ones that the swarm does not know."""
    with tempfile.TemporaryDirectory() as directory:
        bare = str(many(pathlib.Path(directory) / "bare", []))
        run = ["ansible-playbook", "playbooks/status.yml"]
        lineup = measure(
            [
                Variant("`ansible skp -m ping`", PING),
                Variant("`playbooks/status.yml`, 3 hosts", run),
                Variant("`ansible skp -m ping`, %d hosts" % MANY, [*PING, "-i", bare]),
                Variant("`playbooks/status.yml`, %d hosts" % MANY, [*run, "-i", bare], code=2),
            ],
            rounds,
            str(ROOT),
        )
    return [
        "## The state of the cluster",
        "",
        "With %d hosts the exit code is 2, as it should be: the swarm does not know the further hosts." % MANY,
        "",
        *table(lineup),
    ]


def data_volumes(rounds: int) -> list[str]:
    """A large file to and from each data volume, against the client of the same server that mounts nothing."""
    node = next(name for name in datastores.nodes() if name != "c01")
    size = MEGABYTES << 20
    with datastores.servers() as volumes:
        datastores.play(volumes)
        try:
            remotes = datastores.REMOTES.replace("$(hostname -i)", datastores.address())
            remotes = remotes.replace("$ROOT_ACCESS_KEY", datastores.S3["access_key_id"])
            remotes = remotes.replace("$ROOT_SECRET_KEY", datastores.S3["secret_access_key"])
            setting = "cd /root/bench\n%sremote=%s@%s\n" % (remotes, datastores.USER, datastores.address())
            setting += "options='-q -i /etc/skp/volumes/lake/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null'\n"
            lablib.on(node, "sh", "-euc", "mkdir -m 0700 /root/bench; cat >/root/bench/setting", stdin=setting)
            lablib.on(node, "sh", "-euc", "head -c %d /dev/urandom >/root/bench/file" % size)
            for name in ("rclone", "rclone-all") if datastores.BLOB else ("rclone",):
                lablib.run("docker", "cp", "-q", datastores.PROGRAMS / name, "%s:/root/bench/%s" % (lablib.container(node), name))
            lineup = measure(list(copies(node, lablib.container(node))), rounds, str(ROOT))
        finally:
            lablib.on(node, "rm", "-rf", "/root/bench")
            datastores.play([], "-e", "volumes_force=true")
    of = {variant.name: variant.median for variant in lineup}
    ratios = []
    for driver, tool, name in DRIVERS:
        if name in datastores.NAMES:
            write, read = (of["%s, %s the volume" % (driver, way)] / of["%s, %s the server" % (tool, way)] for way in ("to", "from"))
            ratios.append("%s: writing takes %.2f of the time of %s, reading %.2f." % (driver, write, tool, read))
    return [
        "## Data volumes",
        "",
        "A file of %d MiB on a node, copied with the client of the server, and through the volume. Reads are of files that the node has not seen; a write ends"
        % MEGABYTES,
        "when the server has all of it.",
        "",
        *table(lineup),
        "",
        *"\n\n".join(ratios).splitlines(),
    ]


DRIVERS = (("sshfs", "scp", "lake"), ("s3fs", "rclone copy", "s3"), ("rclone mount", "rclone copyto", "blob"))
"""Driver, client of the same server, name of the lab's volume."""


def copies(node: str, container: str) -> Iterator[Variant]:
    """Yield the copies to and from each server: with its client, and through its volume.

    What the client writes in a round, the volume reads in the next one, and the other way round: neither has the file in a cache.
    """
    for driver, tool, name in DRIVERS:
        if name not in datastores.NAMES:
            continue
        place = "%s/%s" % (datastores.PARENT, name)
        if name == "lake":
            there = "$remote:%s" % datastores.DATA
            put, get = "scp $options file %s/c{round}" % there, "scp $options %s/v$before got" % there
        else:
            there = "%s:%s" % (name, datastores.BUCKET)
            program = "./rclone-all" if name == "blob" else "./rclone"
            put, get = "%s copyto file %s/c{round}" % (program, there), "%s copyto %s/v$before got" % (program, there)
        write = "cp file %s/v{round}; sync %s/v{round}" % (place, place)
        if name == "blob":  # it uploads after the file is closed
            write += "; until ./rclone-all lsf %s/v{round} 2>/dev/null | grep -q .; do sleep 0.1; done" % there
        # Before the first round nothing is there to be read.
        ahead = "before=$(({round} - 1))\n"
        for text, what in ((put, "%s, to the server" % tool), (write, "%s, to the volume" % driver)):
            yield Variant(what, ["docker", "exec", container, "bash", "-euc", ". /root/bench/setting\n" + text])
        for text, what in ((get + "; rm got", "%s, from the server" % tool), ("cat %s/c$before >/dev/null" % place, "%s, from the volume" % driver)):
            yield Variant(what, ["docker", "exec", container, "bash", "-euc", ". /root/bench/setting\n%stest {round} = 0 || { %s; }" % (ahead, text)])


def many(target: pathlib.Path, labels: list[dict[str, str]]) -> pathlib.Path:
    """Write an inventory of MANY hosts: the lab's nodes and, under further addresses that are given to them here, workers with these labels.

    Returns its directory. The addresses are the nodes' own until they restart; no other machine has them.
    """
    shutil.copytree(LAB, target)
    hosts = json.loads((LAB / "hosts.json").read_text(encoding="utf-8"))
    lab = os.environ.get("SKP_LAB_NAME", "skp-lab")
    names, keys = sorted(hosts), (LAB / "ssh/known_hosts").read_text(encoding="utf-8").splitlines()
    for number in range(len(names) + 1, MANY + 1):
        node = names[number % len(names)]
        address = str(ipaddress.ip_address(hosts[node]["ipv4"]) + 100 + number - number % len(names))
        subprocess.run(
            ["docker", "exec", "%s-%s" % (lab, node), "ip", "address", "replace", address + "/24", "dev", "eth0"], check=True
        )  # fmt: skip
        keys += ["%s %s" % (address, line.split(" ", 1)[1]) for line in keys if hosts[node]["ipv4"] in line.split(" ")[0].split(",")]
        hosts["n%02d" % number] = {"ipv4": address, "labels": labels, "groups": ["worker"]}
    (target / "hosts.json").write_text(json.dumps(hosts), encoding="utf-8")
    (target / "ssh/known_hosts").write_text("\n".join(keys) + "\n", encoding="utf-8")
    return target


def many_hosts(rounds: int) -> list[str]:
    """The run of one service with 3 hosts, with 37 further ones that have no part in it, and with 37 further ones that have."""
    with tempfile.TemporaryDirectory() as directory:
        bare = many(pathlib.Path(directory) / "bare", [])
        workers = many(pathlib.Path(directory) / "workers", [{"spark-worker": "enable"}])
        run = ["ansible-playbook", "site.yml", "--tags"]
        lineup = measure(
            [
                Variant("`--tags kafka`, 3 hosts", [*run, "kafka"], nothing_changed),
                Variant("`--tags kafka`, %d hosts, %d of them without a label" % (MANY, MANY - 3), [*run, "kafka", "-i", str(bare)], nothing_changed),
                Variant("`ansible skp -m ping`, %d hosts" % MANY, [*PING, "-i", str(bare)]),
                Variant("`--tags spark`, 3 hosts with the label spark-worker", [*run, "spark"], nothing_changed),
                Variant("`--tags spark`, %d hosts with the label spark-worker" % MANY, [*run, "spark", "-i", str(workers)], nothing_changed),
            ],
            rounds,
            str(ROOT),
        )
    return [
        "## Many hosts",
        "",
        "The further hosts are names that lead to the same three nodes. A run of Kafka does not contact hosts without its label.",
        "",
        *table(lineup),
    ]


def inventory(rounds: int) -> list[str]:
    """The inventory plugin against Ansible's own YAML inventory of the same hosts; measured and described by its own script."""
    printed = output(sys.executable, "tests/bench/inventory_bench.py", "--markdown", "--rounds", str(rounds))
    return ["## The inventory", "", *printed.splitlines()]


def main() -> None:
    """Measure, then write: a bench that fails leaves the old files as they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--skip-lab", action="store_true")
    chosen = parser.parse_args()
    head = HEAD.format(
        rounds=chosen.rounds,
        date=datetime.date.today().isoformat(),
        commit=output("git", "rev-parse", "--short", "HEAD"),
        machine=machine(),
        versions=versions(),
    )
    parts = [] if chosen.skip_lab else [part(chosen.rounds) for part in (second_run, each_service, many_hosts, status, data_volumes)]
    parts.append(inventory(chosen.rounds))
    text = "\n".join([head, *("\n".join(part) + "\n" for part in parts)])
    for path, content in ((TARGET, text), (KOREAN, korean.page(text))):
        path.write_text(content, encoding="utf-8")
        print("written: %s" % path.relative_to(ROOT))
    subprocess.run([sys.executable, "tests/tools/pictures.py"], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
