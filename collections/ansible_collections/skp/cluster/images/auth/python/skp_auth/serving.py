# SPDX-License-Identifier: GPL-3.0-or-later
"""What gunicorn starts in each of its processes."""

from __future__ import annotations

import logging
import sys

import flask

from .app import LOG, create


def application() -> flask.Flask:
    """The application of this container. Its log goes where the container's goes."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("skp-auth: %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    return create()
