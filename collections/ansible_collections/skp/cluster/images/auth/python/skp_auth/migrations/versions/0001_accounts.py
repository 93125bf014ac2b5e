# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts, sessions, attempts."""

import sqlalchemy as sa
from alembic import op

from skp_auth.store import exact

revision = "0001"
down_revision = None


def upgrade():
    """MySQL cannot take a half-done migration back. So each table is made only where it is missing, and a migration that was killed can be run again."""
    there = sa.inspect(op.get_bind()).get_table_names()
    if "accounts" not in there:
        op.create_table(
            "accounts",
            sa.Column("id", exact(32), primary_key=True),
            sa.Column("pw", sa.String(256), nullable=False),
            sa.Column("level", exact(1), nullable=False),
            sa.Column("active", sa.Boolean, nullable=False),
            sa.Column("create_datetime", sa.DateTime, nullable=False),
            sa.Column("update_datetime", sa.DateTime, nullable=False),
        )
    if "sessions" not in there:
        op.create_table(
            "sessions",
            sa.Column("id", exact(32), primary_key=True),
            sa.Column("account_id", exact(32), sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
            sa.Column("create_datetime", sa.DateTime, nullable=False),
            sa.Column("expires", sa.BigInteger, nullable=False, index=True),
        )
    if "attempts" not in there:
        op.create_table(
            "attempts",
            sa.Column("name", exact(64), primary_key=True),
            sa.Column("expires", sa.BigInteger, nullable=False, index=True),
            sa.Column("count", sa.Integer, nullable=False),
        )
