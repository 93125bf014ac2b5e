# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules in a kernel: a node with containers, another node and two neighbours, each a network namespace of its own that ends with the test.

Needs root and iptables; elsewhere these tests are skipped. Nothing of this machine's own network is touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import textwrap

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.network import io, plan

# The node is 10.0.0.1; a second node 10.0.0.2, an office 10.1.0.9 and a stranger 10.9.0.9 are beside it. Its container 172.18.0.2 listens on 9094,
# which the node publishes as Docker does: DNAT for what comes from elsewhere, docker-proxy (here: a listener) for its own containers and IPv6.
SETUP = """
set -e
mkdir -p /run/netns && mount -t tmpfs none /run/netns
ip link set lo up
sysctl -qw net.ipv4.ip_forward=1
place() { # name, bridge or the node's interface, addresses of the peer
    ip netns add $1; ip link add v-$1 type veth peer name eth0 netns $1
    ip -n $1 link set lo up; ip -n $1 link set eth0 up; ip link set v-$1 up
}
bridge() { ip link add $1 type bridge; ip addr add $2/16 dev $1; ip link set $1 up; }
bridge docker_gwbridge 172.18.0.1
bridge docker0 172.17.0.1
for row in "notebook docker_gwbridge 172.18.0.3 172.18.0.1" "kafka docker_gwbridge 172.18.0.2 172.18.0.1" "build docker0 172.17.0.2 172.17.0.1"; do
    set -- $row
    place $1; ip link set v-$1 master $2; ip -n $1 addr add $3/16 dev eth0; ip -n $1 route add default via $4
done
ip link add lan type bridge; ip link set lan up; ip addr add 10.0.0.1/8 dev lan; ip addr add 10.0.0.7/8 dev lan; ip addr add 169.254.169.254/32 dev lan
ip -6 addr add fd00::1/64 dev lan nodad
for row in "other 10.0.0.2 fd00::2" "office 10.1.0.9 fd00::9" "stranger 10.9.0.9 fd00::99"; do
    set -- $row
    place $1; ip link set v-$1 master lan; ip -n $1 addr add $2/8 dev eth0; ip -n $1 -6 addr add $3/64 dev eth0 nodad
    ip -n $1 route add default via 10.0.0.1
done
ip netns exec other ip addr add 169.254.1.1/16 dev lo
iptables -t nat -A POSTROUTING -s 172.16.0.0/12 -o lan -j MASQUERADE
iptables -t nat -N DOCKER; iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables -t nat -A DOCKER ! -i docker_gwbridge -p tcp --dport 9094 -j DNAT --to-destination 172.18.0.2:9094
iptables -P FORWARD DROP; iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN; iptables -A FORWARD -j DOCKER-USER
iptables -A FORWARD -j ACCEPT
iptables -A INPUT -p tcp --dport 4 -j DROP; iptables -A DOCKER-USER -s 1.2.3.4 -j DROP
python3 - <<'PY' &
import selectors, socket
ready = selectors.DefaultSelector()
for family, port in [(socket.AF_INET, port) for port in (22, 53, 111, 2049, 2377, 3306, 9094)] + [(socket.AF_INET6, 9094), (socket.AF_INET6, 22)]:
    listener = socket.socket(family); listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    family == socket.AF_INET6 and listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(("", port)); listener.listen(50); ready.register(listener, 1)
while True:
    for key, _mask in ready.select():
        key.fileobj.accept()[0].close()
PY
for row in "kafka 9094" "other 22" "other 2049" "other 9094"; do
    set -- $row
    ip netns exec $1 python3 -c "
import socket
listener = socket.create_server(('', $2))
while True: listener.accept()[0].close()" &
done
listens() { until $1 bash -c "exec 3<>/dev/tcp/127.0.0.1/$2" 2>/dev/null; do sleep 0.05; done; }
listens "" 9094; listens "ip netns exec kafka" 9094
for port in 22 2049 9094; do listens "ip netns exec other" $port; done
reach() { ip netns exec $1 timeout 2 bash -c "exec 3<>/dev/tcp/$2/$3" 2>/dev/null && echo "$1 $2 $3 yes" || echo "$1 $2 $3 no"; }
"""


def works():
    """Whether a namespace with iptables can be made here."""
    if os.geteuid() != 0 or not all(shutil.which(name) for name in ("unshare", "ip", "iptables-restore", "ip6tables-restore", "timeout", "bash", "sysctl")):
        return False
    return subprocess.run(["unshare", "-n", "-m", "iptables", "-S"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not works(), reason="needs root, network namespaces and iptables")

WISH = {"nodes": ["10.0.0.1", "10.0.0.2"], "published": [9094], "published_anywhere": [9094], "publish_addresses": [],
        "allow_from": ["10.1.0.0/16", "fd00::9"], "allow_port_from": {}, "swarm_allow_from": [], "closed_ports": [22, 111, 2049, "2375-2377", 7946, 20048],
        "closed_networks": ["169.254.0.0/16"], "registry_port": "5000", "registry_users": ["61003"]}
OFF = dict(WISH, allow_from=[], closed_ports=[], closed_networks=[], registry_port="")


def in_namespace(tmp_path, body, files):
    """What a bash text printed that runs in the node's namespace."""
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    # --kill-child with --fork and --pid: what was started ends with the namespace.
    argv = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", SETUP + textwrap.dedent(body)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(text):
    return [tuple(line.split()) for line in text.splitlines() if line.endswith((" yes", " no"))]


def reached(tmp_path, wish, cases, before=""):
    """{(from, to, port): reached} under the rules of a wish."""
    body = before + "sh filter.sh\n" + "pids=\n" + "".join('reach %s %s %s & pids="$pids $!"\n' % case for case in cases) + "wait $pids\n"
    return {row[:3]: row[3] for row in rows(in_namespace(tmp_path, body, {"filter.sh": plan.script(plan.check(wish))}))}


def table(text):
    return {tuple(line.split()[:3]): line.split()[3] for line in text.strip().splitlines()}


@pytest.mark.parametrize("wish, expected", [
    (WISH, """
        notebook 10.0.0.1 22 no
        notebook 172.18.0.1 22 no
        notebook 172.18.0.1 2049 no
        notebook 10.0.0.2 22 no
        notebook 10.0.0.2 2049 no
        notebook 169.254.169.254 3306 no
        notebook 169.254.169.254 53 yes
        notebook 169.254.1.1 9094 no
        notebook 10.0.0.1 53 yes
        notebook 10.0.0.1 3306 yes
        notebook 10.0.0.1 9094 yes
        notebook 10.0.0.2 9094 yes
        build 10.0.0.1 22 yes
        build 10.0.0.1 2049 no
        build 10.0.0.2 2049 no
        build 10.0.0.1 9094 yes
        office 10.0.0.1 9094 yes
        office fd00::1 9094 yes
        office 172.18.0.2 9094 yes
        stranger 10.0.0.1 9094 no
        stranger fd00::1 9094 no
        stranger fd00::1 22 yes
        stranger 172.18.0.2 9094 no
        stranger 10.0.0.1 22 yes
        stranger 10.0.0.1 2049 yes
        other 10.0.0.1 9094 yes
        other 10.0.0.1 2049 yes"""),
    (dict(WISH, allow_from=[], closed_ports=["1-65535"]), """
        notebook 10.0.0.1 3306 no
        notebook 10.0.0.1 53 yes
        notebook 10.0.0.1 9094 yes
        notebook 10.0.0.2 9094 yes
        notebook 10.0.0.2 22 no
        stranger 10.0.0.1 9094 yes
        stranger fd00::1 9094 yes
        build 10.0.0.1 3306 yes"""),
    (dict(OFF, allow_port_from={9094: ["10.9.0.9"]}), """
        office 10.0.0.1 9094 no
        office fd00::1 9094 no
        stranger 10.0.0.1 9094 yes
        other 10.0.0.1 9094 yes
        notebook 10.0.0.1 9094 yes
        notebook 10.0.0.1 22 yes
        notebook 169.254.169.254 3306 yes"""),
    (dict(OFF, swarm_allow_from=["nodes", "10.1.0.0/16"]), """
        stranger 10.0.0.1 2377 no
        office 10.0.0.1 2377 yes
        other 10.0.0.1 2377 yes
        notebook 10.0.0.1 2377 no
        stranger 10.0.0.1 9094 yes
        stranger 10.0.0.1 22 yes"""),
    (dict(OFF, publish_addresses=["10.0.0.1"]), """
        stranger 10.0.0.1 9094 yes
        stranger 10.0.0.7 9094 no
        stranger 172.18.0.2 9094 no
        stranger fd00::1 9094 no
        other 10.0.0.7 9094 no
        stranger 10.0.0.7 22 yes
        notebook 10.0.0.7 9094 yes
        notebook 10.0.0.2 9094 yes"""),
    (OFF, """
        stranger 10.0.0.1 9094 yes
        stranger 10.0.0.7 9094 yes
        stranger 10.0.0.1 2377 yes
        notebook 10.0.0.1 22 yes"""),
], ids=["all", "every port closed", "one port", "ports of the swarm", "one address", "off"])
def test_who_reaches_what(tmp_path, wish, expected):
    expected = table(expected)
    assert reached(tmp_path, wish, list(expected)) == expected


AS_USER = """
import os, socket, sys
os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
client = socket.socket(); client.settimeout(2)  # create_connection would import a module, from where the account perhaps cannot read
try: client.connect(("127.0.0.1", int(sys.argv[2])))
except OSError: print(sys.argv[1], sys.argv[2], "registry no")
else: print(sys.argv[1], sys.argv[2], "registry yes")
"""


@pytest.mark.parametrize("wish, reached_by", [(WISH, {"0", "61003"}), (OFF, {"0", "61003", "1000"})], ids=["guarded", "off"])
def test_who_of_the_node_reaches_its_registry(tmp_path, wish, reached_by):
    """Every local account could fill the store, move tags and read all images. Another port of the loopback address is nobody's business."""
    body = """
        python3 -c '
        import socket
        listener = socket.create_server(("127.0.0.1", 5000))
        while True: listener.accept()[0].close()' &
        listens "" 5000
        sh filter.sh
        for uid in 0 61003 1000; do python3 as_user.py $uid 5000; done
        python3 as_user.py 1000 3306
    """
    found = rows(in_namespace(tmp_path, body.replace("        import", "import").replace("        listener", "listener").replace("        while", "while"),
                              {"filter.sh": plan.script(plan.check(wish)), "as_user.py": AS_USER}))
    assert {row[0] for row in found if row[1:] == ("5000", "registry", "yes")} == reached_by and len(found) == 4
    assert ("1000", "3306", "registry", "yes") in found


def test_without_a_userland_proxy_a_container_reaches_the_published_port_of_its_node(tmp_path):
    """The engine then replaces the address for its own containers too, and lets the packet back through the bridge it came from."""
    before = """
        iptables -t nat -I DOCKER -p tcp --dport 9094 -j DNAT --to-destination 172.18.0.2:9094
        iptables -t nat -A POSTROUTING -s 172.18.0.0/16 -d 172.18.0.2 -j MASQUERADE
    """
    expected = {("notebook", "10.0.0.1", "9094"): "yes", ("stranger", "10.0.0.1", "9094"): "no", ("office", "10.0.0.1", "9094"): "yes"}
    assert reached(tmp_path, WISH, list(expected), textwrap.dedent(before)) == expected


def test_applied_twice_changed_by_hand_and_off_again(tmp_path):
    body = """
        save() { (iptables-save -t filter; ip6tables-save -t filter) | grep -v '^#' | sed 's/\\[.*\\]//'; }
        save >before; sh filter.sh; save >first; sh filter.sh; save >second; cmp first second
        iptables -D SKP-INPUT 1; iptables -D DOCKER-USER -j SKP-FORWARD; iptables -A DOCKER-USER -j SKP-FORWARD
        save >drift; sh filter.sh; save >third; cmp first third
        sh other.sh; save >other; sh off.sh; sh off.sh; save >after
    """
    files = {"filter.sh": plan.script(plan.check(WISH)), "off.sh": plan.script(plan.check(OFF)),
             "other.sh": plan.script(plan.check(dict(OFF, allow_port_from={8010: ["10.1.0.0/16"]})))}
    in_namespace(tmp_path, body, files)
    texts = {name: (tmp_path / name).read_text(encoding="utf-8") for name in ("before", "first", "drift", "other", "after")}
    assert plan.listing(texts["drift"]) != plan.listing(texts["first"])
    assert "-A DOCKER-USER -j SKP-FORWARD" not in plan.listing(texts["drift"])
    assert "SKP-FROM-8010" in texts["other"] and "SKP-STORE" not in texts["other"]
    # The engine's chain for IPv6 is the only thing that may stay: nobody knows who made it.
    assert [line for line in texts["after"].splitlines() if line not in texts["before"].splitlines()] in ([], [":DOCKER-USER - "])
    assert "SKP" not in texts["after"] and "-s 1.2.3.4/32" in texts["after"] and "--dport 4 -j DROP" in texts["after"]


def test_an_open_connection_survives_a_change(tmp_path):
    body = """
        exec_open() { ip netns exec stranger python3 -c '
        import socket, sys, time
        one = socket.create_connection(("10.0.0.1", 9095), 3); print("open", flush=True)
        sys.stdin.readline(); one.sendall(b"x"); print("got", one.recv(1), flush=True)'; }
        iptables -t nat -I DOCKER ! -i docker_gwbridge -p tcp --dport 9095 -j DNAT --to-destination 172.18.0.2:9095
        ip netns exec kafka python3 -c '
        import socket
        one = socket.create_server(("", 9095)).accept()[0]; one.sendall(one.recv(1))' &
        sleep 0.5; mkfifo go; exec_open <go >said & client=$!
        exec 4>go; sleep 1; sh filter.sh; echo >&4; wait $client; cat said
    """
    body = textwrap.dedent(body)
    assert "got b'x'" in in_namespace(tmp_path, body, {"filter.sh": plan.script(plan.check(WISH))})


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """The files of the filter below a directory of the test, without systemd."""
    for name in ("SCRIPT", "RECORD", "UNIT", "WANTED"):
        monkeypatch.setattr(io, name, str(tmp_path / getattr(io, name).lstrip("/")))
    monkeypatch.setattr(io, "_reload_systemd", lambda: None)
    return tmp_path


def test_a_run_writes_applies_repairs_and_removes(paths, monkeypatch):
    """The whole of it in a namespace of its own, by a child process: the test's process stays where it is."""
    program = """
        import json, os, subprocess, sys
        from ansible_collections.skp.cluster.plugins.module_utils.network import io
        for name in ("SCRIPT", "RECORD", "UNIT", "WANTED"):
            setattr(io, name, sys.argv[1] + getattr(io, name))
        io._reload_systemd = lambda: None
        io.engine_facts.read = lambda **_: {"running": True, "installed": True}
        wish, off = json.loads(sys.argv[2]), json.loads(sys.argv[3])
        changed = lambda wish, check=False: io.converge(wish, check)["changed"]
        try:
            changed(wish)
        except io.Failure as exc:
            print(exc.failure["kind"])
        subprocess.run("iptables -N DOCKER-USER; iptables -A FORWARD -j DOCKER-USER", shell=True, check=True)
        print(changed(wish, True), os.path.exists(io.SCRIPT), changed(wish), changed(wish), changed(wish, True))
        subprocess.run("iptables -F SKP-INPUT", shell=True, check=True)
        print(changed(wish, True), changed(wish, True), changed(wish), changed(wish))
        print(changed(off, True), os.path.exists(io.SCRIPT), changed(off), changed(off), os.path.exists(io.SCRIPT), os.path.lexists(io.WANTED))
    """
    import ansible_collections.skp.cluster as home

    place = os.path.abspath(os.path.join(list(home.__path__)[0], "../../.."))
    python_path = os.pathsep.join([place, *filter(None, os.environ.get("PYTHONPATH", "").split(":"))])
    argv = ["unshare", "--net", "python3", "-c", textwrap.dedent(program), str(paths), json.dumps(WISH), json.dumps(OFF)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ, PYTHONPATH=python_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["network_engine", "True False True False False", "True True True False", "True True True False False False"]


def test_missing_tools_are_named(paths, monkeypatch):
    monkeypatch.setattr(io.shutil, "which", lambda name, path=None: None)
    monkeypatch.setattr(io.engine_facts, "read", lambda **_: {"installed": True, "running": True})
    with pytest.raises(io.Failure) as caught:
        io.converge(WISH, False)
    assert "iptables-restore" in caught.value.msg and "skp_container_closed_ports" in caught.value.msg
    assert io.converge(OFF, False)["changed"] is False
    monkeypatch.setattr(io.engine_facts, "read", lambda **_: {"installed": False, "running": False})
    assert io.converge(WISH, True)["changed"] is True


def test_bridges_of_the_owner(tmp_path):
    for name in ("br-0123456789ab", "br-lan", "eth0", "docker0", "br-ex"):
        (tmp_path / name).mkdir()
    assert io.other_bridges(str(tmp_path)) == ["br-ex", "br-lan"] and io.other_bridges(str(tmp_path / "none")) == []
