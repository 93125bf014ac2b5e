# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes people work with, where `make test` takes a tenth. The seconds are a record, not a demand."""
from __future__ import annotations

import notebooks


def test_a_gigabyte_on_spark_and_on_pandas(figures):
    """Spark writes 1 GB to a volume all nodes see; Spark and pandas alone aggregate it to the same numbers."""
    rows, token = 60_000_000, notebooks.secret("jupyter_gateway_token")
    with notebooks.volume(1000) as volume, notebooks.kernel("python3", token) as kernel:
        said = notebooks.aggregate(kernel, rows, f"{volume}/rows")
    assert said["equal"] and said["groups"] == 1000 and said["rows"] == rows, said
    assert said["bytes"] >= 10 ** 9 and said["executors"] >= 2, said
    figures["jupyter: 1 GB of Parquet, bytes / rows / executors"] = f"{said['bytes']} / {rows} / {said['executors']}"
    for what, seconds in said["seconds"].items():
        figures[f"jupyter: 1 GB, {what}, seconds"] = seconds
