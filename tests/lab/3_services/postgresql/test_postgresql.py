# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL: committed rows outlive kills and deleted containers, strangers stay out, databases come and are never removed."""
from __future__ import annotations

import uuid

import databases
import pytest

SERVER = databases.PostgreSQL()


def table():
    """A new name."""
    return f"t{uuid.uuid4().hex[:8]}"


def test_kill_during_a_thousand_inserts_loses_no_committed_row(figures):
    databases.survives_kills(SERVER, table(), figures)


# `make test` has MySQL's; both roles use the same files.
@pytest.mark.soak
def test_deleted_containers_and_set_up_twice_keep_all_rows():
    databases.survives_deletion(SERVER, table())


def test_the_superuser_is_local_and_a_user_has_one_database():
    databases.keeps_strangers_out(SERVER)


@pytest.mark.soak
def test_a_database_comes_without_a_restart_and_is_never_removed(figures):
    databases.another_database(SERVER, figures)


def test_the_client_for_people_shows_no_password():
    databases.the_client_of_people(SERVER)
