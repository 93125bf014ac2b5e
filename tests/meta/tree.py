# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the meta-tests know of the repository's tree: its files, its roles, its YAML."""

from __future__ import annotations

import functools
import pathlib
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLLECTION = ROOT / "collections/ansible_collections/skp/cluster"


class _Loader(yaml.SafeLoader):
    """Safe loader that reads Ansible's own tags (``!vault``, ``!unsafe``) as their plain text."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: loader.construct_scalar(node))


@functools.lru_cache(maxsize=None)
def files() -> tuple[pathlib.Path, ...]:
    """Return every file that is in git or would be added to it, as absolute paths, sorted."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return tuple(sorted(ROOT / name for name in set(listed.split("\0")) if name and ((ROOT / name).exists() or (ROOT / name).is_symlink())))


def relative(path: pathlib.Path) -> str:
    """Return a path of the tree as it stands in test names and messages."""
    return str(path.relative_to(ROOT))


def translations() -> dict[pathlib.Path, pathlib.Path]:
    """Return for README.md and each page below docs/ the path of its Korean page, also where that is missing."""
    docs = ROOT / "docs"
    pages = [path for path in files() if path.suffix == ".md" and path.is_relative_to(docs) and not path.is_relative_to(docs / "ko")]
    return {ROOT / "README.md": ROOT / "README.ko.md"} | {path: docs / "ko" / path.relative_to(docs) for path in pages}


def load(path: pathlib.Path) -> object:
    """Return the one YAML document of a file."""
    with path.open(encoding="utf-8") as stream:
        return yaml.load(stream, Loader=_Loader)  # noqa: S506 (derived from SafeLoader)


def roles() -> list[pathlib.Path]:
    """Return the directories of all roles: the collection's and this repository's own."""
    homes = (COLLECTION / "roles", ROOT / "roles")
    return [path for home in homes for path in sorted(home.iterdir()) if path.is_dir() and any(file.is_relative_to(path) for file in files())]


def entry_points(role: pathlib.Path) -> dict[str, dict[str, object]]:
    """Return the documented entry points of a role. A role that only has variables documents them in a file of its own, under `shared`."""
    path = role / "meta/options.yml"
    return load(path if path.exists() else role / "meta/argument_specs.yml")["argument_specs"]


def modules() -> list[pathlib.Path]:
    """Return the module files of the collection."""
    return sorted(path for path in (COLLECTION / "plugins/modules").glob("*.py") if path.name != "__init__.py")


def tasks(node: object) -> list[dict]:
    """Return all tasks in a loaded playbook or task file, those inside blocks and plays too."""
    found: list[dict] = []
    if isinstance(node, list):
        for item in node:
            found += tasks(item)
    elif isinstance(node, dict):
        inner = [node[key] for key in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always") if key in node]
        if inner:
            found += tasks(inner)
        else:
            found.append(node)
    return found
