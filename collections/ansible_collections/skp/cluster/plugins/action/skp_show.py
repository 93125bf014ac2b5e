# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of `skp_show`, which has no other: it prints text."""

from __future__ import annotations

import os
import tempfile

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()


def replace(path, content):
    """Write a file in one step, readable for all as far as the umask allows."""
    path = os.path.abspath(os.path.expanduser(path))
    try:
        handle, temporary = tempfile.mkstemp(prefix=".skp-", dir=os.path.dirname(path))
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as exc:
        raise AnsibleActionFail("%s cannot be written on the controller: %s. Name a file in a directory that exists." % (path, exc.strerror)) from exc


class ActionModule(ActionBase):
    """Prints, and writes a file if one is named."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        """See ActionBase.run."""
        result = super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(argument_spec={
            "text": {"type": "list", "elements": "str", "default": []}, "dest": {"type": "path"}, "content": {"type": "str", "default": ""},
            "stats": {"type": "dict", "default": {}}})
        if given["text"]:
            display.display("\n".join(given["text"]))
        if given["dest"]:
            replace(given["dest"], given["content"])
        if given["stats"]:
            result["ansible_stats"] = {"data": given["stats"], "per_host": False, "aggregate": False}
        # The text stands above; a second copy in the result would be folded.
        return dict(result, changed=False)
