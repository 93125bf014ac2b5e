# SPDX-License-Identifier: GPL-3.0-or-later
"""Airflow's pages of users, roles and the login, which are Flask's: who comes through the gateway is signed in there too."""

from __future__ import annotations

from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from flask import request

from skp_airflow import auth_manager, gateway


class GatewaySecurityManager(FabAirflowSecurityManagerOverride):
    """Takes the user of a request from the gateway's headers, before any session of Airflow's own."""

    def create_login_manager(self):
        """Flask-Login asks of_gateway about requests without a session."""
        manager = super().create_login_manager()
        manager.request_loader(self.of_gateway)
        return manager

    def of_gateway(self, asked):
        """The user of a request of the gateway, None for any other."""
        found = gateway.sender(asked.headers)
        user = self.get_user_by_id(auth_manager.number_of(*found)) if found else None
        return user if user and user.is_active else None

    def load_user(self, pk):
        """The user of a session. A request of the gateway is from its account, whatever session the browser has besides."""
        return self.of_gateway(request) if gateway.sender(request.headers) else super().load_user(pk)
