# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as it is shipped: built, installed into an empty directory, used from a place that does not know this repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
from tree import COLLECTION, ROOT, files

sys.path.insert(0, str(ROOT / "tests/tools"))

import release  # noqa: E402 (found by the line above)

# In the tree, not in the tarball: ansible-galaxy writes MANIFEST.json in place of galaxy.yml.
NOT_SHIPPED = {"galaxy.yml", "changelogs/.plugin-cache.yaml"}


def run(command, cwd, **environment):
    """Run a command without this repository's ansible.cfg; return its output, or fail with it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(command, cwd=cwd, env={**clean, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tarball(tmp_path_factory):
    """Build the collection once, as `make build` does."""
    return release.build(tmp_path_factory.mktemp("dist"))


def documents():
    """Return the paths in the tarball of the licence, the pages and the pictures, which have another place in git."""
    named = {str(path.relative_to(ROOT)) for path in files() if path.is_relative_to(ROOT / "docs") and path.suffix in (".md", ".svg", ".png", ".jpg")}
    return named | {"docs/" + path.name for path in files() if path.parent == ROOT and path.name.startswith("README.")} | {"COPYING"}


def test_everything_of_the_tree_is_in_the_tarball(tarball):
    with tarfile.open(tarball) as archive:
        shipped = {member.name for member in archive.getmembers() if member.isfile()}
    tree = {str(path.relative_to(COLLECTION)) for path in files() if path.is_relative_to(COLLECTION)} | documents()
    assert len(documents()) > 30
    assert tree - shipped == NOT_SHIPPED & tree
    written = {"MANIFEST.json", "FILES.json"} | {"roles/%s/README.md" % path.name for path in (COLLECTION / "roles").iterdir()}
    assert shipped - tree - written == set(), "shipped, but not in git"


def test_every_role_in_the_tarball_has_a_readme(tarball):
    """Galaxy's importer refuses a collection with a role that has none."""
    with tarfile.open(tarball) as archive:
        shipped = {member.name for member in archive.getmembers() if member.isfile()}
    found = {name.split("/")[1] for name in shipped if name.startswith("roles/")}
    assert found and [name for name in sorted(found) if "roles/%s/README.md" % name not in shipped] == []


def test_links_of_the_pages_in_the_tarball_lead_to_files_in_it(tarball):
    with tarfile.open(tarball) as archive:
        names = {member.name for member in archive.getmembers()}
        pages = {name: archive.extractfile(name).read().decode("utf-8") for name in names if name.startswith("docs/") and name.endswith(".md")}
    broken, count = [], 0
    for name, text in pages.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)):
            if not re.match(r"[a-z]+:|#", target):
                count += 1
                aim = os.path.normpath(os.path.join(os.path.dirname(name), target.partition("#")[0]))
                broken += [] if aim in names else ["%s -> %s" % (name, target)]
    assert count > 50 and broken == []


def test_scripts_stay_executable(tarball):
    with tarfile.open(tarball) as archive:
        shipped = {member.name for member in archive.getmembers() if member.isfile() and member.mode & 0o100}
    tree = {str(path.relative_to(COLLECTION)) for path in files() if path.is_relative_to(COLLECTION) and path.stat().st_mode & 0o100}
    assert shipped == tree


def test_installed_collection_runs_from_anywhere(tarball, tmp_path):
    place, elsewhere = tmp_path / "collections", tmp_path / "elsewhere"
    elsewhere.mkdir()
    install = ["ansible-galaxy", "collection", "install", "--offline", "--collections-path", str(place), str(tarball)]
    run(install, elsewhere, ANSIBLE_HOME=str(tmp_path / "home"))
    (elsewhere / "hosts.json").write_text('{"c01": {"ipv4": "192.0.2.1", "labels": [{"kafka": "enable"}], "groups": ["master", "manager"]}}')
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(place),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_INVENTORY_ENABLED": "skp.cluster.hosts_json",
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
    }
    # Every playbook by its full name; --list-tasks also loads every role it names.
    for playbook in sorted(path.stem for path in (COLLECTION / "playbooks").glob("*.yml")):
        listed = run(["ansible-playbook", "-i", "hosts.json", "--list-tasks", "skp.cluster.%s" % playbook], elsewhere, **environment)
        assert "playbook: %s/ansible_collections/skp/cluster/playbooks/%s.yml" % (place, playbook) in listed, "not from the installed copy"


def test_pip_installs_the_whole_collection(tmp_path):
    """`pip install .`: the wheel has every file but the tests, scripts executable. Made from a copy, as building leaves things behind."""
    copy, tests = tmp_path / "copy", COLLECTION / "tests"
    for path in files():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(copy)], tmp_path)
    [wheel] = tmp_path.glob("skp_cluster-*.whl")
    shipped = {entry.filename: bool(entry.external_attr >> 16 & 0o100) for entry in zipfile.ZipFile(wheel).infolist() if ".dist-info/" not in entry.filename}
    tree = {
        str(path.relative_to(ROOT / "collections")): bool(path.stat().st_mode & 0o100)
        for path in files()
        if path.is_relative_to(COLLECTION) and not path.is_relative_to(tests)
    }
    assert shipped == tree


def test_the_sources_are_found_in_one_place_and_from_the_root_only(tmp_path):
    """`pip install -e` must not make the sources visible elsewhere: they would shadow, or keep out, what is installed there."""
    found = run(["ansible-galaxy", "collection", "list", "skp.cluster"], ROOT)
    assert found.count("skp.cluster ") == 1 and str(COLLECTION.parents[1]) in found
    assert "skp.cluster " not in run(["ansible-galaxy", "collection", "list"], tmp_path, ANSIBLE_HOME=str(tmp_path))
