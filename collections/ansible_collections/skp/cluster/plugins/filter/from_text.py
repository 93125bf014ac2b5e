# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: from_text
short_description: A list, also if it was given as text
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - With C(-e name=a,b) and in a survey of AWX a list is text. Ansible's validation of variables accepts it, but does not convert it.
  - A list is returned unchanged.
options:
  _input:
    description: A list, or text. Text is a list in JSON (C(["a", "b"])), or items separated by commas. Empty text is an empty list.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Show the checks that only warn
  ansible.builtin.debug:
    msg: "{{ 'engine_api, disk' | skp.cluster.from_text }}" # ['engine_api', 'disk']
"""

RETURN = r"""
_value:
  description: The list.
  type: list
  elements: raw
"""

import json

from ansible.errors import AnsibleFilterError


def from_text(value):
    """See DOCUMENTATION."""
    if not isinstance(value, str):
        return value
    if value.strip().startswith("["):
        try:
            return json.loads(value)
        except ValueError as exc:
            raise AnsibleFilterError("found %r, which begins like a list in JSON but is none (%s); expected [\"a\", \"b\"] or a,b" % (value, exc)) from exc
    return [item.strip() for item in value.split(",") if item.strip()]


class FilterModule:
    """The filter of this file."""

    def filters(self):
        """Name and function."""
        return {"from_text": from_text}
