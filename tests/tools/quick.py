# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make quick`: what the changed files concern, on the lab that is up. For whoever works on one service; CI always runs all of `make test`.

Changed is what differs from the main branch of the repository this one was cloned from (else from the last commit but one), and what is not committed.
`make quick BASE=<commit>` compares with another commit.
"""

from __future__ import annotations

import re
import subprocess
import sys

import durations
import phases
import suite

COLLECTION = "collections/ansible_collections/skp/cluster"
ALL = "all"
META = "meta"
UNIT = "unit"

# The first pattern that a path begins with says whom a change of it concerns: services, ALL, META (the tree's own tests), UNIT, or, with "\g<0>", the
# test file itself. What no pattern knows concerns ALL.
SERVICE = "(?P<service>%s)" % "|".join(suite.SERVICES)
TABLE = (
    (r"docs/|README|CONTRIBUTING|COPYING|%s/(README|CHANGELOG|changelogs/)|tests/lab/README" % COLLECTION, (META,)),
    (r"tests/(meta|bench)/|\.ansible-lint|\.yamllint|\.ci/|inventory/cluster/", (META,)),
    (r"%s/tests/unit/|roles/lab/tests/|tests/tools/|tests/constraints-" % COLLECTION, (UNIT,)),
    (r"%s/(roles|images|plugins/module_utils)/%s/" % (COLLECTION, SERVICE), (r"\g<service>",)),
    (r"%s/playbooks/%s(_\w+)?\.yml|playbooks/%s(_\w+)?\.yml" % (COLLECTION, SERVICE, SERVICE.replace("?P<service>", "?P<shim>")), (r"\g<service>\g<shim>",)),
    (r"%s/plugins/modules/skp_zk_ensemble" % COLLECTION, ("zookeeper",)),
    (r"%s/plugins/modules/skp_registry" % COLLECTION, ("registry",)),
    (r"%s/roles/_spark/|%s/images/ds/" % (COLLECTION, COLLECTION), ("spark", "jupyter")),
    (r"molecule/%s/|tests/lab/(witness|3_services)/%s\b" % (SERVICE, SERVICE.replace("?P<service>", "?P<shim>")), (r"\g<service>\g<shim>",)),
    (r"%s/plugins/modules/skp_fuse_volume|%s/plugins/filter/volumes_|%s/images/rclone/" % (COLLECTION, COLLECTION, COLLECTION), ("volumes",)),
    (r"tests/lab/datastores\.py", ("volumes",)),
    (r"tests/lab/messages\.py", ("kafka",)),
    (r"tests/lab/databases\.py|%s/roles/_database/" % COLLECTION, ("mysql", "postgresql", "redis")),
    (r"%s/plugins/(plugin_utils/_|filter/)database" % COLLECTION, ("mysql", "postgresql")),
    (r"%s/plugins/filter/(airflow_|fernet_)|%s/images/(socketproxy|example)/" % (COLLECTION, COLLECTION), ("airflow",)),
    (r"tests/lab/airflows\.py", ("airflow",)),
    (r"tests/lab/accounts\.py", ("auth", "gateway")),
    (r"tests/lab/gateways\.py", ("gateway",)),
    (r"%s/plugins/modules/skp_portainer|tests/lab/(portainer_standin/|portainers\.py)" % COLLECTION, ("portainer",)),
    (r"%s/plugins/(plugin_utils/_|filter/)custom_services|%s/(roles|playbooks)/push|playbooks/push" % (COLLECTION, COLLECTION), ("custom",)),
    (r"tests/lab/(outside\.py|hello/|far/)", ("custom",)),
    (r"%s/plugins/modules/skp_awx|%s/plugins/callback/failures|%s/images/ee/|(%s/)?playbooks/ee|tests/lab/jobs\.py" % ((COLLECTION,) * 4), ("awx",)),
    (r"tests/lab/znodes\.py", ("zookeeper",)),
    (r"tests/lab/faults\.py", ("zookeeper", "kafka", "registry")),
    (r"tests/lab/sparks\.py", ("spark",)),
    (r"tests/lab/notebooks\.py", ("jupyter",)),
    (r"tests/lab/(\d_\w+|soak)/.*test_\w+\.py", (r"\g<0>",)),
)


def concerns(path: str) -> set[str]:
    """Return whom a change of one path concerns, by the table."""
    for pattern, groups in TABLE:
        match = re.match(pattern, path)
        if match:
            return {match.expand(group) for group in groups}
    return {ALL}


def chosen(paths: list[str]) -> set[str]:
    """Return whom a change of these paths concerns. All services cover each single one, but not a test file of another phase."""
    found = set().union(*map(concerns, paths))
    return found - set(suite.SERVICES) if ALL in found else found


def plan(groups: set[str]) -> list[tuple[str, phases.Commands]]:
    """Return the phases for these groups, in the order of `make test`: tests of the tree and of pure functions, the run itself, services in their lanes."""
    services = [name for name in suite.SERVICES if name in groups or ALL in groups]
    files = sorted(group.removeprefix(suite.LAB + "/") for group in groups if "/" in group)
    found = []
    if groups - {META}:
        found.append(("unit", {"": suite.make("unit")}))
    if groups:
        found.append(("meta", {"": suite.make("meta")}))
    if ALL in groups:
        found.append(("site.yml", {"": suite.playbook("site.yml")}))
    elif services:
        found.append(("site.yml", {"": suite.playbook("site.yml", "--tags", ",".join(["images", *services]))}))
    if services:
        found.append(("browser", {"": ["tests/tools/browser.sh"]})) if "jupyter" in services else None
        found += suite.services(services)
        # Of the tests for all services those that ask one of them: its second run and its verify.yml.
        verify = () if ALL in groups else ("-k", "(again or verify) and (%s)" % " or ".join(services))
        found.append(("second run", {"": [*suite.tests("2_second_run"), *verify]}))
    if files:
        found.append(("changed tests", {"": suite.tests(*files)}))
    return found


def git(*words: str) -> str:
    """Return what git prints, an empty text where it fails."""
    return subprocess.run(["git", *words], cwd=suite.ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout.strip()


def changed(base: str) -> list[str]:
    """Return the paths that differ from a commit, those not committed and not yet known to git among them."""
    return sorted({*git("diff", "--name-only", base).splitlines(), *git("ls-files", "--others", "--exclude-standard").splitlines()})


def base() -> str:
    """Return the commit to compare with: where this branch left the main branch of the repository it was cloned from; else the last but one."""
    upstream = git("rev-parse", "--verify", "--quiet", "main@{upstream}") or git("rev-parse", "--verify", "--quiet", "origin/main")
    return (upstream and git("merge-base", upstream, "HEAD")) or git("rev-parse", "HEAD~1")


def main(since: str = "") -> int:
    """Say what was changed and whom it concerns, then run that. Returns the exit code."""
    paths = changed(since or base())
    groups = chosen(paths)
    for path in paths:
        phases.show("%-80s %s" % (path, " ".join(sorted(concerns(path)))))
    found = plan(groups)
    phases.show("\nquick: %s" % (", ".join(name for name, _ in found) or "nothing is changed"))
    durations.forget()
    code = phases.run(found)
    phases.show(durations.report())
    return code


if __name__ == "__main__":
    sys.exit(main(*filter(None, sys.argv[1:])))
