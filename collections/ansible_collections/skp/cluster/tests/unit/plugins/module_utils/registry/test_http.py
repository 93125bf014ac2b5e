# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry client against a real HTTP server on the loopback that answers like a registry."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.registry.http import ACCEPT, RegistryClient, RegistryError

INDEX = {"manifests": [
    {"digest": "sha256:a1", "platform": {"os": "unknown", "architecture": "unknown"}},
    {"digest": "sha256:a2", "platform": {"os": "linux", "architecture": "arm64"}},
    {"digest": "sha256:a3", "platform": {"os": "linux", "architecture": "amd64"}},
]}


def _image(name):
    return {"config": {"digest": "sha256:config-%s" % name}, "layers": []}


REAL = json.dumps(_image("real")).encode()
REAL_DIGEST = "sha256:" + hashlib.sha256(REAL).hexdigest()
ANSWERS = {
    "/v2/skp/real/manifests/" + REAL_DIGEST: (200, {}, _image("real")),
    "/v2/skp/forged/manifests/" + REAL_DIGEST: (200, {}, _image("forged")),
    "/v2/skp/cut/manifests/latest": (500, {"Content-Length": "999"}, {"errors": []}),
    "/v2/": (200, {}, {}),
    "/v2/skp/one/manifests/latest": (200, {"Docker-Content-Digest": "sha256:m1"}, _image("one")),
    "/v2/skp/one/blobs/sha256:config-one": (200, {}, {"config": {"Labels": {"skp.hash": "h1"}}}),
    "/v2/skp/many/manifests/latest": (200, {"Docker-Content-Digest": "sha256:ix"}, INDEX),
    "/v2/skp/many/manifests/sha256:a2": (200, {}, _image("arm64")),
    "/v2/skp/many/manifests/sha256:a3": (200, {}, _image("amd64")),
    "/v2/skp/many/blobs/sha256:config-arm64": (200, {}, {"architecture": "arm64"}),
    "/v2/skp/many/blobs/sha256:config-amd64": (200, {}, {"architecture": "amd64"}),
    "/v2/_catalog?n=500": (200, {"Link": '</v2/_catalog?last=b&n=2>; rel="next"'}, {"repositories": ["b", "a"]}),
    "/v2/_catalog?last=b&n=2": (200, {}, {"repositories": ["c"]}),
    "/v2/skp/one/tags/list?n=500": (200, {}, {"tags": ["v2", "latest"]}),
    "/v2/skp/empty/tags/list?n=500": (200, {}, {"tags": None}),
    "/v2/skp/broken/manifests/latest": (500, {}, {"errors": [{"code": "UNKNOWN"}]}),
    "/v2/skp/nohead/manifests/latest": (200, {}, {}),
}


@pytest.fixture(name="registry")
def _registry():
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self):
            seen.append((self.command, self.path, self.headers.get("Accept")))
            status, headers, body = ANSWERS.get(self.path, (404, {}, {"errors": []}))
            payload = json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(payload)

        do_GET = do_HEAD = _answer

        def log_message(self, *args):  # pylint: disable=arguments-differ
            """Keep the test's output quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    client = RegistryClient("http://127.0.0.1:%d/" % server.server_port, timeout=5)
    client.seen = seen
    yield client
    server.shutdown()
    server.server_close()


def test_ping(registry):
    assert registry.ping() is True
    assert registry.health() == (True, "200")


def test_nobody_listens():
    client = RegistryClient("http://127.0.0.1:1", timeout=1)
    assert client.ping() is False
    assert client.health()[0] is False
    with pytest.raises(RegistryError) as caught:
        client.digest("skp/one", "latest")
    assert caught.value.failure["status"] is None
    assert "http://127.0.0.1:1/v2/skp/one/manifests/latest" in str(caught.value)


def test_proxy_of_the_environment_is_ignored(registry, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    client = RegistryClient(registry.base_url)
    assert client.ping() is True


def test_digest_asks_for_indexes_too(registry):
    assert registry.digest("skp/one", "latest") == "sha256:m1"
    assert registry.digest("skp/many", "latest") == "sha256:ix"
    assert registry.digest("skp/one", "nope") is None
    assert {accept for _method, _path, accept in registry.seen} == {ACCEPT}
    assert {method for method, _path, _accept in registry.seen} == {"HEAD"}


def test_digest_without_header(registry):
    with pytest.raises(RegistryError, match="without a Docker-Content-Digest"):
        registry.digest("skp/nohead", "latest")


def test_unexpected_status_is_an_error(registry):
    with pytest.raises(RegistryError) as caught:
        registry.manifest("skp/broken", "latest")
    assert caught.value.failure["status"] == 500


@pytest.mark.parametrize("repository,architecture,expected", [
    ("skp/one", None, {"config": {"Labels": {"skp.hash": "h1"}}}),
    ("skp/many", None, {"architecture": "arm64"}),
    ("skp/many", "amd64", {"architecture": "amd64"}),
    ("skp/many", "s390x", None),
    ("skp/none", None, None),
])
def test_config(registry, repository, architecture, expected):
    assert registry.config(repository, "latest", architecture) == expected


def test_lists(registry):
    assert registry.catalog() == ["a", "b", "c"]
    assert registry.tags("skp/one") == ["latest", "v2"]
    assert registry.tags("skp/empty") == []
    assert registry.tags("skp/none") == []


def test_content_under_a_digest_is_compared_with_it(registry):
    assert registry.config_digest("skp/real", REAL_DIGEST) == "sha256:config-real"
    with pytest.raises(RegistryError) as caught:
        registry.manifest("skp/forged", REAL_DIGEST)
    assert "other content" in caught.value.msg


def test_an_error_answer_that_is_cut_short_is_an_error(registry):
    with pytest.raises(RegistryError) as caught:
        registry.manifest("skp/cut", "latest")
    assert caught.value.failure["status"] is None
