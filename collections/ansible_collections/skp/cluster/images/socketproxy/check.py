# SPDX-License-Identifier: GPL-3.0-or-later
"""Build step and test: starts both proxies before a made-up engine, for real, and tries what tasks may and may not ask.

check.py HAPROXY DIRECTORY-WITH-THE-SETTINGS
"""

import http.client
import http.server
import json
import os
import pathlib
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

ON = bool(1)
TOKEN = "0123456789abcdef0123456789abcdef"
SERVICES = {"own": {"Name": "airflow-AbCdEfGh", "Labels": {"name": "airflow__dag__task"}}, "cluster": {"Name": "kafka-skp-1", "Labels": {"skp.role": "kafka"}},
            "worker": {"Name": "airflow-skp-worker", "Labels": {"skp.role": "airflow"}}}
CONTAINERS = {"own": {"skp.hash": "0a"}, "swarms": {"com.docker.swarm.service.name": "kafka-skp-1"}, "registry": {"skp.hash": "0a", "skp.role": "registry"}}


class Engine(http.server.BaseHTTPRequestHandler):
    """Answers as Docker does, and remembers what reached it."""

    protocol_version = "HTTP/1.1"
    reached = []

    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0]
        self.reached.append((self.command, path, self.headers.get("x-skp-token")))
        parts = path.strip("/").split("/")[1:]
        if self.headers.get("upgrade"):
            self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nline one\n")
            time.sleep(0.5)
            self.wfile.write(b"line two\n")
            self.close_connection = True
            return
        answer = {"ok": True}
        if parts[:1] == ["services"] and len(parts) == 2 and self.command == "GET":
            answer = {"ID": parts[1], "Spec": SERVICES[parts[1]]} if parts[1] in SERVICES else None
        if parts[:1] == ["containers"] and parts[2:] == ["json"]:
            answer = {"Id": parts[1], "Args": ["ä"], "Config": {"Labels": CONTAINERS[parts[1]]}} if parts[1] in CONTAINERS else None
        data = json.dumps(answer).encode()
        self.send_response(200 if answer else 404)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_POST = do_DELETE = do_HEAD = do_PUT = do_GET

    def log_message(self, *_args):
        """Silent."""

    def address_string(self):
        return "proxy"


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


def call(place, method, path, body=None, headers=None):
    """(status, text) of one request. place: path of a socket, or (host, port)."""
    connection = Connection(place) if isinstance(place, str) else http.client.HTTPConnection(*place, timeout=20)
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    try:
        connection.request(method, path, data, headers or {})
    except BrokenPipeError:
        pass  # the answer is there before all was sent
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


IMAGE = "localhost:5000/skp/docker-example:latest"


def container(**host):
    return {"Image": IMAGE, "Cmd": ["true"], "Env": ["A=\u00e4\n", 'B="'], "Tty": False, "Labels": None, "NetworkDisabled": False,
            "HostConfig": dict({"NetworkMode": "net-skp", "CpuShares": 1024, "Privileged": False, "PortBindings": {}, "Mounts": [],
                                "LogConfig": {"Type": "json-file", "Config": {}}, "CapAdd": None}, **host)}


def service(labels=None, name="airflow-AbCdEfGh", networks=None, task=None, **spec):
    return {"Name": name, "Labels": labels or {"name": "airflow__dag__task"}, "Mode": {"Replicated": {"Replicas": 1}}, "TaskTemplate": dict({
        "ContainerSpec": dict({"Image": IMAGE, "Command": ["true"], "Env": ["A=1"]}, **spec), "RestartPolicy": {"Condition": "none"},
        "Networks": [{"Target": network} for network in networks or ["net-skp"]], "Resources": {"Limits": {"MemoryBytes": 1000000}}}, **(task or {}))}


def bind(source):
    return [{"Type": "bind", "Source": source, "Target": "/mnt", "ReadOnly": False}]


def secret(name):
    return [{"SecretID": "x1", "SecretName": name, "File": {"Name": "a", "UID": "0", "GID": "0", "Mode": 288}}]


CREATE = "/v1.41/containers/create"
ALLOWED = [
    ("GET", "/_ping", None), ("HEAD", "/_ping", None), ("GET", "/version", None), ("GET", "/v1.45/images/json?filters=x", None),
    ("POST", "/v1.41/images/create?fromImage=localhost%3A5000%2Fskp%2Fa&tag=latest", None),
    ("POST", CREATE, container()), ("POST", CREATE + "?name=airflow-mine", container()),
    ("POST", CREATE, container(NetworkMode="default")), ("POST", CREATE, container(Mounts=bind("/mnt/skp"))),
    ("POST", CREATE, container(Mounts=[{"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"SizeBytes": 1}}])),
    ("POST", "/v1.41/containers/own/start", None), ("POST", "/v1.41/containers/own/attach?stream=1", None), ("POST", "/v1.41/containers/own/wait", None),
    ("GET", "/v1.41/containers/own/json", None), ("DELETE", "/v1.41/containers/own?force=1", None), ("GET", "/v1.41/containers/own/archive?path=/x", None),
    ("DELETE", "/v1.41/containers/gone", None),
    ("POST", "/v1.41/services/create", service()), ("POST", "/v1.41/services/create", service(Mounts=bind("/mnt/skp"))),
    ("POST", "/v1.41/services/create", service(Secrets=secret("airflow-spark_auth_secret-0123"))),
    ("GET", "/v1.41/services/own", None), ("GET", "/v1.41/services/own/logs?stdout=1", None), ("DELETE", "/v1.41/services/own", None),
    ("GET", "/v1.41/tasks?filters=x", None), ("GET", "/v1.41/secrets", None), ("GET", "/v1.41/configs?filters=x", None),
]
TWICE = json.dumps(container()).replace('"HostConfig"', '"HostConfig": {"Privileged": false}, "hostconfig"', 1).encode()
REFUSED = [
    ("POST", CREATE, container(Privileged=ON), "HostConfig.Privileged"), ("POST", CREATE, container(privileged=ON), "HostConfig.privileged"),
    ("POST", CREATE, TWICE, "is there twice"),
    ("POST", CREATE, json.dumps(container()).replace("Privileged\": false", "Privile\\u0067ed\": true").encode(), "letters"),
    ("POST", CREATE, json.dumps(container(), ensure_ascii=False).replace("Privileged\": false", "Priv\u0131leged\": true").encode(), "letters"),
    ("POST", CREATE, container(Binds=["/:/host"]), "HostConfig.Binds"), ("POST", CREATE, container(Mounts=bind("/")), "bind mount of / "),
    ("POST", CREATE, container(Mounts=bind("/mnt/skp/link")), "bind mount of /mnt/skp/link"),
    ("POST", CREATE, container(Mounts=bind("/tmp/airflowtmpabc")), "/tmp/airflowtmpabc"),
    ("POST", CREATE, container(Mounts=[{"Type": "volume", "Source": "x", "Target": "/x"}]), "Type"),
    ("POST", CREATE, container(NetworkMode="host"), "NetworkMode"), ("POST", CREATE, container(NetworkMode="container:abc"), "NetworkMode"),
    ("POST", CREATE, container(PidMode="host"), "PidMode"), ("POST", CREATE, container(IpcMode="host"), "IpcMode"),
    ("POST", CREATE, container(CapAdd=["SYS_ADMIN"]), "CapAdd"), ("POST", CREATE, container(Devices=[{"PathOnHost": "/dev/sda"}]), "Devices"),
    ("POST", CREATE, container(SecurityOpt=["seccomp=unconfined"]), "SecurityOpt"), ("POST", CREATE, container(MaskedPaths=[]), "MaskedPaths"),
    ("POST", CREATE, container(PortBindings={"80/tcp": [{"HostPort": "80"}]}), "PortBindings"), ("POST", CREATE, container(VolumesFrom=["x"]), "VolumesFrom"),
    ("POST", CREATE, container(LogConfig={"Type": "gelf", "Config": {}}), "LogConfig"),
    ("POST", CREATE, dict(container(), Image="docker.io/library/alpine"), "Image"),
    ("POST", CREATE, dict(container(), Labels={"skp.role": "kafka"}), "skp.role"),
    ("POST", CREATE, dict(container(), Labels={"skp.hash": "0a"}), "skp.hash"),
    ("POST", CREATE, dict(container(), NetworkingConfig={"EndpointsConfig": {"net-skp": {"Aliases": ["mysql-skp"]}}}), "Aliases"),
    ("POST", CREATE + "?name=mysql-skp", container(), "name"), ("POST", CREATE, b"{", "JSON"), ("POST", CREATE, b" " * 200000, "100 kB"),
    ("POST", "/v1.41/images/create?fromImage=alpine", None, "fromImage"), ("POST", "/v1.41/images/create?fromSrc=-", None, "fromSrc"),
    ("POST", "/v1.41/build", None, "not among"), ("GET", "/v1.41/containers/json", None, "not among"), ("GET", "/v1.41/info", None, "not among"),
    ("POST", "/v1.41/containers/own/exec", {"Cmd": ["sh"]}, "not among"), ("PUT", "/v1.41/containers/own/archive?path=/", b"x", "not among"),
    ("POST", "/v1.41/containers/own/start", {"Binds": ["/:/host"]}, "body"), ("POST", "/v1.41/containers/swarms/stop", None, "label of the cluster"),
    ("DELETE", "/v1.41/containers/registry?force=1", None, "label of the cluster"), ("GET", "/v1.41/containers/swarms/json", None, "label of the cluster"),
    ("POST", "/v1.41/networks/create", {}, "not among"), ("POST", "/v1.41/volumes/create", {}, "not among"), ("POST", "/v1.41/swarm/leave", None, "not among"),
    ("GET", "/v1.41/nodes", None, "not among"), ("POST", "/v1.41/plugins/pull", None, "not among"), ("GET", "/v1.41/containers/../nodes", None, "not among"),
    ("POST", "/v1.41/services/create", service(Mounts=bind("/")), "bind mount of / "), ("POST", "/v1.41/services/create", service(name="kafka-skp-9"), "Name"),
    ("POST", "/v1.41/services/create", service(name="airflow-skp-worker"), "Name"),
    ("POST", "/v1.41/services/create", service(Secrets=secret("mysql-root-0123")), "not for tasks"),
    ("POST", "/v1.41/services/create", service(networks=["host"]), "Target"),
    ("POST", "/v1.41/services/create", service(CapabilityAdd=["ALL"]), "CapabilityAdd"),
    ("POST", "/v1.41/services/create", service(labels={"skp.role": "kafka"}), "skp.role"),
    ("POST", "/v1.41/services/create", service(task={"Runtime": "plugin"}), "Runtime"),
    ("POST", "/v1.41/services/create", dict(service(), EndpointSpec={"Ports": [{"TargetPort": 80}]}), "Ports"),
    ("POST", "/v1.41/services/create", service(Privileges={"SELinuxContext": {"Disable": True}}), "SELinuxContext"),
    ("POST", "/v1.41/services/own/update?version=1", service(), "not among"), ("DELETE", "/v1.41/services/cluster", None, "the service"),
    ("DELETE", "/v1.41/services/worker", None, "the service"), ("GET", "/v1.41/services/cluster/logs", None, "the service"),
    ("GET", "/v1.41/services", None, "not among"), ("GET", "/v1.41/configs/abc", None, "not among"), ("DELETE", "/v1.41/secrets/abc", None, "not among"),
]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def main(haproxy, directory):
    with tempfile.TemporaryDirectory() as work:
        engine, front = work + "/engine.sock", work + "/docker.sock"
        port = free_port()
        Server.allow_reuse_address = True
        threading.Thread(target=Server(engine, Engine).serve_forever, daemon=True).start()
        pathlib.Path(work, "token").write_text(TOKEN + "\n", encoding="ascii")
        settings = dict(
            os.environ, SKP_ENGINE=engine, SKP_SOCKET=front, SKP_LISTEN="127.0.0.1:%d" % port, SKP_TOKEN_FILE=work + "/token", SKP_MANAGERS="unused",
            SKP_IMAGES="localhost:5000/", SKP_MOUNTS="/mnt/skp,/srv/skp/spark/events", SKP_NETWORKS="net-skp,bridge,none", SKP_OBJECTS="airflow-spark",
            SKP_OWN="airflow-skp")
        proxies = []
        for mode in ("manager", "node"):
            text = pathlib.Path(directory, mode + ".cfg").read_text(encoding="utf-8").replace("/etc/haproxy/filter.lua", directory + "/filter.lua")
            # There is no DNS of the engine here.
            text = text.replace('server-template manager 7 "${SKP_MANAGERS}" check inter 5s fall 2 rise 1 resolvers overlay resolve-prefer ipv4 init-addr none',
                                "server manager 127.0.0.1:%d check inter 1s rise 1" % port)
            pathlib.Path(work, mode + ".cfg").write_text(text, encoding="utf-8")
            proxies.append(subprocess.Popen([haproxy, "-db", "-q", "-f", "%s/%s.cfg" % (work, mode)], env=settings, stdout=subprocess.DEVNULL))
        try:
            for _turn in range(300):
                if os.path.exists(front) and call(front, "GET", "/v1.41/tasks")[0] == 200:
                    break
                time.sleep(0.1)
            return judge(front, port)
        finally:
            for proxy in proxies:
                proxy.terminate()
                proxy.wait()


def attached(front):
    """What a task sees that attaches to a container, as the Docker SDK does: the connection becomes a stream."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(20)
        one.connect(front)
        one.sendall(b"POST /v1.41/containers/own/attach?stream=1 HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n")
        found = b""
        while True:
            data = one.recv(4096)
            if not data:
                return found.decode()
            found += data


def judge(front, port):
    """Sentences: what was not as it must be."""
    wrong = []
    for method, path, body in ALLOWED:
        before = len(Engine.reached)
        status, text = call(front, method, path, body)
        if status not in (200, 404) or len(Engine.reached) == before:
            wrong.append("%s %s: found %d %s, expected that it reaches the engine" % (method, path, status, text.strip()))
    for method, path, body, reason in REFUSED:
        before = [entry for entry in Engine.reached if entry[0] != "GET"]
        status, text = call(front, method, path, body)
        if status not in (403, 413) or reason not in text:
            wrong.append("%s %s: found %d %s, expected 403 with %s" % (method, path, status, text.strip(), reason))
        if [entry for entry in Engine.reached if entry[0] != "GET"] != before:
            wrong.append("%s %s: it reached the engine" % (method, path))
    for headers in ({}, {"x-skp-token": "wrong" * 8}):
        status, text = call(("127.0.0.1", port), "GET", "/v1.41/tasks", headers=headers)
        if status != 403:
            wrong.append("the manager's proxy answers %d without the token" % status)
    if any(token for _method, _path, token in Engine.reached):
        wrong.append("the token reaches the engine")
    stream = attached(front)
    if " 101 " not in stream or not stream.endswith("line one\nline two\n"):
        wrong.append("attach: found %r, expected a stream" % stream)
    chunked = {"Transfer-Encoding": "chunked"}
    status, text = call(front, "POST", CREATE, b"%x\r\n%s\r\n0\r\n\r\n" % (2, b"{}"), chunked)
    if status != 403:
        wrong.append("a body in pieces: found %d %s" % (status, text))
    return wrong


if __name__ == "__main__":
    found = main(*sys.argv[1:])
    print("\n".join(found) or "%d calls allowed, %d refused" % (len(ALLOWED), len(REFUSED)))
    sys.exit(bool(found))
