# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The witnesses of all services, and what is asked of all of them at once.

To add one: a file here with a subclass of `base.Witness`, and its name in `ALL`. What each part of a witness is for: base.py.
"""
from __future__ import annotations

import concurrent.futures

import lablib
from next_service.witness import Echo

from witness.airflow import Airflow
from witness.auth import Auth
from witness.base import REMOVED, Change, Witness
from witness.custom import Custom
from witness.gateway import Gateway
from witness.jupyter import Jupyter
from witness.kafka import Kafka
from witness.mysql import MySQL
from witness.portainer import Portainer
from witness.postgresql import PostgreSQL
from witness.redis import Redis
from witness.registry import Registry
from witness.spark import Spark
from witness.volumes import Volumes
from witness.zookeeper import ZooKeeper

__all__ = ["ALL", "REMOVED", "Change", "Witness", "change", "check", "healthy", "keep", "services"]

ALL = (Registry(), ZooKeeper(), Kafka(), MySQL(), PostgreSQL(), Redis(), Auth(), Spark(), Jupyter(), Airflow(), Portainer(), Gateway(), Volumes(), Custom(),
       Echo())

PATIENCE = 240
"""Seconds until the cluster must have recovered. All nodes share two cores."""


def each(ask):
    """{witness: what `ask` answers for it}, asked of all at once."""
    with concurrent.futures.ThreadPoolExecutor(len(ALL)) as pool:
        return dict(zip(ALL, pool.map(ask, ALL)))


def keep():
    """Data of every service: {witness: what it kept}."""
    return each(lambda one: one.keep())


def check(kept, seconds=PATIENCE):
    """Wait until every service's data is there; a failure names the service whose data is not."""
    for one, what in kept.items():
        lablib.wait(f"the data kept in {one.name}", lambda one=one, what=what: one.check(what), seconds, every=1)


def healthy(seconds=PATIENCE):
    """Wait until every node is ready, every task runs and every service answers. Returns the seconds it took; a failure names what is missing."""
    _, took = lablib.wait("all nodes are ready, all tasks run", lablib.cluster_is_healthy, seconds, every=1)
    for one in ALL:
        took += lablib.wait(f"{one.name} is healthy", one.healthy, seconds, every=1)[1]
    return round(took, 1)


def services():
    """Names of all swarm services that there should be."""
    return set().union(*(one.services() for one in ALL))


def change():
    """The changes of all services as one: state B."""
    merged = Change(diff=(), variables={}, labels={}, parts={}, places={})
    for one in ALL:
        wanted = one.change()
        for field in ("variables", "labels", "parts", "places"):
            both = getattr(merged, field).keys() & getattr(wanted, field).keys()
            assert not both, f"{one.name} and another witness both set {field} {both}"
            getattr(merged, field).update(getattr(wanted, field))
        merged = Change(merged.variables, merged.labels, merged.diff + wanted.diff, merged.parts, merged.places)
    return merged
