# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens: what is in them, and which are refused. No database here: that the session of a good token still lives, `app` asks `store`.

Access tokens are signed with a private key (Ed25519) that only this service has. Other services verify them with the public key, so none of them can make one.
Refresh tokens are for this service alone, and have a key of their own (HMAC). So do gate tokens, which are the cookies of people behind the gateway.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import typing as t
import uuid

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .settings import Settings

ACCESS, REFRESH, GATE = "access", "refresh", "gate"
KINDS = {ACCESS: ("EdDSA", "at+jwt"), REFRESH: ("HS256", "rt+jwt"), GATE: ("HS256", "gt+jwt")}
"""Of each kind the one algorithm that counts, and the type in the header. What a token's own header says is never believed."""

CLAIMS = ("iss", "aud", "sub", "sid", "jti", "iat", "exp", "type")
LEEWAY = 30
"""Seconds by which clocks of two nodes may differ; preflight refuses more."""


class Refused(Exception):
    """A token that is not good. The reason is for the log, not for who sent it."""


class Tokens:
    """The keys of this service."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        private = Ed25519PrivateKey.from_private_bytes(settings.access_key)
        public = private.public_key()
        own = (settings.refresh_key, settings.refresh_key)
        self._keys = {ACCESS: (private, public), REFRESH: own, GATE: own}
        # Refresh and gate tokens are for this service, so their audience is the issuer.
        self._audiences = {ACCESS: settings.audience, REFRESH: settings.issuer, GATE: settings.issuer}
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self._key = {"crv": "Ed25519", "kty": "OKP", "x": _text(raw)}
        # The thumbprint of RFC 7638: the same key has the same name in every instance.
        self.key_id = _text(hashlib.sha256(json.dumps(self._key, sort_keys=True, separators=(",", ":")).encode()).digest())

    def issue(self, kind: str, account: str, level: str, session: str, now: float | None = None) -> str:
        """A token of this kind."""
        now = int(time.time() if now is None else now)
        life = self._settings.access_seconds if kind == ACCESS else self._settings.refresh_seconds
        claims = {"iss": self._settings.issuer, "aud": self._audiences[kind], "sub": account, "level": level, "sid": session, "jti": uuid.uuid4().hex,
                  "iat": now, "exp": now + life, "type": kind}
        algorithm, typ = KINDS[kind]
        headers = {"typ": typ, **({"kid": self.key_id} if kind == ACCESS else {})}
        return jwt.encode(claims, self._keys[kind][0], algorithm, headers=headers)

    def read(self, kind: str, text: str) -> dict[str, t.Any]:
        """The claims of a token of this kind, or Refused."""
        algorithm, typ = KINDS[kind]
        try:
            claims = jwt.decode(text, self._keys[kind][1], algorithms=[algorithm], audience=self._audiences[kind], issuer=self._settings.issuer, leeway=LEEWAY,
                                options={"require": list(CLAIMS)})
            header = jwt.get_unverified_header(text)  # verified by now
        except (jwt.PyJWTError, ValueError) as exc:
            raise Refused(str(exc)) from exc
        if claims["type"] != kind or header.get("typ") != typ:
            raise Refused("a token of another kind")
        # The leeway is for tokens of other clocks that are new here; it must not lengthen a life.
        if claims["exp"] <= time.time():
            raise Refused("Signature has expired")
        return claims

    def jwks(self) -> dict[str, t.Any]:
        """The public key, as other services read it."""
        return {"keys": [{**self._key, "kid": self.key_id, "alg": "EdDSA", "use": "sig"}]}


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
