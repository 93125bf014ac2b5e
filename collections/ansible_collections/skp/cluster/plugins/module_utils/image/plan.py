# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to skp.cluster. The plan of `skp_image`: pure functions of plain data.

The content hash identifies an image; it is its label `skp.hash`: the files of the context, the build arguments, the platform and the hash of the base image
(for an upstream base its reference, for a bootstrapped one the Debian suite and how it is bootstrapped). Site settings (mirrors, certificates) are not part
of it: they are sources, not content. So the hash of every image is known before it is built or fetched, and a machine that has lost its
engine's store finds its images in an archive or the registry.

The hash says what is wanted, not what is there: everybody can compute it, and any image can carry the label. So an image of the registry counts only if the
ledger has its digest, and an archive only if the ledger has its checksum (`ledger.py`): what this cluster has pushed and saved itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, timezone
from urllib.parse import unquote, urlsplit, urlunsplit
from xml.sax.saxutils import escape

from ..failure import Failure
from ..logins import logins, without_logins

LABEL = "skp.hash"
BOOTSTRAP_REPOSITORY = "skp/bootstrap"
_ARG = re.compile(r"^[ \t]*ARG[ \t]+([A-Za-z_][A-Za-z0-9_]*)", re.IGNORECASE | re.MULTILINE)
_MOUNT = re.compile(r"^[ \t]*RUN[ \t]+(?:--\S+[ \t]+)*--mount=", re.IGNORECASE | re.MULTILINE)
_CONTINUED = re.compile(r"[ \t]*\\[ \t]*\n(?:[ \t]*#.*\n)*")
_NAME = re.compile(r"^[a-z0-9]+([._-][a-z0-9]+)*$")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def _sha256(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def normal_mode(mode):
    """0o755 for an executable file, else 0o644: the modes of git, so that the umask of a checkout changes no hash."""
    return 0o755 if mode & 0o111 else 0o644


def declared_args(dockerfile):
    """Names of the build arguments that a Dockerfile declares with ARG (set of str)."""
    return set(_ARG.findall(dockerfile))


def needs_buildkit(dockerfile):
    """Whether a Dockerfile uses RUN --mount (caches that outlive a build), which the classic builder does not support."""
    return bool(_MOUNT.search(_CONTINUED.sub(" ", dockerfile)))


BOOTSTRAP_OPTIONS = (
    "--quiet", "--variant=minbase", "--include=ca-certificates",
    "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    # Remove files of this machine and its site from the image.
    '--customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf"',
    """--customize-hook=sed -i -E 's#(://)[^/ @]*@#\\1#' "$1/etc/apt/sources.list\"""",
)
"""How mmdebstrap makes the lowest image. Part of its content: a change here builds all images again."""

_PLATFORMS = {"x86_64": "amd64", "aarch64": "arm64"}


def platform_of(machine):
    """The platform of images built on a machine, from the name of its architecture (`uname -m`)."""
    return _PLATFORMS.get(machine, machine)


def architecture(wanted, machine):
    """The architecture to build for: of `wanted` (`linux/arm64`), or without it that of this machine (`uname -m`). Raises Failure."""
    if not wanted:
        return platform_of(machine)
    if not re.match(r"linux/[a-z0-9]+(/v\d)?\Z", wanted):
        raise Failure("Platform %r is not known; expected linux and an architecture, such as linux/amd64 or linux/arm64." % wanted, "bad_platform",
                      platform=wanted)
    return wanted.partition("/")[2]


def content_hash(files, args, base):
    """The content hash (64 hex digits) of one image.

    files: [{"path", "mode" (int), "sha256"}], args: {name: value}, base: identifies the base image (str).
    """
    return _sha256({
        "files": sorted([item["path"], normal_mode(item["mode"]), item["sha256"]] for item in files),
        "args": {key: str(value) for key, value in args.items()},
        "base": base,
    })


def in_order(images):
    """The images (dicts with "name" and "base"), each one after its base. Raises Failure on a cycle or a duplicate name."""
    by_name = {}
    for image in images:
        if not _NAME.match(image["name"]):
            raise Failure("'%s' is not an image name: use lower case letters and digits, joined by single '.', '_' or '-'." % image["name"], "bad_name",
                          image=image["name"])
        if image["name"] in by_name:
            raise Failure("Image '%s' is listed twice." % image["name"], "duplicate", image=image["name"])
        by_name[image["name"]] = image
    done, result = set(), []

    def visit(name, path):
        if name in path:
            raise Failure("The images' bases form a cycle: %s." % " <- ".join(path + [name]), "cycle", images=path + [name])
        if name in done or name not in by_name:
            return
        visit(by_name[name].get("base") or "", path + [name])
        done.add(name)
        result.append(by_name[name])

    for image in images:
        visit(image["name"], [])
    return result


def needed(images, names):
    """The images of these names and all their bases, in the given order; all images without names. Raises Failure on an unknown name."""
    by_name = {image["name"]: image for image in images}
    unknown = sorted(set(names) - set(by_name))
    if unknown:
        raise Failure("Unknown image %s; known images: %s." % (", ".join(unknown), ", ".join(sorted(by_name)) or "none"), "unknown_image", images=unknown)
    wanted, todo = set(), list(names or by_name)
    while todo:
        name = todo.pop()
        if name in by_name and name not in wanted:
            wanted.add(name)
            todo.append(by_name[name].get("base") or "")
    return [image for image in images if image["name"] in wanted]


def expand(images, registry, common_args=None, base_image="", base_suite="trixie", refresh="", archive_dir="", platform="amd64", digests=None):
    """The images in build order, each with the values derived from the options.

    images: [{"name", "tag", "base" (name of another one, a reference, or empty), "args", "archive" (bool), "files": [{"path", "mode", "sha256"}],
    "dockerfile" (text)}]; a base of None is no base, for a Dockerfile that names its own. common_args go to the images that
    declare them. base_image, base_suite, refresh and platform describe the root for images without a base. digests: {reference: digest or ""}
    of the bases that are references to the cluster's own registry.

    Adds "repository" (with registry), "path" (without), "ref", "args" (merged), "hash", "base_ref", "parent" (name in the list or ""), "archive" (path or "").
    """
    result, by_name = [], {}
    for image in in_order(images):
        declared = declared_args(image["dockerfile"])
        unknown = sorted(set(image.get("args") or {}) - declared)
        if unknown:
            raise Failure("Image '%s': its Dockerfile declares no ARG %s (it declares %s)."
                          % (image["name"], ", ".join(unknown), ", ".join(sorted(declared)) or "none"), "unknown_args", image=image["name"], args=unknown)
        args = {key: str(value) for key, value in (common_args or {}).items() if key in declared}
        args.update({key: str(value) for key, value in (image.get("args") or {}).items()})
        base = image.get("base") or ""
        parent = by_name.get(base)
        if parent:
            base_ref, identity = parent["ref"], "image:" + parent["hash"]
        elif image.get("base", "") is None:
            base_ref, identity = "", "own:%s:%s" % (refresh, platform)
        elif base or base_image:
            base_ref = base or base_image
            identity = "reference:%s:%s:%s%s" % (base_ref, refresh, platform, (digests or {}).get(base_ref, ""))
        else:
            identity = "bootstrap:%s:%s:%s:%s" % (base_suite, refresh, platform, _sha256(BOOTSTRAP_OPTIONS))
            base_ref = "%s:%s" % (BOOTSTRAP_REPOSITORY, base_suite)
        if image.get("archive") and not archive_dir:
            raise Failure("Image '%s' needs an archive, but archive_dir is not set." % image["name"], "bad_options", image=image["name"])
        path = "skp/" + image["name"]
        item = dict(image, path=path, repository="%s/%s" % (registry, path), args=args, base_ref=base_ref, parent=parent["name"] if parent else "",
                    bootstrap=not parent and base_ref == "%s:%s" % (BOOTSTRAP_REPOSITORY, base_suite), hash=content_hash(image["files"], args, identity))
        item["base_digest"] = (digests or {}).get(base_ref, "") if not parent else ""
        item["ref"] = "%s:%s" % (item["repository"], image["tag"])
        item["archive"] = "%s/%s-%s.tar" % (archive_dir.rstrip("/"), image["name"], item["hash"][:12]) if image.get("archive") else ""
        by_name[image["name"]] = item
        result.append(item)
    return result


def judge_present(image, local, digest, entry, archive, kept=False):
    """The present state of one image, as `plan_built` takes it: what counts of what was found.

    image: of `expand`. local: {"id", "hash", "digests"} of its name on this engine. digest: of its tag in the registry, or "". entry: the ledger's {"hash",
    "digest", "config", "parent"} for its name and tag, or {}. archive: whether its archive is there as the ledger knows it. kept: the tag leads elsewhere,
    but the registry still has the ledger's digest.
    """
    ours = bool(digest) and entry.get("digest") == digest
    engine = local["hash"]
    if ours and entry["hash"] == image["hash"] and not any(text.endswith("@" + digest) for text in local["digests"]):
        engine = ""  # another build of the same content: images are built only on the one that the cluster runs
    wanted = entry.get("hash") == image["hash"]
    return {"engine": engine, "id": local["id"], "registry": entry["hash"] if ours else "", "digest": digest if ours else entry["digest"] if kept else "",
            "kept": kept and wanted, "foreign": bool(digest) and not ours, "archive": archive,
            "config": entry.get("config", "") if wanted else "", "parent": entry.get("parent", "") if wanted else ""}


def own_bases(images, registry, base_image=""):
    """The bases that are references by tag to the cluster's registry, not names of other images of the list."""
    names = {image["name"] for image in images}
    wanted = {image.get("base") or base_image for image in images}
    return sorted(base for base in wanted - names if base.startswith(registry + "/") and "@" not in base)


def plan_built(images, present, push, alongside=()):
    """The steps (list of dicts {"do", "image", "why", "after"}) that bring the images to the registry (push) or to this engine and their archives.

    images: the result of `expand`. present: {name: result of `judge_present`}: {"engine": hash or "", "registry": hash or "", "archive": bool, "foreign": bool,
    "config": digest of its configuration, "parent": the same of the image it was built on}; "" means absent or not known.
    An image whose base is built again, or was since, is built again too.
    Without push, a base image is fetched or built only if an image that needs it must be built; for an image with an archive, only the archive counts.
    alongside: names of images that are built (not pushed) only if another image must be built anyway.

    do is one of bootstrap, pull_base (the root of all), build, load (archive), pull (cluster's registry), push, save (archive).
    after: the numbers (from 0) of the steps that must be done first. All others may run at the same time.
    """
    by_name = {image["name"]: image for image in images}
    goals = [image for image in images if image["name"] not in alongside]
    parents = {image["parent"] for image in goals if image["parent"]}
    steps, local, roots, pushed, rebuilt = [], {}, {}, {}, set()

    def add(do, name, why, after=()):
        steps.append({"do": do, "image": name, "why": why, "after": sorted({number for number in after if number is not None})})
        return len(steps) - 1

    def has_old_base(name):
        """Whether the image found was built on another base than the one that its base's name has, or will have after this plan."""
        parent, mine = by_name[name]["parent"], present[name].get("parent")
        if not parent:
            return False
        base = present[parent].get("config")
        return parent in rebuilt or bool(mine and base and mine != base)

    def ensure_local(name):
        """The number of the step after which the image is on this engine, or None if it is present."""
        if name not in local:
            local[name] = _ensure_local(name)
        return local[name]

    def _ensure_local(name):
        image, found = by_name[name], present[name]
        if not has_old_base(name):
            if found["engine"] == image["hash"]:
                return None
            if found["archive"]:
                return add("load", name, "its archive has the wanted content")
            if found["registry"] == image["hash"] or found.get("kept"):
                return add("pull", name, "the registry has the wanted content")
        rebuilt.add(name)
        base = None
        if image["parent"]:
            base = ensure_local(image["parent"])
        elif image["base_ref"]:
            if image["base_ref"] not in roots:
                roots[image["base_ref"]] = add("bootstrap" if image["bootstrap"] else "pull_base", name,
                                               "image %s is built from %s" % (name, image["base_ref"]))
            base = roots[image["base_ref"]]
        others = sorted({text for text in (found["engine"], found["registry"]) if text})
        what = "found %s" % (", ".join(text[:12] for text in others) or _absent(found))
        return add("build", name, "content %s, %s" % (image["hash"][:12], "its base is new" if image["hash"] in others else what), [base])

    for image in goals:
        name, found = image["name"], present[image["name"]]
        if push and (found["registry"] != image["hash"] or has_old_base(name)):
            # Images that share layers are pushed one after the other: so the registry already has them for the second, else they would be sent twice.
            kin = [pushed.get(other["name"]) for other in goals if other["name"] == image["parent"] or other["files"] == image["files"]]
            pushed[name] = add("push", name, "the registry has %s" % (("content " + found["registry"][:12]) if found["registry"] else _absent(found)),
                               [ensure_local(name), *kin])
        if image["archive"] and not found["archive"]:
            add("save", name, "%s does not exist" % image["archive"], [ensure_local(name)])
        if not push and not image["archive"] and name not in parents:
            ensure_local(name)
    if any(step["do"] == "build" for step in steps):
        for name in alongside:
            if present[name]["registry"] != by_name[name]["hash"]:
                ensure_local(name)
    return steps


def _absent(found):
    return "an image that this cluster did not push" if found.get("foreign") else "no such image"


class Schedule:
    """The steps of `plan_built` that may start, from those that run and those that have ended. It only tracks them; the caller runs them.

    `start()` returns the numbers of the steps to start now and counts them as running; `end()` records how a step ended. After the first failure
    no step is started. Builds start first, because other steps wait for them; no step waits long for a push or an archive.

    extras: names of images that are wanted by the way (`alongside`). Steps that only they need use processors that are idle: they start last, and when
    everything else has ended no other one is started.
    """

    def __init__(self, steps, jobs, extras=()):
        self._after = {number: set(step["after"]) for number, step in enumerate(steps)}
        self._goals = self._needed([number for number, step in enumerate(steps) if step["image"] not in extras]) if extras else set(self._after)
        self._waiting = sorted(self._after, key=lambda number: (number not in self._goals, steps[number]["do"] in ("push", "save"), number))
        self._jobs = max(1, jobs)
        self._running, self._done = set(), set()
        self._failed = False

    def _needed(self, numbers):
        """These steps and those that must be done before them."""
        found = set(numbers)
        for number in numbers:
            found |= self._needed(self._after[number])
        return found

    def start(self):
        """The numbers of the steps to start now. Empty if no other step may start, and at the end."""
        started = []
        if self._failed or self._goals <= self._done:
            return started
        for number in self._waiting:
            if len(self._running) + len(started) < self._jobs and self._after[number] <= self._done:
                started.append(number)
        self._waiting = [number for number in self._waiting if number not in started]
        self._running.update(started)
        return started

    def end(self, number, failed=False):
        """Record that a started step has ended."""
        self._running.remove(number)
        if failed:
            self._failed = True
        else:
            self._done.add(number)


def age_warning(created, now, days):
    """A warning about images that were built longer ago than `days`, or "". created: {name: time as the engine gives it}; now: datetime in UTC."""
    ages = {}
    for name, text in created.items():
        try:
            ages[name] = (now - datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)).days
        except ValueError:
            continue  # the engine does not know it
    old = sorted((name for name, age in ages.items() if age > days), key=lambda name: (-ages[name], name))
    if not days or not old:
        return ""
    return ("%s: built %d days ago, so their packages have had no security updates since. Set skp_image_refresh to today's date to build all images again "
            "(images_max_age_days: %d; 0 never warns)." % (", ".join(old), ages[old[0]], days))


def archived_name(path):
    """The name of the image in an archive, from the archive's file name (`NAME-HASH.tar`)."""
    return re.sub(r"(-[0-9a-f]{12})?\.tar$", "", path.rpartition("/")[2])


def plan_pulled(wanted, present):
    """Names of the images to pull. wanted: {name: digest or ""}; present: {name: digest of the tag on this engine, or ""}.

    "" as the wanted digest means unknown (check mode before the images are built): it counts as a pull.
    """
    return [name for name in sorted(wanted) if not wanted[name] or present.get(name, "") != wanted[name]]


def superseded(images, repository, keep):
    """Ids of the images of a repository that nothing names any more: earlier contents, about 2 GB each for the large ones.

    images: as the engine lists them (Id, RepoTags, RepoDigests). keep: digests that stay: the one that is wanted, and the one before it, which services run
    until they are updated.
    """
    found = []
    for image in images:
        tags = [text for text in image.get("RepoTags") or [] if text != "<none>:<none>"]
        digests = [text for text in image.get("RepoDigests") or [] if text != "<none>@<none>"]
        ours = digests and all(text.partition("@")[0] == repository for text in digests)
        if ours and not tags and not any(text.partition("@")[2] in keep for text in digests):
            found.append(image["Id"])
    return found


def describe(step, images):
    """One line of text about one step of a plan."""
    image = {item["name"]: item for item in images}[step["image"]]
    what = {
        "bootstrap": "bootstrap %s for %s" % (image["base_ref"], image["name"]),
        "pull_base": "pull %s for %s" % (image["base_ref"], image["name"]),
        "build": "build %s" % image["ref"],
        "load": "load %s from %s" % (image["ref"], image["archive"]),
        "pull": "pull %s" % image["ref"],
        "push": "push %s" % image["ref"],
        "save": "save %s to %s" % (image["ref"], image["archive"]),
    }[step["do"]]
    return "%s (%s)" % (what, step["why"])


def diff_built(images, present, push):
    """{"before", "after"}: the content hash of each image in its target: the registry with push, else this engine or the archive."""
    before, after = [], []
    parents = {image["parent"] for image in images if image["parent"]}
    for image in images:
        found = present[image["name"]]
        if push:
            before.append((image["ref"], found["registry"]))
            after.append((image["ref"], image["hash"]))
        elif not image["archive"] and image["name"] not in parents:
            before.append((image["ref"], found["engine"]))
            after.append((image["ref"], image["hash"]))
        if image["archive"]:
            before.append((image["archive"], image["hash"] if found["archive"] else ""))
            after.append((image["archive"], image["hash"]))
    return {"before": as_text(before), "after": as_text(after)}


def as_text(pairs):
    """Lines `name: value` (value shortened, "absent" for nothing) of [(name, hash or digest)]."""
    return "".join("%s: %s\n" % (name, (value[:19] if value.startswith("sha256:") else value[:12]) or "absent") for name, value in pairs)


def certificates(pem):
    """The certificates of a PEM text, as a list. Raises Failure if a non-empty text has none."""
    found = [text + "\n" for text in _CERTIFICATE.findall(pem or "")]
    if (pem or "").strip() and not found:
        raise Failure("extra_ca contains no certificate (no '-----BEGIN CERTIFICATE-----').", "bad_ca")
    return found


def security_mirror(mirror, given):
    """The base URL of security updates that belongs to a mirror; "" for none. given: the site's own setting, `none` or "" for the usual place beside it.

    Raises Failure if it is not known: images without security updates must be somebody's decision.
    """
    given = (given or "").strip()
    if given:
        return "" if given == "none" else given
    if mirror.rstrip("/").endswith("/debian"):
        return mirror.rstrip("/") + "-security"
    raise Failure("skp_apt_mirror is %s; where are the security updates? Set skp_apt_security_mirror to the URL of a mirror of debian-security, or to none for "
                  "images without security updates. (Beside a mirror that ends in /debian the place is known.)" % without_logins(mirror), "no_security_mirror")


def apt_sources(mirror, suite, security=""):
    """The text of a sources.list for a mirror: a base URL, or whole `deb ...` lines. "" for the default. security: as for `security_mirror`."""
    mirror = (mirror or "").strip()
    if not mirror:
        return ""
    if re.match(r"^deb[ \t]", mirror):
        return mirror + "\n"
    updates = security_mirror(mirror, security)
    return "deb %s %s main\ndeb %s %s-updates main\n" % (mirror, suite, mirror, suite) + ("deb %s %s-security main\n" % (updates, suite) if updates else "")


_URLS = ("apt_mirror", "apt_security_mirror", "pip_index", "maven_mirror", "go_proxy")


def has_login(options):
    """Whether the site's settings (as for `site_files`) contain a login: user and password in a URL."""
    return any(logins(options.get(name) or "") for name in _URLS)


def maven_settings(url):
    """Maven's settings.xml for one mirror of everything; a login in the URL becomes a server entry. "" for the default."""
    if not url:
        return ""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    server = ""
    if parts.username:
        server = "<servers><server><id>site</id><username>%s</username><password>%s</password></server></servers>" % (
            escape(unquote(parts.username)), escape(unquote(parts.password or "")))
    return ("<settings>%s<mirrors><mirror><id>site</id><mirrorOf>*</mirrorOf><url>%s</url></mirror></mirrors></settings>\n"
            % (server, escape(urlunsplit((parts.scheme, host, parts.path, parts.query, "")))))


def site_files(options, suite):
    """The files of a build below /skp-site: {path: text}. options: extra_ca (PEM) and the names of _URLS; empty means default."""
    files = {"ca/site-%02d.crt" % number: text for number, text in enumerate(certificates(options.get("extra_ca")))}
    env = {}
    if files:
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        env.update(PIP_CERT=bundle, REQUESTS_CA_BUNDLE=bundle, NODE_EXTRA_CA_CERTS=bundle)
    if options.get("pip_index"):
        env["PIP_INDEX_URL"] = options["pip_index"]
    if options.get("go_proxy"):
        env["GOPROXY"] = options["go_proxy"]
    files["env"] = "".join("%s='%s'\n" % (key, env[key].replace("'", "'\\''")) for key in sorted(env))
    if options.get("apt_mirror"):
        files["sources.list"] = apt_sources(options["apt_mirror"], suite, options.get("apt_security_mirror"))
    if options.get("maven_mirror"):
        files["settings.xml"] = maven_settings(options["maven_mirror"])
    return files


SECRET_FILES = ("env", "settings.xml", "sources.list")
"""The files of `site_files` that may hold a login; the others are certificates."""

_INSTRUCTION = re.compile(r"^[ \t]*([A-Za-z]+)[ \t]+(.*)$")
_FROM = re.compile(r"^(?:--\S+[ \t]+)*(\S+)(?:[ \t]+AS[ \t]+(\S+))?[ \t]*$", re.IGNORECASE)
_SITE_COPY = re.compile(r"^\.skp-site/?[ \t]+/skp-site/?[ \t]*$")


def with_secrets(dockerfile, names):
    """A Dockerfile whose builds get these files of /skp-site as secrets, which are in no layer and no cache, or None if it cannot be told how.

    Every RUN of a stage that copies the site's settings, or that is built from such a stage, gets a mount for each. For BuildKit only.
    """
    flags = " ".join("--mount=type=secret,id=skp-%s,target=/skp-site/%s,mode=0444,required=true" % (name.replace(".", "-"), name) for name in names)
    lines, stages, stage, has, continued = [], {}, "", False, False
    for line in dockerfile.split("\n"):
        found = None if continued or line.lstrip().startswith("#") else _INSTRUCTION.match(line)
        word, rest = (found.group(1).upper(), found.group(2)) if found else ("", "")
        copies = word == "COPY" and bool(_SITE_COPY.match(rest))
        if "<<" in line or re.match(r"#[ \t]*escape[ \t]*=", line) or (".skp-site" in line and not copies and not line.lstrip().startswith("#")):
            return None
        if word == "FROM":
            base = _FROM.match(rest)
            if not base:
                return None
            has = stages.get(base.group(1).lower(), False)
            stage = (base.group(2) or "").lower()
        elif word == "RUN" and has:
            line = "%s %s" % (line[: found.start(2)].rstrip(), flags) + " " + rest
        if word == "FROM" or copies:
            has = has or copies
            stages[stage] = has
        if not line.lstrip().startswith("#"):  # a comment between the lines of an instruction does not end it
            continued = line.rstrip().endswith("\\")
        lines.append(line)
    return "\n".join(lines)


_STEP = re.compile(r"^Step (\d+)/(\d+) : (.*)$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LAYER = re.compile(r"^ ---> ([0-9a-f]{12,})$")


class BuildLog:
    """Reads the output of a classic build line by line.

    `feed(line)` returns a progress text, or None. `stages` has the ids of the last layers of all stages except the final one: unnamed images
    with the build's cache, which contains the site's settings. After `failed()` also that of the stage that ended early. `tail` has the last lines, for
    an error message. `layer` is the id of the newest layer, "" after FROM.
    """

    def __init__(self):
        self.stages = []
        self.tail = []
        self.layer = ""
        self._at_base = False

    def feed(self, line):
        """One line of output, without its line end."""
        line = _COLOUR.sub("", line)
        step = _STEP.match(line)
        if step:
            number, total, text = step.groups()
            self._at_base = text.upper().startswith("FROM ")
            if self._at_base and self.layer:
                self.stages.append(self.layer)
                self.layer = ""
            return "step %s/%s %s" % (number, total, text if len(text) <= 100 else text[:97] + "...")
        layer = _LAYER.match(line)
        if layer:
            if not self._at_base:  # the layer of FROM is the base itself, which has a name
                self.layer = layer.group(1)
            return None
        if line.strip() and not line.startswith(" ---> "):
            self.tail = (self.tail + [line])[-30:]
        return None

    def failed(self):
        """The build ended before its last line: no name leads to the layers of its last stage."""
        if self.layer:
            self.stages.append(self.layer)
            self.layer = ""


class BuildKitLog:
    """Reads the plain progress of BuildKit (`#7 [build 2/5] RUN make`, `#7 0.314 output`, `#7 DONE 3.2s`) line by line.

    Like `BuildLog`, without `stages` and `layer`: BuildKit's cache has no images.
    """

    _STEP = re.compile(r"#(\d+) (\[(?:[\w.-]+ +)?\d+/\d+\] .*)$")
    _OUTPUT = re.compile(r"#\d+ \d+\.\d+ ?(.*)$")
    _ERROR = re.compile(r"(?:#\d+ )?ERROR: (.*)$")

    def __init__(self):
        self.stages = []
        self.layer = ""
        self.tail = []
        self.error = ""
        self._seen = set()

    def failed(self):
        """Nothing: its cache is removed as a whole."""

    def feed(self, line):
        """One line of output, without its line end."""
        line = _COLOUR.sub("", line)
        step, output, error = self._STEP.match(line), self._OUTPUT.match(line), self._ERROR.match(line)
        if step and step.group(1) not in self._seen:
            self._seen.add(step.group(1))
            text = step.group(2)
            return text if len(text) <= 110 else text[:107] + "..."
        if error:
            self.error = error.group(1)
        elif output and output.group(1).strip():
            self.tail = (self.tail + [output.group(1)])[-30:]
        return None


class LayerLog:
    """Reads the messages of a push or pull; `feed(message)` returns a text when a layer is complete, or None."""

    _DONE = {"Pushed": "pushed", "Pull complete": "pulled", "Layer already exists": "already present", "Already exists": "already present"}

    def __init__(self):
        self.layers = {}

    def feed(self, message):
        """One decoded message of the engine (dict with id, status, progressDetail)."""
        layer, status = message.get("id"), message.get("status", "")
        if not layer:
            return None
        size = (message.get("progressDetail") or {}).get("total") or 0
        known = self.layers.setdefault(layer, {"size": 0, "done": False})
        known["size"] = max(known["size"], size)
        if status not in self._DONE or known["done"]:
            return None
        known["done"] = True
        done = sum(1 for item in self.layers.values() if item["done"])
        megabytes = ", %.1f MB" % (known["size"] / 1e6) if known["size"] else ""
        return "layer %s %s%s (%d of %d)" % (layer[:12], self._DONE[status], megabytes, done, len(self.layers))
