# SPDX-License-Identifier: GPL-3.0-or-later
"""A task on the data volumes: it writes a file below /mnt, where notebooks and Spark's executors see the same files, and reads it again."""

import os
import pathlib
import re

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException


def volumes():
    """Directories below /mnt on which something is mounted that can be written."""
    text = pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8")
    return [pathlib.Path(path) for path in re.findall(r"^\S+ (/mnt/\S+) ", text, re.MULTILINE) if os.access(path, os.W_OK)]


@dag(schedule=None, catchup=False, tags=["example"], doc_md=__doc__,
     params={"volume": Param("", type="string", description="Name of a volume; empty for the first")})
def example_volumes():
    @task
    def write(run_id=None, params=None):
        found = [path for path in volumes() if params["volume"] in ("", path.name)]
        if not found:
            raise AirflowSkipException("there is no such data volume on this node; see skp_volumes")
        path = found[0] / "airflow-example.txt"
        path.write_text(run_id, encoding="utf-8")
        return str(path)

    @task(retries=3, retry_delay=5)
    def read(path, run_id=None):
        found = pathlib.Path(path).read_text(encoding="utf-8")
        assert found == run_id, found
        print("%s holds %s" % (path, found))

    read(write())


example_volumes()
