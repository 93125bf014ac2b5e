# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of skp_image, as tables."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from xml.etree import ElementTree

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.image import plan

FILES = [{"path": "Dockerfile", "mode": 0o644, "sha256": "a"}, {"path": "bin/run", "mode": 0o755, "sha256": "b"}]
DOCKERFILE = "ARG BASE\nFROM ${BASE}\nARG LOCALE=C\n"


def image(name, base="", **more):
    return dict({"name": name, "tag": "latest", "base": base, "args": {}, "files": FILES, "dockerfile": DOCKERFILE}, **more)


def expanded(*images, **options):
    return {item["name"]: item for item in plan.expand(list(images), "localhost:5000", **options)}


def hashes(*images, **options):
    return {name: item["hash"] for name, item in expanded(*images, **options).items()}


STACK = (image("base"), image("java", "base"), image("kafka", "java"))


def test_the_hash_of_an_unchanged_image_never_changes():
    """A changed formula would build every image of every site again: this value is not to be edited lightly."""
    assert plan.content_hash(FILES, {"LOCALE": "C"}, "bootstrap:trixie:") == "3715f2b358a453358a9a2e319e6056c8de6bb64ee646fe37776d2ebc93637e09"


@pytest.mark.parametrize("other", [
    [dict(FILES[0], sha256="x"), FILES[1]],
    [dict(FILES[0], path="Dockerfile2"), FILES[1]],
    [FILES[0], dict(FILES[1], mode=0o644)],
    FILES[:1],
])
def test_another_content_is_another_hash(other):
    assert plan.content_hash(other, {}, "b") != plan.content_hash(FILES, {}, "b")


@pytest.mark.parametrize("same", [
    FILES[::-1],
    [dict(FILES[0], mode=0o600), dict(FILES[1], mode=0o700)],
    [dict(FILES[0], mode=0o664), dict(FILES[1], mode=0o775)],
])
def test_order_and_umask_change_no_hash(same):
    assert plan.content_hash(same, {}, "b") == plan.content_hash(FILES, {}, "b")


def test_a_changed_base_changes_everything_above_it():
    before = hashes(*STACK)
    after = hashes(image("base", files=FILES[:1]), *STACK[1:])
    assert [name for name in before if before[name] != after[name]] == ["base", "java", "kafka"]
    after = hashes(STACK[0], STACK[1], image("kafka", "java", args={"LOCALE": "x"}))
    assert [name for name in before if before[name] != after[name]] == ["kafka"]


@pytest.mark.parametrize("options", [
    {"platform": "arm64"}, {"base_suite": "bookworm"}, {"base_image": "debian:13"}, {"refresh": "2026-11"}, {"common_args": {"LOCALE": "de_DE.UTF-8"}},
])
def test_options_of_the_root_reach_all(options):
    before, after = hashes(*STACK), hashes(*STACK, **options)
    assert not set(before.values()) & set(after.values())


def test_the_recipe_of_the_lowest_image_reaches_all(monkeypatch):
    before = hashes(*STACK)
    monkeypatch.setattr(plan, "BOOTSTRAP_OPTIONS", plan.BOOTSTRAP_OPTIONS + ("--include=tzdata",))
    assert not set(before.values()) & set(hashes(*STACK).values())


@pytest.mark.parametrize("machine, name", [("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64")])
def test_platforms(machine, name):
    assert plan.platform_of(machine) == name


def test_order_of_the_list_and_the_registry_change_no_hash():
    assert hashes(*STACK) == hashes(*STACK[::-1])
    assert hashes(*STACK) == {item["name"]: item["hash"] for item in plan.expand(list(STACK), "other:5001")}


def test_common_args_go_only_where_they_are_declared():
    found = expanded(image("one"), image("two", dockerfile="FROM scratch\nARG  GPU\n"), common_args={"LOCALE": "C", "GPU": True, "NOBODY": "x"})
    assert (found["one"]["args"], found["two"]["args"]) == ({"LOCALE": "C"}, {"GPU": "True"})


@pytest.mark.parametrize("images, kind", [
    ([image("a", "b"), image("b", "a")], "cycle"),
    ([image("a", "a")], "cycle"),
    ([image("a"), image("a")], "duplicate"),
    ([image("A")], "bad_name"),
    ([image("a/b")], "bad_name"),
    ([image("../a")], "bad_name"),
    ([image("a", args={"NOPE": "1"})], "unknown_args"),
    ([image("a", archive=True)], "bad_options"),
])
def test_what_is_refused(images, kind):
    with pytest.raises(Failure) as caught:
        plan.expand(images, "localhost:5000")
    assert caught.value.failure["kind"] == kind
    assert images[0]["name"] in caught.value.msg


def test_base_references():
    found = expanded(image("own"), image("child", "own"), image("foreign", "debian:13"))
    assert [(found[name]["base_ref"], found[name]["bootstrap"]) for name in ("own", "child", "foreign")] == [
        ("skp/bootstrap:trixie", True), ("localhost:5000/skp/own:latest", False), ("debian:13", False)]
    assert expanded(image("own"), base_image="debian:13")["own"]["base_ref"] == "debian:13"


def nothing():
    return {"engine": "", "registry": "", "archive": False}


def steps(images, present, push=True, **options):
    found = plan.expand(list(images), "localhost:5000", **options)
    by_name = {item["name"]: item["hash"] for item in found}
    state = {}
    for name in by_name:
        state[name] = {key: by_name[name] if value is True and key != "archive" else value for key, value in dict(nothing(), **present.get(name, {})).items()}
    return ["%s %s" % (step["do"], step["image"]) for step in plan.plan_built(found, state, push)]


HERE = {"engine": True}
THERE = {"registry": True}
REGISTRY_IMAGE = (image("base"), image("registry", "base", archive=True))

PUSHED = [
    ("first run", {}, ["bootstrap base", "build base", "push base", "build java", "push java", "build kafka", "push kafka"]),
    ("second run", {"base": THERE, "java": THERE, "kafka": THERE}, []),
    ("a new master asks the registry only", {name: {"registry": True, "engine": ""} for name in ("base", "java", "kafka")}, []),
    ("only kafka is new, on this engine all else", {"base": dict(HERE, **THERE), "java": dict(HERE, **THERE)}, ["build kafka", "push kafka"]),
    ("only kafka is new, on a new master", {"base": THERE, "java": THERE}, ["pull java", "build kafka", "push kafka"]),
    ("a new registry, an old master", {"base": HERE, "java": HERE, "kafka": HERE}, ["push base", "push java", "push kafka"]),
    ("an old content in the registry", {"base": THERE, "java": {"registry": "old"}, "kafka": {"registry": "old", "engine": "old"}},
     ["pull base", "build java", "push java", "build kafka", "push kafka"]),
    ("an old content on the engine, the new one in the registry", {"base": {"registry": True, "engine": "old"}, "java": THERE, "kafka": THERE}, []),
]


@pytest.mark.parametrize("present, wanted", [case[1:] for case in PUSHED], ids=[case[0] for case in PUSHED])
def test_plan_with_a_registry(present, wanted):
    assert steps(STACK, present) == wanted


def depends(steps):
    """{"do image": the steps it waits for} of a plan."""
    names = ["%s %s" % (step["do"], step["image"]) for step in steps]
    return {name: [names[number] for number in step["after"]] for name, step in zip(names, steps)}


def planned(images, present=None, push=True, alongside=(), **options):
    found = plan.expand(list(images), "localhost:5000", **options)
    state = {item["name"]: dict(nothing(), **{key: item["hash"] for key in (present or {}).get(item["name"], ())}) for item in found}
    return plan.plan_built(found, state, push, alongside)


OTHER = [dict(FILES[0], sha256="z")]
FAN = (image("base"), image("java", "base"), image("ds", "java"), image("kafka", "java", files=OTHER), image("gpu", "java", args={"LOCALE": "x"}))


def test_a_step_waits_for_what_it_needs_and_for_nothing_else():
    assert depends(planned(FAN)) == {
        "bootstrap base": [],
        "build base": ["bootstrap base"],
        "push base": ["build base"],
        "build java": ["build base"],
        "push java": ["push base", "build java"],
        "build ds": ["build java"],
        "push ds": ["push base", "push java", "build ds"],  # all of the same files, here
        "build kafka": ["build java"],
        "push kafka": ["push java", "build kafka"],
        "build gpu": ["build java"],
        "push gpu": ["push base", "push java", "push ds", "build gpu"],
    }


@pytest.mark.parametrize("images, present, wanted", [
    ([image("a"), image("b")], {}, {"bootstrap a": [], "build a": ["bootstrap a"], "build b": ["bootstrap a"]}),
    ([image("a", "debian:13"), image("b", "debian:13")], {}, {"pull_base a": [], "build a": ["pull_base a"], "build b": ["pull_base a"]}),
    ([image("a"), image("b", "a")], {"a": ["registry"]}, {"pull a": [], "build b": ["pull a"]}),
    ([image("a"), image("b", "a")], {"a": ["engine"]}, {"build b": []}),
], ids=["one bootstrap for two", "one foreign base for two", "the base comes from the registry", "the base is here"])
def test_what_a_build_waits_for(images, present, wanted):
    assert depends(planned(images, present, push=False)) == wanted


def test_alongside_is_built_only_with_a_goal_and_never_pushed():
    images = (image("base"), image("registry", "base", archive=True), image("java", "base"), image("kafka", "java"))
    options = dict(push=False, alongside=("java", "kafka"), archive_dir="/store")
    assert depends(planned(images, **options)) == {
        "bootstrap base": [], "build base": ["bootstrap base"], "build registry": ["build base"], "save registry": ["build registry"],
        "build java": ["build base"], "build kafka": ["build java"],
    }
    assert list(depends(planned(images, {"base": ["engine"], "registry": ["engine"]}, **options))) == ["save registry"]
    assert list(depends(planned(images, {"base": ["engine"], "java": ["registry"], "kafka": ["engine"]}, **options))) == ["build registry", "save registry"]


def drive(steps, jobs, fail=()):
    """What a `Schedule` starts, round by round, when the oldest running step ends first."""
    schedule, running, rounds = plan.Schedule(steps, jobs), [], []
    while True:
        started = schedule.start()
        running += started
        if not running:
            return rounds
        rounds.append([steps[number]["image"] for number in started])
        schedule.end(running[0], failed=steps[running.pop(0)]["image"] in fail)


def step(name, *after, do="build"):
    return {"do": do, "image": name, "after": list(after)}


DIAMOND = [step("root"), step("left", 0), step("right", 0), step("top", 1, 2)]


@pytest.mark.parametrize("steps, jobs, fail, rounds", [
    ([], 2, (), []),
    (DIAMOND, 1, (), [["root"], ["left"], ["right"], ["top"]]),
    (DIAMOND, 2, (), [["root"], ["left", "right"], [], ["top"]]),
    (DIAMOND, 9, (), [["root"], ["left", "right"], [], ["top"]]),
    (DIAMOND, 0, (), [["root"], ["left"], ["right"], ["top"]]),
    (DIAMOND, 2, ("root",), [["root"]]),
    (DIAMOND, 2, ("left",), [["root"], ["left", "right"], []]),
    ([step("a"), step("b"), step("c"), step("d")], 3, (), [["a", "b", "c"], ["d"], [], []]),
    ([step("a"), step("b"), step("c"), step("d")], 3, ("a",), [["a", "b", "c"], [], []]),
    ([step("a"), step("a pushed", 0, do="push"), step("b", 0), step("c", 0)], 2, (), [["a"], ["b", "c"], ["a pushed"], []]),
], ids=["nothing", "one at a time", "two", "more than there are", "no number is one", "the first fails", "one of two fails: the other ends",
        "no more than allowed", "nothing starts after a failure", "builds before pushes"])
def test_schedule(steps, jobs, fail, rounds):
    assert drive(steps, jobs, fail) == rounds


@pytest.mark.parametrize("jobs, rounds", [
    (1, [["root"], ["goal"], ["goal saved"]]),
    (2, [["root"], ["goal", "extra"], ["goal saved"], []]),
    (9, [["root"], ["goal", "extra", "another"], ["goal saved"], [], []]),
])
def test_what_is_built_by_the_way_delays_nothing(jobs, rounds):
    """It starts last, on idle processors, and not after the rest has ended."""
    steps = [step("root"), step("extra", 0), step("extra of extra", 1), step("another", 0), step("goal", 0), dict(step("goal saved", 4), image="goal")]
    schedule, running, seen = plan.Schedule(steps, jobs, extras=("extra", "extra of extra", "another")), [], []
    names = ["root", "extra", "extra of extra", "another", "goal", "goal saved"]
    while True:
        started = schedule.start()
        running += started
        if not running:
            break
        seen.append([names[number] for number in started])
        running.remove(done := max(running))  # the goal's steps end before the others
        schedule.end(done)
    assert seen == rounds


def test_a_schedule_runs_every_step_of_a_plan_after_what_it_needs():
    steps = planned(FAN)
    for jobs in range(1, 6):
        schedule, running, done = plan.Schedule(steps, jobs), [], []
        while True:
            running += schedule.start()
            assert len(running) <= jobs
            if not running:
                break
            number = running.pop()
            assert set(steps[number]["after"]) <= set(done)
            schedule.end(number)
            done.append(number)
        assert sorted(done) == list(range(len(steps)))


def test_a_foreign_base_is_pulled_once():
    assert steps([image("a", "debian:13"), image("b", "debian:13")], {}) == ["pull_base a", "build a", "push a", "build b", "push b"]


ARCHIVED = [
    ("first run", {}, ["bootstrap base", "build base", "build registry", "save registry"]),
    ("second run", {"base": HERE, "registry": dict(HERE, archive=True)}, []),
    ("a master that lost its engine needs the archive alone", {"registry": {"archive": True}}, []),
    ("a store that was lost", {"base": HERE, "registry": HERE}, ["save registry"]),
    ("a new content, the base is known", {"base": HERE, "registry": {"engine": "old"}}, ["build registry", "save registry"]),
    ("a new content, the base is in a registry that runs", {"base": THERE, "registry": {"engine": "old"}}, ["pull base", "build registry", "save registry"]),
]


@pytest.mark.parametrize("present, wanted", [case[1:] for case in ARCHIVED], ids=[case[0] for case in ARCHIVED])
def test_plan_before_there_is_a_registry(present, wanted):
    assert steps(REGISTRY_IMAGE, present, push=False, archive_dir="/store") == wanted


def test_an_archive_saves_a_build_also_for_the_registry():
    assert steps(REGISTRY_IMAGE, {"base": THERE, "registry": {"archive": True}}, archive_dir="/store") == ["load registry", "push registry"]


def test_without_push_and_archive_the_engine_is_the_goal():
    assert steps([image("a")], {}, push=False) == ["bootstrap a", "build a"]
    assert steps([image("a")], {"a": THERE}, push=False) == ["pull a"]
    assert steps([image("a")], {"a": HERE}, push=False) == []


def test_archive_names():
    found = expanded(*REGISTRY_IMAGE, archive_dir="/store/")["registry"]
    assert found["archive"] == "/store/registry-%s.tar" % found["hash"][:12]
    assert plan.archived_name(found["archive"]) == "registry"


def test_diff_shows_what_the_plan_changes():
    found = plan.expand(list(REGISTRY_IMAGE), "localhost:5000", archive_dir="/store")
    by_name = {item["name"]: item for item in found}
    present = {"base": dict(nothing(), registry="0123456789abcdef"), "registry": nothing()}
    diff = plan.diff_built(found, present, push=True)
    assert diff["before"].splitlines()[0] == "localhost:5000/skp/base:latest: 0123456789ab"
    assert diff["after"].splitlines()[0] == "localhost:5000/skp/base:latest: " + by_name["base"]["hash"][:12]
    assert diff["before"].splitlines()[2] == by_name["registry"]["archive"] + ": absent"
    here = {name: {"engine": "", "registry": item["hash"], "archive": True} for name, item in by_name.items()}
    same = plan.diff_built(found, here, push=True)
    assert same["before"] == same["after"]


@pytest.mark.parametrize("wanted, present, pulled", [
    ({"a": "sha256:1"}, {}, ["a"]),
    ({"a": "sha256:1"}, {"a": "sha256:1"}, []),
    ({"a": "sha256:2"}, {"a": "sha256:1"}, ["a"]),
    ({"a": ""}, {"a": "sha256:1"}, ["a"]),
    ({"b": "sha256:1", "a": "sha256:1"}, {"b": "sha256:1"}, ["a"]),
])
def test_plan_pulled(wanted, present, pulled):
    assert plan.plan_pulled(wanted, present) == pulled


ONE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


def test_one_file_for_each_certificate():
    files = plan.site_files({"extra_ca": "# first\n%s\n# second\n%s\n" % (ONE, ONE)}, "trixie")
    assert [path for path in sorted(files) if path.startswith("ca/")] == ["ca/site-00.crt", "ca/site-01.crt"]
    assert files["ca/site-00.crt"] == ONE + "\n"


def test_a_ca_that_is_none_is_refused():
    with pytest.raises(Failure):
        plan.certificates("no certificate")
    assert plan.certificates(" \n") == []


@pytest.mark.parametrize("mirror, text", [
    ("", ""),
    ("http://mirror.example/debian", "deb http://mirror.example/debian trixie main\ndeb http://mirror.example/debian trixie-updates main\n"
     "deb http://mirror.example/debian-security trixie-security main\n"),
    ("deb http://a trixie main\ndeb http://b trixie-security main", "deb http://a trixie main\ndeb http://b trixie-security main\n"),
])
def test_apt_sources(mirror, text):
    assert plan.apt_sources(mirror, "trixie") == text


@pytest.mark.parametrize(("options", "expected"), [
    ({}, False),
    ({"extra_ca": ONE, "apt_mirror": "http://mirror.example/debian", "pip_index": None}, False),
    ({"pip_index": "https://user:word@mirror.example/simple"}, True),
    ({"go_proxy": "https://proxy.example,https://token@other.example"}, True),
    ({"apt_mirror": "deb https://user:word@mirror.example/debian trixie main"}, True),
])
def test_whether_a_mirror_wants_a_login(options, expected):
    assert plan.has_login(options) is expected


def test_maven_settings_is_xml_and_takes_the_login_out_of_the_url():
    root = ElementTree.fromstring(plan.maven_settings("https://us%40er:p%26w@mirror.example:8443/maven?a=1&b=2"))
    assert root.findtext("mirrors/mirror/url") == "https://mirror.example:8443/maven?a=1&b=2"
    assert (root.findtext("servers/server/username"), root.findtext("servers/server/password")) == ("us@er", "p&w")
    assert root.findtext("servers/server/id") == root.findtext("mirrors/mirror/id")
    assert plan.maven_settings("") == ""


def test_values_are_quoted_for_the_shell():
    env = plan.site_files({"pip_index": "https://a/'$(touch x)'", "go_proxy": "off"}, "trixie")["env"]
    assert env == "GOPROXY='off'\nPIP_INDEX_URL='https://a/'\\''$(touch x)'\\'''\n"


BUILD = """Step 1/6 : ARG BASE
Step 2/6 : FROM ${BASE} AS build
 ---> 19a074b33494
Step 3/6 : RUN make
 ---> Running in 0a1b2c3d4e5f
\x1b[91mcompiling\x1b[0m
 ---> 6dc05e58c307
Step 4/6 : FROM ${BASE}
 ---> 19a074b33494
Step 5/6 : COPY --from=build /out/ /
 ---> 72089cdbcbb2
Successfully built 72089cdbcbb2""".splitlines()


def test_build_log_finds_stages_and_steps():
    log = plan.BuildLog()
    shown = [text for text in map(log.feed, BUILD) if text]
    assert shown[2] == "step 3/6 RUN make"
    assert log.stages == ["6dc05e58c307"]
    assert "compiling" in log.tail and not any(re.match(r"Step|.*--->.[0-9a-f]{12}", line) for line in log.tail)


def test_layer_log_says_each_layer_once():
    log = plan.LayerLog()
    messages = [
        {"status": "The push refers to repository"}, {"id": "aaaa", "status": "Preparing"}, {"id": "bbbb", "status": "Layer already exists"},
        {"id": "aaaa", "status": "Pushing", "progressDetail": {"current": 5, "total": 2000000}}, {"id": "aaaa", "status": "Pushed"},
        {"id": "aaaa", "status": "Pushed"},
    ]
    assert [text for text in map(log.feed, messages) if text] == ["layer bbbb already present (1 of 2)", "layer aaaa pushed, 2.0 MB (2 of 2)"]


CHAIN = [{"name": "kafka", "base": "java"}, {"name": "base", "base": ""}, {"name": "java", "base": "base"}, {"name": "ds", "base": "java"},
         {"name": "own", "base": "somewhere.example/image:1"}]


@pytest.mark.parametrize(("names", "expected"), [
    ([], ["kafka", "base", "java", "ds", "own"]),
    (["base"], ["base"]),
    (["kafka"], ["kafka", "base", "java"]),
    (["ds", "own"], ["base", "java", "ds", "own"]),
])
def test_only_what_is_needed_and_what_it_is_built_from(names, expected):
    assert [image["name"] for image in plan.needed(CHAIN, names)] == expected


def test_a_needed_image_that_nobody_knows_is_named():
    with pytest.raises(Failure, match="Unknown image redis; known images: base, ds, java, kafka, own"):
        plan.needed(CHAIN, ["kafka", "redis"])


@pytest.mark.parametrize(("dockerfile", "expected"), [
    ("FROM x\nRUN --mount=type=cache,target=/c make\n", True),
    ("FROM x\n  run --mount=type=cache,target=/c make\n", True),
    ("FROM x\nRUN make --mount=x\n# RUN --mount=type=cache\n", False),
])
def test_which_builder(dockerfile, expected):
    assert plan.needs_buildkit(dockerfile) is expected


# As docker-buildx 0.13.1 printed it.
BUILDKIT = """\
#0 building with "default" instance using docker driver

#3 [internal] load metadata for localhost:5000/skp/docker-base:latest
#3 DONE 0.0s

#4 [a 1/3] FROM localhost:5000/skp/docker-base:latest@sha256:eb1003530c5a016e4985e5f2886c2914d1b8d5fcc1cdf6075a82d1e9ae43c6d2
#4 DONE 0.0s

#5 [a 2/3] RUN --mount=type=cache,target=/c echo hello world
#5 0.161 hello world
#5 DONE 1.3s

#5 [a 2/3] RUN --mount=type=cache,target=/c echo hello world
#5 1.200

#7 [stage-1 2/3] COPY --from=a /etc/hostname /h
#7 ERROR: failed to calculate checksum of ref 7z02: "/etc/hostname": not found
------
 > [stage-1 2/3] COPY --from=a /etc/hostname /h:
------
ERROR: failed to solve: failed to compute cache key: failed to calculate checksum of ref 7z02: "/etc/hostname": not found
""".splitlines()


def test_buildkit_log():
    log = plan.BuildKitLog()
    shown = [text for text in map(log.feed, BUILDKIT) if text]
    assert [text.split()[:3] for text in shown] == [["[a", "1/3]", "FROM"], ["[a", "2/3]", "RUN"], ["[stage-1", "2/3]", "COPY"]]
    assert all(len(text) <= 110 for text in shown)
    assert log.tail == ["hello world"] and log.stages == []
    assert log.error.startswith("failed to solve:") and log.error.endswith('"/etc/hostname": not found')


@pytest.mark.parametrize("mirror, given, wanted", [
    ("http://mirror/debian/", "", "http://mirror/debian-security"),
    ("http://mirror/repo", "http://mirror/updates", "http://mirror/updates"),
    ("http://mirror/debian", "none", ""),
])
def test_the_mirror_of_security_updates(mirror, given, wanted):
    assert plan.security_mirror(mirror, given) == wanted
    assert ("trixie-security" in plan.apt_sources(mirror, "trixie", given)) is bool(wanted)


def test_a_mirror_without_security_updates_is_somebodys_decision():
    with pytest.raises(Failure) as caught:
        plan.apt_sources("http://user:word@mirror/repo", "trixie")
    assert "skp_apt_security_mirror" in caught.value.msg and "word" not in caught.value.msg


@pytest.mark.parametrize("dockerfile, expected", [
    ("RUN --network=none --mount=type=cache,target=/x make\n", True),
    ("RUN \\\n    --mount=type=cache,target=/x make\n", True),
    ("RUN --network=none \\\n# why\n  --mount=type=cache,target=/x make\n", True),
    ("RUN mount --mount=x\n", False),
    ("RUN make \\\n --mount=x\n", False),
])
def test_forms_of_run_that_need_buildkit(dockerfile, expected):
    assert plan.needs_buildkit(dockerfile) is expected


def judged(local=None, digest="", entry=None, archive=False, kept=False):
    image = {"hash": "H"}
    return plan.judge_present(image, dict({"id": "", "hash": "", "digests": []}, **(local or {})), digest, entry or {}, archive, kept)


OURS = {"hash": "H", "digest": "sha256:1", "config": "sha256:c", "parent": "sha256:p"}
JUDGED = [
    ("nothing", {}, {"engine": "", "registry": "", "foreign": False}),
    ("pushed by us", {"digest": "sha256:1", "entry": OURS}, {"registry": "H", "digest": "sha256:1", "foreign": False, "config": "sha256:c"}),
    ("pushed by somebody else", {"digest": "sha256:2", "entry": OURS}, {"registry": "", "digest": "", "foreign": True}),
    ("a cluster without a ledger yet", {"digest": "sha256:1"}, {"registry": "", "digest": "", "foreign": True}),
    ("an old content of ours", {"digest": "sha256:1", "entry": dict(OURS, hash="old")}, {"registry": "old", "digest": "sha256:1", "config": "", "parent": ""}),
    ("moved by somebody else", {"digest": "sha256:2", "entry": OURS, "kept": True}, {"registry": "", "digest": "sha256:1", "foreign": True, "kept": True}),
    ("an old content, moved", {"digest": "sha256:2", "entry": dict(OURS, hash="old"), "kept": True}, {"registry": "", "kept": False}),
    ("lost by the registry", {"entry": OURS}, {"registry": "", "foreign": False}),
    ("the engine has what was pushed", {"local": {"hash": "H", "digests": ["localhost:5000/skp/a@sha256:1"]}, "digest": "sha256:1", "entry": OURS},
     {"engine": "H", "registry": "H"}),
    ("the engine has another build", {"local": {"hash": "H", "digests": ["localhost:5000/skp/a@sha256:9"]}, "digest": "sha256:1", "entry": OURS},
     {"engine": "", "registry": "H"}),
    ("built and not pushed yet", {"local": {"hash": "H"}, "digest": "sha256:2", "entry": dict(OURS, hash="old", digest="sha256:2")},
     {"engine": "H", "registry": "old"}),
]


@pytest.mark.parametrize("found, wanted", [case[1:] for case in JUDGED], ids=[case[0] for case in JUDGED])
def test_what_counts_as_present(found, wanted):
    answer = judged(**found)
    assert {key: answer[key] for key in wanted} == wanted


FOREIGN = {"registry": "", "foreign": True}
OLD_BASE = {"registry": True, "engine": True, "config": "k", "parent": "an older build of java"}
TRUST = [
    ("a foreign image is built again", {"base": THERE, "java": THERE, "kafka": FOREIGN}, ["pull java", "build kafka", "push kafka"]),
    ("a foreign image that the engine has is pushed again", {"base": THERE, "java": THERE, "kafka": dict(HERE, **FOREIGN)}, ["push kafka"]),
    ("a tag that was moved is put back without a build", {"base": THERE, "java": THERE, "kafka": dict(FOREIGN, kept=True)}, ["pull kafka", "push kafka"]),
    ("nothing is built on a foreign base", {"base": THERE, "java": FOREIGN},
     ["pull base", "build java", "push java", "build kafka", "push kafka"]),
    ("what stands on a base that is built again is built again", {"base": THERE, "java": {}, "kafka": dict(HERE, **THERE)},
     ["pull base", "build java", "push java", "build kafka", "push kafka"]),
    ("what stands on an older build of its base is built again", {"base": THERE, "java": dict(THERE, config="j"), "kafka": OLD_BASE},
     ["pull java", "build kafka", "push kafka"]),
    ("the same base", {"base": THERE, "java": dict(THERE, config="j"), "kafka": dict(OLD_BASE, parent="j")}, []),
]


@pytest.mark.parametrize("present, wanted", [case[1:] for case in TRUST], ids=[case[0] for case in TRUST])
def test_plan_trusts_only_what_this_cluster_pushed(present, wanted):
    assert steps(STACK, present) == wanted


def test_a_plan_says_that_an_image_is_foreign():
    found = plan.expand(list(STACK), "localhost:5000")
    state = {item["name"]: dict(nothing(), **FOREIGN) for item in found}
    planned_steps = plan.plan_built(found, state, True)
    assert "that this cluster did not push" in plan.describe(planned_steps[1], found)


def test_the_stage_of_a_build_that_failed_is_not_forgotten():
    log = plan.BuildLog()
    for line in ["Step 1/4 : FROM debian AS build", " ---> 0123456789ab", "Step 2/4 : COPY .skp-site/ /skp-site/", " ---> aaaaaaaaaaaa",
                 "Step 3/4 : FROM debian", " ---> 0123456789ab", "Step 4/4 : RUN false"]:
        log.feed(line)
    log.failed()
    assert log.stages == ["aaaaaaaaaaaa"], "the base itself stays"
    log = plan.BuildLog()
    for line in ["Step 1/3 : FROM debian", " ---> 0123456789ab", "Step 2/3 : COPY .skp-site/ /skp-site/", " ---> aaaaaaaaaaaa", "Step 3/3 : RUN false"]:
        log.feed(line)
    log.failed()
    assert log.stages == ["aaaaaaaaaaaa"]


DS = "localhost:5000/skp/docker-ds"


@pytest.mark.parametrize("case, image, gone", [
    ("an earlier content", {"RepoTags": None, "RepoDigests": [DS + "@sha256:1"]}, True),
    ("as older engines list it", {"RepoTags": ["<none>:<none>"], "RepoDigests": [DS + "@sha256:1"]}, True),
    ("the one before", {"RepoTags": [], "RepoDigests": [DS + "@sha256:2"]}, False),
    ("the wanted one", {"RepoTags": [DS + ":latest"], "RepoDigests": [DS + "@sha256:3"]}, False),
    ("has another tag", {"RepoTags": [DS + ":v1"], "RepoDigests": [DS + "@sha256:1"]}, False),
    ("is another image too", {"RepoTags": [], "RepoDigests": [DS + "@sha256:1", DS + "-gpu@sha256:1"]}, False),
    ("another image", {"RepoTags": [], "RepoDigests": [DS + "-gpu@sha256:1"]}, False),
    ("a stage of a build", {"RepoTags": [], "RepoDigests": []}, False),
])
def test_which_old_images_are_removed(case, image, gone):
    assert plan.superseded([dict(image, Id="sha256:x")], DS, {"sha256:2", "sha256:3"}) == (["sha256:x"] if gone else [])


@pytest.mark.parametrize("created, days, words", [
    ({"a": "2026-06-01T00:00:00Z"}, 90, ""),
    ({"a": "2026-01-01T00:00:00.123456789Z", "b": "2026-06-30T00:00:00Z", "c": "2025-12-31T00:00:00+00:00"}, 90, "c, a: built 182 days ago"),
    ({"a": "", "b": "0001-01-01T00:00:00Z"}, 0, ""),
    ({"a": ""}, 90, ""),
])
def test_images_that_are_old(created, days, words):
    warning = plan.age_warning(created, datetime(2026, 7, 1, tzinfo=timezone.utc), days)
    assert warning.startswith(words) and bool(warning) == bool(words)
