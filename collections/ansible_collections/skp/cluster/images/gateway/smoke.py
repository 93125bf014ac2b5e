# SPDX-License-Identifier: GPL-3.0-or-later
"""Build step: nginx with what the gateway's configuration uses of it, and a certificate that a client verifies. Writes the versions."""

import importlib.metadata
import os
import pathlib
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

HOME = pathlib.Path("/tmp/smoke")
CONFIG = """
pid /tmp/smoke/nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/smoke/body; proxy_temp_path /tmp/smoke/proxy; fastcgi_temp_path /tmp/smoke/f; uwsgi_temp_path /tmp/smoke/u;
    scgi_temp_path /tmp/smoke/s;
    ssl_certificate /tmp/smoke/place/certificate.pem;
    ssl_certificate_key /tmp/smoke/place/key.pem;
    resolver 127.0.0.11 ipv6=off;
    server {
        listen 8070 ssl;
        absolute_redirect off;
        location / { root /opt/gateway/page; }
        location = /page/health { return 200 "ok"; }
        location = /no { internal; return 401; }
        location /closed { auth_request /no; sub_filter a b; root /opt/gateway/page; }
    }
}
"""


def answer(path, context):
    """Status of an answer."""
    try:
        with urllib.request.urlopen("https://localhost:8070" + path, context=context, timeout=10) as found:
            return found.status
    except urllib.error.HTTPError as error:
        return error.code


def main(out):
    """Try it."""
    HOME.mkdir()
    (HOME / "gateway_ca_seed").write_text("01" * 32, encoding="utf-8")
    (HOME / "nginx.conf").write_text(CONFIG, encoding="utf-8")
    os.environ.update(SKP_GATEWAY_SECRETS=str(HOME), SKP_GATEWAY_PLACE=str(HOME / "place"), SKP_GATEWAY_CONFIG=str(HOME / "nginx.conf"),
                      SKP_GATEWAY_NAMES="localhost,127.0.0.1")
    gateway = subprocess.Popen(["skp-gateway", "serve"])
    try:
        until = time.monotonic() + 60
        while subprocess.run(["skp-gateway", "health"], stderr=subprocess.DEVNULL, check=False).returncode:
            if time.monotonic() > until or gateway.poll() is not None:
                raise SystemExit("smoke: the gateway is not healthy")
            time.sleep(0.5)
        known = ssl.create_default_context(cafile=str(HOME / "place/public/ca.crt"))
        assert (answer("/index.html", known), answer("/closed", known)) == (200, 401)
        try:
            answer("/", ssl.create_default_context())
        except urllib.error.URLError:
            pass
        else:
            raise SystemExit("smoke: a client that does not know the authority took its certificate")
    finally:
        gateway.terminate()
        assert gateway.wait(30) == 0
    version = subprocess.run(["/usr/sbin/nginx", "-v"], stderr=subprocess.PIPE, text=True, check=True).stderr
    pathlib.Path(out).write_text("nginx %s\ncryptography %s\n" % (re.search(r"nginx/([\d.]+)", version).group(1), importlib.metadata.version("cryptography")),
                                 encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
