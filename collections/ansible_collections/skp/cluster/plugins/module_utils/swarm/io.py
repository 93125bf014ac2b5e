# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The engine's swarm API behind module skp_swarm."""

from __future__ import annotations

import time

from ..engine import client as engine
from ..engine.client import EngineError
from ..failure import Failure
from ..service.spec import NODE_LABEL, ROLE_LABEL
from .plan import addresses, network_spec, node_summary

POLL = 0.3
"""Seconds between two polls."""


def until(look, deadline):
    """Calls look() until its result is true or the deadline (monotonic) is over; returns the last result."""
    while True:
        answer = look()
        if answer or time.monotonic() >= deadline:
            return answer
        time.sleep(POLL)


class Swarm:
    """One engine's view of the swarm. timeout: time limit of each step in seconds."""

    def __init__(self, client, timeout):
        self.client = client
        self.timeout = timeout

    def _deadline(self):
        return time.monotonic() + self.timeout

    # --- membership of this node

    def init(self, advertise_addr):
        """Initialises a swarm on this engine; returns the node id."""
        return engine.post(self.client, "/swarm/init", addresses(advertise_addr), what="initialising a swarm on %s" % advertise_addr)

    def join(self, managers, token, advertise_addr):
        """Joins the swarm of `managers` (["address:port"]); waits until the node is a member; returns the node id."""
        try:
            engine.post(self.client, "/swarm/join", what="joining the swarm of %s" % ", ".join(managers), body=dict(
                addresses(advertise_addr), RemoteAddrs=managers, JoinToken=token))
        except EngineError as exc:
            # After 20 s the request ends, but the engine continues to join in the background; the loop below waits for the result.
            if "continue in the background" not in exc.msg:
                raise
        state = until(self._settled, self._deadline()) or engine.swarm_state(self.client)
        if state["state"] != "active":
            raise Failure(
                "%s did not become a member of the swarm of %s within %d s: its state is '%s' %s. Check that port 2377/tcp of these "
                "managers is open and that the clocks agree." % (advertise_addr, ", ".join(managers), self.timeout, state["state"], state["error"]),
                kind="join", swarm=state)
        return state["node_id"]

    def _settled(self):
        state = engine.swarm_state(self.client)
        return state if state["state"] in ("active", "error", "locked") else None

    def leave(self):
        """Leaves the swarm, even by force."""
        engine.post(self.client, "/swarm/leave", params={"force": "true"}, what="leaving the swarm")
        until(lambda: engine.swarm_state(self.client)["state"] == "inactive", self._deadline())

    # --- a manager's view

    def worker_token(self):
        """The workers' join token. Secret."""
        return engine.get(self.client, "/swarm", what="reading the swarm")["JoinTokens"]["Worker"]

    def settings(self):
        """The swarm's own settings. Never its tokens."""
        return engine.get(self.client, "/swarm", what="reading the swarm")["Spec"]

    def set_settings(self, change, rotate):
        """Writes change(settings) of the swarm's own settings. rotate: both join tokens are made anew; members stay members."""
        params = {"rotateWorkerToken": str(rotate).lower(), "rotateManagerToken": str(rotate).lower()}
        engine.update(self.client, "/swarm", change, "reading the swarm", "updating the swarm", params)

    def manager_addresses(self):
        """["address:port"] of the managers that are reachable."""
        return sorted(node["ManagerStatus"]["Addr"] for node in self._nodes()
                      if (node.get("ManagerStatus") or {}).get("Reachability") == "reachable" and node["ManagerStatus"].get("Addr"))

    def _nodes(self):
        return engine.get(self.client, "/nodes", what="listing the nodes of the swarm")

    def nodes(self, expected=()):
        """Summaries of all nodes. expected: ids of nodes that have just joined and may not be listed yet."""
        def listed():
            found = [node_summary(node) for node in self._nodes()]
            return found if set(expected) <= {node["id"] for node in found if node["state"] == "ready"} else None
        return until(listed, time.monotonic() + min(self.timeout, 30)) or [node_summary(node) for node in self._nodes()]

    def network(self, name):
        """The result of inspecting the network, None if it does not exist."""
        found = engine.get(self.client, "/networks", params={"filters": {"name": [name]}}, what="listing networks")
        exact = [item for item in found if item["Name"] == name]
        return exact[0] if exact else None

    def services(self):
        """[{"id", "name", "constraints", "label" (by which its role chooses its nodes, or empty)}] of the services of skp.cluster."""
        found = engine.get(self.client, "/services", params={"filters": {"label": [ROLE_LABEL]}}, what="listing services") or []
        return [{"id": item["ID"], "name": item["Spec"]["Name"], "label": (item["Spec"].get("Labels") or {}).get(NODE_LABEL, ""),
                 "constraints": (item["Spec"]["TaskTemplate"].get("Placement") or {}).get("Constraints") or []} for item in found]

    def pin(self, service):
        """Gives a service these placement constraints, and changes nothing else of it."""
        def change(spec):
            spec["TaskTemplate"]["Placement"] = dict(spec["TaskTemplate"].get("Placement") or {}, Constraints=service["constraints"])
            return spec

        engine.update(self.client, "/services/%s" % service["id"], change, "reading service %s" % service["name"],
                      "updating the placement of service %s" % service["name"])

    def node(self, node_id):
        """One node as returned by the API."""
        return engine.get(self.client, "/nodes/%s" % node_id, what="reading node %s" % node_id)

    def _update(self, host, node_id, **change):
        """Applies changes to the newest spec of a node."""
        engine.update(self.client, "/nodes/%s" % node_id, lambda spec: dict(spec, **change), "reading node %s" % node_id,
                      "updating node %s (%s)" % (host, node_id))

    def set_labels(self, host, node_id, labels):
        """Replaces the labels of a node."""
        self._update(host, node_id, Labels=labels)

    def promote(self, host, node_id):
        """Makes a node a manager and waits until the others reach it."""
        self._update(host, node_id, Role="manager")
        if not until(lambda: node_summary(self.node(node_id))["reachable"], self._deadline()):
            raise Failure("%s was promoted, but the other managers do not reach it after %d s. Check its port 2377/tcp; `docker node ls` "
                          "shows its state. No other node was promoted." % (host, self.timeout), kind="promote", host=host, node_id=node_id)

    def demote(self, host, node_id, wait=True):
        """Makes a node a worker and waits until it has left the Raft group of the managers.

        wait=False: for this node itself, which cannot read the result.
        """
        self._update(host, node_id, Role="worker")
        if wait and not until(lambda: not self.node(node_id).get("ManagerStatus"), self._deadline()):
            raise Failure("%s was demoted but still counts as a manager after %d s. See `docker node ls`." % (host, self.timeout),
                          kind="demote", host=host, node_id=node_id)

    def remove_stale(self, host, node_id, manager):
        """Removes the old entry of a node that joined again under a new id: only when the entry is down; a manager is demoted first."""
        if not until(lambda: node_summary(self.node(node_id))["state"] == "down", self._deadline()):
            raise Failure("The old entry %s of %s is still up after %d s, although %s answers as another node. Do two machines have this name? "
                          "See `docker node inspect %s`." % (node_id, host, self.timeout, host, node_id),
                          kind="stale", host=host, node_id=node_id)
        if manager:
            try:
                self.demote(host, node_id)
            except EngineError as exc:
                # After `docker swarm init --force-new-cluster` the entry says manager, but it is no longer in the Raft group.
                if "raft memberlist" not in exc.msg:
                    raise
        engine.delete(self.client, "/nodes/%s" % node_id, what="removing the old entry %s of %s" % (node_id, host))

    def create_network(self, wanted):
        """Creates the overlay network."""
        engine.post(self.client, "/networks/create", network_spec(wanted), what="creating the network %s" % wanted["name"])

    def apply(self, plan, network, self_id):
        """Applies a plan of `swarm.plan.plan`.

        Renamed nodes keep their services: these are pinned to the node's id while its name changes.
        Labels come first: if the run ends in between, the new node has the labels of its old entry before that entry is removed.
        Promotions come before demotions, so that the number of managers never drops in between.
        """
        for service in plan["pins"][0]:
            self.pin(service)
        for item in plan["updates"]:
            if item["before"] is None or item["before"]["labels"] != item["after"]["labels"]:
                self.set_labels(item["host"], item["id"], item["after"]["labels"])
        for service in plan["pins"][1]:
            self.pin(service)
        for entry in plan["stale"]:
            self.remove_stale(entry["host"], entry["id"], entry["manager"])
        moves = [item for item in plan["updates"] if item["before"]["role"] != item["after"]["role"]]
        for item in moves:
            if item["after"]["role"] == "manager":
                self.promote(item["host"], item["id"])
        if plan["create_network"]:
            self.create_network(network)
        for item in sorted(moves, key=lambda move: move["id"] == self_id):
            if item["after"]["role"] == "worker":
                self.demote(item["host"], item["id"], wait=item["id"] != self_id)
