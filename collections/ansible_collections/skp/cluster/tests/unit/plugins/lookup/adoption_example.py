# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An st-kilda-pier as its documents describe it: hosts.json and env.sh with the documents' values, and the four files of its last version."""

from __future__ import annotations

import json

SERVICES = ["registry", "zookeeper", "kafka"]
HOSTS = {
    "c01": {"ipv4": "10.0.0.4", "groups": ["master", "manager"],
            "labels": [{name: "enable"} for name in [*SERVICES, "jupyter", "spark-master", "portainer", "mysql", "airflow", "flask", "nginx"]]},
    "c02": {"ipv4": "10.0.0.5", "groups": ["manager"], "labels": [{name: "enable"} for name in [*SERVICES, "spark-worker"]]},
    "c03": {"ipv4": "10.0.0.6", "groups": ["manager"], "labels": [{name: "enable"} for name in [*SERVICES, "spark-worker"]]},
    "c05": {"ipv4": "10.0.0.8", "groups": ["worker"], "labels": [{"spark-worker": "enable"}, {"rack": "r1"}]},
}

ENV = """\
#!/bin/bash
export SKP_USER="skp"
export SKP_HOME="$HOME/st-kilda-pier"
export SKP_HOSTS="$SKP_HOME/etc/hosts.json"
export SKP_NET="net-skp"
# SSHFS
export SSHFS_ID="sshfs"
export SSHFS_HOST="sshfs.example"
export SSHFS_VOLUME="/home/sshfs"
# S3
export S3_ACCOUNT=""
export S3_ACCESS_ID=""
export S3_ACCESS_KEY=""
# Jupyter
export JUPYTER_NAME="jupyter-skp" # Container Name
export JUPYTER_PORT="8010" # Jupyter Port
export JUPYTER_VOLUME=$SKP_HOME/volume # Jupyter Volume Path
export JUPYTER_PASSWORD="jupyter-pw" # Jupyter Password
export JUPYTER_BASEURL="jupyter-skp"
export JUPYTER_RESTAPIPORT="8020" # Jupyter Kernel Gateway Port
export JUPYTER_DOCKER="docker" # Docker Command
export JUPYTER_IMAGE="skp/docker-ds" # Docker Image Name
export JUPYTER_TAG="latest" # Docker Image Tag
export JUPYTER_GPU_IMAGE="skp/docker-ds-gpu"
export JUPYTER_GPU_TAG="latest"
export JUPYTER_GPU="FALSE" # if you have a GPU, set TRUE
# Spark
export SPARK_MNAME="spark-skp-master"
export SPARK_WNAME="spark-skp-worker"
export SPARK_MPORT="8030" # Spark Web Service Port
export SPARK_VOLUME=$SKP_HOME/volume
export SPARK_URL="spark://$SPARK_MNAME:7077"
export SPARK_IMAGE="skp/docker-ds"
export SPARK_TAG="latest"
# MySQL
export MYSQL_NAME="mysql-skp"
export MYSQL_PORT="3306"
export MYSQL_VOLUME=$SKP_HOME/volume/var/mysql
export MYSQL_ROOT_PASSWORD="canary-of-mysql"
export MYSQL_IMAGE="mysql/mysql-server"
export MYSQL_TAG="latest"
# Airflow
export AIRFLOW_NAME="airflow-skp"
export AIRFLOW_PORT="8040"
export AIRFLOW_VOLUME=$SKP_HOME/volume
export AIRFLOW_DB="airflow"
export AIRFLOW_DB_USER="airflow"
export AIRFLOW_DB_PASSWORD="canary-of-airflow"
export AIRFLOW__CORE__SQL_ALCHEMY_CONN="mysql+pymysql://airflow:canary-of-airflow@$MYSQL_NAME/airflow"
export AIRFLOW_IMAGE="skp/docker-ds"
# Portainer
export PORTAINER_NAME="portainer-skp"
export PORTAINER_PORT="8050"
# Zookeeper
export ZOOKEEPER_NAME="zookeeper-skp"
export ZOOKEEPER_IMAGE="skp/docker-zookeeper"
export ZOOKEEPER_VOLUME="/var/zookeeper"
export ZOOKEEPER_TAG="latest"
# Kafka
export KAFKA_NAME="kafka-skp"
export KAFKA_VOLUME=/var/kafka
export KAFKA_IMAGE="skp/docker-kafka"
export KAFKA_TAG="latest"
"""

CANARIES = ("canary-of-mysql", "canary-of-airflow", "canary-of-azure")
SOCKET = "/var/run/docker.so" + "ck"

NETWORKS = {"net-skp": {"opts": ["--attachable --driver overlay"]}}

VOLUMES = {
    "volume-jupyter-skp": {"type": "nfs", "opts": ["--driver local", "--opt type=nfs"], "path": "$SKP_MNT/volume-jupyter-skp"},
    "volume-mysql-skp": {"type": "fs", "labels": ["mysql"], "opts": ["--driver local", "--opt o=bind"], "path": "$SKP_MNT/volume-mysql-skp"},
    "volume-kafka-skp": {"type": "fs", "labels": ["kafka"], "opts": ["--driver local", "--opt o=bind"], "path": "$SKP_MNT/volume-kafka-skp"},
    "volume-blobfs": {"type": "blobfs", "path": "$SKP_MNT/volume-blobfs", "account_name": "me", "account_key": "canary-of-azure", "container_name": "lake"},
    "volume-s3fs": {"type": "s3fs", "path": "$SKP_MNT/s3", "account_id": "YOUR_ACCOUNT_ID", "account_key": "YOUR_ACCOUNT_KEY", "bucket": "YOUR_BUCKET"},
}

SERVICES_JSON = {
    "jupyter-skp": {
        "label": "jupyter", "networks": ["net-skp"], "ports": ["8011:8888", "8020:8088"],
        "environments": ["SKP_SHOME=$SKP_SHOME", "JUPYTER_PASSWORD=jupyter-pw", "JUPYTER_BASEURL=jupyter-skp"],
        "volumes": [SOCKET + ":" + SOCKET, "volume-jupyter-skp:$SKP_SMNT/volume-jupyter-skp"],
        "cmd": "$SKP_SHOME/volume/bin/run_jupyter.sh", "image": "localhost:5000/skp/docker-ds:latest", "docker": "docker",
    },
    "mysql-skp": {
        "label": "mysql", "networks": ["net-skp"], "ports": ["3306:3306"], "environments": ["MYSQL_ROOT_HOST=%", "MYSQL_ROOT_PASSWORD=canary-of-mysql"],
        "volumes": ["volume-mysql-skp:/var/lib/mysql"], "image": "mysql/mysql-server:latest",
    },
    "zookeeper-skp": {
        "label": "zookeeper", "networks": ["net-skp"], "ports": ["2181:2181", "2888:2888", "3888:3888"],
        "volumes": ["$SKP_MNT/volume-zookeeper-skp/conf/zoo.cfg:/opt/zookeeper/conf/zoo.cfg", "$SKP_MNT/volume-zookeeper-skp/data:/opt/zookeeper/data"],
        "path": "$SKP_MNT/volume-zookeeper-skp", "image": "localhost:5000/skp/docker-zookeeper",
    },
    "kafka-skp": {
        "label": "kafka", "networks": ["net-skp"], "ports": ["9092:9092", "9094:9094"], "volumes": ["volume-kafka-skp:/kafka", SOCKET + ":" + SOCKET],
        "zookeeper": "zookeeper-skp", "image": "localhost:5000/skp/docker-kafka",
    },
}

IMAGES = {
    "skp/docker-ds": {"opts": ["--build-arg locale=en_US.UTF-8", "--build-arg gpu=FALSE"], "registry": "localhost:5000", "path": "skp/docker-ds",
                      "image": "skp/docker-ds", "tag": "latest"},
    "skp/docker-kafka": {"opts": [], "registry": "localhost:5000", "path": "skp/docker-kafka", "image": "skp/docker-kafka", "tag": "latest"},
}

LATER_ENV = """\
export SKP_USER="skp"
export SKP_HOME="$HOME/st-kilda-pier"
export SKP_MNT="$HOME/mnt"
export SKP_HOSTS="$SKP_HOME/etc/hosts.json"
export SKP_SERVICES="$SKP_HOME/etc/services.json"
export SKP_SUSER="root"
export SKP_SHOME="/root/skp"
export SKP_SMNT="/root/mnt"
"""


def early():
    """{name: bytes}: the first versions, with env.sh and one JSON file."""
    return {"hosts.json": json.dumps(HOSTS).encode(), "env.sh": ENV.encode()}


def later():
    """{name: bytes}: the last version, with five JSON files and few names in env.sh."""
    hosts = {name: dict(entry, labels={key: value for label in entry["labels"] for key, value in label.items()}) for name, entry in HOSTS.items()}
    files = {"hosts.json": hosts, "networks.json": NETWORKS, "volumes.json": VOLUMES, "services.json": SERVICES_JSON, "images.json": IMAGES}
    return {"env.sh": LATER_ENV.encode(), **{name: json.dumps(value).encode() for name, value in files.items()}}
