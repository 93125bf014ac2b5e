# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. What Portainer must be asked for through its HTTP API: pure functions of plain data.

    found = {
        "admin": bool, "helper": bool, "gateway": bool   whether Portainer accepts the password of each account,
        "users": {name: id}                              {} if nobody could log in,
        "environments": [{"Id", "Name", "URL"}],
    }

Two accounts besides the gateway's, because Portainer stores a hash of the admin's password at its first start and does not look at the file again. The
helper, whose password stays the same, gives the admin the new one after a rotation.
"""

from __future__ import annotations

from ..failure import Failure

EMPTY = {"admin": True, "helper": False, "gateway": False, "users": {}, "environments": []}
"""A Portainer that has just started for the first time; it has the admin from its command line. For check mode before that."""

ADMINISTRATOR = 1
"""Portainer's number of the role."""
AGENT = 2
"""Portainer's number of an environment that is reached through agents."""


def plan(found, wanted):
    """The steps in their order: [{"do": create_user, set_password, remove_user or create_environment, ...}]. Raises Failure where Portainer lets nobody in.

    wanted: {"admin": name, "helper": name, "gateway": name, "gateway_password": password, or "" for no such account, "environment": name,
    "url": address of the agents}.
    """
    return _accounts(found, wanted) + _gateway(found, wanted) + _environment(found, wanted)


def _accounts(found, wanted):
    if found["admin"] and found["helper"]:
        return []
    if not found["admin"] and not found["helper"]:
        raise Failure(
            "Portainer: it accepts neither the password of %(admin)s (secret portainer_admin_password, or the variable) nor that of its helper account "
            "%(helper)s (secret portainer_helper_password). Expected one of them: its data is from another installation, or somebody changed both. Nothing was "
            "changed in it. Set portainer_admin_password to the password that %(admin)s has now, and run --tags portainer again." % wanted,
            kind="portainer_refused")
    wrong = wanted["helper" if found["admin"] else "admin"]
    if wrong == wanted["admin"] and wrong not in found["users"]:
        raise Failure(
            "Portainer: it has no account named %s, found %s. Nothing was changed in it. Set portainer_admin to the name of the administrator."
            % (wrong, ", ".join(sorted(found["users"])) or "none"), kind="portainer_no_admin")
    return [_account(found, wrong)]


def _gateway(found, wanted):
    """The account as which the gateway asks, with a password that nobody types."""
    name = wanted["gateway"]
    if wanted["gateway_password"]:
        return [] if found["gateway"] else [_account(found, name)]
    return [{"do": "remove_user", "user": name, "id": found["users"][name]}] if name in found["users"] else []


def _account(found, name):
    """The step after which an account has its password."""
    if name in found["users"]:
        return {"do": "set_password", "user": name, "id": found["users"][name]}
    return {"do": "create_user", "user": name}


def _environment(found, wanted):
    if not wanted["url"] or environment(found["environments"], wanted["url"]):
        return []
    taken = [item for item in found["environments"] if item["Name"] == wanted["environment"]]
    if taken:
        raise Failure(
            "Portainer: its environment %s is %s, expected %s. Nothing was changed in it. Rename or remove that environment in Portainer, or set "
            "portainer_environment to another name." % (wanted["environment"], taken[0]["URL"], wanted["url"]), kind="portainer_name")
    return [{"do": "create_environment", "environment": wanted["environment"], "url": wanted["url"]}]


def environment(environments, url):
    """The id of the environment behind these agents, None if there is none."""
    return next((item["Id"] for item in environments if item["URL"].rstrip("/") == url), None)


def service_of(url):
    """The agents' service: tcp://tasks.<service>:9001."""
    return url.partition("tasks.")[2].partition(":")[0]


def describe(step):
    """A step as a line for people."""
    if step["do"] == "create_environment":
        return "environment %(environment)s: %(url)s" % step
    return "account %s: %s" % (step["user"], {"create_user": "new", "set_password": "new password", "remove_user": "removed"}[step["do"]])


def form(step):
    """The fields with which Portainer makes an environment of agents.

    The agents' certificate is one that each makes itself. Both sides know each other by the agent secret, with which the server signs every request.
    """
    return {"Name": step["environment"], "EndpointCreationType": str(AGENT), "URL": step["url"], "GroupID": "1",
            "TLS": "true", "TLSSkipVerify": "true", "TLSSkipClientVerify": "true"}


def unseen(members, count):
    """What is wrong with the agents that the environment shows, '' if nothing is. members: its answer. count: how many tasks of the agents run."""
    names = sorted({member["NodeName"] for member in members})
    if len(names) >= count:
        return ""
    return "shows %d of %d nodes: %s" % (len(names), count, ", ".join(names) or "none")
