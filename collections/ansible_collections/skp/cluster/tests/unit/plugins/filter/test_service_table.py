# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of services, from answers shaped as the engine gives them."""

from __future__ import annotations

from ansible_collections.skp.cluster.plugins.filter.service_table import service_table

SWARM = {
    "nodes": [
        {"ID": "n1", "Spec": {"Labels": {"skp.host": "c01"}}, "Description": {"Hostname": "box-a"}},
        {"ID": "n2", "Spec": {"Labels": {}}, "Description": {"Hostname": "c02"}},
    ],
    "services": [
        {
            "ID": "s2",
            "Spec": {
                "Name": "kafka-skp-1",
                "Mode": {"Replicated": {"Replicas": 1}},
                "EndpointSpec": {"Mode": "dnsrr", "Ports": [{"TargetPort": 9094, "PublishedPort": 9094, "PublishMode": "host"}]},
            },
        },
        {"ID": "s1", "Spec": {"Name": "agent", "Mode": {"Global": {}}}},
    ],
    "tasks": [
        {"ServiceID": "s2", "NodeID": "n1", "DesiredState": "running", "Status": {"State": "running"}},
        {"ServiceID": "s2", "NodeID": "n1", "DesiredState": "shutdown", "Status": {"State": "failed"}},
        {"ServiceID": "s1", "NodeID": "n1", "DesiredState": "running", "Status": {"State": "running"}},
        {"ServiceID": "s1", "NodeID": "n2", "DesiredState": "running", "Status": {"State": "starting"}},
    ],
}


def test_one_line_per_service_with_where_and_how():
    table = service_table(SWARM, {"c01": "10.0.0.4"}, {"registry": {"hosts": ["c02", "c01"], "address": "localhost:5000"}})
    assert table == [
        "SERVICE      TASKS  ON        ADDRESS",
        "registry            c01, c02  localhost:5000",
        "agent        1/2    c01       inside the overlay only",
        "kafka-skp-1  1/1    c01       10.0.0.4:9094",
    ]


def test_a_service_without_a_running_task_says_so():
    stopped = {**SWARM, "tasks": []}
    assert service_table(stopped, {})[-1] == "kafka-skp-1  0/1    -   inside the overlay only"
