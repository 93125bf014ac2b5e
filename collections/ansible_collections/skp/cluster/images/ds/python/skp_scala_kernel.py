# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jupyter kernel "Spark (Scala)": Spark's own shell with the cluster's configuration, so `spark` and `sc` are there.

The shell starts with the first cell, so that an opened notebook alone holds no executors. Interrupting cancels the jobs that run.
"""

from __future__ import annotations

from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel
from skp_scala_shell import PRELUDE, Shell, ShellEnded, completions, failure


class SparkScalaKernel(Kernel):
    """The kernel: one shell, cells one after the other."""

    implementation = "skp_scala_kernel"
    implementation_version = "1.0"
    language = "scala"
    language_info = {"name": "scala", "mimetype": "text/x-scala", "file_extension": ".scala", "codemirror_mode": "text/x-scala", "pygments_lexer": "scala"}
    banner = "Spark (Scala): spark and sc are there; jobs run where the cluster's configuration says"

    _shell = None

    def _ready(self):
        """The shell; started when there is none."""
        if self._shell is None:
            start = []
            shell = Shell()
            try:
                shell.read(start.append)
                shell.paste(PRELUDE)
                shell.read(start.append)
            except BaseException:
                self._show("".join(start))
                shell.end()
                raise
            self._shell = shell
        return self._shell

    def _show(self, text):
        self.send_response(self.iopub_socket, "stream", {"name": "stdout", "text": text})

    def _failed(self, name, value, silent):
        error = {"ename": name, "evalue": value, "traceback": ["%s: %s" % (name, value)]}
        if not silent:
            self.send_response(self.iopub_socket, "error", error)
        return dict(error, status="error", execution_count=self.execution_count)

    def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False, **_more):
        """Run a cell."""
        written, interrupted = [], False

        def show(text):
            written.append(text)
            if not silent:
                self._show(text)

        try:
            if code.strip():
                shell = self._ready()
                shell.paste(code)
                while True:
                    try:
                        shell.read(show)
                        break
                    except KeyboardInterrupt:
                        interrupted = True
                        shell.interrupt()
        except KeyboardInterrupt:
            return self._failed("KeyboardInterrupt", "before Spark's shell was ready", silent)
        except ShellEnded as exc:
            self._drop()
            return self._failed("ShellEnded", "Spark's shell ended with status %s; the next cell starts a new one" % exc, silent)
        if interrupted:
            return self._failed("KeyboardInterrupt", "Spark's jobs of this cell were cancelled", silent)
        wrong = failure("".join(written))
        if wrong:
            return self._failed("Scala", wrong, silent)
        return {"status": "ok", "execution_count": self.execution_count, "payload": [], "user_expressions": {}}

    def do_complete(self, code, cursor_pos):
        """What could stand at the cursor."""
        words, length = [], 0
        line = code[:cursor_pos].rpartition("\n")[2]
        if self._shell is not None and line.strip():
            written = []
            try:
                self._shell.send(":completions %s" % line)
                self._shell.read(written.append)
            except ShellEnded:
                self._drop()
            words, length = completions("".join(written), line)
        return {"status": "ok", "matches": words, "cursor_start": cursor_pos - length, "cursor_end": cursor_pos, "metadata": {}}

    def _drop(self):
        shell, self._shell = self._shell, None
        if shell is not None:
            shell.end()

    def do_shutdown(self, restart):
        """End the shell with the kernel."""
        self._drop()
        return {"status": "ok", "restart": restart}


if __name__ == "__main__":
    IPKernelApp.launch_instance(kernel_class=SparkScalaKernel)
