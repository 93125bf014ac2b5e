# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The options of `skp_members`, for the module and for its action plugin."""

from __future__ import annotations


def argument_spec():
    """The options of the module."""
    return dict(
        service=dict(type="str", required=True),
        hosts=dict(type="list", elements="str", default=[]),
        found=dict(type="dict", default={}),
        limit_hosts=dict(type="list", elements="str", default=[]),
        data_policy=dict(type="str", choices=["refuse", "leave", "moved"], default="refuse"),
        facts=dict(type="dict", default={}),
        settings=dict(type="dict", default={}),
        directories=dict(type="dict", default={}),
        running_settings=dict(type="dict", default={}),
        voters=dict(type="int", default=0),
        found_facts=dict(type="dict", default={}),
        started=dict(type="bool", default=False),
        others=dict(type="dict", default={}),
        renamed=dict(type="dict", default={}),
        seen=dict(type="dict", default={}),
        state=dict(type="str", choices=["present", "absent"], default="present"),
    )
