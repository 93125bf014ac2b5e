# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of the collection says of itself."""

from __future__ import annotations

import ast
import re

import pytest
import yaml
from tree import COLLECTION, ROOT, load, modules


def documentation(path):
    """Return a module's DOCUMENTATION, read without importing it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            return yaml.safe_load(node.value.value)
    raise AssertionError("%s has no DOCUMENTATION" % path.name)


def attributes(path):
    """Return a module's attributes: those of the collection's fragment with the module's own over them."""
    module = documentation(path)
    found = module.get("attributes", {})
    fragments = ast.parse((COLLECTION / "plugins/doc_fragments/attributes.py").read_text(encoding="utf-8"))
    texts = {node.targets[0].id: yaml.safe_load(node.value.value) for node in ast.walk(fragments) if isinstance(node, ast.Assign)}
    for name in module["extends_documentation_fragment"]:
        if name.startswith("skp.cluster.attributes"):
            fragment = texts[(name.split(".")[3:] or ["documentation"])[0].upper()]["attributes"]
            found = {key: {**value, **found.get(key, {})} for key, value in {**found, **fragment}.items()}
    return found


@pytest.mark.parametrize("module", modules(), ids=lambda path: path.stem)
def test_check_and_diff_mode_are_stated(module):
    stated = attributes(module)
    for name in ("check_mode", "diff_mode"):
        assert stated[name]["support"] in ("full", "partial", "none", "N/A")
        assert stated[name]["support"] != "partial" or stated[name]["details"], "partial needs its details"
    assert stated["check_mode"]["support"] in ("full", "partial"), "every module tells the truth in check mode"


@pytest.mark.parametrize("module", modules(), ids=lambda path: path.stem)
def test_code_is_readable_in_one_sitting(module):
    """The working part lies in module_utils: besides its documentation a module file is little more than main()."""
    text = module.read_text(encoding="utf-8")
    documented = sum(
        node.end_lineno - node.lineno + 1
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("DOCUMENTATION", "EXAMPLES", "RETURN")
    )
    assert len(text.splitlines()) - documented <= 300


@pytest.mark.parametrize("module", modules(), ids=lambda path: path.stem)
def test_no_secret_of_several_lines_reaches_the_journal(module):
    """AnsibleModule itself leaves out of the journal only secrets of one line, if they are inside a list or a dictionary."""
    names = {name.id for name in ast.walk(ast.parse(module.read_text(encoding="utf-8"))) if isinstance(name, ast.Name)}
    assert "QuietModule" in names and "AnsibleModule" not in names


def test_every_module_is_in_the_action_group():
    assert load(COLLECTION / "meta/runtime.yml")["action_groups"]["cluster"] == [module.stem for module in modules()]


PURE = ("failure", "logins", "plan", "spec", "build", "diff", "watch", "args", "config", "observe", "table")
"""Files of module_utils that are functions of plain data. All others may touch the engine, the network or files."""


def module_utils():
    """Return the files of module_utils by their names: {"service.plan": path, "failure": path, ...}."""
    home = COLLECTION / "plugins/module_utils"
    return {".".join(path.relative_to(home).with_suffix("").parts): path for path in sorted(home.rglob("*.py")) if path.name != "__init__.py"}


def imports(name, path):
    """Return what a file of module_utils imports: names of module_utils in full (`engine.client`), others as written (`docker.errors`)."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module)
        elif isinstance(node, ast.ImportFrom):
            source = name.split(".")[: -node.level] + ([node.module] if node.module else [])
            found |= {".".join([*source, alias.name]) if ".".join(source) not in module_utils() else ".".join(source) for alias in node.names}
    return found


def test_every_package_has_a_plan():
    packages = {name.split(".")[0] for name in module_utils() if "." in name}
    assert [package for package in sorted(packages) if "%s.plan" % package not in module_utils()] == []
    assert [package for package in sorted(packages) if not (COLLECTION / "plugins/module_utils" / package / "__init__.py").exists()] == []


def test_the_page_on_the_architecture_names_every_file_of_module_utils():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = {package: cells for package, *cells in re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", page, re.MULTILINE)}
    files = {}
    for name in module_utils():
        if "." in name:
            package, stem = name.split(".")
            files.setdefault(package, (set(), set()))[stem not in PURE].add(stem)
    named = {package: tuple(set(re.findall(r"(?:^|, )`(\w+)`", cell)) for cell in rows.get(package, ("", ""))) for package in files}
    assert named == files


def test_plans_are_pure():
    """A plan is a function of plain data: neither Ansible nor the engine is imported there, so its tests need no mock."""
    offenders = []
    for name, path in module_utils().items():
        if name.split(".")[-1] in PURE:
            for imported in imports(name, path):
                impure = imported in module_utils() and imported.split(".")[-1] not in PURE
                if impure or imported.split(".")[0] in ("ansible", "ansible_collections", "docker", "requests", "subprocess", "socket", "os"):
                    offenders.append("%s: %s" % (name, imported))
    assert offenders == []


def test_imports_of_module_utils_are_told_apart():
    """The rules above rest on this reading of the imports."""
    assert {"service.plan", "engine.client", "registry.http"} <= imports("service.io", module_utils()["service.io"])
    assert {"docker", "http.client", "engine.wire", "engine.spec"} <= imports("engine.client", module_utils()["engine.client"])


def test_one_file_loads_the_docker_sdk_and_only_when_it_is_used():
    """Its import takes longer than most module calls that change nothing."""
    loads = [name for name, path in module_utils().items() if any(imported.split(".")[0] in ("docker", "requests") for imported in imports(name, path))]
    assert loads == ["engine.client"]
    tree = ast.parse(module_utils()["engine.client"].read_text(encoding="utf-8"))
    at_once = [alias.name for node in tree.body for part in ([node] if isinstance(node, ast.Import) else node.body if isinstance(node, ast.Try) else [])
               if isinstance(part, ast.Import) for alias in part.names]
    assert "http.client" in at_once and "docker" not in at_once


@pytest.mark.parametrize("module", ["skp_engine", "skp_preflight", "skp_secret"])
def test_modules_of_a_bare_node_do_not_need_the_docker_sdk(module):
    """They run where the SDK is not installed yet; nothing they import leads to it."""
    text = (COLLECTION / "plugins/modules" / (module + ".py")).read_text(encoding="utf-8")
    base = "ansible_collections.skp.cluster.plugins.module_utils"
    reached, todo = set(), []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(base):
            source = node.module[len(base) + 1 :]
            todo += [source] if source in module_utils() else [(source + "." + alias.name).lstrip(".") for alias in node.names]
    assert todo, "imports nothing of module_utils"
    while todo:
        name = todo.pop()
        if name in module_utils() and name not in reached:
            reached.add(name)
            todo += imports(name, module_utils()[name])
    assert "engine.client" not in reached


def test_errors_have_one_form():
    """Every error of module_utils is a Failure or a subclass without a constructor of its own, and a module ends with it through `fail`."""
    offenders = []
    for path in [*module_utils().values(), *modules()]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and path.stem != "failure":
                bases = {getattr(base, "id", "") for base in node.bases}
                if bases & {"Exception", "RuntimeError", "ValueError"} or ("Failure" in bases and len(node.body) > 1):
                    offenders.append("%s: class %s" % (path.relative_to(COLLECTION), node.name))
            if isinstance(node, ast.Attribute) and node.attr == "fail_json" and path.stem != "failure":
                offenders.append("%s:%d: fail_json" % (path.relative_to(COLLECTION), node.lineno))
    assert offenders == []


def test_every_failure_names_its_kind():
    silent, seen = [], 0
    for path in [*module_utils().values(), *modules()]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = isinstance(node, ast.Call) and (getattr(node.func, "id", "") or getattr(node.func, "attr", ""))
            if name in ("Failure", "EngineError", "RegistryError"):
                seen += 1
                named = {keyword.arg for keyword in node.keywords}
                if len(node.args) < 2 and not named & {"kind", None}:  # None: **failure of another one
                    silent.append("%s:%d" % (path.relative_to(COLLECTION), node.lineno))
    assert silent == [] and seen > 50
