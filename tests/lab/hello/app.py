# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hello world with everything a service of a site can have: a greeting from the environment, notes on a volume, a token that writing needs.

GET / answers the greeting, GET /notes all notes, POST /notes adds its body as one. `--check` ends with 0 if the server answers.
"""

from __future__ import annotations

import hmac
import http.server
import os
import pathlib
import sys
import urllib.request

PORT = 8080
NOTES = pathlib.Path("/data/notes")
TOKEN = pathlib.Path("/run/secrets/hello_token")


class Hello(http.server.BaseHTTPRequestHandler):
    """Answers one request."""

    def answer(self, code, text):
        """Send a status and a text."""
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        """The greeting, or the notes."""
        notes = NOTES.read_text(encoding="utf-8") if NOTES.exists() else ""
        self.answer(200, notes if self.path == "/notes" else os.environ["GREETING"] + " world\n")

    def do_POST(self):
        """One more note, for those who have the token."""
        if not hmac.compare_digest(self.headers.get("Authorization", ""), "Bearer " + TOKEN.read_text(encoding="utf-8").strip()):
            self.answer(401, "no\n")
            return
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with NOTES.open("a", encoding="utf-8") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self.answer(200, "noted\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(urllib.request.urlopen("http://127.0.0.1:%d/" % PORT, timeout=3).status != 200)
    http.server.ThreadingHTTPServer(("", PORT), Hello).serve_forever()
