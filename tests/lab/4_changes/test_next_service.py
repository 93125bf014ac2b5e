# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The next service is cheap: a role of some 60 lines gets label moves, a dry run, the wait, a second run without changes, and down."""
from __future__ import annotations

import socket

import lablib

HERE = lablib.ROOT / "tests/lab/next_service"
PLAYBOOK = str(HERE / "echo.yml")


def labelled(*nodes):
    """A change of hosts.json that gives the label echo to these nodes only."""
    def change(data):
        for node, entry in data.items():
            entry["labels"] = [label for label in entry["labels"] if "echo" not in label] + ([{"echo": "enable"}] if node in nodes else [])
        return data
    return change


def say(node):
    """What the service on a node answers, or None; a plain socket from outside."""
    try:
        with socket.create_connection((lablib.address(node), 8099), timeout=3) as link:
            return link.makefile().readline().strip()
    except OSError:
        return None


def run(*args, check=True):
    """Labels to the swarm, then the service, as a user who adds a role would."""
    labels = lablib.play("playbooks/swarm.yml", *args, check=check)
    service = lablib.play(PLAYBOOK, *args, check=check)
    return labels.changed | service.changed, labels.text + service.text


def test_the_role_is_short(figures):
    """Everything a service author writes, documentation included, counted."""
    files = [p for p in (HERE / "roles/echo").rglob("*") if p.is_file()]
    lines = sum(1 for p in files for line in p.read_text(encoding="utf-8").splitlines() if line.strip() and "SPDX" not in line and line.strip() != "---")
    figures["next service: lines of its role"] = lines
    assert lines <= 60


def test_a_throw_away_service(figures):
    """Comes, moves with its label, shows a change before it is made, changes nothing on a second run, goes."""
    try:
        with lablib.edited_hosts(labelled("c02")):
            run()
            assert say("c02") == "hello" and say("c03") is None
            assert run()[0] == set()
        with lablib.edited_hosts(labelled("c03")):
            run()
            lablib.wait("moved to c03", lambda: say("c03") == "hello" and say("c02") is None, 60)
            predicted, shown = run("--check", "--diff", "-e", "echo_text=changed")
            assert predicted and "echo-text" in shown and say("c03") == "hello"
            applied, _ = run("-e", "echo_text=changed")
            assert applied == predicted
            lablib.wait("the new text", lambda: say("c03") == "changed", 60)
            assert run("-e", "echo_text=changed")[0] == set()
            broken = lablib.play(PLAYBOOK, "-e", "echo_port=port", "-e", "skp_wait_timeout=20", check=False)
            assert broken.rc != 0
            run()
            lablib.play(PLAYBOOK, "-e", "echo_tasks=down")
            assert "echo-skp" not in lablib.services()
            lablib.wait("gone", lambda: say("c03") is None, 30)
    finally:
        lablib.play(PLAYBOOK, "-e", "echo_tasks=down", check=False)
        lablib.play("playbooks/swarm.yml")
