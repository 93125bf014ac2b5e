# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start scripts of MySQL and PostgreSQL, run as they are, with servers that only say how they were called."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

COLLECTION = pathlib.Path(__file__).resolve().parents[3]
REFUSED = 78

MYSQLD = """#!/bin/bash
for word in "$@"; do case $word in
    --help) echo "datadir                 $DATA/"; exit ;;
    --datadir=*) new=${word#*=} ;;
    --init-file=*) echo "statements: $(cat "${word#*=}")" ;;
    --initialize-insecure) made=1 ;;
esac; done
if [[ -n ${made:-} ]]; then
    mkdir -p "$new" && touch "$new/ibdata1"
    [[ -z ${CUT_OFF:-} ]] || exit 1
    mkdir "$new/mysql"
else
    echo "mysqld $*"
fi
"""
POSTGRES = """#!/bin/bash
if [[ ${1:-} == --version ]]; then echo "postgres (PostgreSQL) 17.4 (Debian)"; else echo "postgres $*"; fi
"""
INITDB = """#!/bin/bash
for word in "$@"; do case $word in
    --pgdata=*) new=${word#*=} ;;
    --pwfile=*) echo "password: $(cat "${word#*=}")" ;;
esac; done
echo "initdb ${*:3}"
mkdir -p "$new" && echo 17 >"$new/PG_VERSION"
"""


@pytest.fixture(name="run")
def _run(tmp_path):
    """run(image, *arguments, **environment) -> CompletedProcess of the image's entry point. The data is in tmp_path/home/data."""
    tools, home = tmp_path / "tools", tmp_path / "home"
    tools.mkdir()
    home.mkdir()
    for name, text in (("mysqld", MYSQLD), ("postgres", POSTGRES), ("initdb", INITDB)):
        (tools / name).write_text(text, encoding="utf-8")
        (tools / name).chmod(0o755)

    def run(image, *arguments, **environment):
        env = {"PATH": "%s:%s" % (tools, os.environ["PATH"]), "LANG": "C.UTF-8", "DATA": str(home / "data"), "PGDATA": str(home / "data"),
               "TMPDIR": str(tmp_path), **environment}
        script = COLLECTION / "images" / image / "bin/docker-entrypoint.sh"
        return subprocess.run([script, *arguments], capture_output=True, text=True, env=env, timeout=30, check=False)

    return run


@pytest.fixture(name="data")
def _data(tmp_path):
    """The directory of the data; not made yet."""
    return tmp_path / "home/data"


@pytest.mark.parametrize("image", ["mysql", "postgresql"])
def test_another_command_is_run_as_it_is(run, image):
    assert run(image, "echo", "a b").stdout == "a b\n"


@pytest.mark.parametrize("image, name", [("mysql", "MYSQL_ROOT_PASSWORD"), ("postgresql", "POSTGRES_PASSWORD")])
def test_no_database_without_a_password(run, data, image, name):
    done = run(image)
    assert (done.returncode, data.exists()) == (REFUSED, False) and name + "_FILE" in done.stderr
    both = run(image, **{name: "a", name + "_FILE": "/x"})
    assert both.returncode == REFUSED and "both set" in both.stderr
    gone = run(image, **{name + "_FILE": "/nowhere"})
    assert gone.returncode == REFUSED and "/nowhere" in gone.stderr and not data.exists()


def test_the_first_start_of_mysql(run, data, tmp_path):
    (tmp_path / "word").write_text("it's\\\n", encoding="utf-8")
    done = run("mysql", "mysqld", "--port=1", MYSQL_ROOT_PASSWORD_FILE=str(tmp_path / "word"), MYSQL_DATABASE="a_b", MYSQL_USER="u", MYSQL_PASSWORD="p")
    assert done.returncode == 0, done.stderr
    assert "ALTER USER 'root'@'localhost' IDENTIFIED BY 'it''s\\\\';" in done.stdout
    assert "GRANT ALL ON `a\\_b`.* TO 'u'@'%';" in done.stdout
    assert "mysqld --port=1 --init-file=" in done.stdout and "it's" not in done.stdout.split("mysqld --port")[1]
    assert (data / "mysql").is_dir() and not data.with_name("data.new").exists()


def test_a_first_start_that_was_cut_off_is_repeated(run, data):
    given = {"MYSQL_ROOT_PASSWORD": "x"}
    assert run("mysql", CUT_OFF="1", **given).returncode != 0 and not data.exists()
    assert run("mysql", **given).returncode == 0 and (data / "mysql").is_dir()


def test_a_later_start_of_mysql_needs_no_password(run, data):
    (data / "mysql").mkdir(parents=True)
    assert run("mysql", "--port=1").stdout == "mysqld --port=1\n"


@pytest.mark.parametrize("given", [{"MYSQL_ROOT_HOST": "%"}, {"MYSQL_DATABASE": "a`b"}, {"MYSQL_USER": "a'b"}])
def test_what_mysql_refuses(run, data, given):
    assert run("mysql", MYSQL_ROOT_PASSWORD="x", **given).returncode == REFUSED and not data.exists()


@pytest.mark.parametrize("image", ["mysql", "postgresql"])
def test_other_files_are_not_overwritten(run, data, image):
    data.mkdir()
    (data / "notes").touch()
    done = run(image, MYSQL_ROOT_PASSWORD="x", POSTGRES_PASSWORD="x")
    assert done.returncode == REFUSED and "not empty" in done.stderr and [path.name for path in data.iterdir()] == ["notes"]


def test_starts_of_postgresql(run, data):
    done = run("postgresql", "postgres", "-c", "a=b c", POSTGRES_PASSWORD="it's", POSTGRES_INITDB_ARGS="--data-checksums --encoding=UTF8")
    assert done.returncode == 0, done.stderr
    assert "password: it's\n" in done.stdout and "--data-checksums --encoding=UTF8" in done.stdout and done.stdout.endswith("postgres -c a=b c\n")
    assert run("postgresql", "-c", "a=b").stdout == "postgres -c a=b\n"
    (data / "PG_VERSION").write_text("16\n", encoding="utf-8")
    refused = run("postgresql")
    assert refused.returncode == REFUSED and "PostgreSQL 16" in refused.stderr and "17" in refused.stderr


@pytest.fixture(name="start")
def _start(tmp_path):
    """start() -> what the role's first command of MySQL does, with its directory in tmp_path/lib."""
    text = (COLLECTION / "roles/mysql/files/start").read_text(encoding="utf-8").replace("/var/lib/mysql", str(tmp_path / "lib"))
    (tmp_path / "start").write_text(text, encoding="utf-8")
    entry = tmp_path / "docker-entrypoint.sh"
    entry.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    entry.chmod(0o755)
    env = {"PATH": "%s:%s" % (tmp_path, os.environ["PATH"])}
    return lambda: subprocess.run(["sh", str(tmp_path / "start")], capture_output=True, text=True, env=env, timeout=30, check=False)


def test_the_roles_start_of_mysql(start, tmp_path):
    assert start().stdout == "mysqld\n", "the image makes the database, with root's password"
    (tmp_path / "lib/data/mysql").mkdir(parents=True)
    assert start().stdout == "mysqld --init-file=/run/secrets/start.sql\n"
    (tmp_path / "lib/ibdata1").touch()
    done = start()
    assert done.returncode == REFUSED and "data/" in done.stderr


SITE = """deb http://user:word@mirror.example/debian trixie main
deb http://mirror.example/debian trixie-updates main
deb http://sec.example trixie-security main
"""
PARAGRAPHS = """Types: deb
# a comment
URIs: http://one.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/key.gpg

Types: deb
URIs: http://one.example/debian-security
Suites: trixie-security
Components: main
"""


@pytest.mark.parametrize("name, text, line", [
    ("site", SITE, "deb [check-valid-until=no ] http://user:word@mirror.example/debian sid main"),
    ("apt/sources.list", "# x\ndeb [signed-by=/k.gpg] http://m/debian trixie main contrib\n",
     "deb [check-valid-until=no signed-by=/k.gpg] http://m/debian sid main"),
    ("apt/sources.list.d/debian.sources", PARAGRAPHS,
     "deb [check-valid-until=no signed-by=/usr/share/keyrings/key.gpg] http://one.example/debian sid main"),
])
def test_the_line_of_sid_comes_from_the_sources_that_are_there(tmp_path, name, text, line):
    (tmp_path / "apt/sources.list.d").mkdir(parents=True)
    (tmp_path / name).write_text(text, encoding="utf-8")
    script = (COLLECTION / "images/mysql/sid").read_text(encoding="utf-8").replace("/skp-site/sources.list", str(tmp_path / "site"))
    subprocess.run(["sh", "-c", script.replace("/etc/apt", str(tmp_path / "apt"))], check=True)
    written = tmp_path / ("site" if name == "site" else "apt/sources.list.d/sid.list")
    assert written.read_text(encoding="utf-8").splitlines()[-1] == line
    assert "Pin-Priority: 50" in (tmp_path / "apt/preferences.d/sid").read_text(encoding="utf-8")


def test_sources_without_a_suite_are_an_error(tmp_path):
    script = (COLLECTION / "images/mysql/sid").read_text(encoding="utf-8").replace("/skp-site/sources.list", str(tmp_path / "site"))
    done = subprocess.run(["sh", "-c", script.replace("/etc/apt", str(tmp_path / "apt"))], check=False, capture_output=True, text=True)
    assert done.returncode == 1 and "expected one like" in done.stderr
