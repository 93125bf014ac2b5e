# SPDX-License-Identifier: GPL-3.0-or-later
"""The metadata database, asked without Airflow: its import alone takes seconds, and this runs at each start and in each health check."""

import configparser
import json
import os
import urllib.parse

SCHEMA = "/opt/airflow/share/skp/schema.json"
"""Written by the build: {"version": ..., "tables": {table of the revision: {"head": revision, "known": [revisions]}}}."""

READY, OLDER, NEWER, EMPTY = "ready", "older", "newer", "empty"
"""EMPTY is READY without a user: the admin is made after the migration, by programs that must not meet others that do the same."""


class Unavailable(Exception):
    """The database does not answer, or does not let us in."""


def url():
    """The database's URL, from the settings that this container has."""
    settings = configparser.RawConfigParser()
    settings.read(os.environ.get("AIRFLOW_CONFIG", "/run/secrets/airflow.cfg"), encoding="utf-8")
    text = os.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN") or settings.get("database", "sql_alchemy_conn", fallback="")
    return urllib.parse.urlsplit(text.replace("%%", "%"))


def place(target):
    """The database for people, without the password."""
    return target.path if target.scheme == "sqlite" else "%s:%s%s" % (target.hostname, target.port or "", target.path)


def connect(target, timeout=5):
    """(connection, kind). Raises Unavailable."""
    kind = target.scheme.partition("+")[0]
    text = {name: urllib.parse.unquote(getattr(target, name) or "") for name in ("username", "password")}
    try:
        if kind == "sqlite":
            import sqlite3

            return sqlite3.connect(target.path[1:] if target.path.startswith("//") else target.path, timeout=timeout), kind
        if kind == "mysql":
            import MySQLdb

            return MySQLdb.connect(host=target.hostname, port=target.port or 3306, user=text["username"], password=text["password"],
                                   database=target.path.lstrip("/"), connect_timeout=timeout, ssl_mode="PREFERRED", init_command="SET time_zone='+00:00'"), kind
        if kind == "postgresql":
            import psycopg2

            return psycopg2.connect(host=target.hostname, port=target.port or 5432, user=text["username"], password=text["password"],
                                    dbname=target.path.lstrip("/"), connect_timeout=timeout), kind
    except Exception as exc:
        raise Unavailable(" ".join(str(exc).split())) from exc
    raise Unavailable("found a URL that begins with %s, expected mysql, postgresql or sqlite" % (kind or "nothing"))


def ask(connection, statement, values=()):
    """The first row, or None. A table that is not there is None too."""
    cursor = connection.cursor()
    try:
        cursor.execute(statement, values)
        return cursor.fetchone()
    except Exception as exc:
        connection.rollback()
        if missing_table(exc):
            return None
        raise Unavailable(" ".join(str(exc).split())) from exc
    finally:
        cursor.close()


def missing_table(exc):
    """Whether an error of one of the drivers says that there is no such table."""
    return (exc.args or [0])[0] == 1146 or getattr(exc, "pgcode", "") == "42P01" or "no such table" in str(exc)


def revisions(connection, tables):
    """{table: revision or ""} of the metadata."""
    return {table: (ask(connection, "SELECT version_num FROM %s" % table) or [""])[0] for table in tables}


def judge(found, schema):
    """(READY, OLDER or NEWER, sentence). found: {table: revision or ""}, schema: see SCHEMA. Pure."""
    unknown = {table: revision for table, revision in found.items() if revision and revision not in schema["tables"][table]["known"]}
    if unknown:
        return NEWER, (
            "the metadata is at revision %s, which Airflow %s of this image does not know: a newer version has migrated it. Nothing was changed. "
            "Run the newer image again (airflow_image), or restore the database as it was before the upgrade."
            % (", ".join("%s (%s)" % (revision, table) for table, revision in sorted(unknown.items())), schema["version"]))
    late = {table: revision for table, revision in found.items() if revision != schema["tables"][table]["head"]}
    if late:
        return OLDER, "the metadata is %s, and Airflow %s needs %s" % (
            ", ".join("at revision %s" % revision if revision else "without %s" % table for table, revision in sorted(late.items())), schema["version"],
            ", ".join(schema["tables"][table]["head"] for table in sorted(late)))
    return READY, "the metadata is that of Airflow %s" % schema["version"]


def look(target, schema):
    """The judgement of the database behind a URL, and whether there is a user. Raises Unavailable."""
    connection, _kind = connect(target)
    try:
        state, sentence = judge(revisions(connection, schema["tables"]), schema)
        if state == READY and not ask(connection, "SELECT id FROM ab_user LIMIT 1"):
            return EMPTY, "the metadata has no admin yet"
        return state, sentence
    finally:
        connection.close()


def schema():
    """What the build has written."""
    with open(SCHEMA, encoding="utf-8") as stream:
        return json.load(stream)


AGE = {
    "mysql": "SELECT TIMESTAMPDIFF(SECOND, MAX(latest_heartbeat), UTC_TIMESTAMP()) FROM job WHERE job_type = %s AND hostname = %s",
    "postgresql": "SELECT extract(epoch FROM now() - max(latest_heartbeat)) FROM job WHERE job_type = %s AND hostname = %s",
    "sqlite": "SELECT (julianday('now') - julianday(substr(max(latest_heartbeat), 1, 19))) * 86400 FROM job WHERE job_type = ? AND hostname = ?",
}


def heartbeat_age(job, hostname):
    """Seconds since the last sign of life of a component on this host, None if there was none."""
    connection, kind = connect(url())
    try:
        row = ask(connection, AGE[kind], (job, hostname))
        return None if row is None or row[0] is None else float(row[0])
    finally:
        connection.close()
