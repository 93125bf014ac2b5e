# Copyright (c) 2026 skp.cluster contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of `skp_image`: reads build contexts, and shows the progress of the module while it runs.

If an earlier call of the run has seen that the registry has all images, there is no call. Else the module is first asked for its plan, in one call; most
runs end there. When there is work it runs as an asynchronous job that appends lines to a
file, and this plugin reads them as they come.
"""

from __future__ import annotations

import base64
import fnmatch
import os
import shlex
import stat
import time

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()

COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODULE = "skp.cluster.skp_image"
JOB_SECONDS = 4 * 3600
POLL_SECONDS = 2
JOB_POLLS = 10
"""The job's state is read when the module reports its end, and also after this number of polls, in case it could not report it."""
END = "end"
"""The last line of a progress file."""

QUIET_SECONDS = 20
"""After this time without output, a line is printed that the job is still running."""


def find_context(wanted, roots):
    """The first directory `wanted` below one of the roots (absolute: itself) with a Dockerfile, or None."""
    for root in roots:
        directory = os.path.join(root, os.path.expanduser(wanted))
        if os.path.isfile(os.path.join(directory, "Dockerfile")):
            return directory
    return None


CONTEXT_LIMIT = 64 * 1024 * 1024
"""Bytes of one context. It is an argument of the module: larger files belong to a package source that the build downloads from."""

IGNORED_DIRECTORIES = ("__pycache__", ".git")
IGNORED_FILES = ("*~", ".#*", "#*#", "*.swp", "*.swo", ".DS_Store", "Thumbs.db")
"""What editors and file managers leave: no part of an image, and it must not change its hash."""


def read_context(directory):
    """All files below a directory as [{"path", "mode", "content" (base64)}], in a fixed order. Links to files count as these files."""
    files, size = [], 0
    for root, directories, names in os.walk(directory):
        directories[:] = sorted(item for item in directories if item not in IGNORED_DIRECTORIES)
        for item in directories:
            if os.path.islink(os.path.join(root, item)):
                raise AnsibleActionFail("%s is a link to a directory, which a build context cannot hold. Copy the directory, or build what it holds as an "
                                        "image of its own." % os.path.join(root, item))
        for item in sorted(names):
            if any(fnmatch.fnmatchcase(item, pattern) for pattern in IGNORED_FILES):
                continue
            path = os.path.join(root, item)
            try:
                found = os.stat(path)
                size += found.st_size
                if not stat.S_ISREG(found.st_mode):
                    raise AnsibleActionFail("%s is no regular file. Remove it from the build context." % path)
                if size > CONTEXT_LIMIT:
                    raise AnsibleActionFail("With %s the build context %s is larger than %d MB. Remove what does not belong to it." % (
                        path, directory, CONTEXT_LIMIT // 1024 // 1024))
                with open(path, "rb") as handle:
                    content = base64.b64encode(handle.read()).decode()
            except OSError as exc:
                raise AnsibleActionFail("%s cannot be read on the controller: %s. Correct or remove it." % (path, exc.strerror)) from exc
            files.append({"path": os.path.relpath(path, directory), "mode": found.st_mode & 0o777, "content": content})
    return files


NOT_INSTALLED = ("tests/", "changelogs/fragments/")
"""What of the collection an image of it does not need."""


def read_collection():
    """The files of this collection, as read_context gives them, below collection/. Without its tests, and without what a build may have left."""
    files = [entry for entry in read_context(COLLECTION) if not entry["path"].startswith(NOT_INSTALLED) and not entry["path"].endswith((".pyc", ".tar.gz"))]
    return [dict(entry, path="collection/" + entry["path"]) for entry in files]


def read_pem(given, places):
    """extra_ca as PEM text. The option is PEM text, or a path on the controller, relative to one of the places."""
    if not given or "-----BEGIN" in given:
        return given
    paths = [os.path.join(place, os.path.expanduser(given)) for place in places]
    for path in paths:
        if os.path.exists(path):
            try:
                with open(path, encoding="utf-8") as handle:
                    return handle.read()
            except (OSError, ValueError) as exc:
                raise AnsibleActionFail("extra_ca: %s cannot be read on the controller: %s" % (path, exc)) from exc
    raise AnsibleActionFail("extra_ca: the file %s does not exist on the controller." % " or ".join(dict.fromkeys(paths)))


def finished_lines(data):
    """The complete lines in some bytes, and their number of bytes: the last line of a file may be incomplete."""
    data = data[: data.rfind(b"\n") + 1]
    return data.decode("utf-8", "replace").split("\n")[:-1], len(data)


class ActionModule(ActionBase):
    """Runs `skp_image` with the contexts of its images."""

    _supports_async = False  # async of the task is refused: it would hide the progress
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        """See ActionBase.run."""
        result = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        seen = arguments.pop("seen", None)
        if arguments.get("state", "built") == "built" and seen:
            result.update(changed=False, images=seen, alongside={}, plan=[], seen=True)
            return result
        if arguments.get("state", "built") == "built":
            # With the shims of a checkout, the playbook is in the collection: a user's relative path is more likely beside the inventory.
            places = [place for place in (self._loader.get_basedir(), task_vars.get("inventory_dir"), os.getcwd()) if place]
            arguments["images"] = [self._with_files(image, places) for image in arguments.get("images") or []]
            arguments["extra_ca"] = read_pem(arguments.get("extra_ca") or "", places)
        result.update(self._plan_and_run(arguments, task_vars))
        result.pop("invocation", None)  # contains the contexts again
        return result

    def _plan_and_run(self, arguments, task_vars):
        """One call if that is enough, else a job with progress."""
        if arguments.get("state") in ("loaded", "known") or self._task.check_mode or boolean(arguments.get("plan_only", False)):
            return self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        planned = self._execute_module(module_name=MODULE, module_args=dict(arguments, plan_only=True), task_vars=task_vars)
        if planned.get("failed") or not planned.get("changed"):
            return planned
        return self._run_live(arguments, task_vars)

    def _with_files(self, image, places):
        """An entry of `images` with the files of its context."""
        if not isinstance(image, dict) or not isinstance(image.get("name"), str):
            raise AnsibleActionFail("Every entry of images must be a dictionary with a name; found: %r" % (image,))
        if image.get("files"):
            return image
        name = image["name"]
        short = name[len("docker-"):] if name.startswith("docker-") else name
        wanted = image.get("context") or os.path.join("images", short)
        roots = [self._task._role._role_path, os.path.join(self._task._role._role_path, "files")] if self._task._role is not None else []
        roots += (places if image.get("context") else []) + [COLLECTION]
        directory = find_context(wanted, roots)
        if directory is None:
            raise AnsibleActionFail("Image '%s': there is no directory '%s' with a Dockerfile in any of: %s." % (name, wanted, ", ".join(roots)))
        files = read_context(directory) + (read_collection() if boolean(image.get("collection", False)) else [])
        return dict({key: value for key, value in image.items() if key != "context"}, files=files)

    def _run_live(self, arguments, task_vars):
        """Run the module as a separate job and print its progress until it has ended. Returns its result."""
        host = self._task.delegate_to or task_vars.get("inventory_hostname", "")
        made = self._execute_module(module_name="ansible.builtin.tempfile", module_args={"prefix": "skp_image."}, task_vars=task_vars)
        if made.get("failed"):
            return made
        path = made["path"]
        try:
            return self._follow(host, path, dict(arguments, progress_file=path), task_vars)
        finally:
            self._execute_module(module_name="ansible.builtin.file", module_args={"path": path, "state": "absent"}, task_vars=task_vars)

    def _follow(self, host, path, arguments, task_vars):
        self._task.async_val = JOB_SECONDS
        try:
            job = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars, wrap_async=True)
        finally:
            self._task.async_val = 0
        if job.get("failed") or not job.get("ansible_job_id"):
            return job
        ask = {"jid": job["ansible_job_id"], "_async_dir": os.path.dirname(job.get("results_file") or "") or "~/.ansible_async"}
        seen, started, spoken, polls, state = 0, time.monotonic(), time.monotonic(), 0, {}
        while not (state.get("finished") or state.get("failed")):
            time.sleep(POLL_SECONDS)
            polls += 1
            seen, new, ended = self._show(host, path, seen)
            now = time.monotonic()
            if new:
                spoken = now
            elif now - spoken >= QUIET_SECONDS:
                self._say(host, "still running (%d s)" % (now - started))
                spoken = now
            if ended or polls % JOB_POLLS == 0:
                state = self._execute_module(module_name="ansible.builtin.async_status", module_args=ask, task_vars=task_vars)
            if now - started > JOB_SECONDS:
                return {"failed": True, "msg": "The job did not end within %d s." % JOB_SECONDS}
        self._execute_module(module_name="ansible.builtin.async_status", module_args=dict(ask, mode="cleanup"), task_vars=task_vars)
        of_the_job = ("ansible_job_id", "started", "finished", "results_file", "stdout", "stderr", "stdout_lines", "stderr_lines")
        return {key: value for key, value in state.items() if key not in of_the_job}

    def _show(self, host, path, seen):
        """Print the lines after the first `seen` bytes. Returns (bytes read now, whether a line was new, whether the module reported its end)."""
        # A command, not a module: this runs every two seconds, and a module would take CPU time from the builds.
        # In base64, because a terminal changes line ends.
        answer = self._low_level_execute_command("tail -c +%d %s | base64" % (seen + 1, shlex.quote(path)))
        lines, size = finished_lines(base64.b64decode(answer.get("stdout") or ""))
        for line in lines:
            if line != END:
                self._say(host, line)
        return seen + size, bool(lines), lines[-1:] == [END]

    def _say(self, host, line):
        if not self._task.no_log:
            display.display("%s: %s" % (host, line), color="cyan")
