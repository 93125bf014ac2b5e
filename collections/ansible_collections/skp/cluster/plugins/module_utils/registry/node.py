# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The states of module skp_registry: read the present state, plan, stop in check mode, apply."""

from __future__ import annotations

import os
import time
import uuid

from .. import atomic_file
from ..engine.client import connect_or_predict
from ..failure import Failure
from . import io, plan, store as store_walk
from .http import RegistryClient

SETTLE_SECONDS = 5  # time for a registry that has just started, for example after a reboot, before it counts as silent
MARKER_SECONDS = 65  # over NFS a node may cache for 60 s that the marker does not exist (acdirmax)
PROGRESS_SECONDS = 10


class RegistryNode:
    """This node's registry. Each public method is a state of the module and returns the module's result."""

    def __init__(self, module):
        self.module = module
        self.params = module.params
        self.name = module.params["name"]
        self.store = module.params["store"]
        self.dry = module.check_mode or module.params["look"]
        self.config_path = os.path.join(module.params["config_dir"], plan.CONFIG_FILE)
        self.record_path = os.path.join(module.params["config_dir"], plan.RECORD_FILE)
        plan.refuse_exposed(module.params["address"])
        self.uid, self.gid = plan.parse_user(module.params["user"])
        host = "[%s]" % module.params["address"] if ":" in module.params["address"] else module.params["address"]
        self.registry = RegistryClient("http://%s:%d" % (host, module.params["port"]))

    def look(self):
        """Whether nothing has to be done. What is wrong is said by the turn that then follows, in the order that changes need."""
        try:
            result = getattr(self, self.params["state"])()
        except (Failure, OSError):
            return {"changed": False, "settled": False}
        settled = not result["changed"] and not result.get("readers_first", False)
        return dict(result, changed=False, settled=settled, diff=[])

    def present(self):
        """Make the container run over the right store with the wanted image and configuration."""
        for option in ("image", "http_secret"):
            if not self.params[option]:
                raise Failure("The option %s is empty; the registry needs it." % option, "empty_option", option=option)
        client = connect_or_predict(self.module, timeout=300)
        container = self._container(client)
        image = io.read_image(client, self.params["image"]) if client else None
        store_actions, store_id = self._plan_store()
        if self.params["readers_first"] and not self.module.check_mode and plan.readers_first(self.params["writer"], container, not store_actions):
            return {"changed": False, "actions": [], "reasons": ["another registry may still be the writer"], "store_id": store_id, "readers_first": True,
                    "container": container or {}, "diff": []}
        former = io.former_names(client, self.name)
        config = plan.render_config(
            self.params["writer"], self.params["address"], self.params["port"], self.params["http_secret"], self.params["log_level"])
        before_config = atomic_file.read_text(self.config_path)
        config_drift = atomic_file.drift(self.config_path, config, uid=self.uid, gid=self.gid)
        spec = plan.container_spec(self.params, config, store_id)
        answering = bool(container and container["running"]) and io.wait_answer(self.registry, SETTLE_SECONDS)

        actions = plan.plan_image(image, self.params["image"], self.params["image_hash"], self.params["archive"]) + store_actions
        if "load_image" in actions or "pull_image" in actions:
            if not self.dry:
                image = self._fetch_image(client, actions[0])
            else:
                image = None
        actions += self._plan_files(config_drift, store_id)
        other_config = bool({"missing", "content"}.intersection(config_drift))
        container_actions, reasons = plan.plan_container(container, spec, image, other_config, answering)
        actions += container_actions
        if former:
            actions.append("remove_former")
            reasons = ["%s is a registry under another name" % ", ".join(former)] + reasons

        before, after = plan.summary(container, before_config, self._recorded()), plan.wish_summary(spec, image, config, store_id)
        result = {
            "changed": bool(actions), "actions": actions, "reasons": reasons, "store_id": store_id,
            "diff": _diff(before, after, self.config_path) if actions else [],
        }
        if not self.dry:
            if actions:
                for name in former:
                    io.remove(client, name)
                self._apply(client, [action for action in actions if action != "remove_former"], config, store_id, spec)
                container = io.read_container(client, self.name)
        return dict(result, container=container or {})

    def _container(self, client):
        """The present container with `store_stale`; Failure if it is not skp.cluster's. None without an engine."""
        if client is None:
            return None
        container = io.read_container(client, self.name)
        plan.refuse_foreign(container, self.name)
        gc_run = io.read_container(client, self.name + "-gc")
        if gc_run and gc_run["running"]:
            raise Failure(
                "Garbage collection is running on this node (container %s-gc); a writer that runs meanwhile loses uploads. Wait "
                "until it ends, or stop it with: docker rm -f %s-gc" % (self.name, self.name), "gc_running", name=self.name)
        if container:
            container["store_stale"] = container["running"] and io.store_is_stale(container, self.store)
        return container

    def _recorded(self):
        return (atomic_file.read_text(self.record_path) or "").strip()

    def _plan_store(self):
        """(actions, store id). In check mode, a store that the run would create counts as created."""
        recorded, expected = self._recorded(), self.params["store_id"]
        found = io.read_store(self.store, wait_marker=MARKER_SECONDS if expected and not self.module.check_mode else 0)
        try:
            actions, store_id = plan.plan_store(
                found, self.store, self.params["writer"], self.params["create_store_marker"], recorded, expected, str(uuid.uuid4()))
            if self.params["writer"]:
                plan.refuse_unwritable(found, self.store, self.uid)
            return actions, store_id
        except Failure as exc:
            if self.params["look"] or not self.module.check_mode or recorded or exc.failure["kind"] != "store_missing":
                raise
            self.module.warn("Check mode assumes that the store exists: %s" % exc.msg)
            made = ["create_store", "mark_store"] if self.params["writer"] and self.params["create_store_marker"] else []
            return made, expected or "not known yet"

    def _fetch_image(self, client, action):
        """Load or pull the image; returns it."""
        if action == "load_image":
            name = io.load_image(client, self.params["archive"], self.params["archive_sha256"])
            if name and name != self.params["image"]:  # it was saved under the tag and the registry of that time
                io.tag_image(client, name, self.params["image"])
        else:
            io.pull_image(client, self.params["image"])
        image = io.read_image(client, self.params["image"])
        wanted = self.params["image_hash"]
        if image is None or (wanted and image["hash"] != wanted):
            source = self.params["archive"] or "the registry it was pulled from"
            raise Failure(
                "%s does not have the wanted image %s with content hash %s; found %s. Build it again on the master (--tags registry)."
                % (source, self.params["image"], wanted or "(any)", image["hash"] if image else "no such image"),
                "wrong_image", image=self.params["image"], expected=wanted, found=image)
        return image

    def _plan_files(self, config_drift, store_id):
        actions = []
        if self._recorded() != store_id:
            actions.append("write_record")
        if config_drift:
            actions.append("write_config")
        secret_file = self.params["secret_file"]
        if secret_file and atomic_file.drift(secret_file, self.params["http_secret"] + "\n"):
            actions.append("write_secret")
        return actions

    def _apply(self, client, actions, config, store_id, spec):
        """Apply the planned actions in their order. Images were fetched before: the plan for the container depends on them."""
        steps = {
            "load_image": lambda: None,
            "pull_image": lambda: None,
            "create_store": lambda: io.create_store(self.store, self.uid, self.gid),
            "adopt_store": lambda: io.adopt_store(self.store, self.uid, self.gid),
            "mark_store": lambda: io.mark_store(self.store, store_id, self.uid, self.gid),
            "write_record": lambda: atomic_file.write_text(self.record_path, store_id + "\n", mode=0o644),
            "write_config": lambda: atomic_file.write_text(self.config_path, config, uid=self.uid, gid=self.gid),
            "write_secret": lambda: atomic_file.write_text(
                self.params["secret_file"], self.params["http_secret"] + "\n", directory_mode=0o700),
            "remove": lambda: io.remove(client, self.name),
            "create": lambda: io.create(client, self.name, spec),
            "start": lambda: self._start(client),
            "restart": lambda: self._restart(client),
        }
        for action in actions:
            steps[action]()
        if "start" in actions or "restart" in actions:
            io.wait_healthy(client, self.name, self.registry, self.params["timeout"])

    def _start(self, client):
        io.refuse_taken_port(self.params["address"], self.params["port"])
        io.start(client, self.name)

    def _restart(self, client):
        """Stop and start with a check of the port in between: the engine's own restart would not report which program uses it."""
        io.stop(client, self.name)
        self._start(client)

    def absent(self):
        """Remove container and configuration. The store and its record stay, unless they must be purged."""
        client = connect_or_predict(self.module)
        container = self._container(client)
        purge = self.params["purge"]
        actions = ["remove"] if container else []
        former = io.former_names(client, self.name)
        if former:
            actions.append("remove_former")
        if os.path.exists(self.config_path):
            actions.append("remove_config")
        if purge and self.params["writer"]:
            found = io.read_store(self.store)
            if self._recorded():  # purging an unmounted directory would remove the record and keep the images
                plan.plan_store(found, self.store, False, False, self._recorded())
            purges, left = plan.plan_purge(found, self.store, os.path.realpath(self.store), io.mount_points())
            actions += purges
            if left:
                self.module.warn(left)
        if purge and os.path.exists(self.record_path):
            actions.append("remove_record")
        before = plan.summary(container, atomic_file.read_text(self.config_path), self._recorded())
        after = plan.summary(None, None, "" if purge else self._recorded())
        if not self.dry:
            steps = {
                "remove": lambda: io.remove(client, self.name),
                "remove_former": lambda: [io.remove(client, name) for name in former],
                "remove_config": lambda: os.unlink(self.config_path),
                "purge_store": lambda: io.empty_store(self.store),
                "remove_record": lambda: os.unlink(self.record_path),
            }
            for action in actions:
                steps[action]()
        return {"changed": bool(actions), "actions": actions, "diff": _diff(before, after, self.config_path)}

    def restarted(self):
        """Restart an existing container over the same store."""
        client = connect_or_predict(self.module)
        container = self._container(client)
        if container is None and client is not None:
            raise plan.no_container(self.name)
        plan.plan_store(io.read_store(self.store), self.store, False, False, self._recorded())
        if not self.module.check_mode:
            self._restart(client)
            container = io.wait_healthy(client, self.name, self.registry, self.params["timeout"])
        return {"changed": True, "actions": ["restart"], "container": container or {}, "diff": []}

    def gc(self):
        """Dry run; if there is something to remove: stop the writer, collect, start it in any case, verify every tag."""
        client = connect_or_predict(self.module)
        container = self._container(client)
        if client is None:
            return {"changed": False, "actions": [], "gc": {}, "diff": []}
        plan.plan_gc(container, self.params["writer"], self.name)
        plan.plan_store(io.read_store(self.store), self.store, False, False, self._recorded())
        if not os.path.isdir(os.path.join(self.store, store_walk.ROOT, "repositories")):  # nothing was pushed yet; the registry's collector fails then
            return {"changed": False, "actions": [], "gc": {"marked": 0, "blobs": [], "manifests": [], "bytes": 0}, "diff": []}
        found = self._collect(client, container, dry_run=True)
        if self.params["delete_untagged"]:
            plan.refuse_running(found["manifests"], io.running_digests(client))
        found["bytes"] = sum(self._blob_size(digest) for digest in found["blobs"])
        worth = bool(found["blobs"] or found["manifests"])
        result = {
            "changed": worth, "actions": ["stop", "collect", "start"] if worth else [], "gc": found,
            "diff": _diff({"registry": found["manifests"] + found["blobs"]}, {}),
        }
        if worth and not self.module.check_mode:
            io.stop(client, self.name)
            try:
                self._collect(client, container, dry_run=False)
            finally:
                self._start(client)
            io.wait_healthy(client, self.name, self.registry, self.params["timeout"])
            result["verify"] = self._verify()
        return result

    def _collect(self, client, container, dry_run):
        options = {"image": container["image_id"], "user": container["user"], "store": self.store, "config_dir": self.params["config_dir"]}
        spec = plan.gc_spec(options, dry_run, self.params["delete_untagged"])
        code, text = io.run_to_end(client, self.name + "-gc", spec, self.params["gc_timeout"])
        found = plan.parse_gc(text)
        if code != 0 or found is None:
            raise Failure(
                "Garbage collection%s ended with exit code %d. The registry runs again. Last lines of the log:\n%s\nA damaged store is a "
                "possible cause: playbooks/registry_verify.yml lists the errors."
                % (" (dry run)" if dry_run else "", code, "\n".join(text.splitlines()[-io.LOG_LINES:])), "gc_failed", exit_code=code)
        return found

    def _blob_size(self, digest):
        algorithm, value = digest.split(":", 1)
        try:
            return os.path.getsize(os.path.join(self.store, store_walk.ROOT, "blobs", algorithm, value[:2], value, "data"))
        except OSError:
            return 0

    def verify(self):
        """Read and verify all blobs of the store; changes nothing."""
        plan.plan_store(io.read_store(self.store), self.store, False, False, self._recorded())
        return {"changed": False, "verify": self._verify()}

    def _verify(self):
        """Progress goes to the node's log, because a large store takes minutes."""
        state = {"next": time.monotonic() + PROGRESS_SECONDS}

        def progress(done, total, size):
            if time.monotonic() >= state["next"] or done == total:
                state["next"] = time.monotonic() + PROGRESS_SECONDS
                self.module.log("verify %s: %d of %d blobs, %d MB" % (self.store, done, total, size // 1000000))

        return store_walk.verify(self.store, self.params["workers"], progress)


def _diff(before, after, path=""):
    """Before and after for Ansible's diff: the registry as a few lines, and its configuration file. Equal parts are omitted."""
    parts = []
    for header, old, new in (
        ("registry", _lines(before.get("registry")), _lines(after.get("registry"))),
        (path, before.get("config") or "", after.get("config") or ""),
    ):
        if old != new:
            parts.append({"before_header": header, "after_header": header, "before": old, "after": new})
    return parts


def _lines(facts):
    """A flat dict or a list as lines of text."""
    if isinstance(facts, dict):
        facts = ["%s: %s" % (key, facts[key]) for key in sorted(facts)]
    return "".join("%s\n" % line for line in facts or [])
