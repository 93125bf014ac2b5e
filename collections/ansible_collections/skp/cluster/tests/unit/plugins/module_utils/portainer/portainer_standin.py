# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Not Portainer: a stand-in for it and its agent, for tests where the real images cannot be had.

It answers the calls that skp.cluster makes as Portainer's documented HTTP API does (docs.portainer.io, api/docs and the swagger file of CE 2.x), and those
with an access token as its source of October 2024 does. It takes the same command line, and keeps its data in --data. What it cannot show: TLS between server
and agents, the agents' gossip (each asks the others here, by the name in AGENT_CLUSTER_ADDR), the signature (a plain hash of AGENT_SECRET here), the web
page.

Started as `portainer` it is the server, as `agent` the agent.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import re
import secrets
import socket
import sys
import threading
import urllib.parse

VERSION = "2.45.0"
SIGNATURE = "X-PortainerAgent-Signature"
NODE = "X-Standin-Node"


def signature(secret):
    """What a server shows its agents."""
    return hashlib.sha256(("Portainer-App" + secret).encode()).hexdigest()


def ask(address, path, headers, timeout=5):
    """(status, headers, bytes) of a GET to (host, port)."""
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def addresses(name):
    """Every (address, port) behind host:port; none if the name is not known."""
    host, _colon, port = name.rpartition(":")
    try:
        found = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({item[4][:2] for item in found})


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives each request to `self.server.app.answer`, which returns (status, JSON-able answer or None, headers)."""

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, answer, headers = self.server.app.answer(self.command, self.path, self.headers, body)
        except Refused as exc:
            status, answer, headers = exc.status, {"message": str(exc), "details": str(exc)}, {}
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in dict(headers, **{"Content-Type": "application/json", "Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815  (names of the base class)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        """Only failures, and never a body."""
        if str(args[1] if len(args) > 1 else "") >= "400":
            print("portainer stand-in: %s" % (format % args), flush=True)


class Refused(Exception):
    """An answer with an error."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def serve(app, port, host=""):
    """A running server for an app."""
    server = http.server.ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads, server.app = True, app
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


class Agent:
    """One agent. others(): addresses of all agents. node: name of its node."""

    def __init__(self, secret, node, others):
        self.secret, self.node, self.others = secret, node, others

    def answer(self, method, path, headers, _body):
        if path == "/ping":
            return 204, None, {NODE: self.node, "Portainer-Agent": VERSION}
        if not hmac.compare_digest(headers.get(SIGNATURE) or "", signature(self.secret)):
            raise Refused(403, "Invalid request signature")
        if (method, path) != ("GET", "/v2/agents"):
            raise Refused(404, "The stand-in has no %s %s" % (method, path))
        return 200, [member for address in self.others() for member in self.member(address)], {}

    @staticmethod
    def member(address):
        """The entry of an agent, none if it does not answer."""
        try:
            name = ask(address, "/ping", {})[1][NODE]
        except (OSError, http.client.HTTPException):
            return []
        return [{"IPAddress": address[0], "Port": str(address[1]), "NodeName": name, "NodeRole": "manager", "EdgeKeySet": False}]


class Portainer:
    """The server. directory: of its data. secret: of the agents. password: of the admin, for a first start."""

    def __init__(self, directory, secret, password=""):
        self.path, self.secret, self.tokens, self.lock = os.path.join(directory, "standin.json"), secret, {}, threading.RLock()
        self.calls = []
        try:
            with open(self.path, encoding="utf-8") as stream:
                self.data = json.load(stream)
        except FileNotFoundError:
            self.data = {"users": [], "environments": []}
        self.data.setdefault("keys", [])
        if password and not self.data["users"]:
            self.add_user("admin", password, 1)

    def save(self):
        with open(self.path + ".new", "w", encoding="utf-8") as stream:
            json.dump(self.data, stream)
        os.replace(self.path + ".new", self.path)

    @staticmethod
    def hash(password, salt):
        return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 1000).hex()

    def add_user(self, name, password, role):
        salt = secrets.token_hex(8)
        number = max((item["Id"] for item in self.data["users"]), default=0) + 1
        user = {"Id": number, "Username": name, "Role": role, "salt": salt, "hash": self.hash(password, salt)}
        self.data["users"].append(user)
        self.save()
        return user

    def answer(self, method, path, headers, body):
        with self.lock:
            self.calls.append((method, path))
            return self.route(method, path, headers, body)

    def route(self, method, path, headers, body):
        call = "%s %s" % (method, path)
        if call == "GET /api/system/status":
            return 200, {"Version": VERSION, "InstanceID": "standin"}, {}
        if call == "GET /api/users/admin/check":
            if not self.data["users"]:
                raise Refused(404, "No administrator account found inside the database")
            return 204, None, {}
        if call == "POST /api/users/admin/init":
            raise Refused(409, "Unable to create administrator user")
        if call == "POST /api/auth":
            return self.auth(json.loads(body))
        caller, signed_in = self.caller(method, headers)
        if call == "GET /api/users":
            return 200, [{key: user[key] for key in ("Id", "Username", "Role")} for user in self.data["users"]], {}
        if call == "POST /api/users":
            return self.create_user(json.loads(body))
        if call == "GET /api/endpoints":
            return 200, self.data["environments"], {}
        if call == "POST /api/endpoints":
            return self.create_environment(headers, body)
        if call == "GET /api/users/me":
            return 200, {key: self.user(caller)[key] for key in ("Id", "Username", "Role")}, {}
        user = re.fullmatch("(PUT|DELETE) /api/users/([0-9]+)", call)
        if user and method == "DELETE":
            return self.remove_user(int(user.group(2)), caller)
        if user:
            return self.update_user(int(user.group(2)), json.loads(body))
        keys = re.fullmatch("(GET|POST|DELETE) /api/users/([0-9]+)/tokens(?:/([0-9]+))?", call)
        if keys:
            return self.access_tokens(method, int(keys.group(2)), keys.group(3), caller if signed_in else None, body)
        agents = re.fullmatch("GET /api/endpoints/([0-9]+)/docker(/v2/agents)", call)
        if agents:
            return 200, json.loads(self.through(self.environment(int(agents.group(1)))["URL"], agents.group(2))), {}
        raise Refused(404, "The stand-in has no %s" % call)

    def caller(self, method, headers):
        """(id of the user who asks, whether by a login). As api/http/security/bouncer.go and api/http/csrf of Portainer 2.24 do it."""
        key, bearer = headers.get("X-API-Key") or "", (headers.get("Authorization") or "").partition("Bearer ")[2]
        if key and bearer:
            raise Refused(403, "api key and auth header are not allowed at the same time")
        if method not in ("GET", "HEAD") and ("portainer_api_key=" in (headers.get("Cookie") or "") or not (key or bearer)):
            raise Refused(403, "Forbidden - CSRF token not found in request")
        if key:
            for one in self.data["keys"]:
                if hmac.compare_digest(one["digest"], hashlib.sha256(key.encode()).hexdigest()):
                    return one["userId"], False
            raise Refused(401, "Invalid JWT token")
        if bearer not in self.tokens:
            raise Refused(401, "A valid authorisation token is missing")
        return self.tokens[bearer], True

    def user(self, number):
        for item in self.data["users"]:
            if item["Id"] == number:
                return item
        raise Refused(404, "Unable to find a user with the specified identifier inside the database")

    def access_tokens(self, method, number, key, caller, body):
        """Access tokens of a user: its own, and only after a login."""
        if caller is None:
            raise Refused(401, "Auth not supported")
        if caller != number:
            raise Refused(403, "Permission denied to create user access token")
        if method == "GET":
            return 200, [self.shown(one) for one in self.data["keys"] if one["userId"] == number], {}
        if method == "DELETE":
            self.data["keys"] = [one for one in self.data["keys"] if one["id"] != int(key)]
            self.save()
            return 204, None, {}
        given, user = json.loads(body), self.user(number)
        if not given.get("description") or len(given["description"]) > 128:
            raise Refused(400, "Invalid request payload")
        if user["hash"] != self.hash(given.get("password", ""), user["salt"]):
            raise Refused(403, "Current password doesn't match")
        raw = "ptr_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self.data["last"] = self.data.get("last", 0) + 1
        made = {"id": self.data["last"], "userId": number, "description": given["description"], "prefix": raw[4:11],
                "digest": hashlib.sha256(raw.encode()).hexdigest()}
        self.data["keys"].append(made)
        self.save()
        return 201, {"rawAPIKey": raw, "apiKey": self.shown(made)}, {}

    @staticmethod
    def shown(key):
        """What an answer says of an access token."""
        return {name: key[name] for name in ("id", "userId", "description", "prefix")}

    def remove_user(self, number, caller):
        if number in (1, caller):
            raise Refused(403, "Cannot remove the initial admin account" if number == 1 else "Cannot remove your own user account")
        self.user(number)
        self.data["users"] = [item for item in self.data["users"] if item["Id"] != number]
        self.data["keys"] = [one for one in self.data["keys"] if one["userId"] != number]
        self.tokens = {token: owner for token, owner in self.tokens.items() if owner != number}
        self.save()
        return 204, None, {}

    def auth(self, given):
        for user in self.data["users"]:
            if user["Username"] == given["username"] and user["hash"] == self.hash(given["password"], user["salt"]):
                token = secrets.token_hex(16)
                self.tokens[token] = user["Id"]
                return 200, {"jwt": token}, {}
        raise Refused(422, "Invalid credentials")

    @staticmethod
    def strong(password):
        if len(password) < 12:
            raise Refused(400, "Password does not meet the minimum strength requirements")
        if len(password.encode()) > 72:
            raise Refused(500, "Unable to hash user password")

    def create_user(self, given):
        if given["username"] in [user["Username"] for user in self.data["users"]]:
            raise Refused(409, "Another user with the same username already exists")
        if given.get("role") not in (1, 2):
            raise Refused(400, "Invalid role value. Value must be one of: 1 (administrator) or 2 (regular user)")
        self.strong(given["password"])
        user = self.add_user(given["username"], given["password"], given["role"])
        return 200, {key: user[key] for key in ("Id", "Username", "Role")}, {}

    def update_user(self, number, given):
        user = self.user(number)
        if given.get("password") and not given.get("newPassword"):
            raise Refused(400, "Existing password field specified without new password field.")
        self.strong(given["newPassword"])
        user["hash"] = self.hash(given["newPassword"], user["salt"])
        self.tokens = {token: owner for token, owner in self.tokens.items() if owner != number}
        self.save()
        return 200, {key: user[key] for key in ("Id", "Username", "Role")}, {}

    def environment(self, number):
        for item in self.data["environments"]:
            if item["Id"] == number:
                return item
        raise Refused(404, "Unable to find an environment with the specified identifier inside the database")

    def create_environment(self, headers, body):
        if not headers.get("Content-Type", "").startswith("multipart/form-data; boundary="):
            raise Refused(400, "Invalid environment name")
        fields = dict(re.findall(r'name="(\w+)"\r\n\r\n(.*?)\r\n--', body.decode()))
        if fields.get("EndpointCreationType") != "2" or not fields.get("Name") or fields.get("TLS") != "true" or fields.get("TLSSkipVerify") != "true":
            raise Refused(400, "Invalid request payload")
        if fields["Name"] in [item["Name"] for item in self.data["environments"]]:
            raise Refused(409, "Name is not unique")
        self.through(fields["URL"], "/v2/agents")
        item = {"Id": len(self.data["environments"]) + 1, "Name": fields["Name"], "Type": 2, "URL": fields["URL"], "Status": 1}
        self.data["environments"].append(item)
        self.save()
        return 200, item, {}

    def through(self, url, path):
        """An agent's answer."""
        found = urllib.parse.urlsplit(url)
        for address in addresses("%s:%d" % (found.hostname, found.port)):
            try:
                status, _headers, content = ask(address, path, {SIGNATURE: signature(self.secret)})
            except (OSError, http.client.HTTPException):
                continue
            if status == 403:
                raise Refused(500, "Unable to initiate communications with environment: agent already paired with another Portainer instance")
            return content
        raise Refused(500, "Unable to initiate communications with environment")


def name_of_the_node():
    """What the engine of this node calls itself, through its socket."""
    connection = http.client.HTTPConnection("localhost", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect("/var/run/docker.sock")
    connection.request("GET", "/info")
    return json.loads(connection.getresponse().read())["Name"]


def main():
    secret = os.environ.get("AGENT_SECRET", "")
    if os.path.basename(sys.argv[0]) == "agent":
        cluster = os.environ["AGENT_CLUSTER_ADDR"]
        if ":" not in cluster:
            cluster += ":9001"
        serve(Agent(secret, name_of_the_node(), lambda: addresses(cluster)), 9001)
        print("portainer stand-in: agent on 9001", flush=True)
    else:
        # As with the real one, an option that it does not know ends it.
        parser = argparse.ArgumentParser(prog="portainer", allow_abbrev=False)
        for name, default in (("bind", ":9000"), ("bind-https", ":9443"), ("data", "/data"), ("admin-password-file", ""), ("snapshot-interval", "5m"),
                              ("log-level", "INFO"), ("base-url", "/")):
            parser.add_argument("--" + name, default=default)
        parser.add_argument("--http-enabled", action="store_true")
        given = parser.parse_args()
        password = ""
        if given.admin_password_file:
            with open(given.admin_password_file, encoding="utf-8") as stream:
                password = stream.read().rstrip("\n")
        serve(Portainer(given.data, secret, password), int(given.bind.rpartition(":")[2]))
        print("portainer stand-in: server on %s" % given.bind, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
