# SPDX-License-Identifier: GPL-3.0-or-later
"""skp-auth COMPONENT (python3 -m skp_auth COMPONENT)

  database   migrates the database, makes the admin of the secret, then removes ended sessions once an hour
  serve      waits until the database has the revision of this version, then answers on SKP_AUTH_PORT; a newer revision is refused
  health COMPONENT
             exit status 0 while that component of this container works

Settings: SKP_AUTH_* in the environment, secrets in /run/secrets (skp_auth/settings.py).
"""

import http.client
import os
import pathlib
import sys
import time

from . import settings

READY_FILE = pathlib.Path("/tmp/ready")
PORT = os.environ.get("SKP_AUTH_PORT", "8060")
LOOK_SECONDS, CLEAN_SECONDS = 30, 3600
WORKERS, THREADS = os.environ.get("SKP_AUTH_WORKERS", "2"), "8"


def say(text):
    """A line of this container's log."""
    print("skp-auth: " + text, flush=True)


def refuse(text):
    """End with a reason. Swarm tries again."""
    say(text)
    sys.exit(78)


def wait_for(store, accepted):
    """Wait until the database is in one of these states. A newer one is refused: this version would not understand it."""
    from . import schema

    said = -60.0
    while True:
        try:
            state, sentence = schema.look(store.engine)
        except schema.Unavailable as error:
            state, sentence = None, "the database does not let us in: %s" % error
        if state in accepted:
            say(sentence)
            return state
        if state == schema.NEWER:
            refuse(sentence)
        if time.monotonic() - said >= 10:
            said = time.monotonic()
            say("waiting: " + sentence)
        time.sleep(1)


def database():
    """The service beside `serve`."""
    from . import passwords, schema
    from .store import Store

    READY_FILE.unlink(missing_ok=True)
    config = settings.read(("database_url", "admin_password"))
    if len(config.admin_password) < passwords.SHORTEST:
        refuse("auth_admin_password: found %d characters, expected %d or more" % (len(config.admin_password), passwords.SHORTEST))
    store = Store(config.database_url)
    if wait_for(store, (schema.READY, schema.OLDER)) == schema.OLDER:
        schema.migrate(store.engine)
        wait_for(store, (schema.READY,))
    say(store.ensure_admin(config.admin, config.admin_password, passwords.right, passwords.make))
    READY_FILE.touch()
    while True:
        for _turn in range(CLEAN_SECONDS // LOOK_SECONDS):
            time.sleep(LOOK_SECONDS)
            look_again(store)
        try:
            store.clean()
        except Exception as error:  # not worth an end of the service
            say("ended sessions were not removed: %s" % type(error).__name__)


def look_again(store):
    """End if somebody has replaced the database by an empty or an old one. Swarm starts this service again, and then it migrates."""
    from . import schema

    try:
        state, sentence = schema.look(store.engine)
    except schema.Unavailable:
        return
    if state == schema.OLDER:
        refuse("the database is another one: " + sentence)


def serve():
    """The API, behind gunicorn."""
    from . import schema
    from .store import Store

    config = settings.read(("database_url", "access_key", "refresh_key"))
    wait_for(Store(config.database_url), (schema.READY,))
    arguments = ["gunicorn", "--bind", "0.0.0.0:" + PORT, "--workers", WORKERS, "--threads", THREADS, "--worker-tmp-dir", "/tmp", "--timeout", "60",
                 "--graceful-timeout", "15", "--keep-alive", "20", "--log-level", "warning", "skp_auth.serving:application()"]
    os.execvp("gunicorn", arguments)


def health(component):
    """What is wrong, or None. It runs every 30 s, so it does without the libraries."""
    if component == "serve":
        connection = http.client.HTTPConnection("127.0.0.1", int(PORT), timeout=8)
        try:
            connection.request("GET", "/v1/health")
            # 503: the database is away. A restart does not bring it back.
            status = connection.getresponse().status
        except OSError as error:
            return str(error)
        return None if status in (200, 503) else "the API answers %d" % status
    return None if READY_FILE.exists() else "not migrated yet"


def main(arguments):
    """Run a component."""
    try:
        if arguments[:1] == ["health"] and arguments[1:] in (["database"], ["serve"]):
            sys.exit(health(arguments[1]))
        if arguments == ["database"]:
            database()
        if arguments == ["serve"]:
            serve()
    except settings.SettingsError as error:
        refuse(str(error))
    sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
