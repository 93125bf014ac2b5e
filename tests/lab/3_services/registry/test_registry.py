# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry: the same digest on every node, one writer, damage is reported, no access from outside."""
from __future__ import annotations

import json

import lablib

REPOSITORY = "skp/docker-zookeeper"
STORE = "/srv/skp/registry"
MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


def head(node, reference="latest"):
    """Digest that a node's own registry gives for a tag, asked with curl on the node."""
    text = lablib.on(node, "curl", "-sSI", "-H", f"Accept: {MANIFESTS}",
                     f"http://127.0.0.1:5000/v2/{REPOSITORY}/manifests/{reference}")
    return next((line.split(": ", 1)[1].strip() for line in text.splitlines() if line.lower().startswith("docker-content-digest")), None)


def test_every_node_pulls_the_same_digest(figures):
    """N of N nodes answer the same digest, and can pull it."""
    digests = {node: head(node) for node in sorted(lablib.hosts())}
    assert len(set(digests.values())) == 1 and None not in digests.values(), digests
    for node, digest in digests.items():
        lablib.on(node, "docker", "pull", "-q", f"localhost:5000/{REPOSITORY}@{digest}")
    figures["registry: nodes that pulled the same digest"] = f"{len(digests)} of {len(digests)}"


def test_push_to_a_reader_is_refused():
    """A push through a node that is not the master fails, and the store is as before."""
    count = "find " + STORE + " -type f | wc -l"
    before = lablib.on("c01", "sh", "-c", count)
    lablib.on("c02", "sh", "-c", f"docker tag localhost:5000/{REPOSITORY}@{head('c02')} localhost:5000/skp/intruder:latest")
    text = lablib.on("c02", "docker", "push", "localhost:5000/skp/intruder:latest", check=False)
    lablib.on("c02", "docker", "rmi", "localhost:5000/skp/intruder:latest")
    assert "intruder" not in lablib.on("c01", "curl", "-s", "http://127.0.0.1:5000/v2/_catalog")
    assert "unsupported" in text or "405" in text or "denied" in text or "not allowed" in text, text
    assert lablib.on("c01", "sh", "-c", count) == before


def test_a_flipped_byte_is_named_and_only_it():
    """verify passes, names the blob after one byte was flipped, and passes again once the byte is back."""
    assert lablib.play("playbooks/registry_verify.yml").rc == 0
    manifest = json.loads(lablib.on("c01", "curl", "-s", "-H", f"Accept: {MANIFESTS}",
                                    f"http://127.0.0.1:5000/v2/{REPOSITORY}/manifests/latest"))
    # The image's own last layer with content: BuildKit also makes layers that are empty (an archive of 32 bytes).
    digest = next(layer["digest"] for layer in reversed(manifest["layers"]) if layer["size"] > 1000)
    ident = digest.split(":")[1]
    path = f"{STORE}/docker/registry/v2/blobs/sha256/{ident[:2]}/{ident}/data"
    flip = ("import sys; p=sys.argv[1]; f=open(p,'r+b'); f.seek(100); b=f.read(1)[0]; f.seek(100); f.write(bytes([b^1])); f.close()")
    lablib.on("c01", "python3", "-c", flip, path)
    try:
        broken = lablib.play("playbooks/registry_verify.yml", check=False)
        assert broken.rc != 0
        assert digest in broken.text and REPOSITORY in broken.text
    finally:
        lablib.on("c01", "python3", "-c", flip, path)
    assert lablib.play("playbooks/registry_verify.yml").rc == 0


def test_garbage_collection_keeps_every_tag():
    """gc through its playbook; afterwards every node still gives the same digest."""
    before = head("c01")
    lablib.play("playbooks/registry_gc.yml")
    assert {head(node) for node in sorted(lablib.hosts())} == {before}


def test_what_somebody_else_pushed_is_never_run():
    """An image with the right label, pushed over ours by a local account: services keep their digest, and the next build puts the tag back."""
    ours, name = head("c01"), f"localhost:5000/{REPOSITORY}"
    label = lablib.on("c01", "docker", "image", "inspect", "--format", '{{index .Config.Labels "skp.hash"}}', f"{name}@{ours}").strip()
    forge = f"docker import --change 'LABEL skp.hash={label}' - {name}:latest && docker push -q {name}:latest && docker rmi {name}:latest"
    lablib.on("c01", "sh", "-ec", f"head -c 4096 /dev/urandom >/tmp/other && tar -C /tmp -c other | {forge} && rm /tmp/other")
    assert head("c01") not in (ours, None)
    assert lablib.play("site.yml", "--tags", "zookeeper").changed == set()
    lablib.play("site.yml", "--tags", "images")
    assert {head(node) for node in sorted(lablib.hosts())} == {ours}
    assert lablib.play("site.yml", "--tags", "images").changed == set()


def test_neighbours_are_refused():
    """From another node and from the host: the LAN address's port 5000 is closed, on every node."""
    for node in sorted(lablib.hosts()):
        probe = f"timeout 3 bash -c '</dev/tcp/{lablib.address(node)}/5000'"
        assert lablib.run("bash", "-c", probe, check=False).returncode != 0
        other = next(n for n in sorted(lablib.hosts()) if n != node)
        assert "refused" in lablib.on(other, "bash", "-c", probe + " 2>&1", check=False)
