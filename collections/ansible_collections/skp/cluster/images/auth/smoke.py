# SPDX-License-Identifier: GPL-3.0-or-later
"""Build step: the two components as they run in a container, on SQLite, with the libraries of this image. Writes their versions."""

import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.request

import jwt
from skp_auth import schema, settings
from skp_auth.store import Store

LIBRARIES = ("alembic", "argon2-cffi", "cryptography", "Flask", "gunicorn", "PyJWT", "psycopg2", "PyMySQL", "SQLAlchemy")
URL = "http://127.0.0.1:" + os.environ.get("SKP_AUTH_PORT", "8060")
WORD = "the word of the smoke test"


def ask(method, path, body=None, token=""):
    """JSON of an answer."""
    request = urllib.request.Request(URL + path, None if body is None else json.dumps(body).encode(), method=method, headers={
        "Content-Type": "application/json", "Authorization": "Bearer " + token})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def wait(name, part):
    """Until a component is healthy, 60 s at most."""
    until = time.monotonic() + 60
    while time.monotonic() < until and part.poll() is None:
        if subprocess.run(["skp-auth", "health", name], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return
        time.sleep(0.5)
    raise SystemExit("smoke: %s is not healthy" % name)


def main(out):
    """Try it."""
    home = pathlib.Path("/tmp/smoke")
    home.mkdir()
    for name, text in {"database_url": "sqlite:////tmp/smoke/auth.db", "access_key": "01" * 32, "refresh_key": "23" * 32, "admin_password": WORD}.items():
        (home / ("auth_" + name)).write_text(text, encoding="utf-8")
    os.environ["SKP_AUTH_SECRETS"] = str(home)
    parts = {name: subprocess.Popen(["skp-auth", name]) for name in ("serve", "database")}
    try:
        for name, part in parts.items():
            wait(name, part)
        found = ask("POST", "/v1/tokens", {"id": "admin", "pw": WORD})
        [key] = jwt.PyJWKSet.from_dict(ask("GET", "/v1/jwks.json")).keys
        claims = jwt.decode(found["access_token"], key.key, algorithms=["EdDSA"], audience="skp", issuer="flask-skp")
        assert claims["sub"] == "admin" and claims["level"] == "A", claims
        assert [one["id"] for one in ask("GET", "/v1/accounts", token=found["access_token"])["accounts"]] == ["admin"]
        assert ask("GET", "/v1/health") == {"database": "ready"}
    finally:
        for part in parts.values():
            part.terminate()
            part.wait(30)
    store = Store(settings.read(("database_url",), secrets=home).database_url)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'ffff'")
    refused = subprocess.run(["skp-auth", "serve"], capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 78 and "a newer version has migrated it" in refused.stdout and schema.look(store.engine)[0] == schema.NEWER, refused
    pathlib.Path(out).write_text("".join("%s %s\n" % (name, importlib.metadata.version(name)) for name in LIBRARIES), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
