# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness of the registry: an image pushed to the master's is pulled from every node's own."""
from __future__ import annotations

import uuid

import lablib

from witness.base import Witness

MAKE = "head -c 65536 /dev/urandom >/tmp/kept && tar -C /tmp -c kept | docker import - {0} && docker push -q {0} && docker rmi {0} && rm /tmp/kept"
MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


class Registry(Witness):
    """Plain containers on every node: one writes, the others read the same store."""

    name = "registry"
    data = ("/srv/skp/registry/docker",)

    def healthy(self):
        return all("{}" in lablib.on(node, "curl", "-s", "-m", "3", "http://127.0.0.1:5000/v2/", check=False) for node in self.nodes())

    def keep(self):
        name = f"skp/kept:{uuid.uuid4().hex[:8]}"
        lablib.on(self.nodes()[0], "sh", "-ec", MAKE.format(f"localhost:5000/{name}"))
        return name, self.digest(self.nodes()[0], name)

    def check(self, kept):
        name, digest = kept
        for node in self.nodes():
            lablib.on(node, "sh", "-ec", f"docker pull -q localhost:5000/skp/kept@{digest} && docker rmi localhost:5000/skp/kept@{digest}")
        return digest.startswith("sha256:") and {self.digest(node, name) for node in self.nodes()} == {digest}

    def digest(self, node, name):
        """The digest that a node's own registry gives for a name with its tag."""
        url = "http://127.0.0.1:5000/v2/" + name.replace(":", "/manifests/")
        lines = lablib.on(node, "curl", "-sSI", "-H", f"Accept: {MANIFESTS}", url).splitlines()
        return next((line.split(": ", 1)[1].strip() for line in lines if line.lower().startswith("docker-content-digest")), "none")

    def secrets(self):
        return {"registry_http_secret"}

    def disturb(self):
        lablib.on("c02", "docker", "stop", "-t", "5", "registry-skp")
        lablib.on("c03", "sh", "-c", "echo '# by hand' >>/etc/skp/registry/config.yml")
        return {"c02", "c03"}
