# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes of the collection's modules. A module can add C(details) or another C(support)."""

from __future__ import annotations


class ModuleDocFragment:
    """C(skp.cluster.attributes) for modules that change something, C(skp.cluster.attributes.info) for those that only read."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Predicts in check mode what it would change, and changes nothing.
    support: full
  diff_mode:
    description: Shows in diff mode what changes, or in check mode what would change.
    support: full
  platform:
    description: Systems that the module runs on.
    support: full
    platforms: posix
"""

    INFO = r"""
attributes:
  check_mode:
    description: Reads in check mode too.
    support: full
  diff_mode:
    description: The module changes nothing, so there is no difference to show.
    support: N/A
  platform:
    description: Systems that the module runs on.
    support: full
    platforms: posix
"""
