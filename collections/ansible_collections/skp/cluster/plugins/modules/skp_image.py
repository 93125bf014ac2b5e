#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_image
short_description: Build images on the master, pull them on nodes, load them from an archive
version_added: 0.1.0
description:
  - Builds images on this machine's engine and pushes them to the cluster's registry, only when their content changed.
  - Content means the files of the build context, the build arguments and the content of the base image; its hash is the label C(skp.hash).
  - Keeps a ledger in the swarm of what it has pushed and saved. An image of the registry that is not in the ledger by its digest, and an archive
    with another checksum, count as absent, whatever label they have; an image is built again, never used. See O(ledger).
  - Pulls images on a node by digest.
  - Stores an image as an archive on the shared store, and loads it from there without a registry; the registry's own image is distributed this way.
  - Images that do not depend on each other are built and pushed in parallel.
  - Images are built by BuildKit if the command docker has it, else by the engine's own builder. For a Dockerfile with C(RUN --mount), BuildKit is
    installed (Debian's package docker-buildx).
  - An action plugin of the same name reads the contexts on the controller and shows the progress of builds, pushes and pulls while they run.
author: skp.cluster contributors (@comafire)
extends_documentation_fragment:
  - skp.cluster.attributes
attributes:
  check_mode:
    details: Nothing is built, pushed or pulled. An engine or registry that does not exist yet counts as empty.
  diff_mode:
    details: Shows the images before and after.
options:
  state:
    description:
      - V(built), every image of O(images) has the wanted content in the registry (with O(push)), else on this engine, or in its archive if it has one.
        Images in a registry, an archive or this engine with that content are used and not built again.
      - V(pulled), every image of O(names) is on this node's engine, with the digest of O(digests) or of the registry.
      - V(loaded), the image in O(archive) is on this node's engine.
      - V(known), nothing is changed; the digests of O(names) in the ledger are returned. On a manager.
    type: str
    choices: [built, pulled, loaded, known]
    default: built
  ledger:
    description:
      - Trust only images of the ledger, which is in the swarm. The machine must be a manager for O(state=built) and O(state=known).
      - With false, the label C(skp.hash) is trusted, which any image can carry. For a machine without a swarm.
    type: bool
    default: true
  checksum:
    description: With O(state=loaded), the SHA-256 of O(archive), from RV(images). The file is not loaded if it has another one.
    type: str
    default: ""
  images:
    description: With O(state=built), the images. They are built in the order of their bases.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name without registry and C(skp/), for example V(docker-kafka).
        type: str
        required: true
      tag:
        description: Tag. By default O(tag).
        type: str
      context:
        description:
          - Directory on the controller with the Dockerfile. A relative path is searched in the role, beside the playbook, beside the
            inventory and in the collection.
          - By default C(images/NAME) with O(images[].name) without a leading C(docker-).
        type: str
      base:
        description:
          - Base image, passed to the Dockerfile as build argument C(BASE). The name of another image of the list or a reference.
          - It does not count for a Dockerfile that does not declare C(ARG BASE).
          - Empty means O(base_image), or a bootstrapped Debian.
        type: str
        default: ""
      args:
        description: Build arguments. They can be read from the finished image, so do not put secrets here.
        type: dict
        default: {}
      archive:
        description: With O(state=built), store an archive of the image in O(archive_dir).
        type: bool
        default: false
      collection:
        description: The context also holds this collection, in C(collection/), without its tests.
        type: bool
        default: false
      files:
        description: The files of the context. Filled in by the action plugin.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Path in the context.
            type: str
            required: true
          mode:
            description: File mode.
            type: int
            required: true
          content:
            description: Content in base64.
            type: str
            required: true
  names:
    description:
      - Names of images, without registry and C(skp/). With O(state=pulled), those to pull.
      - With O(state=built), those to build, with their bases; the other O(images) are not changed. Empty means all images.
    type: list
    elements: str
    default: []
  alongside:
    description:
      - With O(state=built), names of O(images) that are also built (not pushed) if one of O(names) must be built, on processors that are idle meanwhile.
      - When O(names) are built no other build is started. The next call builds the rest.
      - For the first run, which builds the registry's image before there is a registry for the other images.
      - If nothing has to be done for O(names), RV(alongside) says whether these are in the registry.
    type: list
    elements: str
    default: []
  seen:
    description:
      - With O(state=built), RV(alongside) of an earlier call of this run for O(names) with the same images, if the registry was not changed since.
      - If it is not empty, the result comes from it, without a call.
    type: dict
    default: {}
  jobs:
    description:
      - Number of parallel builds and pushes. V(0) means one more than this machine's processors, so that a processor is in use while another
        job waits for the network.
    type: int
    default: 0
  digests:
    description:
      - With O(state=pulled), the digests of images by name, from RV(images) of O(state=built) or O(state=known). A missing one is an error; without
        O(ledger), it is read from the registry.
      - An empty digest means that the image is not built yet (check mode only).
    type: dict
    default: {}
  tag:
    description: Tag of all images without their own tag.
    type: str
    default: latest
  registry:
    description: The registry, as in image names.
    type: str
    default: localhost:5000
  push:
    description: With O(state=built), push to O(registry). Without it no registry is needed.
    type: bool
    default: true
  archive_dir:
    description: Directory on the shared store for archives. They are named C(NAME-HASH.tar); one with the wanted content is loaded instead of a new build.
    type: path
  archive:
    description: Archive to load. Required with O(state=loaded).
    type: path
  common_args:
    description: Build arguments for every image whose Dockerfile declares them with C(ARG).
    type: dict
    default: {}
  base_image:
    description: Reference of the base of images without O(images[].base); it is pulled. Empty bootstraps Debian with mmdebstrap.
    type: str
    default: ""
  base_suite:
    description: Debian suite to bootstrap.
    type: str
    default: trixie
  refresh:
    description: Any text, part of the content of the lowest image. Change it (to a date) to build all images again with the newest packages.
    type: str
    default: ""
  max_age_days:
    description: With O(state=built), warn of images that were built longer ago than this number of days. V(0) never warns.
    type: int
    default: 0
  platform:
    description:
      - With O(state=built), the platform to build for, such as V(linux/arm64). Empty for this machine's.
      - A machine that has to run programs of another architecture needs the kernel's binfmt_misc and QEMU (Debian's package qemu-user-binfmt).
    type: str
    default: ""
  extra_ca:
    description:
      - Additional certificates (PEM) that builds trust. In a task also a path on the controller, absolute or relative to the
        playbook or the inventory.
      - They are used in build stages only; finished images do not contain them.
    type: str
    default: ""
  apt_mirror:
    description: Base URL of a Debian mirror for builds, or complete C(deb) lines. It may contain a login. Empty for the default.
    type: str
    default: ""
  apt_security_mirror:
    description:
      - Base URL of the security updates that belong to O(apt_mirror). V(none) for none. It may contain a login.
      - If empty, C(debian-security) beside an O(apt_mirror) that ends in C(/debian); for another URL it is required.
    type: str
    default: ""
  pip_index:
    description: URL of a Python package index for builds. Empty for the default.
    type: str
    default: ""
  maven_mirror:
    description: URL of a Maven repository for builds. Empty for the default.
    type: str
    default: ""
  go_proxy:
    description: Value of C(GOPROXY) for builds. Empty for the default.
    type: str
    default: ""
  plan_only:
    description: Return the plan and change nothing; C(changed) is true if there is something to do. Used by the action plugin.
    type: bool
    default: false
  progress_file:
    description: File to append lines of progress to. Used by the action plugin.
    type: path
"""

EXAMPLES = r"""
- name: Build and push what changed
  skp.cluster.skp_image:
    images:
      - name: docker-base
      - name: docker-java
        base: docker-base
      - name: docker-kafka
        base: docker-java

- name: Pull Kafka on this node
  skp.cluster.skp_image:
    state: pulled
    names: [docker-kafka]

- name: Build the registry's own image before there is a registry
  skp.cluster.skp_image:
    push: false
    archive_dir: /srv/skp/images
    images:
      - name: docker-base
      - name: docker-registry
        base: docker-base
        archive: true
  register: registry_image

- name: Load the image on a node
  skp.cluster.skp_image:
    state: loaded
    archive: "{{ registry_image.images['docker-registry'].archive }}"
"""

RETURN = r"""
images:
  description: Facts of each image, by name.
  returned: success
  type: dict
  sample:
    docker-kafka:
      ref: localhost:5000/skp/docker-kafka:latest
      reference: localhost:5000/skp/docker-kafka@sha256:0123
      digest: sha256:0123
      id: sha256:4567
      hash: 89ab
      archive: ""
      checksum: ""
alongside:
  description:
    - As RV(images), for O(alongside) and their bases, if nothing had to be done for O(names), and the registry has all of them with the wanted content.
    - Else empty.
  returned: O(state=built)
  type: dict
seen:
  description: Whether the result comes from O(seen), so that no call was made.
  returned: if it does
  type: bool
plan:
  description: Steps done, or predicted in check mode, one line each.
  returned: success
  type: list
  elements: str
failure:
  description: The machine part of an error.
  returned: failure
  type: dict
"""


from ansible_collections.skp.cluster.plugins.module_utils.engine import client as engine
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.image import io as image_io, states
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.registry.http import RegistryError


def argument_spec():
    """The options of the module."""
    image = dict(
        name=dict(type="str", required=True), tag=dict(type="str"), context=dict(type="str"), base=dict(type="str", default=""),
        args=dict(type="dict", default={}), archive=dict(type="bool", default=False),
        collection=dict(type="bool", default=False),
        files=dict(type="list", elements="dict", default=[], options=dict(
            path=dict(type="str", required=True), mode=dict(type="int", required=True), content=dict(type="str", required=True))),
    )
    return dict(
        state=dict(type="str", choices=["built", "pulled", "loaded", "known"], default="built"),
        ledger=dict(type="bool", default=True),
        checksum=dict(type="str", default=""),
        images=dict(type="list", elements="dict", default=[], options=image),
        names=dict(type="list", elements="str", default=[]),
        alongside=dict(type="list", elements="str", default=[]),
        seen=dict(type="dict", default={}),
        jobs=dict(type="int", default=0),
        digests=dict(type="dict", default={}),
        tag=dict(type="str", default="latest"),
        registry=dict(type="str", default="localhost:5000"),
        push=dict(type="bool", default=True),
        archive_dir=dict(type="path"),
        archive=dict(type="path"),
        common_args=dict(type="dict", default={}),
        base_image=dict(type="str", default=""),
        base_suite=dict(type="str", default="trixie"),
        refresh=dict(type="str", default=""),
        max_age_days=dict(type="int", default=0),
        platform=dict(type="str", default=""),
        extra_ca=dict(type="str", default=""),
        apt_mirror=dict(type="str", default="", no_log=True),
        apt_security_mirror=dict(type="str", default="", no_log=True),
        pip_index=dict(type="str", default="", no_log=True),
        maven_mirror=dict(type="str", default="", no_log=True),
        go_proxy=dict(type="str", default="", no_log=True),
        plan_only=dict(type="bool", default=False),
        progress_file=dict(type="path"),
    )


def main():
    """Connect, plan, and apply outside check mode."""
    module = QuietModule(argument_spec=argument_spec(), supports_check_mode=True, required_if=[("state", "loaded", ["archive"])])
    progress = image_io.Progress(module.params["progress_file"] or "")
    try:
        client = engine.connect_or_predict(module)
        image_io.patient(client)
        result = states.STATES[module.params["state"]](module, client, progress)
    except RegistryError as exc:
        exc.msg += ". Is the registry of this machine healthy? See docker logs registry-skp."
        fail(module, exc)
    except Failure as exc:
        fail(module, exc)
    finally:
        progress.end()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
