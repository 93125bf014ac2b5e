# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the services of the site appear: images, ports, preflight, the packet filter, needs, the role's own services."""

from __future__ import annotations

import inspect
import pathlib

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLES = pathlib.Path(__file__).parents[3] / "roles"
TRUSTED = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(DataLoader.load_from_file).parameters else {}
GROUPS = {"skp": ["c1", "c2"], "master": ["c1"], "hello": ["c2"], "jupyter": ["c2"]}
SERVICES = [
    {"name": "hello", "build": "hello", "ports": ["8080:80"], "secrets": ["hello_token"], "volumes": [{"data": "a", "target": "/a"}]},
    {"name": "idle", "image": "example/idle:1", "ports": [8081]},
    {"name": "notebook", "label": "jupyter", "image": "localhost:5000/skp/docker-ds:latest"},
    {"name": "bad", "image": "a b"},
]


def value(role, name, host="c2", **variables):
    """A variable of a role on a host of the site."""
    loader, found = DataLoader(), {}
    for path in ("_common/defaults", "_common/vars", role + "/defaults", role + "/vars"):
        found.update(loader.load_from_file(str(ROLES / path / "main.yml"), **TRUSTED) or {})
    found.update(role_path=str(ROLES / role), inventory_hostname=host, groups=GROUPS, hostvars={"c1": {}, "c2": {}}, ansible_skip_tags=[],
                 group_names=[group for group, hosts in GROUPS.items() if host in hosts], ansible_run_tags=["all"], skp_custom_services=SERVICES)
    found.update(variables)
    return Templar(loader=loader, variables=found).template(found[name])


def test_its_images_are_built_and_pulled_where_they_run():
    names = [image["name"] for image in value("images", "__images_all")]
    assert names[-1] == "custom-hello" and "custom-idle" not in names, "no host runs it"
    assert "custom-hello" in value("images", "__images_needed")
    assert sorted(value("images", "__images_here")) == ["custom-hello", "docker-ds"] and value("images", "__images_here", "c1") == []


def test_its_ports_are_published_looked_at_and_filtered():
    assert {"group": "hello", "port": 8080, "publish": "all"} in value("_common", "__skp_published")
    assert "8080/tcp" in value("preflight", "__preflight_ports") and "8080/tcp" not in value("preflight", "__preflight_ports", "c1")
    network = value("_service", "__service_network", skp_publish_addresses=[])
    assert 8080 in network["published"] and 8081 not in network["published"] and 8081 in network["published_anywhere"]


def test_preflight_names_the_bad_entry():
    settings = value("preflight", "__preflight_settings")
    assert len(settings["custom"]) == 1 and "Service bad of skp_custom_services" in settings["custom"][0]
    assert {"hello", "jupyter"} <= set(settings["image_groups"])


def test_a_port_of_the_collection_is_refused():
    [problem] = value("_common", "__skp_custom", skp_custom_services=[dict(SERVICES[0], ports=[8010])])["problems"]
    assert "port 8010 on c2 is that of the service of the label jupyter" in problem
    [problem] = value("_common", "__skp_custom", skp_registry="localhost:5001", skp_custom_services=[dict(SERVICES[0], ports=[5001])])["problems"]
    assert "port 5001 is the cluster's own" in problem


def test_the_services_have_their_secrets_and_all_is_templated():
    services = value("custom", "__custom_services", __skp_secrets={"hello_token": "canary"})
    assert [service["name"] for service in services] == ["hello", "notebook"] and "{{" not in str(services)
    assert services[0]["secrets"] == [{"name": "hello_token", "uid": "61000", "gid": "61000", "content": "canary"}]
    assert services[0]["owns_data"] == "/var/lib/skp/custom/hello" and services[1]["label"] == "jupyter"


def test_what_is_needed_on_its_nodes():
    needs = value("_common", "__skp_custom")["needs"]
    assert value("_service", "__service_here", __service_needs=needs, skp_manager="c1")[0]["name"] == "custom-hello"
    assert value("_service", "__service_here", "c1", __service_needs=needs, skp_manager="c1") == []
    found = value("_service", "__service_secrets_wanted", __service_needs=needs, service_name="custom")
    assert found == ["hello_token"]
