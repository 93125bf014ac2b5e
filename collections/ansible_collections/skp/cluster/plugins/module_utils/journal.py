# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. What a module writes to the journal of its node about its call."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


class QuietModule(AnsibleModule):
    """A module whose arguments may hold secrets of several lines, such as a private key, inside lists and dictionaries.

    AnsibleModule writes such an argument to the journal as the text of Python's repr, in which a line break is two characters, so that it does not
    find the secret it should leave out (ansible-core 2.19 to 2.22, basic.py, _log_invocation).
    """

    def _log_invocation(self):
        known = self.no_log_values
        self.no_log_values = known | {repr(value)[1:-1] for value in known if isinstance(value, str) and repr(value)[1:-1] != value}
        try:
            super()._log_invocation()
        finally:
            self.no_log_values = known
