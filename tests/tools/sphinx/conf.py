# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for `make docs`. tests/tools/docs_site.py copies this file beside the pages and sets SKP_VERSION."""

import os

project = "skp.cluster"
copyright = "skp.cluster contributors, GPL-3.0-or-later"  # noqa: A001 (Sphinx's own name)
version = release = os.environ["SKP_VERSION"]
html_title = "skp.cluster %s" % release

extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "furo"
# Headings have the anchors that they have in a browser of the repository, so one link serves both.
myst_heading_anchors = 6
# Commands in the text have two hyphens, and strings their own quotes.
smartquotes = False
# Code blocks without a language are commands and their output.
highlight_language = "none"
html_copy_source = False
html_show_sphinx = False


def text_of_elsewhere(app, env, node, contnode):
    """Return the text of a reference that leads to no page of this site, and None, a warning, for one that should.

    antsibull-docs names pages of Ansible and of other collections. Their addresses are on the internet, which a build does not ask; these names stay text.
    Labels of this collection, and what our own pages name, must be there.
    """
    generated = node.get("refdoc", "").startswith("reference/") and node.get("reftype") == "ref"
    return contnode if generated and "skp.cluster" not in node["reftarget"] else None


def setup(app):
    """Called by Sphinx."""
    app.connect("missing-reference", text_of_elsewhere)
