# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role push: names there, which images have another platform, what is refused."""

from __future__ import annotations

import inspect
import pathlib

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLES = pathlib.Path(__file__).parents[3] / "roles"
TRUSTED = {"trusted_as_template": True} if "trusted_as_template" in inspect.signature(DataLoader.load_from_file).parameters else {}
GOOD = {"push_registry": "registry.example:5000", "push_images": {"custom-hello": "me/hello:1.0", "docker-ds": "me/ds"}}
PULLED = {"images": {"custom-hello": {"id": "sha256:1"}, "docker-ds": {"id": "sha256:2"}}}
HERE = {"images": [{"Id": "sha256:1", "Os": "linux", "Architecture": "amd64"}, {"Id": "sha256:2", "Os": "linux", "Architecture": "arm64"}]}


def value(name, **variables):
    """A variable of the role."""
    loader, found = DataLoader(), {}
    for path in ("_common/defaults", "_common/vars", "push/defaults", "push/vars"):
        found.update(loader.load_from_file(str(ROLES / path / "main.yml"), **TRUSTED) or {})
    found.update(groups={"master": ["c1"]}, inventory_hostname="c1", **dict(GOOD, __push_pulled=PULLED, __push_here=HERE, **variables))
    return Templar(loader=loader, variables=found).template(found[name])


def test_names_there():
    assert value("__push_problems") == []
    assert value("__push_names") == {"registry.example:5000/me/hello:1.0": "custom-hello", "registry.example:5000/me/ds:latest": "docker-ds"}
    assert value("__push_login_url") == "registry.example:5000"


def test_docker_hub_asks_for_the_login_elsewhere():
    found = {"push_registry": "docker.io", "push_images": {"custom-hello": "me/hello"}}
    assert value("__push_problems", **found) == [] and value("__push_names", **found) == {"docker.io/me/hello:latest": "custom-hello"}
    assert value("__push_login_url", **found) == "https://index.docker.io/v1/"


@pytest.mark.parametrize("platform, foreign", [("", []), ("linux/amd64", ["docker-ds"]), ("linux/arm64/v8", ["custom-hello"]),
                                               ("linux/riscv64", ["custom-hello", "docker-ds"])])
def test_images_of_another_platform(platform, foreign):
    assert value("__push_foreign", push_platform=platform) == foreign


def test_what_was_built_for_the_platform_is_pushed():
    built = {"images": {"docker-ds": {"id": "sha256:3"}, "docker-base": {"id": "sha256:4"}}}
    assert value("__push_ids") == {"custom-hello": "sha256:1", "docker-ds": "sha256:2"}
    assert value("__push_ids", push_platform="linux/amd64", __images_of_platform=built) == {"custom-hello": "sha256:1", "docker-ds": "sha256:3"}


def test_an_image_that_is_not_in_the_ledger():
    assert value("__push_missing", __push_known={"images": {"docker-ds": {}}}) == ["custom-hello"]


@pytest.mark.parametrize("keys, words", [
    ({"push_registry": ""}, "push_registry is '', expected a registry"),
    ({"push_registry": "https://registry.example"}, "push_registry is"),
    ({"push_registry": "localhost:5000"}, "not that of the cluster"),
    ({"push_images": {}}, "push_images is empty"),
    ({"push_images": {"custom-hello": "Me/hello"}}, "push_images has the name Me/hello"),
    ({"push_images": {"custom-hello": "registry.example:5000/me/hello"}}, "push_images has the name registry"),
    ({"push_platform": "amd64"}, "push_platform is 'amd64', expected linux and an architecture"),
    ({"push_username": "me"}, "push_username and push_password belong together"),
    ({"push_password": "canary"}, "push_username and push_password belong together"),
])
def test_what_is_refused(keys, words):
    [problem] = value("__push_problems", **keys)
    assert words in problem and "canary" not in problem


def test_a_failed_loop_tells_what_its_turns_said():
    assert value("__push_failure", ansible_failed_result={"msg": "One or more items failed", "results": [{"failed": False, "msg": "a"},
                                                                                                         {"failed": True, "msg": "denied"}]}) == "denied"
    assert value("__push_failure", ansible_failed_result={"msg": "x509"}) == "x509"
