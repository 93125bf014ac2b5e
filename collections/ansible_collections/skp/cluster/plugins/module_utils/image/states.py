# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The states of module skp_image: read the present state, plan, stop in check mode, apply."""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import threading
import time
from datetime import datetime, timezone

from ..engine import client as engine
from ..failure import Failure
from . import io, ledger, plan

FORGET = "remove the site's settings that a killed run has left in unfinished images and caches"
NO_LEDGER = {"images": {}, "archives": {}}


def built(module, client, progress):
    """State built, from the options to the result."""
    options = dict(module.params, images=[_with_its_base(image) for image in module.params["images"]])
    goals = [image["name"] for image in plan.needed(options["images"], options["names"])]
    book = _ledger(module)
    images = plan.expand(
        [_with_dockerfile(dict(image, tag=image["tag"] or options["tag"])) for image in plan.needed(options["images"], goals + options["alongside"])],
        options["registry"], options["common_args"],
        options["base_image"], options["base_suite"], options["refresh"], options["archive_dir"] or "",
        plan.architecture(options["platform"], platform.machine()), _base_digests(module, book))
    everything = images
    alongside = [image["name"] for image in images if image["name"] not in goals]
    images, others = [image for image in images if image["name"] in goals], [image for image in images if image["name"] in alongside]
    site = plan.site_files(options, options["base_suite"])
    registry = _registry(module, needed=options["push"])
    present = {image["name"]: _present(client, registry, image, book) for image in images}
    steps, involved = plan.plan_built(images, present, options["push"]), images
    found = dict(present)
    if others and any(step["do"] == "build" for step in steps):
        involved = images + others
        found = dict(present, **{image["name"]: _present(client, registry, image, book) for image in others})
        steps = plan.plan_built(involved, found, options["push"], alongside)
    old = plan.age_warning({image["name"]: present[image["name"]]["created"] for image in images}, datetime.now(timezone.utc), options["max_age_days"])
    if old:
        module.warn(old)
    left = io.unfinished()
    if left and not _planning(module):
        with io.lock():
            io.remove_unfinished(client, left)
    if steps and not _planning(module):
        with io.lock():
            _run(module, steps, involved, found, site, progress, alongside)
        book = _ledger(module)
    after = {image["name"]: present[image["name"]] if _planning(module) or not steps else _present(client, registry, image, book) for image in images}
    return {"changed": bool(steps or left), "images": {image["name"]: _built_facts(image, after[image["name"]], book) for image in images},
            "alongside": {} if steps else _already_pushed(client, everything, options["alongside"], present, registry, book),
            "plan": [FORGET] * bool(left) + [plan.describe(step, involved) for step in steps], "diff": plan.diff_built(images, present, options["push"])}


def _built_facts(image, found, book):
    """The entry of the result for one image in its present state."""
    digest = found["digest"] if found["registry"] == image["hash"] else ""
    local = {"id": found["id"] if found["engine"] == image["hash"] else "", "hash": image["hash"]}
    return _facts(image["ref"], image["repository"], digest, local, image["archive"], _archive_entry(book, image).get("sha256", ""))


def _already_pushed(client, images, names, present, registry, book):
    """The entries of these images and of their bases if the registry has all of them as they should be, else {}: then the call that pushes them decides."""
    if not names or registry is None:
        return {}
    wanted = plan.needed(images, names)
    try:
        found = {image["name"]: present.get(image["name"]) or _present(client, registry, image, book) for image in wanted}
    except Failure:
        return {}
    return {} if plan.plan_built(wanted, found, True) else {image["name"]: _built_facts(image, found[image["name"]], book) for image in wanted}


def _ledger(module):
    """The ledger; None if it is not to be used. Raises EngineError on a machine that is no manager."""
    return ledger.read(ledger.manager(module)) if module.params["ledger"] else None


def _base_digests(module, book):
    """{reference: digest} of bases in the cluster's registry, from the ledger. What is not in it is not built upon."""
    found = {}
    for reference in plan.own_bases(module.params["images"], module.params["registry"], module.params["base_image"]) if book is not None else ():
        path, _colon, tag = reference[len(module.params["registry"]) + 1 :].partition(":")
        found[reference] = (book["images"].get("%s:%s" % (path, tag or "latest")) or {}).get("digest", "")
        if not found[reference] and not module.check_mode:
            raise ledger.refuse_unknown(reference)
    return found


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


def _run(module, steps, images, present, site, progress, extras):
    """Do the steps of a plan, in parallel if they do not depend on each other. extras: see `plan.Schedule`."""
    by_name = {image["name"]: image for image in images}
    building = [by_name[step["image"]] for step in steps if step["do"] == "build"]
    buildkit = bool(building) and io.has_buildkit(
        module.run_command, progress, needed=any(plan.needs_buildkit(image["dockerfile"]) for image in building) or bool(module.params["platform"]))
    jobs = module.params["jobs"] or (os.cpu_count() or 1) + 1
    login = plan.has_login(module.params)
    # Caches hold a login only of a Dockerfile that cannot get it as a secret.
    started, traces = itertools.count(1), io.Traces(buildkit and login and any(io.hidden(image, site)[0] is None for image in building))
    book = _Book(module, io.registry_client(module.params["registry"]), by_name)

    def work(number):
        step, began = steps[number], time.monotonic()
        what = "%s: %s" % (step["image"], step["do"])
        progress("(%d of %d) %s" % (next(started), len(steps), plan.describe(step, images)))
        try:
            client = io.patient(engine.connect())  # one for each thread
            image = by_name[step["image"]]
            if step["do"] == "build":
                io.build(client, image, site, buildkit, progress, traces, login, module.params["platform"])
            else:
                _apply(module, client, step["do"], image, present[image["name"]], site, book, progress)
        except Exception:
            progress("%s failed after %d s" % (what, time.monotonic() - began))
            raise
        progress("%s took %d s" % (what, time.monotonic() - began))

    def clean():
        client = engine.connect()
        traces.remove(client)
        for name in sorted({image["base_ref"] for image in building if image["bootstrap"]}):
            io.remove_image(client, name)  # only the name; the built images contain its layers

    try:
        io.side_by_side(plan.Schedule(steps, jobs, extras), jobs, work)
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
            return dict(image, dockerfile=io.text_of(item), files=[io.with_sum(found) for found in image["files"]])
    raise Failure("Image '%s': its context has no Dockerfile." % image["name"], "no_dockerfile", image=image["name"])


def _with_its_base(image):
    """The image without a base if its Dockerfile asks for none: it names its own."""
    text = next((io.text_of(item) for item in image["files"] if item["path"] == "Dockerfile"), "ARG BASE")
    return image if "BASE" in plan.declared_args(text) else dict(image, base=None)


def _planning(module):
    return module.check_mode or module.params["plan_only"]


def _registry(module, needed):
    """A client, or None if no registry answers: an error if the registry is needed, in check mode an empty registry."""
    registry = io.registry_client(module.params["registry"])
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
    local = io.in_engine(client, image["ref"])
    digest = (registry.digest(image["path"], image["tag"]) if registry else "") or ""
    if book is None:
        label = io.label(registry.config(image["path"], digest) or {}) if digest else ""
        return {"engine": local["hash"], "id": local["id"], "registry": label, "digest": digest, "created": _created(image, local),
                "archive": io.has_archive(image["archive"], None, image["hash"])}
    archive = io.has_archive(image["archive"], book["archives"].get(image["name"]) or {}, image["hash"])
    entry = book["images"].get(_key(image)) or {}
    kept = bool(registry and entry and digest != entry["digest"] and registry.digest(image["path"], entry["digest"]))
    return dict(plan.judge_present(image, local, digest, entry, archive, kept), created=_created(image, local))


def _created(image, local):
    """When the wanted content was built, as far as this engine knows it."""
    return local["created"] if local["hash"] == image["hash"] else ""


def _apply(module, client, do, image, found, site, book, progress):
    """One step of a plan, except a build. found: the present state of the image."""
    if do == "bootstrap":
        io.bootstrap(client, image["base_ref"], module.params["base_suite"], site, module.run_command, progress,
                     plan.architecture(module.params["platform"], platform.machine()) if module.params["platform"] else "")
    elif do == "pull_base" and image["base_digest"]:
        host, _slash, rest = image["base_ref"].partition("/")
        path, _colon, tag = rest.partition(":")
        io.pull(client, "%s/%s" % (host, path), image["base_digest"], progress, image["base_ref"])
        io.tag(client, "%s/%s@%s" % (host, path, image["base_digest"]), "%s/%s" % (host, path), tag or "latest")
    elif do == "pull_base":
        io.pull_reference(client, image["base_ref"], progress, module.params["platform"])
    elif do == "load":
        _load(client, image, _ledger(module), progress)
    elif do == "pull":
        io.pull(client, image["repository"], found["digest"], progress, image["name"])
        io.tag(client, "%s@%s" % (image["repository"], found["digest"]), image["repository"], image["tag"])
    elif do == "push":
        digest = io.push(client, image, progress)
        book.pushed(client, image, digest)
        io.remove_superseded(client, image["repository"], {digest, found["digest"]}, progress)
    elif do == "save":
        book.saved(client, image, io.save(client, image, progress))


def _load(client, image, book, progress):
    """Load the archive of an image, under the image's name: it was saved with the tag and the registry of that time."""
    path = image["archive"]
    inside = _inside(path)
    if inside["hash"] != image["hash"]:
        raise Failure("%s has content %s, expected %s. Remove it on the master; the next run writes it." % (path, inside["hash"][:12], image["hash"][:12]),
                      "bad_archive", path=path, found=inside["hash"], expected=image["hash"])
    io.load(client, path, progress, image["name"], _archive_entry(book, image).get("sha256", ""))
    if inside["ref"] != image["ref"]:
        io.tag(client, inside["ref"], image["repository"], image["tag"])


def _inside(path):
    """What an archive holds. Raises Failure if there is none."""
    inside = io.in_archive(path)
    if inside is None or not inside["ref"]:
        raise Failure("There is no image archive %s. Is the shared store mounted here? The master writes it with --tags registry." % path,
                      "archive_missing", path=path)
    return inside


def loaded(module, client, progress):
    """State loaded."""
    path = module.params["archive"]
    inside = io.in_archive(path)
    if not module.check_mode:
        _inside(path)
    ref = inside["ref"] if inside else ""
    found = io.in_engine(client, ref) if ref else {"hash": "", "id": ""}
    changed = not inside or not found["id"] or found["hash"] != inside["hash"]
    if changed and not _planning(module):
        io.load(client, path, progress, ref, module.params["checksum"])
        found = io.in_engine(client, ref)
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
        found = io.in_engine(client, ref)
        digests = [text.partition("@")[2] for text in found["digests"] if text.startswith(repository + "@")]
        wanted[name] = digest
        present[name] = digest if digest in digests else (digests or [""])[0]
        facts[name] = _facts(ref, repository, digest, found)
    todo = plan.plan_pulled(wanted, present)
    if not _planning(module):
        for name in todo:
            repository = facts[name]["ref"].rpartition(":")[0]
            io.pull(client, repository, wanted[name], progress, name)
            io.tag(client, facts[name]["reference"], repository, options["tag"])
            io.remove_superseded(client, repository, {wanted[name], present[name]}, progress)
            facts[name] = _facts(facts[name]["ref"], repository, wanted[name], io.in_engine(client, facts[name]["ref"]))
    return {"changed": bool(todo), "images": facts, "plan": ["pull %s" % (facts[name]["reference"] or facts[name]["ref"]) for name in todo],
            "diff": {"before": plan.as_text([(facts[name]["ref"], present[name]) for name in sorted(facts)]),
                     "after": plan.as_text([(facts[name]["ref"], wanted[name] or "to be built") for name in sorted(facts)])}}


STATES = {"built": built, "pulled": pulled, "loaded": loaded, "known": known}
