# SPDX-License-Identifier: GPL-3.0-or-later
"""Login of Airflow's web UI: users and hashed passwords in the metadata. Nobody gets in without a password or the
gateway, and nobody registers."""

from flask_appbuilder.const import AUTH_DB
from skp_airflow.security_manager import GatewaySecurityManager

SECURITY_MANAGER_CLASS = GatewaySecurityManager

AUTH_TYPE = AUTH_DB
AUTH_USER_REGISTRATION = False
WTF_CSRF_ENABLED = True
