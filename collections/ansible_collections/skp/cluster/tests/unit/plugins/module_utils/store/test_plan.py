# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may mount the store, and what is in the way."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import time

import pytest
import yaml

from ansible_collections.skp.cluster.plugins.filter.store_boot import store_boot
from ansible_collections.skp.cluster.plugins.filter.store_plan import store_plan
from ansible_collections.skp.cluster.plugins.module_utils.store import plan

ROLES = pathlib.Path(__file__).resolve().parents[5] / "roles"
HOME = "/srv/skp"
SETTINGS = {"home": HOME, "export_options": "sync,no_subtree_check", "writers": ["jupyter", "spark_worker"],
            "uids": {"jupyter_uid": "1000", "spark_uid": 1000}, "gids": {"jupyter_gid": "1000", "spark_gid": "1000"}, "registry_user": "0:0"}
HOSTVARS = {"c%d" % number: {"ansible_host": "10.0.0.%d" % number} for number in range(1, 6)}
NFS = "10.0.0.1:/srv/skp /srv/skp nfs4 rw,vers=4.2 0 0"


def site(hosts, **groups):
    return dict({"skp": list(hosts), "master": ["c1"]}, **groups)


def planned(host="c1", hosts=("c1", "c2", "c3"), found=None, hostvars=None, groups=None, **settings):
    return store_plan(host, hostvars or HOSTVARS, site(hosts, **(groups or {})), dict(SETTINGS, **settings), found)


def lines(text):
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_without_another_host_nothing_is_exported():
    found = planned(hosts=["c1"])
    assert lines(found["exports"]) == [] and found["clients"] == []


def test_every_client_is_squashed_and_only_writers_write():
    text = planned(groups={"jupyter": ["c3"], "zookeeper": ["c2"]})["exports"]
    assert lines(text) == ["/srv/skp 10.0.0.2(ro,all_squash,sync,no_subtree_check) "
                           "10.0.0.3(rw,all_squash,anonuid=1000,anongid=1000,sync,no_subtree_check)"]
    assert "no_root_squash" not in text


def test_hosts_of_another_inventory_are_no_clients():
    assert planned(hosts=["c1", "c2"])["clients"] == ["10.0.0.2"]


def test_the_nodes_own_addresses_are_used():
    hostvars = dict(HOSTVARS, c1={"ansible_host": "203.0.113.1", "swarm_advertise_addr": "10.0.0.1"},
                    c2={"ansible_host": "203.0.113.2", "swarm_advertise_addr": "10.0.0.2"})
    found = planned("c2", hosts=["c1", "c2"], hostvars=hostvars)
    assert (found["source"], found["clients"]) == ("10.0.0.1:/srv/skp", ["10.0.0.2"])


@pytest.mark.parametrize("settings, words", [
    ({"export_options": "rw,sync,no_subtree_check,no_root_squash"}, "contains rw"),
    ({"export_options": "sync,no_root_squash"}, "no_root_squash"),
    ({"uids": {"jupyter_uid": "1000", "spark_uid": "2000"}}, "jupyter_uid=1000, spark_uid=2000"),
    ({"uids": {"jupyter_uid": "0"}}, "jupyter_uid is '0'"),
    ({"registry_user": "1000:1000"}, "registry_user and jupyter_uid"),
])
def test_settings_that_let_clients_change_images_are_refused(settings, words):
    found = planned(**settings)
    assert words in found["refusal"] and found["exports"] == ""


def grep(mounts="", exports="", own=False, entries=()):
    """The lines that the role reads on a node."""
    text = "".join("/proc/self/mounts:%s\n" % line for line in ["/dev/sda1 / ext4 rw 0 0", *mounts.splitlines()])
    text += "".join("%s:%s\n" % (plan.EXPORTS, line) for line in exports.splitlines())
    text += "".join("entry:%s\n" % name for name in entries)
    return {"text": text + ("%s/%s:abc\n" % (HOME, plan.MARKER) if own else "")}


PLACES = [
    ("a new client", "c2", grep(), ""),
    ("a client that has the mount", "c2", grep(NFS), ""),
    ("the automount of a client", "c2", grep("systemd-1 /srv/skp autofs rw 0 0\n" + NFS), ""),
    ("the master", "c1", grep(exports="# head\n/srv/skp 10.0.0.2(ro)"), ""),
    ("the master's own disk", "c1", grep("/dev/sdb1 /srv/skp ext4 rw 0 0"), ""),
    ("the new master has the old one's store", "c1", grep("10.0.0.9:/srv/skp /srv/skp nfs4 rw 0 0"), "store of an earlier master"),
    ("a client of the old master", "c2", grep("10.0.0.9:/srv/skp /srv/skp nfs4 rw 0 0"), "expected 10.0.0.1:/srv/skp"),
    ("a client with a disk there", "c2", grep("/dev/sdb1 /srv/skp ext4 rw 0 0"), "/dev/sdb1 (ext4)"),
    ("the old master exports", "c2", grep(exports="/srv/skp 10.0.0.1(ro)"), "was the master"),
    ("the old master has images", "c2", grep(own=True), "was the master"),
    ("files below the mount point", "c2", grep(entries=["jupyter", "a b"]), "holds jupyter, a b"),
    ("the master's files", "c1", grep(entries=["jupyter"]), ""),
    ("files of a mounted store", "c2", dict(grep(NFS)), ""),
    ("a mount with a blank in its name", "c2", grep("//nas/a\\040b /srv/skp cifs rw 0 0"), "//nas/a b (cifs)"),
]


@pytest.mark.parametrize("host, found, words", [case[1:] for case in PLACES], ids=[case[0] for case in PLACES])
def test_what_is_in_the_way(host, found, words):
    refusal = planned(host, found=found)["refusal"]
    assert words in refusal if words else refusal == ""
    assert not refusal or "docs/store.md" in refusal


def test_the_users_of_the_services_are_numbers():
    """The role reads them from there."""
    for role, names in (("jupyter", ("jupyter_uid", "jupyter_gid")), ("_spark", ("spark_uid", "spark_gid"))):
        defaults = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text(encoding="utf-8"))
        assert all(str(defaults[name]).isdigit() for name in names)


EXPORTFS = os.environ.get("SKP_EXPORTFS") or shutil.which("exportfs", path="/usr/sbin:/sbin:/usr/bin")


@pytest.mark.skipif(not EXPORTFS or os.geteuid() != 0, reason="needs exportfs of nfs-utils, and root")
@pytest.mark.parametrize("hosts, wanted", [
    (["c1"], set()),
    (["c1", "c2"], {("10.0.0.2", "ro", "all_squash")}),
    (["c1", "c2", "c3"], {("10.0.0.2", "ro", "all_squash"), ("10.0.0.3", "rw", "all_squash")}),
])
def test_exportfs_reads_what_was_meant(tmp_path, hosts, wanted):
    """Debian's own program, in a mount namespace of its own."""
    (tmp_path / "etc" / "exports.d").mkdir(parents=True)
    (tmp_path / "lib" / "nfs").mkdir(parents=True)
    (tmp_path / "etc" / "exports").touch()
    text = planned(hosts=hosts, groups={"jupyter": ["c3"]}, home=str(tmp_path))["exports"]
    (tmp_path / "etc" / "exports.d" / "skp.exports").write_text(text, encoding="utf-8")
    script = 'mount --bind "$1/etc" /etc && mount --bind "$1/lib" /var/lib && "$2" -ra && "$2" -s'
    answer = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", str(tmp_path), EXPORTFS], capture_output=True, text=True, check=True)
    found = set()
    for line in answer.stdout.splitlines():
        client, _bracket, options = line.split()[1].partition("(")
        options = options.rstrip(")").split(",")
        found.add((client, "rw" if "rw" in options else "ro", "all_squash" if "all_squash" in options else ""))
        assert "root_squash" in options
    assert found == wanted


GENERATOR = "/usr/lib/systemd/system-generators/systemd-fstab-generator"


@pytest.mark.skipif(not os.access(GENERATOR, os.X_OK), reason="needs systemd")
def test_a_node_lets_people_log_in_while_the_master_is_away(tmp_path):
    """Logging in waits for remote-fs.target, so this mount must not be part of it. A node that is shut down does not wait without end either."""
    options = yaml.safe_load((ROLES / "store/defaults/main.yml").read_text(encoding="utf-8"))["store_nfs_options"]
    assert {"nosuid", "nodev", "hard"} <= set(options.split(","))
    (tmp_path / "fstab").write_text("10.0.0.1:/srv/skp /srv/skp nfs4 %s 0 0\n" % options, encoding="utf-8")
    (tmp_path / "out").mkdir()
    subprocess.run([GENERATOR] + [str(tmp_path / "out")] * 3, check=True, env=dict(os.environ, SYSTEMD_FSTAB=str(tmp_path / "fstab")))
    unit = (tmp_path / "out" / "srv-skp.mount").read_text(encoding="utf-8")
    assert "Before=remote-fs.target" not in unit and "TimeoutSec=30s" in unit
    assert not (tmp_path / "out" / "remote-fs.target.requires").exists()


def role_tasks(name):
    return yaml.safe_load((ROLES / "store/tasks" / name).read_text(encoding="utf-8"))


def test_a_new_client_without_the_master_is_told_why():
    """With --limit, the master's export does not name it: the server refused the mount, and nothing said that the limit is why."""
    (refusal,) = [task for task in role_tasks("nfs_check.yml") if task["name"] == "Refuse a new client without the master"]
    included = [task["ansible.builtin.include_tasks"] for task in role_tasks("main.yml") if "ansible.builtin.include_tasks" in task]
    assert included.index("nfs_check.yml") < included.index("nfs.yml")
    assert "--limit" in refusal["ansible.builtin.fail"]["msg"]
    assert refusal["when"] == ["not __store_plan.serves", "not __store_plan.mounted", "groups['master'][0] not in ansible_play_hosts_all"]
    assert planned("c2", found={"text": "/proc/self/mounts:" + NFS})["mounted"] and not planned("c2", found={"text": ""})["mounted"]


def test_exports_are_repeated_by_every_run(tmp_path):
    """They were exported by a handler only: after a failure, or when somebody had withdrawn them, never again."""
    (task,) = [task for task in role_tasks("export.yml") if task["name"] == "Export what the file says, and nothing else"]
    assert "when" not in task
    (tmp_path / "exportfs").write_text('#!/bin/sh\ncase $1 in -s) cat "$0.now" 2>/dev/null || :;; -ra) cp "$0.file" "$0.now";; esac\n')
    (tmp_path / "exportfs").chmod(0o755)
    (tmp_path / "exportfs.file").write_text("/srv/skp 10.0.0.2(ro)\n")

    def run():
        argv = task["ansible.builtin.command"]["argv"]
        return subprocess.run(argv, env={"PATH": "%s:/usr/bin:/bin" % tmp_path}, capture_output=True, text=True, check=True).stdout.strip()

    assert [run(), run()] == ["changed", ""]
    (tmp_path / "exportfs.now").unlink()
    assert [run(), run()] == ["changed", ""], "withdrawn by hand"


def test_the_nfs_server_is_ensured_by_every_run():
    (task,) = [task for task in role_tasks("export.yml") if task["name"] == "Run the NFS server"]
    assert task["ansible.builtin.systemd_service"] == {"name": "nfs-server", "state": "started", "enabled": True}


@pytest.mark.parametrize("path", ["/srv/skp", "/srv/skp/", "/", "/a-b/c d", "/.hidden/x", "/mnt//nas", "/d\u00e4ten"])
def test_the_mount_unit_has_systemds_own_name(path):
    tool = shutil.which("systemd-escape")
    if not tool:
        pytest.skip("needs systemd")
    wanted = subprocess.run([tool, "--path", "--suffix=mount", path], capture_output=True, text=True, check=True).stdout.strip()
    assert plan.unit_of(path) == wanted


def boot(mode="client", home=HOME):
    return {item["path"]: item["content"] for item in store_boot(mode, home, home + "/registry", "/etc/skp/registry")["files"]}


def test_only_the_engine_of_a_client_does_not_depend_on_the_mount():
    """The other services of a node that boots without the master have to start; a directory of the site's own has no guard below it."""
    for mode, depends in (("client", False), ("serve", True), ("existing", True)):
        assert ("RequiresMountsFor=/srv/skp" in boot(mode)[plan.ENGINE_UNIT]) is depends
        assert "Wants=skp-store.service" in boot(mode)[plan.ENGINE_UNIT]


def test_preflight_recognises_the_files_on_a_node():
    found = store_boot("client", HOME, HOME + "/registry", "/etc/skp/registry/")
    assert [item["path"] for item in found["files"]] == list(plan.BOOT_FILES)
    assert plan.digest([item["content"].strip() for item in found["files"]]) == found["digest"]
    assert plan.digest([""] * 4) != found["digest"] != store_boot("serve", HOME, HOME + "/registry", "/etc/skp/registry")["digest"]


class Machine:
    """The script of a node, with the programs that it calls replaced by ones that write down how they were called."""

    def __init__(self, path, mode="client", home="srv"):
        self.path, self.home = path, path / home
        self.log, self.mounts, self.record = path / "log", path / "mounts", path / "store_id"
        self.log.touch()
        self.mounts.touch()
        files = {item["path"]: item["content"] for item in plan.boot_files(mode, str(self.home), str(self.home / "registry"), str(self.record))}
        text = files[plan.SCRIPT].replace("/proc/self/mounts", str(self.mounts)).replace("patience=15", "patience=1").replace("sleep 5", "sleep 0.1")
        self.script = path / "store.sh"
        self.script.write_text(text, encoding="utf-8")
        (path / "bin").mkdir()
        for name, body in (("systemctl", ""), ("umount", ""), ("chattr", ""), ("lsattr", "echo '--------------e------- x'"), ("docker", DOCKER)):
            self.program(name, body)

    def program(self, name, body):
        program = self.path / "bin" / name
        program.write_text('#!/bin/sh\necho "%s $*" >> "%s"\n%s\n' % (name, self.log, body), encoding="utf-8")
        program.chmod(0o755)

    def mount(self, store="1234"):
        self.mounts.write_text("server:/x %s nfs4 rw 0 0\n" % str(self.home).replace(" ", "\\040"), encoding="utf-8")
        (self.home / "registry").mkdir(parents=True)
        (self.home / "registry/.skp-registry-store").write_text(store + "\n", encoding="utf-8")

    def start(self, verb):
        return subprocess.Popen(["sh", str(self.script), verb], env=dict(os.environ, PATH="%s/bin:%s" % (self.path, os.environ["PATH"])),
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, verb):
        process = self.start(verb)
        text, _none = process.communicate(timeout=20)
        assert process.returncode == 0, text
        return text

    def calls(self):
        return self.log.read_text(encoding="utf-8").splitlines()


DOCKER = """case "$1" in ps) echo c0ffee ;; exec) exit 1 ;; esac"""


@pytest.mark.parametrize("home", ["srv", "a b"])
def test_the_engine_starts_at_once_over_a_store_that_is_there(tmp_path, home):
    machine = Machine(tmp_path, home=home)
    machine.mount()
    machine.record.write_text("1234\n", encoding="utf-8")
    assert machine.run("look") == "" and machine.calls() == []


def test_the_engine_starts_without_a_master_that_is_away(tmp_path):
    machine = Machine(tmp_path)
    machine.home.mkdir()
    assert "the engine starts without it" in machine.run("look")
    assert [line for line in machine.calls() if not line.startswith("lsattr")] == ["chattr +i -- %s" % machine.home]


def test_a_silent_mount_is_taken_out_of_the_engines_way(tmp_path):
    machine = Machine(tmp_path)
    machine.mount()
    machine.program("timeout", "exit 137")
    assert "mounted again when its server is back" in machine.run("look")
    calls = [line for line in machine.calls() if not line.startswith("timeout")]
    assert calls == ["umount --lazy --internal-only --no-canonicalize %s" % machine.home, "systemctl start --no-block %s" % plan.unit_of(str(machine.home))]


@pytest.mark.parametrize("mode", ["serve", "existing"])
def test_a_mount_of_the_site_is_never_unmounted(tmp_path, mode):
    machine = Machine(tmp_path, mode)
    machine.mount()
    machine.program("timeout", "exit 137")
    machine.run("look")
    assert [line for line in machine.calls() if line.startswith(("umount", "systemctl"))] == []


@pytest.mark.parametrize("mode", ["client", "existing"])
def test_a_registry_starts_when_its_own_store_is_there(tmp_path, mode):
    """Not over the bare directory, and not over another store."""
    machine = Machine(tmp_path, mode)
    machine.record.write_text("1234\n", encoding="utf-8")
    process = machine.start("wait")
    wait_for(lambda: mode == "existing" or "systemctl" in machine.log.read_text(encoding="utf-8"))
    machine.mount("another")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    assert not any(line.startswith("docker") for line in machine.calls())
    (machine.home / "registry/.skp-registry-store").write_text("1234\n", encoding="utf-8")
    assert process.wait(10) == 0 and "waiting for %s (mode %s, 1234)" % (machine.home, mode) in process.stdout.read()
    calls = [line for line in machine.calls() if line.startswith("docker")]
    assert calls[0] == "docker ps --all --quiet --filter label=skp.store=1234" and calls[-1] == "docker restart c0ffee"


def test_a_registry_that_sees_its_store_is_left_alone(tmp_path):
    machine = Machine(tmp_path)
    machine.mount()
    machine.record.write_text("1234\n", encoding="utf-8")
    machine.program("docker", "test $1 != ps || echo c0ffee")
    machine.run("wait")
    assert not any("restart" in line for line in machine.calls())


def test_a_node_without_a_registry_waits_for_its_mount_only(tmp_path):
    machine = Machine(tmp_path)
    machine.mount()
    machine.run("wait")
    assert machine.calls() == []
    alone = tmp_path / "alone"
    alone.mkdir()
    machine = Machine(alone, "existing")
    machine.run("wait")
    assert machine.calls() == []


@pytest.mark.parametrize("mode, attributes, call", [
    ("client", "--------------e-------", "chattr +i"), ("client", "----i---------e-------", ""),
    ("serve", "----i---------e-------", "chattr -i"), ("serve", "--------------e-------", ""), ("existing", "--------------e-------", ""),
])
def test_the_bare_directory_of_a_client_is_guarded(tmp_path, mode, attributes, call):
    machine = Machine(tmp_path, mode)
    machine.home.mkdir()
    machine.program("lsattr", "echo '%s x'" % attributes)
    text = machine.run("guard")
    assert [line for line in machine.calls() if line.startswith("chattr")] == (["%s -- %s" % (call, machine.home)] if call else [])
    assert text.startswith("changed") is bool(call)


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
