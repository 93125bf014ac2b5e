# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The desired state of a node's registry, and the changes to reach it: plain data in, plain data out.

This file reads no file, engine or network; `registry.io` does.
"""

from __future__ import annotations

import hashlib
import json
import re

from ..failure import Failure

MARKER = ".skp-registry-store"
ADOPTED = ".skp-registry-adopted"
ADOPTED_TEXT = "The images beside this file were there before skp.cluster used them; down.yml with skp_purge leaves them.\n"
"""File in the store with the store's id. It distinguishes a mounted store from the empty directory below a mount point."""
STORE_TARGET = "/var/lib/registry"
CONFIG_TARGET = "/etc/skp/registry"
CONFIG_FILE = "config.yml"
RECORD_FILE = "store_id"
"""File in the node's configuration directory: the id of the store that this node used before."""
SECOND = 1000000000  # the engine's API counts in nanoseconds

_CONFIG = """\
# Written by skp.cluster on every run of role registry; a change made here is undone.
version: 0.1
log:
  level: {log_level}
  accesslog:
    disabled: true  # each request is logged once already, as "response completed"
storage:
  # No "cache" block: an in-memory cache of blob descriptors answers for blobs that garbage collection or the writer of
  # another node has removed (distribution issues 1803, 3743, 4569).
  filesystem:
    rootdirectory: {root}
  delete:
    enabled: {writer}
  maintenance:
    uploadpurging:
      enabled: {writer}
      age: 168h
      interval: 24h
      dryrun: false
    readonly:
      enabled: {reader}
http:
  addr: {addr}
  secret: {secret}
  draintimeout: 30s
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
"""
_SECRET_LINE = re.compile(r"^(\s*secret:\s*)(.*)$", re.MULTILINE)


def sha256(text):
    """Hex SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def render_config(writer, address, port, http_secret, log_level="info"):
    """The registry's config.yml as text, for registry 2 and 3. Readers refuse pushes (405) and purge nothing."""
    yes, no = ("true", "false") if writer else ("false", "true")
    host = "[%s]" % address if ":" in address else address
    return _CONFIG.format(
        log_level=log_level, root=STORE_TARGET, writer=yes, reader=no,
        addr=json.dumps("%s:%d" % (host, port)), secret=json.dumps(http_secret),
    )


def masked(config_text):
    """A configuration without the secret: the first 12 digits of its hash replace the HTTP secret."""
    return _SECRET_LINE.sub(lambda found: "%ssha256:%s" % (found.group(1), sha256(found.group(2).strip().strip('"'))[:12]), config_text)


def container_spec(options, config_text, store_id):
    """The body of the engine's POST /containers/create.

    options: name, image, image_hash, writer, store, config_dir, user. The label `skp.hash` covers all options and the configuration, so
    the same options give the same hash. Host network and a listener on loopback instead of a published port: a port published on
    127.0.0.1 is a DNAT rule, and engines before 28 let machines on the same network reach it (moby issue 45610).
    `Mounts` and not `Binds`: with `Mounts` a missing source is an error, `Binds` would create an empty directory.
    """
    writer = options["writer"]
    labels = {
        "skp.role": "registry",
        "skp.registry": "writer" if writer else "reader",
        "skp.store": store_id,
    }
    if options.get("image_hash"):
        labels["skp.image"] = options["image_hash"]
    spec = {
        "Image": options["image"],
        # The entry point of upstream's image is a shell script, here it is the binary: this command works with both.
        "Entrypoint": ["registry"],
        "Cmd": ["serve", "%s/%s" % (CONFIG_TARGET, CONFIG_FILE)],
        "User": options["user"],
        "Env": ["OTEL_TRACES_EXPORTER=none"],
        "Labels": labels,
        "StopTimeout": 40,
        # The check reads the marker, not the HTTP answer: the registry also answers "healthy" without its store.
        "Healthcheck": {
            "Test": ["CMD-SHELL", "test -f %s/%s" % (STORE_TARGET, MARKER)],
            "Interval": 12 * SECOND, "Timeout": 5 * SECOND, "Retries": 2, "StartPeriod": 5 * SECOND,
        },
        "HostConfig": {
            "NetworkMode": "host",
            "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": 1024,
            "Mounts": _mounts(options, read_only=not writer),
        },
    }
    wish = json.dumps([spec, sha256(config_text)], sort_keys=True)
    labels["skp.hash"] = sha256(wish)
    return spec


def gc_spec(options, dry_run, delete_untagged):
    """The body of the one-shot container that collects garbage with the writer's image and configuration, without a network."""
    command = ["garbage-collect"]
    if dry_run:
        command.append("--dry-run")
    if delete_untagged:
        command.append("--delete-untagged")
    return {
        "Image": options["image"],
        "Entrypoint": ["registry"],
        "Cmd": command + ["%s/%s" % (CONFIG_TARGET, CONFIG_FILE)],
        "User": options["user"],
        "Env": ["OTEL_TRACES_EXPORTER=none"],
        "Labels": {"skp.role": "registry", "skp.registry": "gc"},
        "HostConfig": {
            "NetworkMode": "none",
            "RestartPolicy": {"Name": "no"},
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Mounts": _mounts(options, read_only=dry_run),
        },
    }


def _mounts(options, read_only):
    return [
        {"Type": "bind", "Source": options["store"], "Target": STORE_TARGET, "ReadOnly": read_only},
        {"Type": "bind", "Source": options["config_dir"], "Target": CONFIG_TARGET, "ReadOnly": True},
    ]


def plan_store(found, path, writer, create, recorded=None, expected=None, new_id=""):
    """Identify the store and decide whether a registry may run over it.

    found: {"exists", "parent_exists", "entries": [names], "marker": None or the id in the file ("" for an empty file)}.
    recorded: id that this node used before; expected: id reported by the writer's node; new_id: id for a new store.
    Returns (actions, store_id); actions are some of `create_store`, `adopt_store`, `mark_store`. Raises Failure.
    """
    known = recorded or expected
    if found["marker"]:
        for wanted, who in ((recorded, "this node used"), (expected, "the master's registry uses")):
            if wanted and found["marker"] != wanted:
                raise Failure(
                    "%s holds the registry store %s, but %s store %s. Is the right file system mounted there? Compare the "
                    "mounts of this node and the master (findmnt -T %s). If the store was replaced on purpose, remove the file %s from "
                    "the registry's configuration directory (/etc/skp/registry) on each node and run again."
                    % (path, found["marker"], who, wanted, path, RECORD_FILE),
                    "store_changed", path=path, found=found["marker"], expected=wanted)
        return [], found["marker"]
    if known:
        raise Failure(
            "%s should hold the registry store %s, but there is no file %s with that id in it (%s). Is the store mounted? "
            "Check findmnt -T %s; nothing was started.%s"
            % (path, known, MARKER, _shown(found), path,
               " If only that file was lost: echo %s > %s/%s" % (known, path, MARKER) if found["entries"] else ""),
            "store_missing", path=path, expected=known, entries=found["entries"][:10])
    if not writer or not create:
        raise Failure(
            "%s is not a registry store: there is no file %s with an id in it (%s). Is the store mounted? Check findmnt -T %s. The master's "
            "registry creates a store: run it there first (--tags registry without --limit)." % (path, MARKER, _shown(found), path),
            "store_missing", path=path, entries=found["entries"][:10])
    if found["marker"] == "":  # an empty marker, created by hand: the operator wants to use this directory
        return (["adopt_store"] if found["entries"] else []) + ["mark_store"], new_id
    if found["entries"]:
        raise Failure(
            "%s has no file %s, yet it is not empty (%s). So it is neither a new store nor a known one. If it is a registry store that you "
            "want to use: touch %s/%s; otherwise set another directory." % (path, MARKER, _shown(found), path, MARKER),
            "store_foreign", path=path, entries=found["entries"][:10])
    if not found["parent_exists"]:
        raise Failure(
            "The registry store %s cannot be created: its parent directory is missing. Is the shared store set up and mounted "
            "(--tags store)?" % path,
            "store_missing", path=path, entries=[])
    return ([] if found["exists"] else ["create_store"]) + ["mark_store"], new_id


def plan_purge(found, path, real, points):
    """What a purge does to the store: (actions, why its images are left or ""). Raises Failure.

    found: as for plan_store, with "adopted": its images were there before. real: the path without links. points: the mount points of this node.
    """
    if found["marker"] is None:
        return [], ""
    if found.get("adopted"):
        return [], "The images in %s were there before skp.cluster, so they are left. To remove them: rm -r %s" % (path, path)
    images = real.rstrip("/") + "/docker"
    below = sorted(point for point in points if point == images or point.startswith(images + "/"))
    if below:
        raise Failure(
            "A file system is mounted in the registry store %s (%s), which skp.cluster did not make; nothing was removed on this node. Unmount it first."
            % (path, ", ".join(below)), "purge_refused", path=path, mounts=below)
    return ["purge_store"], ""


def refuse_unwritable(found, path, uid):
    """Raises Failure if the writer's user could not write to the store: without capabilities even root must own it."""
    if not found["exists"]:
        return
    own = found["uid"] == uid and found["mode"] & 0o200
    if not own and not found["mode"] & 0o002:
        raise Failure(
            "The registry store %s belongs to user %d (mode %04o), and the registry runs as user %d without any capability, so "
            "every push would fail. Run chown -R %d %s, or set registry_user to the owner." % (path, found["uid"], found["mode"], uid, uid, path),
            "store_owner", path=path, found=found["uid"], expected=uid)


def parse_user(text):
    """(uid, gid) of a text such as `0:0` or `5000`; the default group has the same number as the user. Raises Failure."""
    found = re.match(r"^(\d+)(?::(\d+))?$", text)
    if not found:
        raise Failure(
            "user must be uid or uid:gid, as numbers (names differ between the image and the node); found: %s" % text,
            "bad_user", found=text)
    return int(found.group(1)), int(found.group(2) or found.group(1))


def refuse_exposed(address):
    """Raises Failure for an address that other machines can reach: there is no login and no TLS."""
    if not (address == "::1" or re.match(r"^127\.\d+\.\d+\.\d+$", address)):
        raise Failure(
            "The registry must listen on loopback only, because it has no login and no TLS; found address %s. Use 127.0.0.1: every "
            "labelled node has its own registry." % address, "exposed_address", found=address)


def _shown(found):
    if not found["exists"]:
        return "the directory does not exist"
    return "it contains %s" % ", ".join(found["entries"][:5]) if found["entries"] else "it is empty"


def plan_image(found, image, image_hash, archive):
    """The action that gets the image: [] if it is present, `load_image` from the archive, or `pull_image` without an archive.

    found: None or {"id", "hash"}; the hash is the image's label `skp.hash`.
    """
    if found and (not image_hash or found["hash"] == image_hash):
        return []
    return ["load_image"] if archive else ["pull_image"]


def plan_container(container, spec, image, config_drift, answering):
    """The actions for the container.

    container: None or {"hash", "status", "running", "image_id", "store_stale"}; image: None or {"id"}, the wanted image;
    config_drift: the configuration file differs; answering: the registry is healthy over HTTP.
    Returns (actions, reasons); actions are some of `remove`, `create`, `start`, `restart`; reasons are text for the operator.
    """
    if container is None:
        return ["create", "start"], ["there is no container"]
    reasons = []
    if container["hash"] != spec["Labels"]["skp.hash"]:
        reasons.append("the container has other settings")
    if image and container["image_id"] and container["image_id"] != image["id"]:
        reasons.append("the container has another image")
    if reasons:
        return ["remove", "create", "start"], reasons
    # The engine would answer "start" with "already started", and it waits up to a minute between its own restarts.
    if container["status"] == "restarting":
        return ["restart"], ["the container exits again and again"]
    if not container["running"]:
        return ["start"], ["the container is not running"]
    if config_drift:
        reasons.append("its configuration file was changed")
    if container["store_stale"]:
        reasons.append("the store was mounted again below the container")
    elif not answering:
        reasons.append("the registry does not answer, or is unhealthy")
    return (["restart"], reasons) if reasons else ([], [])


def refuse_foreign(container, name):
    """Raises Failure if another container has that name."""
    if container and not container["ours"]:
        raise Failure(
            "A container named %s already exists and was not made by this collection (no label skp.role=registry). "
            "Remove it (docker rm -f %s), or choose another name." % (name, name), "foreign_container", name=name)


def no_container(name):
    """The error for a missing registry container; the caller raises it."""
    return Failure("There is no registry container %s on this node. Start the registry first (--tags registry)." % name, "no_container", name=name)


def plan_gc(container, writer, name):
    """Raises Failure unless garbage collection is allowed on this node."""
    found = None if container is None else container["kind"]
    if not writer or found == "reader":
        raise Failure(
            "Garbage collection is refused here: %s is a reader. Only the master's registry can collect; run playbooks/registry_gc.yml, "
            "which stops it first, because an upload during the collection loses its layers." % name, "gc_on_reader", name=name)
    if container is None:
        raise no_container(name)
    refuse_foreign(container, name)


def readers_first(writer, container, marked):
    """Whether all other registries must be changed before this one becomes the writer: the store is in use, and its writer was another node's registry.

    container: this node's registry or None. marked: the store has its marker. Two writers over one store lose uploads.
    """
    return bool(writer and marked and (container is None or container["kind"] != "writer"))


def digest_of(image):
    """The digest in an image reference, "" without one."""
    return image.partition("@")[2]


def refuse_running(manifests, running):
    """Raises Failure if a manifest to be removed is run. manifests: digests; running: {digest: [services]}."""
    used = sorted(set(manifests) & set(running))
    if used:
        raise Failure(
            "Services still run %d image(s) that would be removed: %s. Their containers could then not start on another node. Update these services first "
            "(site.yml), or collect without registry_gc_untagged." % (
                len(used), "; ".join("%s (%s)" % (digest[:19], ", ".join(running[digest])) for digest in used)),
            "gc_running", manifests=used)


_GC_COUNTS = re.compile(r"(\d+) blobs marked, (\d+) blobs(?: and (\d+) manifests)? eligible for deletion")
_GC_BLOB = re.compile(r"blob eligible for deletion: (\S+)")
_GC_MANIFEST = re.compile(r"manifest eligible for deletion: (?:\{\S+ )?([a-z0-9]+:[0-9a-f]+)")
"""Registry 2 prints the digest; 3 prints `{repository digest [tags]}`."""


def parse_gc(text):
    """The output of `registry garbage-collect` as {"marked", "blobs": [digests], "manifests": [digests]}; None if it did not finish."""
    counts = _GC_COUNTS.search(text)
    if not counts:
        return None
    return {
        "marked": int(counts.group(1)),
        "blobs": sorted(set(_GC_BLOB.findall(text))),
        "manifests": sorted(set(_GC_MANIFEST.findall(text))),
    }


_HINTS = (
    (r"docker-credential-|credentials? store error",
     "Docker asks a program, a credential helper, for the login to the registry: .docker/config.json in root's home directory names one (credsStore or "
     "credHelpers) that this machine does not have. It is usually left from Docker Desktop. Remove that line from the file; logins in the file stay. Then log "
     "in again with docker login if the registry wants it."),
    (r"no basic auth credentials|unauthorized|authentication required|requested access to the resource is denied",
     "The registry wants a login, or has no such image: is the image's name right? Then run docker login <registry> on the master, as root, with an account "
     "that may read it."),
    (r"layer verification failed|unexpected digest|digest mismatch|does not match digest|manifest verification failed|failed to verify"
     r"|unexpected commit digest|failed precondition|failed size validation|unexpected EOF|archive/tar: invalid|invalid checksum",
     "The received data does not match the digest. Check in this order: the clock of this node (timedatectl: "
     "synchronised?), its name servers (resolvectl or /etc/resolv.conf; wrong ones are the usual reason for a wrong clock), then the store: "
     "ansible-playbook playbooks/registry_verify.yml verifies it and lists what is damaged."),
    (r"certificate has expired or is not yet valid|x509",
     "A certificate was refused. The usual reason is a wrong clock on this node (timedatectl); another is a site CA that this "
     "node does not trust."),
    (r"no such host|server misbehaving|name resolution|lookup \S+ on ",
     "A name did not resolve. Images of the cluster come from localhost:5000, which needs no name server: is the image's name complete? "
     "For other registries check this node's name servers (resolvectl or /etc/resolv.conf)."),
    (r"connection refused|no route to host|i/o timeout|context deadline exceeded|request canceled",
     "The registry of this node does not answer. Start it with: ansible-playbook site.yml --tags registry. Its log: "
     "docker logs registry-skp."),
    (r"no space left",
     "The disk is full: df -h on this node and on the shared store; playbooks/registry_gc.yml removes unused blobs. It does not remove uploads that were "
     "interrupted: the writer removes those after a week (directories _uploads in the store)."),
    (r"service unavailable|\b503\b|health check",
     "The registry reports that its store does not answer. Is the shared store mounted, and does its server run (findmnt, ls on it)?"),
    (r"\b405\b|method not allowed|unsupported",
     "This registry is a reader. Only the master's registry accepts pushes; build and push there (--tags images)."),
    (r"http response to https client",
     "The engine uses HTTPS, but the registry uses HTTP. Use the name localhost:5000; engines from 29.10 with insecure-registries set "
     "need localhost:5000 in that list."),
    (r"manifest unknown|name unknown|not found|repository does not exist|pull access denied",
     "The registry does not have this image. Push it with: ansible-playbook site.yml --tags images. If it was just pushed: a node that "
     "looked earlier may cache the missing file for up to 60 s if the shared store is mounted without lookupcache=positive."),
)


def explain_pull_error(text):
    """The likely cause of an engine's pull or push error and what to do, as one text; "" if unknown."""
    for pattern, hint in _HINTS:
        if re.search(pattern, text or "", re.IGNORECASE):
            return hint
    return ""


def summary(container, config_text, store_id):
    """The present state of a node's registry for the diff: {"registry": flat dict, "config": text with the secret masked}."""
    facts = {"container": "absent", "store": store_id or "none"}
    if container:
        facts.update(container=container["status"], kind=container["kind"], settings=container["hash"][:12], image=container["image_id"])
    return {"registry": facts, "config": masked(config_text) if config_text is not None else ""}


def wish_summary(spec, image, config_text, store_id):
    """The desired state in the same form. image: {"id"}, or None if it is known only after the image was fetched."""
    labels = spec["Labels"]
    facts = {"container": "running", "kind": labels["skp.registry"], "settings": labels["skp.hash"][:12], "store": store_id}
    facts["image"] = image["id"] if image else spec["Image"]
    return {"registry": facts, "config": masked(config_text)}
