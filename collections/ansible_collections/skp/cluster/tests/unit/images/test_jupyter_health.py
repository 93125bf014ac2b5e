# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health check of JupyterLab and the kernel gateway: it must see a server that lets nobody in, and one that lets everybody in."""

from __future__ import annotations

import http.server
import importlib.machinery
import importlib.util
import pathlib
import threading

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "images/ds/bin/skp-jupyter-health"


@pytest.fixture(name="health")
def _health(tmp_path, monkeypatch):
    """The script as a module, with secrets of its own."""
    loader = importlib.machinery.SourceFileLoader("skp_jupyter_health", str(SCRIPT))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    module.SECRETS = str(tmp_path) + "/"
    (tmp_path / "jupyter_health_token").write_text("right-one\n")
    (tmp_path / "jupyter_gateway_token").write_text("other-one\n")
    return module


@pytest.fixture(name="serve")
def _serve():
    """serve(with_token, without) -> (base URL, list of (path, Authorization) asked): a server that answers with these two codes."""
    servers = []

    def serve(with_token, without):
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append((self.path, self.headers["Authorization"]))
                self.send_response(with_token if self.headers["Authorization"] else without)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return "http://127.0.0.1:%d/base" % server.server_port, asked

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("kind,path,token", [("lab", "/base/api/me?health", "right-one"), ("gateway", "/base/api/kernelspecs?health", "other-one")])
@pytest.mark.parametrize("refusal", [401, 403])
def test_healthy(health, serve, kind, path, token, refusal):
    base, asked = serve(200, refusal)
    assert health.main(kind, base) is None
    assert asked == [(path, "token " + token), (path, None)]


@pytest.mark.parametrize("with_token,without,said", [
    (200, 200, "it is open"), (200, 500, "answers 500"), (403, 403, "with the token"), (503, 503, "with the token")])
def test_unhealthy(health, serve, with_token, without, said):
    assert said in health.main("lab", serve(with_token, without)[0])


def test_nobody_answers_or_no_secret(health, serve, tmp_path):
    base, asked = serve(200, 403)
    (tmp_path / "jupyter_health_token").unlink()
    assert "jupyter_health_token" in health.main("lab", base) and asked == []
    assert health.main("gateway", "http://127.0.0.1:1") is not None
