#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the engine and this machine once, and plan the lab (module_utils/lab_plan.py). Changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_state
short_description: Present state of the lab, and the plan to complete it
description:
  - Reads the engine at E(DOCKER_HOST) and this machine in one call and returns the plan of the lab.
author: skp.cluster contributors (@comafire)
options:
  name: {type: str, required: true, description: The lab's name; prefix of all its objects.}
  nodes: {type: int, required: true, description: "1, 3 or 5; 0 keeps the present number, 3 for a new lab."}
  subnets: {type: list, elements: str, required: true, description: Candidates in order of preference.}
  ui_ports: {type: list, elements: int, required: true, description: Ports of c01 to publish on 127.0.0.1.}
  home: {type: path, required: true, description: Inventory directory with the lab's keys.}
  context: {type: path, required: true, description: Build context of the node image.}
  build_words: {type: list, elements: str, required: true, description: Further values that determine the content of the node image.}
"""

EXAMPLES = r"""
- name: Plan the lab
  lab_state: {name: skp-lab, nodes: 3, subnets: [172.30.77.0/24], ui_ports: [8010], home: /x, context: /y, build_words: [trixie]}
"""

RETURN = r"""
plan:
  description: See lab_plan.plan.
  type: dict
  returned: success
extra_ca:
  description: PEM text of the certificates that this machine trusts in addition to its distribution's list.
  type: str
  returned: success
resolvers:
  description: This machine's name servers that a container can reach.
  type: list
  returned: success
"""

import glob
import hashlib
import os
import re
import socket
import subprocess

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lab_engine import connect
from ansible.module_utils.lab_plan import LabError, LABEL, engine_objection, extra_certificates, plan, resolvers

# Debian's layout first; without the distribution's single files, only certificates added by the owner can be identified.
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
CA_DISTRIBUTED = "/usr/share/ca-certificates/mozilla/*.crt"
CA_ADDED = ("/usr/local/share/ca-certificates/**/*.crt", "/etc/pki/ca-trust/source/anchors/*")
RESOLV_CONF = ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf")


def read_text(path):
    """Text of a file, empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""


def read_engine(client, name):
    """The engine's state for lab_plan.plan; containers and volumes of other owners by name only."""
    info = client.info()
    docker_host = client.api.base_url.replace("http+docker://localhost", "unix://")
    objection = engine_objection(info, os.environ.get("DOCKER_HOST") or docker_host)
    if objection:
        raise LabError(objection)
    containers = []
    for item in client.api.containers(all=True):
        labels = item.get("Labels") or {}
        entry = {"name": (item["Names"] or ["/"])[0].lstrip("/"), "labels": labels, "running": item["State"] == "running",
                 "image": item["Image"], "ports": []}
        if labels.get(LABEL) == name:
            detail = client.api.inspect_container(item["Id"])
            entry["image"] = detail["Config"]["Image"]
            entry["ports"] = [int(bind["HostPort"]) for binds in (detail["HostConfig"]["PortBindings"] or {}).values() for bind in binds]
        containers.append(entry)
    networks = [
        {"name": net["Name"], "labels": net.get("Labels") or {},
         "subnets": [conf["Subnet"] for conf in (net.get("IPAM") or {}).get("Config") or [] if ":" not in conf.get("Subnet", ":")]}
        for net in client.api.networks()
    ]
    return {
        "cgroup_version": info.get("CgroupVersion", ""),
        "containers": containers,
        "networks": networks,
        "images": [tag for image in client.api.images() for tag in image.get("RepoTags") or []],
        "volumes": [volume["Name"] for volume in client.api.volumes()["Volumes"] or []],
    }


def read_routes():
    """CIDR -> description of every IPv4 route of this machine except the default one."""
    output = subprocess.run(["ip", "-4", "route"], capture_output=True, text=True, check=False, timeout=10).stdout
    found = {}
    for line in output.splitlines():
        match = re.match(r"(\d+\.\d+\.\d+\.\d+(?:/\d+)?) .*?dev (\S+)", line)
        if match:
            found[match.group(1)] = "route on %s" % match.group(2)
    return found


def busy_ports(ports):
    """The ports that are already in use on this machine's loopback."""
    busy = []
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                busy.append(port)
    return busy


def read_extra_ca():
    """PEM text of the certificates that were added to this machine."""
    distributed = glob.glob(CA_DISTRIBUTED)
    if distributed:
        return extra_certificates(read_text(CA_BUNDLE), [read_text(path) for path in distributed])
    added = [path for pattern in CA_ADDED for path in sorted(glob.glob(pattern, recursive=True))]
    return extra_certificates("".join(read_text(path) for path in added), [])


def content_hash(context, words):
    """sha256 of the files of the build context, their modes and the words: decides whether the image is built again."""
    digest = hashlib.sha256("\0".join(words).encode())
    for path in sorted(glob.glob(os.path.join(context, "**"), recursive=True)):
        if os.path.isfile(path):
            with open(path, "rb") as handle:
                digest.update(b"\0%s\0%o\0" % (os.path.relpath(path, context).encode(), os.stat(path).st_mode & 0o111))
                digest.update(handle.read())
    return digest.hexdigest()


def main():
    """Read, plan, return."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "nodes": {"type": "int", "required": True},
            "subnets": {"type": "list", "elements": "str", "required": True},
            "ui_ports": {"type": "list", "elements": "int", "required": True},
            "home": {"type": "path", "required": True},
            "context": {"type": "path", "required": True},
            "build_words": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    client = connect(module)
    try:
        digest = content_hash(params["context"], params["build_words"])
        settings = {
            "name": params["name"],
            "nodes": params["nodes"],
            "subnets": params["subnets"],
            "ui_ports": params["ui_ports"],
            "home": params["home"],
            "image": "%s/node:%s" % (params["name"], digest[:12]),
        }
        host = {"routes": read_routes(), "busy_ports": busy_ports(params["ui_ports"]), "fuse": os.path.exists("/dev/fuse")}
        result = plan(settings, read_engine(client, params["name"]), host)
    except LabError as exc:
        module.fail_json(msg=str(exc))
    servers = next((found for found in (resolvers(read_text(path)) for path in RESOLV_CONF) if found), [])
    if not servers:
        result["notes"].append(
            "this machine's resolver listens on its loopback only; containers inside the nodes use Docker's default resolvers"
        )
    module.exit_json(changed=False, plan=result, extra_ca=read_extra_ca(), resolvers=servers)


if __name__ == "__main__":
    main()
