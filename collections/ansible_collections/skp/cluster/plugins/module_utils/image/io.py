# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The I/O of `skp_image`: the engine of this machine, the registry on its loopback, archives on the shared store."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time

from .. import patience, run_lock
from ..engine import client as engine
from ..failure import Failure
from ..registry.http import RegistryClient
from ..registry.plan import explain_pull_error
from . import plan

CONTEXT_TIME = 315532800
"""Time of all files of a build context: 1980, the oldest date in a zip file. A build must not depend on the time of a checkout."""

SILENCE = 1800
"""Maximum seconds without output of the engine during a build, push or pull: compiling the registry has no output for minutes."""


LOCK = "/run/skp-image.lock"
"""Held while this machine builds: two runs would retag the images that the other one builds upon."""


def lock(path=LOCK):
    """Only one run builds at a time; a second one is refused. The kernel releases the lock of a run that died."""
    return run_lock.holding(path, 0, lambda process: Failure(
        "Another run builds images on this machine (process %s). Wait until it has ended, and run again; what it builds is used then." % process,
        "build_running", path=path))


MEMORY = "/run"
"""A file system in memory, for the files with the site's logins while BuildKit reads them."""
SECRETS_PREFIX = "skp-image-secrets-"

UNFINISHED = "/var/lib/skp-image.unfinished"
"""What a build that is under way has made with the site's settings in it; gone when that is removed. So a killed run leaves word for the next one."""


class Traces:
    """The images and caches of a build in progress that contain the site's settings, in memory and in the file UNFINISHED. Used by several threads."""

    def __init__(self, caches, path=None):
        self.caches, self.stages = caches, []
        self._path, self._lock, self._last = path or UNFINISHED, threading.Lock(), {}
        with open(self._path, "w", encoding="utf-8") as handle:
            handle.write("caches\n" if caches else "")

    def layer(self, name, layer):
        """The newest layer of the build of an image: while its stage is built, nothing else leads to it."""
        with self._lock:
            if layer and self._last.get(name) != layer:
                self._last[name] = layer
                with open(self._path, "a", encoding="utf-8") as handle:
                    handle.write(layer + "\n")

    def remove(self, client):
        """Remove the last layers of all stages, which are images without a name, with all below them; and BuildKit's caches."""
        for layer in sorted(set(self.stages)):
            remove_image(client, layer)
        if self.caches:
            forget_builds(client)
        os.unlink(self._path)


def unfinished(path=None):
    """What a run that was killed has left: {"caches": bool, "layers": [id, newest first]}, or None. A run that still builds has left nothing."""
    path = path or UNFINISHED
    if not os.path.exists(path):
        return None
    with contextlib.suppress(Failure), lock():
        with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as handle:
            lines = handle.read().split()
            return {"caches": "caches" in lines, "layers": [line for line in reversed(lines) if line != "caches"]}
    return None


def remove_unfinished(client, left, path=None):
    """Remove what `unfinished` has found. Only images without any name: a layer may have become an image of the cluster."""
    for layer in left["layers"]:
        try:
            found = engine.get(client, "/images/%s/json" % layer, what="reading layer %s" % layer)
        except engine.EngineError as exc:
            if exc.failure.get("status") != 404:
                raise
            continue
        if not found.get("RepoTags") and not found.get("RepoDigests"):
            remove_image(client, layer)
    if left["caches"]:
        forget_builds(client)
    # A bootstrapped system has the mirror's login in its sources.list.
    for directory, prefix in ((WORK_DIRECTORY, BOOTSTRAP_PREFIX), (MEMORY, SECRETS_PREFIX)):
        for name in os.listdir(directory):
            if name.startswith(prefix):
                shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path or UNFINISHED)


class Progress:
    """Progress lines, to a file that the action plugin reads while the module runs ("" for none)."""

    def __init__(self, path=""):
        self._path = path
        self._start = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, text):
        if self._path:
            with self._lock, open(self._path, "a", encoding="utf-8") as handle:
                handle.write("[%4.0f s] %s\n" % (time.monotonic() - self._start, text))

    def end(self):
        """Write the line that marks the end."""
        if self._path:
            with open(self._path, "a", encoding="utf-8") as handle:
                handle.write("end\n")


def side_by_side(schedule, jobs, work):
    """Run the steps of a `Schedule`, at most `jobs` at a time: work(number) in a thread for each.

    After a failure no step is started; running steps continue to their end, so that the next run finds their results. Then the first error is raised.
    """
    errors, running = [], {}

    def attempt(number):
        try:
            work(number)
        except Exception as exc:
            errors.append(exc)  # in the order in which they happen
            raise

    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        while True:
            for number in schedule.start():
                running[pool.submit(attempt, number)] = number
            if not running:
                break
            for future in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
                schedule.end(running.pop(future), failed=future.exception() is not None)
    if errors:
        raise errors[0]


def registry_client(registry):
    """A client for a registry, named as in image names (`localhost:5000`). IPv4: registries listen on 127.0.0.1 only."""
    host, _colon, port = registry.partition(":")
    return RegistryClient("http://%s:%s" % ("127.0.0.1" if host == "localhost" else host, port or "80"))


def in_engine(client, ref):
    """{"id", "hash", "digests": [repository@digest, ...], "created": time} of an image in this engine, all empty if it does not exist."""
    nothing = {"id": "", "hash": "", "digests": [], "created": ""}
    if client is None:
        return nothing
    try:
        found = engine.get(client, "/images/%s/json" % ref, what="reading image %s" % ref)
    except engine.EngineError as exc:
        if exc.failure.get("status") == 404:
            return nothing
        raise
    return {"id": found["Id"], "hash": label(found), "digests": found.get("RepoDigests") or [], "created": found.get("Created") or ""}


def label(found):
    return ((found.get("config") or found.get("Config") or {}).get("Labels") or {}).get(plan.LABEL, "")


def in_archive(path):
    """{"hash", "ref"} of the first image of a `docker save` archive, or None if the file does not exist. Raises Failure for other errors."""
    try:
        with tarfile.open(path) as archive:
            entry = json.load(archive.extractfile("manifest.json"))[0]
            config = json.load(archive.extractfile(entry["Config"]))
    except FileNotFoundError:
        return None
    except (OSError, tarfile.TarError, KeyError, IndexError, ValueError, AttributeError) as exc:
        raise Failure("%s is not a readable image archive: %s. Remove it on the master and run --tags registry to write it again." % (path, exc),
                      "bad_archive", path=path) from exc
    return {"hash": label(config), "ref": (entry.get("RepoTags") or [""])[0]}


def file_sum(path):
    """The SHA-256 of a file in hex, "" if it does not exist."""
    try:
        with open(path, "rb") as handle:
            return _sum(handle)
    except FileNotFoundError:
        return ""


def _sum(handle):
    state = hashlib.sha256()
    for piece in iter(lambda: handle.read(1 << 20), b""):
        state.update(piece)
    return state.hexdigest()


def has_archive(path, entry, wanted):
    """Whether an archive is there as the ledger knows it. entry: the ledger's {"hash", "sha256"}, or None without a ledger (then any file counts)."""
    if not path or (entry is not None and entry.get("hash") != wanted):
        return False
    return patience.within(lambda: os.path.exists(path) if entry is None else file_sum(path) == entry["sha256"], path, seconds=300)


def patient(client):
    """Increase the client's timeout to that of builds; call it after the first answer of the engine. Returns the client."""
    if client is not None:
        client.timeout = SILENCE
    return client


def with_sum(item):
    """A context file ({"path", "mode", "content" in base64}) with the checksum of its content added as "sha256"."""
    return dict(item, sha256=hashlib.sha256(base64.b64decode(item["content"])).hexdigest())


def text_of(item):
    """The content of a context file as text."""
    return base64.b64decode(item["content"]).decode("utf-8")


def _events(stream, what):
    """The messages of a stream of the engine; an error among them, or a broken stream, becomes an EngineError that starts with `what`."""
    try:
        for message in stream:
            if message.get("error"):
                text = str(message["error"]).strip()
                hint = explain_pull_error(text)
                raise engine.EngineError("%s: %s%s" % (what, text, "\n" + hint if hint else ""), kind="api", what=what, engine_message=text)
            yield message
    except OSError as exc:  # includes errors of requests and the SDK
        raise engine.EngineError("%s: %s" % (what, exc), kind="engine_unreachable", what=what) from exc


@contextlib.contextmanager
def _sdk(what):
    try:
        yield
    except engine.sdk_errors() as exc:
        text = str(getattr(exc, "explanation", None) or exc)
        hint = explain_pull_error(text)
        raise engine.EngineError("%s: %s%s" % (what, text, "\n" + hint if hint else ""), kind="api", what=what, engine_message=text) from exc


def context_archive(files, site, dockerfile=None):
    """A build context as an open tar. files: [{"path", "mode", "content" (base64)}]; site: {path below .skp-site: text}. dockerfile: in place of its own."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        def add(path, mode, data):
            entry = tarfile.TarInfo(path)
            entry.mode, entry.size, entry.mtime = plan.normal_mode(mode), len(data), CONTEXT_TIME
            archive.addfile(entry, io.BytesIO(data))

        for item in sorted(files, key=lambda found: found["path"]):
            own = dockerfile is None or item["path"] != "Dockerfile"
            add(item["path"], item["mode"], base64.b64decode(item["content"]) if own else dockerfile.encode())
        for path in sorted(site):
            add(".skp-site/" + path, 0o644, site[path].encode())
    buffer.seek(0)
    return buffer


def hidden(image, site):
    """(Dockerfile, {name: text}): how BuildKit gets the files of the site that may hold a login as secrets; (None, {}) if it cannot."""
    secrets = {name: site[name] for name in plan.SECRET_FILES if name in site}
    dockerfile = plan.with_secrets(image["dockerfile"], sorted(secrets))
    return (dockerfile, secrets) if dockerfile is not None else (None, {})


def build(client, image, site, buildkit, progress, traces, login=False, platform=""):
    """Build one image (of `expand`) and tag it, with BuildKit or the engine's own builder.

    platform: to build for, as os/architecture; "" for this machine's. login: the site's settings contain one; BuildKit then gets them as secrets where it can.
    traces: its `stages` get the ids of the last layers of the earlier stages, also if the build fails: they contain the site's settings.
    """
    what, step, error = "building %s" % image["ref"], "", ""
    labels, arguments = {plan.LABEL: image["hash"]}, dict(image["args"], **({"BASE": image["base_ref"]} if image["base_ref"] else {}))
    base = in_engine(client, image["base_ref"])["id"] if image["base_ref"] else ""
    if buildkit:
        dockerfile, secrets = hidden(image, site) if login else (None, {})
        # Its certificates are no secret, and an empty directory cannot be copied.
        rest = {path: "" if path == "env" and secrets else text for path, text in site.items() if path == "env" or path not in secrets}
        context = context_archive(image["files"], rest, dockerfile)
        log, lines = plan.BuildKitLog(), _buildkit(image["ref"], context, arguments, labels, what, secrets, platform)
    else:
        log, lines = plan.BuildLog(), _classic(client, image["ref"], context_archive(image["files"], site), arguments, labels, what, platform)
    try:
        for line in lines:
            text = log.feed(line)
            traces.layer(image["name"], log.layer)
            if text:
                step = text
                progress("%s: %s" % (image["name"], text))
    except engine.EngineError as exc:
        log.failed()
        error = getattr(log, "error", "") or exc.failure.get("engine_message", "")
        raise Failure("%s at %s. Last lines of the build:\n%s" % (
            "%s: %s" % (what, error) if error else exc.msg, step or "its start", "\n".join(log.tail)), "build_failed",
            image=image["name"], step=step, log=log.tail, engine_message=error) from exc
    finally:
        traces.stages.extend(log.stages)
    if image["base_ref"] and in_engine(client, image["base_ref"])["id"] != base:
        remove_image(client, image["ref"])
        raise Failure("%s: its base %s was changed by something else during the build. The image was removed; run again." % (what, image["base_ref"]),
                      "base_changed", image=image["name"])


def _classic(client, ref, context, arguments, labels, what, platform=""):
    """The lines of a build by the engine's own builder. Raises EngineError if it fails."""
    with _sdk(what):
        stream = engine.raw(client).build(fileobj=context, custom_context=True, decode=True, tag=ref, rm=True, forcerm=True,
                                          buildargs=arguments, labels=labels, timeout=SILENCE, platform=platform or None)
    for message in _events(stream, what):
        yield from str(message.get("stream") or "").splitlines()


def _buildkit(ref, context, arguments, labels, what, secrets, platform=""):
    """The lines of a build by BuildKit, which only the command docker can use. Raises EngineError if it fails. secrets: {name: text}."""
    argv = ["docker", "build", "--progress", "plain", "--tag", ref] + (["--platform", platform] if platform else [])
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix=SECRETS_PREFIX) as directory:  # mode 0700
        for name, text in sorted(secrets.items()):
            path = os.path.join(directory, name)
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(text)
            argv += ["--secret", "id=skp-%s,src=%s" % (name.replace(".", "-"), path)]
        yield from _docker_build(argv, context, arguments, labels, what)


def _docker_build(argv, context, arguments, labels, what):
    """The lines of this command with the arguments and labels of an image, which reads the context."""
    for option, values in (("--build-arg", arguments), ("--label", labels)):
        for name, value in sorted(values.items()):
            argv += [option, "%s=%s" % (name, value)]
    with tempfile.TemporaryFile() as handle:  # it contains the site's settings, so it has no name
        handle.write(context.read())
        handle.seek(0)
        # run_command returns the output at the end only; these lines are shown live.
        with subprocess.Popen(  # pylint: disable=ansible-bad-function
                [*argv, "-"], stdin=handle, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                env=dict(os.environ, DOCKER_BUILDKIT="1")) as process:
            for line in process.stdout:
                yield line.rstrip("\n")
    if process.returncode:
        raise engine.EngineError("%s: docker build ended with %d" % (what, process.returncode), kind="build", what=what)


def has_buildkit(run, progress, needed):
    """Whether the command docker builds with BuildKit. If BuildKit is needed, a missing plugin is installed (Debian 13). run: `module.run_command`."""
    try:
        code, _out, _err = run(["docker", "build", "--help"], environ_update={"DOCKER_BUILDKIT": "1"}, handle_exceptions=False)
    except OSError:
        code = 127
    if not code or not needed:
        return not code
    progress("installing docker-buildx on this machine")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "-q", "update"], environ_update=environment)
    code, out, err = run(["apt-get", "-q", "-y", "--no-install-recommends", "install", "docker-buildx"], environ_update=environment)
    if code:
        raise Failure("The command docker has no BuildKit, and the package docker-buildx could not be installed:\n%s\nInstall it on the master "
                      "(in Docker's own packages it is docker-buildx-plugin)." % "\n".join((out + err).strip().splitlines()[-5:]), "no_buildkit")
    return True


def push(client, image, progress):
    """Push one image by its tag. Returns the digest of its manifest, as this engine computed it."""
    what, log, digests = "pushing %s" % image["ref"], plan.LayerLog(), []
    with _sdk(what):
        stream = engine.raw(client).push(image["repository"], tag=image["tag"], stream=True, decode=True)

    def watched():
        for message in _events(stream, what):
            digests.append((message.get("aux") or {}).get("Digest"))
            yield message

    _follow(watched(), log, image["name"], progress)
    found = [digest for digest in digests if digest]
    if not found:
        raise engine.EngineError("%s: the engine did not report the digest of what it pushed. Run again; if it stays, update the engine." % what, kind="api",
                                 what=what)
    return found[-1]


def pull(client, repository, reference, progress, name, platform=""):
    """Pull a repository at a tag or a digest."""
    what, log = "pulling %s%s%s" % (repository, "@" if ":" in reference else ":", reference), plan.LayerLog()
    with _sdk(what):
        stream = engine.raw(client).pull(repository, tag=reference, stream=True, decode=True, platform=platform or None)
    _follow(_events(stream, what), log, name, progress)


def pull_reference(client, reference, progress, platform=""):
    """Pull an image by its full reference (`name`, `name:tag` or `name@digest`)."""
    name, at, version = reference.partition("@")
    if not at and ":" in reference.rpartition("/")[2]:
        name, _colon, version = reference.rpartition(":")
    pull(client, name, version or "latest", progress, reference, platform)


def _follow(events, log, name, progress):
    for message in events:
        text = log.feed(message)
        if text:
            progress("%s: %s" % (name, text))


def tag(client, reference, repository, tag_name):
    """Give an image of this engine another name."""
    engine.post(client, "/images/%s/tag" % reference, params={"repo": repository, "tag": tag_name}, what="tagging %s" % reference)


def load(client, path, progress, name, checksum=""):
    """Load an archive into this engine. checksum: the SHA-256 that the file must have; nothing of another file reaches the engine."""
    what = "loading %s" % path
    progress("%s: loading %s" % (name, path))
    try:
        handle = open(path, "rb")
    except OSError as exc:
        raise Failure("%s cannot be read: %s. Is the shared store mounted here? The master writes it with --tags registry." % (path, exc.strerror),
                      "archive_missing", path=path) from exc
    with handle:
        found = _sum(handle) if checksum else ""
        if found != checksum:
            raise Failure("%s was changed: its SHA-256 is %s, expected %s. It was not loaded. The next run of --tags registry writes it again; find out "
                          "who can write to the shared store (docs/store.md)." % (path, found, checksum),
                          "archive_changed", path=path, found=found, expected=checksum)
        handle.seek(0)
        with _sdk(what):
            # Reading the first message starts the request.
            for _message in _events(engine.raw(client).load_image(handle), what):
                pass


def save(client, image, progress):
    """Write the archive of one image atomically; remove archives of its earlier contents. Returns the file's SHA-256."""
    path, state = image["archive"], hashlib.sha256()
    directory, what = os.path.dirname(path), "saving %s to %s" % (image["ref"], path)
    progress("%s: saving %s" % (image["name"], path))
    descriptor, partial = -1, ""
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=directory, prefix=".%s-" % image["name"])
        with os.fdopen(descriptor, "wb") as handle:
            for chunk in engine.raw(client).get_image(image["ref"]):
                handle.write(chunk)
                state.update(chunk)
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(partial, 0o644)
        os.rename(partial, path)
    except OSError as exc:
        if partial and os.path.exists(partial):
            os.unlink(partial)
        raise Failure("%s: %s" % (what, exc), "archive_write", path=path) from exc
    for name in os.listdir(directory):
        if name.startswith(image["name"] + "-") and name.endswith(".tar") and len(name) == len(os.path.basename(path)) and name != os.path.basename(path):
            os.unlink(os.path.join(directory, name))
    return state.hexdigest()


def remove_image(client, reference):
    """Remove a name or an image of this engine, with its unnamed parents; an image in use stays."""
    try:
        engine.delete(client, "/images/%s" % reference, what="removing %s" % reference)
    except engine.EngineError as exc:
        if exc.failure.get("status") != 409:
            raise


def remove_superseded(client, repository, keep, progress):
    """Remove the earlier contents of an image from this engine, see `plan.superseded`. Those that a container uses stay."""
    images = engine.get(client, "/images/json", what="listing images") or []
    for image in plan.superseded(images, repository, keep):
        progress("%s: removing an old image, %s" % (repository.rpartition("/")[2], image[7:19]))
        remove_image(client, image)


def forget_builds(client):
    """Remove BuildKit's cache of earlier stages, which contains the site's settings. Its cache of downloads (RUN --mount=type=cache) stays."""
    for kind in ("regular", "source.local"):
        engine.post(client, "/build/prune", params={"all": "true", "filters": {"type": [kind]}}, what="removing the build cache")


WORK_DIRECTORY = "/var/lib"
"""Directory for bootstrapping. /tmp is often mounted noexec, but programs of the new system must run; so must programs of dpkg below /var/lib."""
BOOTSTRAP_PREFIX = "skp-bootstrap-"


def bootstrap(client, ref, suite, site, run, progress, architecture=""):
    """Bootstrap a minimal Debian with mmdebstrap and import it as `ref`. run: `module.run_command`.

    mmdebstrap reads the mirror from standard input, not from its command line, and the mirror's login does not stay in the image.
    """
    def command(argv, **options):
        code, out, err = run(argv, **options)
        if code:
            program = "mmdebstrap" if "mmdebstrap" in argv else argv[0]
            raise Failure("Bootstrapping Debian %s: %s failed:\n%s" % (suite, program, "\n".join((out + err).strip().splitlines()[-15:])),
                          "bootstrap_failed", command=program, status=code)

    code, _out, _err = run(["sh", "-c", "command -v mmdebstrap && test -e /usr/share/keyrings/debian-archive-keyring.gpg"])
    if code:
        progress("installing mmdebstrap on this machine")
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        command(["apt-get", "-q", "update"], environ_update=environment)
        command(["apt-get", "-q", "-y", "--no-install-recommends", "install", "mmdebstrap", "debian-archive-keyring"], environ_update=environment)

    progress("bootstrapping Debian %s" % suite)
    with tempfile.TemporaryDirectory(dir=WORK_DIRECTORY, prefix=BOOTSTRAP_PREFIX) as directory:
        os.chmod(directory, 0o755)  # apt downloads as another user
        target = os.path.join(directory, "root.tar")
        # mmdebstrap, as root, makes every mount private: it runs in its own mount namespace, so that later mounts on this node
        # still reach containers.
        argv = ["unshare", "--mount", "mmdebstrap"] + list(plan.BOOTSTRAP_OPTIONS) + (["--architectures=" + architecture] if architecture else [])
        authorities = "".join(site[path] for path in sorted(site) if path.startswith("ca/"))
        if authorities:
            bundle = os.path.join(directory, "ca.pem")
            with open(bundle, "w", encoding="utf-8") as handle:
                handle.write(authorities)
                with contextlib.suppress(OSError), open("/etc/ssl/certs/ca-certificates.crt", encoding="utf-8") as system:
                    handle.write(system.read())
            argv += ['--aptopt=Acquire::https::CAInfo "%s"' % bundle, '--customize-hook=rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"']
        argv += [suite, target]
        sources = site.get("sources.list")
        if sources:
            argv.append("-")
        command(argv, data=sources or None, environ_update={"TMPDIR": directory})
        repository, _colon, tag_name = ref.rpartition(":")
        with _sdk("importing the bootstrapped system"):
            answer = engine.raw(client).import_image_from_file(target, repository=repository, tag=tag_name)
        for message in _events((json.loads(line) for line in answer.splitlines() if line.strip()), "importing the bootstrapped system"):
            progress("imported %s" % str(message.get("status", ""))[:19])
