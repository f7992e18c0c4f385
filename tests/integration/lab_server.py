# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server of the testbed as the tests of single modules see it: modules run there for real, and what Docker then says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.testbed import images
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Server, Testbed

DRIVER = """
import importlib, json, sys
from ansible.module_utils.testing import patch_module_args
given = json.load(sys.stdin)
module = importlib.import_module("ansible_collections.archetype.lab.plugins.modules." + given["module"])
with patch_module_args(given["args"]):
    module.main()
"""
PREFIX = "lc-"
"""Of every container that the tests of containers make, so that they leave others on the server alone; C(lc) begins their labs."""
SHELL_WORDS = ("sh", "sleep", "cat", "echo", "env", "kill", "true", "false", "touch", "mkdir", "tr")
BUSYBOX = (*SHELL_WORDS, "ls", "ip", "sysctl", "hostname", "id", "ping")


class LabServer:
    def __init__(self, server: Server) -> None:
        self.server = server

    def module(self, name: str, *, check_mode: bool = False, **args: Any) -> dict[str, Any]:
        """Run a module of the collection on the server, as Ansible would; the result, whether it failed or not."""
        given = {"module": name, "args": {**args, "_ansible_check_mode": check_mode, "_ansible_diff": True}}
        command = ["env", f"PYTHONPATH={ROOT}/collections", sys.executable, "-c", DRIVER]
        done = self.server.run(command, stdin=json.dumps(given))
        if not done.stdout.strip():
            raise AssertionError(f"module {name} said nothing: {done.stderr}")
        return dict(json.loads(done.stdout))

    def run(self, *command: str) -> str:
        done = self.server.run(list(command))
        if done.returncode:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return str(done.stdout)

    def docker(self, *words: str) -> str:
        return self.run("docker", *words).strip()

    def inspect(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.docker("inspect", name))[0])

    def pid(self, name: str) -> int:
        return int(self.inspect(name)["State"]["Pid"])

    def names(self) -> list[str]:
        """Containers that a test made, by their prefix."""
        return sorted(name for name in self.docker("ps", "-a", "--format", "{{.Names}}").split() if name.startswith(PREFIX))

    def labs(self) -> list[str]:
        """Labs of the tests that left something in the state directory."""
        return sorted(name for name in self.run("sh", "-c", "ls /var/lib/archetype-lab || true").split() if name.startswith(PREFIX[:2]))

    def plug(self, sandbox: str, *interfaces: str) -> None:
        """Put interfaces into the network namespace of a sandbox, as the ports layer would; their other ends stay on the server."""
        pid = self.pid(sandbox)
        for interface in interfaces:
            device = f"{sandbox.removesuffix('.sb')}.{interface}"
            self.run("ip", "link", "add", device, "type", "veth", "peer", "name", interface, "netns", str(pid))

    def reset(self) -> None:
        """Remove whatever a test left, without the code under test."""
        names = self.names()
        if names:
            self.docker("rm", "-f", "-v", *names)
        for lab in self.labs():
            self.run("rm", "-rf", f"/var/lib/archetype-lab/{lab}")


def busybox_image(server: LabServer, folder: Path, reference: str, *changes: str) -> None:
    """Import an image of one static program, with these instructions (C(CMD [...]), C(ENV A=b))."""
    root = folder / "root"
    if not root.exists():
        for name in ("bin", "etc", "tmp", "proc", "sys", "dev"):
            (root / name).mkdir(parents=True)
        (root / "bin" / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
        (root / "bin" / "busybox").chmod(0o755)
        for name in BUSYBOX:
            (root / "bin" / name).symlink_to("busybox")
        (root / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
        subprocess.run(["tar", "-C", str(root), "-cf", str(folder / "root.tar"), "."], check=True)
    options: Sequence[str] = [word for change in changes for word in ("--change", change)]
    server.docker("import", *options, str(folder / "root.tar"), reference)


@pytest.fixture(scope="session")
def box_server(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> LabServer:
    """A server with the image of sandboxes and two small ones, which differ in a variable and a label."""
    images.ensure(testbed, ["sandbox"])
    server = LabServer(testbed.servers[0])
    folder = tmp_path_factory.mktemp("box")
    command = """CMD ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"]"""
    busybox_image(server, folder, "box:1", command, "ENV VERSION=1 A=image", "LABEL base=yes version=1")
    busybox_image(server, folder, "box:2", command, "ENV VERSION=2 A=image", "LABEL base=yes version=2")
    return server


@pytest.fixture
def box(box_server: LabServer) -> Iterator[LabServer]:
    """The same server, with nothing of an earlier test on it."""
    box_server.reset()
    yield box_server
    box_server.reset()
