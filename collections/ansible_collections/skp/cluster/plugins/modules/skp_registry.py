#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skp_registry
short_description: The registry of a node, over the shared store
version_added: 0.1.0
description:
  - Manages a plain container that serves images on the loopback address of this node, from one store that all registries share.
  - Only the master's registry accepts pushes; the others are read-only and refuse a push with 405.
    Two writers over one store lose uploads.
  - A marker file in the store is checked before any container is started, so that a registry never runs over the empty directory
    below a mount point.
  - Collects garbage (with the writer stopped) and verifies all blobs in the store.
author: skp.cluster contributors (@comafire)
extends_documentation_fragment:
  - skp.cluster.attributes
attributes:
  check_mode:
    details: With O(state=gc), C(registry garbage-collect --dry-run) lists what would be removed.
options:
  state:
    description:
      - V(present), the container runs with these options and is healthy; a stopped or changed container, or a store that was mounted
        again, is repaired.
      - V(absent), the container and its configuration are removed, the store is kept unless O(purge) is true.
      - V(restarted), an existing container is restarted; always changed.
      - V(gc), on the writer only. Runs a dry run first; if there is something to remove, stops the writer, collects garbage, starts the
        writer and verifies every tag. Restart the readers afterwards.
      - V(verify), every tag, every image without a tag, link file and blob of the store is read and verified; changes nothing, needs no container.
    type: str
    choices: [present, absent, restarted, gc, verify]
    default: present
  name:
    description: Name of the container.
    type: str
    default: registry-skp
  image:
    description: Reference of the image. Required with O(state=present).
    type: str
  image_hash:
    description: Content hash that the image must have as its label C(skp.hash). Empty accepts any O(image) on this node.
    type: str
    default: ""
  archive:
    description:
      - Archive (C(docker save)) to load the image from if this node does not have it with the wanted hash.
      - If empty, O(image) is pulled in that case.
    type: str
    default: ""
  archive_sha256:
    description: SHA-256 that O(archive) must have. An archive with another one is not loaded. Empty accepts any.
    type: str
    default: ""
  look:
    description:
      - Change nothing, and say in RV(settled) whether anything has to be done. With O(state=present) or O(state=absent).
      - A change needs an order, for example the readers before a new writer. A look at all registries at the same time shows that no order is needed.
      - Without O(store_id), the caller compares the RV(store_id) of all registries.
    type: bool
    default: false
  readers_first:
    description:
      - With O(writer), if the store is in use and this node's registry is not its writer yet (the master changed), change nothing and return
        RV(readers_first). Converge all other registries, the old writer among them, then call again without it. Two writers lose uploads.
    type: bool
    default: false
  store:
    description: Directory of the store on this node.
    type: path
    default: /srv/skp/registry
  writer:
    description: This node's registry accepts pushes. True on one node of the cluster only.
    type: bool
    default: false
  create_store_marker:
    description:
      - The writer may create a new store in a missing or empty directory.
      - It never does so on a node that used a store before.
    type: bool
    default: false
  store_id:
    description: Id of the store reported by the writer (RV(store_id)). A reader that finds another id fails. Empty skips the check.
    type: str
    default: ""
  http_secret:
    description: Secret shared by all registries of the store. Required with O(state=present).
    type: str
  secret_file:
    description: File for a copy of O(http_secret), mode 0600 root, on managers. Empty writes no copy.
    type: str
    default: ""
  address:
    description: Loopback address to listen on. Other addresses are refused, because the registry has no login and no TLS.
    type: str
    default: 127.0.0.1
  port:
    description: Port to listen on.
    type: int
    default: 5000
  user:
    description: Numeric C(uid:gid) of the registry's process, without any capability. The writer's user must own the store.
    type: str
    default: "0:0"
  log_level:
    description: Log level of the registry.
    type: str
    choices: [error, warn, info, debug]
    default: info
  config_dir:
    description: Directory of the configuration on this node.
    type: path
    default: /etc/skp/registry
  timeout:
    description: Seconds to wait until the registry is healthy.
    type: int
    default: 60
  delete_untagged:
    description: With O(state=gc), also remove manifests without a tag. Refused while a service runs one of them by digest.
    type: bool
    default: false
  gc_timeout:
    description: Time limit of one garbage collection run, in seconds.
    type: int
    default: 3600
  workers:
    description: Number of hash threads for O(state=verify) and after O(state=gc).
    type: int
    default: 4
  fail_on_broken:
    description: Fail if O(state=verify) finds an error. With false, only return the list.
    type: bool
    default: true
  purge:
    description:
      - With O(state=absent), the node's record of its store is removed. On the writer, the images in the store are removed permanently.
      - Images that were in a store before an empty marker file gave it to skp.cluster are left. A file system that is mounted among the images
        is refused.
    type: bool
    default: false
seealso:
  - module: skp.cluster.skp_registry_info
"""

EXAMPLES = r"""
- name: The master's registry, which accepts pushes
  skp.cluster.skp_registry:
    image: localhost:5000/skp/docker-registry:latest
    archive: /srv/skp/images/docker-registry.tar
    writer: true
    create_store_marker: true
    http_secret: "{{ registry_http_secret }}"

- name: Verify all blobs of the store
  skp.cluster.skp_registry:
    state: verify

- name: Collect garbage
  skp.cluster.skp_registry:
    state: gc
    writer: true
"""

RETURN = r"""
actions:
  description: Actions done, or predicted in check mode, in order.
  returned: when O(state) is not V(verify)
  type: list
  elements: str
  sample: [write_config, restart]
reasons:
  description: Why the container was changed.
  returned: O(state=present)
  type: list
  elements: str
store_id:
  description: Id of the store.
  returned: O(state=present)
  type: str
settled:
  description: Whether the registry is as the options want it.
  returned: O(look=true)
  type: bool
readers_first:
  description: Nothing was changed; the other registries must be converged first. See O(readers_first).
  returned: when it is true
  type: bool
container:
  description: The container after the run; C(id), C(started_at), C(image_id), C(kind) and more. Empty if there is none.
  returned: O(state=present) or O(state=restarted)
  type: dict
gc:
  description: C(marked) (number of blobs in use), C(blobs) and C(manifests) (digests removed), C(bytes) freed.
  returned: O(state=gc)
  type: dict
verify:
  description:
    - C(tags), C(repositories), C(blobs), C(bytes), C(seconds) and C(problems).
    - Each problem has C(kind), C(path), C(digest), C(found), C(used_by), C(manifests) and C(msg).
  returned: O(state=verify), or O(state=gc) if something was removed
  type: dict
failure:
  description: The machine part of an error; C(kind) names it.
  returned: failure
  type: dict
"""

import errno


from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure, fail
from ansible_collections.skp.cluster.plugins.module_utils.journal import QuietModule
from ansible_collections.skp.cluster.plugins.module_utils.registry.node import RegistryNode


def main():
    """One registry, one state."""
    module = QuietModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent", "restarted", "gc", "verify"], "default": "present"},
            "name": {"type": "str", "default": "registry-skp"},
            "image": {"type": "str"},
            "image_hash": {"type": "str", "default": ""},
            "archive": {"type": "str", "default": ""},
            "archive_sha256": {"type": "str", "default": ""},
            "look": {"type": "bool", "default": False},
            "readers_first": {"type": "bool", "default": False},
            "store": {"type": "path", "default": "/srv/skp/registry"},
            "writer": {"type": "bool", "default": False},
            "create_store_marker": {"type": "bool", "default": False},
            "store_id": {"type": "str", "default": ""},
            "http_secret": {"type": "str", "no_log": True},
            "secret_file": {"type": "str", "default": "", "no_log": False},
            "address": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 5000},
            "user": {"type": "str", "default": "0:0"},
            "log_level": {"type": "str", "choices": ["error", "warn", "info", "debug"], "default": "info"},
            "config_dir": {"type": "path", "default": "/etc/skp/registry"},
            "timeout": {"type": "int", "default": 60},
            "delete_untagged": {"type": "bool", "default": False},
            "gc_timeout": {"type": "int", "default": 3600},
            "workers": {"type": "int", "default": 4},
            "fail_on_broken": {"type": "bool", "default": True},
            "purge": {"type": "bool", "default": False},
        },
        required_if=[("state", "present", ("image", "http_secret"))],
        supports_check_mode=True,
    )
    try:
        node = RegistryNode(module)
        result = node.look() if module.params["look"] else getattr(node, module.params["state"])()
    except Failure as exc:
        fail(module, exc)
    except PermissionError as exc:
        hint = "The module manages files of root: run it with become."
        if str(exc.filename).startswith(module.params["store"]):
            hint += " If root ran it, the store's server maps root to nobody: create the directory for another user and set registry_user."
        fail(module, Failure("%s: not allowed. %s" % (exc.filename, hint), kind="not_allowed", path=str(exc.filename)))
    except OSError as exc:
        hint = {errno.ENOSPC: "Make room (df -h), then run again.", errno.EROFS: "It is mounted read-only: see dmesg and findmnt, repair it, then run again."}
        fail(module, Failure("%s: %s. %s" % (exc.filename or module.params["store"], exc.strerror or exc, hint.get(
            exc.errno, "Check the disk and the mount of this path (findmnt -T), then run again.")), kind="io", path=str(exc.filename or ""), errno=exc.errno))
    problems = (result.get("verify") or {}).get("problems")
    if problems and module.params["fail_on_broken"]:
        fail(module, Failure(
            "The registry store %s is damaged, %d problem(s):\n%s\n%s" % (
                module.params["store"], len(problems), "\n".join("- " + problem["msg"] for problem in problems), NEXT_STEP),
            kind="store_damaged", problems=len(problems)), **result)
    module.exit_json(**result)


NEXT_STEP = (
    "What to do: on the node that holds the store, move each file named above out of the store (for a blob, the directory around "
    "it). Then push the images named with it again, on the master: docker push localhost:5000/<repository:tag>. A push sends only what the "
    "registry does not have, so a damaged file that stays is not replaced. If the damage returns, check the disk and the memory."
)


if __name__ == "__main__":
    main()
