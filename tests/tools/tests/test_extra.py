# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extras of setup.cfg with an environment of their own: what is asked for is pinned, with the Ansible of .venv."""

from __future__ import annotations

import re

import extra
import pytest

OWN = ("docs", "release")


def pins(name):
    """Return package -> lines of a file of constraints in tests/."""
    found = {}
    for line in (extra.ROOT / "tests" / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            found.setdefault(line.split("==")[0], []).append(line)
    return found


def test_requirements_are_read_without_comments():
    text = "[options.extras_require]\ntest =\n    a>=1\n# why\n    b[c]>=2; python_version < '3'\ndocs =\n    d\n"
    assert extra.requirements("test", text) == ["a>=1", "b[c]>=2; python_version < '3'"]
    with pytest.raises(KeyError):
        extra.requirements("none", text)


@pytest.mark.parametrize("name", OWN)
def test_all_that_is_asked_for_is_pinned(name):
    wanted = extra.requirements(name, (extra.ROOT / "setup.cfg").read_text(encoding="utf-8"))
    pinned = pins("constraints-%s.txt" % name)
    assert wanted and [line for line in wanted if re.match(r"[\w.-]+", line).group() not in pinned] == []
    assert all(re.fullmatch(r"[a-z0-9.-]+==[^ ]+( ; .*)?", line) for lines in pinned.values() for line in lines)


@pytest.mark.parametrize("name", OWN)
def test_ansible_is_that_of_the_controllers_environment(name):
    own, controllers = pins("constraints-%s.txt" % name), pins("constraints.txt")
    assert own.get("ansible-core", controllers["ansible-core"]) == controllers["ansible-core"]
