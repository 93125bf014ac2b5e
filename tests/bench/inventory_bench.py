# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of Ansible with a hosts.json of many hosts, against its own YAML inventory of the very same hosts.

Timed with the bench's harness: interleaved rounds, the first command twice as a control, medians. An INI file with nothing but the
hosts' names is the floor. Prints one JSON object, or with ``--markdown`` the section for docs/benchmarks.md; progress goes to standard error.
``--hosts`` and ``--rounds`` take other numbers than 10,000 and 5 (some four minutes).
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import typing as t

from harness import Variant, measure, table

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "collections"))

from ansible_collections.skp.cluster.plugins.plugin_utils._hosts_json import SERVICES as LABELS, group_name  # noqa: E402  (the path above comes first)

ROOT = pathlib.Path(__file__).parents[2]
SERVICES = ("registry", "jupyter", "spark-worker", "zookeeper", "kafka", "nginx", "airflow-worker")
OURS, YAML, NAMES = "hosts.json", "the same as a YAML inventory", "INI file, names only"
BOTH = (OURS, YAML)
SAME_AT = 50  # hosts with which the sources are compared before anything is timed


def make_hosts(count: int) -> dict[str, dict[str, t.Any]]:
    """A cluster with three services and one label of its own per host, always the same for the same count."""
    chosen = random.Random(1)
    hosts = {}
    for number in range(count):
        labels: list[dict[str, str]] = [{name: "enable"} for name in chosen.sample(SERVICES, 3)]
        groups = ["master", "manager"] if number == 0 else ["manager"] if number < 5 else ["worker"]
        address = f"10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}"
        hosts[f"n{number:05d}"] = {"ipv4": address, "labels": [*labels, {"rack": f"r{number % 40}"}], "groups": groups}
    return hosts


def as_yaml(hosts: dict[str, dict[str, t.Any]]) -> str:
    """The same hosts, variables and groups as an inventory for Ansible's yaml plugin, laid out as people write it."""
    lines = ["all:", "  hosts:"]
    # The group of the cluster, and those of services without a host, as the plugin makes them.
    members: dict[str, list[str]] = {group: [] for group in ("skp", "master", "manager", "worker", *map(group_name, LABELS))}
    for name, host in hosts.items():
        lines += [f"    {name}:", f"      ansible_host: {host['ipv4']}", "      skp_labels:"]
        for label, value in (item for entry in host["labels"] for item in entry.items()):
            lines.append(f"        {label}: {value}")
            if value == "enable":
                members.setdefault(label.replace("-", "_"), []).append(name)
        for group in ("skp", *host["groups"]):
            members[group].append(name)
    lines.append("  children:")
    for group, names in members.items():
        lines += [f"    {group}:", "      hosts:", *(f"        {name}:" for name in names)]
    return "\n".join(lines) + "\n"


def write(directory: pathlib.Path, count: int) -> dict[str, pathlib.Path]:
    """Write all sources; return them by name."""
    hosts = make_hosts(count)
    texts = {"hosts.json": json.dumps(hosts, indent=2), "inventory.yml": as_yaml(hosts), "names.ini": "\n".join(hosts) + "\n"}
    for file, text in texts.items():
        (directory / file).write_text(text, encoding="utf-8")
    return {OURS: directory / "hosts.json", YAML: directory / "inventory.yml", NAMES: directory / "names.ini"}


def command(program: str, source: pathlib.Path, *words: str) -> list[str]:
    """A command of Ansible on a source, with the programs of the Python that runs this."""
    return [str(pathlib.Path(sys.executable).with_name(program)), "-i", str(source), *words]


def check_that_both_say_the_same() -> None:
    """Refuse to compare sources that do not make the same inventory."""
    with tempfile.TemporaryDirectory() as directory:
        sources = write(pathlib.Path(directory), SAME_AT)
        lists = [
            subprocess.run(command("ansible-inventory", sources[name], "--list"), cwd=ROOT, check=True, stdout=subprocess.PIPE)
            for name in BOTH
        ]
    ours, yaml = (json.loads(result.stdout) for result in lists)
    for inventory in (ours, yaml):
        inventory["all"]["children"].sort()
        for group in inventory.values():
            group.get("hosts", []).sort()
    if ours != yaml:
        raise SystemExit("the two inventories differ, so their times cannot be compared")


def found(printed: str) -> None:
    """Raise unless the one host asked for was found."""
    if "n00001" not in printed:
        raise RuntimeError(f"n00001 was not found:\n{printed}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
    check_that_both_say_the_same()
    with tempfile.TemporaryDirectory() as directory:
        sources = write(pathlib.Path(directory), options.hosts)
        lineup = measure(
            [Variant(name, command("ansible", source, "n00001", "--list-hosts"), found) for name, source in sources.items()],
            options.rounds,
            str(ROOT),
            lambda line: print(line, file=sys.stderr, flush=True),
        )
    ours, control, yaml, floor = lineup
    if options.markdown:
        print(
            f"`ansible -i SOURCE n00001 --list-hosts` with {options.hosts:,} hosts: an address and four labels each, each in five groups.\n"
        )
        print("\n".join(table(lineup)))
        times = ours.median / yaml.median, ours.median / floor.median
        print("\nThe hosts.json takes %.3f of the time of the YAML inventory, and %.2f of that of an INI file with names only." % times)
        return
    result = {
        "benchmark": "inventory",
        "what": f"ansible -i SOURCE n00001 --list-hosts, {options.hosts} hosts",
        "rounds": options.rounds,
        "ratios": {
            name: round(ours.median / other.median, 3) for name, other in (("yaml", yaml), ("control", control), ("names only", floor))
        },
        "medians": {variant.name: round(variant.median, 3) for variant in lineup},
        "seconds": {variant.name: [round(second, 3) for second in variant.seconds] for variant in lineup},
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
