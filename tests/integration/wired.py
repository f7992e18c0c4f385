# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of the testbed with a bridge, sandboxes and ports, for the tests of what happens to ports."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.testbed import images
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Server, Testbed

LABS = ("x", "y")
RUNNER = str(ROOT / "tests" / "integration" / "run_module.py")
SANDBOX_IMAGE = "archetype-lab/sandbox:1"
HOST_IMAGE = "archetype-lab/host:1"

_LAYER = """
from ansible_collections.archetype.lab.plugins.module_utils._declared import Port
from ansible_collections.archetype.lab.plugins.module_utils._ports import converge
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Request
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
with Server() as server:
    result = converge(server, Request("x", tuple(Port(**one) for one in given["ports"]), prune=True, **given["asked"]))
told = [change.to_line() for change in result.changes], [str(error) for error in result.errors]
"""


@dataclasses.dataclass(frozen=True)
class Ran:
    """What a module returned, and what it took: processes, OVSDB transactions, seconds."""

    result: Mapping[str, Any]
    counted: Mapping[str, Any]

    @property
    def lines(self) -> list[str]:
        """The diff, a line each."""
        return list(self.result.get("diff", {}).get("prepared", "").splitlines())

    @property
    def failed(self) -> bool:
        return bool(self.result.get("failed"))

    def ok(self) -> Ran:
        assert not self.failed, self.result
        return self


class Wired:
    def __init__(self, server: Server) -> None:
        self.server = server

    def sh(self, *command: str, check: bool = True) -> str:
        return self.server.run(list(command), check=check).stdout

    def json(self, *command: str) -> Any:
        return json.loads(self.sh(*command) or "[]")

    def module(self, name: str, *, check: bool = False, **arguments: Any) -> Ran:
        """Run a module of the collection on the server."""
        job = json.dumps({"module": name, "args": arguments, "check": check})
        command = ["env", f"PYTHONPATH={ROOT / 'collections'}", sys.executable, RUNNER]
        done = self.server.run(command, stdin=job)
        assert done.stdout, done.stderr
        return Ran(json.loads(done.stdout), json.loads(done.stderr.splitlines()[-1]))

    def library(self, script: str, **given: Any) -> Any:
        """Run a piece of Python with the server's libraries on the server. It has C(given), and puts what it found into C(told)."""
        whole = f"import json, sys\ngiven = json.load(sys.stdin)\n{script}\nprint(json.dumps(told))"
        command = ["env", f"PYTHONPATH={ROOT / 'collections'}", sys.executable, "-c", whole]
        done = self.server.run(command, stdin=json.dumps(given))
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def layer(self, *ports: Mapping[str, Any], **asked: Any) -> list[str]:
        """Converge ports of lab x by the layer itself, which can be asked for more than the module: lines of the diff."""
        lines, errors = self.library(_LAYER, ports=list(ports), asked=asked)
        assert errors == []
        return list(lines)

    def ports(self, *ports: Mapping[str, Any], lab: str = "x", **options: Any) -> Ran:
        return self.module("ovs_port_vlan", lab=lab, ports=list(ports), **options)

    def bridge(self) -> None:
        self.module("ovs_bridge").ok()

    def sandbox(self, name: str) -> None:
        self.sh("docker", "run", "--detach", "--name", name, "--network", "none", SANDBOX_IMAGE)

    def netns(self, sandbox: str) -> str:
        return f"/proc/{self.sh('docker', 'inspect', '--format', '{{.State.Pid}}', sandbox).strip()}/ns/net"

    def inside(self, sandbox: str, *command: str, check: bool = True) -> str:
        """Run a command of the server in the network namespace of a sandbox."""
        return self.sh("nsenter", f"--net={self.netns(sandbox)}", *command, check=check)

    def address(self, sandbox: str, interface: str, address: str) -> None:
        self.inside(sandbox, "ip", "address", "add", f"{address}/24", "dev", interface)

    def pings(self, sandbox: str, address: str, *options: str) -> bool:
        command = ["nsenter", f"--net={self.netns(sandbox)}", "ping", "-c", "2", "-i", "0.1", "-W", "1", *options, address]
        return self.server.run(command).returncode == 0

    def devices(self, sandbox: str = "") -> dict[str, dict[str, Any]]:
        """Devices of the server or of a sandbox, as C(ip -json link) tells them."""
        command = ("ip", "-json", "link")
        told = json.loads(self.inside(sandbox, *command)) if sandbox else self.json(*command)
        return {one["ifname"]: one for one in told}

    def ovs_ports(self) -> dict[str, dict[str, Any]]:
        """The ports of all bridges: name -> tag, vlan_mode."""
        table = self.json("ovs-vsctl", "--format=json", "--columns=name,tag,vlan_mode", "list", "port")
        return {row[0]: dict(zip(table["headings"], row, strict=True)) for row in table["data"]}

    def clean(self) -> None:
        for lab in LABS:
            self.module("ovs_port_vlan", lab=lab, state="absent", prune=True)
        names = self.sh("docker", "ps", "--all", "--quiet").split()
        if names:
            self.sh("docker", "rm", "--force", *names)
        for name in self.ovs_ports():
            if name.startswith("foreign"):
                self.sh("ovs-vsctl", "del-port", name)
        for name in self.devices():
            if name.startswith("foreign"):
                self.sh("ip", "link", "delete", name, check=False)


def port(number: int, node: str, tag: int, *, lab: str = "x", interface: str = "eth1", **more: Any) -> dict[str, Any]:
    """A port as a plan declares it."""
    return {
        "name": f"{lab}p{number}",
        "device": "veth",
        "link": f"link{tag}",
        "node": node,
        "interface": interface,
        "sandbox": f"{lab}.{node}.sandbox",
        "mac": f"02:00:00:00:{ord(lab):02x}:{number:02x}",
        "mtu": 1500,
        "tag": tag,
        "group": 1000 + ord(lab),
        **more,
    }


def pair(wired: Wired, *, lab: str = "x", tag: int = 100, subnet: str = "198.51.100") -> Sequence[dict[str, Any]]:
    """Two nodes with a link between them that works: C(r1) has the address .1, C(r2) has .2."""
    ends = [port(1, "r1", tag, lab=lab), port(2, "r2", tag, lab=lab)]
    for end in ends:
        wired.sandbox(end["sandbox"])
    wired.ports(*ends, lab=lab).ok()
    for number, end in enumerate(ends, 1):
        wired.address(end["sandbox"], "eth1", f"{subnet}.{number}")
    assert wired.pings(ends[0]["sandbox"], f"{subnet}.2")
    return ends


@contextlib.contextmanager
def wired_server(testbed: Testbed) -> Iterator[Wired]:
    """The first server, with a bridge, and without what the tests made afterwards."""
    images.ensure(testbed, ["sandbox", "host"])
    wired = Wired(testbed.servers[0])
    wired.bridge()
    try:
        yield wired
    finally:
        wired.clean()
