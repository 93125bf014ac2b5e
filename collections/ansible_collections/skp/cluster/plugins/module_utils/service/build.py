# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Turns the options of one service into its specification as the engine's API expects it.

Pure functions of plain data. A payload built here is complete except for the ids of configs and secrets and of networks:
those are names until `service.io.with_ids` replaces them, so that a payload can be planned, hashed and shown before anything exists.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re

from ..failure import Failure
from .spec import GATE_LABEL, HASH_LABEL, HOST_CONSTRAINT, NODE_LABEL, ROLE_LABEL, SECRETS_LABEL, capabilities, content_hash, in_order, prune

START_INTERVAL_ENGINE = 25
"""First engine with StartInterval for a healthcheck (API 1.44, https://docs.docker.com/reference/api/engine/version-history/)."""
NO_NEW_PRIVILEGES_ENGINE = 25
"""First engine with Privileges.NoNewPrivileges for a service (API 1.44, the same page)."""
PIDS = 4096
"""Processes and threads of a task without a limit of its own: a fork bomb in one container must not stop the node."""
UNKNOWN_DIGEST = "(digest known after build)"
OBJECT_NAME_LIMIT = 64  # swarmkit's limit for names of configs and secrets

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|h|m|s)")
_DURATION_NS = {"us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$", re.IGNORECASE)
_SIZE_FACTOR = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def duration_ns(text, where):
    """'10s', '1m30s', '500ms' or plain seconds -> nanoseconds. None and '' give None."""
    if text in (None, ""):
        return None
    text = str(text).strip()
    if re.match(r"^\d+(\.\d+)?$", text):
        return int(float(text) * 10**9)
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Failure(
            "%s: %r is not a duration; expected for example 10s, 1m30s or 500ms." % (where, text), kind="bad_value", where=where
        )
    return int(sum(float(number) * _DURATION_NS[unit] for number, unit in parts))


def positive_ns(text, where):
    """The same, but 0 is refused: the engine takes it for "not set" and uses its own default."""
    found = duration_ns(text, where)
    if found == 0:
        raise Failure("%s: found %s, expected more than 0: the engine takes 0 for its own default. Set for example 1s." % (where, text), kind="bad_value",
                      where=where)
    return found


def size_bytes(text, where):
    """'512m', '2g', '1.5GiB' or plain bytes -> bytes (powers of 1024, as docker does). None and '' give None."""
    if text in (None, ""):
        return None
    match = _SIZE.match(str(text).strip())
    if not match:
        raise Failure("%s: %r is not a size; expected for example 512m or 2g." % (where, text), kind="bad_value", where=where)
    return int(float(match.group(1)) * _SIZE_FACTOR[match.group(2).lower()])


def file_mode(text, where):
    """'0444' -> 292. None and '' give None."""
    if text in (None, ""):
        return None
    if not re.match(r"^0?[0-7]{3,4}$", str(text)):
        raise Failure(
            "%s: %r is not a file mode; expected a quoted octal number like '0444'." % (where, text), kind="bad_value", where=where
        )
    return int(str(text), 8)


def _fingerprint(role, kind, name, content):
    """Hash of a config's or secret's content. Slow for secrets: names and diffs show the hash, and it must not help to guess the secret."""
    material = content.encode()
    if kind == "secret":
        return hashlib.pbkdf2_hmac("sha256", material, ("skp.cluster/%s/%s" % (role, name)).encode(), 50000).hex()
    return hashlib.sha256(material).hexdigest()


def _object_name(role, name, fingerprint):
    stem = re.sub(r"[^a-zA-Z0-9_.-]", "-", "%s-%s" % (role, name)).strip("-.")[: OBJECT_NAME_LIMIT - 13]
    return "%s-%s" % (stem, fingerprint[:12])


def _files(service, role, kind):
    """(references for the container spec, {object name: {"data": base64, "hash": str, "text": content or None for secrets}})."""
    references, objects = [], {}
    title = kind.capitalize()
    for item in service.get(kind + "s") or []:
        where = "%s: %s %s" % (service["name"], kind, item["name"])
        if not item.get("content"):
            raise Failure("%s is empty; swarm does not allow empty %ss." % (where, kind), kind="empty_object", where=where)
        fingerprint = _fingerprint(role, kind, item["name"], item["content"])
        name = _object_name(role, item["name"], fingerprint)
        objects[name] = {
            "data": base64.b64encode(item["content"].encode()).decode(),
            "hash": fingerprint,
            "text": item["content"] if kind == "config" else None,
        }
        target = item.get("target") or item["name"]
        references.append(
            {
                title + "Name": name,
                "File": {
                    "Name": target,
                    "UID": str(item.get("uid") or "0"),
                    "GID": str(item.get("gid") or "0"),
                    "Mode": file_mode(item.get("mode") or ("0444" if kind == "config" else "0400"), where),
                },
            }
        )
    return references, objects


def _mount(service, item):
    where = "%s: mount %s" % (service["name"], item["target"])
    kind = item.get("type") or "bind"
    if kind == "bind" and not str(item.get("source") or "").startswith("/"):
        raise Failure(
            "%s: a bind mount needs an absolute source path, found %r." % (where, item.get("source")), kind="bad_value", where=where
        )
    mount = {"Type": kind, "Source": item.get("source"), "Target": item["target"], "ReadOnly": bool(item.get("read_only"))}
    if kind == "bind" and item.get("propagation"):
        mount["BindOptions"] = {"Propagation": item["propagation"]}
    if kind == "tmpfs":
        mount["TmpfsOptions"] = {"SizeBytes": size_bytes(item.get("size"), where), "Mode": file_mode(item.get("mode"), where)}
    return mount


def _healthcheck(service, engine):
    check = service.get("healthcheck")
    if not check:
        return None
    where = "%s: healthcheck" % service["name"]
    test = check["test"]
    return {
        "Test": ["CMD-SHELL", test] if isinstance(test, str) else [str(part) for part in test],
        "Interval": duration_ns(check.get("interval"), where),
        "Timeout": duration_ns(check.get("timeout"), where),
        "Retries": check.get("retries"),
        "StartPeriod": duration_ns(check.get("start_period"), where),
        # An older engine silently drops it, and every later run would see a difference.
        "StartInterval": duration_ns(check.get("start_interval"), where) if engine is None or engine >= START_INTERVAL_ENGINE else None,
    }


def _resources(service):
    where = "%s: limits and reservations" % service["name"]

    def common(part):
        cpus = part.get("cpus")
        return {"NanoCPUs": int(round(float(cpus) * 10**9)) if cpus else None, "MemoryBytes": size_bytes(part.get("memory"), where)}

    limits, reservations = service.get("limits") or {}, service.get("reservations") or {}
    generic = [
        {"DiscreteResourceSpec": {"Kind": kind, "Value": int(value)}} for kind, value in sorted((reservations.get("generic") or {}).items())
    ]
    return {"Limits": dict(common(limits), Pids=limits.get("pids") or PIDS), "Reservations": dict(common(reservations), GenericResources=generic)}


def _text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _hosts(service):
    lines = []
    for item in service.get("extra_hosts") or []:
        name, _separator, address = item.partition(":")
        if not address:
            raise Failure(
                "%s: extra_hosts %r; expected name:address." % (service["name"], item), kind="bad_value", where=service["name"]
            )
        lines.append("%s %s" % (address, name))
    return lines


def _container(service, role, image, engine):
    configs, config_objects = _files(service, role, "config")
    secrets, secret_objects = _files(service, role, "secret")
    spec = {
        "Image": image,
        # A node knows its containers by their own labels: a task has none of its service's.
        "Labels": dict({ROLE_LABEL: role}, **({GATE_LABEL: json.dumps(service["stop_gate"])} if service.get("stop_gate") else {})),
        "Command": service.get("command"),
        "Args": service.get("args"),
        "Hostname": service.get("hostname"),
        "Env": ["%s=%s" % (key, _text(value)) for key, value in sorted((service.get("env") or {}).items())],
        "Dir": service.get("workdir"),
        "User": service.get("user"),
        "Groups": [str(group) for group in service.get("groups") or []],
        # An older engine drops it, see StartInterval.
        "Privileges": {"NoNewPrivileges": service.get("no_new_privileges", True) and (engine is None or engine >= NO_NEW_PRIVILEGES_ENGINE)},
        "ReadOnly": service.get("read_only"),
        "Init": service.get("init"),
        "StopSignal": service.get("stop_signal"),
        "StopGracePeriod": positive_ns(service.get("stop_grace_period"), "%s: stop_grace_period" % service["name"]),
        "Mounts": [_mount(service, item) for item in service.get("mounts") or []],
        "Healthcheck": _healthcheck(service, engine),
        "Hosts": _hosts(service),
        "DNSConfig": {"Nameservers": service.get("dns")},
        "Configs": configs,
        "Secrets": secrets,
        "CapabilityAdd": capabilities(service.get("cap_add")),
        "CapabilityDrop": capabilities(service.get("cap_drop")),
        "Sysctls": {key: _text(value) for key, value in (service.get("sysctls") or {}).items()},
        "Ulimits": [
            {"Name": item["name"], "Soft": item["soft"], "Hard": item.get("hard") or item["soft"]} for item in service.get("ulimits") or []
        ],
    }
    return spec, config_objects, secret_objects


def _restart(service):
    where = "%s: restart" % service["name"]
    restart = service.get("restart") or {}
    return {
        "Condition": restart.get("condition") or "any",
        "Delay": positive_ns(restart.get("delay") or "5s", where + ".delay"),
        "MaxAttempts": restart.get("max_attempts"),
        "Window": duration_ns(restart.get("window"), where),
    }


def _update_config(rolling):
    """How swarm updates the tasks of one service: node by node with a stop at the first failure, or all at once.

    For all at once, the monitor time is short, so that it ends before the wait here does: swarm writes the result into the service,
    and a service should not change after a run has ended.
    """
    if rolling:
        return {"Parallelism": 1, "FailureAction": "pause", "Order": "stop-first"}
    return {"FailureAction": "continue", "Monitor": 10**9, "Order": "stop-first"}


def image_reference(image, digests):
    """The image reference to run: by digest if `digests` {image: digest or None} has the image, else unchanged."""
    if image not in digests:
        return image
    return "%s@%s" % (image, digests[image] or UNKNOWN_DIGEST)


def build_service(service, role, network, digests, serial=0, engine=None, generations=None, own_labels=()):
    """One entry of the option `services` as plain data for the plan.

    digests: {image: 'sha256:...', or None if the image is not built yet} for images of the cluster's registry. serial: the module's option.
    generations: {name: generation} of the cluster's secrets behind this role's, kept as a label of services that have secrets.
    engine: major version of the oldest manager's engine, see `lowest_engine`; None means the newest.
    own_labels: labels that the role sets on the nodes itself; a service by one of them carries its name, so that the swarm's play leaves it to the role.
    Returns {"name", "host" (None of one that may run on several), "owns_data", "image" (as given), "payload", "configs", "secrets"}; the last two are
    {object name: {"data", "hash", "text"}}. Raises Failure for an invalid value.
    """
    places = {"host": HOST_CONSTRAINT + "%s", "label": "node.labels.%s==enable", "managers": "node.role==manager"}
    set_ = [name for name in places if service.get(name)]
    if len(set_) != 1:
        raise Failure(
            "%s: found %s, expected exactly one of host (by member), label (by label) and managers (on every manager)."
            % (service["name"], " and ".join(set_) or "none"), kind="bad_value", where=service["name"]
        )
    container, configs, secrets = _container(service, role, image_reference(service["image"], digests), engine)
    constraints = list(service.get("constraints") or [])
    constraints.append(places[set_[0]].replace("%s", str(service[set_[0]])))
    networks = [
        {"Target": name, "Aliases": [] if name == "host" else service.get("aliases")} for name in service.get("networks") or [network]
    ]
    log = service.get("log") or {}
    payload = in_order(prune(
        {
            "Name": service["name"],
            "Labels": dict(
                {key: _text(value) for key, value in (service.get("labels") or {}).items()},
                **{ROLE_LABEL: role, SECRETS_LABEL: _generations(generations) if service.get("secrets") else "",
                   NODE_LABEL: service["label"] if service.get("label") in own_labels else ""},
            ),
            "TaskTemplate": {
                "ContainerSpec": container,
                "Resources": _resources(service),
                "RestartPolicy": _restart(service),
                "Placement": {"Constraints": constraints},
                "Networks": networks,
                "LogDriver": {
                    "Name": log.get("driver"),
                    "Options": {key: _text(value) for key, value in (log.get("options") or {}).items()},
                },
            },
            "Mode": {"Replicated": {"Replicas": 1}} if service.get("host") else {"Global": {}},
            "UpdateConfig": _update_config(bool(serial) and not service.get("host")),
            "EndpointSpec": {
                "Mode": "dnsrr",
                "Ports": [
                    {
                        "Protocol": port.get("protocol") or "tcp",
                        "TargetPort": port["target"],
                        "PublishedPort": port.get("published") or port["target"],
                        "PublishMode": "host",
                    }
                    for port in service.get("ports") or []
                ],
            },
        }
    ))
    payload["Labels"][HASH_LABEL] = spec_hash(payload)
    return {
        "name": service["name"],
        "host": service.get("host"),
        "owns_data": service.get("owns_data"),
        "image": service["image"],
        "payload": payload,
        "configs": configs,
        "secrets": secrets,
    }


def _generations(generations):
    return ",".join("%s=%d" % item for item in sorted((generations or {}).items()))


def lowest_engine(nodes):
    """Major version of the oldest engine among the managers; None if no node says it.

    Any manager may store a service: an older one drops fields that it does not know, and then every run would find, and restart, something.
    nodes: entries of the state's `nodes`.
    """
    versions = [int(node["engine"].split(".")[0]) for node in nodes if node["facts"].get("node.role") == "manager" and node["engine"].split(".")[0].isdigit()]
    return min(versions, default=None)


def spec_hash(payload):
    """sha256 of a complete payload (with image digest and content hashes), without its own hash label."""
    labels = {key: value for key, value in payload["Labels"].items() if key != HASH_LABEL}
    return content_hash(dict(payload, Labels=labels))
