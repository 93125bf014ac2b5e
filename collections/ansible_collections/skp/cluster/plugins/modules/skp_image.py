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
      - With O(state=built), names of O(images) that are also built (not pushed) if one of O(names) must be built.
      - For the first run, which builds the registry's image before there is a registry for the other images.
    type: list
    elements: str
    default: []
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

import contextlib
import itertools
import os
import platform
import threading
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.skp.cluster.plugins.module_utils.engine import client as engine
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.image import io as image_io, ledger, plan
from ansible_collections.skp.cluster.plugins.module_utils.registry.http import RegistryError

NO_LEDGER = {"images": {}, "archives": {}}


def built(module, client, progress):
    """State built, from the options to the result."""
    options = module.params
    goals = [image["name"] for image in plan.needed(options["images"], options["names"])]
    images = plan.expand(
        [_with_dockerfile(dict(image, tag=image["tag"] or options["tag"])) for image in plan.needed(options["images"], goals + options["alongside"])],
        options["registry"], options["common_args"],
        options["base_image"], options["base_suite"], options["refresh"], options["archive_dir"] or "", plan.platform_of(platform.machine()))
    alongside = [image["name"] for image in images if image["name"] not in goals]
    images, others = [image for image in images if image["name"] in goals], [image for image in images if image["name"] in alongside]
    site = plan.site_files(options, options["base_suite"])
    registry = _registry(module, needed=options["push"])
    book = _ledger(module)
    present = {image["name"]: _present(client, registry, image, book) for image in images}
    steps, involved = plan.plan_built(images, present, options["push"]), images
    found = dict(present)
    if others and any(step["do"] == "build" for step in steps):
        involved = images + others
        found = dict(present, **{image["name"]: _present(client, registry, image, book) for image in others})
        steps = plan.plan_built(involved, found, options["push"], alongside)
    if steps and not _planning(module):
        with image_io.lock():
            _run(module, steps, involved, found, site, progress)
        book = _ledger(module)
    result = {}
    for image in images:
        after = present[image["name"]] if _planning(module) or not steps else _present(client, registry, image, book)
        digest = after["digest"] if after["registry"] == image["hash"] else ""
        local = {"id": after["id"] if after["engine"] == image["hash"] else "", "hash": image["hash"]}
        result[image["name"]] = _facts(image["ref"], image["repository"], digest, local, image["archive"],
                                       _archive_entry(book, image).get("sha256", ""))
    return {"changed": bool(steps), "images": result, "plan": [plan.describe(step, involved) for step in steps],
            "diff": plan.diff_built(images, present, options["push"])}


def _ledger(module):
    """The ledger; None if it is not to be used. Raises EngineError on a machine that is no manager."""
    return ledger.read(ledger.manager(module)) if module.params["ledger"] else None


def _archive_entry(book, image):
    """The ledger's entry for the archive of an image, if it is for the wanted content."""
    entry = (book or NO_LEDGER)["archives"].get(image["name"]) or {}
    return entry if image["archive"] and entry.get("hash") == image["hash"] else {}


class _Book:
    """Enters what was pushed and saved in the ledger, at once: what follows may fail. Used by several threads."""

    def __init__(self, module, registry, by_name):
        self._module, self._registry, self._by_name = module, registry, by_name
        self._lock = threading.Lock()

    def pushed(self, client, image, digest):
        """An image with this digest was pushed."""
        if self._module.params["ledger"]:
            with self._lock:
                parent = self._by_name.get(image["parent"])
                known = ledger.read(client)["images"]
                base = known.get(_key(parent), {}).get("config", "") if parent else ""
                entry = {"hash": image["hash"], "digest": digest, "config": self._registry.config_digest(image["path"], digest) or "", "parent": base}
                ledger.record(client, images={_key(image): entry})

    def saved(self, client, image, checksum):
        """The archive of an image was written."""
        if self._module.params["ledger"]:
            with self._lock:
                ledger.record(client, archives={image["name"]: {"hash": image["hash"], "sha256": checksum}})


def _key(image):
    """The name of an image in the ledger."""
    return "%s:%s" % (image["path"], image["tag"])


def _run(module, steps, images, present, site, progress):
    """Do the steps of a plan, in parallel if they do not depend on each other."""
    by_name = {image["name"]: image for image in images}
    building = [by_name[step["image"]] for step in steps if step["do"] == "build"]
    buildkit = bool(building) and image_io.has_buildkit(
        module.run_command, progress, needed=any(plan.needs_buildkit(image["dockerfile"]) for image in building))
    jobs = module.params["jobs"] or (os.cpu_count() or 1) + 1
    started, stages = itertools.count(1), []
    book = _Book(module, image_io.registry_client(module.params["registry"]), by_name)

    def work(number):
        step, began = steps[number], time.monotonic()
        what = "%s: %s" % (step["image"], step["do"])
        progress("(%d of %d) %s" % (next(started), len(steps), plan.describe(step, images)))
        try:
            client = image_io.patient(engine.connect())  # one for each thread
            image = by_name[step["image"]]
            if step["do"] == "build":
                image_io.build(client, image, site, buildkit, progress, stages)
            else:
                _apply(module, client, step["do"], image, present[image["name"]], site, book, progress)
        except Exception:
            progress("%s failed after %d s" % (what, time.monotonic() - began))
            raise
        progress("%s took %d s" % (what, time.monotonic() - began))

    def clean():
        client = engine.connect()
        # The last layers of all stages except the final one: unnamed images that contain the site's settings.
        for layer in sorted(set(stages)):
            image_io.remove_image(client, layer)
        if buildkit and plan.has_login(module.params):
            image_io.forget_builds(client)
        for name in sorted({image["base_ref"] for image in building if image["bootstrap"]}):
            image_io.remove_image(client, name)  # only the name; the built images contain its layers

    try:
        image_io.side_by_side(plan.Schedule(steps, jobs), jobs, work)
    except Exception:
        with contextlib.suppress(Failure):
            clean()
        raise
    clean()


def _facts(ref, repository, digest, found, archive="", checksum=""):
    """An entry of the result as in RETURN, for all states. found: {"id", "hash"}."""
    return {"ref": ref, "digest": digest, "reference": "%s@%s" % (repository, digest) if digest else "", "id": found["id"], "hash": found["hash"],
            "archive": archive, "checksum": checksum}


def _with_dockerfile(image):
    for item in image["files"]:
        if item["path"] == "Dockerfile":
            return dict(image, dockerfile=image_io.text_of(item), files=[image_io.with_sum(found) for found in image["files"]])
    raise Failure("Image '%s': its context has no Dockerfile." % image["name"], "no_dockerfile", image=image["name"])


def _planning(module):
    return module.check_mode or module.params["plan_only"]


def _registry(module, needed):
    """A client, or None if no registry answers: an error if the registry is needed, in check mode an empty registry."""
    registry = image_io.registry_client(module.params["registry"])
    healthy, text = registry.health()
    if healthy:
        return registry
    if not needed:
        return None
    if module.check_mode:
        module.warn("Check mode predicts from an empty registry: %s" % text)
        return None
    raise Failure("The registry %s of this machine does not answer: %s. Start it first (--tags registry). Its log: docker logs registry-skp."
                  % (module.params["registry"], text), "registry_unreachable", registry=module.params["registry"])


def _present(client, registry, image, book):
    """The present state of one image, as `plan.judge_present` returns it. book: the ledger, or None to trust labels."""
    local = image_io.in_engine(client, image["ref"])
    digest = (registry.digest(image["path"], image["tag"]) if registry else "") or ""
    if book is None:
        label = image_io.label(registry.config(image["path"], digest) or {}) if digest else ""
        return {"engine": local["hash"], "id": local["id"], "registry": label, "digest": digest,
                "archive": image_io.has_archive(image["archive"], None, image["hash"])}
    archive = image_io.has_archive(image["archive"], book["archives"].get(image["name"]) or {}, image["hash"])
    return plan.judge_present(image, local, digest, book["images"].get(_key(image)) or {}, archive)


def _apply(module, client, do, image, found, site, book, progress):
    """One step of a plan, except a build. found: the present state of the image."""
    if do == "bootstrap":
        image_io.bootstrap(client, image["base_ref"], module.params["base_suite"], site, module.run_command, progress)
    elif do == "pull_base":
        image_io.pull_reference(client, image["base_ref"], progress)
    elif do == "load":
        _load(client, image, _ledger(module), progress)
    elif do == "pull":
        image_io.pull(client, image["repository"], found["digest"], progress, image["name"])
        image_io.tag(client, "%s@%s" % (image["repository"], found["digest"]), image["repository"], image["tag"])
    elif do == "push":
        book.pushed(client, image, image_io.push(client, image, progress))
    elif do == "save":
        book.saved(client, image, image_io.save(client, image, progress))


def _load(client, image, book, progress):
    """Load the archive of an image, under the image's name: it was saved with the tag and the registry of that time."""
    path = image["archive"]
    inside = _inside(path)
    if inside["hash"] != image["hash"]:
        raise Failure("%s has content %s, expected %s. Remove it on the master; the next run writes it." % (path, inside["hash"][:12], image["hash"][:12]),
                      "bad_archive", path=path, found=inside["hash"], expected=image["hash"])
    image_io.load(client, path, progress, image["name"], _archive_entry(book, image).get("sha256", ""))
    if inside["ref"] != image["ref"]:
        image_io.tag(client, inside["ref"], image["repository"], image["tag"])


def _inside(path):
    """What an archive holds. Raises Failure if there is none."""
    inside = image_io.in_archive(path)
    if inside is None or not inside["ref"]:
        raise Failure("There is no image archive %s. Is the shared store mounted here? The master writes it with --tags registry." % path,
                      "archive_missing", path=path)
    return inside


def loaded(module, client, progress):
    """State loaded."""
    path = module.params["archive"]
    inside = image_io.in_archive(path)
    if not module.check_mode:
        _inside(path)
    ref = inside["ref"] if inside else ""
    found = image_io.in_engine(client, ref) if ref else {"hash": "", "id": ""}
    changed = not inside or not found["id"] or found["hash"] != inside["hash"]
    if changed and not _planning(module):
        image_io.load(client, path, progress, ref, module.params["checksum"])
        found = image_io.in_engine(client, ref)
    name = ref.rpartition("/")[2].rpartition(":")[0] or plan.archived_name(path)
    return {"changed": changed, "plan": ["load %s from %s" % (ref or "an image", path)] if changed else [],
            "images": {name: _facts(ref, "", "", {"id": found["id"], "hash": inside["hash"] if inside else ""}, path)},
            "diff": {"before": plan.as_text([(ref or path, "" if changed else inside["hash"])]),
                     "after": plan.as_text([(ref or path, inside["hash"] if inside else "to be built")])}}


def known(module, client, progress):
    """State known."""
    del client, progress
    options, found = module.params, {}
    entries = ledger.read(ledger.manager(module))["images"]
    for name in options["names"]:
        entry = entries.get("skp/%s:%s" % (name, options["tag"]))
        if entry:
            repository = "%s/skp/%s" % (options["registry"], name)
            found[name] = _facts("%s:%s" % (repository, options["tag"]), repository, entry["digest"], {"id": "", "hash": entry["hash"]})
    return {"changed": False, "plan": [], "images": found}


def pulled(module, client, progress):
    """State pulled."""
    options = module.params
    wanted, present, facts = {}, {}, {}
    asked = [name for name in options["names"] if name not in options["digests"]]
    if asked and options["ledger"] and not module.check_mode:
        raise ledger.refuse_unknown("%s/skp/%s:%s" % (options["registry"], asked[0], options["tag"]))
    registry = _registry(module, needed=True) if asked and not options["ledger"] else None
    for name in options["names"]:
        path = "skp/" + name
        repository = "%s/%s" % (options["registry"], path)
        ref = "%s:%s" % (repository, options["tag"])
        digest = options["digests"].get(name) or (registry and name in asked and registry.digest(path, options["tag"])) or ""
        if not digest and not module.check_mode:
            raise Failure("The registry %s has no image %s. Build it on the master first (--tags images)." % (options["registry"], ref),
                          "not_in_registry", image=name, ref=ref)
        found = image_io.in_engine(client, ref)
        digests = [text.partition("@")[2] for text in found["digests"] if text.startswith(repository + "@")]
        wanted[name] = digest
        present[name] = digest if digest in digests else (digests or [""])[0]
        facts[name] = _facts(ref, repository, digest, found)
    todo = plan.plan_pulled(wanted, present)
    if not _planning(module):
        for name in todo:
            repository = facts[name]["ref"].rpartition(":")[0]
            image_io.pull(client, repository, wanted[name], progress, name)
            image_io.tag(client, facts[name]["reference"], repository, options["tag"])
            facts[name] = _facts(facts[name]["ref"], repository, wanted[name], image_io.in_engine(client, facts[name]["ref"]))
    return {"changed": bool(todo), "images": facts, "plan": ["pull %s" % (facts[name]["reference"] or facts[name]["ref"]) for name in todo],
            "diff": {"before": plan.as_text([(facts[name]["ref"], present[name]) for name in sorted(facts)]),
                     "after": plan.as_text([(facts[name]["ref"], wanted[name] or "to be built") for name in sorted(facts)])}}


def argument_spec():
    """The options of the module."""
    image = dict(
        name=dict(type="str", required=True), tag=dict(type="str"), context=dict(type="str"), base=dict(type="str", default=""),
        args=dict(type="dict", default={}), archive=dict(type="bool", default=False),
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
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True, required_if=[("state", "loaded", ["archive"])])
    progress = image_io.Progress(module.params["progress_file"] or "")
    try:
        client = engine.connect_or_predict(module)
        image_io.patient(client)
        result = {"built": built, "pulled": pulled, "loaded": loaded, "known": known}[module.params["state"]](module, client, progress)
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
