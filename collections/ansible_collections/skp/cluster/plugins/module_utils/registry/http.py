# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client of the registry HTTP API (OCI distribution), standard library only.

Private to the collection. It only reads: the engine pushes, and nothing is deleted over HTTP.
The registries of a cluster listen on the loopback address of each node, so there is no TLS and no login,
and the proxy variables of the environment are ignored on purpose. `ansible.module_utils.urls` would save two lines
here and add a third to the start time of a module.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request

from ..failure import Failure

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
# Without the index types in Accept, a registry answers a multi-platform tag with 404 or with the manifest of one platform,
# whose digest is not the pushed one.
ACCEPT = ", ".join(INDEX_TYPES + MANIFEST_TYPES)
PAGE_SIZE = 500  # the registry's own limit is catalog.maxentries, 1000 by default
MAX_PAGES = 1000  # limit of the paging loop, in case a registry always sends the same Link
_DIGEST = re.compile(r"^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$")
_NEXT_LINK = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


class RegistryError(Failure):
    """Unexpected answer of a registry. ``failure`` has ``url``, ``status`` (int, or None without an HTTP answer) and ``reason``."""


class RegistryClient:
    """Reads one registry.

    :arg base_url: scheme, host and port, such as ``http://127.0.0.1:5000``.
    :arg timeout: seconds for each request (connect and each read).
    """

    def __init__(self, base_url="http://127.0.0.1:5000", timeout=5):
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ping(self):
        """True if the registry answers ``/v2/`` with 200. Never raises if there is no registry."""
        try:
            return self._request("GET", "/v2/")[0] == 200
        except RegistryError:
            return False

    def health(self):
        """(healthy, text) from ``/v2/`` for a message: ``(True, "200")``, ``(False, "connection refused")``.

        Registry 2 and 3 answer 503 on every API path while their check of the storage driver fails.
        """
        try:
            status, _headers, body = self._request("GET", "/v2/", ok=(200, 503))
        except RegistryError as exc:
            return False, str(exc)
        if status == 200:
            return True, "200"
        return False, "%s answers 503: %s" % (self.base_url, body.decode("utf-8", "replace").strip()[:500])

    def digest(self, repository, tag):
        """The digest (``sha256:...``) of a tag or reference, or None if the registry does not have it."""
        status, headers, _body = self._request("HEAD", _path(repository, "manifests", tag), ok=(200, 404), accept=ACCEPT)
        if status == 404:
            return None
        found = headers.get("Docker-Content-Digest")
        if not found:
            raise RegistryError(
                "%s answers %s:%s without a Docker-Content-Digest header; is this a registry?" % (self.base_url, repository, tag),
                "registry", url=self.base_url, status=status, reason="no digest header",
            )
        return found

    def manifest(self, repository, reference):
        """The manifest or index of a tag or digest as a dict, or None if the registry does not have it."""
        status, _headers, body = self._request("GET", _path(repository, "manifests", reference), ok=(200, 404), accept=ACCEPT)
        return None if status == 404 else self._json(self._same(body, repository, reference), repository, reference)

    def config(self, repository, reference, architecture=None):
        """The image configuration (dict; labels in ``["config"]["Labels"]``) of a tag or digest, or None if absent.

        From an index, the entry for ``architecture`` (Go's name: ``amd64``, ``arm64``) is used, without one the first real image;
        entries without a real platform (build attestations are ``unknown/unknown``) are skipped.
        """
        digest = self.config_digest(repository, reference, architecture)
        if not digest:
            return None
        status, _headers, body = self._request("GET", _path(repository, "blobs", digest), ok=(200, 404))
        return None if status == 404 else self._json(self._same(body, repository, digest), repository, digest)

    def config_digest(self, repository, reference, architecture=None):
        """The digest of that configuration, or None if absent. It names the image whatever its layers are compressed with."""
        manifest = self.manifest(repository, reference)
        if manifest is not None and "manifests" in manifest:
            child = _choose(manifest["manifests"], architecture)
            manifest = self.manifest(repository, child) if child else None
        return ((manifest or {}).get("config") or {}).get("digest")

    def _same(self, body, repository, reference):
        """The body, if the reference is not the digest of another one: a registry only stores, it is not believed."""
        algorithm, _colon, value = reference.partition(":")
        if _DIGEST.match(reference) and hashlib.new(algorithm, body).hexdigest() != value:
            raise RegistryError("%s sends other content than %s@%s. Its store is damaged: playbooks/registry_verify.yml lists the errors."
                                % (self.base_url, repository, reference), "registry", url=self.base_url, status=200, reason="digest")
        return body

    def catalog(self):
        """Names of all repositories, sorted. A repository stays listed after its last tag was deleted."""
        return self._paged("/v2/_catalog", "repositories")

    def tags(self, repository):
        """Tags of a repository, sorted; an empty list if there is no such repository."""
        return self._paged(_path(repository, "tags", "list"), "tags")

    def _paged(self, path, key):
        """Follow the Link headers of a list, at most ``MAX_PAGES`` of them."""
        found, url = [], "%s?n=%d" % (path, PAGE_SIZE)
        for _page in range(MAX_PAGES):
            status, headers, body = self._request("GET", url, ok=(200, 404))
            if status == 404:
                break
            found.extend(self._json(body, path, key).get(key) or [])
            link = _NEXT_LINK.search(headers.get("Link") or "")
            if not link:
                break
            following = urllib.parse.urlsplit(link.group(1))  # only path and query, to stay on the same registry
            url = "%s?%s" % (following.path, following.query)
        return sorted(set(found))

    def _request(self, method, path, ok=(200,), accept="application/json"):
        """(status, headers, body) of one request, or RegistryError if the status is not in ``ok``."""
        url = self.base_url + path
        request = urllib.request.Request(url, method=method, headers={"Accept": accept})
        try:
            try:
                answer = self._opener.open(request, timeout=self.timeout)
            except urllib.error.HTTPError as exc:
                answer = exc  # it is the answer too; reading it can fail like any other
            with answer:
                status, headers, body = answer.status or answer.code, answer.headers, answer.read()
        except (OSError, ValueError, http.client.HTTPException) as exc:  # refused, timed out, a bad URL, cut short
            reason = str(getattr(exc, "reason", None) or exc)
            raise RegistryError("no answer from the registry at %s: %s" % (url, reason), "registry", url=url, status=None, reason=reason) from exc
        if status not in ok:
            reason = body.decode("utf-8", "replace").strip()[:500]
            raise RegistryError("the registry answers %s with %d: %s" % (url, status, reason), "registry", url=url, status=status, reason=reason)
        return status, headers, body

    def _json(self, body, *where):
        try:
            return json.loads(body.decode("utf-8"))
        except ValueError as exc:
            raise RegistryError(
                "%s does not send JSON for %s: %s" % (self.base_url, " ".join(where), exc), "registry", url=self.base_url, status=200, reason=str(exc),
            ) from exc


def _path(repository, *rest):
    return "/v2/" + "/".join([urllib.parse.quote(repository, safe="/")] + [urllib.parse.quote(part, safe=":") for part in rest])


def _choose(entries, architecture):
    """The digest of the index entry to read, or None."""
    real = [entry for entry in entries if (entry.get("platform") or {}).get("os", "linux") != "unknown"]
    for entry in real:
        if architecture and (entry.get("platform") or {}).get("architecture") == architecture:
            return entry.get("digest")
    return real[0].get("digest") if real and not architecture else None
