# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every container of the cluster must be like: the rules of the CIS Docker Benchmark for containers, as data, and the exceptions, each with its reason.

A container is what `docker inspect` gives for it. Services are named without their number: kafka-skp-1 is kafka-skp.
"""
from __future__ import annotations

import re

# Sources on the node that no container may have, and what is below them that it may.
SENSITIVE = ("/boot", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sys", "/usr", "/var/lib/docker", "/var/run")
HARMLESS = ("/etc/skp/registry",)


def binds(container):
    """Paths of the node that the container has."""
    return [mount["Source"] for mount in container["Mounts"] if mount["Type"] == "bind"]


def below(path, tops):
    """Whether a path is one of these or below one."""
    return any(path == top or path.startswith(top + "/") for top in tops)


def is_sensitive(path):
    """Whether a container that has this path of the node could read or change the node itself."""
    return path == "/" or (below(path, SENSITIVE) and not below(path, HARMLESS))


def host(container, key):
    """A value of the container's HostConfig."""
    return container["HostConfig"].get(key)


RULES = {
    "not privileged": lambda one: not host(one, "Privileged"),
    "no socket of the engine": lambda one: not any(path.endswith("docker.sock") for path in binds(one)),
    "no sensitive paths of the node": lambda one: not any(is_sensitive(path) for path in binds(one)),
    "no shared propagation of mounts": lambda one: not any("shared" in mount.get("Propagation", "") for mount in one["Mounts"]),
    "no new privileges": lambda one: any(text.startswith("no-new-privileges") and not text.endswith("false") for text in host(one, "SecurityOpt") or ()),
    "seccomp and AppArmor as the engine sets them": lambda one: not any("unconfined" in text for text in host(one, "SecurityOpt") or ()),
    "no added capabilities": lambda one: not host(one, "CapAdd"),
    "no devices": lambda one: not host(one, "Devices"),
    "a limit of processes": lambda one: (host(one, "PidsLimit") or 0) > 0,
    "a limit of memory": lambda one: (host(one, "Memory") or 0) > 0,
    "a read-only root": lambda one: bool(host(one, "ReadonlyRootfs")),
    "a user that is not root": lambda one: one["Config"]["User"].split(":")[0] not in ("", "0", "root"),
    "a health check": lambda one: bool(((one["Config"].get("Healthcheck") or {}).get("Test") or ["NONE"])[0] != "NONE"),
    "a network of its own": lambda one: host(one, "NetworkMode") != "host",
    "processes of its own": lambda one: host(one, "PidMode") != "host",
    "shared memory of its own": lambda one: host(one, "IpcMode") != "host",
    "a name of its own": lambda one: host(one, "UTSMode") != "host",
    "users as the engine maps them": lambda one: host(one, "UsernsMode") != "host",
}

MEMORY = "how much a service needs depends on the site, and a wrong number kills it: the role's variable sets it (kafka_memory, jupyter_memory, ...)"
NATIVE = ("native libraries (zstd, snappy, Netty) are unpacked into /tmp and run from there, and the engine mounts a tmpfs of a service as noexec; the user "
          "owns nothing else of the image")
THROW_AWAY = "a service of the tests alone, as short as the tutorial's"

JVMS = ("kafka-skp", "spark-skp-master", "spark-skp-worker", "spark-skp-history")

AIRFLOW = tuple(f"airflow-skp{part}" for part in ("", "-metadata", "-scheduler", "-dag-processor", "-triggerer", "-worker"))
SOCKET = ("no socket of the engine", "no sensitive paths of the node")
PORTAINER = ("portainer-skp", "portainer-skp-agent")
PROXIES = ("airflow-skp-docker", "airflow-skp-swarm")

# {(rule, service): why it is not kept}.
EXCEPTIONS = {
    **{("a limit of memory", name): MEMORY for name in (
        "registry-skp", "zookeeper-skp", *JVMS, "jupyter-skp", "jupyter-skp-gateway", "mysql-skp", "pgsql-skp", "redis-skp", *AIRFLOW, *PORTAINER,
        "echo-skp")},
    **{("a read-only root", name): NATIVE for name in JVMS},
    ("a read-only root", "jupyter-skp"): "people install packages and unpack data in their container; a restart removes both",
    ("a read-only root", "jupyter-skp-gateway"): "as jupyter-skp: its kernels do the same",
    ("a read-only root", "airflow-skp-worker"): "tasks install packages and unpack data in their container; a restart removes both",
    **{("a user that is not root", name): "the engine's socket is root's; it has no capability" for name in PROXIES},
    **{(rule, name): "it is the filter that stands before the socket for tasks of Airflow" for name in PROXIES for rule in SOCKET},
    **{("a user that is not root", name): "its image expects root, and the engine's socket is root's; it has no capability" for name in PORTAINER},
    **{("a read-only root", name): "its image writes beside its program: the agent its certificate, the server the files of stacks" for name in PORTAINER},
    **{(rule, "portainer-skp-agent"): "an agent is the engine's hands for Portainer's administrators; it obeys only the server with its secret, on a network "
       "of their own, and runs on no node without the label portainer-agent" for rule in SOCKET},
    ("a health check", "portainer-skp-agent"): "an agent finds the others by name when it starts, and a name is hidden until its health check has passed",
    ("a user that is not root", "registry-skp"): "root owns the images on the store, so that no client of the store can change one; it has no capability",
    ("a network of its own", "registry-skp"): "it listens on the node's loopback: engines before 28 let others reach a port published there",
    ("a read-only root", "echo-skp"): THROW_AWAY,
    ("a health check", "echo-skp"): THROW_AWAY,
    ("a health check", "spark-skp-worker"): "the engine would kill a busy worker with its executors; the master stops using one that is silent for a minute",
}


def service(container):
    """Name of the service a container belongs to, without its number; of a container without a service, its own name."""
    name = (container["Config"].get("Labels") or {}).get("com.docker.swarm.service.name") or container["Name"].lstrip("/")
    return re.sub(r"-\d+$", "", name)


def broken(containers):
    """{(rule, service)} that some container does not keep."""
    return {(rule, service(one)) for one in containers for rule, keeps in RULES.items() if not keeps(one)}
