# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A purge removes what a run has made, and nothing else."""
from __future__ import annotations

import lablib
import pytest

GUEST = "/srv/skp/guest"
WITH_GUEST = ("--tags", "jupyter", "-e", f"jupyter_volume={GUEST}")
PURGE = ("-e", "skp_purge=true", "-e", "skp_confirm=lab")


@pytest.mark.soak
def test_a_directory_with_somebodys_files_is_used_and_left():
    """Notebooks in a directory that was there before: a purge leaves it with all files, says so, and the services are gone."""
    lablib.on("c01", "sh", "-c", f"mkdir -p {GUEST}/alice && echo text > {GUEST}/alice/thesis")
    try:
        lablib.play("site.yml", *WITH_GUEST)
        result = lablib.play("playbooks/down.yml", *WITH_GUEST, *PURGE)
        assert "it was there before" in " ".join(result.text.split())
        assert not [name for name in lablib.services() if name.startswith("jupyter")]
        assert lablib.on("c01", "cat", f"{GUEST}/alice/thesis").strip() == "text"
    finally:
        lablib.play("site.yml", "--tags", "jupyter")
        lablib.on("c01", "rm", "-rf", GUEST)


DATA = "/var/lib/skp/kafka"
BELOW = f"mkdir -p /root/disk {DATA}/disk && echo text >/root/disk/file && mount --bind /root/disk {DATA}/disk"
AT_IT = f"mount --bind {DATA} {DATA}"


@pytest.mark.parametrize(("mount", "unmount", "words"), [
    (BELOW, f"umount {DATA}/disk && rmdir {DATA}/disk", "A file system is mounted below"),
    pytest.param(AT_IT, f"umount {DATA}", "a file system is mounted there", marks=pytest.mark.soak),
])
def test_a_purge_over_a_mount_is_refused_first(mount, unmount, words):
    """Somebody's disk below the data, or at its place: neither it nor a service nor the data of another node is removed."""
    node, before = lablib.labelled("kafka")[0], lablib.services()
    kept = lablib.look(f"cat {DATA}/data/meta.properties", lablib.labelled("kafka"))
    lablib.on(node, "sh", "-c", mount)
    try:
        result = lablib.play("playbooks/down.yml", "--tags", "kafka", *PURGE, check=False)
        assert result.rc != 0 and words in " ".join(result.text.split()) and result.changed == set()
        assert lablib.services() == before
        assert lablib.look(f"cat {DATA}/data/meta.properties", lablib.labelled("kafka")) == kept
        if mount == BELOW:
            assert lablib.on(node, "cat", "/root/disk/file").strip() == "text"
    finally:
        lablib.on(node, "sh", "-c", unmount)
