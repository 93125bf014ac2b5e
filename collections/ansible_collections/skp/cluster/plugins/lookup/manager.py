# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: manager
short_description: The manager of the cluster to talk to
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Returns the inventory name of one host of the group C(manager), the one through whose engine the cluster is looked at and changed.
  - That is the master, unless its SSH port does not answer; then it is the first host of the group C(manager) whose port does.
  - When none answers it is the master again, so that the error that follows is about the master.
  - The answer is kept for the rest of the run of C(ansible-playbook), so every task talks to the same manager and the port is tried once.
  - The master is returned without a try when a connection from here would prove nothing. This is so when its connection is not SSH
    (C(ansible_connection) other than C(ssh), C(paramiko), C(paramiko_ssh) or C(smart)), or when the way to it leads over a jump host
    (C(ProxyJump), C(ProxyCommand) or C(-J) in C(ansible_ssh_common_args), C(ansible_ssh_extra_args), C(ansible_ssh_args), or where
    Ansible's configuration sets the same).
  - A jump host that only C(~/.ssh/config) knows of is not seen. The tries then fail, at the cost of O(timeout) for each manager,
    and the answer is the master. Set C(skp_manager) in C(group_vars/all.yml) to leave the lookup out.
options:
  timeout:
    description: How long one try may take, in seconds.
    type: float
    default: 2.0
    vars:
      - name: skp_manager_timeout
notes:
  - Only the variables of the managers that decide about the connection are read, and of each only what is needed.
"""

EXAMPLES = r"""
- name: Ask one manager for the nodes of the swarm
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

SSH_CONNECTIONS = ("ssh", "paramiko", "paramiko_ssh", "smart")
JUMP = re.compile(r"ProxyJump|ProxyCommand|(?:^|\s)-J", re.IGNORECASE)


class LookupModule(LookupBase):
    """The master, or the first manager whose SSH port answers."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        """Return the name in a list of one.

        :raises AnsibleError: when the inventory has no master
        """
        self.set_options(var_options=variables, direct=kwargs)
        groups = (variables or {}).get("groups", {})
        masters = list(groups.get("master", []))
        if not masters:
            raise AnsibleError('skp.cluster.manager: the inventory has no host in the group "master", expected one; see docs/hosts_json.md')
        candidates = [masters[0], *(host for host in groups.get("manager", []) if host != masters[0])]
        if len(candidates) == 1:
            return candidates
        return [kept_for_the_run(candidates, lambda: self._choose(candidates, variables["hostvars"]))]

    def _choose(self, candidates: list[str], hostvars: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
        if not is_reached_directly(hostvars[candidates[0]]):
            return candidates[0]
        return first_answering(candidates, lambda host: endpoint(host, hostvars[host]), self.get_option("timeout"))


def is_reached_directly(host: t.Mapping[str, t.Any]) -> bool:
    """Whether a TCP connection from here says anything about Ansible's way to the host."""
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
    connection_loader.get("ssh", class_only=True)  # makes the options known
    return C.config.get_config_value(name, plugin_type="connection", plugin_name="ssh", variables=host)


def answers(address: str, port: int, timeout: float) -> bool:
    """Whether a TCP connection is accepted within ``timeout`` seconds."""
    try:
        with socket.create_connection((address, port), timeout=timeout):
            return True
    except OSError:
        return False


def first_answering(candidates: list[str], place: t.Callable[[str], tuple[str, int]], timeout: float) -> str:
    """The first candidate whose port answers; the first of all when none does."""
    for candidate in candidates:
        if answers(*place(candidate), timeout):
            return candidate
    return candidates[0]


def kept_for_the_run(candidates: list[str], find: t.Callable[[], str]) -> str:
    """The answer of ``find``, found once for all processes of this run.

    Lookups run in worker processes that share nothing but the run's temporary directory, which Ansible removes at its end.
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
        # A hard link is refused where another worker was first: then its answer counts, so that all talk to the same manager.
        try:
            os.link(temporary, path)
        except FileExistsError:
            with open(path, encoding="utf-8") as stream:
                answer = stream.read()
        finally:
            os.unlink(temporary)
    except OSError:
        pass  # no directory to keep it in: the next task finds it again
    return answer
