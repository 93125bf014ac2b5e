# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: manager
short_description: The manager of the cluster to use
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Returns the inventory name of one host of the group C(manager). The cluster is read and changed through this host's engine.
  - It is the master if its SSH port answers, else the first host of the group C(manager) whose SSH port answers.
  - If no port answers it is the master, so that the next error is about the master.
  - The result is kept for the rest of the run of C(ansible-playbook). Every task uses the same manager, and the ports are tested once.
  - Only hosts of the group C(skp) are ever a result. If a host of another inventory is in a group of the cluster, that is an error.
  - The master is returned without a test if a connection from the controller proves nothing. This is the case if its connection is not SSH
    (C(ansible_connection) other than C(ssh), C(paramiko), C(paramiko_ssh) or C(smart)), or if it uses a jump host
    (C(ProxyJump), C(ProxyCommand) or C(-J) in C(ansible_ssh_common_args), C(ansible_ssh_extra_args), C(ansible_ssh_args), or in
    Ansible's configuration).
  - A jump host that is only in C(~/.ssh/config) is not detected. Then the tests fail, which takes O(timeout) for each manager,
    and the result is the master. To skip the lookup, set C(skp_manager) in C(group_vars/all.yml).
options:
  timeout:
    description: Time limit of one connection test, in seconds.
    type: float
    default: 2.0
    vars:
      - name: skp_manager_timeout
notes:
  - The lookup reads only the connection variables of the managers.
"""

EXAMPLES = r"""
- name: List the nodes of the swarm on one manager
  ansible.builtin.command: docker node ls
  delegate_to: "{{ lookup('skp.cluster.manager') }}"
  run_once: true
  changed_when: false
"""

RETURN = r"""
_raw:
  description: One inventory name.
  type: list
  elements: str
"""

import hashlib
import json
import os
import re
import socket
import tempfile
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.loader import connection_loader
from ansible.plugins.lookup import LookupBase
from ansible_collections.skp.cluster.plugins.plugin_utils import _foreign

SSH_CONNECTIONS = ("ssh", "paramiko", "paramiko_ssh", "smart")
JUMP = re.compile(r"ProxyJump|ProxyCommand|(?:^|\s)-J", re.IGNORECASE)


class LookupModule(LookupBase):
    """The master, or the first manager whose SSH port answers."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        """Return a list with the one name.

        :raises AnsibleError: if the inventory has no master, or if hosts of another inventory are in groups of the cluster
        """
        self.set_options(var_options=variables, direct=kwargs)
        groups = (variables or {}).get("groups", {})
        masters = _foreign.members(groups, "master")
        if not masters:
            raise AnsibleError('skp.cluster.manager: the inventory has no host in the group "master", expected one; see docs/hosts_json.md')
        candidates = [masters[0], *(host for host in _foreign.members(groups, "manager") if host != masters[0])]
        return [kept_for_the_run(candidates, lambda: self._choose(candidates, groups, variables["hostvars"]))]

    def _choose(self, candidates: list[str], groups: t.Mapping[str, list[str]], hostvars: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
        foreign = _foreign.problems(groups, hostvars)
        if foreign:
            raise AnsibleError("\n".join([*foreign, "Nothing was changed."]))
        if len(candidates) == 1 or not is_reached_directly(hostvars[candidates[0]]):
            return candidates[0]
        return first_answering(candidates, lambda host: endpoint(host, hostvars[host]), self.get_option("timeout"))


def is_reached_directly(host: t.Mapping[str, t.Any]) -> bool:
    """Whether a TCP connection from the controller proves that Ansible can reach the host."""
    connection = str(host.get("ansible_connection") or C.DEFAULT_TRANSPORT).rsplit(".", 1)[-1]
    if connection not in SSH_CONNECTIONS:
        return False
    return not any(JUMP.search(str(ssh_option(name, host) or "")) for name in ("ssh_common_args", "ssh_extra_args", "ssh_args"))


def endpoint(name: str, host: t.Mapping[str, t.Any]) -> tuple[str, int]:
    """Address and port of a host's SSH server."""
    address = host.get("ansible_host") or host.get("ansible_ssh_host") or name
    return str(address), int(ssh_option("port", host) or 22)


def ssh_option(name: str, host: t.Mapping[str, t.Any]) -> t.Any:
    """An option of the ssh connection for a host, from its variables, the environment or ansible.cfg, as the connection itself finds it."""
    connection_loader.get("ssh", class_only=True)  # registers the options
    return C.config.get_config_value(name, plugin_type="connection", plugin_name="ssh", variables=host)


def answers(address: str, port: int, timeout: float) -> bool:
    """Whether a TCP connection is accepted within ``timeout`` seconds."""
    try:
        with socket.create_connection((address, port), timeout=timeout):
            return True
    except OSError:
        return False


def first_answering(candidates: list[str], place: t.Callable[[str], tuple[str, int]], timeout: float) -> str:
    """The first candidate whose port answers; the first candidate if no port answers."""
    for candidate in candidates:
        if answers(*place(candidate), timeout):
            return candidate
    return candidates[0]


def kept_for_the_run(candidates: list[str], find: t.Callable[[], str]) -> str:
    """The result of ``find``, computed once for all processes of this run.

    Lookups run in worker processes that share only the run's temporary directory, which Ansible removes at the end.
    """
    key = hashlib.sha256(json.dumps(candidates).encode()).hexdigest()[:16]
    path = os.path.join(C.DEFAULT_LOCAL_TMP, f"skp-manager-{key}")
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except OSError:
        pass
    answer = find()
    try:
        handle, temporary = tempfile.mkstemp(dir=C.DEFAULT_LOCAL_TMP)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(answer)
        # The hard link fails if another worker was first: then its result counts, so that all use the same manager.
        try:
            os.link(temporary, path)
        except FileExistsError:
            with open(path, encoding="utf-8") as stream:
                answer = stream.read()
        finally:
            os.unlink(temporary)
    except OSError:
        pass  # no directory to store the result: the next task computes it again
    return answer
