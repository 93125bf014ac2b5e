# SPDX-License-Identifier: GPL-3.0-or-later
"""Build step: migrates a database, makes the admin, loads the executors and the examples, and writes which schemas of the metadata this version knows."""

import importlib
import json
import os
import pathlib
import runpy
import subprocess
import sys

home = pathlib.Path("/tmp/smoke")
home.mkdir()
(home / "password").write_text("smoke", encoding="utf-8")
(home / "airflow.cfg").write_text("[database]\nsql_alchemy_conn = sqlite:////tmp/smoke/airflow.db\n", encoding="utf-8")
os.environ.update(
    AIRFLOW_HOME=str(home), AIRFLOW_CONFIG=str(home / "airflow.cfg"), AIRFLOW__CORE__LOAD_EXAMPLES="False", ADMIN_PASSWORD_FILE=str(home / "password"),
    AIRFLOW__CORE__AUTH_MANAGER="skp_airflow.auth_manager.GatewayAuthManager",
    AIRFLOW__FAB__CONFIG_FILE="/etc/airflow/webserver_config.py", SKP_AIRFLOW_POOLS='[{"name": "smoke", "slots": 2}]',
    AIRFLOW__CORE__DAGS_FOLDER="/opt/airflow/examples")
subprocess.run(["airflow", "db", "migrate"], check=True)
subprocess.run([sys.executable, "-m", "skp_airflow.accounts"], check=True)

from airflow.models.backfill import BackfillDagRunExceptionReason, ReprocessBehavior  # noqa: E402
from airflow.models.callback import CallbackFetchMethod, CallbackType  # noqa: E402
from airflow.models.dagwarning import DagWarningType  # noqa: E402
from airflow.models.pool import Pool  # noqa: E402
from airflow.providers.fab.auth_manager.models.db import FABDBManager  # noqa: E402
from airflow.utils.db import _get_script_object  # noqa: E402
from airflow.utils.session import create_session  # noqa: E402
from airflow.version import version  # noqa: E402
from skp_airflow import auth_manager  # noqa: E402

with create_session() as session:
    assert Pool.get_pool("smoke", session=session).slots == 2
    scripts = {"alembic_version": _get_script_object(), "alembic_version_fab": FABDBManager(session).get_script_object()}
# An account of the gateway is one user, whose role follows the account's level.
numbers = [auth_manager.number_of("smoke", level) for level in ("A", "U", "A")]
assert len(set(numbers)) == 1, numbers
assert [role.name for role in auth_manager.GatewayAuthManager().deserialize_user({"sub": str(numbers[0])}).roles] == ["Admin"]
# What the drivers of MySQL write into the database; see install.
for kind in (BackfillDagRunExceptionReason, ReprocessBehavior, CallbackFetchMethod, CallbackType, DagWarningType):
    assert [str(member) for member in kind] == [member.value for member in kind], kind
for path in ("airflow.executors.local_executor.LocalExecutor", "airflow.providers.celery.executors.celery_executor.CeleryExecutor",
             "airflow.providers.cncf.kubernetes.executors.kubernetes_executor.KubernetesExecutor",
             "airflow.providers.docker.operators.docker_swarm.DockerSwarmOperator",
             "airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator"):
    module, _dot, name = path.rpartition(".")
    getattr(importlib.import_module(module), name)
for module in ("MySQLdb", "aiomysql", "psycopg2", "asyncpg", "redis", "confluent_kafka"):
    importlib.import_module(module)
for example in sorted(pathlib.Path("/opt/airflow/examples").glob("*.py")):
    runpy.run_path(str(example))

tables = {table: {"head": script.get_current_head(), "known": sorted(revision.revision for revision in script.walk_revisions())}
          for table, script in scripts.items()}
pathlib.Path(sys.argv[1]).write_text(json.dumps({"version": version, "tables": tables}), encoding="utf-8")

os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = "sqlite:////tmp/smoke/airflow.db"
from skp_airflow import metadata  # noqa: E402

known = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
assert metadata.look(metadata.url(), known)[0] == metadata.READY, metadata.look(metadata.url(), known)
