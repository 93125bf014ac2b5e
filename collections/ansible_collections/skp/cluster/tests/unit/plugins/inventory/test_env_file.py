# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""env.sh: values as bash gives them, types by the table, one line per fault. bash itself is asked where it is there."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible_collections.skp.cluster.plugins.plugin_utils import _env_file

# Every name st-kilda-pier's guide exports.
GUIDE = """
AIRFLOW_DB AIRFLOW_DB_PASSWORD AIRFLOW_DB_USER AIRFLOW_GPU AIRFLOW_GPU_IMAGE AIRFLOW_GPU_TAG AIRFLOW_IMAGE AIRFLOW_NAME AIRFLOW_PORT AIRFLOW_TAG
AIRFLOW_VOLUME AIRFLOW__CORE__SQL_ALCHEMY_CONN BLOB_ACCOUNT_KEY BLOB_ACCOUNT_NAME BLOB_CONTAINER_NAME JUPYTER_BASEURL JUPYTER_DOCKER JUPYTER_GPU
JUPYTER_GPU_IMAGE JUPYTER_GPU_TAG JUPYTER_IMAGE JUPYTER_NAME JUPYTER_PASSWORD JUPYTER_PORT JUPYTER_RESTAPIPORT JUPYTER_TAG JUPYTER_VOLUME KAFKA_IMAGE
KAFKA_NAME KAFKA_TAG KAFKA_VOLUME PORTAINER_NAME PORTAINER_PORT S3_ACCESS_ID S3_ACCESS_KEY S3_ACCOUNT SKP_NET SPARK_GPU SPARK_GPU_IMAGE SPARK_GPU_TAG
SPARK_IMAGE SPARK_MNAME SPARK_MPORT SPARK_TAG SPARK_URL SPARK_VOLUME SPARK_WNAME SSHFS_HOST SSHFS_ID SSHFS_VOLUME ZOOKEEPER_IMAGE ZOOKEEPER_NAME
ZOOKEEPER_TAG ZOOKEEPER_VOLUME
""".split()


def read(text: str, **environment: str) -> _env_file.EnvFile:
    """The file under the name env.sh."""
    return _env_file.parse(text.encode(), "env.sh", environment)


def test_every_name_of_the_guide_is_known() -> None:
    assert len(GUIDE) == 54
    assert [name for name in GUIDE if name not in _env_file.NAMES] == []


def test_a_file_as_the_guide_has_it() -> None:
    found = read(
        """#!/bin/bash

export SKP_HOME="$HOME/st-kilda-pier"
export SKP_NET="net-skp"

# Jupyter
export JUPYTER_NAME="jupyter-skp" # Container Name
export JUPYTER_PORT="8010" # Jupyter Port
export JUPYTER_VOLUME=$SKP_HOME/volume # Jupyter Volume Path
export JUPYTER_DOCKER="docker" # Docker Command
export JUPYTER_GPU="FALSE" # if you have a GPU, set TRUE
export SSHFS_ID=""

export SPARK_MNAME="spark-skp-master"
export SPARK_URL="spark://$SPARK_MNAME:7077"
export ZOOKEEPER_VOLUME="/var/zookeeper"
""",
        HOME="/home/skp",
        PATH="/bin",
    )
    assert found.variables == {
        "skp_home": "/home/skp/st-kilda-pier",
        "skp_net": "net-skp",
        "jupyter_name": "jupyter-skp",
        "jupyter_port": 8010,
        "jupyter_volume": "/home/skp/st-kilda-pier/volume",
        "volumes_sshfs_id": "",
        "spark_name": "spark-skp",
        "zookeeper_data_dir": "/var/zookeeper",
    }
    where = "env.sh: line 3: SKP_HOME: $HOME is taken from the controller"
    assert found.warnings == (
        f'{where}: "/home/skp"; write the value if the nodes differ',
    )


# Lines that end with SKP_NET set, and no other: what bash makes of SKP_NET is what we make of it.
LIKE_BASH = [
    "export SKP_NET=net",
    "SKP_NET=net",
    "  export   SKP_NET=net  ",
    "export SKP_NET=",
    "export SKP_NET='a b'",
    'export SKP_NET="a b"',
    'export SKP_NET=a" b "c',
    "export SKP_NET=a' b 'c",
    "export SKP_NET=a\\ b",
    "export SKP_NET=a#b",
    "export SKP_NET=a #b",
    "export SKP_NET='a#b' # c",
    'export SKP_NET="a\\"b\\\\c\\$d\\`e\\f"',
    "export SKP_NET='a\"b\\c$d'",
    'export SKP_NET="it\'s"',
    "export X=1; export SKP_NET=$X$X",
    "export X=1 SKP_NET=2",
    'export X=1\nexport SKP_NET="${X}0-$X"',
    "export X=1\nexport SKP_NET='$X'",
    "export X=1\nexport SKP_NET=\\$X",
    "export X=1\nexport SKP_NET=a$X/b",
    'export X="a b"\nexport SKP_NET=$X',
    'export SKP_NET="a$"',
    'export SKP_NET="5$ or $ 5"',
    "export SKP_NET=one\nexport SKP_NET=two",
    "SKP_NET=one\nexport SKP_NET",
    'export SKP_NET="a \\\nb"',
    "export SKP_NET=\\\nb",
    "# export SKP_NET=no \\\nexport SKP_NET=yes",
    "export SKP_NET=~/x",
    'export SKP_NET="~/x"',
    "export SKP_NET=$HOME/x",
    "export SKP_NET=a=b=c",
    "export SKP_NET=*",
    "export SKP_NET='한글'",
    "export SKP_NET=\t# nothing",
    # A comment ends with its line; so does a line that ends with an escaped backslash.
    "export X=1 # note \\\nexport SKP_NET=b",
    "export SKP_NET=foo\\\\\nexport X=1",
    'export SKP_NET="foo\\\\"\nexport X=1',
    "export SKP_NET=a#b\\\nc",
    "export SKP_NET='a'\\\nb",
    "export SKP_NET=\"it's \\\nso\"",
]


@pytest.mark.parametrize("text", LIKE_BASH)
def test_a_value_is_what_bash_makes_of_it(text: str) -> None:
    bash = shutil.which("bash")
    if not bash:
        pytest.skip("no bash here")
    script = f'{text}\nprintf "%s" "$SKP_NET"'
    result = subprocess.run(
        [bash, "--norc"], input=script, env={"HOME": "/home/skp", "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, check=True
    )
    assert read(text, HOME="/home/skp").variables == {"skp_net": result.stdout}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("JUPYTER_PORT=8010", {"jupyter_port": 8010}),
        ("JUPYTER_PORT=", {}),
        ("JUPYTER_PORT=1\nJUPYTER_PORT=", {}),
        ("FLASK_NAME=flask-skp\nFLASK_PORT=8060\nFLASK_IMAGE=skp/docker-ds\nFLASK_TAG=latest\nFLASK_GPU=FALSE", {"auth_name": "flask-skp", "auth_port": 8060}),
        ("FLASK_SECRET=flask-skp\nFLASK_VOLUME=/srv/skp/volume\nFLASK_GPU=TRUE", {}),
        ("FLASK_GPU=", {}),
        ("AIRFLOW_IMAGE=skp/docker-ds\nAIRFLOW_GPU_IMAGE=skp/docker-ds-gpu\nAIRFLOW_GPU=FALSE", {}),
        ("JUPYTER_IMAGE=", {}),
        ("KAFKA_IMAGE=x/kafka\nKAFKA_TAG=2.13", {"kafka_image": "x/kafka:2.13"}),
        ("KAFKA_TAG=2.13\nKAFKA_IMAGE=x:5000/kafka", {"kafka_image": "x:5000/kafka:2.13"}),
        ("KAFKA_IMAGE=x/kafka:3\nKAFKA_TAG=2.13", {"kafka_image": "x/kafka:3"}),
        ("REGISTRY_IMAGE=registry\nREGISTRY_TAG=2", {"registry_image": "registry:2"}),
        ("KAFKA_VOLUME=/var/kafka", {"kafka_data_dir": "/var/kafka"}),
        ("REGISTRY_PORT=5001", {"skp_registry": "localhost:5001"}),
        ("SPARK_MPORT=9030", {"spark_ui_port": 9030}),
        ("SPARK_MNAME=my-master", {"spark_name": "my"}),
        ("JUPYTER_PASSWORD=TRUE", {"jupyter_password": "TRUE"}),
        ("JUPYTER_TAG=latest", {}),
        ("SKP_USER=me", {}),
        ("KAFKA_IMAGE=skp/docker-kafka", {}),
        ("MYSQL_IMAGE=mysql\nMYSQL_TAG=8.4", {"mysql_image": "mysql:8.4"}),
        ("MYSQL_VOLUME=/d/mysql\nPGSQL_VOLUME=/d/pg", {"mysql_data_dir": "/d/mysql", "postgresql_data_dir": "/d/pg"}),
        ("PGSQL_NAME=db\nPGSQL_PORT=5433\nPGSQL_PASSWORD=x", {"postgresql_name": "db", "postgresql_port": 5433, "postgresql_password": "x"}),
        ("AIRFLOW_IMAGE=apache/airflow", {"airflow_image": "apache/airflow"}),
        ("", {}),
        ("\r\nexport SKP_NET=net\r\n", {"skp_net": "net"}),
        ("\ufeffexport SKP_NET=net", {"skp_net": "net"}),
    ],
)
def test_types(text: str, value: dict[str, object]) -> None:
    found = read(text).variables
    assert found == value
    assert [type(item) for item in found.values()] == [type(item) for item in value.values()]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("export KAFKA_NAMES=x", "line 1: KAFKA_NAMES: unknown name, no variable is set; did you mean KAFKA_NAME?"),
        ("\nexport FOO=x", "line 2: FOO: unknown name, no variable is set"),
    ],
)
def test_unknown_names_warn_and_can_be_referred_to(text: str, warning: str) -> None:
    found = read(f"{text}\nexport SKP_NET=${text.split()[-1].split('=')[0]}")
    assert found.warnings == (f"env.sh: {warning}",)
    assert found.variables == {"skp_net": "x"}


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        ("JUPYTER_GPU=FALSE\nJUPYTER_TAG=latest\nSKP_USER=me", ()),
        ("JUPYTER_GPU=TRUE", ("line 1: JUPYTER_GPU: has no effect: use the GPU image; the label gpu of a host does it instead",)),
        ("KAFKA_TAG=2.13", ("line 1: KAFKA_TAG: has no effect: the image is built by skp.cluster; set skp_image_tag",)),
        ("SPARK_VOLUME=/x", ("line 1: SPARK_VOLUME: has no effect: directory of the notebooks in Spark's containers; set spark_mounts",)),
        ("SPARK_MNAME=m-master\nSPARK_WNAME=m-worker\nSPARK_URL=spark://$SPARK_MNAME:7077", ()),
        ("SPARK_WNAME=other", ("line 1: SPARK_WNAME: has no effect: name of the Spark workers' service; follows from SPARK_MNAME",)),
        ("NGINX_VOLUME=/x", ("line 1: NGINX_VOLUME: has no effect: directory of pages; the admin page is in the image",)),
        ("NGINX_NAME=n\nNGINX_PORT=2\nS3_BUCKET=b", ()),
    ],
)
def test_names_without_effect_are_said(text: str, warnings: tuple[str, ...]) -> None:
    assert read(text).warnings == tuple(f"env.sh: {warning}" for warning in warnings)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("export JUPYTER_PORT=0165536", 'line 1: JUPYTER_PORT: found "0165536", expected a port from 1 to 65535'),
        ("export SKP_NET=$'a'", "line 1: SKP_NET: found a dollar sign before a quote, expected only the quotes"),
        ('export SKP_NET=$"a"', "line 1: SKP_NET: found a dollar sign before a quote, expected only the quotes"),
        ("export SKP_NET='a\\\nb'", "line 1: SKP_NET: found an opening single quote, expected a closing one on the same line"),
        ("export SKP_HOME=~admin/x", 'line 1: SKP_HOME: found "~" and more than a slash after it, expected the complete path'),
        ("export SKP_HOME=a:~/x", 'line 1: SKP_HOME: found "~" after a colon, expected the complete path'),
        ("export JUPYTER_PORT=70000", 'line 1: JUPYTER_PORT: found "70000", expected a port from 1 to 65535'),
        ("export JUPYTER_PORT=0", 'line 1: JUPYTER_PORT: found "0", expected a port from 1 to 65535'),
        ("export JUPYTER_PORT=²", 'line 1: JUPYTER_PORT: found "²", expected a port from 1 to 65535'),
        ("export JUPYTER_GPU=yes", 'line 1: JUPYTER_GPU: found "yes", expected TRUE or FALSE'),
        ("export KAFKA_VOLUME=$SKP_HOME/x", "line 1: KAFKA_VOLUME: refers to $SKP_HOME, expected a name that an earlier line sets"),
        ("export SKP_NET=$(hostname)", "line 1: SKP_NET: found a command, expected plain text (the file is never executed)"),
        ('export SKP_NET="`id`"', "line 1: SKP_NET: found a command, expected plain text (the file is never executed)"),
        (
            "export SKP_NET=a|b",
            'line 1: SKP_NET: found "|" outside quotes, expected plain text (the file is never executed), or quotes around it',
        ),
        (
            "export SKP_NET={a,b}",
            'line 1: SKP_NET: found "{" outside quotes, expected plain text (the file is never executed), or quotes around it',
        ),
        ("export SKP_NET=a;rm -rf /", 'line 1: found "rm", expected export NAME=value (the file is never executed)'),
        ('export SKP_NET="a', "line 1: SKP_NET: found an opening double quote, expected a closing one on the same line"),
        ("\n\nexport SKP_NET='a", "line 3: SKP_NET: found an opening single quote, expected a closing one on the same line"),
        (
            "export SKP_NET=${A:-b}",
            'line 1: SKP_NET: found "${" with more than a name, expected $NAME or ${NAME}, or single quotes around text with a dollar sign',
        ),
        (
            'export S3_ACCESS_KEY="pa$$word"',
            'line 1: S3_ACCESS_KEY: found "$$", expected $NAME or ${NAME}, or single quotes around text with a dollar sign',
        ),
        ("source ./other.sh", 'line 1: found "source", expected export NAME=value (the file is never executed)'),
        ("export SKP_NET = net", 'line 1: found "=", expected export NAME=value (the file is never executed)'),
        ("if true; then", 'line 1: found "if", expected export NAME=value (the file is never executed)'),
        ("export 1A=b", 'line 1: found "1A", expected export NAME=value (the file is never executed)'),
        ("export SKP-NET=b", 'line 1: found "SKP-NET", expected export NAME=value (the file is never executed)'),
    ],
)
def test_faults(text: str, error: str) -> None:
    with pytest.raises(_env_file.EnvFileError) as caught:
        read(text)
    assert caught.value.errors == (f"env.sh: {error}",)


def test_all_faults_are_told_at_once_and_no_secret_is() -> None:
    with pytest.raises(_env_file.EnvFileError) as caught:
        read('export S3_ACCESS_KEY="hush-hush$(x)"\nexport JUPYTER_PASSWORD=hush-hush|hush\nexport JUPYTER_PORT=x')
    assert len(caught.value.errors) == 3
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("text", ["export JUPYTER_PASSWORD=pa$hush", "export PW=pa${hush}", "export JUPYTER_PASSWORD=my hush", "PW=a h@hush", "PW='a\nhush"])
def test_half_a_password_is_not_shown(text: str) -> None:
    with pytest.raises(_env_file.EnvFileError) as caught:
        read(text)
    assert "hush" not in str(caught.value)


def test_not_utf8() -> None:
    with pytest.raises(_env_file.EnvFileError) as caught:
        _env_file.parse(b"export SKP_NET=a\nexport S3_ACCOUNT=\xb0\n", "env.sh", {})
    assert caught.value.errors == ("env.sh: line 2: found a byte that is not UTF-8, expected a file saved as UTF-8",)
