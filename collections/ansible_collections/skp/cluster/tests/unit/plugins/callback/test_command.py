# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags that no play has. tests/meta/test_commands.py runs whole commands."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.callback.command import mistyped_tags, unknown_tags

KNOWN = {"always", "kafka", "jupyter", "nodes"}


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        (["kafka"], []),
        (["all"], []),
        (["kafka", "tagged"], []),
        (["kafak"], ['no play has the tag "kafak"; did you mean "kafka"?']),
        (["zzz"], ['no play has the tag "zzz", expected one of jupyter, kafka, nodes']),
    ],
)
def test_tags(given, lines):
    assert unknown_tags(given, KNOWN) == lines


@pytest.mark.parametrize(
    ("skipped", "lines"), [(["notest", "molecule-notest", "kafka"], []), (["jupiter"], ['no play has the tag "jupiter"; did you mean "jupyter"?'])]
)
def test_tags_to_skip(skipped, lines):
    assert mistyped_tags(skipped, KNOWN) == lines
