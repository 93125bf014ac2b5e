# SPDX-License-Identifier: GPL-3.0-or-later
"""The database: accounts, the sessions that are open, and counted attempts. Every function is one transaction.

A session is what a sign-in opens. Both of its tokens name it, and count only while it is here: to end a session is to revoke both at once. With an account
its sessions go, so no token of a deleted account opens a later one of the same name.
"""

from __future__ import annotations

import datetime
import time
import typing as t
import uuid

import sqlalchemy as sa
from sqlalchemy import exc, orm

from .settings import ADMIN

# MySQL's usual collation takes "Kim" and "kim" for one.
EXACT = {"charset": "ascii", "collation": "ascii_bin"}


def exact(length: int) -> sa.types.TypeEngine:
    """A short ASCII text that is compared letter by letter on every server."""
    from sqlalchemy.dialects import mysql

    return sa.String(length).with_variant(mysql.VARCHAR(length, **EXACT), "mysql")


def utc() -> datetime.datetime:
    """Now, as the columns keep it: UTC, without a zone, whole seconds."""
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0)


class Base(orm.DeclarativeBase):
    """All tables."""


class Account(Base):
    """Who may sign in."""

    __tablename__ = "accounts"
    id: orm.Mapped[str] = orm.mapped_column(exact(32), primary_key=True)
    pw: orm.Mapped[str] = orm.mapped_column(sa.String(256))
    level: orm.Mapped[str] = orm.mapped_column(exact(1))
    active: orm.Mapped[bool] = orm.mapped_column(sa.Boolean)
    create_datetime: orm.Mapped[datetime.datetime] = orm.mapped_column(sa.DateTime, default=utc)
    update_datetime: orm.Mapped[datetime.datetime] = orm.mapped_column(sa.DateTime, default=utc, onupdate=utc)


class Session(Base):
    """What a sign-in has opened."""

    __tablename__ = "sessions"
    id: orm.Mapped[str] = orm.mapped_column(exact(32), primary_key=True)
    account_id: orm.Mapped[str] = orm.mapped_column(exact(32), sa.ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    create_datetime: orm.Mapped[datetime.datetime] = orm.mapped_column(sa.DateTime, default=utc)
    expires: orm.Mapped[int] = orm.mapped_column(sa.BigInteger, index=True)


class Attempt(Base):
    """How often something was tried since a moment."""

    __tablename__ = "attempts"
    name: orm.Mapped[str] = orm.mapped_column(exact(64), primary_key=True)
    expires: orm.Mapped[int] = orm.mapped_column(sa.BigInteger, index=True)
    count: orm.Mapped[int] = orm.mapped_column(sa.Integer)


class Taken(Exception):
    """There is an account of this name."""


class Store:
    """The database behind a URL."""

    def __init__(self, url: str) -> None:
        self.engine = connect(url)
        self._begin = orm.sessionmaker(self.engine, expire_on_commit=False).begin

    # Accounts ------------------------------------------------------------------------------------------------------------------------------------

    def account(self, ident: str) -> Account | None:
        """The account of this name."""
        with self._begin() as db:
            return db.get(Account, ident)

    def accounts(self, after: str, limit: int) -> list[Account]:
        """So many accounts in the order of their names, after this one."""
        with self._begin() as db:
            return list(db.scalars(sa.select(Account).where(Account.id > after).order_by(Account.id).limit(limit)))

    def add(self, ident: str, pw: str, level: str, active: bool) -> Account:
        """A new account. Of several at once that have one name, one is made; the others get Taken: the table's key decides."""
        account = Account(id=ident, pw=pw, level=level, active=active)
        try:
            with self._begin() as db:
                db.add(account)
        except exc.IntegrityError as error:
            raise Taken(ident) from error
        return account

    def change(self, ident: str, **values: t.Any) -> Account | None:
        """The account with new values, its sessions ended. None if there is none."""
        with self._begin() as db:
            account = db.get(Account, ident, with_for_update=True)
            if account is not None:
                for name, value in values.items():
                    setattr(account, name, value)
                db.execute(sa.delete(Session).where(Session.account_id == ident))
            return account

    def remove(self, ident: str) -> bool:
        """Delete the account with its sessions. False if there is none."""
        with self._begin() as db:
            return db.execute(sa.delete(Account).where(Account.id == ident)).rowcount > 0

    # Sessions ------------------------------------------------------------------------------------------------------------------------------------

    def open_session(self, seen: Account, life: int) -> str | None:
        """A session of an account whose password was just checked. None if the account is another one by now, or may not sign in."""
        ident = uuid.uuid4().hex
        with self._begin() as db:
            account = db.get(Account, seen.id, with_for_update=True)
            if account is None or not account.active or account.pw != seen.pw:
                return None
            db.add(Session(id=ident, account_id=account.id, expires=int(time.time()) + life))
        return ident

    def owner(self, session: str, ident: str) -> Account | None:
        """The account of an open session, if it has this name and may sign in: what every request asks."""
        with self._begin() as db:
            return db.scalars(sa.select(Account).join(Session, Session.account_id == Account.id).where(
                Session.id == session, Session.expires > int(time.time()), Account.id == ident, Account.active.is_(True))).first()

    def end_session(self, session: str) -> None:
        """Revoke both tokens of a session."""
        with self._begin() as db:
            db.execute(sa.delete(Session).where(Session.id == session))

    def end_sessions(self, ident: str) -> None:
        """Revoke all tokens of an account."""
        with self._begin() as db:
            db.execute(sa.delete(Session).where(Session.account_id == ident))

    # Attempts ------------------------------------------------------------------------------------------------------------------------------------

    def attempts(self, names: t.Iterable[str]) -> dict[str, tuple[int, int]]:
        """{name: (how many in this time, when the time ends)} of those that were counted."""
        with self._begin() as db:
            return {row.name: (row.count, row.expires) for row in db.scalars(
                sa.select(Attempt).where(Attempt.name.in_(list(names)), Attempt.expires > int(time.time())))}

    def count(self, name: str, seconds: int) -> None:
        """Count one attempt. Exact over all instances, because the row is locked while it is changed."""
        for _turn in range(3):
            now = int(time.time())
            with self._begin() as db:
                row = db.get(Attempt, name, with_for_update=True)
                if row is not None:
                    if row.expires <= now:
                        row.expires, row.count = now + seconds, 0
                    row.count += 1
                    return
            try:
                with self._begin() as db:
                    db.add(Attempt(name=name, expires=now + seconds, count=1))
                return
            except exc.IntegrityError:
                continue  # another request was quicker
        raise exc.TimeoutError("the counter of attempts is busy")

    # Upkeep --------------------------------------------------------------------------------------------------------------------------------------

    def clean(self) -> None:
        """Remove what has ended."""
        with self._begin() as db:
            for table in (Session, Attempt):
                db.execute(sa.delete(table).where(table.expires <= int(time.time())))

    def ensure_admin(self, ident: str, password: str, right: t.Callable, make: t.Callable) -> str:
        """The admin that the cluster keeps, with the password of its secret. Returns what was done. What is right already is left: sessions go on."""
        account = self.account(ident)
        if account is None:
            try:
                self.add(ident, make(password), ADMIN, True)
                return "made the admin %s" % ident
            except Taken:
                account = self.account(ident)  # another node of the swarm had the same task for a moment
        if account is not None and account.active and account.level == ADMIN and right(account.pw, password):
            return "the admin %s has its password" % ident
        self.change(ident, pw=make(password), level=ADMIN, active=True)
        return "the admin %s has the password of its secret; its sessions have ended" % ident


def connect(url: str) -> sa.Engine:
    """The engine of a URL. Each question has a time limit; values never appear in errors, because they are hashes of passwords."""
    target = sa.make_url(url)
    kind = target.get_backend_name()
    # A server that has TLS is asked over TLS; its certificate is its own, so it cannot be checked.
    options: dict[str, t.Any] = {
        "mysql": {"connect_timeout": 5, "read_timeout": 15, "write_timeout": 15, "ssl": {"check_hostname": False}},
        # libpq waits for ever for a server whose node lost power, unless the kernel is told to give up.
        "postgresql": {"connect_timeout": 5, "options": "-c statement_timeout=15000", "tcp_user_timeout": 10000,
                       "keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3},
        "sqlite": {"timeout": 15},
    }[kind]
    more = {} if kind == "sqlite" else {"pool_size": 8, "max_overflow": 4, "pool_timeout": 5, "pool_recycle": 1800, "isolation_level": "READ COMMITTED"}
    engine = sa.create_engine(target, connect_args=options, pool_pre_ping=True, hide_parameters=True, **more)
    if kind == "sqlite":
        sa.event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA foreign_keys=ON"))
    return engine
