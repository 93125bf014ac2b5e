# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A build by BuildKit, with a command docker that writes down what it was given."""

from __future__ import annotations

import base64
import io as streams
import json
import pathlib
import tarfile

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.image import io, plan

IMAGES = pathlib.Path(__file__).parents[5] / "images"
WORD = "secretword"
OPTIONS = {"apt_mirror": "https://user:%s@mirror.example/debian" % WORD, "pip_index": "https://user:%s@pip.example/simple" % WORD,
           "maven_mirror": "https://user:%s@maven.example" % WORD, "extra_ca": ""}
DOCKER = """#!/usr/bin/env python3
import json, os, sys
paths = [word.partition("src=")[2] for word in sys.argv if "src=" in word]
seen = {path: [open(path).read(), oct(os.stat(os.path.dirname(path)).st_mode & 0o777)] for path in paths}
open(os.environ["SEEN"] + ".tar", "wb").write(sys.stdin.buffer.read())
json.dump({"argv": sys.argv, "secrets": seen}, open(os.environ["SEEN"], "w"))
"""


class Traces:
    """No traces."""

    stages = []

    def layer(self, name, layer):
        assert not layer


@pytest.fixture(name="build")
def _build(tmp_path, monkeypatch):
    """build(dockerfile, login) -> (what docker was given, {path in the context: text})."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "%s:/usr/bin:/bin" % program.parent)
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    monkeypatch.setattr(io, "MEMORY", str(tmp_path))
    monkeypatch.setattr(io, "in_engine", lambda client, ref: {"id": "same"})

    def build(dockerfile, login=True, platform="", base="base"):
        files = [{"path": "Dockerfile", "mode": 0o644, "content": base64.b64encode(dockerfile.encode()).decode()}]
        image = {"name": "x", "ref": "localhost:5000/skp/x:latest", "base_ref": base, "hash": "h", "args": {}, "files": files, "dockerfile": dockerfile}
        io.build("client", image, plan.site_files(OPTIONS, "trixie"), True, lambda text: None, Traces(), login, platform)
        with tarfile.open(fileobj=streams.BytesIO((tmp_path / "seen.tar").read_bytes())) as archive:
            context = {entry.name: archive.extractfile(entry).read().decode() for entry in archive.getmembers()}
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith("skp-image-secrets")] == [], "removed at once"
        return json.loads((tmp_path / "seen").read_text()), context

    return build


PLAIN = "ARG BASE\nFROM ${BASE} AS build\nCOPY .skp-site/ /skp-site/\nRUN skp-site layer /out curl\nFROM ${BASE}\nCOPY --from=build /out/ /\nRUN true\n"


def test_a_platform_and_a_base_only_where_they_are_asked_for(build):
    plain = build(PLAIN, login=False)[0]["argv"]
    assert "--platform" not in plain and "BASE=base" in plain
    other = build("FROM scratch\n", login=False, platform="linux/arm64", base="")[0]["argv"]
    assert other[other.index("--platform") + 1] == "linux/arm64" and "BASE=" not in " ".join(other)


def test_logins_are_secrets_of_the_build(build):
    """In no layer, no cache, no context and no argument: files in memory, for root only, for as long as the build lasts."""
    seen, context = build(PLAIN)
    assert sorted(pathlib.Path(path).name for path in seen["secrets"]) == ["env", "settings.xml", "sources.list"]
    assert all(WORD in text and directory == "0o700" for text, directory in seen["secrets"].values())
    assert WORD not in str(seen["argv"]) and WORD not in str(context)
    assert context[".skp-site/env"] == "" and "required=true skp-site layer /out curl" in context["Dockerfile"]
    assert context["Dockerfile"].count("--mount=type=secret") == 3, "the final stage has none"


def test_without_a_login_nothing_is_different(build):
    seen, context = build(PLAIN, login=False)
    assert seen["secrets"] == {} and context["Dockerfile"] == PLAIN and WORD in context[".skp-site/sources.list"]


def test_a_dockerfile_that_is_not_understood_is_built_as_before(build):
    """Its caches are removed afterwards."""
    other = PLAIN.replace("COPY .skp-site/ /skp-site/", "COPY .skp-site/ca /certificates")
    seen, context = build(other)
    assert seen["secrets"] == {} and context["Dockerfile"] == other and WORD in context[".skp-site/sources.list"]


@pytest.mark.parametrize("image", sorted(path.parent.name for path in IMAGES.glob("*/Dockerfile")))
def test_every_image_of_ours_gets_its_logins_as_secrets(image):
    """Each RUN of a stage that has the site's settings has the mounts, whoever it is built from; the others and the final stage have none."""
    text = (IMAGES / image / "Dockerfile").read_text(encoding="utf-8")
    changed = plan.with_secrets(text, ["env", "settings.xml", "sources.list"])
    assert changed.replace("".join(" --mount=type=secret,id=skp-%s,target=/skp-site/%s,mode=0444,required=true" % (name.replace(".", "-"), name)
                                   for name in ("env", "settings.xml", "sources.list")), "") == text
    stages = changed.split("\nFROM ")[1:]
    has = {}
    for stage in stages:
        base, _as, name = stage.split("\n")[0].partition(" AS ")
        has[name] = "COPY .skp-site/" in stage or has.get(base, False)
        runs = [line for line in stage.split("\n") if line.startswith("RUN ")]
        assert [line.count("type=secret") for line in runs] == [3 if has[name] else 0] * len(runs), (image, name)
    assert not any("type=secret" in line for line in stages[-1].split("\n")) and any(has.values())


SITE = "COPY .skp-site/ /skp-site/\n"


@pytest.mark.parametrize("text, wanted", [
    ("FROM a AS b\nCOPY .skp-site /skp-site\nrun --network=none x \\\n && RUN y\n",
     "FROM a AS b\nCOPY .skp-site /skp-site\nrun M --network=none x \\\n && RUN y\n"),
    ("FROM a AS b\n" + SITE + "FROM B AS c\nRUN x\nFROM c\nRUN y\nFROM a\nRUN z\n",
     "FROM a AS b\n" + SITE + "FROM B AS c\nRUN M x\nFROM c\nRUN M y\nFROM a\nRUN z\n"),
    ("FROM a\n" + SITE + "RUN x \\\n# a comment\n  RUN y\nRUN z", "FROM a\n" + SITE + "RUN M x \\\n# a comment\n  RUN y\nRUN M z"),
    ("FROM a\nRUN x\n" + SITE, "FROM a\nRUN x\n" + SITE),
    ("FROM a\nRUN <<END\nx\nEND\n", None),
    ("# escape=`\nFROM a\n", None),
    ("FROM a\nADD .skp-site/ /skp-site/\n", None),
])
def test_where_secrets_are_mounted(text, wanted):
    mount = "--mount=type=secret,id=skp-env,target=/skp-site/env,mode=0444,required=true"
    assert plan.with_secrets(text, ["env"]) == (wanted.replace(" M ", " %s " % mount) if wanted is not None else None)


def test_a_credential_helper_that_is_not_there_is_explained(monkeypatch):
    """The SDK raises an error of its own for it, before it asks the engine."""
    docker = pytest.importorskip("docker")

    class Api:
        def pull(self, *_args, **_options):
            raise docker.errors.DockerException("Credentials store error: StoreError('docker-credential-desktop not installed or not available in PATH')")

    monkeypatch.setattr(io.engine, "raw", lambda client: Api())
    with pytest.raises(io.engine.EngineError, match="(?s)pulling registry.example/me/hello:1.0: .*docker-credential-desktop.*Remove that line"):
        io.pull_reference("client", "registry.example/me/hello:1.0", lambda text: None)
