# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no file of this project may say, and links that lead somewhere."""

from __future__ import annotations

import re

import pytest
from tree import COLLECTION, ROOT, files, load, relative, roles, tasks

# Sites that can reach only their own mirrors set variables (skp_apt_mirror, skp_pip_index, ...); a name written here would go round them.
# Put together from parts, so that this file does not hold them.
REGISTRIES = [
    "".join(parts)
    for parts in (
        ("pypi", r"\.org"), ("files\\.python", r"hosted\.org"), ("deb", r"\.debian\.org"), ("ftp\\.[a-z.]*", r"debian\.org"),
        ("security", r"\.debian\.org"), ("archive\\.", r"ubuntu\.com"), ("security\\.", r"ubuntu\.com"), ("repo1?\\.maven\\.", r"(apache\.)?org"),
        ("proxy\\.", r"golang\.org"), ("sum\\.", r"golang\.org"), ("registry\\.", r"npmjs\.(org|com)"), ("registry-1\\.", r"docker\.io"),
        ("hub\\.", r"docker\.com"), ("galaxy\\.", r"ansible\.com"), ("ruby", r"gems\.org"), ("crates", r"\.io"),
    )
]  # fmt: skip

FORBIDDEN = {
    "a package registry's host": re.compile("|".join(REGISTRIES), re.IGNORECASE),
    "a privileged container": re.compile(r"privileged" + r"['\"]?\s*[:=]\s*(true|yes|True)|--privi" + "leged"),
    "a mount of the engine's socket": re.compile(r"docker\.so" + r"ck\s*:\s*/"),
}
# May be spoken of in documents and comments: what is done without it, and why.
SPOKEN_OF = {"a privileged container"}


def text_files():
    """Return the files that are text, except the licence and the lists that tools wrote."""
    written_by_tools = {"COPYING", "go.sum", "constraints.txt"}
    for path in files():
        if path.name in written_by_tools or path.is_symlink():
            continue
        content = path.read_bytes()
        if b"\0" not in content:
            yield path, content.decode("utf-8")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_forbidden(what):
    found = [
        "%s:%d: %s" % (relative(path), number, line.strip())
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if FORBIDDEN[what].search(line)
        if what not in SPOKEN_OF or not (path.suffix == ".md" or line.lstrip().startswith("#"))
    ]
    assert found == []


def test_the_patterns_catch_what_they_are_for():
    caught = {
        "a package registry's host": ["https://pypi" + ".org/simple", "http://deb." + "debian.org/debian", "https://repo1.maven." + "org/maven2"],
        "a privileged container": ["privileged: " + "true", "docker run --privi" + "leged", "privileged" + "=True"],
        "a mount of the engine's socket": ["- /var/run/docker.so" + "ck:/var/run/docker.sock"],
    }
    for what, examples in caught.items():
        for example in examples:
            assert FORBIDDEN[what].search(example), example


def image_references():
    """Yield every upstream image that a role's default or a Dockerfile names, with where."""
    for role in roles():
        for name, value in (load(role / "defaults/main.yml") or {}).items():
            if name.endswith("_image") and isinstance(value, str) and value and "{{" not in value:
                yield relative(role / "defaults/main.yml"), value
    for path in files():
        if "Dockerfile" in path.name:
            stages = set()
            for words in re.findall(r"^FROM\s+(?:--\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?", path.read_text(encoding="utf-8"), re.MULTILINE | re.IGNORECASE):
                if words[0] not in stages and "$" not in words[0] and words[0] != "scratch":
                    yield relative(path), words[0]
                stages.add(words[1])


def test_upstream_images_are_pinned():
    loose = ["%s: %s" % where for where in image_references() if not re.search(r"@sha256:|:(?!latest$)[^/:]+$", where[1])]
    assert loose == []


FRAGMENTS = sorted(path for path in files() if path.is_relative_to(COLLECTION / "changelogs/fragments"))
MARKUP = re.compile(r"\b[A-Z]+\([^)]*\)")


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_changes_are_written_in_restructuredtext(path):
    """The changelog shows them as they are: C(x) is for the documentation of modules and roles, here it is ``x``."""
    assert MARKUP.findall(path.read_text(encoding="utf-8")) == []


def test_the_markup_of_documentation_is_found():
    assert MARKUP.findall("role C(kafka), O(a.b#module:c=1) and V(no); a node (one) and ``x``") == ["C(kafka)", "O(a.b#module:c=1)", "V(no)"]


def task_files():
    """Return the YAML files that hold tasks or plays."""
    for path in files():
        folders = path.relative_to(ROOT).parts
        if path.suffix == ".yml" and {"tasks", "handlers", "playbooks", "molecule"} & set(folders) and path.name not in ("molecule.yml", "hosts.yml"):
            content = load(path)
            if isinstance(content, list):
                yield path, content


def test_commands_say_when_they_change_something():
    silent = [
        "%s: %s" % (relative(path), task.get("name"))
        for path, content in task_files()
        for task in tasks(content)
        if {"ansible.builtin.command", "ansible.builtin.shell", "ansible.builtin.raw", "ansible.builtin.script"} & set(task) and "changed_when" not in task
    ]
    assert silent == []


def test_no_fixed_sleeps():
    """Waiting is a poll with a deadline; a pause is either too short or too long."""
    pauses = [
        "%s: %s" % (relative(path), task.get("name"))
        for path, content in task_files()
        if path.is_relative_to(COLLECTION)
        for task in tasks(content)
        if "ansible.builtin.pause" in task
    ]
    assert pauses == []


def slug(heading):
    """Return the anchor that a Markdown heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


def links():
    """Yield (file, target) of every relative link in the project's Markdown files."""
    for path in files():
        if path.suffix == ".md":
            prose = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            for target in re.findall(r"\]\(([^)\s]+)\)", prose):
                if not re.match(r"[a-z]+:", target):
                    yield path, target


def test_links_lead_somewhere():
    broken = []
    for path, target in links():
        name, dummy, anchor = target.partition("#")
        aim = (path.parent / name).resolve() if name else path
        if not aim.exists():
            broken.append("%s -> %s" % (relative(path), target))
        elif anchor and anchor not in {slug(line.lstrip("#")) for line in aim.read_text(encoding="utf-8").splitlines() if line.startswith("#")}:
            broken.append("%s -> %s (no such heading)" % (relative(path), target))
    assert broken == []
