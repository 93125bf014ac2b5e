# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What skp_service refuses before it plans."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.modules import skp_service


@pytest.fixture(autouse=True)
def _records(monkeypatch):
    generations = {"kafka": 3, "zookeeper": 5}
    monkeypatch.setattr(skp_service.members_io, "read_members", lambda client, name: ({"generation": generations[name]}, []))


def test_services_made_with_the_present_ids():
    skp_service.refuse_other_members("client", "kafka", {"kafka": 3, "zookeeper": "5"})
    skp_service.refuse_other_members("client", "spark", {})


def test_services_made_with_ids_that_another_run_has_changed():
    with pytest.raises(Failure, match="Role kafka: .* zookeeper from generation 4 to 5. Nothing was changed") as caught:
        skp_service.refuse_other_members("client", "kafka", {"kafka": 3, "zookeeper": 4})
    assert (caught.value.failure["kind"], caught.value.failure["generations"]) == ("members_changed", {"zookeeper": [4, 5]})


def test_check_mode_before_the_first_run():
    skp_service.refuse_other_members(None, "kafka", {"kafka": 0})
