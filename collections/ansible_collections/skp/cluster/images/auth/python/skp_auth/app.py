# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP API. Every function below `create` is one call; `openapi.py` describes the same calls, and a test compares them.

401: there is no good token, or the sign-in is refused. 403: the token is good, and the account may not. 503: the database does not answer; nobody is let in.
"""

from __future__ import annotations

import logging
import re
import typing as t

import flask
from sqlalchemy import exc
from werkzeug.exceptions import HTTPException

from . import fields, openapi, passwords, schema, settings
from .limits import Limits, Proxies, TooMany
from .settings import ADMIN, USER, Settings
from .store import Account, Store, Taken
from .tokens import ACCESS, GATE, REFRESH, Refused, Tokens

COOKIE = "__Host-skp"
"""Browsers take a cookie of such a name over HTTPS only, for one host and all of its paths."""
PAGE = 100
LOG = logging.getLogger("skp_auth")


class Refusal(Exception):
    """An answer that is no success: its status, and one sentence."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, {name.replace("_", "-"): value for name, value in headers.items()}


class Caller(t.NamedTuple):
    """Who asks: the account as the database has it now, and the session of the token."""

    account: Account
    session: str

    @property
    def is_admin(self) -> bool:
        """Whether it is an admin."""
        return self.account.level == ADMIN


class Api:
    """What all calls share."""

    def __init__(self, config: Settings, store: Store) -> None:
        self.config, self.store = config, store
        self.tokens, self.limits, self.proxies = Tokens(config), Limits(config, store), Proxies(config.proxies)

    def address(self) -> str:
        """Where the request is from."""
        return self.proxies.client(flask.request.remote_addr or "", flask.request.headers.get("X-Forwarded-For", ""))

    def read(self, text: str, *kinds: str) -> Caller:
        """Who has this token. Its signature is not enough: the session must be open, and the account may not have been disabled since."""
        for kind in kinds:
            try:
                claims = self.tokens.read(kind, text)
            except Refused:
                continue
            account = self.store.owner(str(claims["sid"]), str(claims["sub"]))
            if account is not None:
                return Caller(account, str(claims["sid"]))
        raise Refusal(401, "no good token: expected the header Authorization: Bearer <%s token>" % " or ".join(kinds), WWW_Authenticate="Bearer")

    def caller(self, *kinds: str) -> Caller:
        """Who has the token of the header Authorization."""
        scheme, _space, text = flask.request.headers.get("Authorization", "").partition(" ")
        return self.read(text.strip() if scheme.lower() == "bearer" else "", *(kinds or (ACCESS,)))

    def admin(self) -> Caller:
        """Who has the token, if it is an admin."""
        caller = self.caller()
        if not caller.is_admin:
            raise Refusal(403, "only for admins")
        return caller

    def not_kept(self, ident: str) -> None:
        """Refuse changes of the one account that must always open the door."""
        if ident == self.config.admin:
            raise Refusal(409, "the cluster keeps the account %s, and its password is the secret auth_admin_password: playbooks/rotate_secrets.yml" % ident)


def body(name: str) -> dict[str, t.Any]:
    """The JSON of the request, if it is one of fields.BODIES."""
    try:
        return fields.check(name, flask.request.get_json())
    except fields.BodyError as error:
        raise Refusal(400, str(error)) from error
    except RecursionError as error:
        raise Refusal(400, "expected a JSON object") from error


def flag(name: str) -> bool:
    """A parameter of the URL."""
    return flask.request.args.get(name) == "true"


def shown(account: Account) -> dict[str, t.Any]:
    """An account without its password."""
    return {"id": account.id, "level": account.level, "active": account.active, "create_datetime": account.create_datetime.isoformat() + "Z",
            "update_datetime": account.update_datetime.isoformat() + "Z"}


def named(ident: str) -> str:
    """A name of an account in a URL. What cannot be one is not looked for: no database may take two spellings for the same."""
    if not re.fullmatch(fields.ID, ident):
        raise Refusal(404, "no such account")
    return ident


def create(config: Settings | None = None, store: Store | None = None) -> flask.Flask:
    """The application, with the settings of the container if none are given."""
    config = config or settings.read(("database_url", "access_key", "refresh_key"))
    app = flask.Flask("skp_auth", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 16384
    api = Api(config, store or Store(config.database_url))
    calls_for_everybody(app, api)
    calls_of_tokens(app, api)
    calls_of_accounts(app, api)
    answers(app)
    return app


def calls_for_everybody(app: flask.Flask, api: Api) -> None:
    """What needs no token."""

    @app.get("/")
    def index() -> t.Any:
        return {"service": api.config.issuer, "api": "/v1/openapi.json"}

    @app.get("/v1/openapi.json")
    def document() -> t.Any:
        return openapi.document()

    @app.get("/v1/jwks.json")
    def keys() -> t.Any:
        answer = flask.jsonify(api.tokens.jwks())
        answer.headers["Cache-Control"] = "public, max-age=300"
        return answer

    @app.get("/v1/health")
    def health() -> t.Any:
        try:
            state = schema.look(api.store.engine)[0]
        except schema.Unavailable:
            state = "unavailable"
        return {"database": state}, 200 if state == schema.READY else 503


def calls_of_tokens(app: flask.Flask, api: Api) -> None:
    """Sign in, refresh, revoke, check."""

    def answer(kinds: t.Iterable[str], account: Account, session: str, status: int) -> flask.Response:
        tokens = {kind: api.tokens.issue(kind, account.id, account.level, session) for kind in kinds}
        found = flask.jsonify(id=account.id, level=account.level, expires_in=api.config.access_seconds,
                              **{kind + "_token": text for kind, text in tokens.items()})
        found.status_code = status
        if flag("cookie"):
            # For pages behind the gateway. No script can read it, no page of another site sends it, and it opens `check` alone: no call that changes
            # an account. It lives as long as the sign-in, because `check` asks each time whether that still lives.
            found.set_cookie(COOKIE, api.tokens.issue(GATE, account.id, account.level, session), max_age=api.config.refresh_seconds, httponly=True,
                             samesite="Strict", secure=True)
        return found

    @app.post("/v1/tokens")
    def sign_in() -> t.Any:
        wanted, address = body("SignIn"), api.address()
        api.limits.check(address, wanted["id"])
        account = api.store.account(wanted["id"]) if re.fullmatch(fields.ID, wanted["id"]) else None
        right = passwords.right(account.pw if account else None, wanted["pw"])
        session = api.store.open_session(account, api.config.refresh_seconds) if account and right else None
        if account is None or session is None:
            # What was typed as a name may be a password: only names of accounts are in the log.
            api.limits.failed(address, wanted["id"])
            LOG.warning("sign-in refused: %s from %s", account.id if account else "an unknown name", address)
            # One answer for no such account, a wrong password, and an account that is disabled.
            raise Refusal(401, "name or password is wrong, or the account is not enabled", WWW_Authenticate="Bearer")
        LOG.info("%s signed in from %s", account.id, address)
        return answer((ACCESS, REFRESH), account, session, 201)

    @app.put("/v1/tokens")
    def refresh() -> t.Any:
        caller = api.caller(REFRESH)
        return answer((ACCESS,), caller.account, caller.session, 200)

    @app.delete("/v1/tokens")
    def sign_out() -> t.Any:
        cookie = flask.request.cookies.get(COOKIE)
        # A page that was loaded anew has its cookie only.
        caller = api.read(cookie, GATE) if cookie and "Authorization" not in flask.request.headers else api.caller(ACCESS, REFRESH)
        if flag("all"):
            api.store.end_sessions(caller.account.id)
        else:
            api.store.end_session(caller.session)
        found = flask.jsonify({})
        found.delete_cookie(COOKIE, httponly=True, samesite="Strict", secure=True)
        return found

    @app.get("/v1/tokens/check")
    def check() -> t.Any:
        # Pages behind the gateway have an Authorization of their own (Airflow, Jupyter): where there is a cookie of ours, it counts.
        cookie = flask.request.cookies.get(COOKIE)
        caller = api.read(cookie, GATE) if cookie else api.caller()
        area = flask.request.args.get("area")
        # An area that nobody has listed is for admins.
        if area is not None and caller.account.level not in api.config.areas.get(area, (ADMIN,)):
            raise Refusal(403, "this area is not for accounts of level %s" % caller.account.level)
        return "", 204, {"X-Skp-Account": caller.account.id, "X-Skp-Level": caller.account.level}


def calls_of_accounts(app: flask.Flask, api: Api) -> None:
    """Create, list, read, change, delete."""

    @app.get("/v1/accounts")
    def accounts() -> t.Any:
        api.admin()
        after = flask.request.args.get("after")
        if after is not None and not re.fullmatch(fields.ID, after):
            raise Refusal(400, "after: " + fields.ID_SENTENCE)
        found = api.store.accounts(after or "", PAGE)
        return {"accounts": [shown(account) for account in found], "next": found[-1].id if len(found) == PAGE else None}

    @app.post("/v1/accounts")
    def add() -> t.Any:
        open_door = api.config.registration and "Authorization" not in flask.request.headers
        by = "themselves" if open_door else api.admin().account.id
        wanted = body("NewAccount")
        if open_door:
            api.limits.check(api.address())
            api.limits.failed(api.address())  # each account counts
            if wanted.get("level", USER) != USER or wanted.get("active", False):
                raise Refusal(403, "only an admin makes an account that is an admin's, or enabled")
        try:
            account = api.store.add(wanted["id"], passwords.make(wanted["pw"]), wanted.get("level", USER), wanted.get("active", not open_door))
        except Taken as error:
            raise Refusal(409, "there is an account of this name") from error
        LOG.info("%s was made by %s", account.id, by)
        return shown(account), 201, {"Location": "/v1/accounts/" + account.id}

    @app.get("/v1/accounts/<ident>")
    def show(ident: str) -> t.Any:
        caller = api.caller()
        if caller.account.id == ident:
            return shown(caller.account)
        if not caller.is_admin:
            raise Refusal(403, "only the own account")
        account = api.store.account(named(ident))
        if account is None:
            raise Refusal(404, "no such account")
        return shown(account)

    @app.put("/v1/accounts/<ident>")
    def change(ident: str) -> t.Any:
        caller, wanted = api.caller(), body("Change")
        own = caller.account.id == ident
        if not caller.is_admin and not (own and set(wanted) <= {"pw", "pw_now"}):
            raise Refusal(403, "only the password of the own account")
        api.not_kept(named(ident))
        if not set(wanted) - {"pw_now"}:
            raise Refusal(400, "expected pw, level or active")
        if own and "pw" in wanted:
            # A stolen token must not become a stolen account.
            api.limits.check(api.address(), ident)
            if not passwords.right(caller.account.pw, wanted.get("pw_now", "")):
                api.limits.failed(api.address(), ident)
                raise Refusal(403, "pw_now: expected the password until now")
        values = {name: wanted[name] for name in ("level", "active") if name in wanted}
        # `ident` is the account of the URL, whoever asks.
        account = api.store.change(ident, **values, **({"pw": passwords.make(wanted["pw"])} if "pw" in wanted else {}))
        if account is None:
            raise Refusal(404, "no such account")
        LOG.info("%s: %s changed by %s", ident, ", ".join(sorted(set(wanted) - {"pw_now"})), caller.account.id)
        return shown(account)

    @app.delete("/v1/accounts/<ident>")
    def delete(ident: str) -> t.Any:
        caller = api.admin()
        api.not_kept(named(ident))
        if not api.store.remove(ident):
            raise Refusal(404, "no such account")
        LOG.info("%s was deleted by %s", ident, caller.account.id)
        return "", 204


def answers(app: flask.Flask) -> None:
    """How errors look, and what every answer carries. No answer says more than one sentence of ours."""

    @app.errorhandler(Refusal)
    def refused(error: Refusal) -> t.Any:
        return {"error": error.sentence}, error.status, error.headers

    @app.errorhandler(TooMany)
    def too_many(error: TooMany) -> t.Any:
        return {"error": "too many attempts"}, 429, {"Retry-After": str(error.seconds)}

    @app.errorhandler(HTTPException)
    def known(error: HTTPException) -> t.Any:
        found = error.get_response()
        headers = {name: value for name, value in found.headers if name in ("Allow", "Location")}
        sentence = {400: "expected a JSON object", 404: "no such page", 413: "the body is too long", 415: "expected Content-Type: application/json"}
        return {"error": sentence.get(error.code or 500, error.name)}, error.code or 500, headers

    @app.errorhandler(exc.SQLAlchemyError)
    def database(error: exc.SQLAlchemyError) -> t.Any:
        LOG.error("the database: %s", " ".join(str(getattr(error, "orig", None) or type(error).__name__).split()))
        return {"error": "the database does not answer"}, 503, {"Retry-After": "5"}

    @app.errorhandler(Exception)
    def broken(error: Exception) -> t.Any:
        LOG.error("%s %r", flask.request.method, flask.request.path, exc_info=error)
        return {"error": "an error of the service; its log says which"}, 500

    @app.after_request
    def headers(found: flask.Response) -> flask.Response:
        found.headers.setdefault("Cache-Control", "no-store")
        found.headers["X-Content-Type-Options"] = "nosniff"
        return found
