# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Data volumes of a node: what is refused, what each needs, what to do. Pure functions of plain data.

A volume is {"name", "driver", "source", "credentials", "options": dicts, "read_only": bool, "uid", "gid": numbers, "state": mounted | unmounted | absent}.
Its files are in a directory of root; a unit of systemd runs its program in the foreground; a script starts it and clears what a dead one leaves.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex

from ..failure import Failure
from . import config

UNIT = "skp-volume-%s.service"
RUN = "run"
RECORD = "applied"
"""File with the digest of what the unit was last started with."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
PLAIN_PATH = re.compile(r"/[A-Za-z0-9_./+@:-]*")
SECRET_WORD = re.compile(r"pass(word|wd|phrase)?($|[_-])|secret|token|sas_url|(^|[_-])key($|[_-](?!id))|^pass|connection_string|client_certificate",
                         re.IGNORECASE)
DRIVERS = tuple(config.COMMANDS)

REQUIRED = {
    "sshfs": (("host", "user"), ("private_key",)),
    "s3fs": (("bucket",), ("access_key_id", "secret_access_key")),
    "rclone": (("remote",), ()),
    "blobfuse2": (("account", "container"), ()),
}
OTHER = {
    "sshfs": (("path", "port", "host_key"), ()),
    "s3fs": (("path", "url", "region"), ()),
    "rclone": (("path",), None),
    "blobfuse2": (("endpoint",), ("account_key", "sas")),
}
"""Names that `source` and `credentials` may have besides. None: any, as the backend calls them."""

OURS = {
    "uid": "uid of the volume", "gid": "gid of the volume", "ro": "read_only of the volume", "read-only": "read_only of the volume",
    "IdentityFile": "credentials.private_key", "UserKnownHostsFile": "source.host_key", "Port": "source.port", "port": "source.port",
    "url": "source.url", "endpoint": "source.region", "config": "source.remote",
}
"""Options that a volume says in its own words."""

FORBIDDEN = {
    "nonempty": "files below the mount would be hidden, and a program that finds them has written to the bare directory",
    "allow-non-empty": "files below the mount would be hidden, and a program that finds them has written to the bare directory",
    "password_stdin": "nobody is there to type it; use credentials.private_key",
    "daemon": "systemd watches the program in the foreground", "daemon-wait": "systemd watches the program in the foreground",
    "delay_connect": "a wrong server would be a mount whose every use hangs",
    "suid": "programs of the backend would run with the rights of their owner", "dev": "devices of the backend would be devices of the node",
    "no_check_certificate": "the server could be anybody; add its CA to the node",
    "no-check-certificate": "the server could be anybody; add its CA to the node",
    "ssl_verify_hostname": "the server could be anybody; add its CA to the node",
    "ProxyCommand": "it runs any program as root; use ProxyJump", "ssh_command": "it runs any program as root", "sftp_server": "it runs any program as root",
    "ssh_protocol": "only version 2 is safe", "directport": "it has no encryption", "slave": "it has no encryption", "passive": "it has no encryption",
    "rc": "it opens a port that gives access to the credentials", "rc-addr": "it opens a port that gives access to the credentials",
    "password-command": "it runs any program as root",
}
FIXED = {
    "allow_other": True, "allow-other": True, "default_permissions": True, "default-permissions": True, "nosuid": True, "nodev": True, "BatchMode": "yes",
    "PasswordAuthentication": "no", "KbdInteractiveAuthentication": "no", "StrictHostKeyChecking": "yes", "IdentitiesOnly": "yes",
    "GlobalKnownHostsFile": "/dev/null", "UpdateHostKeys": "no",
}
WHY_FIXED = {
    "allow_other": "containers run as other users than root and would see nothing",
    "allow-other": "containers run as other users than root and would see nothing",
    "StrictHostKeyChecking": "any server that answers would get the data",
}


# --- what is refused --------------------------------------------------------------------------------------------------------------------------------------

def check(volumes, directory):
    """Raises Failure with everything that is wrong with the volumes of a node. Returns them in one spelling."""
    wrong = []
    if not PLAIN_PATH.fullmatch(directory) or not directory.rstrip("/") or ".." in directory.split("/"):
        wrong.append("skp_volumes_dir: found %r, expected an absolute path without spaces, for example /mnt/skp" % directory)
    seen = {}
    clean = []
    for volume in volumes:
        name = volume["name"]
        faults = faults_of(volume)
        if name in seen:
            faults.append("the name is used twice")
        seen[name] = True
        wrong += ["volume %s: %s" % (name, text) for text in faults]
        if not faults:
            clean.append(spelled(volume))
    if wrong:
        raise Failure("%s. Nothing was changed. See docs/volumes.md." % "; ".join(wrong), kind="volume_value", wrong=wrong)
    return clean


def spelled(volume):
    """A volume with every key, and host keys as a list."""
    source = dict(volume.get("source") or {})
    if volume["driver"] == "sshfs":
        source["host_key"] = host_keys(source)
    return {"name": volume["name"], "driver": volume["driver"], "source": source, "credentials": dict(volume.get("credentials") or {}),
            "options": dict(volume.get("options") or {}), "read_only": bool(volume.get("read_only")), "uid": int(volume.get("uid") or 0),
            "gid": int(volume.get("gid") or 0), "state": volume.get("state") or "mounted"}


def host_keys(source):
    """The pinned keys of a source: a list, or text with one key per line. A host name before the key, as ssh-keyscan prints it, is left out."""
    keys = source.get("host_key") or []
    found = []
    for line in keys.splitlines() if isinstance(keys, str) else keys:
        words = str(line).split()
        if words and not words[0].startswith("#"):
            if len(words) > 2 and not re.match(r"(ssh|ecdsa|sk)-", words[0]):
                words = words[1:]
            found.append(" ".join(words[:2]))
    return found


def faults_of(volume):
    """What is wrong with one volume, a line for each."""
    driver, found = volume["driver"], []
    if not NAME.fullmatch(str(volume["name"])):
        found.append("its name is the name of a directory and of a unit; expected small letters, digits, - and _, at most 40")
    if driver not in DRIVERS:
        return found + ["found driver %r, expected one of %s" % (driver, ", ".join(DRIVERS))]
    if (volume.get("state") or "mounted") != "mounted":
        return found
    source, secret, options = (volume.get(key) or {} for key in ("source", "credentials", "options"))
    for part, values, needed, known in zip(("source", "credentials"), (source, secret), REQUIRED[driver], OTHER[driver]):
        missing = [key for key in needed if values.get(key) in (None, "", {})]
        if missing:
            found.append("%s lacks %s" % (part, ", ".join(missing)) + (KEYGEN if missing == ["private_key"] else ""))
        if known is not None:
            found += ["%s has no %s with driver %s; expected %s" % (part, key, driver, ", ".join(needed + known)) for key in values
                      if key not in needed + known]
    found += _faults_of_values(driver, source, secret)
    for key, value in options.items():
        fault = option_fault(driver, key, value)
        if fault:
            found.append("option %s: %s" % (key, fault))
    for key in ("uid", "gid"):
        if not re.fullmatch(r"\d+", str(volume.get(key) or 0)):
            found.append("%s: found %r, expected a number" % (key, volume[key]))
    return found


KEYGEN = ". `ansible-playbook playbooks/volumes_keygen.yml` makes a key, `playbooks/volumes_copy_id.yml` gives it to the server"


def _faults_of_values(driver, source, secret):
    found = []
    if driver == "rclone":
        remote = source.get("remote")
        if remote is not None and (not isinstance(remote, dict) or not remote.get("type")):
            found.append("source.remote: expected the settings of rclone's configuration, with type, for example {type: s3, provider: Minio}")
        elif remote:
            found += ["source.remote has %s, which is a secret; write it into credentials" % key for key in remote if SECRET_WORD.search(key)]
    if driver == "blobfuse2" and not (secret.get("account_key") or secret.get("sas")):
        found.append("credentials lacks account_key or sas")
    if driver == "sshfs":
        found += ["source.host_key: %r is no public key of a host, expected `ssh-ed25519 AAAA...`" % key for key in host_keys(source)
                  if not config.fingerprint(key)]
        if not str(source.get("port") or config.SSH_PORT).isdigit():
            found.append("source.port: found %r, expected a number" % source["port"])
        if str(source.get("host", "")).startswith("-") or str(source.get("user", "")).startswith("-"):
            found.append("source.host and source.user must not begin with -")
        if secret.get("private_key") and "PRIVATE KEY-----" not in secret["private_key"]:
            found.append("credentials.private_key is no private key in OpenSSH's or PEM's form")
    flat = dict(source, **(source.get("remote") if isinstance(source.get("remote"), dict) else {}))
    for key, value in list(flat.items()) + list(secret.items()):
        if key not in ("private_key", "host_key", "remote") and re.search(r"[\x00-\x1f]", str(value)):
            found.append("%s: more than one line" % key)
    if driver in ("sshfs", "s3fs"):
        # fuse takes a comma for the next option.
        found += ["source.%s: a comma is not possible" % key for key in ("url", "region") if "," in str(source.get(key) or "")]
    return found


def option_fault(driver, key, value):
    """Why an option is refused, "" if it is not."""
    name = str(key).lstrip("-")
    if re.search(r"[\x00-\x20,=]", name) or re.search(r"[\x00-\x1f]", str(value)) or (driver in ("sshfs", "s3fs") and "," in str(value)):
        return "expected one name and one value, without commas and line breaks"
    if name != str(key):
        return "write it without dashes"
    if driver == "blobfuse2":
        if name in ("azstorage.account-key", "azstorage.sas", "azstorage.clientsecret"):
            return "it is a secret; write it into credentials"
        return "refused, because %s" % FORBIDDEN[name] if name in FORBIDDEN else config.blobfuse2_fault(name, value)
    if name in FORBIDDEN and value is not False:
        return "refused, because %s" % FORBIDDEN[name]
    if name in OURS:
        return "write it as %s" % OURS[name]
    if name in FIXED and value not in (FIXED[name], str(FIXED[name])):
        return "it must stay %s%s" % (FIXED[name], ": " + WHY_FIXED[name] if name in WHY_FIXED else "")
    if name in ("passwd_file", "tmpdir", "cache-dir", "use_cache"):
        return "the module has a place for it"
    if SECRET_WORD.search(name) and name not in ("KeepAlive",) and name not in FIXED and not re.match(r"(Pubkey|HostKey|Rekey|Revoked|TCPKeep|Kbd)", name):
        return "a secret on a command line can be read by everybody on the node; write it into credentials"
    return ""


def unpinned(volumes):
    """The sshfs volumes without a pinned host key."""
    return [volume for volume in volumes if volume["driver"] == "sshfs" and volume["state"] == "mounted" and not volume["source"]["host_key"]]


def unpinned_text(volume, seen, words=""):
    """The error of an sshfs volume without a pinned host key. seen: keys that the server showed."""
    host, port = config.ssh_target(volume)
    where = "host_key of the volume (in skp_volumes: source.host_key; with env.sh: volumes_sshfs_host_key)"
    if not seen:
        return ("no host key is pinned for %s port %d, and the server showed none (%s). Does it run there, and does this node reach it? Then set %s"
                % (host, port, words or "no answer", where))
    shown = " | ".join("%s (%s)" % (key, config.fingerprint(key)) for key in seen)
    return ("no host key is pinned, so any server could pretend to be %s. It showed: %s. Compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on "
            "the server itself, then set %s" % (host, shown, where))


def scanned(text):
    """The keys that ssh-keyscan printed, the best kind first."""
    rank = {"ssh-ed25519": 0, "ecdsa-sha2-nistp256": 1}
    keys = {" ".join(line.split()[1:3]) for line in text.splitlines() if len(line.split()) >= 3 and not line.startswith("#")}
    return sorted((key for key in keys if config.fingerprint(key)), key=lambda key: (rank.get(key.split()[0], 2), key))


# --- the volumes of a cluster -----------------------------------------------------------------------------------------------------------------------------

def from_env(settings):
    """The volumes that the names of st-kilda-pier's env.sh describe: `sshfs`, `s3`, `blob`. A group whose values are all empty is not used.

    settings: the variables of role volumes without their prefix.
    """
    found = []
    if any(settings.get(key) for key in ("sshfs_id", "sshfs_host", "sshfs_volume")):
        found.append({"name": "sshfs", "driver": "sshfs", "source": {
            "host": settings["sshfs_host"], "user": settings["sshfs_id"], "path": settings["sshfs_volume"], "port": settings["sshfs_port"],
            "host_key": settings["sshfs_host_key"]}})
    if any(settings.get(key) for key in ("s3_account", "s3_bucket", "s3_access_id", "s3_access_key")):
        found.append({"name": "s3", "driver": "s3fs", "source": {
            # The old tool has no bucket: the account is its name.
            "bucket": settings["s3_bucket"] or settings["s3_account"], "url": settings["s3_url"], "region": settings["s3_region"]},
            "credentials": {"access_key_id": settings["s3_access_id"], "secret_access_key": settings["s3_access_key"]}})
    if any(settings.get(key) for key in ("blob_account_name", "blob_account_key", "blob_container_name")):
        remote = {"type": "azureblob", "account": settings["blob_account_name"]}
        if settings["blob_endpoint"]:
            remote["endpoint"] = settings["blob_endpoint"]
        found.append({"name": "blob", "driver": "rclone", "source": {"remote": remote, "path": settings["blob_container_name"]},
                      "credentials": {"key": settings["blob_account_key"]}})
    return found


def of_cluster(volumes, settings, key=""):
    """All volumes with their labels, and the cluster's own ssh key for those of sshfs that bring none."""
    found = []
    for volume in list(volumes) + from_env(settings):
        volume = dict({"uid": settings["uid"], "gid": settings["gid"], "labels": settings["labels"]}, **volume)
        if isinstance(volume["labels"], str):  # as -e and AWX write it
            volume["labels"] = [label.strip() for label in volume["labels"].split(",") if label.strip()]
        volume["credentials"] = dict(volume.get("credentials") or {})
        if volume.get("driver") == "sshfs" and not volume["credentials"].get("private_key"):
            volume["credentials"]["private_key"] = key
        found.append(volume)
    return found


def of_host(volumes, groups):
    """The volumes of a host in these groups, as the module takes them. A label is a group: spark-worker is spark_worker."""
    wanted_keys = ("name", "driver", "source", "credentials", "options", "read_only", "uid", "gid", "state")
    return [{key: volume[key] for key in wanted_keys if key in volume} for volume in volumes
            if {label.replace("-", "_") for label in volume["labels"]} & set(groups)]


# --- what a volume needs ----------------------------------------------------------------------------------------------------------------------------------

UNIT_TEXT = """\
# Data volume {name} of skp.cluster, see docs/volumes.md. Changes by hand are replaced.
[Unit]
Description=Data volume {name} ({driver}) at {path}
Documentation=https://github.com/comafire/st-kilda-pier
Wants=network-online.target
After=network-online.target
# Only an order, and the start takes no time: the engine never waits for a backend and never stops because of one. When the node goes down, containers are
# stopped first, so that what they have written is complete.
Before=docker.service
# It never gives up: a backend may be away for days.
StartLimitIntervalSec=0

[Service]
# No sandbox of systemd here: it would give the program a mount name space of its own, and nobody would see the mount.
Type=exec
ExecStart=/bin/sh {run} start
ExecStopPost=-/bin/sh {run} clear
# Also if it ended without an error, as after an umount by hand.
Restart=always
RestartSec={pause}
TimeoutStartSec=60
TimeoutStopSec=30
KillMode=mixed
LimitCORE=0
LimitNOFILE=65536
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
"""

PAUSE = 5

RUN_TEXT = """\
#!/bin/sh
# Starts and clears the data volume {name} of skp.cluster, see docs/volumes.md. Changes by hand are replaced.
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C.UTF-8 HOME={cache}
at={path}

clear() {{ # a dead program leaves its mount; a new one would be mounted over it. --lazy: also what is in use
    left=10
    while grep -qF " $at " /proc/self/mountinfo && [ "$left" -gt 0 ]; do
        umount --lazy --internal-only --no-canonicalize "$at" || return 1
        left=$((left - 1))
    done
}}

case $1 in
clear) clear ;;
start)
    clear
    # Only here, never on a directory that could be the bare one below another mount.
    [ -z "$(ls -A "$at")" ] || {{ echo "$at is not empty, and nothing is mounted there: move its files away" >&2; exit 1; }}
{before}    exec {argv}
    ;;
esac
"""


def wanted(volume, directory, home, cache, programs=None):
    """What a checked volume needs. directory: parent of the mount points; home, cache: of all volumes. programs: {driver: path} where it is not in PATH.

    Returns {"name", "path", "unit", "run", "files": {name: text}, "secrets": texts that nobody may see, "digest"}.
    """
    name = volume["name"]
    places = {"home": "%s/%s" % (home, name), "cache": "%s/%s" % (cache, name), "path": "%s/%s" % (directory.rstrip("/"), name)}
    need = config.COMMANDS[volume["driver"]](volume, places)
    program = (programs or {}).get(volume["driver"]) or config.PROGRAMS[volume["driver"]]
    before = "".join("    %s >/dev/null\n" % shlex.join([program] + words[1:]) for words in need["before"])
    run = RUN_TEXT.format(name=name, path=shlex.quote(places["path"]), cache=shlex.quote(places["cache"]), before=before,
                          argv=shlex.join([program] + need["argv"][1:]))
    unit = UNIT_TEXT.format(name=name, driver=volume["driver"], path=places["path"], run="%s/%s" % (places["home"], RUN), pause=PAUSE)
    found = {"name": name, "driver": volume["driver"], "path": places["path"], "home": places["home"], "cache": places["cache"], "unit": unit, "run": run,
             "files": need["files"], "secrets": sorted(map(str, volume["credentials"].values()), key=len, reverse=True)}
    found["digest"] = digest(found)
    return found


def digest(need):
    """What tells two states of a volume apart. Kept in a file of root beside the secrets themselves."""
    return hashlib.sha256(json.dumps([need["unit"], need["run"], sorted(need["files"].items())]).encode()).hexdigest()


# --- what to do -------------------------------------------------------------------------------------------------------------------------------------------

def decide(need, found, state="mounted"):
    """The steps for one volume, in order, each with its reason: [(verb, reason)]. need: as of `wanted`, or None (unmounted, absent).

    found: {"unit", "run": texts or "", "enabled": bool, "drift": [names of secret files that differ], "applied": digest or "", "active": bool,
    "mount": none | ok | stale | foreign, "why": text of a stale mount, "bare": None if it cannot be seen, or {"exists", "guarded": bool}, "home": bool}.

    Verbs: unmount (lazily), write (files and unit), guard (make the bare directory unwritable), start, restart, stop, disable, remove.
    """
    steps = []
    if state != "mounted":
        if found["active"] or found["mount"] != "none":
            steps.append(("stop", "state is %s" % state))
        if state == "unmounted" and found["enabled"]:
            steps.append(("disable", "state is unmounted"))
        if state == "absent" and (found["home"] or found["unit"] or (found["bare"] or {}).get("exists")):
            steps.append(("remove", "it is not wanted any more"))
        return steps
    changed = [what for what, differs in (("unit", found["unit"] != need["unit"]), ("start script", found["run"] != need["run"])) if differs]
    changed += list(found["drift"]) + ([] if found["enabled"] else ["start at boot"])
    if changed:
        steps.append(("write", "differs: %s" % ", ".join(changed)))
    if found["mount"] == "stale":
        steps.append(("unmount", found["why"]))
    if found["mount"] != "ok" and found["bare"] is not None and not (found["bare"]["exists"] and found["bare"]["guarded"]):
        steps.append(("guard", "the bare directory can be written" if found["bare"]["exists"] else "the directory does not exist"))
    if found["applied"] != need["digest"] and (found["active"] or found["mount"] == "ok"):
        steps.append(("restart", "it runs with other options or credentials"))
    elif found["mount"] == "stale":
        steps.append(("restart", found["why"]))
    elif not found["active"] or found["mount"] == "none":
        steps.append(("restart" if found["active"] else "start", "it is not mounted"))
    return steps


def refuse(name, path, found, state):
    """Why the volume cannot be mounted there, "" if it can."""
    if found["mount"] == "foreign":
        return "%s: found a mount of %s (%s), which is not this volume. Unmount it, or give the volume another name" % (path, found["why"], found["type"])
    bare = found["bare"] or {}
    if state == "mounted" and bare.get("kind") not in (None, "directory"):
        return "%s is a %s, expected a directory or nothing. Remove it" % (path, bare["kind"])
    if state != "unmounted" and bare.get("entries"):
        return ("%s is not empty, and nothing is mounted there: %s%s. Something has written while the volume was not mounted. Move these files away, and copy "
                "them into the volume when it is mounted" % (path, ", ".join(bare["entries"][:10]), ", ..." if len(bare["entries"]) > 10 else ""))
    return ""


def describe(need, found, state):
    """Texts for a diff, {"before", "after"}: without anything that is in a secret file."""
    before = ["# %s" % found["mount"]] if found["unit"] or found["mount"] != "none" else []
    before += [text for text in (found["unit"], found["run"]) if text]
    if state == "absent":
        return {"before": _joined(before), "after": ""}
    if need is None:
        return {"before": _joined(before), "after": _joined(["# none"] + before[1:])}
    after = ["# ok", need["unit"], need["run"]]
    marks = []
    for name in sorted(need["files"]):
        differs = name in found["drift"]
        before += ["# %s: %s" % (name, "(missing or different)" if differs else "(not shown)")] if found["unit"] else []
        marks.append("# %s: %s" % (name, "(not shown, new)" if differs else "(not shown)"))
    return {"before": _joined(before), "after": _joined(after + marks)}


def _joined(parts):
    return "".join(part if part.endswith("\n") else part + "\n" for part in parts)


# --- what is there ----------------------------------------------------------------------------------------------------------------------------------------

def mounts_at(mountinfo, path):
    """[{"type", "source", "device"}] of the mounts exactly at a path, the uppermost last. mountinfo: text of /proc/self/mountinfo."""
    found = []
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        if "-" not in fields[6:]:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), fields[4])
        if point == path:
            after = fields.index("-", 6)
            found.append({"type": fields[after + 1], "source": fields[after + 2], "device": fields[2]})
    return found


def is_fuse(kind):
    """Whether a file system is one of FUSE."""
    return kind == "fuse" or kind.startswith("fuse.")


def progress(shown, mount):
    """What a start has come to: "done", "failed" or "waiting". shown: properties of systemctl show; mount: none | ok | stale."""
    # A restart is two steps: before the first the old program is still there; between them a program that ended with an error makes the unit "failed".
    if shown.get("Job", "0") not in ("", "0"):
        return "waiting"
    if mount == "ok" and shown.get("ActiveState") == "active":
        return "done"
    # The second attempt ended too: what the tool says now is what it will go on to say.
    if int(shown.get("NRestarts") or 0) >= 2 or shown.get("ActiveState") == "failed":
        return "failed"
    return "waiting"


HINTS = (
    (r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed", "the server has another host key than the pinned one: somebody pretends to be it, "
     "or it was installed anew. `ansible-playbook playbooks/volumes_host_keys.yml` shows the key it has now"),
    (r"Permission denied \(", "the server does not know the key: `ansible-playbook playbooks/volumes_copy_id.yml` gives it the key; check source.user"),
    (r"[Cc]ould not resolve host|no such host|COULDNT_RESOLVE|Name or service not known|Couldn't resolve",
     "the name of the server cannot be resolved on this node: check its spelling, and the node's DNS"),
    (r"RequestTimeTooSkewed|clock skew|too skewed", "the clock of this node is wrong: S3 refuses requests that are 15 minutes off"),
    (r"InvalidAccessKeyId|SignatureDoesNotMatch|invalid credentials|AccessDenied|AuthenticationFailed|AuthorizationFailure|Unauthorized|"
     r"(RESPONSE|response code|status code:?) 40[13]",
     "the backend refuses the credentials: check them, and the rights of the account for this bucket or container"),
    (r"NoSuchBucket|bucket does not exist|bucket not found|ContainerNotFound|container does not exist|directory not found|"
     r"(RESPONSE|response code|status code:?) 404",
     "the bucket, container or directory does not exist: check its spelling; it is not created here"),
    (r"Connection (timed out|refused|reset)|[Ff]ailed to connect|connect: |unable to connect|COULDNT_CONNECT|[Cc]ouldn't connect|i/o timeout|"
     r"Network is unreachable",
     "nothing answers there: is the backend running, and do address and port fit? The volume is mounted by itself when it answers"),
    (r"No such file or directory", "the directory does not exist on the server: check source.path; it is not created here"),
    (r"didn't find backend called", "this rclone was built without that backend, as Debian's is without Azure Blob: leave volumes_rclone_path empty, and "
     "`ansible-playbook site.yml --tags images,volumes` builds one with all of them"),
    (r"fusermount3?: (exec|.*not found)|fuse: device not found|/dev/fuse", "the node has no FUSE: install the package fuse3, load the module fuse"),
    (r"command not found|: not found|No such file.*bin", "the program is not installed on this node"),
)


INSTALL = {
    "sshfs": "Install the package sshfs",
    "s3fs": "Install the package s3fs",
    "rclone": "`ansible-playbook site.yml --tags images,volumes` builds it as an image and copies it here; or install 1.75 or newer, and set "
              "volumes_rclone_path",
    "blobfuse2": "Its vendor's package repository has it: set volumes_blobfuse2_repository, or use driver rclone, which needs none",
}
PACKAGES = {"sshfs": "sshfs", "s3fs": "s3fs", "blobfuse2": "blobfuse2"}
"""Packages with the programs. Debian's rclone is too old, so it is no package here."""

RCLONE_MIN = (1, 75)


def rclone_fault(text):
    """What is wrong with the rclone that printed this version, "" if nothing is."""
    match = re.search(r"rclone v(\d+)\.(\d+)", text)
    if match and tuple(map(int, match.groups())) >= RCLONE_MIN:
        return ""
    return ("rclone is too old: found %s, expected %d.%d or newer (older ones take the endpoint of a Blob server apart wrongly). %s"
            % ((text.strip().splitlines() or ["nothing"])[0], *RCLONE_MIN, INSTALL["rclone"]))


def hint(words):
    """What to do about the words of a tool, "" if they are not known."""
    for pattern, text in HINTS:
        if re.search(pattern, words):
            return text
    return ""


def clean(words, secrets):
    """The words of a tool in one line, without secrets, at most 600 characters. Also parts of a secret of several lines, and its URL spelling."""
    for secret in secrets:
        parts = {secret, *(line for line in secret.splitlines() if len(line) > 15)}
        for part in sorted(filter(None, parts), key=len, reverse=True):
            words = words.replace(part, "(secret)")
    lines = []
    for line in words.splitlines():
        line = plain(line)
        if line and line not in lines:
            lines.append(line)
    # The last lines count most.
    while len(" | ".join(lines)) > SAID and len(lines) > 1:
        lines.pop(0)
    return " | ".join(lines)[:SAID]


SAID = 600
NOISE = re.compile(r"RequestId:|Time:|<\?xml|</|-{4,}|.*\[INF\]|.*change debug level|.*marker_xp->nodesetval is empty")


def plain(line):
    """A line of a tool without its time (each repetition would look new), and without the XML of a backend around its code and message."""
    line = re.sub(r"^[0-9TZ/:.+-]{8,}( [0-9:.]+)? ", "", line.strip())
    if NOISE.match(line):
        return ""
    line = re.sub(r"<\?xml.*", "", line)
    found = re.search(r"<Code>([^<]*)</Code>(?:<Message>([^<]*))?", line)
    if found:
        line = line[:found.start()].replace("<Error>", "") + ": ".join(filter(None, found.groups()))
    return re.sub(r"</?[A-Za-z]+>", "", line).strip()[:240]


def failed_text(need, words, seconds, seen=()):
    """The error of a volume that did not come: what the tool says, and what to do. seen: host keys that the server showed."""
    said = clean(words, need["secrets"])
    text = "not mounted after %d s. %s says: %s" % (seconds, config.PROGRAMS[need["driver"]], said or "nothing")
    if seen and re.search(r"[Hh]ost key|IDENTIFICATION", words):
        text += ". The server showed %s" % " | ".join("%s (%s)" % (key, config.fingerprint(key)) for key in seen)
    advice = hint(words) or "look at `journalctl -u %s` on this node" % (UNIT % need["name"])
    return "%s. %s%s. Its unit tries again every %d s" % (text, advice[0].upper(), advice[1:], PAUSE)


def failure_of(failed, healthy):
    """One Failure of all volumes that failed: {name: text}."""
    lines = ["volume %s: %s." % (name, text) for name, text in sorted(failed.items())]
    rest = " The other volumes of this node are as wished: %s." % ", ".join(sorted(healthy)) if healthy else ""
    return Failure("%s%s See docs/volumes.md." % (" ".join(lines), rest), kind="volumes", volumes=failed)
