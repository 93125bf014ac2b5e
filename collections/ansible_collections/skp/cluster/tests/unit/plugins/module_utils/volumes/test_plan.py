# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, what a volume needs, and what is done, by tables."""

from __future__ import annotations

import configparser
import json
import subprocess

import pytest
import yaml

from ansible_collections.skp.cluster.plugins.module_utils.failure import Failure
from ansible_collections.skp.cluster.plugins.module_utils.volumes import config, plan
from ansible_collections.skp.cluster.tests.unit.plugins.module_utils.volumes.volume_samples import HOST_KEY, SECRETS, VOLUMES, volume

DRIVERS = sorted(VOLUMES)


def need(driver, **changes):
    """What a sample needs."""
    [checked] = plan.check([volume(driver, **changes)], "/mnt/skp")
    return plan.wanted(checked, "/mnt/skp", "/etc/skp/volumes", "/var/lib/skp/volumes")


def words(driver, **changes):
    """The words that start the program."""
    return config.COMMANDS[driver](plan.check([volume(driver, **changes)], "/mnt/skp")[0], {"home": "/h", "cache": "/c", "path": "/mnt/skp/x"})["argv"]


# --- what is refused --------------------------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("driver", DRIVERS)
def test_a_good_volume_is_taken(driver):
    [checked] = plan.check([volume(driver)], "/mnt/skp")
    assert checked["state"] == "mounted" and checked["uid"] == 61000 and checked["read_only"] is False


@pytest.mark.parametrize(
    ("driver", "changes", "expected"),
    [
        ("sshfs", {"name": "../etc"}, "expected small letters"),
        ("sshfs", {"name": "Lake"}, "expected small letters"),
        ("sshfs", {"driver": "nfs"}, "found driver 'nfs', expected one of sshfs, s3fs, rclone, blobfuse2"),
        ("sshfs", {"source": {"host": ""}}, "source lacks host"),
        ("sshfs", {"source": {"bucket": "x"}}, "source has no bucket with driver sshfs; expected host, user, path, port, host_key"),
        ("sshfs", {"source": {"host": "-oProxyCommand=x"}}, "must not begin with -"),
        ("sshfs", {"source": {"host_key": "ssh-rsa AAAA"}}, "is no public key of a host"),
        ("sshfs", {"source": {"port": "ssh"}}, "source.port: found 'ssh'"),
        ("sshfs", {"source": {"path": "/a\nb"}}, "path: more than one line"),
        ("sshfs", {"credentials": {"private_key": ""}}, "credentials lacks private_key. `ansible-playbook playbooks/volumes_keygen.yml` makes a key"),
        ("sshfs", {"credentials": {"private_key": "ssh-ed25519 AAAA"}}, "is no private key"),
        ("sshfs", {"credentials": {"password": "x"}}, "credentials has no password with driver sshfs; expected private_key"),
        ("sshfs", {"uid": "me"}, "uid: found 'me', expected a number"),
        ("sshfs", {"options": {"allow_other": False}}, "option allow_other: it must stay True: containers run as other users than root"),
        ("sshfs", {"options": {"nonempty": True}}, "option nonempty: refused"),
        ("sshfs", {"options": {"password_stdin": True}}, "option password_stdin: refused"),
        ("sshfs", {"options": {"StrictHostKeyChecking": "no"}}, "any server that answers would get the data"),
        ("sshfs", {"options": {"ProxyCommand": "sh"}}, "runs any program as root"),
        ("sshfs", {"options": {"IdentityFile": "/root/key"}}, "write it as credentials.private_key"),
        ("sshfs", {"options": {"ro": True}}, "write it as read_only"),
        ("sshfs", {"options": {"-C": True}}, "write it without dashes"),
        ("sshfs", {"options": {"a": "b,allow_root"}}, "without commas"),
        ("s3fs", {"credentials": {"secret_access_key": None}}, "credentials lacks secret_access_key"),
        ("s3fs", {"options": {"passwd_file": "/x"}}, "the module has a place for it"),
        ("s3fs", {"options": {"no_check_certificate": True}}, "the server could be anybody"),
        ("s3fs", {"source": {"url": "http://a,suid"}}, "source.url: a comma is not possible"),
        ("rclone", {"source": {"remote": {"type": "s3", "secret_access_key": "x"}}}, "which is a secret; write it into credentials"),
        ("rclone", {"source": {"remote": {"provider": "x"}}}, "with type"),
        ("rclone", {"options": {"s3-secret-access-key": "x"}}, "a secret on a command line"),
        ("rclone", {"options": {"allow-other": False}}, "it must stay True"),
        ("rclone", {"options": {"allow-non-empty": True}}, "option allow-non-empty: refused"),
        ("rclone", {"options": {"rc": True}}, "gives access to the credentials"),
        ("blobfuse2", {"credentials": {"account_key": ""}}, "credentials lacks account_key or sas"),
        ("blobfuse2", {"options": {"file_cache.tmeout-sec": 1}}, "is no setting of blobfuse2's configuration file"),
        ("blobfuse2", {"options": {"file_cache.timeout-sec": "soon"}}, "expected a number"),
        ("blobfuse2", {"options": {"azstorage.account-key": "x"}}, "write it into credentials"),
        ("blobfuse2", {"options": {"nonempty": True}}, "files below the mount would be hidden"),
        ("blobfuse2", {"options": {"azstorage.tier": "warm"}}, "expected one of hot"),
    ],
)
def test_a_bad_value_is_refused_by_name(driver, changes, expected):
    with pytest.raises(Failure) as caught:
        plan.check([volume(driver, **changes)], "/mnt/skp")
    assert expected in caught.value.msg and "Nothing was changed" in caught.value.msg
    assert not any(secret in caught.value.msg for secret in SECRETS)


def test_all_faults_are_told_at_once():
    with pytest.raises(Failure) as caught:
        plan.check([volume("sshfs", uid="a"), volume("sshfs", gid="b"), volume("s3fs", driver="x")], "/mnt/with space")
    assert [text.split(":")[0] for text in caught.value.failure["wrong"]] == [
        "skp_volumes_dir", "volume lake", "volume lake", "volume lake", "volume s3"]


@pytest.mark.parametrize(
    "options", [{"TCPKeepAlive": "no"}, {"Compression": "yes"}, {"dcache_timeout": 5}, {"HostKeyAlgorithms": "ssh-ed25519"}, {"max_conns": 4}])
def test_other_options_are_the_users(options):
    [(key, value)] = options.items()
    assert "%s=%s" % (key, value) in words("sshfs", options=options)


def test_host_keys_as_ssh_keyscan_prints_them():
    printed = "# data.example:22 SSH-2.0\ndata.example %s\n" % HOST_KEY
    assert plan.host_keys({"host_key": printed}) == [HOST_KEY] == plan.host_keys({"host_key": [HOST_KEY + " comment"]})
    assert plan.scanned(printed + "data.example ssh-rsa broken\n") == [HOST_KEY]


def test_a_volume_without_a_pinned_key_says_which_key_was_seen_and_what_confirms_it():
    [checked] = plan.check([volume("sshfs", source={"host_key": ""})], "/mnt/skp")
    assert plan.unpinned([checked]) == [checked]
    text = plan.unpinned_text(checked, [HOST_KEY])
    assert HOST_KEY in text and config.fingerprint(HOST_KEY) in text and "source.host_key" in text and "volumes_sshfs_host_key" in text
    assert "the server showed none" in plan.unpinned_text(checked, [])


def test_the_fingerprint_is_openssh_s(tmp_path):
    (tmp_path / "key.pub").write_text(HOST_KEY + "\n")
    said = subprocess.run(["ssh-keygen", "-lf", tmp_path / "key.pub"], capture_output=True, text=True, check=False)
    if said.returncode:
        pytest.skip("no ssh-keygen")
    assert config.fingerprint(HOST_KEY) == said.stdout.split()[1]
    assert config.fingerprint("ssh-ed25519 QUJD") == config.fingerprint("x") == ""


# --- the volumes of a cluster -----------------------------------------------------------------------------------------------------------------------------

SETTINGS = {key: "" for key in ("sshfs_id", "sshfs_host", "sshfs_volume", "sshfs_host_key", "s3_account", "s3_bucket", "s3_access_id", "s3_access_key",
                                "s3_url", "s3_region", "blob_account_name", "blob_account_key", "blob_container_name", "blob_endpoint")}
SETTINGS.update(uid=61000, gid=61000, labels=["jupyter", "spark-worker"], sshfs_port=22)
ENV = {"sshfs_id": "sshfs", "sshfs_host": "data.example", "sshfs_volume": "/home/sshfs", "sshfs_host_key": HOST_KEY, "s3_account": "sales",
       "s3_access_id": "AKID", "s3_access_key": "canary-two", "blob_account_name": "acc", "blob_account_key": "canary-three", "blob_container_name": "cont"}


def test_empty_names_of_env_sh_are_no_volume():
    assert plan.of_cluster([], SETTINGS) == []


def test_names_of_env_sh_are_three_volumes():
    found = plan.of_cluster([], dict(SETTINGS, **ENV), VOLUMES["sshfs"]["credentials"]["private_key"])
    assert [(one["name"], one["driver"], one["labels"]) for one in found] == [
        (name, driver, ["jupyter", "spark-worker"]) for name, driver in (("sshfs", "sshfs"), ("s3", "s3fs"), ("blob", "rclone"))]
    checked = plan.check(plan.of_host(found, ["spark_worker"]), "/mnt/skp")
    assert checked[1]["source"]["bucket"] == "sales" and checked[2]["source"] == {"remote": {"type": "azureblob", "account": "acc"}, "path": "cont"}


def test_half_a_group_of_env_sh_is_refused_by_name():
    with pytest.raises(Failure, match="volume sshfs: source lacks user"):
        plan.check(plan.of_host(plan.of_cluster([], dict(SETTINGS, sshfs_host="h", sshfs_host_key=HOST_KEY)), ["jupyter"]), "/mnt/skp")


@pytest.mark.parametrize(("groups", "names"), [(["jupyter"], ["a"]), (["spark_worker"], ["a", "b"]), (["kafka"], []), (["gpu", "jupyter"], ["a"])])
def test_a_host_gets_the_volumes_of_its_labels(groups, names):
    volumes = plan.of_cluster([{"name": "a", "driver": "s3fs"}, {"name": "b", "driver": "s3fs", "labels": ["spark-worker"]}], SETTINGS)
    assert [one["name"] for one in plan.of_host(volumes, groups)] == names


# --- what a volume needs ----------------------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("driver", DRIVERS)
def test_secrets_are_in_files_of_root_only(driver):
    found = need(driver)
    shown = found["unit"] + found["run"] + json.dumps(plan.describe(found, nothing(), "mounted"))
    assert not any(secret in shown for secret in SECRETS)
    assert any(secret in text for text in found["files"].values() for secret in SECRETS)


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_program_stays_in_the_foreground_and_lets_containers_in(driver):
    found = " ".join(words(driver))
    assert {"sshfs": " -f ", "s3fs": " -f ", "rclone": "rclone mount", "blobfuse2": "--foreground"}[driver] in found
    assert "allow_other" in found or "--allow-other" in found or "allow-other: true" in need(driver)["files"]["blobfuse2.yaml"]
    assert "61000" in found and "daemon" not in found


@pytest.mark.parametrize("driver", DRIVERS)
def test_read_only(driver):
    flag = {"sshfs": "ro", "s3fs": "ro", "rclone": "--read-only", "blobfuse2": "--read-only"}[driver]
    assert flag in words(driver, read_only=True) and flag not in words(driver)


def test_sshfs():
    found = words("sshfs", source={"port": 2222, "host": "fd00::1"})
    assert found[-2:] == ["me@[fd00::1]:/srv/lake", "/mnt/skp/x"] and "Port=2222" in found
    for word in ("StrictHostKeyChecking=yes", "BatchMode=yes", "PasswordAuthentication=no", "reconnect", "UserKnownHostsFile=/h/known_hosts"):
        assert word in found
    assert need("sshfs")["files"]["known_hosts"] == "data.example %s\n" % HOST_KEY
    assert need("sshfs", source={"port": 2222})["files"]["known_hosts"].startswith("[data.example]:2222 ssh-ed25519 ")
    assert need("sshfs")["files"]["key"].endswith("KEY-----\n")


def test_s3fs():
    found = words("s3fs", source={"path": "/2026/"})
    assert found[1:4] == ["sales:/2026", "/mnt/skp/x", "-f"]
    assert "use_path_request_style" in found and "url=http://s3.example:7070" in found and "endpoint=eu-1" in found
    assert "use_path_request_style" not in words("s3fs", source={"url": ""})
    assert "sigv4" in found and "sigv4" not in words("s3fs", options={"sigv4": False})
    assert need("s3fs")["files"]["passwd"] == "AKID:canary-two\n"


def test_rclone():
    found = need("rclone")
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(found["files"]["rclone.conf"])
    assert dict(parser["skp"]) == {"type": "azureblob", "account": "acc", "key": "canary-three"}
    # It asks the backend first: rclone would mount whatever it is told.
    assert found["run"].index("rclone lsf --max-depth 1 skp:cont/dir") < found["run"].index("exec rclone mount skp:cont/dir /mnt/skp/blob")
    assert "--vfs-cache-mode=full" in words("rclone", options={"vfs-cache-mode": "full"})


def test_blobfuse2_writes_its_documented_configuration():
    found = yaml.safe_load(need("blobfuse2", options={"file_cache.timeout-sec": "60", "azstorage.virtual-directory": True})["files"]["blobfuse2.yaml"])
    assert found["azstorage"]["account-key"] == "canary-four" and found["azstorage"]["mode"] == "key" and found["allow-other"] is True
    assert found["file_cache"]["timeout-sec"] == 60 and found["azstorage"]["virtual-directory"] is True
    assert found["components"] == ["libfuse", "file_cache", "attr_cache", "azstorage"]
    named = ["%s.%s" % (section, key) for section in ("libfuse", "file_cache", "attr_cache", "azstorage") for key in found[section]]
    assert [key for key in named if key not in config.BLOBFUSE2] == []


def test_a_program_elsewhere():
    [checked] = plan.check([volume("rclone")], "/mnt/skp")
    run = plan.wanted(checked, "/mnt/skp", "/h", "/c", {"rclone": "/opt/r c/rclone"})["run"]
    assert "'/opt/r c/rclone' lsf" in run and "exec '/opt/r c/rclone' mount" in run


def test_nothing_depends_on_a_volume():
    unit = need("sshfs")["unit"]
    assert "Restart=always" in unit and "StartLimitIntervalSec=0" in unit and "ExecStopPost=" in unit and "WantedBy=multi-user.target" in unit
    assert not any(word in unit for word in ("Requires", "BindsTo", "PartOf", "RequiredBy", "Upholds", "RemainAfterExit"))


@pytest.mark.parametrize("driver", DRIVERS)
def test_systemd_reads_the_unit(driver, tmp_path):
    path = tmp_path / "skp-volume-x.service"
    path.write_text(need(driver)["unit"])
    try:
        said = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("no systemd-analyze")
    assert [line for line in said.stderr.splitlines() if "skp-volume-x.service" in line and "docker.service" not in line] == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_shell_reads_the_script(driver):
    assert subprocess.run(["sh", "-n"], input=need(driver)["run"], capture_output=True, text=True, check=False).stderr == ""


# --- what to do -------------------------------------------------------------------------------------------------------------------------------------------

def nothing(**changes):
    """A node without the volume."""
    found = {"unit": "", "run": "", "enabled": False, "drift": ["key", "known_hosts"], "applied": "", "active": False, "mount": "none", "why": "",
             "home": False, "bare": {"exists": False, "guarded": False, "kind": None, "entries": []}}
    return dict(found, **changes)


def running(**changes):
    """A node with the volume as it should be."""
    full = need("sshfs")
    found = {"unit": full["unit"], "run": full["run"], "enabled": True, "drift": [], "applied": full["digest"], "active": True, "mount": "ok", "why": "",
             "home": True, "bare": None}
    return dict(found, **changes)


GUARDED = {"exists": True, "guarded": True, "kind": "directory", "entries": []}
OPEN = dict(GUARDED, guarded=False)


@pytest.mark.parametrize(
    ("found", "state", "verbs"),
    [
        (nothing(), "mounted", ["write", "guard", "start"]),
        (running(), "mounted", []),
        (running(applied="old", run="#"), "mounted", ["write", "restart"]),
        (running(applied="old", drift=["key"]), "mounted", ["write", "restart"]),
        # Text was written, and the run ended before the restart.
        (running(applied="old"), "mounted", ["restart"]),
        (running(enabled=False), "mounted", ["write"]),
        (running(mount="stale", why="Transport endpoint is not connected"), "mounted", ["unmount", "restart"]),
        (running(mount="none", bare=GUARDED), "mounted", ["restart"]),
        (running(mount="none", active=False, bare=GUARDED), "mounted", ["start"]),
        (running(mount="none", active=False, bare=OPEN), "mounted", ["guard", "start"]),
        (running(mount="stale", why="x", applied="old", unit="#"), "mounted", ["write", "unmount", "restart"]),
        (running(), "unmounted", ["stop", "disable"]),
        (running(active=False, mount="none", enabled=False, bare=GUARDED), "unmounted", []),
        (running(), "absent", ["stop", "remove"]),
        (nothing(), "absent", []),
        (nothing(bare=GUARDED, home=True), "absent", ["remove"]),
    ],
)
def test_steps(found, state, verbs):
    steps = plan.decide(need("sshfs") if state == "mounted" else None, dict(running(), **found), state)
    assert [verb for verb, _reason in steps] == verbs and all(reason for _verb, reason in steps)


def test_a_changed_secret_changes_the_digest_and_no_text():
    one, two = need("s3fs"), need("s3fs", credentials={"secret_access_key": "other"})
    assert (one["unit"], one["run"]) == (two["unit"], two["run"]) and one["digest"] != two["digest"]


@pytest.mark.parametrize(
    ("found", "state", "expected"),
    [
        (nothing(), "mounted", ""),
        (running(), "mounted", ""),
        (running(mount="foreign", why="/dev/sda1", type="ext4"), "mounted", "found a mount of /dev/sda1 (ext4), which is not this volume"),
        (nothing(bare=dict(OPEN, kind="file")), "mounted", "is a file, expected a directory"),
        (nothing(bare=dict(OPEN, entries=["a", "b"])), "mounted", "is not empty, and nothing is mounted there: a, b"),
        (nothing(bare=dict(OPEN, entries=["a"])), "absent", "is not empty"),
    ],
)
def test_a_place_that_is_taken(found, state, expected):
    text = plan.refuse("lake", "/mnt/skp/lake", found, state)
    assert (expected in text) if expected else text == ""


def test_the_diff_has_no_secret_and_shows_that_one_changed():
    full = need("s3fs")
    found = running(unit=full["unit"], run=full["run"], drift=["passwd"])
    shown = plan.describe(full, found, "mounted")
    assert shown["before"] != shown["after"] and "# passwd: (not shown, new)" in shown["after"] and "canary" not in json.dumps(shown)
    same = plan.describe(full, dict(found, drift=[]), "mounted")
    assert same["before"].replace("# ok\n", "") == same["after"].replace("# ok\n", "").replace("# passwd: (not shown)\n", "") + "# passwd: (not shown)\n"


# --- what is there ----------------------------------------------------------------------------------------------------------------------------------------

def test_mounts_are_found_by_their_exact_path():
    text = ("36 35 98:0 / /mnt/skp/lake rw,nosuid shared:2 - fuse.sshfs me@data:/x rw\n"
            "37 35 98:1 / /mnt/skp/lake2 rw - ext4 /dev/sda rw\n38 35 0:9 / /mnt/a\\040b rw master:1 - fuse x rw\n")
    assert plan.mounts_at(text, "/mnt/skp/lake") == [{"type": "fuse.sshfs", "source": "me@data:/x", "device": "98:0"}]
    assert plan.mounts_at(text, "/mnt/skp") == [] and plan.mounts_at(text, "/mnt/a b")[0]["type"] == "fuse"


@pytest.mark.parametrize(
    ("shown", "mount", "expected"),
    [
        ({"ActiveState": "active", "NRestarts": "0"}, "ok", "done"),
        ({"ActiveState": "active", "NRestarts": "0"}, "none", "waiting"),
        ({"ActiveState": "activating", "NRestarts": "1"}, "none", "waiting"),
        ({"ActiveState": "activating", "NRestarts": "2"}, "none", "failed"),
        ({"ActiveState": "failed", "NRestarts": ""}, "none", "failed"),
        ({"ActiveState": "failed", "NRestarts": "0", "Job": "4711"}, "none", "waiting"),
        ({"ActiveState": "active", "NRestarts": "0", "Job": "4711"}, "ok", "waiting"),
        ({"ActiveState": "active", "NRestarts": "0", "Job": ""}, "ok", "done"),
        ({}, "stale", "waiting"),
    ],
)
def test_progress(shown, mount, expected):
    assert plan.progress(shown, mount) == expected


@pytest.mark.parametrize(
    ("words_of_tool", "expected"),
    [
        ("read: Connection reset by peer", "nothing answers there"),
        ("Host key verification failed.", "another host key"),
        ("me@data: Permission denied (publickey).", "volumes_copy_id.yml"),
        ("ssh: Could not resolve hostname data: Name or service not known", "cannot be resolved"),
        ("ssh: connect to host data port 22: Connection refused", "nothing answers there"),
        ("s3fs: invalid credentials(host=http://x) - result of checking service.", "refuses the credentials"),
        ("2026 [CRT] s3fs.cpp:s3fs_check_service(3597): unable to connect(host=http://x) - result of checking service.", "nothing answers there"),
        ("NoSuchBucket: The specified bucket does not exist", "does not exist: check its spelling"),
        ('CRITICAL: Failed to create file system for "skp:sales": didn\'t find backend called "azureblob"', "built without that backend"),
        ("Failed to lsf with 2 errors: directory not found", "does not exist: check its spelling"),
        ("data:/nope: No such file or directory", "check source.path"),
        ("RequestTimeTooSkewed", "the clock of this node is wrong"),
        ("something new", "journalctl -u skp-volume-"),
    ],
)
def test_the_error_has_the_words_of_the_tool_and_what_to_do(words_of_tool, expected):
    text = plan.failed_text(need("s3fs"), words_of_tool + "\nkey canary-two\n" + words_of_tool, 12)
    assert "not mounted after 12 s. s3fs says: " + words_of_tool.strip() in text and expected.lower() in text.lower()
    assert "canary" not in text and text.count(words_of_tool) == 1


def test_a_private_key_is_cut_out_line_by_line():
    assert "canary1" not in plan.clean("line canary1canary1canary1 of it", need("sshfs")["secrets"])


def test_the_same_words_at_another_time_are_told_once():
    assert plan.clean("2026/11/22 01:45:56 ERROR : error listing\n2026/11/22 01:45:57 ERROR : error listing\n", []) == "ERROR : error listing"


S3FS_SAYS = """2026-11-22T02:14:28.445Z [INF] s3fs.cpp:s3fs_init(3382): init v1.90(commit:unknown) with GnuTLS(gcrypt)
2026-11-22T02:14:28.446Z [ERR] curl.cpp:CheckBucket(3421): Check bucket failed, S3 response: <?xml version="1.0" encoding="UTF-8"?>
<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature does not match.</Message><StringToSign>AWS4 404</StringToSign><HostId>x</HostId></Error>
2026-11-22T02:14:28.121Z [CRT] s3fs.cpp:s3fs_check_service(3590): invalid credentials(host=http://127.0.0.1:7070) - result of checking service."""
RCLONE_SAYS = """2026/11/22 02:14:28 ERROR : error listing: GET http://127.0.0.1:10000/acc/cont
--------------------------------------------------------------------------------
RESPONSE 403: 403 Server failed to authenticate the request.
<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Error>
  <Code>AuthorizationFailure</Code>
RequestId:a17b8752
Time:2026-11-22T02:14:28.262Z</Message>
</Error>"""


@pytest.mark.parametrize(
    ("words_of_tool", "said"),
    [
        (S3FS_SAYS, "SignatureDoesNotMatch: The request signature does not match. | [CRT] s3fs.cpp:s3fs_check_service(3590): invalid credentials"),
        (RCLONE_SAYS, "RESPONSE 403: 403 Server failed to authenticate the request. | AuthorizationFailure. The backend refuses"),
    ],
)
def test_the_xml_of_a_backend_is_told_in_plain_words(words_of_tool, said):
    """As s3fs 1.90 on versitygw 1.8 and rclone 1.75 on azurite 3.37 said it."""
    text = plan.failed_text(need("s3fs"), words_of_tool, 3)
    assert said in text and "The backend refuses the credentials" in text
    assert not any(word in text for word in ("<", "StringToSign", "RequestId", "----", "02:14"))


def test_the_last_words_count_most():
    said = plan.clean("\n".join("line %d %s" % (number, "x" * 100) for number in range(20)), [])
    assert len(said) <= plan.SAID and "line 19" in said and "line 1 " not in said


def test_one_dead_volume_does_not_hide_the_others():
    text = plan.failure_of({"a": "dead", "b": "gone"}, ["c"]).msg
    assert "volume a: dead. volume b: gone. The other volumes of this node are as wished: c." in text


@pytest.mark.parametrize(
    ("text", "fault"), [("rclone v1.75.1\n", ""), ("rclone v2.0.0", ""), ("rclone v1.60.1-DEV\n- os", "found rclone v1.60.1-DEV"), ("", "found nothing")])
def test_an_old_rclone_is_refused(text, fault):
    found = plan.rclone_fault(text)
    assert (fault in found and "1.75 or newer" in found) if fault else found == ""
