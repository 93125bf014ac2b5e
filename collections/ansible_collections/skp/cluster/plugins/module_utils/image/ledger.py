# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The ledger of images: what this cluster has pushed and saved itself, by digest.

It is a swarm config, so only managers can read and write it, and every manager has it. The registry and the shared store are not trusted: whoever can
write there can replace an image, and its label `skp.hash` is no secret.

    {"images": {"skp/docker-kafka:latest": {"hash": content hash, "digest": of the manifest, "config": digest of its configuration,
                                            "parent": `config` of the image it was built on, or ""}},
     "archives": {"docker-registry": {"hash": content hash, "sha256": of the file}}}
"""

from __future__ import annotations

from ..engine import client as engine
from ..failure import Failure
from ..members.io import read_generations, write_generation

KIND = ("skp-images", "skp.images")
"""Prefix of the config's name, and its label."""

NAME = "ledger"


def read(client):
    """The ledger; an empty one if there is none, or without a client (check mode before the first run)."""
    return _latest(read_generations(client, KIND, NAME) if client else [])


def _latest(generations):
    """The ledger in the last of its generations."""
    content = generations[-1]["content"] if generations else {}
    return {"images": content.get("images") or {}, "archives": content.get("archives") or {}}


def record(client, images=None, archives=None):
    """Add or replace entries of the ledger. The machine must be a manager; one run at a time writes (see `image.io.lock`)."""
    generations = read_generations(client, KIND, NAME)
    before = _latest(generations)
    after = {"images": dict(before["images"], **(images or {})), "archives": dict(before["archives"], **(archives or {}))}
    if after != before:
        write_generation(client, KIND, NAME, after, generations)


def trusted_digests(client, images, registry):
    """{image: digest} of images of the cluster's registry, named by tag (`localhost:5000/skp/docker-kafka:latest`); None if the ledger does not have it.

    Images of other registries and images named by digest are not in the result.
    """
    known = read(client)["images"]
    digests = {}
    for image in sorted(set(images)):
        if image.startswith(registry + "/") and "@" not in image:
            path, _colon, tag = image[len(registry) + 1 :].partition(":")
            digests[image] = (known.get("%s:%s" % (path, tag or "latest")) or {}).get("digest")
    return digests


def refuse_unknown(image):
    """The error for an image that the ledger does not have; the caller raises it."""
    return Failure(
        "Image %s was not pushed by this cluster (it is not in the ledger of images), so it is not run. Build and push it: ansible-playbook site.yml --tags "
        "images. For an image of your own, list it in images_extra; or name it by its digest (%s@sha256:...), which you then trust yourself."
        % (image, image.rpartition(":")[0]), kind="image_unknown", image=image)


def manager(module):
    """A client of this engine if it is a manager; in check mode None with a warning instead of an error."""
    return engine.connect_or_predict(module, manager=True)
