# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes on this machine: real files, real mounts of FUSE by a program of 70 lines, and a stand-in for systemd.

Needs root, /dev/fuse and the right to mount; elsewhere these tests are skipped. All mounts are below the directory of the test, and end with it. Stood in
for: systemd, ssh-keyscan, docker, and the programs sshfs, s3fs, rclone, blobfuse2.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest

from ansible_collections.skp.cluster.plugins.module_utils.engine import facts as engine_facts
from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.volumes import io, plan
from ansible_collections.skp.cluster.tests.unit.plugins.module_utils.volumes.volume_samples import HOST_KEY, volume

HERE = pathlib.Path(__file__).parent


def script(name):
    """The text of one of the programs beside this file, as one that this Python runs."""
    return "#!%s\n%s" % (sys.executable, (HERE / name).read_text())


def can_mount():
    """Whether this process may mount: root in a container often may not."""
    if os.geteuid() or not os.path.exists("/dev/fuse"):
        return False
    done = subprocess.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt && : </dev/fuse"], capture_output=True, check=False)
    return done.returncode == 0


pytestmark = pytest.mark.skipif(not can_mount(), reason="needs root, /dev/fuse and the right to mount")


class Site:
    """A node below a directory."""

    def __init__(self, path):
        self.path, self.mnt, self.systemd = path, str(path / "mnt"), path / "systemd"
        self.tools = path / "bin"

    def tool(self, name, text):
        """A program of the node."""
        self.tools.mkdir(exist_ok=True)
        (self.tools / name).write_text(text)
        (self.tools / name).chmod(0o755)
        return str(self.tools / name)

    def node(self, **changes):
        """The node as the module sees it."""
        return io.Node(self.mnt, str(self.path / "cache"), **dict({"timeout": 15, "flush_timeout": 0, "programs": self.programs}, **changes))

    def run(self, *volumes, check=False, exclusive=True, **changes):
        """One call of the module."""
        return io.converge(list(volumes), self.node(**changes), exclusive, check)

    def calls(self):
        """Calls of systemctl that change something, since the last time."""
        path = self.systemd / "calls"
        found = [line for line in path.read_text().splitlines() if "show" not in line and "journalctl" not in line] if path.exists() else []
        path.write_text("")
        return found

    def pid(self, name):
        """The process of a volume's program."""
        return int((self.systemd / (plan.UNIT % name)).read_text().split()[3])


@pytest.fixture(name="site")
def fixture_site(tmp_path, monkeypatch):
    """A node with systemd and FUSE."""
    site = Site(tmp_path)
    (site.systemd / "units").mkdir(parents=True)
    fuse = site.tool("sshfs", script("tiny_fuse.py"))
    site.programs = {"sshfs": fuse, "s3fs": fuse, "blobfuse2": fuse}
    for name in ("systemctl", "journalctl"):
        site.tool(name, script("tiny_systemctl.py"))
    site.tool("ssh-keyscan", "#!/bin/sh\necho \"data.example %s\"\n" % HOST_KEY)
    monkeypatch.setenv("TINY_SYSTEMD", str(site.systemd))
    monkeypatch.setattr(engine_facts, "SEARCH_PATH", "%s:%s" % (site.tools, engine_facts.SEARCH_PATH))
    for name, value in {"HOME": tmp_path / "etc", "UNITS": site.systemd / "units", "PROGRAMS": tmp_path / "lib", "PROBE_SECONDS": 2,
                        "POLL_SECONDS": 0.1}.items():
        monkeypatch.setattr(io, name, str(value) if isinstance(value, pathlib.Path) else value)
    monkeypatch.setattr(io.run_lock, "DIRECTORY", str(tmp_path / "lock"))
    yield site
    for path in site.systemd.glob("skp-volume-*.service"):
        subprocess.run([site.tools / "systemctl", "stop", path.name], check=False)
    for path in pathlib.Path(site.mnt).glob("*") if os.path.isdir(site.mnt) else ():
        subprocess.run(["umount", "--lazy", path], capture_output=True, check=False)
        if io.immutable(str(path)):
            io._flags(str(path), io._flags(str(path)) & ~io.IMMUTABLE)


def wait(what, ask, seconds=10):
    """Wait until `ask` is true."""
    deadline = time.monotonic() + seconds
    while not ask():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_a_volume_is_mounted_once_and_a_second_run_changes_nothing(site):
    first = site.run(volume("sshfs"))
    assert first["changed"] and first["failed"] == {} and first["volumes"]["lake"]["mounted"]
    assert io.look(site.mnt + "/lake")["mount"] == "ok" and len(site.calls()) == 3
    pid = site.pid("lake")
    second = site.run(volume("sshfs"))
    assert (second["changed"], second["diff"], second["failed"], site.calls()) == (False, [], {}, []) and site.pid("lake") == pid


def test_files_are_root_s_alone_and_hold_the_only_copy_of_the_secret(site):
    site.run(volume("sshfs"))
    home = pathlib.Path(io.HOME) / "lake"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in home.iterdir() if path.name in ("key", "known_hosts")} == {
        "key": "0o600", "known_hosts": "0o600"}
    holders = [path for path in site.path.rglob("*") if site.mnt not in str(path) and path.is_file() and b"canary1" in path.read_bytes()]
    assert holders == [home / "key"]
    (home / "key").chmod(0o644)
    assert site.run(volume("sshfs"))["volumes"]["lake"]["changes"] == ["write: differs: key"]
    assert stat.S_IMODE((home / "key").stat().st_mode) == 0o600


@pytest.mark.parametrize("change", [{"options": {"Compression": "yes"}}, {"credentials": {"private_key": "-----BEGIN X PRIVATE KEY-----\nnew"}}])
def test_a_change_restarts_that_one_volume_once(site, change):
    assert site.run(volume("sshfs"), volume("s3fs"))["failed"] == {}
    other, own = site.pid("s3"), site.pid("lake")
    site.calls()
    assert [line.split(":")[0] for line in site.run(volume("sshfs", **change), volume("s3fs"))["volumes"]["lake"]["changes"]] == ["write", "restart"]
    assert [line for line in site.calls() if " restart " in line] == ["systemctl restart --no-block skp-volume-lake.service"]
    assert site.pid("s3") == other and site.pid("lake") != own
    assert site.run(volume("sshfs", **change), volume("s3fs"))["changed"] is False


def test_check_mode_predicts_and_changes_nothing(site):
    before = site.run(volume("sshfs"), check=True)
    assert before["changed"] and not os.path.exists(io.HOME) and not os.path.exists(site.mnt) and site.calls() == []
    assert "canary" not in json.dumps(before)
    after = site.run(volume("sshfs"))
    assert before["diff"] == after["diff"] and before["volumes"]["lake"]["changes"] == after["volumes"]["lake"]["changes"]
    # A program that the run would install first is not missed.
    assert site.run(volume("rclone"), check=True)["failed"] == {}


def test_a_killed_program_is_back_without_a_run(site):
    site.run(volume("sshfs"))
    for _again in range(5):
        pid = site.pid("lake")
        os.kill(pid, signal.SIGKILL)
        wait("mounted again", lambda old=pid: site.pid("lake") not in (0, old) and io.look(site.mnt + "/lake")["mount"] == "ok")
    assert site.run(volume("sshfs"))["changed"] is False


def test_an_umount_by_hand_is_mended_without_a_run_and_nobody_writes_meanwhile(site):
    site.run(volume("sshfs"))
    path = site.mnt + "/lake"
    subprocess.run([site.tools / "systemctl", "stop", plan.UNIT % "lake"], check=True)
    assert io.look_only(path)
    try:
        with open(path + "/trap", "w", encoding="utf-8") as handle:
            handle.write("lost")
    except OSError:
        written = []
    else:
        written = os.listdir(path)
    # Root with all rights writes where the file system knows no immutable directories: then this is said.
    assert written == [] or site.run(volume("sshfs"), check=True)["failed"]["lake"].startswith(path)
    as_user = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "touch", path + "/trap"], capture_output=True, check=False)
    assert as_user.returncode != 0


def test_a_file_system_without_immutable_directories_is_said_and_no_change_each_time(site, monkeypatch):
    def refuse(*_args):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(io, "_flags", refuse)
    assert site.run(volume("sshfs"))["volumes"]["lake"]["guard"] == "mode"
    subprocess.run([site.tools / "systemctl", "stop", plan.UNIT % "lake"], check=True)
    found = os.stat(site.mnt + "/lake")
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0, 0)
    assert [line.split(":")[0] for line in site.run(volume("sshfs"))["volumes"]["lake"]["changes"]] == ["start"]
    assert site.run(volume("sshfs"))["changed"] is False
    assert site.run()["failed"] == {} and not os.path.exists(site.mnt + "/lake")


def test_a_stale_mount_is_taken_away_and_mounted_again(site):
    site.run(volume("sshfs"))
    keeper = int((site.systemd / (plan.UNIT % "lake")).read_text().split()[2])
    os.kill(keeper, signal.SIGKILL)
    os.kill(site.pid("lake"), signal.SIGKILL)
    wait("stale", lambda: io.look(site.mnt + "/lake")["mount"] == "stale")
    (site.systemd / (plan.UNIT % "lake")).unlink()
    done = site.run(volume("sshfs"))
    assert done["failed"] == {} and [line.split(":")[0] for line in done["volumes"]["lake"]["changes"]] == ["unmount", "restart"]
    assert "Transport endpoint is not connected" in done["volumes"]["lake"]["changes"][0]


def test_a_mount_that_hangs_is_found_within_the_time_limit(site):
    site.run(volume("sshfs"))
    os.kill(site.pid("lake"), signal.SIGSTOP)
    start = time.monotonic()
    found = io.look(site.mnt + "/lake")
    os.kill(site.pid("lake"), signal.SIGCONT)
    assert found["mount"] == "stale" and "does not answer within 2 s" in found["why"] and time.monotonic() - start < 4


def test_a_wrong_one_fails_with_its_name_and_the_others_are_mounted(site):
    wrong = volume("sshfs", name="wrong", source={"host": "wrong"})
    away = volume("sshfs", name="away", source={"host": "away"})
    unpinned = volume("sshfs", name="unpinned", source={"host_key": ""})
    done = site.run(wrong, away, unpinned, volume("s3fs"))
    assert sorted(done["failed"]) == ["away", "unpinned", "wrong"] and done["volumes"]["s3"]["mounted"]
    assert "Permission denied (publickey)" in done["failed"]["wrong"] and "volumes_copy_id.yml" in done["failed"]["wrong"]
    assert "Connection refused" in done["failed"]["away"] and HOST_KEY in done["failed"]["unpinned"]
    assert io.look_only(site.mnt + "/wrong") and not os.path.exists(io.HOME + "/unpinned")
    # When the server is back, the volume is mounted without a run.
    pathlib.Path(site.programs["sshfs"]).write_text(pathlib.Path(site.programs["sshfs"]).read_text().replace('"me@away:"', '"nobody:"'))
    wait("mounted by itself", lambda: io.look(site.mnt + "/away")["mount"] == "ok")


def test_what_lies_on_the_bare_directory_is_refused_by_name(site):
    os.makedirs(site.mnt + "/lake")
    pathlib.Path(site.mnt + "/lake/data.csv").write_text("x")
    done = site.run(volume("sshfs"), volume("s3fs"))
    assert "is not empty, and nothing is mounted there: data.csv" in done["failed"]["lake"] and done["volumes"]["s3"]["mounted"]
    assert not os.path.exists(io.HOME + "/lake")


def test_a_foreign_mount_is_left(site):
    os.makedirs(site.mnt + "/lake")
    subprocess.run(["mount", "-t", "tmpfs", "none", site.mnt + "/lake"], check=True)
    assert "which is not this volume" in site.run(volume("sshfs"))["failed"]["lake"]
    assert not io.look_only(site.mnt + "/lake")


def test_a_volume_that_is_not_wanted_any_more_leaves_nothing_here(site):
    assert site.run(volume("sshfs"), volume("s3fs"))["failed"] == {}
    done = site.run(volume("s3fs"))
    assert [line.split(":")[0] for line in done["volumes"]["lake"]["changes"]] == ["stop", "remove"] and done["volumes"]["s3"]["changes"] == []
    assert [name for name in (site.mnt + "/lake", io.HOME + "/lake", site.path / "cache/lake", io.UNITS + "/skp-volume-lake.service",
                              io.wants("skp-volume-lake.service")) if os.path.lexists(name)] == []
    assert site.run(volume("s3fs"))["changed"] is False
    site.run()
    assert os.listdir(site.mnt) == [] and io.present() == []


def test_without_exclusive_others_stay(site):
    site.run(volume("sshfs"))
    assert "lake" not in site.run(volume("s3fs"), exclusive=False)["volumes"] and io.look(site.mnt + "/lake")["mount"] == "ok"


def test_unmounted_keeps_its_files_and_stays_down_at_boot(site):
    site.run(volume("sshfs"))
    off = volume("sshfs", state="unmounted")
    assert [line.split(":")[0] for line in site.run(off)["volumes"]["lake"]["changes"]] == ["stop", "disable"]
    assert io.look_only(site.mnt + "/lake") and os.path.exists(io.HOME + "/lake/key") and not os.path.lexists(io.wants("skp-volume-lake.service"))
    assert site.run(off)["changed"] is False
    assert site.run(volume("sshfs"))["volumes"]["lake"]["mounted"]


def test_a_volume_that_is_written_to_is_not_taken_away(site):
    site.run(volume("sshfs"))
    # With force the file's end is an error for who has written it.
    with contextlib.suppress(OSError), open(site.mnt + "/lake/file", "w", encoding="utf-8"):
        done = site.run()
        assert "files are open for writing: " in done["failed"]["lake"] and "(process %d)" % os.getpid() in done["failed"]["lake"]
        assert io.look(site.mnt + "/lake")["mount"] == "ok" and os.path.exists(io.HOME + "/lake")
        assert site.run(force=True)["failed"] == {}
    assert io.look_only(site.mnt + "/lake")


def test_what_rclone_has_not_uploaded_is_not_given_up(site):
    site.run(volume("sshfs"))
    meta = site.path / "cache/lake/vfsMeta/skp/cont"
    meta.mkdir(parents=True)
    for number, flag in enumerate((True, False, True)):
        (meta / ("f%d" % number)).write_text(json.dumps({"Size": 3, "Dirty": flag}))
    assert "2 files are not at the backend yet" in site.run()["failed"]["lake"]
    # New credentials for the same place: the same cache is taken up again.
    assert site.run(volume("sshfs", credentials={"private_key": "-----BEGIN X PRIVATE KEY-----\nnew"}))["failed"] == {}
    shutil.rmtree(meta)
    assert site.run()["failed"] == {}


def test_a_missing_or_old_program_is_one_line(site):
    site.programs = {"sshfs": "no-sshfs", "rclone": site.tool("rclone", "#!/bin/sh\necho rclone v1.60.1-DEV\n")}
    done = site.run(volume("sshfs"), volume("rclone"))
    assert done["failed"]["lake"] == "the program no-sshfs is not installed. Install the package sshfs"
    assert "found rclone v1.60.1-DEV, expected 1.75 or newer" in done["failed"]["blob"] and not os.path.exists(io.HOME)


def test_a_package_that_is_missing_is_told_and_the_others_go_on(site):
    site.programs["s3fs"] = "no-s3fs"
    first = io.converge([volume("sshfs"), volume("s3fs")], site.node(), True, False, lenient=True)
    assert first["missing_packages"] == ["s3fs"] and first["failed"] == {} and list(first["volumes"]) == ["lake"]
    site.programs["s3fs"] = site.programs["sshfs"]
    assert site.run(volume("sshfs"), volume("s3fs"))["volumes"]["s3"]["mounted"]


def test_the_program_comes_out_of_the_image(site):
    site.tool("docker", "#!/bin/sh\necho \"$@\" >>%s\ncase $1 in create) echo c1 ;; cp) printf '#!/bin/sh\\necho rclone v1.75.1\\n' >\"$3\" ;; esac\n"
              % (site.path / "docker"))
    node = site.node()
    assert io.program_of_image(node, "rclone", "r/x@sha256:1", True, {}) and not os.path.exists(io.PROGRAMS)
    assert io.program_of_image(node, "rclone", "r/x@sha256:1", False, {})
    assert not io.program_of_image(node, "rclone", "r/x@sha256:1", False, {}) and io.program_of_image(node, "rclone", "r/x@sha256:2", False, {})
    io.refuse_program("rclone", node)
    assert (site.path / "docker").read_text().splitlines().count("rm c1") == 2


def test_bad_values_change_nothing(site):
    with pytest.raises(Failure, match="must stay True"):
        site.run(volume("sshfs"), volume("s3fs", options={"allow_other": False}))
    assert not os.path.exists(io.HOME)
