# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What down.yml says before it removes anything."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.filter.removal_list import FilterModule

removal_list = FilterModule().filters()["removal_list"]
NEEDS = {
    "kafka": {"hosts": ["c01", "c02"], "directories": [{"path": "/var/lib/skp/kafka"}]},
    "jupyter": {
        "hosts": [],
        "shared_directories": [{"path": "/srv/skp/jupyter"}, {"path": "/srv/skp/spark/events"}],
        "purge_shared_directories": [{"path": "/srv/skp/jupyter"}],
    },
}


@pytest.mark.parametrize(
    ("purge", "limited", "words", "others"),
    [
        (False, False, ["lab", "- kafka (c01, c02)", "- jupyter (no host has its label)", "Data stays."], ["/var", "/srv", "DATA"]),
        (True, False, ["THEIR DATA", "/var/lib/skp/kafka on c01, c02, c03", "/srv/skp/jupyter on the shared store"], ["events", "Data stays."]),
        (True, True, ["/var/lib/skp/kafka"], ["/srv"]),
    ],
)
def test_lines(purge, limited, words, others):
    text = "\n".join(removal_list(["jupyter", "kafka"], NEEDS, "lab", purge, ["c01", "c02", "c03"], limited))
    assert [word for word in words if word not in text] == [] and [word for word in others if word in text] == []


def test_only_the_services_of_the_run():
    assert "jupyter" not in "\n".join(removal_list(["kafka"], NEEDS, "lab", True, ["c01"], False))
