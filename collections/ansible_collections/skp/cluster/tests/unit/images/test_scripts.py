# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start scripts of the images, run as they are, with a `java` that only says how it was called."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import socketserver
import subprocess
import threading

import pytest

IMAGES = pathlib.Path(__file__).resolve().parents[3] / "images"
REFUSED = 78


@pytest.fixture(name="run")
def _run(tmp_path):
    """run(image, script, *arguments, **environment) -> CompletedProcess; the image's bin directory is copied and first on PATH."""
    tools = tmp_path / "tools"
    tools.mkdir()
    java = tools / "java"
    # With JAVA_ANSWERS, a directory: prints its file that has the name of the call's last word, else fails.
    java.write_text('#!/bin/bash\nif [[ -n ${JAVA_ANSWERS:-} && $* == *MetadataQuorum* ]]; then exec cat "$JAVA_ANSWERS/${!#}"; fi\n'
                    'if [[ -n ${JAVA_ANSWERS:-} && $* == *TopicCommand* ]]; then exec cat "$JAVA_ANSWERS/topics"; fi\n'
                    'printf "java"; printf " [%s]" "$@"; echo\n')
    java.chmod(0o755)

    def run(image, script, *arguments, **environment):
        home = tmp_path / image
        if not home.exists():
            shutil.copytree(IMAGES / image / "bin", home / "bin")
            tool = home / "bin" / {"kafka": "kafka-tool", "zookeeper": "zk-tool"}[image]
            for name in subprocess.run([tool, "--list"], capture_output=True, text=True, check=True).stdout.split():
                (home / "bin" / name).symlink_to(tool.name)
        env = {"PATH": "%s:%s:%s" % (home / "bin", tools, os.environ["PATH"]), "LANG": "C.UTF-8"}
        env.update(environment)
        return subprocess.run([home / "bin" / script, *arguments], capture_output=True, text=True, env=env, timeout=30, check=False)

    return run


@pytest.fixture(name="zoo")
def _zoo(tmp_path):
    """(data directory, environment) of a member 3."""
    data = tmp_path / "data"
    data.mkdir()
    config = tmp_path / "zoo.cfg"
    config.write_text("clientPort=2181\n dataDir = %s \n" % data)
    return data, {"ZOO_MY_ID": "3", "ZOO_CFG": str(config), "ZOO_DATA_DIR": str(data)}


def test_zookeeper_starts_with_its_own_id(run, zoo):
    data, env = zoo
    (data / "myid").write_text("3\n")
    done = run("zookeeper", "skp-zookeeper", ZOO_HEAP_OPTS="-Xmx1g -Xms1g", SERVER_JVMFLAGS="-Da=b", **env)
    assert done.returncode == 0
    assert "[-Xmx1g] [-Xms1g] [-Da=b]" in done.stdout
    assert done.stdout.rstrip().endswith("[org.apache.zookeeper.server.quorum.QuorumPeerMain] [%s]" % env["ZOO_CFG"])


@pytest.mark.parametrize("change, said", [
    (lambda data, env: None, "myid does not exist"),
    (lambda data, env: (data / "myid").write_text("4"), "holds '4', expected '3'"),
    (lambda data, env: (data / "myid").write_text(""), "holds '', expected '3'"),
    (lambda data, env: data.rmdir(), "does not exist. Is the volume mounted?"),
    (lambda data, env: env.update(ZOO_MY_ID=""), "expected a number"),
    (lambda data, env: pathlib.Path(env["ZOO_CFG"]).write_text("a=b\n"), "names no dataDir"),
    (lambda data, env: pathlib.Path(env["ZOO_CFG"]).unlink(), "no readable configuration"),
])
def test_zookeeper_refuses(run, zoo, change, said):
    data, env = zoo
    change(data, env)
    before = sorted(data.iterdir()) if data.exists() else None
    done = run("zookeeper", "skp-zookeeper", **env)
    assert (done.returncode, "java" in done.stdout) == (REFUSED, False)
    assert said in done.stderr
    assert (sorted(data.iterdir()) if data.exists() else None) == before, "an identity was written"


def init(run, zoo, *arguments):
    done = run("zookeeper", "skp-zookeeper-init", *arguments, **zoo[1])
    answer = json.loads(done.stdout)
    assert answer["ok"] == (done.returncode == 0)
    assert done.stdout.count("\n") == 1
    return answer


def test_init_writes_once(run, zoo):
    first = init(run, zoo, "3", "initialize")
    assert (first["myid"], first["initialize"], first["data"]) == ("written", "written", False)
    assert (zoo[0] / "myid").read_text() == "3"
    assert sorted(path.name for path in zoo[0].iterdir()) == ["initialize", "myid"]
    second = init(run, zoo, "3", "initialize")
    assert (second["myid"], second["initialize"], second["found_id"]) == ("found", "present", "3")


def test_init_without_the_word_makes_no_marker(run, zoo):
    assert init(run, zoo, "3")["initialize"] == "not asked"
    assert not (zoo[0] / "initialize").exists()


def test_init_never_marks_a_member_that_has_data(run, zoo):
    (zoo[0] / "myid").write_text("3")
    (zoo[0] / "version-2").mkdir()
    answer = init(run, zoo, "3", "initialize")
    assert (answer["initialize"], answer["data"]) == ("not needed", True)
    assert not (zoo[0] / "initialize").exists()


@pytest.mark.parametrize("myid, data, arguments, said", [
    ("4", False, ["3"], "holds '4', not 3"),
    (None, True, ["3"], "no myid"),
    (None, False, ["0"], "from 1 to 255"),
    (None, False, ["256"], "from 1 to 255"),
    (None, False, [], "from 1 to 255"),
    (None, False, ["3", "please"], "second word"),
])
def test_init_refuses(run, zoo, myid, data, arguments, said):
    if myid:
        (zoo[0] / "myid").write_text(myid)
    if data:
        (zoo[0] / "version-2").mkdir()
    before = {path.name: path.read_text() if path.is_file() else None for path in zoo[0].iterdir()}
    answer = init(run, zoo, *arguments)
    assert not answer["ok"] and answer["myid"] == "refused"
    assert said in answer["error"]
    assert {path.name: path.read_text() if path.is_file() else None for path in zoo[0].iterdir()} == before


@pytest.mark.parametrize("word, answer, code", [("ruok", "imok", 0), ("ruok", "not well", 1), ("srvr", "Mode: leader\n", 0), ("srvr", "", 1)])
def test_four_letter_words(run, word, answer, code):
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = []

        def serve():
            connection, _peer = server.accept()
            with connection:
                asked.append(connection.recv(4).decode())
                connection.sendall(answer.encode())

        thread = threading.Thread(target=serve)
        thread.start()
        done = run("zookeeper", "skp-zookeeper-4lw", word, "127.0.0.1", str(server.getsockname()[1]))
        thread.join()
    assert (done.returncode, asked) == (code, [word])
    assert done.stdout.strip() == answer.strip()


@pytest.mark.parametrize("servers, serving, code", [
    (1, [], 0), (2, [1], 0), (2, [], 1), (3, [1, 2], 0), (3, [1], 1), (5, [1, 2, 4], 0), (5, [1, 2], 1),
])
def test_a_server_may_stop_while_the_others_keep_a_quorum(run, tmp_path, servers, serving, code):
    """This server is the third of three and more, else the last one; a member that answers without a role does not serve."""
    config = tmp_path / "zoo.cfg"
    config.write_text("".join("server.%d=zk-%d:2888:3888\n" % (number, number) for number in range(1, servers + 1)))
    run("zookeeper", "skp-zookeeper-4lw", "ruok")
    (tmp_path / "zookeeper/bin/skp-zookeeper-4lw").write_text(
        "#!/bin/bash\ncase $2 in %s) echo 'Mode: follower' ;; zk-4) echo 'This ZooKeeper instance is not currently serving requests' ;; *) exit 1 ;; esac\n"
        % ("|".join("zk-%d" % number for number in serving) or "nobody"))
    done = run("zookeeper", "skp-zookeeper-gate", ZOO_MY_ID=str(min(servers, 3)), ZOO_CFG=str(config))
    assert done.returncode == code, done.stdout + done.stderr
    assert ("must" in done.stdout) == bool(code)


def test_four_letter_words_have_a_deadline(run):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = run("zookeeper", "skp-zookeeper-4lw", "ruok", "127.0.0.1", str(silent.getsockname()[1]), SKP_4LW_TIMEOUT="0.3")
    assert done.returncode == 1
    assert "no answer to ruok" in done.stderr
    assert run("zookeeper", "skp-zookeeper-4lw", "ruok; id").returncode == 64


@pytest.fixture(name="broker")
def _broker(tmp_path):
    """(log directory, environment, write(text) for the configuration) of a broker 7."""
    logs = tmp_path / "logs"
    logs.mkdir()
    config = tmp_path / "server.properties"

    def write(text):
        config.write_text(text.replace("LOGS", str(logs)))

    write("broker.id=7\nlog.dirs=LOGS\n")
    return logs, {"KAFKA_CONFIG": str(config)}, write


@pytest.mark.parametrize("meta", [None, "version=0\nbroker.id=7\ncluster.id=abc\n"])
def test_kafka_starts_on_empty_or_own_data(run, broker, meta):
    logs, env, _write = broker
    if meta:
        (logs / "meta.properties").write_text(meta)
    done = run("kafka", "skp-kafka", KAFKA_HEAP_OPTS="-Xmx2g", **env)
    assert done.returncode == 0
    assert "[-Xmx2g]" in done.stdout
    assert done.stdout.rstrip().endswith("[kafka.Kafka] [%s]" % env["KAFKA_CONFIG"])


@pytest.mark.parametrize("config, meta, more, said", [
    ("broker.id=7\nlog.dirs=LOGS\n", "broker.id=8\n", {}, "belongs to broker 8 (meta.properties), the configuration says 7"),
    ("node.id = 7\nprocess.roles=broker\nlog.dirs=LOGS\n", "node.id=8\n", {}, "belongs to broker 8 (meta.properties), the configuration says 7"),
    ("broker.id=7\nlog.dirs=LOGS\n", "broker.id=7\ncluster.id=a\n", {"KAFKA_CLUSTER_ID": "b"}, "belongs to cluster a (meta.properties), expected b"),
    ("log.dirs=LOGS\n", None, {}, "ids are never generated"),
    ("broker.id=-1\nlog.dirs=LOGS\n", None, {}, "ids are never generated"),
    ("broker.id=7\n", None, {}, "names no log.dirs"),
    ("broker.id=7\nlog.dirs=/proc/none\n", None, {}, "Is the volume mounted?"),
    ("node.id=7\nprocess.roles=broker\nlog.dirs=LOGS\n", None, {}, "no KAFKA_CLUSTER_ID"),
    ("node.id=7\nprocess.roles=broker\nlog.dirs=LOGS\n", None, {"KAFKA_CLUSTER_ID": "a", "KAFKA_FORMAT": "never"}, "forbids to format"),
])
def test_kafka_refuses(run, broker, config, meta, more, said):
    logs, env, write = broker
    write(config)
    if meta:
        (logs / "meta.properties").write_text(meta)
    done = run("kafka", "skp-kafka", **env, **more)
    assert (done.returncode, "java" in done.stdout) == (REFUSED, False)
    assert said in done.stderr


def test_jmx_has_no_login_and_is_only_for_the_container_itself(run, broker):
    assert "jmxremote" not in run("kafka", "skp-kafka", **broker[1]).stdout
    said = run("kafka", "skp-kafka", JMX_PORT="9999", **broker[1]).stdout
    assert "[-Dcom.sun.management.jmxremote.port=9999]" in said and "[-Dcom.sun.management.jmxremote.host=127.0.0.1]" in said


def test_kraft_formats_an_empty_directory_only(run, broker):
    logs, env, write = broker
    write("process.roles=broker,controller\nnode.id=7\nlog.dirs=LOGS\n")
    done = run("kafka", "skp-kafka", KAFKA_CLUSTER_ID="abc", **env)
    assert "[kafka.tools.StorageTool] [format] [--ignore-formatted] [--cluster-id] [abc]" in done.stdout
    (logs / "meta.properties").write_text("node.id=7\ncluster.id=abc\n")
    done = run("kafka", "skp-kafka", KAFKA_CLUSTER_ID="abc", **env)
    assert done.returncode == 0 and "StorageTool" not in done.stdout


VOTER = "process.roles=broker,controller\nnode.id=2\nlog.dirs=LOGS\ncontroller.quorum.voters=1@k-1:9093,2@k-2:9093,3@k-3:9093\n"
STATUS = """ClusterId:              abc
LeaderId:               1
LeaderEpoch:            4
HighWatermark:          105
MaxFollowerLag:         106
CurrentVoters:          [{"id": 1}]
"""
REPLICATION = """NodeId  DirectoryId             LogEndOffset    Lag     LastFetchTimestamp      LastCaughtUpTimestamp   Status|
1       AAAAAAAAAAAAAAAAAAAAAA  107             0       1700000000000           1700000000000           Leader|
2       AAAAAAAAAAAAAAAAAAAAAA  -1              108     -1                      -1                      Follower|
3       AAAAAAAAAAAAAAAAAAAAAA  %d             2       1700000000000           1700000000000           Follower|
4       AAAAAAAAAAAAAAAAAAAAAA  107             0       1700000000000           1700000000000           Observer|
""".replace("|", "  \t")


@pytest.fixture(name="voter")
def _voter(run, broker, tmp_path):
    """voter(mark, status, end of the log of voter 3) -> (CompletedProcess, log directory's parent) of voter 2 with an empty directory."""
    logs, env, write = broker
    write(VOTER)

    def start(mark=None, status=STATUS, end=105):
        answers = tmp_path / "answers"
        answers.mkdir()
        if status:
            (answers / "--status").write_text(status)
            (answers / "--replication").write_text(REPLICATION % end)
        if mark:
            (logs.parent / mark).write_text("")
        return run("kafka", "skp-kafka", KAFKA_CLUSTER_ID="abc", KAFKA_FORMAT="marked", KAFKA_FORMAT_WAIT="0", JAVA_ANSWERS=str(answers), **env), logs.parent

    return start


def test_a_voter_without_data_is_not_formatted_by_itself(voter):
    """Swarm starts it as soon as its directory exists: two of three wiped voters elected each other with empty logs."""
    done, _home = voter()
    assert done.returncode == REFUSED and "java" not in done.stdout
    assert "this broker is a voter" in done.stderr and "run the role kafka" in done.stderr


def test_the_mark_of_the_first_start_counts_once(voter, run, broker):
    done, home = voter("format", status=None)
    assert done.returncode == 0 and "[kafka.tools.StorageTool] [format]" in done.stdout
    assert not (home / "format").exists()
    again = run("kafka", "skp-kafka", KAFKA_CLUSTER_ID="abc", KAFKA_FORMAT="marked", **broker[1])
    assert again.returncode == REFUSED


@pytest.mark.parametrize("case, status, end, formatted", [
    ("both others have what was committed", STATUS, 105, True),
    ("one of them lags", STATUS, 104, False),
    ("nobody answers", None, 0, False),
    ("no leader", "LeaderId: -1\n", 105, False),
])
def test_a_wiped_voter_asks_the_others(voter, case, status, end, formatted):
    """A wiped voter and one that lags are a majority that has forgotten what the third acknowledged."""
    done, home = voter("format-again", status, end)
    assert ("[format]" in done.stdout) is formatted
    assert done.returncode == (0 if formatted else REFUSED)
    assert (home / "format-again").exists() is not formatted, "swarm tries again"
    if not formatted:
        assert "no majority of the other voters" in done.stderr


def test_a_mark_of_a_voter_that_has_data_is_removed(run, broker):
    logs, env, write = broker
    write(VOTER)
    (logs / "meta.properties").write_text("node.id=2\ncluster.id=abc\n")
    (logs.parent / "format").write_text("")
    assert run("kafka", "skp-kafka", KAFKA_CLUSTER_ID="abc", KAFKA_FORMAT="marked", **env).returncode == 0
    assert not (logs.parent / "format").exists()


LATE = "\tTopic: t\tPartition: 0\tLeader: 1\tReplicas: 1,2,3\tIsr: 1,2\tElr: N/A\tLastKnownElr: N/A\n"
MANY = "".join("\tTopic: t%d\tPartition: %d\tLeader: 1\tReplicas: 1,2,3\tIsr: 1\tElr: N/A\n" % (topic, part) for topic in range(20) for part in range(3))
WORSE = "\tTopic: u\tPartition: 7\tLeader: none\tReplicas: 13\tIsr: \tElr: \tLastKnownElr: \n"


@pytest.mark.parametrize("case, answer, retired, code, said", [
    ("all in sync", "", "", 0, ""),
    ("a broker is down", LATE, "", 1, "1 partition(s) have replicas that are not in sync, on broker(s) 3\ntopic(s), the first ten of 1: t\n"),
    ("another one has left", LATE, "4", 1, "on broker(s) 3\n"),
    ("the missing one has left for good", LATE, "3,4", 0, ""),
    ("one partition lacks more than that", LATE + WORSE, "3", 1,
     "1 partition(s) have replicas that are not in sync, on broker(s) 13\ntopic(s), the first ten of 1: u\n"),
    ("a broker with many partitions is down", MANY, "", 1, "60 partition(s) have replicas that are not in sync, on broker(s) 2 3\n"
     "topic(s), the first ten of 20: t0 t1 t2 t3 t4 t5 t6 t7 t8 t9\n"),
    ("a warning is no partition", "[2026-01-01 00:00:00,000] WARN something (x)\n", "", 0, ""),
    ("nobody answers", None, "", 1, "no answer from k:9092 (the brokers need ZooKeeper)"),
])
def test_gate(run, tmp_path, case, answer, retired, code, said):
    if answer is not None:
        (tmp_path / "topics").write_text(answer)
    done = run("kafka", "skp-kafka-gate", "k:9092", retired, "ZooKeeper", JAVA_ANSWERS=str(tmp_path))
    assert done.returncode == code, done.stderr
    assert said in done.stdout
    assert len(done.stdout.splitlines()) <= 3, "the engine keeps the last lines only"


class Member(socketserver.BaseRequestHandler):
    """Answers as a ZooKeeper server does."""

    def handle(self):
        assert self.request.recv(4) == b"srvr"
        self.request.sendall(self.server.answer)


@pytest.fixture(name="ensemble")
def _ensemble():
    """ensemble(answer, ...) -> HOST:PORT,... of servers that answer so; None is a port on which nobody listens."""
    with contextlib.ExitStack() as stack:

        def start(*answers):
            servers = [stack.enter_context(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Member)) for dummy in answers]
            for server, answer in zip(servers, answers):
                server.answer = answer
                if answer is None:
                    server.server_close()
                else:
                    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
                    stack.callback(server.shutdown)
            return ",".join("%s:%d" % server.server_address for server in servers)

        yield start


SERVES, SILENT = b"Zookeeper version: 3.9.5\nMode: follower\n", b"This ZooKeeper instance is not currently serving requests\n"


@pytest.mark.parametrize("answers, code", [
    ([SERVES, SERVES, SERVES], 0),
    ([SERVES, None, SERVES], 0),
    ([SERVES, None, SILENT], 1),
    ([SILENT, SILENT, SILENT], 1),
    ([b"Mode: standalone\n"], 0),
])
def test_gate_asks_zookeeper_too(run, tmp_path, ensemble, answers, code):
    """A broker that is up answers from what it remembers; one that is stopped now could not start again."""
    (tmp_path / "topics").write_text("")
    where = ensemble(*answers)
    done = run("kafka", "skp-kafka-gate", "k:9092", "", "ZooKeeper at " + where, JAVA_ANSWERS=str(tmp_path))
    assert done.returncode == code, done.stdout
    assert code == 0 or ("of the %d members of ZooKeeper at %s" % (len(answers), where)) in done.stdout


@pytest.mark.parametrize("status, code", [("LeaderId:              2\n", 0), ("LeaderId:              -1\n", 1), (None, 1)])
def test_gate_asks_the_voters_too(run, tmp_path, status, code):
    (tmp_path / "topics").write_text("")
    if status:
        (tmp_path / "--status").write_text(status)
    done = run("kafka", "skp-kafka-gate", "k:9092", "", "a majority of the voters 1@a:9093,2@b:9093", JAVA_ANSWERS=str(tmp_path))
    assert done.returncode == code, done.stdout
    assert code == 0 or "no leader among the voters 1@a:9093,2@b:9093" in done.stdout


@pytest.mark.parametrize("image, name, called", [
    ("kafka", "kafka-topics.sh", "[org.apache.kafka.tools.TopicCommand] [--list]"),
    ("kafka", "kafka-run-class.sh", "java.args] [--list]"),
    ("kafka", "zookeeper-shell.sh", "[org.apache.zookeeper.ZooKeeperMainWithTlsSupportForKafka] [-server] [--list]"),
    ("zookeeper", "zkCli.sh", "[org.apache.zookeeper.ZooKeeperMain] [--list]"),
])
def test_tools_by_name(run, image, name, called):
    done = run(image, name, "--list", KAFKA_HEAP_OPTS="-Xmx9g")
    assert done.stdout.rstrip().endswith(called)
    assert "-Xmx256m" in done.stdout and "9g" not in done.stdout, "the broker's heap is not the tools'"


@pytest.mark.parametrize("image", ["kafka", "zookeeper"])
def test_every_pinned_jar_once(image):
    lines = (IMAGES / image / "SHA256SUMS").read_text().splitlines()
    names = [line.split("  ")[1] for line in lines]
    assert names == sorted(set(names))
    assert all(len(line.split("  ")[0]) == 64 for line in lines)
    assert [name for name in names if "tcnative" in name or "linux" in name or "osx" in name or "windows" in name] == []


def tool(bin_directory, name, text):
    """A stand-in for a program, first on PATH."""
    path = bin_directory / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def sha256sums(*names):
    return "".join("%s  %s\n" % (hashlib.sha256(name.encode()).hexdigest(), name) for name in names)


@pytest.fixture(name="jars")
def _jars(tmp_path):
    """jars(command, ...) runs skp-jars where /jars holds a.jar and b.jar, whose contents are their names."""
    source, found, bin_directory = tmp_path / "src", tmp_path / "jars", tmp_path / "bin"
    for directory in (source, found, bin_directory):
        directory.mkdir()
    (source / "SHA256SUMS").write_text(sha256sums("a.jar", "b.jar"))
    for name in ("a.jar", "b.jar"):
        (found / name).write_text(name)
    tool(bin_directory, "dpkg", "echo amd64\n")
    tool(bin_directory, "unzip", "exit 0\n")
    tool(bin_directory, "skp-site", 'echo "$@"\n')

    def run(command, *more):
        argv = ["sh", str(IMAGES / "java/skp-jars"), command, str(source), str(found), *map(str, more)]
        return subprocess.run(argv, capture_output=True, text=True, check=False, env={"PATH": "%s:%s" % (bin_directory, os.environ["PATH"])}, timeout=30)

    run.source, run.found, run.target = source, found, tmp_path / "opt"
    return run


def test_jars_with_the_right_checksums_are_taken(jars):
    done = jars("take", jars.target)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (jars.target / "libs").iterdir()) == ["a.jar", "b.jar"]
    assert (jars.target / "java.args").read_text().splitlines()[-1] == "%s/libs/a.jar:%s/libs/b.jar" % (jars.target, jars.target)
    assert "copy-dependencies" in jars("fetch").stdout and jars("neither").returncode == 64


@pytest.mark.parametrize("change, said", [
    (lambda jars: (jars.found / "a.jar").write_text("other"), "FAILED"),
    (lambda jars: (jars.found / "a.jar").unlink(), "a.jar"),
    (lambda jars: (jars.found / "c.jar").write_text("c.jar"), "c.jar came with the dependencies but is not in SHA256SUMS"),
    (lambda jars: (jars.found / "sha256sum").write_text("#!/bin/sh"), "sha256sum came with"),
    (lambda jars: ((jars.found / "a.jar").unlink(), (jars.found / "a.jar").symlink_to(jars.found / "b.jar")), "a.jar is no regular file"),
    (lambda jars: ((jars.found / "a.jar").unlink(), (jars.found / "a.jar").mkdir()), "a.jar is no regular file"),
])
def test_other_jars_are_refused(jars, change, said):
    change(jars)
    done = jars("take", jars.target)
    assert done.returncode != 0 and said in done.stdout + done.stderr
    assert not (jars.target / "java.args").exists()


@pytest.mark.parametrize("image", ["kafka", "zookeeper", "ds"])
def test_nothing_of_mavens_stage_goes_on_unchecked(image):
    """Its plugins run as root and have no checksums: the stage that checks and all later ones take nothing from it but the jars."""
    text = (IMAGES / image / "Dockerfile").read_text(encoding="utf-8")
    stages = {part.split()[0]: part for part in re.split(r"^FROM \S+ AS ", text, flags=re.MULTILINE)[1:]}
    assert "maven" in stages["fetch"] and "skp-jars fetch /src /jars" in stages["fetch"]
    assert not any("maven" in part or "skp-jars fetch" in part for name, part in stages.items() if name != "fetch")
    assert re.findall(r"--from=fetch (\S+) (\S+)", text) == [("/jars/", "/jars/")] and "FROM fetch" not in text
