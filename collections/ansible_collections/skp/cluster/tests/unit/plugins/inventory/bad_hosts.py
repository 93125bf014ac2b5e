# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Broken hosts.json files and the exact lines each must give: (name, bytes of the file, lines without the file's name in front)."""

from __future__ import annotations

import json

EXAMPLE = '{"c01": {"ipv4": "10.0.0.4", "labels": [{"kafka": "enable"}], "groups": ["master", "manager"]}}'
OBJECT = f"expected one object with an entry per host such as {EXAMPLE}"
ENTRY = 'expected an object with "ipv4", "labels" and "groups"'
NAME = "not a host name, expected letters, digits, hyphens and dots, such as c01"
UNKNOWN = 'unknown key, expected "ipv4", "labels" and "groups" (or "roles")'
VARIABLE = f"{UNKNOWN}; put variables of a host in host_vars/c02.yml beside the inventory"
LABELS = 'expected a list such as [{"kafka": "enable"}] or an object such as {"kafka": "enable"}'
LABEL = 'expected an object such as {"kafka": "enable"}'
LABEL_NAME = "not a label, expected 1 to 63 letters, digits, hyphens, underscores and dots"
SWITCH = 'expected "enable" or "disable"'
VALUE = "expected 1 to 255 printable characters"
GROUPS = 'expected a list such as ["manager"]'
GROUP = 'expected "master", "manager" or "worker"'
BAD = "invalid JSON: found"
IPV4 = "expected an IPv4 address such as 10.0.0.4"


def cluster(**changes: object) -> dict[str, object]:
    """Three good hosts in which the keys of c02 are changed; ``...`` takes a key away."""
    c02: dict[str, object] = {"ipv4": "10.0.0.5", "labels": [{"kafka": "enable"}], "groups": ["manager"]}
    for key, value in changes.items():
        if value is ...:
            del c02[key]
        else:
            c02[key] = value
    return {
        "c01": {"ipv4": "10.0.0.4", "labels": [{"registry": "enable"}, {"kafka": "enable"}], "groups": ["master", "manager"]},
        "c02": c02,
        "c03": {"ipv4": "10.0.0.6", "labels": [], "groups": ["worker"]},
    }


def file(data: object) -> bytes:
    """The file that holds ``data``, one key per line."""
    return json.dumps(data, indent=2).encode()


def c02(*lines: str, **changes: object) -> tuple[bytes, list[str]]:
    """A file whose only fault is in c02, with the lines that say so."""
    return file(cluster(**changes)), [f"c02: {line}" for line in lines]


def renamed(name: str) -> bytes:
    """Three good hosts, the second under another name."""
    data = cluster()
    return file({name if key == "c02" else key: value for key, value in data.items()})


GOOD = file(cluster())
TEXT = GOOD.decode()


def edited(old: str, new: str) -> bytes:
    """The good file with the first ``old`` replaced."""
    assert old in TEXT
    return TEXT.replace(old, new, 1).encode()


CASES: list[tuple[str, bytes, list[str]]] = [
    # -- not a JSON document ------------------------------------------------------------------------------------------
    ("empty", b"", [f"the file is empty, {OBJECT}"]),
    ("only white space", b" \n\t\n", [f"the file is empty, {OBJECT}"]),
    ("only a byte order mark", b"\xef\xbb\xbf", [f"the file is empty, {OBJECT}"]),
    ("UTF-16", TEXT.encode("utf-16"), ["the file is UTF-16, expected UTF-8; save it as UTF-8"]),
    (
        "Latin-1",
        edited("c02", "c\xfc2").decode().encode("latin-1"),
        ["line 17, column 5: found byte 0xfc, which is not UTF-8, expected a file saved as UTF-8"],
    ),
    (
        "comma after the last host",
        TEXT.rstrip()[:-2].encode() + b",\n}\n",
        [f'line 34, column 4: {BAD} ",", expected no comma before "}}"'],
    ),
    ("comma after the last group", edited('"manager"\n', '"manager",\n'), [f'line 14, column 16: {BAD} ",", expected no comma before "]"']),
    (
        "comma forgotten",
        edited('"10.0.0.4",', '"10.0.0.4"'),
        [f'line 4, column 5: {BAD} "\\"labels\\"", expected a comma or a closing bracket'],
    ),
    ("colon forgotten", edited('"ipv4":', '"ipv4"'), [f'line 3, column 12: {BAD} "\\"10.0.0.4\\"", expected a colon']),
    ("value forgotten", edited(' "10.0.0.4",', ","), [f'line 3, column 12: {BAD} ",", expected a value']),
    (
        "quote forgotten",
        edited('"10.0.0.4"', '"10.0.0.4'),
        [f"line 3, column 23: {BAD} a line break inside a string, expected a closing double quote first"],
    ),
    (
        "tab in a name",
        edited('"c02"', '"c02\t"'),
        [f"line 17, column 7: {BAD} a tab inside a string, expected a closing double quote first"],
    ),
    (
        "single quotes",
        edited('"c01"', "'c01'"),
        [f'line 2, column 3: {BAD} "\'c01", expected a key in double quotes (JSON quotes with double quotes)'],
    ),
    ("no quotes", edited('"enable"', "enable"), [f'line 6, column 21: {BAD} "enable", expected a value (strings take double quotes)']),
    ("comment", b"# my cluster\n" + GOOD, [f'line 1, column 1: {BAD} "#", expected a value (JSON has no comments)']),
    (
        "comment inside",
        edited('"c02"', '// second\n"c02"'),
        [f'line 17, column 3: {BAD} "//", expected a key in double quotes (JSON has no comments)'],
    ),
    (
        "dots of an example",
        edited('  "c02"', "  ...\n"),
        [f'line 17, column 3: {BAD} "...", expected a key in double quotes (dots in an example mean omitted text)'],
    ),
    ("cut off", TEXT[:120].encode(), [f'line 9, column 9: {BAD} "\\"kafk", expected a closing double quote']),
    ("two documents", GOOD + b"\n" + GOOD, [f'line 36, column 1: {BAD} "{{", expected the end of the file']),
    ("YAML", b"c01:\n  ipv4: 10.0.0.4\n", [f'line 1, column 1: {BAD} "c01", expected a value']),
    ("bad escape", edited('"c02"', '"c\\02"'), [f'line 17, column 5: {BAD} "\\\\", expected a valid escape such as \\\\ or \\n']),
    ("nested without end", b"[" * 100_000, ["brackets are nested too deeply, expected one object with an entry per host"]),
    # -- not an object of hosts ---------------------------------------------------------------------------------------
    ("null", b"null", [f"found null, {OBJECT}"]),
    ("a list of hosts", file([{"name": "c01", "ipv4": "10.0.0.4"}]), [f"found a list, {OBJECT}"]),
    ("a string", b'"c01"', [f'found "c01", {OBJECT}']),
    ("no hosts", b"{}", [f"no hosts, {OBJECT}"]),
    ("host null", file({**cluster(), "c02": None}), [f"c02: found null, {ENTRY}"]),
    ("host an address", file({**cluster(), "c02": "10.0.0.5"}), [f'c02: found "10.0.0.5", {ENTRY}']),
    ("host a list", file({**cluster(), "c02": []}), [f"c02: found an empty list, {ENTRY}"]),
    # -- host names ---------------------------------------------------------------------------------------------------
    ("host twice", edited('"c03"', '"c02"'), ["c02: the host is written twice, expected each name once"]),
    ("name in two cases", renamed("C01"), ['C01: differs from host "c01" in upper and lower case only, expected another name']),
    ("name empty", renamed(""), [f'"": {NAME}']),
    ("name with a space", renamed("c 02"), [f'"c 02": {NAME}']),
    ("name a template", renamed("{{ 7 * 7 }}"), [f'"{{{{ 7 * 7 }}}}": {NAME}']),
    ("name a range", renamed("c[02:04]"), [f'"c[02:04]": {NAME}']),
    ("name a path", renamed("../c02"), [f'"../c02": {NAME}']),
    ("name half a character", edited('"c02"', '"\\ud800"'), [f'"\\ud800": {NAME}']),
    ("name with escapes for the terminal", edited('"c02"', '"\\u001b[2J"'), [f'"\\x1b[2J": {NAME}']),
    ("name too long", renamed("c" * 64), [f'"{"c" * 57}...": {NAME}']),
    (
        "name of the controller",
        renamed("localhost"),
        ["localhost: this name means the controller in Ansible, expected another name, such as c01"],
    ),
    ("name of a group", renamed("kafka"), ["kafka: also the name of a group, expected another name, such as c01"]),
    ("name of a swarm group", renamed("manager"), ["manager: also the name of a group, expected another name, such as c01"]),
    # -- keys of a host -----------------------------------------------------------------------------------------------
    ("unknown key", *c02(f'"lables": {UNKNOWN}; did you mean "labels"?', lables=[])),
    ("a variable", *c02(f'"ansible_user": {VARIABLE}', ansible_user="me")),
    ("a port", *c02(f'"port": {VARIABLE}', port=22)),
    ("key twice", edited('"labels": [', '"ipv4": "10.0.0.9", "labels": ['), ['c01: "ipv4": the key is written twice, expected once']),
    # -- addresses ----------------------------------------------------------------------------------------------------
    ("address missing", *c02(f'"ipv4": missing, {IPV4}', ipv4=...)),
    ("address null", *c02(f'"ipv4": found null, {IPV4}, in double quotes', ipv4=None)),
    ("address a number", *c02(f'"ipv4": found the number 10.5, {IPV4}, in double quotes', ipv4=10.5)),
    ("address NaN", edited('"10.0.0.5"', "NaN"), [f'c02: "ipv4": found the number NaN, {IPV4}, in double quotes']),
    ("address a huge number", edited('"10.0.0.5"', "9" * 5000), [f'c02: "ipv4": found the number {"9" * 40}, {IPV4}, in double quotes']),
    ("address empty", *c02(f'"ipv4": found "", {IPV4}', ipv4="")),
    ("address a name", *c02(f'"ipv4": found "c02.example.com", {IPV4}, not a name', ipv4="c02.example.com")),
    ("address out of range", *c02(f'"ipv4": found "10.0.0.256", {IPV4}', ipv4="10.0.0.256")),
    ("address too short", *c02(f'"ipv4": found "10.0.5", {IPV4}', ipv4="10.0.5")),
    ("address with leading zeros", *c02(f'"ipv4": found "10.0.0.05", {IPV4} without leading zeros', ipv4="10.0.0.05")),
    ("address with spaces", *c02(f'"ipv4": found "10.0.0.5 ", {IPV4} without spaces around it', ipv4="10.0.0.5 ")),
    ("address a network", *c02(f'"ipv4": found "10.0.0.0/24", {IPV4}, not a network', ipv4="10.0.0.0/24")),
    ("address with a port", *c02(f'"ipv4": found "10.0.0.5:22", {IPV4} without a port', ipv4="10.0.0.5:22")),
    ("address IPv6", *c02(f'"ipv4": found "fd00::5", {IPV4}; IPv6 is not supported', ipv4="fd00::5")),
    ("address a template", *c02(f'"ipv4": found "{{{{ groups }}}}", {IPV4}, not a name', ipv4="{{ groups }}")),
    ("address unspecified", *c02(f'"ipv4": found "0.0.0.0", which means no address, {IPV4}', ipv4="0.0.0.0")),
    ("address loopback", *c02(f'"ipv4": found "127.0.0.1", a loopback address, which other hosts cannot reach, {IPV4}', ipv4="127.0.0.1")),
    ("address multicast", *c02(f'"ipv4": found "224.0.0.1", a multicast address, {IPV4}', ipv4="224.0.0.1")),
    ("address broadcast", *c02(f'"ipv4": found "255.255.255.255", a reserved or broadcast address, {IPV4}', ipv4="255.255.255.255")),
    ("address twice", *c02('"ipv4": found "10.0.0.4", the address of c01 already, expected one address per host', ipv4="10.0.0.4")),
    # -- labels -------------------------------------------------------------------------------------------------------
    ("labels a string", *c02(f'"labels": found "kafka", {LABELS}', labels="kafka")),
    ("labels null", *c02(f'"labels": found null, {LABELS}', labels=None)),
    ("labels of names", *c02(f'"labels", entry 1: found "kafka", {LABEL}', labels=["kafka"])),
    ("labels with an empty object", *c02(f'"labels", entry 2: found an empty object, {LABEL}', labels=[{"kafka": "enable"}, {}])),
    (
        "labels two in one object",
        *c02(
            '"labels", entry 1: found an object with the keys "kafka", "zookeeper", expected one label per object',
            labels=[{"kafka": "enable", "zookeeper": "enable"}],
        ),
    ),
    ("label yes", *c02(f'label "kafka": found "yes", {SWITCH}', labels=[{"kafka": "yes"}])),
    ("label in capitals", *c02(f'label "kafka": found "Enable", {SWITCH}', labels={"kafka": "Enable"})),
    ("label true", *c02(f'label "kafka": found true, {SWITCH}', labels=[{"kafka": True}])),
    ("label one", *c02(f'label "kafka": found the number 1, {SWITCH}', labels={"kafka": 1})),
    ("label a list", *c02(f'label "kafka": found a list, {SWITCH}', labels={"kafka": ["enable"]})),
    (
        "label with two values",
        *c02('label "kafka": found both "enable" and "disable", expected one value', labels=[{"kafka": "enable"}, {"kafka": "disable"}]),
    ),
    (
        "label twice in an object",
        edited(
            '[\n      {\n        "registry": "enable"',
            '{"kafka": "enable", "kafka": "enable"}, "x": [\n      {\n        "registry": "enable"',
        ),
        [f'c01: "x": {UNKNOWN}', 'c01: label "kafka": the label is written twice, expected once'],
    ),
    ("custom label a number", *c02('label "rack": found the number 1, expected a string such as "r1"', labels=[{"rack": 1}])),
    ("custom label empty", *c02(f'label "rack": found "", {VALUE}', labels=[{"rack": ""}])),
    ("custom label of two lines", *c02(f'label "rack": found "r1\\nr2", {VALUE}', labels=[{"rack": "r1\nr2"}])),
    ("custom label too long", *c02(f'label "rack": found "{"r" * 57}...", {VALUE}', labels=[{"rack": "r" * 256}])),
    ("label name with a space", *c02(f'label "spark worker": {LABEL_NAME}', labels=[{"spark worker": "enable"}])),
    ("label name with an equals sign", *c02(f'label "rack=r1": {LABEL_NAME}', labels=[{"rack=r1": "enable"}])),
    ("label name empty", *c02(f'label "": {LABEL_NAME}', labels=[{"": "enable"}])),
    ("label name too long", *c02(f'label "{"r" * 57}...": {LABEL_NAME}', labels=[{"r" * 64: "enable"}])),
    (
        "label of ours",
        *c02('label "skp.host": the name is reserved for the engine or skp.cluster, expected another name', labels=[{"skp.host": "c01"}]),
    ),
    (
        "label of a swarm group",
        *c02('label "worker": a role of the node, not a label, expected it in "groups" (or "roles")', labels=[{"worker": "enable"}]),
    ),
    (
        "label of Ansible's group",
        *c02('label "all": a name with a meaning in Ansible or skp.cluster, expected another name', labels=[{"all": "enable"}]),
    ),
    (
        "label that is the controller",
        *c02('label "localhost": a name with a meaning in Ansible or skp.cluster, expected another name', labels=[{"localhost": "enable"}]),
    ),
    (
        "label of the cluster's group",
        *c02('label "skp": a name with a meaning in Ansible or skp.cluster, expected another name', labels=[{"skp": "enable"}]),
    ),
    (
        "label with the group of another",
        *c02(
            'label "spark_worker": creates the same group "spark_worker" as label "spark-worker", expected one of the two',
            labels=[{"spark_worker": "enable"}],
        ),
    ),
    # -- groups and roles ---------------------------------------------------------------------------------------------
    ("groups missing", *c02(f'"groups": missing, {GROUPS}', groups=...)),
    ("groups empty", *c02(f'"groups": found an empty list, {GROUPS}', groups=[])),
    ("groups a string", *c02(f'"groups": found "manager", {GROUPS}', groups="manager")),
    ("group unknown", *c02(f'"groups": found "database", {GROUP}', groups=["database"])),
    ("group misspelt", *c02(f'"groups": found "managr", {GROUP}; did you mean "manager"?', groups=["managr"])),
    ("group null", *c02(f'"groups": found null, {GROUP}', groups=[None])),
    ("group of the other form", *c02(f'"groups": found "slave", {GROUP}; "slave" is valid in "roles" only', groups=["slave"])),
    (
        "manager and worker",
        *c02('"groups": found both "manager" and "worker", expected one of them (managers run services too)', groups=["manager", "worker"]),
    ),
    ("groups and roles", *c02('"roles": found "groups" too, expected one of the two', roles=["manager"])),
    ("role unknown", *c02('"roles": found "leader", expected "master", "slave", "manager" or "worker"', groups=..., roles=["leader"])),
    ("role slave alone", *c02('"roles": found "slave" alone, expected "manager" or "worker" with it', groups=..., roles=["slave"])),
    ("no master", edited('"master",', ""), ['"groups": no host is "master", expected exactly one']),
    ("two masters", file(cluster(groups=["master"])), ['c02: "groups": found 2 masters (c01, c02), expected exactly one']),
    (
        "master and slave",
        file(cluster(groups=..., roles=["master", "slave", "manager"])),
        [
            'c02: "roles": found both "master" and "slave", expected one of them',
            'c02: "groups": found 2 masters (c01, c02), expected exactly one',
        ],
    ),
    # -- several findings are told at once ----------------------------------------------------------------------------
    (
        "several faults",
        *c02(
            '"ipv4": found "x", expected an IPv4 address such as 10.0.0.4, not a name',
            f'label "kafka": found "on", {SWITCH}',
            f'"groups": found "boss", {GROUP}',
            ipv4="x",
            labels=[{"kafka": "on"}],
            groups=["boss"],
        ),
    ),
]
