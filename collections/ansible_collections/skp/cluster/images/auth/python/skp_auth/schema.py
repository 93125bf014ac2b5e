# SPDX-License-Identifier: GPL-3.0-or-later
"""The revision of the database: who may start on it, and how it gets the one of this version."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import typing as t

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import exc

READY, OLDER, NEWER = "ready", "older", "newer"
MIGRATIONS = pathlib.Path(__file__).with_name("migrations")
LOCK = 61007
"""Name of the lock under which one program migrates."""


class Unavailable(Exception):
    """The database does not answer, or does not let us in."""


@functools.lru_cache(maxsize=1)
def revisions() -> tuple[str, frozenset]:
    """(the newest, all) revisions of this version."""
    directory = ScriptDirectory(str(MIGRATIONS))
    return directory.get_current_head() or "", frozenset(script.revision for script in directory.walk_revisions())


def judge(found: str, head: str, known: t.Collection[str]) -> tuple[str, str]:
    """(READY, OLDER or NEWER, sentence) of the revision that was found ("" for none). Pure."""
    if found == head:
        return READY, "the database has revision %s" % head
    if found and found not in known:
        return NEWER, (
            "the database has revision %s, which this version does not know (it needs %s): a newer version has migrated it. Nothing was changed. "
            "Run the newer image again (auth_image), or restore the database as it was before the upgrade." % (found, head))
    return OLDER, "the database has %s, and this version needs %s" % ("revision %s" % found if found else "no tables", head)


def look(engine: sa.Engine) -> tuple[str, str]:
    """The judgement of a database. Raises Unavailable."""
    try:
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision() or ""
    except exc.SQLAlchemyError as error:
        raise Unavailable(" ".join(str(getattr(error, "orig", None) or error).split())) from error
    return judge(found, *revisions())


def migrate(engine: sa.Engine) -> None:
    """Bring the database to the revision of this version. Two that do it at once do it one after the other, and the second finds nothing to do."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection, _alone(connection):
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


@contextlib.contextmanager
def _alone(connection: sa.Connection) -> t.Iterator[None]:
    """Hold the server's lock; it goes with the connection."""
    name = connection.dialect.name
    if name == "mysql":
        connection.execute(sa.text("SELECT GET_LOCK('skp_auth_%d', 60)" % LOCK))
    elif name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_lock(%d)" % LOCK))
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        if name == "mysql":
            connection.execute(sa.text("SELECT RELEASE_LOCK('skp_auth_%d')" % LOCK))
        elif name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_unlock(%d)" % LOCK))
        connection.commit()
