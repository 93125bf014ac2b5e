# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. What each driver's program is called with, and the files it reads. Pure functions of plain data.

Each driver is a function of a checked volume and of the places ({"home", "cache", "path"}: directory of its files, of its cache, its mount point) and returns
{"argv": words, "files": {name: text of a file of root, mode 0600}, "before": commands that must succeed first}. No secret is in argv. All programs stay in
the foreground: then systemd knows the process whose end is the end of the mount.

The pages: sshfs(1) and ssh_config(5); s3fs(1); https://rclone.org/commands/rclone_mount/; setup/advancedConfig.yaml of Azure/azure-storage-fuse.
"""

from __future__ import annotations

import base64
import hashlib
import json

PROGRAMS = {"sshfs": "sshfs", "s3fs": "s3fs", "rclone": "rclone", "blobfuse2": "blobfuse2"}

SSH_PORT = 22
SHORT = 10
"""Seconds to connect. A longer time would also be the time for which a notebook hangs on a server that is away."""

LONG = 30
"""Seconds without an answer after which a connection counts as broken."""

FRESH = 20
"""Seconds after which a node sees what another one has written."""


def option_words(options):
    """-o words of a dictionary. True: only the name. False and None: left out."""
    words = []
    for key, value in options.items():
        if value is not False and value is not None:
            words += ["-o", key if value is True else "%s=%s" % (key, value)]
    return words


def ssh_target(volume):
    """(host, port) of an sshfs volume."""
    return volume["source"]["host"], int(volume["source"].get("port") or SSH_PORT)


def known_hosts(volume):
    """The text of the known_hosts file with the pinned keys. A port other than 22 is a part of the name, see sshd(8)."""
    host, port = ssh_target(volume)
    name = host if port == SSH_PORT else "[%s]:%d" % (host, port)
    return "".join("%s %s\n" % (name, " ".join(key.split()[:2])) for key in volume["source"].get("host_key") or [])


def fingerprint(key):
    """The fingerprint of a public key (`ssh-ed25519 AAAA...`) as OpenSSH shows it, "" if it is no key."""
    try:
        blob = base64.b64decode(key.split()[1].encode(), validate=True)
    except (IndexError, ValueError):
        return ""
    name = key.split()[0].encode()
    if blob[:4] != len(name).to_bytes(4, "big") or blob[4:4 + len(name)] != name:
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def sshfs(volume, places):
    """A directory of an SSH server. ssh asks nothing and trusts only the pinned host key."""
    source = volume["source"]
    host, port = ssh_target(volume)
    options = {
        "allow_other": True, "default_permissions": True, "uid": volume["uid"], "gid": volume["gid"], "nosuid": True, "nodev": True,
        # A broken connection is made again below the mount, so that containers keep it.
        "reconnect": True, "ServerAliveInterval": SHORT, "ServerAliveCountMax": 3, "ConnectTimeout": SHORT, "TCPKeepAlive": "yes",
        "Port": port, "BatchMode": "yes", "PasswordAuthentication": "no", "KbdInteractiveAuthentication": "no",
        "IdentitiesOnly": "yes", "IdentityFile": places["home"] + "/key", "StrictHostKeyChecking": "yes", "UpdateHostKeys": "no",
        "UserKnownHostsFile": places["home"] + "/known_hosts", "GlobalKnownHostsFile": "/dev/null",
        "ro": volume["read_only"],
    }
    options.update(volume["options"])
    path = source.get("path") or ""
    where = "[%s]" % host if ":" in host else host
    # -F: settings of this machine's ssh (~/.ssh/config) are not part of the volume.
    argv = ["sshfs", "-f", "-F", "/dev/null"] + option_words(options) + ["%s@%s:%s" % (source["user"], where, path), places["path"]]
    key = volume["credentials"].get("private_key") or ""
    return {"argv": argv, "before": [], "files": {"key": key.rstrip("\n") + "\n", "known_hosts": known_hosts(volume)}}


def s3fs(volume, places):
    """A bucket of an S3 server."""
    source, secret = volume["source"], volume["credentials"]
    options = {
        "allow_other": True, "uid": volume["uid"], "gid": volume["gid"], "umask": "0007", "mp_umask": "0007", "nosuid": True, "nodev": True,
        "passwd_file": places["home"] + "/passwd", "tmpdir": places["cache"],
        # s3fs waits 300 s for a connection by default, and believes what it has seen for 900 s.
        "connect_timeout": SHORT, "readwrite_timeout": LONG, "retries": 3, "stat_cache_expire": FRESH, "dbglevel": "err",
        # Else a refused key is tried again with the weaker signature of version 2, whose error hides the first one.
        "sigv4": True,
        "url": source.get("url") or None, "endpoint": source.get("region") or None,
        # Only AWS itself has a name of its own for every bucket.
        "use_path_request_style": bool(source.get("url")),
        "ro": volume["read_only"],
    }
    options.update(volume["options"])
    path = (source.get("path") or "").strip("/")
    argv = ["s3fs", source["bucket"] + (":/" + path if path else ""), places["path"], "-f"] + option_words(options)
    passwd = "%s:%s\n" % (secret["access_key_id"], secret["secret_access_key"])
    return {"argv": argv, "before": [], "files": {"passwd": passwd}}


def rclone(volume, places):
    """Everything that rclone knows. Its configuration has one remote, `skp`."""
    settings = dict(volume["source"]["remote"], **volume["credentials"])
    lines = ["[skp]"] + ["%s = %s" % (key, _text(settings[key])) for key in sorted(settings, key=lambda name: (name != "type", name))]
    limits = {"contimeout": "%ds" % SHORT, "timeout": "%ds" % LONG, "retries": 2, "low-level-retries": 3}
    flags = {
        "allow-other": True, "default-permissions": True, "uid": volume["uid"], "gid": volume["gid"], "umask": "007",
        "dir-perms": "0770", "file-perms": "0660",
        # Without this mode a file cannot be opened for reading and writing. What is written is uploaded when it is closed.
        "vfs-cache-mode": "writes", "vfs-write-back": "1s", "cache-dir": places["cache"], "dir-cache-time": "%ds" % FRESH,
        "log-level": "NOTICE", "read-only": volume["read_only"],
    }
    flags.update(limits)
    flags.update(volume["options"])
    target = "skp:" + (volume["source"].get("path") or "")
    config = ["--config", places["home"] + "/rclone.conf"]
    argv = ["rclone", "mount", target, places["path"]] + config + _flags(flags)
    # rclone mounts without asking the backend: a wrong key or bucket would be a mount whose every use is an error.
    look = ["rclone", "lsf", "--max-depth", "1", target] + config + _flags(dict(limits, retries=1))
    return {"argv": argv, "before": [look], "files": {"rclone.conf": "\n".join(lines) + "\n"}}


def _flags(flags):
    return ["--%s" % key if value is True else "--%s=%s" % (key, value) for key, value in flags.items() if value is not False and value is not None]


def _text(value):
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


BLOBFUSE2 = {
    "disable-kernel-cache": bool,
    "logging.level": ("log_off", "log_crit", "log_err", "log_warning", "log_info"),
    "libfuse.attribute-expiration-sec": int, "libfuse.entry-expiration-sec": int, "libfuse.negative-entry-expiration-sec": int,
    "libfuse.default-permission": str, "libfuse.direct-io": bool,
    "file_cache.path": str, "file_cache.timeout-sec": int, "file_cache.max-size-mb": int, "file_cache.allow-non-empty-temp": bool,
    "file_cache.cleanup-on-start": bool, "file_cache.sync-to-flush": bool, "file_cache.refresh-sec": int, "file_cache.hard-limit": bool,
    "attr_cache.timeout-sec": int, "attr_cache.no-symlinks": bool, "attr_cache.max-size-mb": int,
    "azstorage.type": ("block", "adls"), "azstorage.account-name": str, "azstorage.container": str, "azstorage.endpoint": str,
    "azstorage.mode": ("key", "sas", "spn", "msi"), "azstorage.account-key": str, "azstorage.sas": str, "azstorage.appid": str, "azstorage.resid": str,
    "azstorage.objid": str, "azstorage.tenantid": str, "azstorage.clientid": str, "azstorage.clientsecret": str, "azstorage.use-http": bool,
    "azstorage.aadendpoint": str, "azstorage.subdirectory": str, "azstorage.virtual-directory": bool, "azstorage.block-size-mb": int,
    "azstorage.max-concurrency": int, "azstorage.tier": ("hot", "cool", "cold", "premium", "archive", "none"), "azstorage.max-retries": int,
    "azstorage.max-retry-timeout-sec": int, "azstorage.retry-backoff-sec": int, "azstorage.max-retry-delay-sec": int, "azstorage.http-proxy": str,
    "azstorage.https-proxy": str, "azstorage.update-md5": bool, "azstorage.validate-md5": bool, "azstorage.disable-compression": bool,
    "azstorage.cap-mbps-read": int, "azstorage.cap-iops": int,
}
"""The settings of blobfuse2's documented configuration file that a volume may have, with their types."""


def blobfuse2_fault(key, value):
    """What is wrong with a setting, "" if nothing is."""
    kind = BLOBFUSE2.get(key)
    if kind is None:
        return "is no setting of blobfuse2's configuration file (section.name, for example file_cache.timeout-sec)"
    if isinstance(kind, tuple):
        return "" if value in kind else "found %r, expected one of %s" % (value, ", ".join(kind))
    if kind is int:
        return "" if str(value).lstrip("-").isdigit() and not isinstance(value, bool) else "found %r, expected a number" % (value,)
    if kind is bool:
        return "" if str(value).lower() in ("true", "false") else "found %r, expected true or false" % (value,)
    return ""


def blobfuse2(volume, places):
    """A container of Azure Blob, with the program of its vendor."""
    source, secret = volume["source"], volume["credentials"]
    mode = "key" if secret.get("account_key") else "sas"
    settings = {
        "logging.level": "log_err",
        "libfuse.attribute-expiration-sec": FRESH, "libfuse.entry-expiration-sec": FRESH, "libfuse.negative-entry-expiration-sec": FRESH,
        # Files that were not uploaded when the power failed stay in the cache.
        "file_cache.path": places["cache"], "file_cache.timeout-sec": 120, "file_cache.allow-non-empty-temp": True,
        "attr_cache.timeout-sec": FRESH,
        "azstorage.type": "block", "azstorage.account-name": source["account"], "azstorage.container": source["container"],
        "azstorage.endpoint": source.get("endpoint") or None, "azstorage.mode": mode,
        "azstorage.account-key": secret.get("account_key") or None, "azstorage.sas": secret.get("sas") or None,
        "azstorage.max-retries": 3, "azstorage.max-retry-timeout-sec": LONG, "azstorage.max-retry-delay-sec": SHORT,
    }
    settings.update(volume["options"])
    sections = {"allow-other": True, "logging": {"type": "syslog"}, "components": ["libfuse", "file_cache", "attr_cache", "azstorage"]}
    for key, value in settings.items():
        kind = BLOBFUSE2.get(key)
        if value is None:
            continue
        value = int(value) if kind is int else str(value).lower() == "true" if kind is bool else str(value)
        section, _dot, name = key.rpartition(".")
        (sections.setdefault(section, {}) if section else sections)[name] = value
    argv = ["blobfuse2", "mount", places["path"], "--config-file=%s/blobfuse2.yaml" % places["home"], "--foreground",
            "-o", "uid=%s" % volume["uid"], "-o", "gid=%s" % volume["gid"], "-o", "umask=007"]
    return {"argv": argv + (["--read-only"] if volume["read_only"] else []), "before": [], "files": {"blobfuse2.yaml": _yaml(sections)}}


def _yaml(sections):
    """The configuration file: JSON's scalars are YAML's."""
    lines = []
    for name, content in sections.items():
        if isinstance(content, dict):
            lines += ["%s:" % name] + ["  %s: %s" % (key, json.dumps(value)) for key, value in content.items()]
        elif isinstance(content, list):
            lines += ["%s:" % name] + ["  - %s" % item for item in content]
        else:
            lines.append("%s: %s" % (name, json.dumps(content)))
    return "\n".join(lines) + "\n"


COMMANDS = {"sshfs": sshfs, "s3fs": s3fs, "rclone": rclone, "blobfuse2": blobfuse2}
