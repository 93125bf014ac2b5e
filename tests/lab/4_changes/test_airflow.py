# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Airflow: what cannot work is refused before anything is changed."""
from __future__ import annotations

import lablib


def test_what_cannot_work_is_refused_before_anything_is_changed():
    """One of the combinations that tests/unit/.../airflow/test_plan.py has."""
    before = lablib.snapshot()
    result = lablib.play("site.yml", "--tags", "airflow", "-e", "airflow_executor=LocalExecutor", "-e", "airflow_database=sqlite", check=False)
    text = " ".join(result.text.split())
    assert result.rc != 0 and "SQLite has one writer" in text and "Nothing was changed." in text
    assert lablib.snapshot() == before
