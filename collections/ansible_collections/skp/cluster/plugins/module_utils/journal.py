# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. What a module writes to the journal of its node about its call."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values


LONGEST = 500
"""Characters of a value that the journal gets. A longer one, such as the text of a file, is there as its length alone."""


def shortened(value):
    """A value without texts of more than LONGEST characters, of any depth. Returns a copy."""
    if isinstance(value, dict):
        return {key: shortened(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shortened(one) for one in value]
    return "(%d characters)" % len(value) if isinstance(value, str) and len(value) > LONGEST else value


class QuietModule(AnsibleModule):
    """A module whose arguments may hold secrets inside lists and dictionaries, such as a private key or a file with several passwords.

    AnsibleModule writes such an argument to the journal as the text of Python's repr and searches that for secrets (ansible-core 2.19 to 2.22, basic.py,
    _log_invocation). So it does not find one of several lines, in which a line break is two characters there, nor one of which a part is a secret
    itself and was replaced first. Here each value is judged as it was given. And no file is written to the journal again in each run.
    """

    def _log_invocation(self):
        given = self.params
        self.params = shortened(remove_values(given, self.no_log_values))
        try:
            super()._log_invocation()
        finally:
            self.params = given
