# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which copy of a secret counts: the newest generation, whatever order managers come, go and return in."""

from __future__ import annotations

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.secrets.plan import copies, entries, entry, plan, rotation, stored


def copy(value, generation, time=100):
    return {"fingerprint": value or None, "generation": generation, "time": time}


OLD, NEW = copy("old", 1), copy("new", 2)


KEPT = entry("a", "old", 2, 100)
LOST = {"sha256": None, "fingerprint": None, "generation": 2, "time": 100}
NEVER = dict(LOST, generation=0, time=0)


@pytest.mark.parametrize(
    "case, files, history, expected",
    [
        ("nothing", {}, {}, {}),
        ("as stored", {"a": ("old", 7)}, {"a": KEPT}, {"a": KEPT}),
        ("a file from before there was a history", {"a": ("old", 7)}, {}, {"a": entry("a", "old", 1, 7)}),
        ("edited by hand", {"a": ("mine", 7.5)}, {"a": KEPT}, {"a": entry("a", "mine", 3, 7)}),
        ("removed by hand", {}, {"a": KEPT}, {"a": dict(LOST, stored=KEPT)}),
        ("emptied", {"a": ("", 7)}, {"a": KEPT}, {"a": dict(LOST, stored=KEPT)}),
        ("still lost", {}, {"a": LOST}, {"a": dict(LOST, stored=LOST)}),
        ("empty, never known", {"a": ("", 7)}, {}, {"a": dict(NEVER, stored=NEVER)}),
    ],
)
def test_entries_of_one_manager(case, files, history, expected):
    assert entries(files, history) == expected


@pytest.mark.parametrize("files", [{}, {"a": ("", 7)}])
def test_a_lost_secret_is_stored_as_it_was(files):
    known = entries(files, {"a": KEPT})
    assert stored(known) == {"a": KEPT} and copies(known) == {"a": {"fingerprint": None, "generation": 2, "time": 100}}
    assert entries({"a": ("old", 9)}, stored(known)) == {"a": KEPT}


def test_copies_have_no_plain_hash():
    assert copies({"a": KEPT}) == {"a": {"fingerprint": KEPT["fingerprint"], "generation": 2, "time": 100}}
    assert KEPT["fingerprint"] != entry("b", "old", 2, 100)["fingerprint"]


@pytest.mark.parametrize(
    "case, managers, take, make, behind",
    [
        ("first run", {"c01": {}, "c02": {}, "c03": {}}, {}, ["a"], ["c02", "c03"]),
        ("second run", {"c01": {"a": OLD}, "c02": {"a": OLD}}, {}, [], []),
        ("another manager was wiped", {"c01": {"a": OLD}, "c02": {}}, {}, [], ["c02"]),
        ("this manager was wiped", {"c01": {}, "c02": {"a": OLD}, "c03": {"a": OLD}}, {"a": "c02"}, [], []),
        ("one with an old copy came back, and is in use", {"c01": {"a": OLD}, "c02": {"a": NEW}, "c03": {"a": NEW}}, {"a": "c02"}, [], []),
        ("one with an old copy came back", {"c01": {"a": NEW}, "c02": {"a": OLD}, "c03": {"a": NEW}}, {}, [], ["c02"]),
        ("edited by hand on another manager", {"c01": {"a": OLD}, "c02": {"a": copy("mine", 2, 7)}, "c03": {"a": OLD}}, {"a": "c02"}, [], ["c03"]),
        ("typed on two managers at different times", {"c01": {"a": copy("x", 2, 7)}, "c02": {"a": copy("x", 2, 9)}}, {}, [], []),
        ("removed by hand here", {"c01": {"a": copy("", 1)}, "c02": {"a": OLD}}, {"a": "c02"}, [], []),
        ("all secrets of a wiped manager come back, wanted or not", {"c01": {}, "c02": {"a": OLD, "b": OLD}}, {"a": "c02", "b": "c02"}, [], []),
        ("one does not answer, nothing has to be made", {"c01": {"a": OLD}, "c02": None}, {}, [], []),
        ("an unwanted secret is lost", {"c01": {"a": OLD, "b": copy("", 1)}, "c02": {"a": OLD}}, {}, [], []),
    ],
)
def test_plan(case, managers, take, make, behind):
    done = plan(["a"], "c01", managers)
    done.pop("share")
    assert done == {"take": take, "make": make, "behind": behind, "next": {name: 1 for name in make}, "problem": ""}


@pytest.mark.parametrize(
    "case, managers, words",
    [
        ("nobody has it, one is silent", {"c01": {}, "c02": None, "c03": {}}, "c02 did not answer"),
        ("removed everywhere", {"c01": {"a": copy("", 1)}, "c02": {"a": copy("", 1)}}, "a (generation 1, 1970-01-01 00:01:40 UTC) is missing"),
        ("only an old copy is left", {"c01": {"a": copy("", 2)}, "c02": {"a": OLD}}, "c02 has an older one"),
        ("made twice", {"c01": {"a": OLD}, "c02": {"a": copy("other", 1)}}, "different values of generation 1: c01 (1970-01-01 00:01:40 UTC), c02"),
    ],
)
def test_refused(case, managers, words):
    problem = plan(["a"], "c01", managers)["problem"]
    assert words in problem and "Nothing was changed." in problem


def test_an_unwanted_secret_with_two_values_is_left_alone():
    done = plan(["a"], "c01", {"c01": {"a": OLD, "b": OLD}, "c02": {"a": OLD, "b": copy("other", 1)}})
    assert done["problem"] == "" and done["share"] == ["a"] and done["behind"] == []


def test_rotation():
    """A new generation, after the highest that any manager knows; also the way out of two values and of a lost one."""
    managers = {"c01": {"a": OLD, "b": OLD}, "c02": {"a": NEW, "b": OLD}, "c03": {"a": copy("", 5), "b": OLD}}
    done = plan(["a"], "c01", managers, rotate=["a"])
    assert (done["make"], done["next"], done["take"], done["behind"], done["problem"]) == (["a"], {"a": 6}, {}, ["c02", "c03"], "")
    assert plan(["a"], "c01", {"c01": {"a": OLD}, "c02": {"a": copy("other", 1)}}, rotate=["a"])["problem"] == ""


def test_no_rotation_while_a_manager_is_silent():
    assert "c02 did not answer" in plan(["a"], "c01", {"c01": {"a": OLD}, "c02": None}, rotate=["a"])["problem"]


@pytest.mark.parametrize("order", [("c01", "c02", "c03"), ("c03", "c01", "c02"), ("c02", "c03", "c01")])
def test_whoever_runs_first_the_newest_stays(order):
    """Each manager in turn is the one in use: after all turns every manager has the newest copy."""
    managers = {"c01": {"a": OLD}, "c02": {"a": NEW}, "c03": {}}
    for here in order:
        done = plan(["a"], here, managers)
        for name, source in done["take"].items():
            managers[here][name] = managers[source][name]
        for manager in done["behind"]:
            managers[manager] = dict(managers[here])
    assert all(found == {"a": NEW} for found in managers.values())


NEEDS = {
    "spark": {"hosts": ["c01"], "secrets": ["spark_auth_secret"]},
    "jupyter": {"hosts": ["c01"], "secrets": ["jupyter_password", "spark_auth_secret"]},
    "kafka": {"hosts": ["c01"]},
    "auth": {"hosts": [], "secrets": ["auth_key"]},
    "registry": {"hosts": ["c01"], "enabled": False, "secrets": ["registry_http_secret"]},
}


@pytest.mark.parametrize(
    "tags, names, words",
    [
        (["jupyter"], ["jupyter_password"], "spark_auth_secret is kept: also used by spark."),
        (["jupyter", "spark"], ["jupyter_password", "spark_auth_secret"], "New: jupyter_password, spark_auth_secret."),
        (["spark"], [], "Nothing to rotate for spark alone: spark_auth_secret is kept: also used by jupyter. Rotate them together: --tags jupyter,spark."),
        (["all"], [], "Services with secrets: jupyter, spark."),
        (["kafka"], [], "Name the services"),
        (["auth"], [], "Name the services"),
    ],
)
def test_no_service_keeps_the_old_value_of_a_rotated_secret(tags, names, words):
    found = rotation(NEEDS, tags)
    assert found["names"] == names and words in (found["problem"] or found["summary"])
    assert bool(found["problem"]) is not bool(names)


def test_a_key_that_data_is_encrypted_with_is_not_rotated():
    needs = {"airflow": {"hosts": ["c01"], "secrets": ["fernet", "jwt"], "kept_secrets": ["fernet"]}}
    found = rotation(needs, ["airflow"])
    assert found["names"] == ["jwt"] and "fernet is kept: data is encrypted with it" in found["summary"] and not found["problem"]
    alone = rotation({"airflow": dict(needs["airflow"], secrets=["fernet"])}, ["airflow"])
    assert alone["names"] == [] and "fernet is kept" in alone["problem"]
