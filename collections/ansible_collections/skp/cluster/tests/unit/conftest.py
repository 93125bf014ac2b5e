# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugins are tested as Ansible loads them. Its collection loader has to be there before anything of the collection is imported."""

from __future__ import annotations

import pathlib

from ansible.plugins.loader import init_plugin_loader
from ansible.utils.collection_loader import AnsibleCollectionConfig

if AnsibleCollectionConfig.collection_finder is None:  # ansible-test brings its own
    init_plugin_loader([str(pathlib.Path(__file__).parents[5])])
