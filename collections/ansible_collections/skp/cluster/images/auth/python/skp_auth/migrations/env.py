# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic runs this file for each migration. The connection is that of `skp_auth.schema`, which holds the lock."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
