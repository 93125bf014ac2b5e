# Copyright (c) 2026 skp.cluster contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A one-node Kubernetes on the last node of the running lab, beside its Docker: it has the registry and the shared store of its node.

    python tests/k8s/k8s.py up | down | kubectl WORDS...
"""
from __future__ import annotations

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))

import lablib  # noqa: E402  (the path above comes first)

IMAGE = "localhost:5000/skp/docker-kubernetes:latest"
KUBECONFIG = lablib.ROOT / ".cache" / "k8s" / "kubeconfig"
PROGRAM = "/opt/k8s/bin/skp-k8s"

# A sandbox of pods sleeps until it is killed.
PAUSE = """
printf 'FROM localhost:5000/skp/docker-base:latest\\nENTRYPOINT ["sleep", "infinity"]\\n' | docker build -q -t localhost/pause:1 - >/dev/null
"""
PROGRAMS = f"""
docker pull -q {IMAGE}
docker rm -f k8s-programs >/dev/null 2>&1 || true
docker create --name k8s-programs {IMAGE} true >/dev/null
rm -rf /opt/k8s && docker cp k8s-programs:/opt/k8s /opt/
docker rm k8s-programs >/dev/null
"""


def node():
    """The node that is Kubernetes: the last one, which is neither the master nor has a database."""
    return sorted(lablib.hosts())[-1]


def shell(text, timeout=600):
    """A bash text on that node."""
    return lablib.on(node(), "bash", "-euo", "pipefail", "-c", text, timeout=timeout)


def build():
    """The programs, in the cluster's registry."""
    lablib.play("tests/k8s/image.yml", timeout=3600)


def up():
    """Start it from nothing, and keep its kubeconfig on this machine."""
    shell(PAUSE + PROGRAMS)
    shell(f"{PROGRAM} down")
    shell(f"{PROGRAM} up {lablib.address(node())}")
    KUBECONFIG.parent.mkdir(parents=True, exist_ok=True)
    KUBECONFIG.touch(mode=0o600)
    KUBECONFIG.write_text(shell("cat /etc/kubernetes/admin.conf"), encoding="utf-8")


def down():
    """Remove it."""
    shell(f"if [ -x {PROGRAM} ]; then {PROGRAM} down; fi; rm -rf /opt/k8s; docker rmi -f localhost/pause:1 {IMAGE} >/dev/null 2>&1 || true")
    KUBECONFIG.unlink(missing_ok=True)


def kubectl(*words, check=True, stdin=None, timeout=120):
    """What kubectl prints."""
    return lablib.on(node(), "/opt/k8s/bin/kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", *words, check=check, stdin=stdin, timeout=timeout)


def phase(pod):
    """The phase of a pod: Pending, Running, Succeeded, Failed."""
    return kubectl("get", "pod", pod, "-o", "jsonpath={.status.phase}").strip()


def pulled():
    """Images that the kubelet has pulled for pods."""
    events = json.loads(kubectl("get", "events", "-o", "json"))["items"]
    return {word.strip('"') for event in events if event["reason"] == "Pulled" for word in event["message"].split() if word.startswith('"')}


def main(words):
    if words[:1] == ["up"]:
        build()
        up()
        print("kubeconfig: %s" % KUBECONFIG)
    elif words[:1] == ["down"]:
        down()
    elif words[:1] == ["kubectl"]:
        print(kubectl(*words[1:], check=False), end="")
    else:
        print(__doc__, file=sys.stderr)
        return 64
    return 0


if __name__ == "__main__":
    os.chdir(lablib.ROOT)
    sys.exit(main(sys.argv[1:]))
