# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to skp.cluster: the databases of applications, one with one user for each, and the statements that make them.

Pure functions of plain data. Nothing here removes a database or a table: the statements create what is missing, and set password and rights of the users.
"""

from __future__ import annotations

import re

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure

SERVERS = ("mysql", "postgresql")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}\Z")
"""Of databases and users: what both servers take (a user of MySQL has 32 characters at most), and what no statement, file name or URL has to escape."""

RESERVED = {
    "mysql": {"database": {"mysql", "information_schema", "performance_schema", "sys", "root"}, "user": {"root"}},
    "postgresql": {"database": {"postgres", "template0", "template1"}, "user": {"postgres", "public", "none"}},
}
_KEYS = ("name", "server", "user", "password", "group")


def databases(entries, servers, groups=()):
    """All databases, complete, and what is wrong.

    entries: dictionaries with `name`, and `server` (default mysql), `user` (default the name), `password` (default: one is generated), and `group`: the entry
    counts only if the inventory has this group of hosts. servers: {server: {"host", "port", "hosts": [hosts that run it]}}. groups: names of groups with hosts.
    Returns {"databases": [{"name", "server", "user", "password", "secret", "host", "port"}], "problems": {server: [sentence]}}. `secret` is the name of
    the generated password, "" where one was given. Sentences do not show passwords.
    """
    found, problems = [], {server: [] for server in SERVERS}
    for number, entry in enumerate(entries, 1):
        if entry.get("group") and entry["group"] not in groups:
            continue
        server = str(entry.get("server") or "mysql")
        name = str(entry.get("name") or "")
        wrong = _problems(entry, number, name, server)
        if wrong:
            for where in (server,) if server in SERVERS else SERVERS:
                problems[where] += wrong
            continue
        password = str(entry.get("password") or "")
        found.append({
            "name": name,
            "server": server,
            "user": str(entry.get("user") or name),
            "password": password,
            "secret": "" if password else "%s_%s_password" % (server, name),
            "host": servers[server]["host"],
            "port": int(servers[server]["port"]),
        })
    for server in SERVERS:
        here = [item for item in found if item["server"] == server]
        problems[server] += _repeated(server, here)
        if here and not servers[server]["hosts"]:
            problems[server].append(
                "%s shall be on %s, but no host has its label. Add the label %s to one host in hosts.json, or remove the database from skp_databases."
                % (", ".join(sorted(item["name"] for item in here)), server, {"postgresql": "pgsql"}.get(server, server)))
    return {"databases": found, "problems": problems}


def _problems(entry, number, name, server):
    where = "Database %s of skp_databases" % (name or "number %d" % number)
    if server not in SERVERS:
        return ["%s: found server %s, expected mysql or postgresql." % (where, server)]
    wrong = ["%s: unknown key %s; keys are %s." % (where, key, ", ".join(_KEYS[:4])) for key in sorted(set(entry) - set(_KEYS))]
    for key, value in (("name", name), ("user", str(entry.get("user") or name))):
        kind = "database" if key == "name" else "user"
        if not NAME.match(value):
            wrong.append("%s: found %s %r, expected letters, digits and _, at most 32, not a digit first." % (where, key, value))
        elif value.lower() in RESERVED[server][kind] or (server == "postgresql" and kind == "user" and value.lower().startswith("pg_")):
            wrong.append("%s: the %s %s is the server's own. Choose another name." % (where, kind, value))
    if re.search(r"[\x00-\x1f\x7f]", str(entry.get("password") or "")):
        wrong.append("%s: the password has a line break or another control character." % where)
    return wrong


def _repeated(server, items):
    """A sentence for each database, and for each user, that stands there twice: each application has its own."""
    lines = []
    for key, what in (("name", "database"), ("user", "user")):
        values = [item[key] for item in items]
        for value in sorted({value for value in values if values.count(value) > 1}):
            lines.append("The %s %s stands twice in skp_databases for %s. Each application has its own." % (what, value, server))
    return lines


def with_passwords(items, secrets):
    """The databases with the value of their generated passwords. secrets: {name: value}. Raises Failure if one is not there."""
    missing = sorted(item["secret"] for item in items if item["secret"] and not secrets.get(item["secret"]))
    if missing:
        raise Failure("No value of the secrets %s, so no database was touched. Run site.yml, which makes them." % ", ".join(missing), kind="no_secret")
    return [dict(item, password=item["password"] or secrets[item["secret"]]) for item in items]


def statements(server, items, superuser_password=""):
    """The statements for all databases of a server, to be run by its superuser, any number of times.

    items: as `databases` returns them, with passwords. superuser_password: of PostgreSQL's superuser; MySQL's is set when the server starts (`start`).
    """
    mine = [item for item in items if item["server"] == server]
    lines = ["SELECT 1;"]  # swarm does not allow an empty secret
    if server == "mysql":
        for item in mine:
            lines += _mysql(item)
    else:
        # A statement that fails must not be in the server's log with its password.
        lines = ["SET log_statement = 'none';", "SET log_min_error_statement = 'panic';", "SET log_min_duration_statement = -1;"]
        if superuser_password:
            lines.append("ALTER ROLE postgres PASSWORD %s;" % literal("postgresql", superuser_password))
        lines += ["REVOKE CONNECT, TEMPORARY ON DATABASE %s FROM PUBLIC;" % name for name in ("postgres", "template1")]
        for item in mine:
            lines += _postgresql(item)
    return "\n".join(lines) + "\n"


def _mysql(item):
    user, password = "'%s'@'%%'" % item["user"], literal("mysql", item["password"])
    return [
        "CREATE DATABASE IF NOT EXISTS `%s`;" % item["name"],
        "CREATE USER IF NOT EXISTS %s IDENTIFIED BY %s;" % (user, password),
        "ALTER USER %s IDENTIFIED BY %s;" % (user, password),
        # In a GRANT, _ stands for any character: without the \ the user of a_b would also have the database axb.
        "GRANT ALL PRIVILEGES ON `%s`.* TO %s;" % (item["name"].replace("_", "\\_"), user),
    ]


def _postgresql(item):
    name, user = item["name"], item["user"]
    return [
        "SELECT 'CREATE ROLE \"%s\"' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%s') \\gexec" % (user, user),
        "ALTER ROLE \"%s\" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD %s;" % (user, literal("postgresql", item["password"])),
        "SELECT 'CREATE DATABASE \"%s\" OWNER \"%s\"' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '%s') \\gexec" % (name, user, name),
        "ALTER DATABASE \"%s\" OWNER TO \"%s\";" % (name, user),
        "REVOKE CONNECT, TEMPORARY ON DATABASE \"%s\" FROM PUBLIC;" % name,
    ]


def literal(server, text):
    """A text as a literal of SQL."""
    if server == "mysql":
        text = text.replace("\\", "\\\\")
    return "'%s'" % text.replace("'", "''")


def start(root_password):
    """What MySQL runs at each start, before it takes connections: root has this password, and is local."""
    return "ALTER USER 'root'@'localhost' IDENTIFIED BY %s;\nDROP USER IF EXISTS 'root'@'%%';\n" % literal("mysql", root_password)


def login(user, password, **settings):
    """MySQL's option file of a client, so that a password is in no command line. settings: host, port, socket, database."""
    # Without the \ before it, a quotation mark would end the value, and a # behind it begin a comment.
    lines = ["[client]", "user=%s" % user, 'password="%s"' % password.replace("\\", "\\\\").replace('"', '\\"')]
    lines += ["%s=%s" % (key, value) for key, value in sorted(settings.items()) if key != "database"]
    if settings.get("database"):
        lines += ["[mysql]", "database=%s" % settings["database"]]
    return "\n".join(lines) + "\n"


def passfile(items):
    """PostgreSQL's file of passwords of a client, for all its databases."""
    escaped = (item["password"].replace("\\", "\\\\").replace(":", "\\:") for item in items)
    return "".join("%s:%d:%s:%s:%s\n" % (item["host"], item["port"], item["name"], item["user"], word) for item, word in zip(items, escaped))


def files(server, items, secrets, password, socket=""):
    """What the containers of a server get as secrets, {name of the file: content}.

    items: as `databases` returns them. secrets: {name: value} of the cluster. password: of the superuser. socket: MySQL's, in its containers.
    `databases.sql` makes the databases. For MySQL, `start.sql` and `root.cnf`, and for each database `<name>.cnf`, the login of its user; for PostgreSQL
    `pgpass`, the logins of all users, if there is a database.
    """
    mine = with_passwords([item for item in items if item["server"] == server], secrets)
    if server == "mysql":
        found = {"databases.sql": statements(server, mine), "start.sql": start(password), "root.cnf": login("root", password, socket=socket)}
        for item in mine:
            found[item["name"] + ".cnf"] = login(item["user"], item["password"], host=item["host"], port=item["port"], database=item["name"])
        return found
    found = {"databases.sql": statements(server, mine, password)}
    if mine:
        found["pgpass"] = passfile(mine)
    return found
