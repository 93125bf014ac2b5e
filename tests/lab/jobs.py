# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as AWX runs them, without AWX: ansible-runner in a container of skp/ee on a node of the lab, with the directory that AWX makes for a job.

The project is the repository's files, mounted read-only. The inventory is what `ansible-inventory` has exported. The key comes through an ssh agent. Text
answers of a survey are marked as unsafe, as AWX marks them. The container's user is in no passwd file, and its home is `/`.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import subprocess
import tarfile
import time
import uuid

import lablib
import yaml

UID = 54321
PLACE = "/var/tmp/skp-jobs"
"""On the node that runs the jobs: project/, and a directory for each job."""
LIST = lablib.ROOT / "collections/ansible_collections/skp/cluster/roles/awx/files/awx.yml"
OF_THE_CONTROLLER = ("ansible_ssh_private_key_file", "ansible_ssh_common_args", "ansible_control_path")
"""Variables of the lab that name files of this machine. AWX gives its jobs a key and no host keys."""

COLLECTIONS = "/runner/requirements_collections:~/.ansible/collections:/usr/share/ansible/collections"
OF_A_SYNC = {"ANSIBLE_INVENTORY_UNPARSED_FAILED": "True", "ANSIBLE_FORCE_COLOR": "True", "ANSIBLE_HOST_KEY_CHECKING": "False"}
SYNCS = {"AWX of 2024": {"ANSIBLE_COLLECTIONS_PATHS": COLLECTIONS}, "AWX of 2026": {"ANSIBLE_COLLECTIONS_PATH": COLLECTIONS}}
"""What an AWX sets for the read of an inventory (awx/main/tasks/jobs.py): it looks for `collections_paths` in ansible.cfg, which this project does not set."""
OF_A_JOB = {
    "ANSIBLE_FORCE_COLOR": "True", "ANSIBLE_HOST_KEY_CHECKING": "False", "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
    "ANSIBLE_PARAMIKO_RECORD_HOST_KEYS": "False", "ANSIBLE_RETRY_FILES_ENABLED": "False", "ANSIBLE_SSH_CONTROL_PATH_DIR": "/runner/cp",
    "ANSIBLE_COLLECTIONS_PATH": "/runner/requirements_collections:./.collections:./collections:~/.ansible/collections:/usr/share/ansible/collections",
    "ANSIBLE_ROLES_PATH": "/runner/requirements_roles:./roles:~/.ansible/roles:/usr/share/ansible/roles:/etc/ansible/roles",
    "AWX_PRIVATE_DATA_DIR": "/runner", "AWX_HOST": "https://awx.example", "JOB_ID": "1", "INVENTORY_ID": "1", "MAX_EVENT_RES": "700000",
    "PROJECT_REVISION": "0" * 40,
}
OF_EVERY_JOB = {"awx_job_id": 1, "awx_job_launch_type": "manual", "awx_job_template_id": 1, "awx_user_name": "admin", "awx_user_id": 1, "tower_job_id": 1}
"""Variables that AWX adds."""


@dataclasses.dataclass
class Result:
    """What a job did: exit code, changed tasks of all hosts, seconds, artifacts (set_stats), output."""

    rc: int
    changed: int
    seconds: float
    artifacts: dict
    text: str


def templates():
    """The job templates by name."""
    return {entry["name"]: entry for entry in yaml.safe_load(LIST.read_text(encoding="utf-8"))["job_templates"]}


def build():
    """Build and push the image, through the playbook. Returns the playbook's result."""
    return lablib.play("playbooks/ee.yml")


@functools.cache
def image():
    """The image by its digest, as the cluster's registry has it, pulled on the node that runs the jobs."""
    node = host()
    lablib.on(node, "docker", "pull", "-q", "localhost:5000/skp/ee:latest", timeout=600)
    return lablib.on(node, "docker", "image", "inspect", "-f", "{{index .RepoDigests 0}}", "localhost:5000/skp/ee:latest").strip()


def host():
    """The node that runs the jobs: the master, which has built the image."""
    return next(name for name, node in lablib.hosts().items() if "master" in node.get("groups", []))


def put(files, path):
    """Write {name: (bytes, mode)} below a directory of the node, in one stream."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, (content, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    lablib.on(host(), "mkdir", "-p", path)
    subprocess.run(["docker", "exec", "-i", lablib.container(host()), "tar", "-xf", "-", "-C", path], input=data.getvalue(), check=True, timeout=120)


@functools.cache
def project():
    """Bring the project to the node, once: what git knows, and the hosts of the lab, which are not committed. Returns its path."""
    listed = lablib.run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z").stdout.split("\0")
    files = {name: lablib.ROOT / name for name in listed if name and (lablib.ROOT / name).is_file()}
    files["inventory/lab/hosts.json"] = lablib.HOSTS_JSON
    generated = "inventory/lab/group_vars/all/generated.yml"
    files[generated] = lablib.ROOT / generated
    path = PLACE + "/project"
    lablib.on(host(), "rm", "-rf", path)
    put({name: (file.read_bytes(), file.stat().st_mode & 0o777) for name, file in files.items() if file.exists()}, path)
    return path


def container(job, *command, env=None, timeout=900, user=UID):
    """Run a command in skp/ee as AWX does. job: the directory of the job on the node. Returns (exit code, output)."""
    words = ["docker", "run", "--rm", "--network", "host", "--user", str(user), "-v", f"{job}:/runner", "-v", f"{project()}:/runner/project:ro", "-e", "HOME=/",
             "-w", "/runner/project"]
    for name, value in (env or {}).items():
        words += ["-e", f"{name}={value}"]
    done = lablib.run("docker", "exec", lablib.container(host()), *words, image(), *command, check=False, timeout=timeout)
    return done.returncode, done.stdout


def directory(files):
    """A new directory for a job on the node, owned by the container's user. Returns its path."""
    path = f"{PLACE}/{uuid.uuid4().hex[:12]}"
    put({"artifacts/.keep": (b"", 0o600), "project/.keep": (b"", 0o600), **files}, path)
    lablib.on(host(), "chown", "-R", str(UID), path)
    return path


def clear():
    """Remove what the jobs left on the node."""
    lablib.on(host(), "rm", "-rf", PLACE)
    project.cache_clear()
    inventory.cache_clear()


def sync(env, source="inventory/lab/skp.yml"):
    """Read the inventory as AWX's update of an inventory source does. Returns (exit code, output, what was exported)."""
    job = directory({})
    place = "/runner/project/" + source.rpartition("/")[0]
    # The fast values of the lab follow this variable; in AWX it would be one of the source.
    fast = {"SKP_LAB_FAST": "0"} if lablib.SOAK else {}
    code, text = container(job, "ansible-inventory", "--list", "--export", "-i", "/runner/project/" + source, "--playbook-dir", place,
                           "--output", "/runner/artifacts/output.json", "-v", env={**OF_A_SYNC, **env, **fast})
    found = lablib.on(host(), "cat", job + "/artifacts/output.json", check=False) if code == 0 else "{}"
    lablib.on(host(), "rm", "-rf", job)
    return code, text, json.loads(found)


@functools.cache
def inventory():
    """The script that AWX gives a job: it prints what the update has stored."""
    code, text, found = sync(SYNCS["AWX of 2026"])
    assert code == 0, text
    own = found["all"].setdefault("vars", {})
    for name in OF_THE_CONTROLLER:
        own.pop(name, None)
        for variables in found["_meta"]["hostvars"].values():
            variables.pop(name, None)
    places = [own, *found["_meta"]["hostvars"].values()]
    for variables in places:
        authority = variables.get("skp_extra_ca")
        if authority and "-----BEGIN" not in authority:  # a path of this machine
            with open(authority, encoding="utf-8") as handle:
                variables["skp_extra_ca"] = handle.read()
        if "lab_tests" in variables or variables is own:
            variables["lab_tests"] = "/runner/project/tests/lab"
    return "#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint(%r)\n" % json.dumps(found)


def unsafe(value):
    """A value in the YAML of a job's extra variables: AWX marks text, so that it is never a template."""
    if isinstance(value, dict):
        return "{%s}" % ", ".join("%s: %s" % (json.dumps(key), unsafe(item)) for key, item in value.items())
    if isinstance(value, list):
        return "[%s]" % ", ".join(map(unsafe, value))
    return ("!unsafe " if isinstance(value, str) else "") + json.dumps(value)


def answers(template, given):
    """The variables of a job: defaults of the survey, answers, those of the template and of AWX."""
    survey = {question["variable"]: question["default"] for question in template.get("survey", []) if "default" in question}
    unknown = set(given) - {question["variable"] for question in template.get("survey", [])}
    assert not unknown or "variables" in template.get("ask", []), f"{template['name']} does not ask for {unknown}"
    return {"skp_cluster_name": "lab", **template.get("extra_vars", {}), **survey, **given, **OF_EVERY_JOB}


def run(name, given=None, tags="", check=False):
    """Start a job template by its name, with answers of its survey. Returns Result."""
    template = templates()[name]
    words = ["-u", "skp"]
    if check or template.get("check"):
        words += ["--check"]
    if template.get("check"):
        words += ["--diff"]
    if tags or template.get("tags"):
        words += ["-t", tags or template["tags"]]
    variables = answers(template, given or {})
    key = (lablib.HOSTS_JSON.parent / "ssh/id_ed25519").read_bytes()
    job = directory({
        "inventory/hosts": (inventory().encode(), 0o700), "env/ssh_key": (key, 0o600), "env/cmdline": (" ".join(words).encode(), 0o600),
        "env/extravars": ("".join("%s: %s\n" % (json.dumps(key), unsafe(value)) for key, value in variables.items()).encode(), 0o600),
        "env/envvars": (yaml.safe_dump(OF_A_JOB).encode(), 0o600), "cp/.keep": (b"", 0o600),
    })
    try:
        return finish(job, template["playbook"])
    finally:
        lablib.on(host(), "rm", "-rf", job)


def finish(job, playbook):
    """Run ansible-runner in a job's directory and read what it left."""
    script = ["ansible-runner", "run", "/runner", "-p", playbook, "--ident", "1"]
    seconds = time.monotonic()
    code, text = container(job, *script, timeout=1800)
    seconds = round(time.monotonic() - seconds, 1)
    stats = "grep -l '\"event\": \"playbook_on_stats\"' %s/artifacts/1/job_events/*.json | head -n 1 | xargs -r cat" % job
    event = lablib.on(host(), "sh", "-c", stats).strip()
    data = json.loads(event)["event_data"] if event else {"changed": {}, "artifact_data": {}}
    return Result(code, sum(data["changed"].values()), seconds, data["artifact_data"], text)
