#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_fuse_volume
short_description: All data volumes of a node, mounted through FUSE, in one call
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Mounts directories of SSH servers, S3 buckets, Azure Blob containers and all that rclone knows below one directory, for the containers of the node.
  - Containers bind the parent directory (O(directory)) with the propagation C(rslave). So a volume that is mounted later, or again, appears in containers
    that run already.
  - Each volume has a unit of systemd (C(skp-volume-<name>.service)) that starts its program again whenever it ends. Nothing depends on the unit. A backend that
    is away stops neither the boot, nor the engine, nor other volumes.
  - A directory on which nothing is mounted cannot be written. It has mode 000, and is immutable where the file system can.
  - Credentials are in files of root with mode 0600 in C(/etc/skp/volumes), and nowhere else.
  - A mount that does not answer (C(Transport endpoint is not connected)) is unmounted lazily and mounted again. Changed options or credentials restart one
    volume once. Nothing is restarted if nothing changed.
  - All volumes are tried. An error names every volume that failed, with the words of its program, and what to do.
requirements:
  - systemd 246 or newer, C(/dev/fuse), and the programs of the drivers
extends_documentation_fragment:
  - skp.cluster.attributes
attributes:
  check_mode:
    details: Whether programs are installed and backends answer is not known before they are used.
  diff_mode:
    details: Units and start scripts are shown; files with credentials only as changed or not.
options:
  volumes:
    description: The volumes of this node.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the volume, of its directory below O(directory) and of its unit. Small letters, digits, C(-) and C(_).
        type: str
        required: true
      driver:
        description:
          - V(sshfs) is a directory of an SSH server, V(s3fs) an S3 bucket, V(rclone) anything rclone has a backend for, V(blobfuse2) an Azure Blob container
            through the program of its vendor.
        type: str
        required: true
        choices: [sshfs, s3fs, rclone, blobfuse2]
      source:
        description:
          - Where the data are.
          - With V(sshfs) C(host), C(user), C(path), C(port) and C(host_key) (public keys of the server, pinned; a list, or lines of C(ssh-keyscan)).
          - With V(s3fs) C(bucket), C(path), C(url) (empty for AWS) and C(region).
          - With V(rclone) C(remote) (settings of rclone's configuration, with C(type)) and C(path) (bucket or container, and directory).
          - With V(blobfuse2) C(account), C(container) and C(endpoint).
        type: dict
        default: {}
      credentials:
        description:
          - With V(sshfs) C(private_key), its text. With V(s3fs) C(access_key_id) and C(secret_access_key). With V(blobfuse2) C(account_key) or C(sas).
          - With V(rclone) further settings of its configuration, such as C(key). A C(pass) is written as C(rclone obscure) prints it.
        type: dict
        default: {}
      options:
        description:
          - Further options of the program, by name. With V(sshfs) and V(s3fs) those after C(-o), with V(rclone) those after C(--), with V(blobfuse2)
            settings of its configuration file as C(section.name). V(true) for an option without a value, V(false) to leave a default of this module out.
          - Options that would break a promise of this module are refused.
        type: dict
        default: {}
      read_only:
        description: Mount read-only.
        type: bool
        default: false
      uid:
        description: User to whom all files belong, as a number.
        type: int
        default: 61000
      gid:
        description: Group to which all files belong, as a number.
        type: int
        default: 61000
      state:
        description:
          - V(unmounted) unmounts the volume, also at the next boot, and keeps its files on the node.
          - V(absent) also removes these. What is at the backend is never removed.
          - A volume to which somebody writes, or with data that are not at the backend yet, is not unmounted; see O(force).
        type: str
        choices: [mounted, unmounted, absent]
        default: mounted
  directory:
    description: Parent of all mount points.
    type: path
    default: /mnt/skp
  cache:
    description: Directory on a local disk for the caches of the programs.
    type: path
    default: /var/lib/skp/volumes
  exclusive:
    description: Remove the volumes that this module has made on the node and that are not in O(volumes).
    type: bool
    default: false
  timeout:
    description: Seconds that all volumes together have until they are mounted.
    type: int
    default: 60
  flush_timeout:
    description: Seconds to wait, before a volume is unmounted, until nobody writes to it and all is at the backend.
    type: int
    default: 30
  force:
    description: Unmount a volume even if data that are not at the backend yet are lost.
    type: bool
    default: false
  leave_missing:
    description:
      - Leave volumes whose program is a package of the distribution that is not installed, and return it in RV(missing_packages).
      - Without this option it is an error.
    type: bool
    default: false
  programs:
    description: Paths of programs that are not in the usual directories, by driver.
    type: dict
    default: {}
  images:
    description: Images of this node out of which the program of a driver is copied to C(/usr/local/lib/skp), by driver.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: A directory of an SSH server and a bucket
  skp.cluster.skp_fuse_volume:
    volumes:
      - name: lake
        driver: sshfs
        source:
          host: data.example.com
          user: lake
          path: /srv/lake
          host_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE7s4vUnXQW2ECGTHmyqUpWvXxS2CtEovcp9vXwxD8SZ
        credentials:
          private_key: "{{ vault_lake_key }}"
      - name: sales
        driver: s3fs
        read_only: true
        source: {bucket: sales, url: https://s3.example.com}
        credentials:
          access_key_id: "{{ vault_s3_id }}"
          secret_access_key: "{{ vault_s3_key }}"

- name: No volume any more
  skp.cluster.skp_fuse_volume:
    exclusive: true
"""

RETURN = r"""
volumes:
  description:
    - By name of the volume. C(path) is its mount point. C(mounted) says whether it answers. C(changes) are the steps with their reasons. C(guard) is
      V(immutable), or V(mode) where the file system of the mount point has no immutable directories.
  returned: always
  type: dict
  sample: {lake: {path: /mnt/skp/lake, driver: sshfs, state: mounted, mounted: true, unit: skp-volume-lake.service, changes: [], guard: immutable}}
missing_packages:
  description: Packages that volumes of this node need and that are not installed.
  returned: always
  type: list
  elements: str
errors:
  description: What is wrong with each volume that failed, by name.
  returned: always
  type: dict
failure:
  description: The machine part of an error; C(kind) names it.
  returned: failure
  type: dict
"""

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.volumes import io, plan


def argument_spec():
    """The options of the module."""
    volume = {
        "name": {"type": "str", "required": True},
        "driver": {"type": "str", "required": True, "choices": ["sshfs", "s3fs", "rclone", "blobfuse2"]},
        "source": {"type": "dict", "default": {}},
        "credentials": {"type": "dict", "default": {}, "no_log": True},
        "options": {"type": "dict", "default": {}},
        "read_only": {"type": "bool", "default": False},
        "uid": {"type": "int", "default": 61000},
        "gid": {"type": "int", "default": 61000},
        "state": {"type": "str", "choices": ["mounted", "unmounted", "absent"], "default": "mounted"},
    }
    return {
        "volumes": {"type": "list", "elements": "dict", "default": [], "options": volume},
        "directory": {"type": "path", "default": "/mnt/skp"},
        "cache": {"type": "path", "default": "/var/lib/skp/volumes"},
        "exclusive": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 60},
        "flush_timeout": {"type": "int", "default": 30},
        "force": {"type": "bool", "default": False},
        "leave_missing": {"type": "bool", "default": False},
        "programs": {"type": "dict", "default": {}},
        "images": {"type": "dict", "default": {}},
    }


def main():
    """Converge, and end with every volume that failed."""
    module = QuietModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    node = io.Node(params["directory"], params["cache"], params["timeout"], params["flush_timeout"], params["force"], params["programs"])
    try:
        result = io.converge(params["volumes"], node, params["exclusive"], module.check_mode, params["images"], params["leave_missing"])
        errors = result["errors"] = result.pop("failed")
        if errors:
            healthy = [name for name, facts in result["volumes"].items() if name not in errors and (facts["mounted"] or module.check_mode)]
            fail(module, plan.failure_of(errors, healthy), **result)
    except Failure as exc:
        fail(module, exc, changed=False)
    except OSError as exc:
        fail(module, Failure("The volumes of this node: %s" % exc, kind="os", errno=exc.errno))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
