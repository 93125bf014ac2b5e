# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the data of the lab's volumes lie: an SSH server, an S3 server and a Blob server; how a test looks at them by another path than the volume.

The SSH server is that of a node, with a user of its own. An S3 server (versitygw) and a Blob server (azurite) are used where the lab has them: their addresses
are SKP_LAB_S3_URL and SKP_LAB_BLOB_URL, with the credentials below; the directory that the S3 server shares is SKP_LAB_S3_DIR on the controller.
"""
from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

import lablib

SERVER = "c01"
USER = "lake"
DATA = "/home/lake/data"
PARENT = "/mnt/skp"
S3 = {"access_key_id": "LABROOT", "secret_access_key": "canary-s3-5f1d2c"}
BLOB_ACCOUNT, BLOB_KEY = "lab", "Y2FuYXJ5LWJsb2ItOWE4Nw=="
CANARIES = (S3["secret_access_key"], BLOB_KEY)


def nodes():
    """Nodes that get the volumes."""
    return sorted({*lablib.labelled("jupyter"), *lablib.labelled("spark-worker")})


@contextlib.contextmanager
def ssh_server():
    """A user with a directory on the SSH server. Yields the volume as skp_volumes has it."""
    with tempfile.TemporaryDirectory() as place:
        key = Path(place) / "key"
        lablib.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        lablib.on(SERVER, "bash", "-euc", f"""
            id {USER} >/dev/null 2>&1 || useradd -m -s /bin/sh {USER}
            install -d -o {USER} -g {USER} /home/{USER}/.ssh {DATA}
            cat >/home/{USER}/.ssh/authorized_keys; chown {USER} /home/{USER}/.ssh/authorized_keys; chmod 600 /home/{USER}/.ssh/authorized_keys
        """, stdin=key.with_suffix(".pub").read_text(encoding="utf-8"))
        pinned = " ".join(lablib.on(SERVER, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])
        try:
            yield {"name": "lake", "driver": "sshfs", "credentials": {"private_key": key.read_text(encoding="utf-8")},
                   "source": {"host": lablib.address(SERVER), "user": USER, "path": DATA, "host_key": pinned}}
        finally:
            lablib.on(SERVER, "userdel", "-r", USER, check=False)


def others():
    """The volumes on servers that the lab has besides."""
    found = []
    if os.environ.get("SKP_LAB_S3_URL"):
        found.append({"name": "s3", "driver": "s3fs", "source": {"bucket": "sales", "url": os.environ["SKP_LAB_S3_URL"]}, "credentials": S3})
    if os.environ.get("SKP_LAB_BLOB_URL"):
        remote = {"type": "azureblob", "account": BLOB_ACCOUNT, "endpoint": f"{os.environ['SKP_LAB_BLOB_URL']}/{BLOB_ACCOUNT}"}
        found.append({"name": "blob", "driver": "rclone", "source": {"remote": remote, "path": "cont"}, "credentials": {"key": BLOB_KEY}})
    return found


def play(volumes, *args, check=True):
    """Run the play of the volumes with these."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as variables:
        json.dump({"skp_volumes": volumes}, variables)
        variables.flush()
        return lablib.play("site.yml", "--tags", "volumes", "-e", f"@{variables.name}", *args, check=check)


def mounted(node, name):
    """Whether a volume answers on a node."""
    done = lablib.on(node, "bash", "-c", f"findmnt -n {PARENT}/{name} >/dev/null && timeout -s KILL 5 ls {PARENT}/{name} >/dev/null && echo yes", check=False)
    return "yes" in done


def bare_entries(node):
    """What lies on the directories below the mounts: seen through a second mount of their parent that leaves them out."""
    return lablib.on(node, "bash", "-euc", f"mkdir -p /run/bare; mount --bind {PARENT} /run/bare; find /run/bare -mindepth 2; umount /run/bare").split()


def daemon(node, name):
    """The process of a volume's program on a node."""
    return int(lablib.on(node, "systemctl", "show", "--property=MainPID", "--value", f"skp-volume-{name}"))
