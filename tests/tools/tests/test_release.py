# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a release: what goes into the tarball, and what is found wrong with one."""

from __future__ import annotations

import pytest
import release
import yaml

GALAXY = "namespace: skp\nname: cluster\nversion: 1.2.3\n"
HOME = "https://example.com/skp/cluster"
INFO = {"version": "1.2.3", **dict.fromkeys(release.ADDRESSES, HOME)}
MEMBERS = {
    **dict.fromkeys(release.NEEDED, ("file", 100)),
    "docs": ("directory", 0),
    "changelogs/fragments/a.yml": ("file", 10),
}
CHANGELOG = {"releases": {"1.2.3": {"fragments": ["a.yml"]}}}
TEXTS = {"CHANGELOG.rst": "v1.2.3\n======\n", "changelogs/changelog.yaml": yaml.safe_dump(CHANGELOG), "meta/runtime.yml": "requires_ansible: '>=2.19.0'\n"}
SETUP = "[metadata]\nversion = 1.2.3\n"


def test_what_goes_into_the_tarball():
    inside = release.COLLECTION + "/plugins/modules/a.py"
    left_out = ["CONTRIBUTING.md", "docs/pictures/p.yml", "tests/x.py", "README.txt"]
    files = [inside, "COPYING", "README.md", "README.ko.md", "docs/a.md", "docs/ko/a.md", "docs/pictures/p.svg", *left_out]
    assert release.places(files) == {
        inside: "plugins/modules/a.py",
        "COPYING": "COPYING",
        "README.md": "docs/README.md",
        "README.ko.md": "docs/README.ko.md",
        "docs/a.md": "docs/a.md",
        "docs/ko/a.md": "docs/ko/a.md",
        "docs/pictures/p.svg": "docs/pictures/p.svg",
    }


def test_addresses_are_filled_in_once():
    filled = release.addressed(GALAXY, HOME + "/")
    assert yaml.safe_load(filled) == yaml.safe_load(GALAXY) | {
        "repository": HOME,
        "documentation": HOME + "/blob/v1.2.3/README.md",
        "homepage": HOME,
        "issues": HOME + "/issues",
    }
    assert release.addressed(GALAXY, "") == GALAXY
    with pytest.raises(ValueError, match="already has repository, documentation, homepage, issues"):
        release.addressed(filled, HOME)


def test_a_good_tarball_has_no_faults():
    assert release.faults(MEMBERS, INFO, TEXTS, SETUP) == []


@pytest.mark.parametrize("name", release.NEEDED)
def test_a_missing_file(name):
    assert release.faults({path: entry for path, entry in MEMBERS.items() if path != name}, INFO, TEXTS, SETUP) == ["%s is missing" % name]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"roles/x": ("link", 0)}, "roles/x is a link"),
        ({"roles/pipe": ("special file", 0)}, "roles/pipe is a special file"),
        ({"docs/film.png": ("file", release.LARGEST_FILE + 1)}, "docs/film.png has 2097153 bytes"),
        ({"plugins/__pycache__/a.pyc": ("file", 1)}, "plugins/__pycache__/a.pyc is no source"),
        ({"tests/output/log": ("file", 1)}, "tests/output/log is no source"),
        ({"changelogs/fragments/late.yml": ("file", 1)}, "late.yml is not in the changelog"),
    ],
)
def test_a_member_that_must_not_be_there(members, expected):
    [fault] = release.faults(MEMBERS | members, INFO, TEXTS, SETUP)
    assert expected in fault


@pytest.mark.parametrize("name", release.ADDRESSES)
@pytest.mark.parametrize("value", [None, "", "http://example.com/skp", "https://example.com"])
def test_an_address_that_is_none(name, value):
    [fault] = release.faults(MEMBERS, INFO | {name: value}, TEXTS, SETUP)
    assert fault.startswith("galaxy.yml: %s is %r" % (name, value)) and "make release REPOSITORY=" in fault


@pytest.mark.parametrize(
    ("change", "setup", "expected"),
    [
        ({"meta/runtime.yml": "---\n"}, SETUP, "no requires_ansible"),
        ({"CHANGELOG.rst": "v1.2.2\n======\n"}, SETUP, "the changelog has no 1.2.3"),
        ({"changelogs/changelog.yaml": "releases: {}\n"}, SETUP, "the changelog has no 1.2.3"),
        ({}, "version = 1.2.30\n", "setup.cfg has another version"),
        ({}, "version = 112.3\n", "setup.cfg has another version"),
    ],
)
def test_texts_that_do_not_agree(change, setup, expected):
    [fault] = release.faults(MEMBERS, INFO, TEXTS | change, setup)
    assert expected in fault


def test_a_version_that_is_no_release():
    texts = {name: text.replace("1.2.3", "1.3.0-dev") for name, text in TEXTS.items()}
    assert release.faults(MEMBERS, INFO | {"version": "1.3.0-dev"}, texts, "version = 1.3.0-dev\n") == ["the version is 1.3.0-dev, expected three numbers"]


def test_the_importers_findings_are_read_from_its_output():
    good = "Importing with galaxy-importer\nLoading role ERRORS\nImporter processing completed successfully\n"
    assert release.judged(good) == []
    assert release.judged("WARNING: no changelog\n" + good) == ["galaxy-importer: WARNING: no changelog"]
    failed = release.judged("ERROR: The import failed for the following reason: No role readme found.\n")
    assert len(failed) == 2 and "did not complete" in failed[1]


def test_what_ansible_doc_does_not_have_is_found():
    dump = {"all": {"module": {"skp.cluster.a": {"doc": {}}, "skp.cluster.b": {"error": "no documentation"}}, "role": {}}}
    wanted = {("module", "skp.cluster.a"), ("module", "skp.cluster.b"), ("role", "skp.cluster.r")}
    assert release.undocumented(dump, wanted) == ["ansible-doc has nothing of the module skp.cluster.b", "ansible-doc has nothing of the role skp.cluster.r"]


def test_everything_documented_of_this_collection_is_asked_for():
    wanted = release.documented(release.ROOT / release.COLLECTION)
    assert {("module", "skp.cluster.skp_service"), ("role", "skp.cluster.kafka"), ("inventory", "skp.cluster.hosts_json"), ("lookup", "skp.cluster.manager"),
            ("filter", "skp.cluster.from_text"), ("callback", "skp.cluster.brief")} <= wanted
    assert not any(name.endswith("__init__") for _kind, name in wanted)


def test_the_readme_of_a_role():
    main = {"short_description": "Brokers.", "description": ["Use C(kafka(x)) or O(kafka_port).", "Plain."]}
    specs = {"main": main, "down": {"short_description": "Remove", "description": "All."}}
    text = release.role_readme("kafka", specs, "../../docs/kafka.md")
    assert text.startswith("# Role kafka\n\n## Entry point `main`\n\nBrokers.\n\n- Use `kafka(x)` or `kafka_port`.\n- Plain.\n")
    assert "## Entry point `down`\n\nRemove.\n\n- All.\n" in text and "[kafka](../../docs/kafka.md)" in text and "ansible-doc -t role skp.cluster.kafka" in text
    private = release.role_readme("_common", {"shared": {"short_description": "Variables"}}, "")
    assert "ansible-doc" not in private and "page about it" not in private
