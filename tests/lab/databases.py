# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""MySQL, PostgreSQL and Redis through their own clients, and what each of the two database servers must survive."""
from __future__ import annotations

import json
import re
import subprocess
import uuid

import lablib

DATABASE = "reports"
"""The lab's own database on both servers (inventory/lab/group_vars/all/lab.yml), with a user of the same name."""
ROWS = 1000


class Server:
    """A database server: names, the client's command, statements that both servers take."""

    role = label = service = port = image = ""
    more = ()
    """Lines of the client that are no row."""
    refusal = ""
    """What the server says to its superuser from another host."""

    def command(self, database=DATABASE):
        """The client, as the user of a database, over the network."""
        raise NotImplementedError

    def ask(self, statements, database=DATABASE, check=True):
        """Run statements as the user of a database. Returns the rows, cells separated by tabs."""
        text = lablib.execute(self.service + "-client", *self.command(database), stdin=statements, check=check)
        return [line for line in text.splitlines() if line and not line.startswith(self.more)]

    def numbers(self, table):
        """The numbers in a table."""
        return {int(line) for line in self.ask(f"SELECT i FROM {table};")}

    def fill(self, table, numbers):
        """A table with these numbers."""
        values = ", ".join(f"({i})" for i in numbers)
        self.ask(f"CREATE TABLE {table} (i INT PRIMARY KEY); INSERT INTO {table} VALUES {values};")

    def keep(self):
        """A new table with numbers. Returns its name, for `has`."""
        table = f"kept{uuid.uuid4().hex[:8]}"
        self.fill(table, range(300))
        return table

    def has(self, table):
        """Whether a table of `keep` has all its numbers."""
        return self.numbers(table) == set(range(300))

    def answers(self):
        """Whether it takes a query."""
        return self.ask("SELECT 6 * 7;") == ["42"]

    def elsewhere(self, user, password, statement):
        """What the server says to a user who comes from a container of another node."""
        raise NotImplementedError

    def shell(self, script, stdin):
        """Run a script in a container of the server's image on another node, in the overlay network."""
        node = next(name for name in sorted(lablib.hosts()) if name not in lablib.labelled(self.label))
        return lablib.on(node, "docker", "run", "--rm", "-i", "--network", "net-skp", "--entrypoint", "sh", self.image, "-c", script, stdin=stdin, check=False)

    def inserts(self, table, first):
        """One insert after the other, each committed, from a number on. Yields each that the client says is committed, until the server dies."""
        node, ident = lablib.task_container(self.service + "-client")
        command = ["docker", "exec", "-i", lablib.container(node), "docker", "exec", "-i", ident, *self.command()]
        # Without buffers: what could not be written when the server died must not be written at the end.
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as process:
            try:
                for i in range(first, ROWS):
                    process.stdin.write(f"INSERT INTO {table} VALUES ({i}); SELECT {i};\n".encode())
                    line = process.stdout.readline().decode()
                    while line.startswith(self.more):
                        line = process.stdout.readline().decode()
                    if line.strip() != str(i):
                        return
                    yield i
            except BrokenPipeError:
                return
            finally:
                process.kill()


class MySQL(Server):
    """The server of the role mysql."""

    role = label = "mysql"
    service, port, image = "mysql-skp", 3306, "localhost:5000/skp/docker-mysql:latest"
    more = ("mysql: [Warning]",)
    refusal = "Access denied for user 'root'"
    superuser, secret = "root", "mysql_root_password"
    visible = "SHOW DATABASES;"
    schemas = {DATABASE, "information_schema", "performance_schema"}

    def command(self, database=DATABASE):
        return ["mysql", f"--defaults-file=/run/secrets/{database}.cnf", "--batch", "--skip-column-names", "--unbuffered"]

    def elsewhere(self, user, password, statement):
        login = f'[client]\nuser={user}\npassword="{password}"\nhost={self.service}\nport={self.port}\n'
        login += "" if user == self.superuser else f"[mysql]\ndatabase={user}\n"
        return self.shell(f"cat >/tmp/login && mysql --defaults-file=/tmp/login --batch --skip-column-names -e '{statement}'", login)


class PostgreSQL(Server):
    """The server of the role postgresql."""

    role, label = "postgresql", "pgsql"
    service, port, image = "pgsql-skp", 5432, "localhost:5000/skp/docker-postgresql:latest"
    more = ("INSERT ", "CREATE ", "DROP ")
    refusal = "pg_hba.conf rejects connection"
    superuser, secret = "postgres", "postgresql_password"
    # Databases that the user may connect to.
    visible = "SELECT datname FROM pg_database WHERE has_database_privilege(datname, $$CONNECT$$) AND datallowconn;"
    schemas = {DATABASE}

    def command(self, database=DATABASE):
        return ["psql", "-X", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", self.service, "-U", database, "-d", database]

    def elsewhere(self, user, password, statement):
        login = f"{self.service}:{self.port}:*:{user}:{password}\n"
        database = "postgres" if user == self.superuser else user
        script = f"umask 077; cat >/tmp/login && PGPASSFILE=/tmp/login psql -X -A -t -w -h {self.service} -U {user} -d {database} -c '{statement}'"
        return self.shell(script, login)


def redis(commands):
    """What Redis answers to commands, after the login; a line for each."""
    password = lablib.on(lablib.manager(), "cat", "/etc/skp/secrets/redis_password").strip()
    text = lablib.execute("redis-skp", "redis-cli", stdin=f"AUTH {password}\n{commands}\n")
    return text.splitlines()[1:]


def survives_kills(server, table, figures):
    """kill -9 of the server in the middle of inserts, twice in ROWS of them: no row is lost that was said to be committed."""
    server.fill(table, [-1])
    acknowledged, kills, first = set(), 0, 0
    while first < ROWS:
        for i in server.inserts(table, first):
            acknowledged.add(i)
            if i in (ROWS // 3, 2 * ROWS // 3):
                node, ident = lablib.task_container(server.service)
                lablib.on(node, "docker", "kill", "-s", "KILL", ident)
                kills += 1
        _, seconds = lablib.wait(f"{server.role} answers again", server.answers, 240)
        present = server.numbers(table)
        assert acknowledged <= present, f"committed and lost: {sorted(acknowledged - present)[:20]}"
        figures[f"{server.role}: kill -9 number {kills}, answers again after seconds; committed / lost"] = (seconds, f"{len(acknowledged)} / 0")
        # The insert that was under way when the server died may be there, although nobody was told.
        first = max(present) + 1
    assert kills == 2 and server.numbers(table) == {-1, *range(ROWS)}


def survives_deletion(server, table):
    """The container is deleted, then two runs: the same data, and nothing to change."""
    server.fill(table, range(200))
    for service in (server.service, server.service + "-client"):
        node, ident = lablib.task_container(service)
        lablib.on(node, "docker", "rm", "-f", ident)
    assert lablib.play("site.yml", "--tags", server.role).changed == set()
    lablib.wait(f"{server.role} answers", server.answers, 120)
    assert lablib.play("site.yml", "--tags", server.role).changed == set()
    assert server.numbers(table) == set(range(200))


def keeps_strangers_out(server):
    """The superuser is local; a user comes from everywhere, and has one database."""
    secret = lablib.on(lablib.manager(), "cat", f"/etc/skp/secrets/{server.secret}").strip()
    assert server.refusal in server.elsewhere(server.superuser, secret, "SELECT 42;")
    own = lablib.on(lablib.manager(), "cat", f"/etc/skp/secrets/{server.role}_{DATABASE}_password").strip()
    assert server.elsewhere(DATABASE, own, "SELECT 42;").split() == ["42"]
    assert set(server.elsewhere(DATABASE, own, server.visible).split()) == server.schemas
    assert "42" not in server.elsewhere(DATABASE, "wrong", "SELECT 42;").split()


def another_database(server, figures):
    """One more database comes without a stop of the server, and stays when it is no longer in the list."""
    both = [{"name": DATABASE}, {"name": DATABASE, "server": "postgresql"}]
    more = {"name": "second_one", "server": server.role, "password": "chosen'by\\people"}
    before = lablib.task_container(server.service)
    result = lablib.play("site.yml", "--tags", server.role, "-e", json.dumps({"skp_databases": [*both, more]}))
    figures[f"{server.role}: one more database, seconds"] = round(result.seconds, 1)
    server.ask("CREATE TABLE t (i INT); INSERT INTO t VALUES (7);", "second_one")
    lablib.play("site.yml", "--tags", server.role)
    assert lablib.task_container(server.service) == before
    # Both clients take a \ in a file of logins twice.
    assert server.elsewhere("second_one", more["password"].replace("\\", "\\\\"), "SELECT i FROM t;").split() == ["7"], "removed from the list, and still there"


def the_client_of_people(server):
    """Its playbook shows the command, or runs a query; no password is in what it shows."""
    words = lablib.on(lablib.manager(), "sh", "-c", f"cat /etc/skp/secrets/{server.role}_*").split()
    shown = lablib.play(f"playbooks/{server.role}_client.yml")
    asked = lablib.play(f"playbooks/{server.role}_client.yml", "-e", f"{server.role}_query='SELECT 6 * 7'", "-e", f"{server.role}_database={DATABASE}", "-vvv")
    assert f"{server.service}-client" in shown.text and "docker exec -it" in shown.text
    assert re.search(r"^ +- ['\"]? *42['\"]?$", asked.text, re.M) and shown.changed == asked.changed == set()
    assert [word for word in words if word in shown.text or word in asked.text] == []
