# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter swarm_bootstrap: who starts the swarm, who joins it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: swarm_bootstrap
short_description: Decide who starts a swarm and who joins it
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Looks at the engine facts of every node at once. A second swarm is never started while a member of a first one answers, and nothing
    is decided where that could split or lose a swarm; C(error) then names the hosts and the way out.
options:
  _input:
    description:
      - Dictionary of host name and a dictionary with C(role), C(master), C(addr), C(joins) (may this run change it), C(asked) and
        C(engine) (facts of M(skp.cluster.skp_engine), or none where the node did not answer). P(skp.cluster.swarm_hosts#filter) makes it.
    type: dict
    required: true
  without_unreachable:
    description: Start a new swarm although managers of the inventory do not answer.
    type: bool
    default: false
  abandon:
    description: Id of a swarm that lost all its managers and is given up.
    type: str
    default: ""
  predict:
    description: Check mode. An engine that does not run yet counts as one that will.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Decide who starts and who joins
  ansible.builtin.set_fact:
    decision: "{{ nodes | skp.cluster.swarm_bootstrap }}"
"""

RETURN = r"""
_value:
  description:
    - C(manager), the host to ask for everything; C(init), the host that starts a swarm; C(join), hosts that join; C(leave), hosts that
      leave an abandoned swarm first; C(probe), hosts to ask before deciding; C(refused), host and why it alone cannot take part;
      C(cluster_id); C(warnings); C(error), empty or what stands against it.
  type: dict
"""

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.swarm.plan import bootstrap


def swarm_bootstrap(hosts, without_unreachable=False, abandon="", predict=False):
    """See DOCUMENTATION."""
    try:
        decision = bootstrap(hosts, without_unreachable=without_unreachable, abandon=abandon, predict=predict)
    except Failure as exc:
        return {"manager": None, "init": None, "join": [], "leave": [], "probe": [], "refused": {}, "cluster_id": "", "warnings": [],
                "error": exc.msg}
    return dict(decision, error="")


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"swarm_bootstrap": swarm_bootstrap}
