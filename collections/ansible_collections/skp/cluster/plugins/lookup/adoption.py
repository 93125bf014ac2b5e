# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: adoption
short_description: What becomes of the entries of an existing st-kilda-pier
version_added: 0.1.0
author: skp.cluster contributors (@comafire)
description:
  - Reads C(hosts.json), C(env.sh) and, if they are there, C(networks.json), C(volumes.json), C(services.json) and C(images.json) on the controller.
  - The files are parsed and never executed. Each is looked for in the directory, then in C(etc) and C(bin) below it.
options:
  _terms:
    description: One directory of the controller.
    type: list
    elements: str
    required: true
  home:
    description: Home directory of st-kilda-pier's user on the nodes, for C($HOME).
    type: str
    default: ""
  user:
    description: Name of that user, for C($USER).
    type: str
    default: ""
  ignored:
    description: Entries, as the table names them, that are left behind.
    type: list
    elements: str
    default: []
notes:
  - The texts of C(files) hold secrets. Set C(no_log=true) where they are used.
"""

EXAMPLES = r"""
- name: Show what becomes of every entry
  ansible.builtin.debug:
    msg: "{{ lookup('skp.cluster.adoption', '/root/st-kilda-pier', home='/home/skp').lines }}"
"""

RETURN = r"""
_raw:
  description:
    - C(lines), the table as text, without secrets. C(unclear), the lines that somebody has to decide about. C(files), the texts of the new inventory by
      their paths, empty if anything is unclear.
  type: list
  elements: dict
"""

import os

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

from ansible_collections.skp.cluster.plugins.plugin_utils import _adopt

PLACES = ("", "etc", "bin")


class LookupModule(LookupBase):
    """The lookup of this file."""

    def run(self, terms, variables=None, **kwargs):
        """See DOCUMENTATION."""
        self.set_options(var_options=variables, direct=kwargs)
        if len(terms) != 1:
            raise AnsibleError("expected one directory, found %d" % len(terms))
        directory = os.path.expanduser(str(terms[0]))
        if not os.path.isdir(directory):
            raise AnsibleError("%s is no directory of the controller; expected the one with the hosts.json and env.sh of an st-kilda-pier" % directory)
        adoption = _adopt.plan(self._texts(directory), self.get_option("home"), self.get_option("user"), self.get_option("ignored"))
        return [{"lines": _adopt.lines(adoption), "unclear": ["%s: %s" % (row.entry, row.text) for row in adoption.unclear], "files": adoption.files}]

    def _texts(self, directory):
        """{name: bytes} of the files that are there; one that is encrypted with ansible-vault is decrypted."""
        found = {}
        for name in _adopt.FILES:
            places = [path for path in (os.path.join(directory, place, name) for place in PLACES) if os.path.isfile(path)]
            if len(places) > 1:
                raise AnsibleError("%s and %s are both there; expected one. Name the directory that has all files in adopt_from" % tuple(places[:2]))
            for path in places:
                with open(self._loader.get_real_file(path, decrypt=True), "rb") as stream:
                    found[name] = stream.read()
        return found
