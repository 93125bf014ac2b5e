# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: command
type: aggregate
short_description: Ends a command that would do nothing, such as one with a mistyped tag or without an inventory
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Ansible ends with exit code 0 when C(--tags) names a tag that no play has, or when no play has a host. This callback ends such commands with
    exit code 4 and a message. It runs on the controller, asks no node and shows nothing else.
  - The tags are those of the playbooks of the command, so tags of a site's own plays are known.
requirements:
  - Enabled in C(ansible.cfg), C([defaults] callbacks_enabled = skp.cluster.command), as in the ansible.cfg of this repository.
"""

import difflib

from ansible import constants as C
from ansible import context
from ansible.plugins.callback import CallbackBase

SPECIAL = frozenset(("all", "always", "never", "tagged", "untagged"))
EXIT_CODE = 4
"""Ansible's code for a command that cannot be understood: a broken file, an unknown pattern."""


def tags_of(plays):
    """All tags of plays, blocks and tasks. Each has also those that it inherits."""
    found = set()

    def walk(block):
        for task in block.block + block.rescue + block.always:
            if hasattr(task, "block"):
                walk(task)
            else:
                found.update(task.tags)

    for play in plays:
        found.update(play.tags)
        for block in play.compile():
            walk(block)
    return found


def unknown_tags(given, known):
    """One line for each given tag that no play has."""
    lines = []
    for tag in sorted(set(given) - known - SPECIAL):
        near = difflib.get_close_matches(tag, sorted(known), n=1)
        hint = '; did you mean "%s"?' % near[0] if near else ", expected one of %s" % ", ".join(sorted(known - SPECIAL))
        lines.append('no play has the tag "%s"%s' % (tag, hint))
    return lines


def mistyped_tags(skipped, known):
    """One line for each tag to skip that no play has, if it is nearly one. Others are harmless: molecule always skips its own."""
    return unknown_tags([tag for tag in skipped if difflib.get_close_matches(tag, sorted(known), n=1, cutoff=0.8)], known)


def words(option):
    """The tags of an option of the command."""
    return [tag.strip() for entry in context.CLIARGS.get(option) or () for tag in str(entry).split(",") if tag.strip()]


class CallbackModule(CallbackBase):
    """Looks at a command before its first play, and after its last."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "skp.cluster.command"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.without_hosts = False

    def v2_playbook_on_start(self, playbook):
        """Refuse tags that no play of the command has. With several playbooks, another one may have the tag."""
        given, skipped = words("tags"), words("skip_tags")
        of_plays = {tag for play in playbook.get_plays() for tag in play.tags}
        # Usually a tag is one of a play, and the tasks need not be looked at.
        if set(given + skipped) - SPECIAL - of_plays and len(context.CLIARGS.get("args") or ()) == 1:
            known = tags_of(playbook.get_plays())
            self.end(unknown_tags(given, known) + mistyped_tags(skipped, known))

    def v2_playbook_on_no_hosts_matched(self):
        """A play without hosts."""
        self.without_hosts = True

    def v2_playbook_on_stats(self, stats):
        """Refuse a run in which no play had a host."""
        if not stats.processed and self.without_hosts:
            sources = ", ".join(str(source) for source in context.CLIARGS.get("inventory") or ()) or "none"
            self.end(
                [
                    "no play had a host, so nothing was done. The inventory is %s" % sources,
                    "Name your cluster's: -i inventory/mine, or export ANSIBLE_INVENTORY=inventory/mine. For the lab run `make up` first.",
                ]
            )

    def end(self, lines):
        """Show the lines and end the command. An ordinary exception in a callback is only a warning."""
        for line in lines:
            self._display.display("[ERROR]: " + line, color=C.COLOR_ERROR, stderr=True)
        if lines:
            raise SystemExit(EXIT_CODE)
