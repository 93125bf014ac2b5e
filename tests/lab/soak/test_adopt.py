# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An st-kilda-pier becomes a cluster of this collection: ids, topics, messages, znodes, rows and notebooks, counted before and after.

The nodes are prepared as the original leaves them: its names of containers, its mounts and places of data, its way to run containers (docker run, root,
--restart=always). The programs in the containers are those of this collection, because the images of 2019 cannot be built or pulled everywhere: what an
upgrade of the data itself does is not shown here. The ids are in another order than the names of the nodes.
"""
from __future__ import annotations

import json
import shutil
import uuid

import lablib
import messages
import pytest
import znodes

OLD = lablib.ROOT / "build" / "st-kilda-pier"
NEW = lablib.ROOT / "build" / "adopted"
IDS = {"c01": 2, "c02": 3, "c03": 1}
TOPIC, PREFIX = f"old-{uuid.uuid4().hex[:8]}", f"old{uuid.uuid4().hex[:8]}"
MESSAGES, ZNODES, ROWS, NOTEBOOKS = 2000, 50, 300, 6
PASSWORD = "canary-of-the-old-mysql"
IMAGES = ("zookeeper", "kafka", "mysql")
OWN = ("/var/zookeeper", "/var/kafka", "/etc/original")
"""Directories of a node that this test makes; those on the shared directory are below VOLUME and SHARED."""
VOLUME = "/srv/skp/volume"
SHARED = (VOLUME, "/srv/skp/skp-mysql")

ENV = f"""\
export SKP_USER="skp"
export SKP_HOME="/srv/skp"
export SKP_NET="net-skp"
export JUPYTER_NAME="jupyter-skp"
export JUPYTER_VOLUME=$SKP_HOME/volume
export JUPYTER_PASSWORD="jupyter-pw"
export MYSQL_NAME="mysql-skp"
export MYSQL_VOLUME=$SKP_HOME/volume/var/mysql
export MYSQL_ROOT_PASSWORD="{PASSWORD}"
export MYSQL_IMAGE="mysql/mysql-server"
export ZOOKEEPER_NAME="zookeeper-skp"
export ZOOKEEPER_VOLUME="/var/zookeeper"
export KAFKA_NAME="kafka-skp"
export KAFKA_VOLUME=/var/kafka
"""

ZOO_CFG = "tickTime=2000\\ninitLimit=10\\nsyncLimit=5\\ndataDir=/opt/zookeeper/data\\nclientPort=2181\\n4lw.commands.whitelist=*\\n" + "".join(
    f"server.{number}=zookeeper-skp-{number}:2888:3888\\n" for number in sorted(IDS.values()))

ZOOKEEPER = """
mkdir -p /var/zookeeper/conf /var/zookeeper/data
printf '{cfg}' >/var/zookeeper/conf/zoo.cfg
echo {number} >/var/zookeeper/data/myid
touch /var/zookeeper/data/initialize
docker run -i -t -d --restart=always --name zookeeper-skp-{number} --network net-skp --user 0:0 \
    -v /var/zookeeper/conf/zoo.cfg:/opt/zookeeper/conf/zoo.cfg -v /var/zookeeper/data:/opt/zookeeper/data \
    -e ZOO_MY_ID={number} -e ZOO_CFG=/opt/zookeeper/conf/zoo.cfg original/zookeeper
"""

# The original's image puts the data into a directory named by the container's hostname, and so makes a new one with each new container.
KAFKA = """
mkdir -p /var/kafka/{node}/kafka-logs-older /etc/original
printf 'version=0\\nbroker.id={number}\\n' >/var/kafka/{node}/kafka-logs-older/meta.properties
cat >/etc/original/kafka <<'END'
cat >/tmp/server.properties <<PROPERTIES
broker.id={number}
log.dirs=/kafka/kafka-logs-$HOSTNAME
zookeeper.connect=zookeeper-skp-1:2181,zookeeper-skp-2:2181,zookeeper-skp-3:2181
listeners=INSIDE://:9092,OUTSIDE://:9094
advertised.listeners=INSIDE://$HOSTNAME:9092,OUTSIDE://{address}:9094
listener.security.protocol.map=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT
inter.broker.listener.name=INSIDE
offsets.topic.replication.factor=3
PROPERTIES
KAFKA_CONFIG=/tmp/server.properties KAFKA_HEAP_OPTS='-Xms256m -Xmx256m' exec skp-kafka
END
docker run -i -t -d --restart=always --name kafka-skp --network net-skp --user 0:0 -p 9092:9092 -p 9094:9094 -e KAFKA_BROKER_ID={number} \
    -v /var/kafka/{node}:/kafka -v /etc/original/kafka:/etc/original/kafka:ro --entrypoint bash original/kafka /etc/original/kafka
"""

# 27 is mysql in the image of the original.
MYSQL = f"""
mkdir -p {VOLUME}/var/mysql
chown 27:27 {VOLUME}/var/mysql
docker run -i -t -d --restart=always --name mysql-skp --network net-skp --user 27:27 -p 3306:3306 -e MYSQL_ROOT_PASSWORD={PASSWORD} \
    -v {VOLUME}/var/mysql:/var/lib/mysql original/mysql mysqld --datadir=/var/lib/mysql --socket=/tmp/mysqld.sock --pid-file=/tmp/mysqld.pid --mysqlx=OFF \
    --innodb-buffer-pool-size=64M --performance-schema=OFF
"""

# Their programs write no data that is taken over; their names and mounts are what counts.
OTHERS = f"""
mkdir -p {VOLUME}/example {VOLUME}/var/airflow/dags
for i in $(seq {NOTEBOOKS}); do echo '{{"cells": [], "metadata": {{}}, "nbformat": 4, "nbformat_minor": 5}}' >{VOLUME}/example/$i.ipynb; done
echo '# a DAG' >{VOLUME}/var/airflow/dags/tutorial.py
docker run -i -t -d --restart=always --name jupyter-skp -v {VOLUME}:/root/volume --entrypoint sleep original/zookeeper infinity
docker run -i -t -d --restart=always --name registry-skp -p 5000:5000 --entrypoint sleep original/zookeeper infinity
"""

MYSQL_CLIENT = ("docker", "exec", "-i", "-e", f"MYSQL_PWD={PASSWORD}", "mysql-skp", "mysql", "-uroot", "--socket=/tmp/mysqld.sock", "--batch",
                "--skip-column-names")
COUNT_ROWS = "SELECT COUNT(*), SUM(i) FROM shop.orders;"
OLD_NAMES = ("jupyter-skp", "registry-skp", "registry-skp-before-skp", "mysql-skp", "kafka-skp", *(f"zookeeper-skp-{number}" for number in IDS.values()))


def bash(node, text, timeout=300):
    """Run a bash text on a node as root."""
    return lablib.on(node, "bash", "-euo", "pipefail", "-c", text, timeout=timeout)


def adopt(*args, **options):
    """The playbook, with the inventory that its first step has written."""
    return lablib.play("playbooks/adopt.yml", *args, inventory=NEW / "skp.yml", **options)


def write_files():
    """hosts.json and env.sh of the old installation, in their places."""
    shutil.rmtree(OLD, ignore_errors=True)
    shutil.rmtree(NEW, ignore_errors=True)
    labels = {node: ["registry", "zookeeper", "kafka", *(["jupyter", "mysql"] if node == "c01" else [])] for node in IDS}
    hosts = {node: {"ipv4": lablib.address(node), "labels": [{label: "enable"} for label in labels[node]],
                    "groups": ["master", "manager"] if node == "c01" else ["manager"]} for node in IDS}
    for name, text in (("etc/hosts.json", json.dumps(hosts)), ("bin/env.sh", ENV)):
        (OLD / name).parent.mkdir(parents=True, exist_ok=True)
        (OLD / name).write_text(text, encoding="utf-8")


def reach_the_lab():
    """What the adopted inventory does not know: how to log in to nodes of the lab, and what the lab sets because all of them are on one machine."""
    (NEW / "ssh").symlink_to(lablib.ROOT / "inventory/lab/ssh")
    for path in (lablib.ROOT / "inventory/lab/group_vars/all").glob("*.yml"):
        shutil.copy(path, NEW / "group_vars/all" / f"lab_{path.name}")
    # The lab's own store is on a disk of this machine; a database of the lab's, and services that are not of this test, are left out.
    (NEW / "group_vars/all/lab_without.yml").write_text("skp_custom_services: []\nskp_databases: []\nimages_extra: []\n", encoding="utf-8")


def remove_traces():
    """All that this test has put on the nodes, and what the swarm remembers of it."""
    for node in IDS:
        names = " ".join(OLD_NAMES)
        bash(node, f"for name in {names}; do docker rm -f $name >/dev/null 2>&1 || true; done; rm -rf {' '.join(OWN)} /etc/skp/adopted.*")
        bash(node, "docker image rm -f " + " ".join(f"original/{name}" for name in IMAGES) + " >/dev/null 2>&1 || true")
    bash("c01", f"rm -rf {' '.join(SHARED)}")
    lablib.ask_manager("docker config ls --format '{{.Name}}' | grep -E '^skp-(members|placement)-(zookeeper|kafka|mysql)-' | xargs -r docker config rm\n"
                       "for node in $(docker node ls -q); do docker node update --label-rm skp.zookeeper.id --label-rm skp.kafka.id $node || true; done")
    shutil.rmtree(OLD, ignore_errors=True)
    shutil.rmtree(NEW, ignore_errors=True)


@pytest.fixture(scope="module", name="original")
def _original(site):
    """The lab as an st-kilda-pier. Afterwards it is the lab again, with new data of ZooKeeper, Kafka and MySQL."""
    for node in IDS:
        bash(node, "".join(f"docker pull -q localhost:5000/skp/docker-{name}:latest && docker tag localhost:5000/skp/docker-{name}:latest original/{name}\n"
                           for name in IMAGES))
    lablib.play("playbooks/down.yml", "--tags", "kafka,zookeeper,mysql", "-e", "skp_purge=true", "-e", "skp_confirm=lab")
    lablib.play("playbooks/down.yml", "-e", "skp_confirm=lab")
    try:
        write_files()
        for node, number in IDS.items():
            bash(node, ZOOKEEPER.format(cfg=ZOO_CFG, number=number))
        lablib.wait("the old ensemble serves", lambda: "Mode: " in old_zookeeper("srvr"), 120)
        for node, number in IDS.items():
            bash(node, KAFKA.format(node=node, number=number, address=lablib.address(node)))
        bash("c01", MYSQL + OTHERS)
        fill()
        yield
    finally:
        if NEW.exists():
            lablib.play("playbooks/down.yml", "-e", "skp_confirm=lab", inventory=NEW / "skp.yml", check=False)
        remove_traces()
        lablib.play(site)


def old_zookeeper(word):
    """What the old member of c01 says to a four-letter word; empty while it does not answer."""
    return lablib.on("c01", "docker", "exec", "zookeeper-skp-2", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/2181; printf {word} >&3; cat <&3", check=False)


def fill():
    """Data of all services, through the old containers."""
    commands = [f"create /{PREFIX}", *(f"create /{PREFIX}/n{i} {i}" for i in range(ZNODES)), "quit", ""]
    lablib.on("c01", "docker", "exec", "-i", "zookeeper-skp-2", "zkCli.sh", "-server", "127.0.0.1:2181", stdin="\n".join(commands))
    lablib.wait("the old brokers take a topic", lambda: messages.create_topic(TOPIC, replication=3) is None, 180, every=2)
    assert messages.produce_outside(TOPIC, range(MESSAGES)) == set(range(MESSAGES))
    lablib.wait("the old MySQL answers", lambda: lablib.on("c01", *MYSQL_CLIENT, stdin="SELECT 6 * 7;", check=False).strip() == "42", 180, every=1)
    values = ", ".join(f"({i})" for i in range(ROWS))
    lablib.on("c01", *MYSQL_CLIENT, stdin=f"CREATE DATABASE shop; CREATE TABLE shop.orders (i INT PRIMARY KEY); INSERT INTO shop.orders VALUES {values};")
    assert lablib.on("c01", *MYSQL_CLIENT, stdin=COUNT_ROWS).split() == [str(ROWS), str(sum(range(ROWS)))]


def states():
    """{node: {old container: (state, restart policy)}}."""
    shown = "docker ps -aq | xargs -r docker inspect -f '{{.Name}} {{.State.Status}} {{.HostConfig.RestartPolicy.Name}} {{index .Config.Labels \"skp.role\"}}'"
    found = {node: [line.split() for line in text.splitlines()] for node, text in lablib.look(shown, sorted(IDS)).items()}
    # The registry of the collection has the name of the old one.
    return {node: {row[0].lstrip("/"): tuple(row[1:]) for row in rows if len(row) == 3 and row[0].lstrip("/") in OLD_NAMES} for node, rows in found.items()}


def test_step_one_writes_an_inventory(original):
    """Every entry of env.sh and hosts.json has a line; no line shows the password; nothing happens on the nodes."""
    before = states()
    result = lablib.play("playbooks/adopt.yml", "-e", f"adopt_from={OLD}", "-e", f"adopt_to={NEW}")
    for line in ENV.splitlines():
        assert f"env.sh: {line.removeprefix('export ').split('=')[0]} " in result.text
    assert PASSWORD not in result.text and (NEW / "env.sh").stat().st_mode & 0o777 == 0o600
    assert states() == before and all(state == ("running", "always") for node in before.values() for state in node.values())
    reach_the_lab()


def test_a_look_changes_nothing(original):
    """Without the confirmation the run says what it would do, and ends."""
    before = states()
    result = adopt(check=False)
    assert result.rc != 0 and "skp_confirm=lab" in result.text and "stops the container kafka-skp" in result.text
    for node, number in IDS.items():
        assert f"{node}: kafka  /var/kafka/{node}/kafka-logs-" in result.text and f"{node}: zookeeper  /var/zookeeper/data  id {number}" in result.text
    assert states() == before and result.changed == set()


def test_taken_over(original, figures):
    """Stopped, moved by rename, and everything is there, under the old ids."""
    files = lablib.look("find /var/zookeeper /var/kafka -type f | wc -l", sorted(IDS))
    adopt("-e", "skp_confirm=lab")
    after = states()
    assert after["c01"]["registry-skp-before-skp"] == ("exited", "no")
    assert all(state == ("exited", "no") for node in after.values() for state in node.values()), after
    assert sum(map(len, after.values())) == 2 * len(IDS) + 3
    # Brokers and members write a few files when they stop; none is gone.
    assert all(int(found) >= int(files[node]) for node, found in lablib.look("find /var/zookeeper /var/kafka -type f | wc -l", sorted(IDS)).items())
    assert adopt("-e", "skp_confirm=lab").changed == set(), "a second run"

    figures["adopt: site.yml on the adopted nodes, seconds"] = round(lablib.play("site.yml", inventory=NEW / "skp.yml").seconds)
    for node, number in IDS.items():
        assert lablib.tasks(f"zookeeper-skp-{number}") == [node] and lablib.tasks(f"kafka-skp-{number}") == [node]
        assert bash(node, "cat /var/zookeeper/data/myid").strip() == str(number)
        assert f"broker.id={number}\n" in bash(node, "cat /var/kafka/data/meta.properties")
    lablib.wait("the ensemble serves", lambda: znodes.healthy(len(IDS)), 120)
    assert znodes.names(PREFIX) == {f"n{i}" for i in range(ZNODES)}
    assert messages.read_outside(TOPIC) == set(range(MESSAGES))
    rows = lablib.execute("mysql-skp-client", "mysql", "--defaults-file=/run/secrets/root.cnf", "--batch", "--skip-column-names", stdin=COUNT_ROWS)
    assert rows.split() == [str(ROWS), str(sum(range(ROWS)))]
    owners = bash("c01", f"stat -c %u {VOLUME}/example/*.ipynb {VOLUME}/var/airflow/dags/tutorial.py").split()
    assert owners == ["61000"] * (NOTEBOOKS + 1)
    seen = lablib.execute("jupyter-skp", "ls", "/home/skp/work/example")
    assert len(seen.split()) == NOTEBOOKS
    figures["adopt: ids / messages / znodes / rows / notebooks"] = f"{sorted(IDS.values())} / {MESSAGES} / {ZNODES} / {ROWS} / {NOTEBOOKS}"


def test_a_second_run_of_the_site_changes_nothing(original):
    """The adopted cluster is one like any other, also after its engines start anew: no old container comes back."""
    assert lablib.play("site.yml", inventory=NEW / "skp.yml").changed == set()
    bash("c03", "systemctl restart docker")
    lablib.wait("the ensemble serves again", lambda: znodes.healthy(len(IDS)), 180, every=2)
    assert all(state == ("exited", "no") for node in states().values() for state in node.values())
