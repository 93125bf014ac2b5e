# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. What the names of Airflow's executors mean on Airflow 3, and which settings cannot work together. Pure functions of plain data.

Airflow 3 itself knows three executors, and a list of them. The other names are those of Airflow 2: SequentialExecutor runs one task at a time,
CeleryKubernetesExecutor and LocalKubernetesExecutor run most tasks with the first and those that ask for it with the second.
"""

from __future__ import annotations

import base64

LOCAL, CELERY, KUBERNETES = "LocalExecutor", "CeleryExecutor", "KubernetesExecutor"
SEQUENTIAL = "SequentialExecutor"

EXECUTORS = {
    SEQUENTIAL: (LOCAL,),
    LOCAL: (LOCAL,),
    CELERY: (CELERY,),
    KUBERNETES: (KUBERNETES,),
    "CeleryKubernetesExecutor": (CELERY, KUBERNETES),
    "LocalKubernetesExecutor": (LOCAL, KUBERNETES),
}
"""Name of an executor -> the executors of Airflow 3 that do the same; the first one runs the tasks that name none."""

SERVERS = {"mysql": ("mysql",), "postgresql": ("postgresql", "pgsql")}
"""Database -> labels of the hosts that run it."""

DATABASES = ("mysql", "postgresql", "sqlite")


def of_cluster(executor, database, groups, own_database=False, kubeconfig=False, flower=False):
    """What runs, from what is asked for and which hosts there are.

    executor: a name of EXECUTORS, "" for the one that fits the labels. database: one of DATABASES, "" for the one of the labels. groups: {group: [host]}.
    own_database: the site gives the URL of a database. kubeconfig: there is a Kubernetes to use. flower: Celery's web UI is asked for.
    Returns {"executor": name, "core": Airflow's own setting, "database": name, "local", "celery", "kubernetes": bool, "parallelism": number or 0 for what
    fits the memory, "tasks_on": labels of the hosts on which tasks run, "problems": [sentence]}.
    """
    hosts = {name: list(groups.get(name.replace("-", "_")) or []) for name in ("airflow", "airflow-worker", "redis", *sum(SERVERS.values(), ()))}
    name = executor or _executor_of(hosts, database, own_database)
    parts = EXECUTORS.get(name, ())
    database = "own" if own_database else database or _database_of(hosts)
    found = {
        "executor": name,
        "core": ",".join(parts),
        "database": database,
        "local": LOCAL in parts,
        "celery": CELERY in parts,
        "kubernetes": KUBERNETES in parts,
        "parallelism": 1 if name == SEQUENTIAL else 0,
        "tasks_on": [label for label, part in (("airflow", LOCAL), ("airflow-worker", CELERY)) if part in parts],
    }
    return dict(found, problems=_problems(found, hosts, kubeconfig, flower) if hosts["airflow"] else _orphans(hosts))


def _database_of(hosts):
    """The database of the labels: MySQL, as in st-kilda-pier, before PostgreSQL; SQLite without either."""
    return next((name for name, labels in SERVERS.items() if any(hosts[label] for label in labels)), "sqlite")


def _executor_of(hosts, database, own_database):
    if hosts["airflow-worker"]:
        return CELERY
    return SEQUENTIAL if not own_database and (database or _database_of(hosts)) == "sqlite" else LOCAL


def _problems(found, hosts, kubeconfig, flower):
    """Sentences: what was found, why it cannot work, what to do."""
    name, database = found["executor"], found["database"]
    if name not in EXECUTORS:
        return ["airflow_executor is %s, expected one of %s." % (name, ", ".join(EXECUTORS))]
    said = []
    if database not in (*DATABASES, "own"):
        return ["airflow_database is %s, expected %s, or nothing for the one of the labels." % (database, ", ".join(DATABASES))]
    if database in SERVERS and not any(hosts[label] for label in SERVERS[database]):
        said.append("airflow_database is %s, but no host has the label %s. Add it to one host in hosts.json and run --tags %s first."
                    % (database, " or ".join(reversed(SERVERS[database])), database))
    if database == "sqlite" and name != SEQUENTIAL:
        said.append("%s writes to the metadata from several places at once, and SQLite has one writer. Give a host the label mysql or pgsql, or set "
                    "airflow_executor to SequentialExecutor." % name)
    if database == "sqlite" and len(hosts["airflow"]) > 1:
        said.append("SQLite is a file on one host, and %s have the label airflow. Leave the label on one of them, or give a host the label mysql or pgsql."
                    % ", ".join(sorted(hosts["airflow"])))
    if found["celery"] and not hosts["airflow-worker"]:
        said.append("%s needs workers, but no host has the label airflow-worker. Add it in hosts.json, or choose another airflow_executor." % name)
    if found["celery"] and not hosts["redis"]:
        said.append("%s needs a queue, but no host has the label redis. Add it to one host in hosts.json and run --tags redis first." % name)
    if found["kubernetes"] and not kubeconfig:
        said.append("%s needs a Kubernetes cluster. Set airflow_kubeconfig to the text or the path of its kubeconfig." % name)
    if flower and not found["celery"]:
        said.append("airflow_flower shows Celery's workers, and %s has none. Set airflow_flower to false." % name)
    return said


def _orphans(hosts):
    if not hosts["airflow-worker"]:
        return []
    return ["%s have the label airflow-worker, but no host has the label airflow. Add it to one host in hosts.json, or remove airflow-worker."
            % ", ".join(sorted(hosts["airflow-worker"]))]


def fernet_key(secret):
    """Airflow's form of a key of 256 bits that is given as hexadecimal digits. A value that is no such text is Airflow's own form already."""
    try:
        return base64.urlsafe_b64encode(bytes.fromhex(secret)).decode()
    except ValueError:
        return secret
