# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m skp_airflow.accounts: the admin with the password of the secret, and the pools of the settings. Nothing else is changed, nobody is removed.

SKP_AIRFLOW_ADMIN      name of the admin
SKP_AIRFLOW_POOLS      JSON: [{"name", "slots", "description", "include_deferred"}]
ADMIN_PASSWORD_FILE    default /run/secrets/airflow_admin_password
"""

import json
import os

from airflow.models.pool import Pool
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.utils.session import create_session
from werkzeug.security import check_password_hash


def ensure_admin(name, password):
    """A user with the role Admin. A password that is right already is left, because a new one ends all sessions."""
    with get_application_builder() as builder:
        manager = builder.sm
        user, role = manager.find_user(username=name), manager.find_role("Admin")
        if user is None:
            if not manager.add_user(name, name, "skp", "%s@localhost" % name, role, password):
                raise SystemExit("skp-airflow: the user %s could not be made" % name)
            print("skp-airflow: made the user %s" % name)
        elif not user.password or not check_password_hash(user.password, password):
            manager.reset_password(user.id, password)
            print("skp-airflow: the user %s has a new password" % name)
        else:
            print("skp-airflow: the user %s has its password" % name)


def ensure_pools(pools):
    """Pools with their slots. A pool that is no longer in the settings stays: tasks may wait in it."""
    with create_session() as session:
        for pool in pools:
            Pool.create_or_update_pool(name=pool["name"], slots=int(pool["slots"]), description=pool.get("description") or "",
                                       include_deferred=bool(pool.get("include_deferred")), session=session)


if __name__ == "__main__":
    with open(os.environ.get("ADMIN_PASSWORD_FILE", "/run/secrets/airflow_admin_password"), encoding="utf-8") as stream:
        ensure_admin(os.environ.get("SKP_AIRFLOW_ADMIN", "admin"), stream.read().strip())
    ensure_pools(json.loads(os.environ.get("SKP_AIRFLOW_POOLS") or "[]"))
