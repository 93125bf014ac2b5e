# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""skp-spark and skp-spark-conf, run as they are; `spark-class` only says how it was called."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import pytest

BIN = pathlib.Path(__file__).resolve().parents[3] / "images/ds/bin"
REFUSED = 78


@pytest.fixture(name="run")
def _run(tmp_path):
    """run(script, *arguments, **environment) -> CompletedProcess, with a name that resolves and a run directory that can be written."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("skp-spark", "skp-spark-conf"):
        shutil.copy(BIN / name, tools)
    spark = tmp_path / "spark/bin"
    spark.mkdir(parents=True)
    for path, text in {
        spark / "spark-class": 'printf "[%s]" "$@"; echo; env | grep ^SPARK_ | sort',
        tools / "hostname": "echo here",
        tools / "getent": 'if [ "$1" = passwd ]; then exec /usr/bin/getent "$@"; fi; test "$2" = "${RESOLVES-here}" && echo "10.0.1.7 STREAM here"',
        tools / "nproc": "echo 8",
    }.items():
        path.write_text("#!/bin/sh\n%s\n" % text)
        path.chmod(0o755)
    cgroup = tmp_path / "cgroup"
    cgroup.mkdir()

    def run(script, *arguments, **environment):
        env = {
            "PATH": "%s:%s" % (tools, os.environ["PATH"]), "SPARK_HOME": str(spark.parent), "SPARK_CONF_DIR": str(tmp_path / "run/spark"),
            "SPARK_AUTH_SECRET_FILE": str(tmp_path / "secret"), "SPARK_WORKER_DIR": str(tmp_path / "work"), "SKP_CGROUP": str(cgroup),
        }  # fmt: skip
        env.update(environment)
        return subprocess.run([tools / script, *arguments], capture_output=True, text=True, env=env, timeout=30, check=False)

    run.conf, run.secret, run.cgroup = tmp_path / "run/spark", tmp_path / "secret", cgroup
    return run


def test_the_conf_holds_address_and_secret_and_is_private(run):
    run.secret.write_text("abc+DEF/1=\n")
    done = run("skp-spark-conf")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    lines = (run.conf / "spark-defaults.conf").read_text().split("\n")
    assert "spark.driver.host 10.0.1.7" in lines and "spark.authenticate.secret abc+DEF/1=" in lines
    assert "SPARK_LOCAL_HOSTNAME=10.0.1.7" in (run.conf / "spark-env.sh").read_text()
    assert run.conf.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in run.conf.iterdir()} == {0o600}
    assert sorted(path.name for path in run.conf.iterdir()) == ["spark-defaults.conf", "spark-env.sh"]


def test_the_conf_without_a_secret_holds_none(run):
    assert run("skp-spark-conf").returncode == 0
    assert "secret" not in (run.conf / "spark-defaults.conf").read_text()


@pytest.mark.parametrize("secret", ["", "\n", "two words", "a\nspark.ui.port 1", "back\\slash"])
def test_a_secret_that_a_properties_file_would_change_is_refused(run, secret):
    run.secret.write_text(secret)
    done = run("skp-spark-conf")
    assert done.returncode == REFUSED
    assert str(run.secret) in done.stderr and done.stderr.count("\n") == 1
    assert not (run.conf / "spark-defaults.conf").exists()


def test_refused_where_the_own_name_does_not_resolve(run):
    done = run("skp-spark-conf", RESOLVES="elsewhere")
    assert (done.returncode, done.stderr) == (REFUSED, "skp-spark-conf: the own name here resolves to no IPv4 address: others could not reach this container\n")


def test_refused_where_nothing_can_be_written(run):
    done = run("skp-spark-conf", SPARK_CONF_DIR="/proc/no/spark")
    assert done.returncode == REFUSED
    assert done.stderr.startswith("skp-spark-conf: /proc/no is not writable for uid")


def test_master(run):
    done = run("skp-spark", "master", SPARK_MASTER_HOST="spark-skp-master", SPARK_MASTER_WEBUI_PORT="")
    assert done.returncode == 0
    wanted = "[org.apache.spark.deploy.master.Master][--host][spark-skp-master][--port][7077][--webui-port][8030]\n"
    assert done.stdout.startswith(wanted) and "SPARK_MASTER" not in done.stdout


def worker(run, **environment):
    """(cores, memory) a worker offers; the rest of its call is as it should be."""
    done = run("skp-spark", "worker", SPARK_MASTER_URL="spark://m-1:7077,m-2:7077", **environment)
    assert done.returncode == 0, done.stderr
    call = done.stdout.split("\n", maxsplit=1)[0].strip("[]").split("][")
    assert call[:5] == ["org.apache.spark.deploy.worker.Worker", "--host", "10.0.1.7", "--webui-port", "8081"]
    assert (call[5], call[7], call[9], call[-1]) == ("--cores", "--memory", "--work-dir", "spark://m-1:7077,m-2:7077")
    # Spark reads these too, and an empty one is an error there.
    assert "SPARK_WORKER_CORES" not in done.stdout and "SPARK_WORKER_MEMORY" not in done.stdout
    return call[6], call[8]


def node_memory():
    """MiB of this machine."""
    with open("/proc/meminfo", encoding="ascii") as stream:
        return int(stream.readline().split()[1]) // 1024


def test_a_worker_offers_what_the_node_has_less_the_reserve(run):
    assert worker(run, SPARK_WORKER_CORES="", SPARK_WORKER_MEMORY="") == ("7", "%dm" % (node_memory() - 2048))
    assert worker(run, SPARK_WORKER_RESERVE_CORES="3", SPARK_WORKER_RESERVE_MEMORY="700m") == ("5", "%dm" % (node_memory() - 700))
    assert worker(run, SPARK_WORKER_RESERVE_CORES="8")[0] == "1"
    assert worker(run, SPARK_WORKER_CORES="16", SPARK_WORKER_MEMORY="3g") == ("16", "3072m")


def test_a_limit_of_the_container_counts_as_the_nodes(run):
    (run.cgroup / "cpu.max").write_text("350000 100000\n")
    (run.cgroup / "memory.max").write_text("1610612736\n")
    assert worker(run, SPARK_WORKER_RESERVE_MEMORY="512m") == ("2", "1024m")


def test_no_limit_in_words_or_as_a_huge_number_is_none(run):
    (run.cgroup / "cpu.max").write_text("max 100000\n")
    (run.cgroup / "memory").mkdir()
    (run.cgroup / "memory/memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert worker(run) == ("7", "%dm" % (node_memory() - 2048))


def test_limits_of_cgroup_version_1(run):
    for name, text in {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000", "memory/memory.limit_in_bytes": "1073741824"}.items():
        (run.cgroup / name).parent.mkdir(exist_ok=True)
        (run.cgroup / name).write_text(text + "\n")
    assert worker(run, SPARK_WORKER_RESERVE_MEMORY="256m") == ("1", "768m")


@pytest.mark.parametrize(
    "environment, words",
    [
        ({"SPARK_MASTER_URL": ""}, "SPARK_MASTER_URL is ''"),
        ({"SPARK_WORKER_CORES": "0"}, "SPARK_WORKER_CORES is '0'"),
        ({"SPARK_WORKER_MEMORY": "3"}, "SPARK_WORKER_MEMORY is '3'"),
        ({"SPARK_WORKER_RESERVE_MEMORY": "much"}, "SPARK_WORKER_RESERVE_MEMORY is 'much'"),
        ({"SPARK_WORKER_RESERVE_MEMORY": "90000g"}, "reserve less or set SPARK_WORKER_MEMORY"),
        ({"SPARK_WORKER_RESERVE_CORES": "few"}, "SPARK_WORKER_RESERVE_CORES is 'few'"),
        ({"SPARK_WORKER_DIR": "/proc/no"}, "/proc/no is not writable"),
    ],
)
def test_a_worker_refuses_with_one_line(run, environment, words):
    done = run("skp-spark", "worker", **{"SPARK_MASTER_URL": "spark://m:7077", **environment})
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert words in done.stderr and done.stderr.count("\n") == 1


def test_history_and_usage(run):
    assert run("skp-spark", "history").stdout.startswith("[org.apache.spark.deploy.history.HistoryServer]\n")
    assert run("skp-spark", "slave").returncode == 64
