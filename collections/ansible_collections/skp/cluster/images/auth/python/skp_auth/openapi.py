# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenAPI document. Bodies are those of `fields`, so that the document and the checks cannot differ."""

from __future__ import annotations

import functools
import typing as t

from . import fields
from .settings import LEVELS

TEXT = {"type": "string"}
SECONDS = {"type": "integer"}
ACCOUNT = {"type": "object", "required": ["id", "level", "active", "create_datetime", "update_datetime"], "properties": {
    "id": TEXT, "level": {"type": "string", "enum": list(LEVELS)}, "active": {"type": "boolean"},
    "create_datetime": {"type": "string", "format": "date-time"}, "update_datetime": {"type": "string", "format": "date-time"}}}
PAGE = {"type": "object", "required": ["accounts", "next"], "properties": {
    "accounts": {"type": "array", "items": {"$ref": "#/components/schemas/Account"}}, "next": {"type": ["string", "null"]}}}
ACCESS = {"type": "object", "required": ["id", "level", "access_token", "expires_in"], "properties": {
    "id": TEXT, "level": TEXT, "access_token": TEXT, "expires_in": SECONDS}}
PAIR = {**ACCESS, "required": [*ACCESS["required"], "refresh_token"], "properties": {**ACCESS["properties"], "refresh_token": TEXT}}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": TEXT}}
ANY = {"type": "object"}

SENTENCES = {
    400: "The body is refused", 401: "No good token, or the sign-in is refused", 403: "This account may not", 404: "No such account",
    409: "Another account has the name, or the cluster keeps the account", 413: "The body is too long", 415: "The body is no JSON",
    429: "Too many attempts", 503: "The database does not answer"}
BODY = (400, 413, 415)


def _query(name: str, about: str, kind: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"name": name, "in": "query", "required": False, "description": about, "schema": kind}


def _call(about: str, good: tuple[int, t.Any], errors: t.Iterable[int], reads: str = "", token: str = "", query: t.Iterable[dict] = ()) -> dict[str, t.Any]:
    status, answer = good
    answers: dict[str, t.Any] = {str(status): {"description": "Done"}}
    if answer is not None:
        answers[str(status)]["content"] = {"application/json": {"schema": answer}}
    for code in sorted({*errors, *(BODY if reads else ()), *((401,) if token else ())}):
        answers[str(code)] = {"$ref": "#/components/responses/E%d" % code}
    found: dict[str, t.Any] = {"summary": about, "responses": answers, "security": [{token: []}] if token else []}
    if reads:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/" + reads}}}}
    if query:
        found["parameters"] = list(query)
    return found


COOKIE = _query("cookie", "true: the cookie __Host-skp is set too, for the gateway", {"type": "boolean"})
ALL = _query("all", "true: all sessions of the account", {"type": "boolean"})
NAME = fields.BODIES["NewAccount"][1]["id"].schema()
AFTER = _query("after", "Accounts after this name", NAME)
AREA = _query("area", "An area of auth_areas; without it, every account that is enabled", TEXT)
REF = {"$ref": "#/components/schemas/Account"}
IDENT = {"name": "ident", "in": "path", "required": True, "schema": NAME}
STATE = {"type": "object", "required": ["database"], "properties": {"database": {"type": "string", "enum": ["ready", "older", "newer", "unavailable"]}}}
HEALTH = _call("Whether the database answers, with the tables of this version", (200, STATE), ())
HEALTH["responses"]["503"] = {**HEALTH["responses"]["200"], "description": "It does not, or not yet"}

PATHS: dict[str, dict[str, t.Any]] = {
    "/": {"get": _call("Where the document is", (200, ANY), ())},
    "/v1/openapi.json": {"get": _call("This document", (200, ANY), ())},
    "/v1/jwks.json": {"get": _call("The public key with which access tokens are verified", (200, ANY), ())},
    "/v1/health": {"get": HEALTH},
    "/v1/tokens": {
        "post": _call("Sign in", (201, PAIR), (401, 429, 503), reads="SignIn", query=[COOKIE]),
        "put": _call("A new access token", (200, ACCESS), (503,), token="refresh", query=[COOKIE]),
        "delete": _call("Sign out: both tokens of the session are revoked", (200, ANY), (503,), token="access", query=[ALL]),
    },
    "/v1/tokens/check": {"get": _call("For nginx's auth_request: 204 if the account may see the area", (204, None), (403, 503), token="access", query=[AREA])},
    "/v1/accounts": {
        "get": _call("All accounts, by name, 100 at a time (admins)", (200, PAGE), (400, 403, 503), token="access", query=[AFTER]),
        "post": _call("Make an account (admins; everybody with auth_registration, and then not enabled)", (201, REF), (403, 409, 429, 503), reads="NewAccount",
                      token="access"),
    },
    "/v1/accounts/{ident}": {
        "parameters": [IDENT],
        "get": _call("Read an account: the own one, or any (admins)", (200, REF), (403, 404, 503), token="access"),
        "put": _call("Change an account; its sessions end. Users: pw of the own account, with pw_now", (200, REF), (403, 404, 409, 429, 503), reads="Change",
                     token="access"),
        "delete": _call("Delete an account (admins)", (204, None), (403, 404, 409, 503), token="access"),
    },
}


@functools.lru_cache(maxsize=1)
def document() -> dict[str, t.Any]:
    """The document."""
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "skp.cluster auth service", "version": "1", "license": {"name": "GPL-3.0-or-later"}},
        "paths": PATHS,
        "components": {
            "schemas": {"Account": ACCOUNT, "Error": ERROR, **{name: fields.schema(name) for name in fields.BODIES}},
            "responses": {"E%d" % code: {"description": about, "content": error} for code, about in SENTENCES.items()},
            "securitySchemes": {kind: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"} for kind in ("access", "refresh")},
        },
    }
