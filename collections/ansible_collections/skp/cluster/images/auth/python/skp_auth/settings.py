# SPDX-License-Identifier: GPL-3.0-or-later
"""What the container was given: plain settings in the environment, secrets as files in memory."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import typing as t

LEVELS = ("A", "U")
"""Admin and user, as in st-kilda-pier."""
ADMIN, USER = LEVELS

SECRETS = pathlib.Path(os.environ.get("SKP_AUTH_SECRETS", "/run/secrets"))


class SettingsError(Exception):
    """A setting is missing or wrong. The text says which, what was found and what is expected; never a secret."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """All settings. Keys that a component does not need are empty there."""

    database_url: str = dataclasses.field(default="", repr=False)
    access_key: bytes = dataclasses.field(default=b"", repr=False)
    refresh_key: bytes = dataclasses.field(default=b"", repr=False)
    admin_password: str = dataclasses.field(default="", repr=False)
    admin: str = "admin"
    issuer: str = "flask-skp"
    audience: str = "skp"
    access_seconds: int = 900
    refresh_seconds: int = 43200
    registration: bool = False
    areas: t.Mapping[str, frozenset] = dataclasses.field(default_factory=dict)
    proxies: tuple = ()
    attempts: int = 10
    attempts_total: int = 100
    attempts_seconds: int = 300

    def __post_init__(self) -> None:
        if self.access_key and self.access_key == self.refresh_key:
            raise SettingsError("auth_access_key and auth_refresh_key are the same key; expected two. Remove the variable that sets one of them.")
        if self.access_seconds >= self.refresh_seconds:
            raise SettingsError("SKP_AUTH_ACCESS_SECONDS is %d, SKP_AUTH_REFRESH_SECONDS %d; expected an access token that ends first."
                                % (self.access_seconds, self.refresh_seconds))


def read(parts: t.Iterable[str], environment: t.Mapping[str, str] | None = None, secrets: pathlib.Path = SECRETS) -> Settings:
    """The settings of a component. parts: names of the secrets that it needs, such as `access_key`. environment: without one, the process's own.

    Raises SettingsError.
    """
    environment = os.environ if environment is None else environment
    found: dict[str, t.Any] = {}
    for field in dataclasses.fields(Settings):
        text = environment.get("SKP_AUTH_" + field.name.upper(), "")
        if text and field.name in READERS:
            found[field.name] = READERS[field.name]("SKP_AUTH_" + field.name.upper(), text)
    for part in parts:
        found[part] = _secret("auth_" + part, secrets)
    return Settings(**found)


def key(name: str, text: str) -> bytes:
    """256 bits, written as 64 hexadecimal digits. Anything shorter could be guessed."""
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise SettingsError("%s: found %d characters, expected 64 hexadecimal digits (openssl rand -hex 32)." % (name, len(text)))
    return bytes.fromhex(text)


def _secret(name: str, secrets: pathlib.Path) -> t.Any:
    path = secrets / name
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise SettingsError("%s: %s; expected a secret of the service." % (path, exc.strerror)) from exc
    if not text:
        raise SettingsError("%s is empty." % path)
    return key(name, text) if name.endswith("_key") else text


def _number(name: str, text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise SettingsError("%s: found %s, expected a number from 1 to 999999999." % (name, text))
    return int(text)


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise SettingsError("%s: found %s, expected true or false." % (name, text))
    return text.lower() == "true"


def _areas(name: str, text: str) -> dict[str, frozenset]:
    try:
        found = json.loads(text)
        areas = {str(area): frozenset(levels) for area, levels in found.items()}
    except (ValueError, AttributeError, TypeError) as exc:
        raise SettingsError("%s: expected JSON such as {\"jupyter\": [\"A\", \"U\"]}." % name) from exc
    wrong = sorted({str(level) for levels in areas.values() for level in levels} - set(LEVELS))
    if wrong:
        raise SettingsError("%s: found level %s, expected A or U." % (name, ", ".join(wrong)))
    return areas


READERS: dict[str, t.Callable[[str, str], t.Any]] = {
    "admin": lambda _name, text: text,
    "issuer": lambda _name, text: text,
    "audience": lambda _name, text: text,
    "access_seconds": _number,
    "refresh_seconds": _number,
    "registration": _flag,
    "areas": _areas,
    "proxies": lambda _name, text: tuple(text.split(",")),
    "attempts": _number,
    "attempts_total": _number,
    "attempts_seconds": _number,
}
