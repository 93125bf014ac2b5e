# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One volume of each driver, with secrets that no test may find elsewhere."""

from __future__ import annotations

import copy

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE7s4vUnXQW2ECGTHmyqUpWvXxS2CtEovcp9vXwxD8SZ"
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\ncanary1canary1canary1\n-----END OPENSSH PRIVATE KEY-----"
SECRETS = ("canary1", "canary-two", "canary-three", "canary-four")

VOLUMES = {
    "sshfs": {"name": "lake", "driver": "sshfs", "uid": 61000, "gid": 61000, "source": {"host": "data.example", "user": "me", "path": "/srv/lake",
              "host_key": HOST_KEY}, "credentials": {"private_key": PRIVATE}},
    "s3fs": {"name": "s3", "driver": "s3fs", "uid": 61000, "gid": 61000, "source": {"bucket": "sales", "url": "http://s3.example:7070", "region": "eu-1"},
             "credentials": {"access_key_id": "AKID", "secret_access_key": "canary-two"}},
    "rclone": {"name": "blob", "driver": "rclone", "uid": 61000, "gid": 61000,
               "source": {"remote": {"type": "azureblob", "account": "acc"}, "path": "cont/dir"}, "credentials": {"key": "canary-three"}},
    "blobfuse2": {"name": "vendor", "driver": "blobfuse2", "uid": 61000, "gid": 61000, "source": {"account": "acc", "container": "cont"},
                  "credentials": {"account_key": "canary-four"}},
}


def volume(sample, /, **changes):
    """A copy of a sample with changes; `source={...}` and the like are merged."""
    found = copy.deepcopy(VOLUMES[sample])
    for key, value in changes.items():
        found[key] = dict(found.get(key) or {}, **value) if isinstance(value, dict) else value
    return found
