# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request may say: one table, from which bodies are checked and the OpenAPI document is made."""

from __future__ import annotations

import re
import typing as t

from . import passwords
from .settings import LEVELS

ID = "[a-z][a-z0-9._-]{0,31}"
"""Lower case only: one name is one account, whatever the collation of the database."""
ID_SENTENCE = "expected a small letter, then small letters, digits, dot, minus and underscore, at most 32 in all"


class BodyError(Exception):
    """A body that is refused, in one sentence. It never repeats a value: that may be a password in the wrong place."""


class Text(t.NamedTuple):
    """A text. words: what is expected, for the message."""

    about: str
    words: str
    shortest: int = 1
    longest: int = 128
    pattern: str = ""

    def wrong(self, value: t.Any) -> bool:
        """Whether a value is not one of these."""
        return (not isinstance(value, str) or not self.shortest <= len(value) <= self.longest or any("\ud800" <= sign <= "\udfff" for sign in value)
                or bool(self.pattern and not re.fullmatch(self.pattern, value)))

    def schema(self) -> dict[str, t.Any]:
        """The same for OpenAPI."""
        found = {"type": "string", "minLength": self.shortest, "maxLength": self.longest, "description": self.about}
        return {**found, "pattern": "^%s$" % self.pattern} if self.pattern else found


class Choice(t.NamedTuple):
    """One of some texts."""

    about: str
    words: str
    values: tuple

    def wrong(self, value: t.Any) -> bool:
        """Whether a value is not one of these."""
        return not isinstance(value, str) or value not in self.values

    def schema(self) -> dict[str, t.Any]:
        """The same for OpenAPI."""
        return {"type": "string", "enum": list(self.values), "description": self.about}


class Flag(t.NamedTuple):
    """True or false."""

    about: str
    words: str = "expected true or false"

    def wrong(self, value: t.Any) -> bool:
        """Whether a value is not one of these."""
        return not isinstance(value, bool)

    def schema(self) -> dict[str, t.Any]:
        """The same for OpenAPI."""
        return {"type": "boolean", "description": self.about}


_LENGTH = "expected %d to %d characters" % (passwords.SHORTEST, passwords.LONGEST)
_NEW_PASSWORD = Text("The password, %d to %d characters" % (passwords.SHORTEST, passwords.LONGEST), _LENGTH, passwords.SHORTEST, passwords.LONGEST)
_ANY = "expected 1 to 128 characters"
_LEVEL = Choice("A for admins, U for users", "expected A or U", LEVELS)

BODIES: dict[str, tuple[tuple, dict[str, t.Any]]] = {
    # A password that no account can have gets the same answer as a wrong one.
    "SignIn": (("id", "pw"), {"id": Text("Name of the account", _ANY), "pw": Text("Its password", _ANY)}),
    "NewAccount": (("id", "pw"), {
        "id": Text("Name of the account", ID_SENTENCE, 1, 32, ID), "pw": _NEW_PASSWORD, "level": _LEVEL,
        "active": Flag("Whether it may sign in")}),
    "Change": ((), {
        "pw": _NEW_PASSWORD, "pw_now": Text("The password until now, of who changes the own account", _ANY), "level": _LEVEL,
        "active": Flag("Whether it may sign in")}),
}
"""Name of a body -> (fields that it must have, all fields)."""


def check(name: str, body: t.Any) -> dict[str, t.Any]:
    """The body, if it is one of this name. Raises BodyError."""
    required, known = BODIES[name]
    if not isinstance(body, dict):
        raise BodyError("expected a JSON object")
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise BodyError("unknown field; fields are %s" % ", ".join(known))
    missing = [field for field in required if field not in body]
    if missing:
        raise BodyError("%s is missing" % ", ".join(missing))
    for field, value in body.items():
        if known[field].wrong(value):
            raise BodyError("%s: %s" % (field, known[field].words))
    return body


def schema(name: str) -> dict[str, t.Any]:
    """The body of this name for OpenAPI."""
    required, known = BODIES[name]
    found: dict[str, t.Any] = {"type": "object", "properties": {field: kind.schema() for field, kind in known.items()}, "additionalProperties": False}
    if required:
        found["required"] = list(required)
    if name == "Change":
        found["minProperties"] = 1
    return found
