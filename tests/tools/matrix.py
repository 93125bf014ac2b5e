# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every supported ansible-core: unit tests, the inventories, the syntax of all playbooks, the documentation of all plugins and roles.

``make matrix`` runs all rows, ``make matrix MATRIX='2.21 2.22'`` some. ``make matrix-lab`` runs site.yml with each row on the lab that is up and
has converged: nothing may change. Then it takes one service down and up again.

Each row has its own virtual environment in .cache/matrix, at pinned versions. If this machine does not have the row's Python, the row runs in a
container (tests/tools/python). Each row prints one line; the full output is in build/log/matrix-*.log.
"""

from __future__ import annotations

import argparse
import configparser
import dataclasses
import glob
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLLECTION = ROOT / "collections" / "ansible_collections" / "skp" / "cluster"
CONSTRAINTS = ROOT / "tests" / "constraints.txt"
CACHE = ROOT / ".cache" / "matrix"
LOG = ROOT / "build" / "log"
UNIT_TESTS = ("collections/ansible_collections/skp/cluster/tests/unit", "roles/lab/tests",
              # A program without Ansible, with libraries that a row does not have. It runs with the Python of its image.
              "--ignore=collections/ansible_collections/skp/cluster/tests/unit/images/auth")
EXAMPLE = "inventory/cluster"
LAB = "inventory/lab"
SERVICE = "jupyter"
"""What make matrix-lab takes down for a moment: no other service depends on it."""
PLUGINS = {"module": "modules", "inventory": "inventory", "lookup": "lookup", "filter": "filter"}
STEP_SECONDS = 900
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
IMAGES = ROOT / "tests" / "tools" / "python"
"""One directory per Python that a container can have."""


class MatrixError(Exception):
    """A row cannot run, or one of its checks failed. The text says why."""


@dataclasses.dataclass(frozen=True)
class Row:
    """Exact versions, and the Pythons they run on here, the preferred one first."""

    ansible_core: str
    ansible: str
    pythons: tuple[str, ...]

    @property
    def line(self) -> str:
        """The release line, for example 2.21."""
        return ".".join(self.ansible_core.split(".")[:2])

    @property
    def name(self) -> str:
        """The row's name in arguments and file names."""
        return "%s-python%s" % (self.line, self.pythons[0])


# What make venv installs has the same versions here as in tests/constraints.txt; a test compares them, and README's table.
ROWS = (
    Row("2.19.14", "12.3.0", ("3.11", "3.13")),
    Row("2.20.10", "13.8.0", ("3.12", "3.13")),
    Row("2.21.5", "14.5.0", ("3.13",)),
    Row("2.21.5", "14.5.0", ("3.14",)),
    Row("2.22.0rc1", "15.0.0a3", ("3.14",)),
)


def chosen(names: list[str]) -> list[Row]:
    """Return the rows of these lines (2.21) or row names; all where none is named."""
    unknown = [name for name in names if not any(name in (row.line, row.name) for row in ROWS)]
    if unknown:
        raise MatrixError("no such row: %s. The rows are: %s" % (", ".join(unknown), ", ".join(row.name for row in ROWS)))
    return [row for row in ROWS if not names or row.line in names or row.name in names]


def pins(row: Row, constraints: str) -> str:
    """Return tests/constraints.txt with the row's Ansible in place of make venv's."""
    lines = [line for line in constraints.splitlines() if not re.match(r"ansible(-core)?==", line)]
    return "\n".join([*lines, "ansible==%s" % row.ansible, "ansible-core==%s" % row.ansible_core, ""])


def packages() -> list[str]:
    """Return the names that a row installs: what the product needs, and pytest."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    needed = {re.split(r"[<>=!~;\[ ]", line)[0] for line in setup["options"]["install_requires"].splitlines() if line}
    return sorted(needed | {"pytest", "pytest-xdist"})


def playbooks() -> list[str]:
    """Return all playbooks of the repository: files that are lists of plays."""
    # Some keys are quoted, so that AWX does not offer the file.
    play = re.compile(r"^(- |  )\"?(hosts|(ansible\.builtin\.)?import_playbook)\"?:", re.MULTILINE)
    found = [ROOT / "site.yml"]
    for directory in (ROOT / "playbooks", COLLECTION / "playbooks", ROOT / "roles", ROOT / "molecule", ROOT / "tests"):
        found += [path for path in sorted(directory.rglob("*.yml")) if play.search(path.read_text(encoding="utf-8"))]
    return [str(path.relative_to(ROOT)) for path in found]


def documents() -> list[tuple[list[str], list[str]]]:
    """Return per type of plugin the arguments of ansible-doc and the names that it must know."""
    found = []
    for kind, directory in PLUGINS.items():
        names = ["skp.cluster.%s" % path.stem for path in sorted((COLLECTION / "plugins" / directory).glob("[!_]*.py"))]
        found.append((["--type", kind, *names], names))
    roles = ["skp.cluster.%s" % path.name for path in sorted((COLLECTION / "roles").iterdir()) if (path / "meta/argument_specs.yml").exists()]
    found.append((["--type", "role", "--roles-path", "roles", *roles, "lab"], [*roles, "lab"]))
    return found


def undocumented(names: list[str], text: str) -> list[str]:
    """Return the names without a heading in ansible-doc's text. For an unknown name ansible-doc only warns."""
    headings = set(re.findall(r"^> [A-Z]+:? \*?([\w.]+)\*? \(", text, re.MULTILINE))
    return [name for name in names if name not in headings]


def objections(text: str) -> list[str]:
    """Return the lines with errors and deprecation warnings of Ansible and pytest, each once."""
    complaint = re.compile(r"^(\[DEPRECATION WARNING\]|\[ERROR\]|ERROR!?|FAILED|fatal:)")
    return list(dict.fromkeys(line for line in text.splitlines() if complaint.match(line)))


def tests_passed(text: str) -> int:
    """Return the number of passed tests in pytest's last line."""
    found = re.findall(r"^(?:=+ )?(?:.*, )?(\d+) passed\b", text, re.MULTILINE)
    return int(found[-1]) if found else 0


def recap(text: str) -> dict[str, dict[str, int]]:
    """Return the counts of ansible-playbook's last recap by host."""
    lines = re.findall(r"^(\S+)\s*: (ok=\d+ .*)$", text.rpartition("PLAY RECAP")[2], re.MULTILINE)
    return {host: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", counts)} for host, counts in lines}


def not_idle(counts: dict[str, dict[str, int]]) -> list[str]:
    """Return what a run changed, and what failed, where nothing should change."""
    if not counts:
        return ["no host in the recap"]
    found = [(host, key, of[key]) for host, of in sorted(counts.items()) for key in ("changed", "unreachable", "failed") if of.get(key)]
    return ["%s: %s=%d" % item for item in found]


def interpreter(version: str) -> str | None:
    """Return this machine's interpreter of a version that can make an environment. A version manager's shim counts only if it answers."""
    name = "python%s" % version
    candidates = [shutil.which(name), "/usr/bin/" + name, "/usr/local/bin/" + name]
    candidates += sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/%s.*/bin/%s" % (version, name))))
    probe = "import ensurepip, sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != sys.argv[1])"
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            if subprocess.run([candidate, "-c", probe, version], capture_output=True, check=False).returncode == 0:
                return candidate
    return None


def place(pythons: tuple[str, ...], here) -> tuple[str, str | None]:
    """Return the Python to use and its path, None for the container's. `here` maps a version to this machine's interpreter or None."""
    for version in pythons:
        path = here(version)
        if path:
            return version, path
    for version in pythons:
        if (IMAGES / version / "Dockerfile").exists():
            return version, None
    raise MatrixError("there is no Python %s on this machine" % " or ".join(pythons))


class Bench:
    """A row's environment, on this machine or in a container with the same paths, and its log."""

    def __init__(self, row: Row, log: pathlib.Path) -> None:
        self.row = row
        self.python, self.path = place(row.pythons, interpreter)
        self.home = CACHE / ("%s-%s" % (row.line, ("python" if self.path else "container") + self.python))
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        self.log.write_text("", encoding="utf-8")
        self.image = None if self.path else image(self.python)

    @property
    def where(self) -> str:
        """The Python used, as the row's line shows it."""
        return "Python %s%s" % (self.python, "" if self.path else " in a container")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the repository's root, with its output in the log. An exit code other than 0 is an error."""
        environment = {
            "PATH": "%s/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" % self.home,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONPYCACHEPREFIX": str(self.home / "pycache"),
        }
        kept = ("PIP_", "SKP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
        environment.update({key: value for key, value in os.environ.items() if key.startswith(kept)})
        command = ["timeout", str(STEP_SECONDS), *words]
        if self.path:
            environment["HOME"] = os.environ.get("HOME", "/")
            done = self._call(command, environment)
        else:
            done = self._call([*self._container(environment), *command], None)
        if done.returncode != 0:
            what = "%s ended with %d" % (pathlib.Path(words[0]).name, done.returncode)
            raise MatrixError("\n".join([what, *objections(done.stdout + done.stderr)[:20]]))
        return done

    def _call(self, command: list[str], environment: dict[str, str] | None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        with self.log.open("a", encoding="utf-8") as stream:
            stream.write("$ %s\n%s%s" % (" ".join(command), done.stdout, done.stderr))
        return done

    def _container(self, environment: dict[str, str]) -> list[str]:
        """Return the docker command: this repository at its own path, this user, and pip's settings and certificates of this machine."""
        config = pathlib.Path("~/.config/pip/pip.conf").expanduser()
        if config.exists():
            environment["PIP_CONFIG_FILE"] = str(config)
        needed = {environment.get("PIP_CERT", CERTIFICATES), CERTIFICATES, "/etc/pip.conf", str(config), "/etc/passwd", "/etc/group"}
        words = ["docker", "run", "--rm", "--init", "--network", "host", "--user", "%d:%d" % (os.getuid(), os.getgid())]
        words += ["--cpu-shares", "256"] if os.nice(0) > 0 else []
        words += ["--volume", "%s:%s" % (ROOT, ROOT), "--workdir", str(ROOT)]
        for path in sorted(path for path in needed if os.path.exists(path)):
            words += ["--volume", "%s:%s:ro" % (path, path)]
        for key, value in dict(environment, HOME="/tmp").items():
            words += ["--env", "%s=%s" % (key, value)]
        return [*words, str(self.image)]

    def make(self) -> None:
        """Make the environment, unless it exists with the same pins."""
        wanted = pins(self.row, CONSTRAINTS.read_text(encoding="utf-8"))
        stamp = self.home / "stamp"
        want = hashlib.sha256(repr((wanted, packages(), self.path or self.image)).encode()).hexdigest()
        if stamp.exists() and stamp.read_text(encoding="utf-8") == want:
            return
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        (self.home / "constraints.txt").write_text(wanted, encoding="utf-8")
        self.run(self.path or "/usr/bin/python%s" % self.python, "-m", "venv", str(self.home / "venv"))
        # Python writes bytecode when it imports a file. Most of the package ansible is never imported here.
        self.run("pip", "install", "--quiet", "--no-compile", "--constraint", str(self.home / "constraints.txt"), *packages())
        stamp.write_text(want, encoding="utf-8")


def image(python: str) -> str:
    """Return the image with this Python. It is built if the engine does not have it, on the base image of the lab's nodes."""
    recipe = (IMAGES / python / "Dockerfile").read_bytes()
    tag = "skp-lab/python:%s-%s" % (python, hashlib.sha256(recipe).hexdigest()[:12])
    if subprocess.run(["docker", "image", "inspect", tag], capture_output=True, check=False).returncode == 0:
        return tag
    program = pathlib.Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [program, "-i", "localhost,", "tests/tools/python_image.yml", "-e", "python_image=" + tag, "-e", "python_context=" + str(IMAGES / python)],
        cwd=ROOT, env=dict(os.environ, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg")), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MatrixError(
            "this machine does not have the row's Python, and tests/tools/python_image.yml failed to build an image with it. It needs a Docker\n"
            "engine (`make up` installs one). Its last lines:\n%s"
            % (done.stdout + done.stderr)[-2000:])
    return tag


def lab_inventory(directory: pathlib.Path) -> pathlib.Path:
    """Make a copy of the lab's inventory with the hosts of the example: tests on the lab edit the lab's own. Returns its directory."""
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "group_vars" / "all").mkdir(parents=True)
    for path in ("skp.yml", "group_vars/all/lab.yml"):
        shutil.copy(ROOT / LAB / path, directory / path)
    shutil.copy(ROOT / EXAMPLE / "hosts.json", directory)
    return directory


def inventory(run, source: pathlib.Path) -> dict:
    """Return an inventory as ansible-inventory lists it, without the format version of the list."""
    found = json.loads(run("ansible-inventory", "-i", str(source), "--list").stdout)
    found["_meta"].pop("profile", None)
    return found


def reference(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a program of make venv's environment."""
    program = pathlib.Path(sys.executable).with_name(words[0])
    environment = dict(os.environ, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"))
    return subprocess.run([program, *words[1:]], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)


def check_unit_tests(bench: Bench) -> str:
    """All unit tests pass."""
    done = bench.run("pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *UNIT_TESTS)
    return "%d unit tests" % tests_passed(done.stdout)


def check_inventories(bench: Bench) -> str:
    """Both inventories have the same hosts, groups and variables as with make venv's Ansible."""
    sources = [ROOT / EXAMPLE, lab_inventory(bench.home / "lab")]
    for source in sources:
        if inventory(bench.run, source) != inventory(reference, source):
            raise MatrixError("%s differs from the list of .venv/bin/ansible-inventory" % source.relative_to(ROOT))
    return "%d inventories" % len(sources)


def check_syntax(bench: Bench) -> str:
    """All playbooks pass --syntax-check without a deprecation warning."""
    found = playbooks()
    done = bench.run("ansible-playbook", "-i", EXAMPLE, "--syntax-check", *found)
    refuse(objections(done.stdout + done.stderr))
    return "%d playbooks" % len(found)


def check_documents(bench: Bench) -> str:
    """ansible-doc shows every plugin and role."""
    count = 0
    for words, names in documents():
        done = bench.run("ansible-doc", *words)
        refuse(["not documented: %s" % name for name in undocumented(names, done.stdout)] + objections(done.stderr))
        count += len(names)
    return "%d documents" % count


def play(bench: Bench, *words: str) -> dict[str, dict[str, int]]:
    """Run a playbook on the lab. Returns its recap. A deprecation warning is an error; errors that the playbook ignores or rescues are not."""
    done = bench.run("ansible-playbook", "-i", LAB, *words)
    refuse([line for line in objections(done.stdout + done.stderr) if "DEPRECATION" in line])
    return recap(done.stdout)


def check_lab(bench: Bench) -> str:
    """site.yml on a lab that has converged changes nothing."""
    counts = play(bench, "site.yml")
    refuse(not_idle(counts))
    return "site.yml on %d hosts: nothing changed" % len(counts)


def check_service(bench: Bench) -> str:
    """A service is taken down and comes back; then there is nothing to do."""
    for words in (("playbooks/down.yml", "--tags", SERVICE), ("site.yml", "--tags", SERVICE)):
        if not any(of["changed"] for of in play(bench, *words).values()):
            raise MatrixError("%s changed nothing" % " ".join(words))
    refuse(not_idle(play(bench, "site.yml", "--tags", SERVICE)))
    return "%s down and up again" % SERVICE


def refuse(findings: list[str]) -> None:
    """Fail if there are findings."""
    if findings:
        raise MatrixError("\n".join(findings))


def run_row(row: Row, checks, suffix: str = "") -> bool:
    """Run all checks of a row and print its line. Returns whether all passed."""
    began = time.monotonic()
    log = LOG / ("matrix-%s%s.log" % (row.name, suffix))
    where, done, failures = "", [], []
    try:
        bench = Bench(row, log)
        where = bench.where
        bench.make()
        for check in checks:
            try:
                done.append(check(bench))
            except MatrixError as exc:
                failures.append("%s: %s" % (check.__name__.removeprefix("check_").replace("_", " "), exc))
    except MatrixError as exc:
        failures.append(str(exc))
    verdict = "FAILED" if failures else "ok"
    print("core %-10s %-26s %-6s %3.0f s  %s" % (row.ansible_core, where, verdict, time.monotonic() - began, ", ".join(done)), flush=True)
    for failure in failures:
        print("  " + failure.replace("\n", "\n    "))
    if failures:
        print("  Full output: %s" % log.relative_to(ROOT), flush=True)
    return not failures


def main() -> int:
    """Run the rows of the arguments. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help="release line of ansible-core (2.21) or row (%s); default: all rows" % ROWS[0].name)
    parser.add_argument("--lab", action="store_true", help="run playbooks on the running lab")
    options = parser.parse_args()
    checks = (check_unit_tests, check_inventories, check_syntax, check_documents)
    try:
        rows = chosen(options.rows)
    except MatrixError as exc:
        parser.error(str(exc))
    if options.lab:
        passed = [run_row(row, (check_lab, check_service), "-lab") for row in rows]
    else:
        passed = [run_row(row, checks) for row in rows]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
