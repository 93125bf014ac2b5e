# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. Reads a registry's store on disk and reports its errors.

The layout is that of distribution's filesystem driver, the same in registry 2 and 3, below ``<store>/docker/registry/v2``::

    repositories/<name>/_manifests/tags/<tag>/current/link            a digest as text
    repositories/<name>/_manifests/tags/<tag>/index/sha256/<hex>/link
    repositories/<name>/_manifests/revisions/sha256/<hex>/link
    repositories/<name>/_layers/sha256/<hex>/link
    blobs/sha256/<first two>/<hex>/data

A registry (before 3.1) that is killed during a write can leave empty link files; a pull then fails with an unclear message. The
disk is read directly and not through the registry's API: the API does not show which file is damaged, and it reports only what it has
indexed.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import re
import time

from .. import atomic_file
from ..failure import Failure

ROOT = os.path.join("docker", "registry", "v2")
_DIGEST = re.compile(r"^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$")
CHUNK = 1024 * 1024
MANIFEST_LIMIT = 4 * 1024 * 1024
"""Bytes; the registry itself refuses larger manifests."""


def verify(store, workers=4, progress=None):
    """Check all files of a store: each tag and each image without a tag -> manifest -> blob, every link file, and the hash of every blob, also of unused ones.

    Unused blobs count because the next push would treat them as already present.
    workers: threads that hash (hashing releases the interpreter's lock). progress: called as progress(done, total, bytes) after each blob.
    Returns {"problems": [...], "tags": ["repository:tag", ...], "repositories", "blobs", "bytes": ints, "seconds": float}.
    Each problem is {"kind", "path", "digest", "found", "used_by": ["repository:tag", ...], "manifests": [digests], "msg"};
    kinds: link_empty, link_invalid, link_missing, blob_missing, blob_corrupt, blob_size, manifest_invalid, unreadable.
    Raises Failure if the store does not exist.
    """
    started = time.monotonic()
    if not os.path.isdir(store):
        raise Failure("There is no registry store at %s. Is it mounted (findmnt -T %s)?" % (store, store), "store_missing", path=store)
    walk = _Walk(os.path.join(store, ROOT))
    tags = walk.tags()
    hashed, total = walk.hash_blobs(workers, progress)
    problems = [_finish(problem, walk.users, walk.parents) for problem in walk.problems.values()]
    return {
        "problems": sorted(problems, key=lambda item: (item["kind"], item["path"])),
        "tags": tags,
        "repositories": len(walk.repositories),
        "blobs": hashed,
        "bytes": total,
        "seconds": round(time.monotonic() - started, 2),
    }


def _finish(problem, users, parents):
    """A problem with the tags concerned and a message."""
    digest = problem["digest"]
    used_by = sorted(problem.pop("tags") | users.get(digest, set()))
    manifests = sorted(parents.get(digest, set()))
    text = {
        "link_empty": "link file is empty (the writer was killed during a write)",
        "link_invalid": "link file does not contain the digest of its path",
        "link_missing": "link file is missing",
        "blob_missing": "blob is missing",
        "blob_corrupt": "blob does not match its digest",
        "blob_size": "blob size does not match its manifest",
        "manifest_invalid": "manifest cannot be read",
        "unreadable": "cannot be read",
    }[problem["kind"]]
    msg = "%s: %s" % (", ".join(used_by) if used_by else "no tag", text)
    if digest:
        msg += ", %s" % digest
    if manifests:
        msg += ", of manifest %s" % ", ".join(manifests)
    if problem["found"]:
        msg += ", found %s" % problem["found"]
    return dict(problem, used_by=used_by, manifests=manifests, msg="%s, at %s" % (msg, problem["path"]))


class _Walk:
    """One pass over a store. Collects `problems`; `users` and `parents` map a digest to its tags and to the manifests that name it."""

    def __init__(self, root):
        self.root = root
        self.problems = {}
        self.users = {}
        self.parents = {}
        self.repositories = list(self._find_repositories())
        self.checked = set()  # (repository, digest, tag) done, so that a manifest named twice in an index is checked once

    def _add(self, kind, path, digest="", found="", tag=None):
        entry = {"kind": kind, "path": path, "digest": digest, "found": found, "tags": set()}
        self.problems.setdefault((kind, path), entry)["tags"].update([tag] if tag else [])  # many tags can lead to the same file

    def _find_repositories(self):
        """Names of the repositories: directories that have a `_manifests`. Names have several parts, so this is a walk."""
        top = os.path.join(self.root, "repositories")
        for directory, names, _files in os.walk(top, onerror=self._unreadable):
            if "_manifests" in names:
                yield os.path.relpath(directory, top)
            names[:] = sorted(name for name in names if not name.startswith("_"))

    def _unreadable(self, error):
        if not isinstance(error, FileNotFoundError):  # an empty store has no repositories yet
            self._add("unreadable", error.filename or self.root, found=error.strerror or str(error))

    def tags(self):
        """Check every tag, then the link files that no tag leads to. Returns the names `repository:tag`."""
        found = []
        for repository in self.repositories:
            base = os.path.join(self.root, "repositories", repository)
            tag_dir = os.path.join(base, "_manifests", "tags")
            for tag in _names(tag_dir):
                name = "%s:%s" % (repository, tag)
                found.append(name)
                digest = self._link(os.path.join(tag_dir, tag, "current", "link"), name)
                if digest:
                    self._link(os.path.join(tag_dir, tag, "index", *(_parts(digest) + ["link"])), name, digest)
                    self._manifest(repository, digest, name)
            self._links_without_a_tag(repository, base)
        return sorted(found)

    def _links_without_a_tag(self, repository, base):
        """Every link file names the digest of its path. A revision without a tag is an image that services may run by its digest: it is checked like others."""
        revisions = os.path.join(base, "_manifests", "revisions")
        for sub in (os.path.join("_manifests", "tags"), revisions, "_layers"):
            for directory, _dirs, files in os.walk(os.path.join(base, sub), onerror=self._unreadable):
                if "link" not in files:
                    continue
                digest = ":".join(directory.split(os.sep)[-2:])
                found = self._link(os.path.join(directory, "link"), None, digest if _DIGEST.match(digest) else None)
                if found and sub == revisions and not any((repository, found) == known[:2] for known in self.checked):
                    self._manifest(repository, found, None)

    def _link(self, path, tag, expected=None):
        """The digest in a link file, or None; an error in the file is recorded."""
        try:
            with atomic_file.open_plain(path) as handle:
                text = handle.read(256).decode("utf-8", "replace").strip()
        except FileNotFoundError:
            self._add("link_missing", path, expected or "", tag=tag)
            return None
        except OSError as exc:
            self._add("unreadable", path, expected or "", found=exc.strerror, tag=tag)
            return None
        if not text:
            self._add("link_empty", path, expected or "", tag=tag)
            return None
        if not _DIGEST.match(text) or (expected and text != expected):
            # Other text is not shown: whoever can write the store may have put something else there.
            self._add("link_invalid", path, expected or "", found=text if _DIGEST.match(text) else "%d characters that are no digest" % len(text), tag=tag)
            return None
        return text

    def _manifest(self, repository, digest, tag, depth=0):
        """A manifest or index of a repository: its revision link, its blob, and all its entries."""
        if (repository, digest, tag) in self.checked:
            return
        self.checked.add((repository, digest, tag))
        self.users.setdefault(digest, set()).update([tag] if tag else [])
        base = os.path.join(self.root, "repositories", repository)
        self._link(os.path.join(base, "_manifests", "revisions", *(_parts(digest) + ["link"])), tag, digest)
        path = self.blob_path(digest)
        try:
            with atomic_file.open_plain(path) as handle:
                content = json.loads(handle.read(MANIFEST_LIMIT).decode("utf-8"))
            if not isinstance(content, dict):
                raise ValueError("it is not a JSON object")
        except FileNotFoundError:
            self._add("blob_missing", path, digest, tag=tag)
            return
        except (OSError, ValueError) as exc:
            self._add("manifest_invalid", path, digest, found=str(exc)[:200], tag=tag)
            return
        for child in _descriptors(content, "manifests"):
            self.parents.setdefault(child["digest"], set()).add(digest)
            if depth < 4:  # an index of indexes is allowed; only a damaged store has a cycle
                self._manifest(repository, child["digest"], tag, depth + 1)
        for layer in _descriptors(content, "layers") + _descriptors({"config": [content.get("config")]}, "config"):
            self._layer(base, layer, digest, tag)

    def _layer(self, base, layer, manifest, tag):
        """A layer or image configuration: its link in the repository, its blob, its size."""
        digest = layer["digest"]
        self.users.setdefault(digest, set()).update([tag] if tag else [])
        self.parents.setdefault(digest, set()).add(manifest)
        path = self.blob_path(digest)
        if layer.get("urls") and not os.path.exists(path):  # a foreign layer is fetched from its vendor, never stored here
            return
        self._link(os.path.join(base, "_layers", *(_parts(digest) + ["link"])), tag, digest)
        try:
            size = os.lstat(path).st_size
        except FileNotFoundError:
            self._add("blob_missing", path, digest, tag=tag)
            return
        except OSError as exc:
            self._add("unreadable", path, digest, found=exc.strerror, tag=tag)
            return
        if isinstance(layer.get("size"), int) and size != layer["size"]:
            self._add("blob_size", path, digest, found="%d bytes instead of %d" % (size, layer["size"]), tag=tag)

    def blob_path(self, digest):
        """Path of the file of a digest."""
        algorithm, value = _parts(digest)
        return os.path.join(self.root, "blobs", algorithm, value[:2], value, "data")

    def hash_blobs(self, workers, progress):
        """Hash every blob. Returns (blobs, bytes)."""
        blobs = []
        for algorithm in _names(os.path.join(self.root, "blobs")):
            for prefix in _names(os.path.join(self.root, "blobs", algorithm)):
                for value in _names(os.path.join(self.root, "blobs", algorithm, prefix)):
                    digest = "%s:%s" % (algorithm, value)
                    if _DIGEST.match(digest):
                        blobs.append((digest, os.path.join(self.root, "blobs", algorithm, prefix, value, "data")))
        total = 0
        with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
            for done, (digest, path, found, size, error) in enumerate(pool.map(_hash, blobs), 1):
                total += size
                if isinstance(error, FileNotFoundError):
                    # A deleted blob leaves a directory without data; it is an error only if a manifest needs it, which was checked above.
                    continue
                if error is not None:
                    self._add("unreadable", path, digest, found=error.strerror or str(error))
                elif found != digest:
                    self._add("blob_corrupt", path, digest, found=found)
                if progress:
                    progress(done, len(blobs), total)
        return len(blobs), total


def _hash(blob):
    """(digest, path, digest found, bytes, error) of one blob."""
    digest, path = blob
    algorithm = digest.split(":")[0]
    state, size = hashlib.new(algorithm), 0
    try:
        with atomic_file.open_plain(path) as handle:
            while True:
                piece = handle.read(CHUNK)
                if not piece:
                    break
                size += len(piece)
                state.update(piece)
    except OSError as exc:
        return digest, path, None, size, exc
    return digest, path, "%s:%s" % (algorithm, state.hexdigest()), size, None


def _names(path):
    """Sorted names in a directory; none if it does not exist."""
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _parts(digest):
    return digest.split(":", 1)


def _descriptors(content, key):
    """The well-formed descriptors of a manifest's list."""
    entries = content.get(key) or []
    return [
        entry for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("digest"), str) and _DIGEST.match(entry["digest"])
    ]
