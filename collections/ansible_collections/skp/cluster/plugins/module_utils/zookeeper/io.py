# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The swarm I/O of `skp_zk_ensemble`: queries to the members, and one step of the plan."""

from __future__ import annotations

import time
import uuid

from ..engine import client as engine
from ..failure import Failure
from ..service import io as service_io
from ..service import plan as service_plan
from ..service.spec import ROLE_LABEL, Spec
from . import config, observe

POLL_SECONDS = 0.3
PATIENCE_SECONDS = 15
"""Seconds that a step waits for a starting member or an election before it is refused."""


_ASK = ('for name in "$@"; do { answer=$(SKP_4LW_TIMEOUT=2 skp-zookeeper-4lw srvr "$name" 2>/dev/null); '
        'printf "==%s\\n%s\\n" "$name" "$answer"; } & done; wait')


_SRVR = ["skp-zookeeper-4lw", "srvr"]


class Probe:
    """A container on this manager, attached to the overlay, that queries the members. Use as a context manager.

    The members listen on the overlay only, and a manager itself is not on it. The container starts with the first query, is removed at the
    end, and ends by itself after `lifetime` seconds if this process is killed.
    """

    def __init__(self, client, image, network, role, lifetime):
        self.client, self.image, self.network, self.role, self.lifetime = client, image, network, role, lifetime
        self.name, self.started = "skp-probe-%s-%s" % (role, uuid.uuid4().hex[:8]), False

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self.started:
            engine.delete(self.client, "/containers/%s" % self.name, params={"force": 1, "v": 1}, what="removing the probe container")

    def _start(self):
        body = {
            "Image": self.image, "Entrypoint": ["sleep"], "Cmd": [str(int(self.lifetime))],
            "Labels": {ROLE_LABEL: self.role, "skp.probe": "1"},
            "HostConfig": dict(service_plan.one_shot(self.network), AutoRemove=True, Init=True),
        }

        def create():
            engine.post(self.client, "/containers/create", body, params={"name": self.name}, what="creating the probe container")
        try:
            create()
        except engine.EngineError as exc:
            if exc.failure.get("status") != 404 or "image" not in exc.msg.lower():
                raise
            engine.post(self.client, "/images/create", params={"fromImage": self.image}, decode=False, timeout=self.lifetime,
                        what="pulling %s for the probe" % self.image)
            create()
        self.started = True
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                engine.post(self.client, "/containers/%s/start" % self.name, what="attaching the probe container to network %s" % self.network)
                return
            except engine.EngineError:
                # An engine that has just started is still attaching its networks.
                if time.monotonic() >= deadline:
                    raise
            time.sleep(POLL_SECONDS)

    def _exec(self, command):
        """Output of a command in the container. A container that has ended meanwhile (its lifetime, a restart of the engine) is started again."""
        body = {"Cmd": command, "AttachStdout": True, "AttachStderr": True}
        if not self.started:
            self._start()
        try:
            made = engine.post(self.client, "/containers/%s/exec" % self.name, body, what="asking the members")
        except engine.EngineError as exc:
            if exc.failure.get("status") not in (404, 409):
                raise
            engine.delete(self.client, "/containers/%s" % self.name, params={"force": 1, "v": 1}, what="removing an ended probe container")
            self._start()
            made = engine.post(self.client, "/containers/%s/exec" % self.name, body, what="asking the members")
        return engine.post(self.client, "/exec/%s/start" % made["Id"], {"Detach": False, "Tty": False}, decode=False, what="asking the members")

    def srvr(self, names):
        """{name: text of the answer, '' for none}; all queries run in parallel, at most 2 s each."""
        if not names:
            return {}
        data = self._exec(["bash", "-c", _ASK, "ask"] + list(names))
        answers = dict.fromkeys(names, "")
        for part in engine.demultiplex(data).split("==")[1:]:
            name, _separator, text = part.partition("\n")
            if name in answers:
                answers[name] = text
        return answers


class Ensemble:
    """The ensemble in the swarm, and the operations that change it.

    build(id, servers) gives a `service.build.build_service` result, init(id, marker) the same of the one-shot service. hosts: {id: host}.
    """

    def __init__(self, client, role, prefix, target, hosts, found, facts, build, init, probe, timeout, renamed=None):
        self.client, self.role, self.prefix, self.target, self.hosts = client, role, prefix, target, hosts
        self.found, self.facts, self.build, self.init, self.probe, self.timeout = dict(found), dict(facts), build, init, probe, timeout
        self.state, self.answers, self.mark, self.renamed = None, None, None, renamed

    def name(self, number):
        """The name of a member's service."""
        return "%s-%d" % (self.prefix, number)

    def refresh(self):
        """Read the swarm again."""
        self.state = service_io.read_state(self.client, self.role, self.renamed)

    def wanted(self, number, servers):
        """The hash that a member's service should have, for `zookeeper.plan`."""
        return Spec(self.build(number, servers)["payload"]).fingerprint

    def view(self, assume_nodes=False):
        """The view from the last `refresh` and `ask`."""
        return observe.build_view(self.state, self.role, self.prefix, self.target, self.hosts, self.found, self.facts, self.answers, self.mark,
                                  assume_nodes)

    def ask(self):
        """Query all members that have a service; followers must have reached the zxid that the leader had at the previous query."""
        if self.answers is not None:
            _ready, leader = observe.serving(self.answers)
            self.mark = (leader, self.answers[leader]["zxid"]) if leader is not None else None
        numbers = sorted(observe.member_services(self.state, self.role, self.prefix))
        texts = self.probe.srvr([self.name(number) for number in numbers])
        self.answers = {number: config.parse_srvr(texts[self.name(number)]) for number in numbers}

    def observe(self):
        """Read and query again, twice, so that a follower does not look late because of concurrent writes."""
        self.refresh()
        self.ask()
        self.ask()
        return self.view()

    def judge(self, judgement):
        """judgement(view) of a new view. A missing quorum is refused only if it persists: members may be starting or electing."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            view = self.observe()
            try:
                return judgement(view)
            except Failure as refusal:
                blamed = refusal.failure.get("not_serving") or []
                hopeless = not blamed or any(n not in view["members"] or not view["members"][n]["node_up"] for n in blamed)
                if refusal.failure.get("kind") != "quorum" or hopeless or time.monotonic() >= deadline:
                    raise
            time.sleep(POLL_SECONDS)

    def do(self, step):
        """Do one step of the plan and wait for its end. Raises Failure if it does not succeed."""
        getattr(self, "_" + step["action"])(step)

    def _items(self, items):
        """Create missing configs and secrets of these services."""
        create = {"configs": {}, "secrets": {}}
        for item in items:
            for kind in create:
                create[kind].update({name: value for name, value in item[kind].items() if name not in self.state[kind]})
        service_io.ensure_objects(self.client, {kind: {"create": create[kind]} for kind in create}, self.state, self.role)

    def _init(self, step):
        items = {number: self.init(number, step["marker"]) for number in step["ids"]}
        self.clear_leftovers()
        self._items(items.values())
        try:
            for number, item in items.items():
                service_io.apply_action(self.client, self.state, {"do": "create", "name": item["name"], "payload": item["payload"]})
            self._wait_complete({item["name"]: number for number, item in items.items()})
        finally:
            self.refresh()
            self.clear_leftovers()
        for number in step["ids"]:
            self.found[self.hosts[number]] = number
        running = [n for n in step["ids"] if n in observe.member_services(self.state, self.role, self.prefix)]
        if running:
            self.await_serving(running)

    def clear_leftovers(self):
        """Remove one-shot services, also of an earlier run."""
        for name in observe.leftovers(self.state, self.role, self.prefix):
            engine.delete(self.client, "/services/%s" % self.state["services"][name]["id"], what="removing service %s" % name)
            del self.state["services"][name]

    def _wait_complete(self, names):
        """Wait until one-shot services have ended successfully. names: {service name: member id}."""
        deadline = time.monotonic() + self.timeout
        while True:
            state = service_io.read_state(self.client, self.role)
            owners = {state["services"][name]["id"]: name for name in names if name in state["services"]}
            latest = {owners[task["ServiceID"]]: task for task in state["tasks"] if task["ServiceID"] in owners}
            for name in sorted(latest):
                status = latest[name]["Status"]
                if status["State"] in ("failed", "rejected", "orphaned"):
                    logs = service_io.task_logs(self.client, latest[name]["ID"])
                    raise Failure(
                        "ZooKeeper: the id (myid) of %s could not be written on %s: %s%s\nNo member was started."
                        % (self.name(names[name]), self.hosts[names[name]], status.get("Err") or status["State"],
                           "; its log:\n" + logs.rstrip() if logs else ""),
                        kind="init", member=names[name], host=self.hosts[names[name]], error=status.get("Err") or "", logs=logs)
            late = [name for name in sorted(names) if name not in latest or latest[name]["Status"]["State"] != "complete"]
            if not late:
                return
            if time.monotonic() >= deadline:
                raise Failure(
                    "ZooKeeper: the ids (myid) of %s were not written within %g s (%s). No member was started."
                    % (", ".join(self.name(names[name]) for name in late), self.timeout,
                       "; ".join("%s: %s" % (name, latest[name]["Status"]["State"] if name in latest else "no task") for name in late)),
                    kind="init", members=[names[name] for name in late])
            time.sleep(POLL_SECONDS)

    def _apply(self, step):
        items = {number: self.build(number, step["servers"]) for number in step["ids"]}
        self._items(items.values())
        stale = frozenset()
        for number, item in items.items():
            present = self.state["services"].get(item["name"])
            action = {"do": "update" if present else "create", "name": item["name"], "payload": item["payload"], "fields": []}
            if present:
                action.update(id=present["id"], fields=Spec(present["spec"], self.state["networks"]).changes_to(Spec(item["payload"])))
            stale |= service_io.apply_action(self.client, self.state, action)
        if step["wait"]:
            self.await_serving(step["ids"], stale)

    def _bounce(self, step):
        (number,) = step["ids"]
        entry = self.state["services"][self.name(number)]
        stale = frozenset(task["ID"] for task in self.state["tasks"] if task["ServiceID"] == entry["id"])
        wanted = []

        def change(spec):
            wanted.append(spec["TaskTemplate"].get("ForceUpdate", 0) + 1)
            spec["TaskTemplate"]["ForceUpdate"] = wanted[0]
            return spec if wanted[-1] == wanted[0] else None  # else an attempt without an answer has restarted it

        engine.update(self.client, "/services/%s" % entry["id"], change, "reading service %s" % self.name(number),
                      "restarting service %s" % self.name(number))
        self.await_serving([number], stale)

    def _remove(self, step):
        gone = {}
        for number in step["ids"]:
            entry = self.state["services"][self.name(number)]
            gone[entry["id"]] = self.name(number)
            service_io.apply_action(self.client, self.state, {"do": "remove", "name": self.name(number), "id": entry["id"]})
        service_io.wait_for(self.client, self.role, [], self.timeout, removed=gone)

    def await_serving(self, numbers, stale=frozenset()):
        """Wait until the tasks of these members run, and each member serves as leader or follower and has caught up with a leader."""
        deadline = time.monotonic() + self.timeout
        waited = service_io.wait_for(self.client, self.role, [self.name(n) for n in numbers], self.timeout, settle=0.0, stale=stale)
        down = {item["service"] for item in waited["pending_down"]}
        expected = [n for n in numbers if self.name(n) not in down]
        self.refresh()
        self.answers = None
        while True:
            self.ask()
            ready, leader = observe.serving(self.answers, self.mark)
            late = [n for n in expected if n not in ready]
            if not late:
                return waited
            if time.monotonic() >= deadline:
                raise self._not_serving(late, leader)
            time.sleep(POLL_SECONDS)

    def require_leader(self):
        """Raise Failure if no member leads, for a run that has nothing to change: a task that runs is no ensemble that serves.

        Normally one call inside the member of this manager is enough, without a container of our own: who serves has a leader.
        """
        if self._serves_here() is not False:
            return
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            self.ask()
            _ready, leader = observe.serving(self.answers)
            if leader is not None:
                return
            if time.monotonic() >= deadline:
                silent = ", ".join("%s (%s)" % (self.name(number), self.hosts.get(number, "no host")) for number in sorted(self.answers))
                raise Failure(
                    "ZooKeeper: nothing is to be changed, but no member leads, so nobody can read or write (waited %d s). None of these serves: %s. Start the "
                    "nodes that are down; see `docker service logs %s`." % (PATIENCE_SECONDS, silent, self.name(min(self.answers))),
                    kind="no_leader", members=sorted(self.answers))
            time.sleep(POLL_SECONDS)

    def _serves_here(self):
        """Whether the member on this manager serves; None if none runs here."""
        names = {self.name(number) for number in observe.member_services(self.state, self.role, self.prefix)}
        for container in engine.get(self.client, "/containers/json", what="listing containers") or []:
            if (container.get("Labels") or {}).get("com.docker.swarm.service.name") in names:
                try:
                    made = engine.post(self.client, "/containers/%s/exec" % container["Id"], {"Cmd": _SRVR, "AttachStdout": True, "AttachStderr": True},
                                       what="asking the member of this node")
                    data = engine.post(self.client, "/exec/%s/start" % made["Id"], {"Detach": False, "Tty": False}, decode=False,
                                       what="asking the member of this node")
                except engine.EngineError:
                    return False
                return config.parse_srvr(engine.demultiplex(data)) is not None
        return None

    def _not_serving(self, late, leader):
        lines = []
        for number in late:
            answer = self.answers.get(number)
            lines.append("  %s on %s: %s" % (self.name(number), self.hosts.get(number),
                                             "%(mode)s at zxid 0x%(zxid)x, behind its leader" % answer if answer
                                             else "does not serve or does not answer"))
        service = self.state["services"].get(self.name(late[0]), {}).get("id")
        running = [task["ID"] for task in self.state["tasks"] if task["ServiceID"] == service and task["Status"]["State"] == "running"]
        logs = service_io.task_logs(self.client, running[-1]) if running else ""
        return Failure(
            "ZooKeeper: %d member%s not serve after %g s (leader now: %s). No other member was changed.\n%s%s"
            % (len(late), " does" if len(late) == 1 else "s do", self.timeout, self.name(leader) if leader else "none", "\n".join(lines),
               "\n  last lines of %s:\n%s" % (self.name(late[0]), logs.rstrip()) if logs else ""),
            kind="not_serving", not_serving=late, leader=leader)

    def drop_unused(self, warn):
        """Remove the role's configs and secrets that are no longer used."""
        self.refresh()
        drop = {}
        for kind in ("config", "secret"):
            used = set()
            for item in self.state["services"].values():
                used |= Spec(item["spec"]).objects(kind)
            drop[kind + "s"] = {"drop": {name: item["id"] for name, item in self.state[kind + "s"].items() if name not in used}}
        service_io.drop_objects(self.client, drop, warn)
