# SPDX-License-Identifier: GPL-3.0-or-later
"""The auth service of skp.cluster: accounts, and tokens that other services can verify themselves.

settings  what the container was given     tokens     what is in a token, and which are refused
fields    what a request may say           passwords  argon2
store     accounts, sessions, attempts     schema     revisions of the database (migrations/)
limits    attempts in a time               app        the HTTP API; openapi, its document
"""
