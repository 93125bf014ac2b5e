# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. HTTP over the socket of this machine's Docker engine, with the standard library only."""

from __future__ import annotations

import http.client
import os
import socket

DEFAULT_SOCKET = "/var/run/docker.sock"


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def socket_path(environment=None):
    """The engine's socket: that of DOCKER_HOST if it is a unix socket, else the default one."""
    host = (os.environ if environment is None else environment).get("DOCKER_HOST", "")
    return host[len("unix://"):] if host.startswith("unix://") else DEFAULT_SOCKET


def exchange(path, method, url, body=None, headers=None, timeout=30):
    """(status, bytes) of one request over the socket `path`. Raises OSError or http.client.HTTPException if it has no complete answer."""
    connection = _Connection(path, timeout)
    try:
        connection.request(method, url, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
