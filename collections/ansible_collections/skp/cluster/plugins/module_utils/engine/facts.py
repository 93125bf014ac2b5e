# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Facts about the Docker engine of this machine, without the Docker SDK.

The facts are needed before the SDK is installed (preflight, the engine role's first call, check mode on a new machine), so two GET
requests use the engine's socket directly. All changes of an engine go through `engine.client`.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import ssl
import subprocess
import time

from ..service.spec import GATE_LABEL
from .spec import local_node_state
from .wire import exchange, socket_path

EMPTY = {
    "installed": False, "running": False, "error": "", "cli": False, "sdk_version": "",
    "version": "", "api_version": "", "min_api_version": "", "hostname": "", "root_dir": "/var/lib/docker",
    "storage_driver": "", "cgroup_version": "", "cgroup_driver": "", "live_restore": False, "no_new_privileges": False, "runtimes": [], "default_runtime": "",
    "swarm_state": "inactive", "swarm_error": "", "node_id": "", "node_addr": "", "cluster_id": "",
    "is_manager": False, "managers": 0, "nodes": 0, "remote_managers": [], "encryption": "unknown",
}
"""All keys of the facts, with the values of a machine without an engine."""

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Search path for programs: with become or ssh, PATH often lacks the sbin directories."""


def ask(path, timeout=30):
    """GET `path` of the engine's API, decoded. Raises OSError if it does not answer, RuntimeError with the engine's message otherwise."""
    try:
        status, body = exchange(socket_path(), "GET", path, timeout=timeout)
    except http.client.HTTPException as exc:
        raise OSError("unexpected answer: %r" % exc) from exc
    try:
        value = json.loads(body)
    except ValueError as exc:
        raise RuntimeError("GET %s: the answer is not JSON (HTTP %d)" % (path, status)) from exc
    if status >= 400:
        raise RuntimeError("GET %s: %s" % (path, value.get("message", status) if isinstance(value, dict) else status))
    return value


def organization(der):
    """The organizationName of a DER certificate's subject, or "".

    The engine's swarm certificate contains the cluster id there (swarmkit, ca/certificates.go). There is no other way to read the cluster
    id on a worker. The certificate's issuer has no organization, so the first one found is the subject's.
    """
    marker = b"\x06\x03\x55\x04\x0a"
    at = der.find(marker)
    if at < 0 or len(der) < at + len(marker) + 2:
        return ""
    start = at + len(marker) + 2
    return der[start:start + der[start - 1]].decode("ascii", "replace")


def certificate_cluster_id(root_dir):
    """The cluster id in the node's swarm certificate, or "" if there is none or it cannot be read."""
    try:
        with open(os.path.join(root_dir, "swarm/certificates/swarm-node.crt"), encoding="ascii") as handle:
            text = handle.read()
        start = text.index(ssl.PEM_HEADER)
        end = text.index(ssl.PEM_FOOTER, start) + len(ssl.PEM_FOOTER)
        return organization(ssl.PEM_cert_to_DER_cert(text[start:end] + "\n"))
    except (OSError, ValueError):
        return ""


def configured(key, default, path="/etc/docker/daemon.json"):
    """A setting of the engine's file, `default` if it is not there: for an engine that does not run, or does not say it."""
    try:
        with open(path, encoding="utf-8") as handle:
            return json.load(handle).get(key) or default
    except (OSError, ValueError, AttributeError):
        return default


def from_answers(info, version):
    """The engine's part of the facts from its answers to /info and /version. Pure."""
    swarm = info.get("Swarm") or {}
    return {
        "running": True,
        "installed": True,
        "version": version.get("Version") or info.get("ServerVersion") or "",
        "api_version": version.get("ApiVersion") or "",
        "min_api_version": version.get("MinAPIVersion") or "",
        "hostname": info.get("Name") or "",
        "root_dir": info.get("DockerRootDir") or "/var/lib/docker",
        "storage_driver": info.get("Driver") or "",
        "cgroup_version": info.get("CgroupVersion") or "",
        "cgroup_driver": info.get("CgroupDriver") or "",
        "live_restore": bool(info.get("LiveRestoreEnabled")),
        "runtimes": sorted(info.get("Runtimes") or {}),
        "default_runtime": info.get("DefaultRuntime") or "",
        "swarm_state": local_node_state(swarm),
        "swarm_error": (swarm.get("Error") or "").strip(),
        "node_id": swarm.get("NodeID") or "",
        "node_addr": swarm.get("NodeAddr") or "",
        "cluster_id": (swarm.get("Cluster") or {}).get("ID") or "",
        "is_manager": bool(swarm.get("ControlAvailable")),
        "managers": swarm.get("Managers") or 0,
        "nodes": swarm.get("Nodes") or 0,
        "remote_managers": sorted(item.get("Addr", "") for item in swarm.get("RemoteManagers") or []),
    }


def splits_cli(path="/etc/os-release"):
    """Whether this distribution has the command docker in a package of its own: Debian 13 and newer (without a version: testing, sid)."""
    release = {}
    try:
        with open(path, encoding="utf-8") as handle:
            for line in handle:
                key, dummy, value = line.strip().partition("=")
                release[key] = value.strip("\"'")
    except OSError:
        return False
    number = release.get("VERSION_ID", "13")
    return release.get("ID") == "debian" and (not number.isdigit() or int(number) >= 13)


def our_name(container):
    """The name of a container of skp.cluster (for a task: its service's name), "" for any other container.

    container: an item of GET /containers/json. Containers of skp.cluster have the label skp.role. Tasks that an older version started do not; their services
    have the word skp in their names (kafka-skp-1, spark-skp-worker).
    """
    labels = container.get("Labels") or {}
    service = labels.get("com.docker.swarm.service.name", "")
    if service and ("skp.role" in labels or "skp" in service.split("-")):
        return service
    names = container.get("Names") or [container.get("Id", "")[:12]]
    return names[0].lstrip("/") if "skp.role" in labels and not service else ""


def our_gates(containers):
    """[(name, id, command)] of the running containers of skp.cluster that have a gate in their labels. containers: items of GET /containers/json."""
    return sorted((our_name(item), item["Id"], json.loads(item["Labels"][GATE_LABEL])) for item in containers
                  if our_name(item) and GATE_LABEL in (item.get("Labels") or {}) and item.get("State") == "running")


def our_health(containers):
    """{name: whether it is healthy} of the containers of skp.cluster. containers: items of GET /containers/json; the state of a healthcheck stands in
    `Status` ("Up 5 seconds (health: starting)"). Of several containers of one name, all must be healthy.
    """
    found = {}
    for item in containers:
        name = our_name(item)
        if name:
            status = item.get("Status") or ""
            found[name] = found.get(name, True) and not ("(health: starting)" in status or "(unhealthy)" in status)
    return found


def sdk_version():
    """The version of the Docker SDK this Python would import, "" without one. Does not import it (0.2 s)."""
    try:
        from importlib import metadata
        return metadata.version("docker")
    except Exception:  # a broken installation of another package must not break the facts
        return ""


def encryption():
    """Whether the kernel supports an encrypted overlay: the result of `try_ip`.

    /proc/net/xfrm_stat also exists on kernels without ESP, so the test adds the same security association as the engine (libnetwork,
    encryption.go: ESP, rfc4106(gcm(aes))).
    """
    return try_ip("xfrm", "state", "add", "src", "127.0.0.1", "dst", "127.0.0.2", "proto", "esp", "spi", "0x100",
                  "mode", "transport", "aead", "rfc4106(gcm(aes))", "0x" + "01" * 20, "64")


def try_ip(*arguments):
    """The kernel's answer to an ip command: "yes", "no: <its message>" or "unknown: <why>".

    The command is really run, because modules may be built in, missing or not loadable. It runs in its own network namespace, which ends
    with the command.
    """
    unshare, ip_command = (shutil.which(name, path=SEARCH_PATH) for name in ("unshare", "ip"))
    if not unshare or not ip_command:
        return "unknown: the test needs the commands unshare and ip (packages util-linux, iproute2)"
    try:
        # run_command has no time limit.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            [unshare, "--net", ip_command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError) as exc:
        return "unknown: %s" % exc
    if done.returncode == 0:
        return "yes"
    words = " ".join(done.stderr.split()) or "exit code %d" % done.returncode
    if "unshare" in words and "failed" in words:
        return "unknown: %s" % words
    return "no: %s" % words


def read(wait_pending=0, probe_encryption=False, timeout=30):
    """All facts of this machine's engine, keys as in EMPTY.

    wait_pending: seconds to wait while the swarm state is "pending" (after boot, a node first has to find its managers),
    and while a manager reports an error (a leader election may be running).
    """
    facts = dict(EMPTY, remote_managers=[], runtimes=[])
    facts["installed"] = bool(shutil.which("dockerd", path=SEARCH_PATH))
    facts["cli"] = bool(shutil.which("docker", path=SEARCH_PATH))
    facts["sdk_version"] = sdk_version()
    # An engine before 24.0 does not say it in /info (https://github.com/moby/moby/pull/45320).
    facts["no_new_privileges"] = configured("no-new-privileges", False) is True
    deadline = time.monotonic() + wait_pending
    while True:
        try:
            facts.update(from_answers(ask("/info", timeout), ask("/version", timeout)))
        except (OSError, RuntimeError) as exc:
            facts["error"] = str(exc)
        settled = facts["swarm_state"] != "pending" and not (facts["is_manager"] and facts["swarm_error"])
        if settled or time.monotonic() >= deadline:
            break
        time.sleep(0.5)
    if not facts["running"]:
        facts["root_dir"] = configured("data-root", EMPTY["root_dir"])
        facts["cluster_id"] = certificate_cluster_id(facts["root_dir"])
        facts["swarm_state"] = "stopped" if facts["cluster_id"] else "inactive"
    elif facts["swarm_state"] != "inactive" and not facts["cluster_id"]:
        facts["cluster_id"] = certificate_cluster_id(facts["root_dir"])
    if probe_encryption:
        facts["encryption"] = encryption()
    return facts
