# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make docs`: the documentation site in build/docs/html, from the repository's Markdown pages and the documentation of modules, plugins and roles.

Needs .venv (ansible-doc) and build/venv-docs (Sphinx, antsibull-docs). `--repository URL` makes links to files that are no pages lead there.
Ends with 1 when a link is broken, a page is an error page, or Sphinx warns.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

import html_check
import pages

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLLECTION = "collections/ansible_collections/skp/cluster"
CHANGELOG = COLLECTION + "/CHANGELOG.rst"
BUILD = ROOT / "build/docs"
BIN = ROOT / "build/venv-docs/bin"
REFERENCE = "reference"
SHOWN = (".svg", ".png", ".jpg")

INDEX = """# skp.cluster

A private data-science cluster on Docker swarm, described in one `hosts.json`. Version {version}.
[Start here](README.md){korean}; all [modules, plugins and roles](reference/index.rst).

{contents}"""
NAMES = {"README": "First steps", "README.ko": "첫걸음", COLLECTION + "/README": "The collection"}
"""Names in the contents of pages whose heading is the project's name."""
CONTENTS = """```{{toctree}}
:caption: {caption}
:maxdepth: 1

{entries}
```
"""


def tracked() -> list[str]:
    """Return the paths of all files that are in git or would be added to it."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return sorted({name for name in listed.split("\0") if name and (ROOT / name).is_file()})


def version() -> str:
    """Return the collection's version, which galaxy.yml has."""
    return re.search(r"^version: (.+)$", (ROOT / COLLECTION / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE).group(1)


def index(groups: dict[str, list[str]], number: str) -> str:
    """Return the first page: the contents, group by group. ``number``: the version."""
    groups = {**groups, "Development": [*groups.get("Development", []), CHANGELOG]}
    groups = {**{name: groups[name] for name in groups if name != "Development"}, "Reference": [REFERENCE + "/index"], "Development": groups["Development"]}
    listed = {name: [re.sub(r"\.(md|rst)$", "", page) for page in found] for name, found in groups.items()}
    entries = {name: "\n".join("%s <%s>" % (NAMES[page], page) if page in NAMES else page for page in found) for name, found in listed.items()}
    contents = [CONTENTS.format(caption=name, entries=text) for name, text in entries.items()]
    korean = " ([한국어](README.ko.md))" if "README.ko.md" in groups.get("한국어", []) else ""
    return INDEX.format(version=number, korean=korean, contents="\n".join(contents))


def stage(source: pathlib.Path, repository: str) -> None:
    """Write the site's sources: pages and pictures at the paths that they have in the repository, so that links between them hold; contents; settings."""
    files = tracked()
    markdown = [name for name in files if name.endswith(".md")]
    shown = [name for name in files if name.endswith(SHOWN)]
    places = {name: name for name in [*markdown, *shown, CHANGELOG]}
    for name in places:
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name in markdown:
            text = (ROOT / name).read_text(encoding="utf-8")
            target.write_text(pages.relink(text, pages.moved(name, places, repository, "v" + version())), encoding="utf-8")
        else:
            shutil.copyfile(ROOT / name, target)
    groups = pages.sections(markdown, (ROOT / "README.md").read_text(encoding="utf-8"))
    (source / "index.md").write_text(index(groups, version()), encoding="utf-8")
    shutil.copyfile(ROOT / "tests/tools/sphinx/conf.py", source / "conf.py")


def without_contents(text: str) -> str:
    """Return a page in reStructuredText without its list of its own headings: the theme has one beside each page, and shows an error for a second one."""
    return re.sub(r"^\.\. contents::.*\n(?:[ \t]+:.*\n)*", "", text, flags=re.MULTILINE)


def run(*command: str | pathlib.Path) -> int:
    """Run a program of the environment for documents, which finds ansible-doc and this collection; return its exit code."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {
        "PATH": os.pathsep.join([str(BIN), str(pathlib.Path(sys.executable).parent), environment["PATH"]]),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "SKP_VERSION": version(),
    }
    return subprocess.run([*map(str, command)], cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    """Build and check. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", default="", help="address of the repository, for links to files that are no pages")
    chosen = parser.parse_args()
    source, target = BUILD / "source", BUILD / "html"
    for directory in (source, target):
        shutil.rmtree(directory, ignore_errors=True)
    (source / REFERENCE).mkdir(parents=True)
    stage(source, chosen.repository)
    codes = [run(BIN / "antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--dest-dir", source / REFERENCE, "skp.cluster")]
    for page in source.rglob("*.rst"):
        page.write_text(without_contents(page.read_text(encoding="utf-8")), encoding="utf-8")
    codes.append(run(BIN / "sphinx-build", "-q", "-W", "--keep-going", "-j", "2", "-d", BUILD / "doctrees", source, target))
    number, links, errors = html_check.check(target)
    for line in [*links, *("error page: " + name for name in errors)]:
        print(line)
    print("docs: %s: pages %d, broken links %d, error pages %d" % (target.relative_to(ROOT), number, len(links), len(errors)))
    return int(bool(any(codes) or links or errors or not number))


if __name__ == "__main__":
    sys.exit(main())
