# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry: the same digest on every node, one writer, damage is reported, no access from outside."""
from __future__ import annotations

import json

import faults
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
    """The first request of a push, to a node that is not the master, is refused, and the store is as before. `docker push` itself would try for 50 s."""
    count = "find " + STORE + " -type f | wc -l"
    before = lablib.on("c01", "sh", "-c", count)
    post = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST")
    answers = {node: lablib.on(node, *post, "http://127.0.0.1:5000/v2/skp/intruder/blobs/uploads/") for node in ("c02", "c03")}
    assert answers == {"c02": "405", "c03": "405"}
    assert "intruder" not in lablib.on("c01", "curl", "-s", "http://127.0.0.1:5000/v2/_catalog")
    assert lablib.on("c01", "sh", "-c", count) == before


def test_a_flipped_byte_is_named_pulled_nowhere_and_pushed_again():
    """verify passes. A byte of a layer that no node has yet is flipped: every engine refuses it, verify names it. Removed and pushed again, every node gets
    it, and verify passes.
    """
    assert lablib.play("playbooks/registry_verify.yml").rc == 0
    name = "skp/broken"
    faults.new_image(name, "one", 70000)
    digest = faults.push(name, "one")
    manifest = json.loads(lablib.on("c01", "curl", "-s", "-H", f"Accept: {MANIFESTS}", f"http://127.0.0.1:5000/v2/{name}/manifests/one"))
    ident = manifest["layers"][0]["digest"].split(":")[1]
    path = f"{STORE}/docker/registry/v2/blobs/sha256/{ident[:2]}/{ident}/data"
    flip = ("import sys; p=sys.argv[1]; f=open(p,'r+b'); f.seek(100); b=f.read(1)[0]; f.seek(100); f.write(bytes([b^1])); f.close()")
    lablib.on("c01", "python3", "-c", flip, path)
    # The master's engine has made the layer itself.
    said = {node: text for node, text in faults.pull(name, digest, sorted(set(lablib.hosts()) - {"c01"})).items()}
    assert said and all(said.values()), said
    broken = lablib.play("playbooks/registry_verify.yml", check=False)
    assert broken.rc != 0 and f"sha256:{ident}" in broken.text and name in broken.text, broken.text[-3000:]
    lablib.on("c01", "rm", path)
    assert faults.push(name, "one") == digest
    lablib.on("c01", "docker", "rmi", f"localhost:5000/{name}:one")
    assert set(faults.pull(name, digest).values()) == {None}
    assert lablib.play("playbooks/registry_verify.yml").rc == 0


def test_garbage_collection_keeps_every_tag_and_takes_back_what_it_removed():
    """gc through its playbook: every node still gives the same digest. An image without a tag is gone, and can be pushed and pulled again."""
    before, name = head("c01"), "skp/gone"
    faults.new_image(name, "old", 70000)
    digest = faults.push(name, "old")
    lablib.on("c01", "docker", "tag", f"localhost:5000/{name}:old", "kept")
    faults.new_image(name, "old", 70000)
    faults.push(name, "old")
    lablib.play("playbooks/registry_gc.yml", "-e", "registry_gc_untagged=true")
    assert {head(node) for node in sorted(lablib.hosts())} == {before}
    assert all(faults.pull(name, digest).values())
    lablib.on("c01", "sh", "-c", f"docker tag kept localhost:5000/{name}:old && docker rmi kept")
    assert faults.push(name, "old") == digest
    assert set(faults.pull(name, digest).values()) == {None}


def test_a_killed_writer_leaves_no_half_image():
    """SIGKILL during a push; pushed again, every node pulls it, and no link file is empty. Twenty rounds: soak."""
    assert set(faults.push_with_a_killed_writer(3).values()) == {None}


def test_a_full_store_is_an_error_of_the_push_only():
    """No room for an upload: the client is told, all images stay, and with room the same push succeeds."""
    before, uploads = head("c01"), "docker/registry/v2/repositories/skp/full/_uploads"
    lablib.on("c01", "mkdir", "-p", f"{STORE}/{uploads}")
    pid = lablib.on("c01", "sh", "-c", faults.WRITER).strip()
    start = "curl -s -o /dev/null -D - -X POST http://127.0.0.1:5000/v2/skp/full/blobs/uploads/ | tr -d '\\r' | sed -n 's/^[Ll]ocation: //p'"
    kind = "Content-Type: application/octet-stream"
    send = f"head -c 3000000 /dev/urandom | curl -s -o /dev/null -w '%{{http_code}}' -X PATCH -H '{kind}' --data-binary @- \"$({start})\""
    with faults.full("c01", pid, f"/var/lib/registry/{uploads}"):
        refused = lablib.on("c01", "bash", "-c", send, check=False).strip()[-3:]
        assert refused.startswith("5") or refused == "413", refused
        assert {head(node) for node in sorted(lablib.hosts())} == {before}
    assert lablib.on("c01", "bash", "-c", send).strip()[-3:] == "202"
    assert lablib.on("c01", "sh", "-c", faults.WRITER).strip() == pid


MARKER = "/srv/skp/registry/.skp-registry-store"
HEALTH = "docker inspect -f '{{.State.Health.Status}}' registry-skp"


def test_a_store_that_is_gone_is_seen(figures):
    """Without the store's marker, as on an empty directory under a lost mount: each registry is unhealthy, and a run starts nothing over it."""
    before = lablib.look("docker inspect -f '{{.Id}} {{.State.StartedAt}}' registry-skp")
    entries = lablib.on("c01", "ls", "-A", STORE)
    lablib.on("c01", "mv", MARKER, "/srv/skp/marker")
    try:
        refused = lablib.play("site.yml", "--tags", "registry", "-e", "registry_wait_timeout=5", check=False)
        assert refused.rc != 0 and "Is the store mounted?" in faults.words(refused.text), refused.text[-3000:]
        _, seconds = lablib.wait("every registry is unhealthy", lambda: set(map(str.strip, lablib.look(HEALTH).values())) == {"unhealthy"}, 60, every=1)
        figures["registry: the store gone, noticed after the run's refusal and seconds"] = round(refused.seconds + seconds)
    finally:
        lablib.on("c01", "mv", "/srv/skp/marker", MARKER)
    lablib.wait("every registry is healthy", lambda: set(map(str.strip, lablib.look(HEALTH).values())) == {"healthy"}, 60, every=1)
    assert lablib.on("c01", "ls", "-A", STORE) == entries
    assert lablib.look("docker inspect -f '{{.Id}} {{.State.StartedAt}}' registry-skp") == before


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


def test_a_packet_to_loopback_from_a_neighbour_gets_no_answer():
    """A machine on the same network hands a node a packet to 127.0.0.1:5000: silence. The same packet to SSH on the node's address gets an answer."""
    assert faults.routed("c02", "c01", lablib.address("c01"), 22) == "answer"
    assert faults.routed("c02", "c01", "127.0.0.1", 5000) == "silence"
