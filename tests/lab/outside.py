# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An outside registry: a second one of ours, on the last node, with TLS and a login, outside the swarm."""
from __future__ import annotations

import contextlib
import tempfile
import uuid

import lablib
import requests

PORT = 5443
USER = "me"
PASSWORD = f"outside{uuid.uuid4().hex}"
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"

# bcrypt, as the registry wants it, by the crypt(3) of the node's own Perl.
START = """
mkdir -p /run/outside && cd /run/outside
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=outside -addext subjectAltName=IP:{address} -keyout key -out ca 2>/dev/null
read -r word
printf '%s:%s\\n' {user} "$(WORD=$word perl -e 'print crypt($ENV{{WORD}}, "\\$2b\\$05\\$abcdefghijklmnopqrstuu")')" >users
chmod 0444 key users
docker run -d --name outside --network host --read-only --tmpfs /var/lib/registry --user 0:0 --cap-drop ALL -v /run/outside:/outside:ro \
    -e REGISTRY_HTTP_ADDR=:{port} -e REGISTRY_HTTP_SECRET=x -e REGISTRY_HTTP_TLS_CERTIFICATE=/outside/ca -e REGISTRY_HTTP_TLS_KEY=/outside/key \
    -e REGISTRY_AUTH=htpasswd -e REGISTRY_AUTH_HTPASSWD_REALM=outside -e REGISTRY_AUTH_HTPASSWD_PATH=/outside/users \
    "$(docker inspect -f '{{{{.Image}}}}' registry-skp)" >/dev/null
cat ca
"""


class Outside:
    """The registry while it runs: `name` as in image names, `ca` its certificate authority as text."""

    def __init__(self, name, ca, path):
        self.name, self.ca, self._path = name, ca, path

    def get(self, path, login=(USER, PASSWORD), **headers):
        """An answer of its API."""
        return requests.get(f"https://{self.name}/v2/{path}", auth=login, verify=self._path, headers=headers, timeout=10)

    def platform(self, repository, tag):
        """Platform of an image, as its configuration says."""
        manifest = self.get(f"{repository}/manifests/{tag}", Accept=MANIFESTS).json()
        found = self.get(f"{repository}/blobs/{manifest['config']['digest']}").json()
        return f"{found['os']}/{found['architecture']}"


@contextlib.contextmanager
def registry():
    """It runs within the block. Nothing of it stays on a node."""
    node = sorted(lablib.hosts())[-1]
    name = f"{lablib.address(node)}:{PORT}"
    try:
        text = START.format(address=lablib.address(node), user=USER, port=PORT)
        ca = lablib.on(node, "bash", "-euo", "pipefail", "-c", text, stdin=PASSWORD + "\n")
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as handle:
            handle.write(ca)
            handle.flush()
            found = Outside(name, ca, handle.name)
            lablib.wait("the outside registry answers", lambda: answers(found), 20)
            yield found
    finally:
        lablib.on(node, "sh", "-c", "docker rm -f outside; rm -rf /run/outside", check=False)
        lablib.on("c01", "rm", "-rf", f"/etc/docker/certs.d/{name}", "/root/.docker", check=False)


def answers(found):
    """Whether it lets its user in, and nobody else."""
    try:
        return found.get("").status_code == 200 and found.get("", None).status_code == 401
    except requests.RequestException:
        return False
