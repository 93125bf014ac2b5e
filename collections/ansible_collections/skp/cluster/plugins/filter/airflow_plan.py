# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: airflow_plan
short_description: What the name of an executor means on Airflow 3, and what cannot work
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - The names of Airflow 2 keep their meaning. V(SequentialExecutor) is the local executor with one task at a time. V(CeleryKubernetesExecutor) and
    V(LocalKubernetesExecutor) are a list of two; the first one runs the tasks that name none.
options:
  _input:
    description: Name of the executor; empty for the one that fits the labels.
    type: str
    required: true
  groups:
    description: The variable C(groups).
    type: dict
    required: true
  database:
    description: V(mysql), V(postgresql), V(sqlite), or empty for the one of the labels.
    type: str
    default: ''
  own_database:
    description: Whether the site gives the URL of a database.
    type: bool
    default: false
  kubeconfig:
    description: Whether there is a kubeconfig.
    type: bool
    default: false
  flower:
    description: Whether Flower is asked for.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: What runs
  ansible.builtin.debug:
    msg: "{{ 'LocalKubernetesExecutor' | skp.cluster.airflow_plan(groups, kubeconfig=true) }}"
"""

RETURN = r"""
_value:
  description:
    - C(executor), C(core) (Airflow's own setting), C(database), C(local), C(celery), C(kubernetes), C(parallelism) (V(0) for what fits the memory),
      C(tasks_on) (labels of the hosts on which tasks run), C(problems) (sentences).
  type: dict
"""

from ansible_collections.skp.cluster.plugins.module_utils.airflow.plan import of_cluster


def airflow_plan(executor, groups, database="", own_database=False, kubeconfig=False, flower=False):
    """See DOCUMENTATION."""
    return of_cluster(executor, database, groups, own_database, kubeconfig, flower)


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"airflow_plan": airflow_plan}
