# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter swarm_bootstrap: which host initialises the swarm, which hosts join it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: swarm_bootstrap
short_description: Decide which host initialises a swarm and which hosts join it
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Uses the engine facts of all nodes together. It never initialises a second swarm while a node of an existing swarm answers. If a
    decision could split or lose a swarm, there is none; C(error) then names the hosts and says what to do.
options:
  _input:
    description:
      - Dictionary of host name and a dictionary with C(role), C(master), C(addr), C(joins) (whether this run may change it), C(asked) and
        C(engine) (facts of M(skp.cluster.skp_engine), or none if the node did not answer). P(skp.cluster.swarm_hosts#filter) returns it.
    type: dict
    required: true
  without_unreachable:
    description: Initialise a new swarm even if managers of the inventory do not answer.
    type: bool
    default: false
  abandon:
    description: Id of a swarm that lost all its managers and is abandoned.
    type: str
    default: ""
  predict:
    description: Check mode. An engine that does not run yet counts as running.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Decide which host initialises the swarm and which hosts join
  ansible.builtin.set_fact:
    decision: "{{ nodes | skp.cluster.swarm_bootstrap }}"
"""

RETURN = r"""
_value:
  description:
    - C(manager), the host to use for the swarm; C(init), the host that initialises a swarm; C(join), hosts that join; C(leave), hosts that
      leave an abandoned swarm first; C(probe), hosts to query before the decision; C(refused), hosts that cannot join and the reason;
      C(cluster_id); C(warnings); C(error), the reason why there is no decision, or empty.
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
