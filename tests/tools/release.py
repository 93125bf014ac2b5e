# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make build` and `make release`: the collection's tarball in dist/, with licence and documents, and the check of all of it.

`release.py build` makes the tarball: the collection's files, COPYING, the pages and pictures of docs/ with links that fit the tarball, and a README for
each role that has none, from its specification.
`release.py release --repository URL` also fills the addresses of galaxy.yml, then checks: galaxy-importer's rules (build/venv-release), own rules
(`faults`), and an installation into an empty path from which ansible-doc reads everything. Ends with 1 and all findings if there are any.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import docs_site
import pages
import yaml

ROOT = docs_site.ROOT
COLLECTION = docs_site.COLLECTION
IMPORTER = ROOT / "build/venv-release/bin/python"
ADDRESSES = ("repository", "documentation", "homepage", "issues")
LARGEST_FILE = 2 * 2**20
LARGEST_TARBALL = 20 * 2**20
"""In bytes. Galaxy takes 20 MB; a file of 2 MB is no source."""
NEEDED = ("README.md", "COPYING", "CHANGELOG.rst", "changelogs/changelog.yaml", "meta/runtime.yml", "docs/README.md", "docs/architecture.md")
IMPORTER_SETTINGS = """[galaxy-importer]
check_required_tags = true
check_changelog = true
run_ansible_doc = true
# `make lint` runs ansible-lint with a stricter profile and flake8 with this project's settings, `make sanity` ansible-test.
run_ansible_lint = false
run_flake8 = false
run_ansible_test = false
"""


def places(files: list[str]) -> dict[str, str]:
    """Return what goes into the tarball, path in the repository -> path in the tarball: the collection, the licence, pages and pictures."""
    found = {name: name.removeprefix(COLLECTION + "/") for name in files if name.startswith(COLLECTION + "/")}
    found["COPYING"] = "COPYING"
    found |= {name: name for name in files if name.startswith("docs/") and name.endswith((".md", *docs_site.SHOWN))}
    return found | {name: "docs/" + name for name in files if re.fullmatch(r"README(\.\w+)?\.md", name)}


def addressed(galaxy: str, repository: str) -> str:
    """Return the text of a galaxy.yml with the addresses of the project; as it is without a repository. Raises ValueError if it has some already."""
    if not repository:
        return galaxy
    have = [name for name in ADDRESSES if name in yaml.safe_load(galaxy)]
    if have:
        raise ValueError("galaxy.yml already has %s: remove them, or call without REPOSITORY" % ", ".join(have))
    home = repository.rstrip("/")
    page = home + "/blob/v%s/README.md" % yaml.safe_load(galaxy)["version"]
    found = {"repository": home, "documentation": page, "homepage": home, "issues": home + "/issues"}
    return galaxy + "".join("%s: %s\n" % pair for pair in found.items())


def plain(text: str) -> str:
    """Return a sentence of Ansible's documentation as Markdown: what C(), O(), V(), M() and their like mark is code."""
    return re.sub(r"\b[A-Z]\(((?:[^()]|\([^()]*\))*)\)", r"`\1`", text)


def role_readme(name: str, entry_points: dict[str, dict], page: str) -> str:
    """Return the README of a role that has none; galaxy-importer refuses a collection with such a role.

    ``entry_points``: its argument_specs. ``page``: the page of docs/ about it from the role's directory, empty if there is none.
    """
    lines = ["# Role %s" % name, ""]
    for entry, spec in entry_points.items():
        described = spec.get("description") or []
        sentences = [described] if isinstance(described, str) else described
        lines += ["## Entry point `%s`" % entry, "", plain(spec["short_description"]).rstrip(".") + ".", "", *("- " + plain(text) for text in sentences), ""]
    private = name.startswith("_")
    lines.append("Other roles use it; its variables are in `meta/`." if private else "All variables: `ansible-doc -t role skp.cluster.%s`." % name)
    return "\n".join([*lines, *(["", "The page about it: [%s](%s)." % (name, page)] if page else []), ""])


def stage(target: pathlib.Path, repository: str) -> None:
    """Write the tree that the tarball is built from."""
    found = places(docs_site.tracked())
    ref = "v" + docs_site.version()
    for name, place in found.items():
        path = target / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, path)
        if name.endswith(".md"):
            path.write_text(pages.relink(path.read_text(encoding="utf-8"), pages.moved(name, found, repository, ref)), encoding="utf-8")
    for role in sorted(path for path in (target / "roles").iterdir() if not (path / "README.md").exists()):
        [specs] = [path for name in ("argument_specs.yml", "options.yml") if (path := role / "meta" / name).exists()]
        page = "../../docs/%s.md" % role.name if (target / ("docs/%s.md" % role.name)).exists() else ""
        text = role_readme(role.name, yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"], page)
        (role / "README.md").write_text(text, encoding="utf-8")
    galaxy = target / "galaxy.yml"
    galaxy.write_text(addressed(galaxy.read_text(encoding="utf-8"), repository), encoding="utf-8")


def run(*command: object, cwd: pathlib.Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command without the caller's settings of Ansible; output and errors come back together as text."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), clean["PATH"]])
    return subprocess.run([*map(str, command)], cwd=cwd, env={**clean, "PATH": path, **more}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)  # fmt: skip


def build(directory: pathlib.Path, repository: str = "") -> pathlib.Path:
    """Build the tarball into a directory and return its path. Raises RuntimeError with ansible-galaxy's text if it cannot be built."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        tree = pathlib.Path(work) / "ansible_collections/skp/cluster"
        stage(tree, repository)
        done = run("ansible-galaxy", "collection", "build", "--force", "--output-path", directory.resolve(), tree, cwd=tree)
    if done.returncode:
        raise RuntimeError(done.stdout)
    return directory / ("skp-cluster-%s.tar.gz" % docs_site.version())


def faults(members: dict[str, tuple[str, int]], info: dict, texts: dict[str, str], setup: str) -> list[str]:
    """Return what is wrong with a tarball by the rules of this project, which galaxy-importer does not have.

    ``members``: path -> (kind: file, directory, link or other; size in bytes). ``info``: collection_info of MANIFEST.json.
    ``texts``: content of CHANGELOG.rst, changelogs/changelog.yaml and meta/runtime.yml. ``setup``: text of setup.cfg.
    """
    found = ["%s is missing" % name for name in NEEDED if name not in members]
    found += ["%s is a %s: Galaxy and Windows do not keep it" % (name, kind) for name, (kind, _size) in members.items() if kind not in ("file", "directory")]
    found += ["%s has %d bytes, at most %d are expected" % (name, size, LARGEST_FILE) for name, (_kind, size) in members.items() if size > LARGEST_FILE]
    found += ["%s is no source" % name for name in members if re.search(r"(^|/)(__pycache__|\.git|\.venv|\.pytest_cache|tests/output)(/|$)|\.pyc$", name)]
    version = info["version"]
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        found.append("the version is %s, expected three numbers" % version)
    if not re.search(r"^version = %s$" % re.escape(version), setup, re.MULTILINE):
        found.append("setup.cfg has another version than galaxy.yml's %s" % version)
    for name in ADDRESSES:
        if not re.match(r"https://[^/]+/.", info.get(name) or ""):
            found.append("galaxy.yml: %s is %r, expected an address: make release REPOSITORY=https://host/owner/name" % (name, info.get(name)))
    runtime = yaml.safe_load(texts.get("meta/runtime.yml", "")) or {}
    if not runtime.get("requires_ansible"):
        found.append("meta/runtime.yml: no requires_ansible")
    release = ((yaml.safe_load(texts.get("changelogs/changelog.yaml", "")) or {}).get("releases") or {}).get(version)
    if release is None or not re.search(r"^v%s$" % re.escape(version), texts.get("CHANGELOG.rst", ""), re.MULTILINE):
        found.append("the changelog has no %s: run `make changelog` and commit what it writes" % version)
    else:
        fragments = {pathlib.PurePosixPath(name).name for name in members if re.fullmatch(r"changelogs/fragments/[^/]+\.ya?ml", name)}
        late = sorted(fragments - {name for entry in yaml.safe_load(texts["changelogs/changelog.yaml"])["releases"].values() for name in entry["fragments"]})
        found += ["changelogs/fragments/%s is not in the changelog: run `make changelog` and commit what it writes" % name for name in late]
    return found


def contents(tarball: pathlib.Path) -> tuple[dict[str, tuple[str, int]], dict, dict[str, str]]:
    """Return members, collection_info and texts of a tarball, as faults() takes them."""
    with tarfile.open(tarball) as archive:
        kinds = {item.name: "file" if item.isfile() else "directory" if item.isdir() else "link" if item.islnk() or item.issym() else "special file"
                 for item in archive.getmembers()}  # fmt: skip
        members = {item.name: (kinds[item.name], item.size) for item in archive.getmembers()}
        wanted = [name for name in ("CHANGELOG.rst", "changelogs/changelog.yaml", "meta/runtime.yml") if kinds.get(name) == "file"]
        texts = {name: archive.extractfile(name).read().decode("utf-8") for name in wanted}
        info = json.load(archive.extractfile("MANIFEST.json"))["collection_info"]
    return members, info, texts


def judged(printed: str) -> list[str]:
    """Return the findings in the output of galaxy-importer, which ends with 0 whatever it found: errors, warnings, and an end that did not come."""
    found = ["galaxy-importer: " + line for line in printed.splitlines() if re.match(r"(ERROR|WARNING|CRITICAL)\b", line)]
    if "Importer processing completed successfully" not in printed:
        found.append("galaxy-importer did not complete:\n" + printed[-2000:])
    return found


def imported(tarball: pathlib.Path) -> list[str]:
    """Return what galaxy-importer finds in a tarball."""
    with tempfile.TemporaryDirectory() as work:
        place = pathlib.Path(work)
        (place / "settings.cfg").write_text(IMPORTER_SETTINGS, encoding="utf-8")
        path = os.pathsep.join([str(IMPORTER.parent), os.environ["PATH"]])
        done = run(IMPORTER, "-m", "galaxy_importer.main", tarball.resolve(), cwd=place, GALAXY_IMPORTER_CONFIG=str(place / "settings.cfg"), PATH=path)
    return judged(done.stdout)


def documented(tree: pathlib.Path) -> set[tuple[str, str]]:
    """Return (type, full name) of everything below a collection that ansible-doc has to know: plugins with documentation, and roles with a specification."""
    kinds = {"modules": "module", "filter": "filter", "lookup": "lookup", "inventory": "inventory", "callback": "callback"}
    found = {(kind, "skp.cluster." + path.stem) for folder, kind in kinds.items() for path in (tree / "plugins" / folder).glob("[!_]*.py")}
    return found | {("role", "skp.cluster." + path.parents[1].name) for path in tree.glob("roles/*/meta/argument_specs.yml")}


def undocumented(dump: dict, wanted: set[tuple[str, str]]) -> list[str]:
    """Return what `ansible-doc --metadata-dump` does not have. ``dump``: its document, whose ``all`` is type -> full name -> documentation."""
    have = {(kind, name) for kind, entries in dump["all"].items() for name, entry in entries.items() if entry and "error" not in entry}
    return ["ansible-doc has nothing of the %s %s" % pair for pair in sorted(wanted - have)]


def installed(tarball: pathlib.Path) -> tuple[int, list[str]]:
    """Install a tarball into an empty path; return how many plugins and roles ansible-doc reads from there, and the findings."""
    with tempfile.TemporaryDirectory() as work:
        place = pathlib.Path(work)
        more = {"ANSIBLE_HOME": str(place / "home"), "ANSIBLE_COLLECTIONS_PATH": str(place / "collections")}
        done = run("ansible-galaxy", "collection", "install", "--offline", "-p", place / "collections", tarball.resolve(), cwd=place, **more)
        if done.returncode:
            return 0, ["ansible-galaxy cannot install it:\n" + done.stdout]
        tree = place / "collections/ansible_collections/skp/cluster"
        wanted = documented(tree)
        done = run("ansible-doc", "--metadata-dump", "--no-fail-on-errors", "skp.cluster", cwd=place, **more)
        # Warnings come first, in the same stream.
        start = done.stdout.find("{")
        if done.returncode or start < 0:
            return 0, ["ansible-doc failed:\n" + done.stdout[-2000:]]
        dump = json.JSONDecoder().raw_decode(done.stdout[start:])[0]
        return len(wanted), undocumented(dump, wanted) + ["ansible-doc: " + line for line in done.stdout[:start].splitlines() if line]


def uncommitted() -> list[str]:
    """Return what a release would have that is in no commit."""
    done = run("git", "status", "--porcelain", "--", COLLECTION, "docs", "COPYING", "README*.md", "setup.cfg", cwd=ROOT)
    return ["not committed: " + line[3:] for line in done.stdout.splitlines()]


def main() -> int:
    """Build, and for a release check. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["build", "release"])
    parser.add_argument("--repository", default="", help="https address of the repository, for galaxy.yml and for links of the pages")
    chosen = parser.parse_args()
    tarball = build(ROOT / "dist", chosen.repository)
    print("%s: %s, %d bytes, sha256 %s" % (chosen.what, tarball.relative_to(ROOT), tarball.stat().st_size, hashlib.sha256(tarball.read_bytes()).hexdigest()))
    if chosen.what == "build":
        return 0
    members, info, texts = contents(tarball)
    own = uncommitted() + faults(members, info, texts, (ROOT / "setup.cfg").read_text(encoding="utf-8"))
    if tarball.stat().st_size > LARGEST_TARBALL:
        own.append("the tarball has %d bytes, Galaxy takes %d" % (tarball.stat().st_size, LARGEST_TARBALL))
    rules = imported(tarball)
    count, doc = installed(tarball)
    for line in [*own, *rules, *doc]:
        print("  " + line)
    print("release: files %d, own findings %d, galaxy-importer's %d, read by ansible-doc from the installed copy %d with findings %d"
          % (len(members), len(own), len(rules), count, len(doc)))  # fmt: skip
    return int(bool(own or rules or doc))


if __name__ == "__main__":
    sys.exit(main())
