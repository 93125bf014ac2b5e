# SPDX-License-Identifier: GPL-3.0-or-later
"""Airflow's auth manager: its own users and passwords, and the accounts that the gateway has let in."""

from __future__ import annotations

import secrets
import time

from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager

from skp_airflow import gateway

REMEMBERED_SECONDS = 30
"""How long the user of an account is not looked up again."""

_users = {}
"""{account: (level whose role it has, number, until when that is believed)}."""


def number_of(account, level):
    """The number of the account's user in Airflow. The user is made at the first request, and its role follows the level."""
    from sqlalchemy.exc import IntegrityError

    known_level, number, until = _users.get(account, ("", 0, 0))
    if known_level != level or until < time.monotonic():
        try:
            number = _ensure(account, gateway.role_of(level))
        except IntegrityError:  # two first requests at once: the other one has made it
            number = _ensure(account, gateway.role_of(level))
        _users[account] = (level, number, time.monotonic() + REMEMBERED_SECONDS)
    return number


def _ensure(account, role_name):
    """Make the user, or give it its role; returns its number."""
    from airflow.providers.fab.auth_manager.models import Role, User
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from werkzeug.security import generate_password_hash

    name = gateway.PREFIX + account
    with create_session() as session:
        role = session.scalars(select(Role).where(Role.name == role_name)).unique().one()
        user = session.scalars(select(User).where(User.username == name)).unique().one_or_none()
        if user is None:
            # A password that nobody knows: an empty one could be right somewhere.
            word = generate_password_hash(secrets.token_urlsafe(32))
            user = User(username=name, first_name=account, last_name="", email="%s@localhost" % name, active=True, password=word)
            user.roles = [role]
            session.add(user)
        elif [one.id for one in user.roles] != [role.id]:
            user.roles = [role]
        session.flush()
        return user.id


class GatewayMiddleware:
    """Says who a request of the gateway is from. Airflow's own token is taken off the request, and off the answer."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        from starlette.datastructures import Headers

        found = gateway.sender(Headers(scope=scope)) if scope["type"] == "http" else None
        if found is None:
            await self.app(scope, receive, send)
            return

        async def without_token(message):
            if message["type"] == "http.response.start":
                message["headers"] = gateway.kept_headers(message.get("headers", ()))
            await send(message)

        await self._sign(scope, *found)
        await self.app(scope, receive, without_token)

    @staticmethod
    async def _sign(scope, account, level):
        """Put the account's user into the request, as Airflow's own middleware does with that of a cookie."""
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.core_api.security import USER_INJECTED_BY_TRUSTED_MIDDLEWARE
        from starlette.concurrency import run_in_threadpool

        scope["headers"] = [(name, gateway.kept_cookies(value.decode("latin-1")).encode("latin-1") if name == b"cookie" else value)
                            for name, value in scope["headers"]]
        number = await run_in_threadpool(number_of, account, level)
        try:
            user = await run_in_threadpool(get_auth_manager().deserialize_user, {"sub": str(number)})
        except ValueError:  # switched off in Airflow: nobody
            return
        scope.setdefault("state", {}).update(user=user, user_authenticated_via=USER_INJECTED_BY_TRUSTED_MIDDLEWARE)


class GatewayAuthManager(FabAuthManager):
    """Without the gateway's secret it is Airflow's FabAuthManager."""

    def get_fastapi_middlewares(self):
        """What is last here is asked first."""
        return [*super().get_fastapi_middlewares(), *([(GatewayMiddleware, {})] if gateway.token() else [])]
