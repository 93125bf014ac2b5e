# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""skp_registry: errors of the disk are one sentence, not a traceback."""

from __future__ import annotations

import errno
import os

import pytest

from ansible_collections.skp.cluster.plugins.modules import skp_registry


class End(Exception):
    """The end of a module, with its result."""


class Module:
    """As much of AnsibleModule as main() uses."""

    check_mode = False

    def __init__(self, **dummy):
        self.params = {"state": "present", "look": False, "store": "/srv/skp/registry"}

    def fail_json(self, **result):
        raise End(result)


@pytest.mark.parametrize("number, kind, words", [
    (errno.ENOSPC, "io", ["/srv/skp/registry/x: No space left on device", "Make room (df -h)"]),
    (errno.EROFS, "io", ["Read-only file system", "dmesg"]),
    (errno.EIO, "io", ["Input/output error", "findmnt"]),
    (errno.EACCES, "not_allowed", ["/srv/skp/registry/x: not allowed", "registry_user"]),
])
def test_an_error_of_the_disk_says_what_to_do(monkeypatch, number, kind, words):
    class Node:
        """A registry whose disk fails."""

        def __init__(self, module):
            del module

        def present(self):
            """Fails."""
            raise OSError(number, os.strerror(number), "/srv/skp/registry/x")

    monkeypatch.setattr(skp_registry, "QuietModule", Module)
    monkeypatch.setattr(skp_registry, "RegistryNode", Node)
    with pytest.raises(End) as caught:
        skp_registry.main()
    (result,) = caught.value.args
    assert result["failure"]["kind"] == kind and [word for word in words if word not in result["msg"]] == []
