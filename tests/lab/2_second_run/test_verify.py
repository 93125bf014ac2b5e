# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each service is as the verify.yml of its molecule scenario wants it. What a scenario does besides is proved by the run of the site.

`make test` takes one of them; the others look at what the tests of 3_services look at too.
"""
from __future__ import annotations

import lablib
import pytest

SCENARIOS = sorted(path.parent.name for path in (lablib.ROOT / "molecule").glob("*/verify.yml"))


@pytest.mark.parametrize("scenario", [name if name == "default" else pytest.param(name, marks=pytest.mark.soak) for name in SCENARIOS])
def test_verify(scenario):
    """By another path than the collection, and it changes nothing."""
    result = lablib.play(f"molecule/{scenario}/verify.yml", env={"MOLECULE_PROJECT_DIRECTORY": str(lablib.ROOT)})
    assert result.rows and result.changed == set()
