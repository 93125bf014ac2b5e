#!/usr/bin/python
# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the image of the lab's nodes, and before it the base image: pulled if possible, else bootstrapped.

community.docker's image modules show no output until the end of a build (and need buildx, which a plain Debian lacks); here every line
goes to a log file at once, and the playbook's progress callback shows the last line.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_image
short_description: Build the node image, with its base
author: skp.cluster contributors (@comafire)
options:
  image: {type: str, required: true, description: Tag to build; nothing is done if the engine has it.}
  labels: {type: dict, required: true, description: Labels of the built images.}
  context: {type: path, required: true, description: Build context.}
  base_image: {type: str, required: true, description: Base image, if the engine has it or can pull it.}
  base_suite: {type: str, required: true, description: Debian suite to bootstrap otherwise.}
  base_fallback: {type: str, required: true, description: Tag of the bootstrapped image.}
  apt_mirror: {type: str, default: "", description: Debian mirror; empty for the default one.}
  pull_timeout: {type: int, default: 20, description: Seconds without progress after which a pull is aborted.}
  log: {type: path, required: true, description: File that receives every line.}
"""

EXAMPLES = r"""
- name: Build the node image
  lab_image: {image: "skp-lab/node:1", labels: {}, context: /x, base_image: "debian:trixie-slim", base_suite: trixie,
              base_fallback: "skp-lab/base:trixie", log: /x/step.log}
"""

RETURN = r"""
base:
  description: The base image used and its origin (present, pulled, bootstrapped).
  type: dict
  returned: if the image was built
"""

import os
import re
import shutil
import subprocess
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lab_engine import DockerException, connect

BOOTSTRAP_TIMEOUT = 900


class Log:
    """The step's log file: every line at once, and the last lines for an error message."""

    def __init__(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.handle = open(path, "w", encoding="utf-8", buffering=1)
        self.lines = []

    def add(self, text):
        """Append the lines of a text."""
        for line in str(text).splitlines():
            if line.strip():
                self.handle.write(line + "\n")
                self.lines = self.lines[-40:] + [line[:400]]

    def tail(self, count=12):
        """The last lines, as one text."""
        return "\n".join(self.lines[-count:])


def has_image(client, tag):
    """Whether the engine has this tag."""
    return bool(client.api.images(name=tag))


def pull(module, log):
    """Try to pull the base image; returns the reason if that fails."""
    client = connect(module, timeout=module.params["pull_timeout"])
    tag = module.params["base_image"]
    try:
        for event in client.api.pull(*split_tag(tag), stream=True, decode=True):
            log.add("%s %s" % (event.get("status", ""), event.get("progress", "")))
            if "error" in event:
                return event["error"]
    except (DockerException, OSError) as exc:
        # ReadTimeout of requests is an OSError: a firewall drops the packets to the registry
        return str(getattr(exc, "explanation", None) or exc)
    return "" if has_image(client, tag) else "the engine did not say why"


def split_tag(tag):
    """Repository and tag; a port in the registry's name is not a tag.

    >>> split_tag("localhost:5000/debian")
    ('localhost:5000/debian', 'latest')
    """
    repository, separator, suffix = tag.rpartition(":")
    return (repository, suffix) if separator and "/" not in suffix else (tag, "latest")


def bootstrap(module, client, log, why_no_pull):
    """Bootstrap the base image with mmdebstrap and import it."""
    params = module.params
    tool = shutil.which("mmdebstrap") or install_mmdebstrap(module, log, why_no_pull)
    with tempfile.TemporaryDirectory(prefix="skp-lab-") as folder:
        # mmdebstrap in its unshare mode (a normal user's) writes through another user id
        os.chmod(folder, 0o711)
        archive = os.path.join(folder, "base.tar")
        # For a normal user, only this mode creates a complete file system; mmdebstrap's fallback fails half-way.
        mode = "root" if os.geteuid() == 0 else "unshare"
        command = [tool, "--mode=%s" % mode, "--variant=minbase", "--include=ca-certificates", params["base_suite"], archive]
        failure = "the base image %s cannot be pulled (%s), and mmdebstrap cannot create one" % (params["base_image"], why_no_pull)
        if mode == "unshare":
            failure += (
                "; as a normal user it needs `sudo apt-get install uidmap` and your name in /etc/subuid and /etc/subgid. "
                "Or load an image of Debian %s into the engine and name it with -e lab_base_image=..." % params["base_suite"]
            )
        run_logged(module, log, command + ([params["apt_mirror"]] if params["apt_mirror"] else []), failure)
        log.add("importing %s" % params["base_fallback"])
        client.api.import_image_from_file(
            archive, *split_tag(params["base_fallback"]), changes=["LABEL %s=%s" % item for item in sorted(params["labels"].items())]
        )
    if not has_image(client, params["base_fallback"]):
        module.fail_json(msg="the engine did not keep the imported base image %s" % params["base_fallback"])


def install_mmdebstrap(module, log, why_no_pull):
    """Install mmdebstrap as root; for other users, fail with a message that says what to do."""
    where = "the base image %s is not in the engine, cannot be pulled (%s)" % (module.params["base_image"], why_no_pull)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        module.fail_json(
            msg="%s, and mmdebstrap is not installed to create one: `sudo apt-get install mmdebstrap uidmap`, or load an image of Debian %s "
            "into the engine and name it with -e lab_base_image=..." % (where, module.params["base_suite"])
        )
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    run_logged(module, log, ["apt-get", "update"], "apt-get update", environment)
    run_logged(
        module, log,
        ["apt-get", "install", "-y", "--no-install-recommends", "mmdebstrap", "debian-archive-keyring"],
        "mmdebstrap cannot be installed", environment,
    )
    return shutil.which("mmdebstrap")


def run_logged(module, log, command, failure, environment=None):
    """Run a command with its output in the log; fail with its last lines."""
    deadline = time.monotonic() + BOOTSTRAP_TIMEOUT
    log.add("$ %s" % " ".join(command))
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", env=environment) as process:
        for line in process.stdout:
            log.add(line)
            if time.monotonic() > deadline:
                process.kill()
                module.fail_json(msg="%s: not finished after %d s. Last lines of its output:\n%s" % (failure, BOOTSTRAP_TIMEOUT, log.tail()))
    if process.returncode != 0:
        module.fail_json(msg="%s (exit code %d). Last lines of its output:\n%s" % (failure, process.returncode, log.tail(8)))


def build(module, client, log, base):
    """Build the node image through the engine's own builder."""
    params = module.params
    events = client.api.build(
        path=params["context"],
        tag=params["image"],
        labels=params["labels"],
        buildargs={"BASE": base, "APT_MIRROR": params["apt_mirror"]},
        rm=True,
        forcerm=True,
        decode=True,
    )
    for event in events:
        log.add(re.sub(r"\x1b\[[0-9;]*m", "", event.get("stream") or event.get("status") or ""))
        if "error" in event:
            module.fail_json(msg="the node image cannot be built: %s. Last lines of the build:\n%s" % (event["error"].strip(), log.tail()))


def main():
    """Nothing if the image exists; else base, then build."""
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "str", "required": True},
            "labels": {"type": "dict", "required": True},
            "context": {"type": "path", "required": True},
            "base_image": {"type": "str", "required": True},
            "base_suite": {"type": "str", "required": True},
            "base_fallback": {"type": "str", "required": True},
            "apt_mirror": {"type": "str", "default": ""},
            "pull_timeout": {"type": "int", "default": 20},
            "log": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    client = connect(module, timeout=BOOTSTRAP_TIMEOUT)
    if has_image(client, params["image"]):
        module.exit_json(changed=False)
    if module.check_mode:
        module.exit_json(changed=True)
    log = Log(params["log"])
    candidates = (params["base_image"], params["base_fallback"])
    base = next(({"image": tag, "how": "present"} for tag in candidates if has_image(client, tag)), None)
    if base is None:
        log.add("pulling %s" % params["base_image"])
        why_no_pull = pull(module, log)
        base = {"image": params["base_image"], "how": "pulled"}
        if why_no_pull:
            log.add("no pull: %s" % why_no_pull)
            bootstrap(module, client, log, why_no_pull)
            base = {"image": params["base_fallback"], "how": "bootstrapped", "why_no_pull": why_no_pull}
    build(module, client, log, base["image"])
    module.exit_json(changed=True, base=base)


if __name__ == "__main__":
    main()
